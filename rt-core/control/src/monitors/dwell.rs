//! A condition that must last before it counts.
//!
//! Its memory is the instant at which the condition began; one cycle without it begins anew, so that
//! short dips never add up.

use rt_wire::MonoNs;

/// Marks in `since` when `on` began, and says whether it has lasted for `dwell_ns`.
pub fn lasts(since: &mut MonoNs, on: bool, now: MonoNs, dwell_ns: u64) -> bool {
    if !on {
        *since = MonoNs(0);
        return false;
    }
    if *since == MonoNs(0) {
        // Time 0 means "not": a condition that begins at 0 begins a nanosecond late.
        *since = MonoNs(now.0.max(1));
    }
    now.since(*since) >= dwell_ns
}
