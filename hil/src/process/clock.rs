//! `CLOCK_MONOTONIC`: read, and slept on to an instant.

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use rt_wire::MonoNs;

const NS_PER_S: u64 = 1_000_000_000;

pub(super) fn now() -> MonoNs {
    // It fails only for a clock that does not exist.
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap_or(TimeSpec::new(0, 0));
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    MonoNs(part(time.tv_sec()) * NS_PER_S + part(time.tv_nsec()))
}

/// Returns at `instant` or, where that has passed, at once.
pub(super) fn sleep_until(instant: MonoNs) {
    let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let request = TimeSpec::new(part(instant.0 / NS_PER_S), part(instant.0 % NS_PER_S));
    // Woken early or not, the caller looks at the clock next.
    clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &request).ok();
}
