//! Stall: throttle that should move the car, and a wheel that stands still.
//!
//! Without an encoder nothing is known and nothing trips. A wheel that cannot be shown to turn,
//! because the encoder sends garbage, counts as still. A direction that is capped below the stall
//! throttle is watched from its cap on: what may push no harder must turn the wheel there.

use super::dwell;
use super::wheel::Wheel;
use rt_wire::{Limits, MonoNs};

/// Whether the wheel has been still for too long under `level`, the throttle of the cycle before,
/// whose direction may have no more than `cap`.
pub fn is_stalled(
    stall_since: &mut MonoNs,
    level: u32,
    cap: u32,
    wheel: Wheel,
    now: MonoNs,
    limits: &Limits,
) -> bool {
    let still = match wheel {
        Wheel::Unknown => false,
        Wheel::Garbage => true,
        Wheel::MmPerS(speed) => speed <= limits.standstill_mm_per_s,
    };
    // A level of 0 never pushes, whatever the limits say.
    let pushed = level != 0 && level >= limits.stall_level.min(cap);
    dwell::lasts(stall_since, pushed && still, now, limits.stall_after_ns)
}
