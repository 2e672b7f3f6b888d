//! The loop thread's counters as the kernel keeps them: faults and context switches.
//!
//! The housekeeping thread reads them from outside, from the seal (the loop thread waits at the gate)
//! to the end (it is parked), so that the loop makes no system call for it.

use std::fs;
use std::io;

/// Counters of one thread since it began, or differences of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Page faults without I/O.
    pub minor_faults: u64,
    /// Page faults with I/O.
    pub major_faults: u64,
    /// Times it gave up the core: one a sleep.
    pub voluntary_switches: u64,
    /// Times the core was taken away.
    pub involuntary_switches: u64,
}

impl Counters {
    /// Of thread `tid` of this process, from /proc.
    ///
    /// # Errors
    /// The thread has gone, or /proc cannot be read.
    pub fn of_thread(tid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/self/task/{tid}/status"))?;
        Self::parse(&stat, &status).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The name in parentheses may hold anything, so count from its end (proc(5): 3 = state).
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let minor_faults = fields.nth(7)?.parse().ok()?;
        let major_faults = fields.nth(1)?.parse().ok()?;
        let switches =
            |key: &str| status.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
        Some(Self {
            minor_faults,
            major_faults,
            voluntary_switches: switches("voluntary_ctxt_switches:")?,
            involuntary_switches: switches("nonvoluntary_ctxt_switches:")?,
        })
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            minor_faults: self.minor_faults.saturating_sub(earlier.minor_faults),
            major_faults: self.major_faults.saturating_sub(earlier.major_faults),
            voluntary_switches: self.voluntary_switches.saturating_sub(earlier.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_sub(earlier.involuntary_switches),
        }
    }
}

/// Resident memory of this process in bytes; 0 if /proc is not there.
#[must_use]
pub fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    pages * page.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_past_a_thread_name_with_parentheses_and_spaces() {
        let stat = "12 (a) b) S 1 12 12 0 -1 4194560 345 0 7 0 1 2 0 0 20 0";
        let status =
            "Name:\ta) b\nvoluntary_ctxt_switches:\t1000\nnonvoluntary_ctxt_switches:\t3\n";
        let expected = Counters {
            minor_faults: 345,
            major_faults: 7,
            voluntary_switches: 1000,
            involuntary_switches: 3,
        };
        assert_eq!(Counters::parse(stat, status), Some(expected));
    }

    #[test]
    fn page_that_a_thread_touches_for_the_first_time_is_counted_as_its_own() {
        let tid = u32::try_from(nix::unistd::gettid().as_raw()).expect("a tid is positive");
        let before = Counters::of_thread(tid).expect("this thread lives");
        // Larger than what the allocator keeps: fresh pages of the kernel.
        let mut pages = vec![0_u8; 64 << 20];
        pages.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        std::hint::black_box(&mut pages);
        let after = Counters::of_thread(tid).expect("this thread lives");
        // Huge pages are 2 MiB.
        assert!(after.since(before).minor_faults >= 16, "{:?}", after.since(before));
    }

    #[test]
    fn thread_that_has_gone_has_no_counters() {
        assert!(Counters::of_thread(u32::MAX).is_err());
    }
}
