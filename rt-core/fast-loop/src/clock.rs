//! `CLOCK_MONOTONIC`, and a sleep on it. The one place where the fast loop reads a clock.

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use rt_wire::MonoNs;

/// Now. Read through the vDSO: no system call.
#[must_use]
pub fn now() -> MonoNs {
    // It fails only for a clock that does not exist.
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap_or(TimeSpec::new(0, 0));
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec()).unwrap_or(0);
    MonoNs(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}

/// Sleeps until `instant`, or not at all if it has passed. A signal ends the sleep early; the loop
/// thread blocks them all, and a cycle that starts early spins until its release anyway.
pub fn sleep_until(instant: MonoNs) {
    let seconds = i64::try_from(instant.0 / 1_000_000_000).unwrap_or(i64::MAX);
    let nanoseconds = i64::try_from(instant.0 % 1_000_000_000).unwrap_or(0);
    let request = TimeSpec::new(seconds, nanoseconds);
    let flags = ClockNanosleepFlags::TIMER_ABSTIME;
    // Woken early or not, the caller looks at the clock next.
    clock_nanosleep(ClockId::CLOCK_MONOTONIC, flags, &request).ok();
}
