//! What /proc and /sys say about this process and machine. Read at start only, never by the loop
//! thread once it is sealed.

use std::fs;
use std::io;

/// May lock memory beyond the limit (capabilities(7)).
pub const CAP_IPC_LOCK: u32 = 14;

/// Whether this process has a capability in effect.
///
/// # Errors
/// It cannot be known: /proc/self/status cannot be read.
pub fn has_capability(bit: u32) -> io::Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mask = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    Ok(mask.is_some_and(|mask| mask >> bit & 1 != 0))
}

/// Mode of seccomp of the thread whose folder in /proc is `thread`, and the number of filters that it is
/// under; 0 where the kernel does not count them.
///
/// # Errors
/// It cannot be known: there is no such file, or it does not say.
pub fn seccomp(thread: &str) -> io::Result<(u32, u32)> {
    let path = format!("{thread}/status");
    let status = fs::read_to_string(&path)?;
    parse_seccomp(&status)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{path}: no `Seccomp:`")))
}

fn parse_seccomp(status: &str) -> Option<(u32, u32)> {
    let number =
        |key: &str| status.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
    Some((number("Seccomp:")?, number("Seccomp_filters:").unwrap_or(0)))
}

/// Cores that the kernel command line keeps free (`isolcpus=`).
#[must_use]
pub fn isolated_cpus() -> Vec<u32> {
    let text = fs::read_to_string("/sys/devices/system/cpu/isolated").unwrap_or_default();
    parse_cpu_list(text.trim())
}

/// A list like `1,3-5`; whatever is no number is left out.
fn parse_cpu_list(text: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<u32>().ok()?..=last.trim().parse::<u32>().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seccomp_is_read_with_or_without_its_count() {
        let new = "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";
        assert_eq!(parse_seccomp(new), Some((2, 3)));
        assert_eq!(parse_seccomp("Seccomp:\t0\n"), Some((0, 0)));
        assert_eq!(parse_seccomp("Name:\tx\n"), None);
    }

    #[test]
    fn cpu_lists_may_hold_numbers_ranges_and_nothing() {
        assert_eq!(parse_cpu_list("3"), [3]);
        assert_eq!(parse_cpu_list("0,2-4"), [0, 2, 3, 4]);
        assert!(parse_cpu_list("").is_empty());
        assert!(parse_cpu_list("x-y").is_empty());
    }
}
