//! Makes a level and a steering angle admissible, and maps them to pulses. Integers only.
//!
//! The machine owns the throttle's slew; this module owns direction, steering slew, what steering
//! does in a stop, and the calibration. It must never widen a limit. Shown by:
//! `tests/control/properties.rs`.

use crate::classify::FULL_LOCK_MICRO;
use rt_wire::{Limits, LimitsFlags, Microseconds, Mode, Rule, RuleSet};

pub(crate) const fn rule(rule: Rule) -> RuleSet {
    RuleSet(1_u32.wrapping_shl(rule as u32))
}

/// What the owner's throttle comes to: a level, its direction, and the rules that changed it.
pub(crate) struct Target {
    pub(crate) level: i16,
    pub(crate) reverse: bool,
    pub(crate) rules: RuleSet,
}

/// The level that a direction may have.
pub(crate) fn cap(reverse: bool, limits: &Limits) -> u32 {
    let cap = if reverse { limits.level_reverse_max } else { limits.level_forward_max };
    cap.min(limits.level_max)
}

/// Caps the asked throttle (in levels, negative for reverse) and lets the direction change only at
/// neutral.
pub(crate) fn target(
    asked_levels: i32,
    level_now: i16,
    reverse_now: bool,
    limits: &Limits,
) -> Target {
    let reverse = asked_levels.is_negative();
    let asked = asked_levels.unsigned_abs();
    let level = asked.min(cap(reverse, limits));
    let mut rules = RuleSet::EMPTY.with(rule(Rule::ThrottleCap), level < asked);
    if level_now != 0 && level != 0 && reverse != reverse_now {
        rules |= rule(Rule::DirectionAtNeutral);
        return Target { level: 0, reverse: reverse_now, rules };
    }
    let reverse = if level == 0 { reverse_now } else { reverse };
    Target { level: i16::try_from(level).unwrap_or(i16::MAX), reverse, rules }
}

/// Steering of the next cycle, in millionths of full lock. A goal beyond full lock is held there.
/// `rested` says that the output has been neutral for long.
pub(crate) fn steering(
    mode: Mode,
    held_late: bool,
    now_micro: i32,
    asked_micro: i32,
    rested: bool,
    limits: &Limits,
) -> (i32, RuleSet) {
    let (goal, mut rules) = if held_late {
        // A late event holds the whole output, not only the throttle.
        (now_micro, RuleSet::EMPTY)
    } else if mode == Mode::Active {
        (asked_micro, RuleSet::EMPTY)
    } else if rested {
        (0, rule(Rule::SteeringCentred))
    } else {
        // A jump to the centre at speed can roll the car: hold until it has been neutral for long.
        (now_micro, rule(Rule::SteeringHeld))
    };
    let goal = goal.clamp(-FULL_LOCK_MICRO, FULL_LOCK_MICRO);
    let slew = i32::try_from(limits.steering_slew_micro_per_cycle).unwrap_or(i32::MAX);
    // Never `clamp`: it panics on bounds out of order, which no optimiser sees to be in order here.
    let moved = goal.max(now_micro.saturating_sub(slew)).min(now_micro.saturating_add(slew));
    if moved != goal {
        rules |= rule(Rule::SteeringSlew);
    }
    (moved, rules)
}

/// Pulse of the steering servo.
pub(crate) fn steering_pulse(micro: i32, limits: &Limits) -> Microseconds {
    let micro = if limits.flags.has(LimitsFlags::STEERING_REVERSED) {
        micro.saturating_neg()
    } else {
        micro
    };
    pulse(
        micro,
        FULL_LOCK_MICRO,
        [limits.steering_min, limits.steering_neutral, limits.steering_max],
    )
}

/// Pulse of the ESC for a level and a direction.
pub(crate) fn throttle_pulse(level: i16, reverse: bool, limits: &Limits) -> Microseconds {
    let full = i32::try_from(limits.level_max).unwrap_or(i32::MAX);
    let backwards = reverse != limits.flags.has(LimitsFlags::THROTTLE_REVERSED);
    let level = i32::from(level);
    pulse(
        if backwards { level.saturating_neg() } else { level },
        full,
        [limits.throttle_min, limits.throttle_neutral, limits.throttle_max],
    )
}

/// Linear between neutral and the end of travel that the sign names; never outside.
fn pulse(part: i32, full: i32, [min, neutral, max]: [Microseconds; 3]) -> Microseconds {
    let neutral = i64::from(neutral.0);
    let end = i64::from(if part.is_negative() { min.0 } else { max.0 });
    let full = i64::from(full);
    let part = i64::from(part.saturating_abs()).min(full);
    // |end - neutral| <= 65535 and part <= 2^31: the product fits. Parts of nothing are nothing.
    let reach = end.saturating_sub(neutral).saturating_mul(part).checked_div(full).unwrap_or(0);
    let width = neutral.saturating_add(reach);
    Microseconds(u16::try_from(width).unwrap_or(0))
}
