//! Runaway: the output is neutral and the wheel does not slow down as it must, or goes faster. Then
//! the relay is the only actuator that is left, so this is an e-stop.
//!
//! ```text
//!  speed
//!    |\\ \  .  .  .  .  .  .  . margin
//!    | \ \\_______  measured: follows, then stays above the margin
//!    |  \  \            |<--- runaway_after --->| trips
//!    |   \  \ envelope: falls by coast_down_min; each lower speed begins it anew
//!    +-----\--\----------------------------------- time since the output became neutral
//! ```
//!
//! Watched while the relay is on, and on from there until the wheel has first come to rest: so a
//! welded relay is found, and a car that somebody pushes about in Disarmed is not. Without an encoder
//! nothing is known and nothing trips. A descent steeper than the calibrated coast-down allows for
//! trips too: there the car does run away.

use super::dwell;
use super::wheel::Wheel;
use rt_wire::{CoastDown, Limits, MonoNs};

/// Whether the wheel has been above its coast-down for too long. `relay` and `driven` tell of the
/// cycle before: the motor relay, and a throttle that was not neutral.
pub fn is_running_away(
    memory: &mut CoastDown,
    relay: bool,
    driven: bool,
    wheel: Wheel,
    now: MonoNs,
    limits: &Limits,
) -> bool {
    if relay {
        memory.watched = 1;
    } else if matches!(wheel, Wheel::MmPerS(speed) if speed <= limits.standstill_mm_per_s) {
        memory.watched = 0;
    }
    if memory.watched == 0 || driven {
        *memory = CoastDown { watched: memory.watched, ..CoastDown::default() };
        return false;
    }
    let above = match wheel {
        Wheel::Unknown => false,
        Wheel::Garbage => true,
        Wheel::MmPerS(speed) => is_above(memory, speed, now, limits),
    };
    dwell::lasts(&mut memory.above_since, above, now, limits.runaway_after_ns)
}

/// Whether `speed` is above the coast-down by more than the margin; a lower one begins it anew.
fn is_above(memory: &mut CoastDown, speed: u32, now: MonoNs, limits: &Limits) -> bool {
    const NS_PER_S: u64 = 1_000_000_000;
    let envelope = if memory.at == MonoNs(0) {
        u32::MAX
    } else {
        let deceleration = u64::from(limits.coast_down_min_mm_per_s2);
        let fall = now.since(memory.at).saturating_mul(deceleration) / NS_PER_S;
        memory.mm_per_s.saturating_sub(u32::try_from(fall).unwrap_or(u32::MAX))
    };
    if speed < envelope || memory.at == MonoNs(0) {
        memory.mm_per_s = speed;
        memory.at = MonoNs(now.0.max(1));
    }
    speed > envelope.saturating_add(limits.runaway_margin_mm_per_s)
}
