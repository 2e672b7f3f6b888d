//! The two clocks: monotonic to compare, wall clock for people. Shown by: tests/pure.rs.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use rt_wire::MonoNs;

/// The monotonic clock, as in every record.
#[must_use]
pub fn mono_now() -> MonoNs {
    // The clock exists on every Linux; were it not to, 0 is older than everything.
    let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return MonoNs(0) };
    let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec()).unwrap_or(0);
    MonoNs(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The wall clock in ms since 1970; 0 if it stands before that.
#[must_use]
pub fn unix_ms_now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

/// Release of the operating system's kernel; empty where it cannot be read.
#[must_use]
pub fn kernel_release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}
