//! Memory that is there: every page that the loop may touch is in memory before its first cycle.
//!
//! Locking populates what is mapped; where memory may not be locked, this asks the kernel for every
//! mapping by itself, code, data, libraries and stacks. Either way the kernel's own account is read
//! afterwards: what is still absent is a page fault of some cycle to come, and is told. It promises
//! nothing about later: unlocked, a page may go again. Runs while the loop thread waits at the gate.
//! Shown by: the tests below; the loop's page faults in every report.

use crate::realtime;
use std::fs;

/// Larger mappings are nobody's code or state here.
const MAPPING_BYTES_MAX: usize = 64 << 20;
/// Mappings of the kernel's own, which it does not account for.
const KERNELS: [&str; 4] = ["[vvar]", "[vvar_vclock]", "[vdso]", "[vsyscall]"];

/// One mapping of the process, as /proc/self/smaps tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    begin: usize,
    bytes: usize,
    is_writable: bool,
    name: String,
    resident_bytes: usize,
}

/// Makes every mapping resident that may be read, and looks whether each is.
///
/// # Errors
/// A sentence that says how much is absent, and of what.
pub fn make_resident() -> Result<(), String> {
    let told = || fs::read_to_string("/proc/self/smaps").map_err(rt_shm::in_words);
    let unknown = |why| format!("whether memory is resident is not known: /proc/self/smaps: {why}");
    let text = told().map_err(unknown)?;
    for mapping in parse(&text).iter().filter(|mapping| mapping.absent_bytes() > 0) {
        // What the kernel refuses shows in its account.
        realtime::populate(mapping.begin, mapping.bytes, mapping.is_writable).ok();
    }
    judge(&parse(&told().map_err(unknown)?))
}

fn judge(mappings: &[Mapping]) -> Result<(), String> {
    let absent: usize = mappings.iter().map(Mapping::absent_bytes).sum();
    let Some(most) = mappings.iter().max_by_key(|mapping| mapping.absent_bytes()) else {
        return Ok(());
    };
    if absent == 0 {
        return Ok(());
    }
    let name = if most.name.is_empty() { "memory without a name" } else { &most.name };
    Err(format!(
        "not resident: {} KiB, most of it {name}: its first use is a page fault",
        absent / 1024
    ))
}

impl Mapping {
    fn absent_bytes(&self) -> usize {
        self.bytes.saturating_sub(self.resident_bytes)
    }
}

/// The mappings that may be read, but the kernel's own and what is too large.
fn parse(smaps: &str) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    // Of what is left out, the lines that follow are left out too.
    let mut is_kept = false;
    for line in smaps.lines() {
        if let Some(kibibytes) = line.strip_prefix("Rss:") {
            let kibibytes = kibibytes.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0);
            if let Some(mapping) = mappings.last_mut().filter(|_| is_kept) {
                mapping.resident_bytes = kibibytes.saturating_mul(1024);
            }
        } else if let Some(mapping) = head(line) {
            is_kept = mapping.is_some();
            mappings.extend(mapping);
        }
    }
    mappings
}

/// `None` for a line that begins no mapping, `Some(None)` for one that is left out.
#[expect(clippy::option_option, reason = "no mapping at all, and none that counts")]
fn head(line: &str) -> Option<Option<Mapping>> {
    let mut words = line.split_whitespace();
    let (begin, end) = words.next()?.split_once('-')?;
    let begin = usize::from_str_radix(begin, 16).ok()?;
    let bytes = usize::from_str_radix(end, 16).ok()?.checked_sub(begin)?;
    let rights = words.next()?;
    let name = words.nth(3).unwrap_or_default().to_owned();
    let counts =
        rights.starts_with('r') && bytes <= MAPPING_BYTES_MAX && !KERNELS.contains(&name.as_str());
    let is_writable = rights.contains('w');
    Some(counts.then_some(Mapping { begin, bytes, is_writable, name, resident_bytes: 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
5500-7500 r-xp 00000000 fe:00 247030                     /usr/bin/fast-loop
Size:                  8 kB
Rss:                   4 kB
Rss_not_this:          9 kB
9000-a000 ---p 00000000 00:00 0 
Rss:                   0 kB
a000-c000 rw-p 00000000 00:00 0 
Rss:                   8 kB
d000-e000 r--p 00000000 00:00 0                          [vvar]
Rss:                   0 kB
VmFlags: rd mr mw me 
";

    #[test]
    fn mappings_that_may_be_read_are_found_and_guards_and_the_kernels_own_left_out() {
        let mappings = parse(SMAPS);
        let absent: Vec<_> = mappings.iter().map(|mapping| mapping.absent_bytes()).collect();
        assert_eq!(absent, [4096, 0]);
        assert_eq!((mappings[0].begin, mappings[0].is_writable), (0x5500, false));
        assert!(mappings[1].is_writable);
    }

    #[test]
    fn absent_memory_is_told_with_the_mapping_that_lacks_most() {
        let told = judge(&parse(SMAPS)).expect_err("4 KiB are absent");
        assert!(told.starts_with("not resident: 4 KiB, most of it /usr/bin/fast-loop"), "{told}");
        assert_eq!(judge(&[]), Ok(()));
    }

    #[test]
    fn fresh_memory_of_a_process_is_absent_until_it_is_made_resident() {
        // Larger than what the allocator keeps: fresh pages of the kernel, smaller than what is left out.
        let fresh = vec![0_u8; 16 << 20];
        let (begin, end) = (fresh.as_ptr().addr(), fresh.as_ptr().addr() + fresh.len());
        let absent = || {
            let text = fs::read_to_string("/proc/self/smaps").expect("every Linux tells");
            let of =
                |mapping: &Mapping| begin < mapping.begin + mapping.bytes && mapping.begin < end;
            parse(&text).iter().filter(|it| of(it)).map(Mapping::absent_bytes).sum::<usize>()
        };
        assert!(absent() >= 8 << 20, "{} bytes", absent());
        // Other tests' threads map and unmap meanwhile: only this mapping is judged.
        make_resident().ok();
        assert_eq!(absent(), 0);
        drop(fresh);
    }
}
