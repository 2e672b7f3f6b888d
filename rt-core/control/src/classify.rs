//! Where floats end: a source's record becomes a class, a level and a steering angle.
//!
//! It trusts nothing of what a source wrote: every field is checked on the copy, `is_finite` before
//! any comparison. It never decides a mode. Shown by: `tests/control/kernel.rs`, `tests/control/properties.rs`.

use rt_wire::{
    AcceptedCommand, Arrival, Class, Command, CommandFlags, InboxCommand, Limits, MonoNs,
    POINTS_MAX, Point, Source,
};

/// Steering in millionths of full lock.
pub(crate) const FULL_LOCK_MICRO: i32 = 1_000_000;

/// Values a little outside the range are clamped; further out they are refused.
const PLAUSIBLE_MAX: f32 = 1.05;

/// The throttle that is asked for may change by half of its range from one cycle to the next; only a
/// source that flips its sign at the loop's rate asks for more. (What is driven changes far slower.)
const THROTTLE_CHANGE_MAX: f32 = 1.0;

/// What one source's news comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) class: Class,
    /// Asks for an e-stop; honoured even in a command that is refused otherwise.
    pub(crate) estop: bool,
    /// Begins to ask to arm (teleop only).
    pub(crate) arm: bool,
    /// Asks to disarm (teleop only).
    pub(crate) disarm: bool,
    /// Teleop without the dead-man switch.
    pub(crate) dead_man_missing: bool,
}

/// Nothing new from a source.
pub(crate) const NO_NEWS: Verdict = Verdict {
    class: Class::Absent,
    estop: false,
    arm: false,
    disarm: false,
    dead_man_missing: false,
};

/// Judges what the slot of `source` brought. `accepted` is that source's last good command.
pub(crate) fn judge(
    source: Source,
    inbox: &InboxCommand,
    accepted: &AcceptedCommand,
    now: MonoNs,
    limits: &Limits,
) -> Verdict {
    match inbox.arrival.get() {
        Some(Arrival::Absent | Arrival::Torn) => return NO_NEWS,
        Some(Arrival::Corrupt) | None => {
            return Verdict { class: Class::Bad, ..NO_NEWS };
        }
        Some(Arrival::New) => {}
    }
    let command = &inbox.command;
    let flags = command.flags;
    let from_person = source == Source::Teleop;
    // Easy to stop: these count whatever else is wrong with the command.
    let estop = flags.has(CommandFlags::ESTOP);
    let disarm = from_person && flags.has(CommandFlags::DISARM);
    let known = inbox.generation == accepted.generation;
    let moves_on = !known || command.sequence > accepted.command.sequence;
    let arm = flags.has(CommandFlags::ARM);
    let may_ask = from_person || !arm;
    let plausible = is_plausible(command, age_max_ns(source, limits), now, limits)
        && !(known && flips(command, accepted, now, limits));
    if !(moves_on && may_ask && plausible) {
        return Verdict { class: Class::Bad, estop, disarm, ..NO_NEWS };
    }
    let dead_man_missing = from_person && !flags.has(CommandFlags::DEAD_MAN);
    let asks = flags.has(CommandFlags::ASKS_AUTHORITY) && !dead_man_missing;
    // A button that is held asks once: the good command just before it must have come without. After
    // a silence nobody knows since when it is held.
    let was_released = known
        && now.since(accepted.received_at) < stale_ns(source, limits)
        && !accepted.command.flags.has(CommandFlags::ARM);
    let class = if asks { Class::GoodAsking } else { Class::Good };
    Verdict {
        class,
        estop,
        arm: arm && was_released && !dead_man_missing,
        disarm,
        dead_man_missing,
    }
}

/// After this time without a good command `source` is stale; 0 for nobody.
pub(crate) fn stale_ns(source: Source, limits: &Limits) -> u64 {
    let cycles =
        source.index().and_then(|index| limits.stale_cycles.get(index)).copied().unwrap_or(0);
    u64::from(cycles).saturating_mul(limits.period_ns)
}

/// How old a command may be by its own stamp. A person's may be late by the network's buffers; that
/// of a process on the same computer is refused when its source would be stale.
pub(crate) fn age_max_ns(source: Source, limits: &Limits) -> u64 {
    if source == Source::Teleop { limits.teleop_age_max_ns } else { stale_ns(source, limits) }
}

/// Whether the throttle jumps between two commands that came in two cycles in a row.
fn flips(command: &Command, accepted: &AcceptedCommand, now: MonoNs, limits: &Limits) -> bool {
    let two_periods_ns = limits.period_ns.saturating_mul(2);
    if accepted.command.expires_at <= now || now.since(accepted.received_at) >= two_periods_ns {
        return false;
    }
    let before = asked_at(&accepted.command, now);
    // What is no number has been refused before it could be kept; if not, it is a flip.
    before
        .zip(asked_at(command, now))
        .is_none_or(|((_, before), (_, after))| (after - before).abs() > THROTTLE_CHANGE_MAX)
}

/// Times, count and values of a command, on the copy.
fn is_plausible(command: &Command, age_max_ns: u64, now: MonoNs, limits: &Limits) -> bool {
    // The command may have been written between the wake-up and the copy.
    let made = command.mono_ns <= now.plus(limits.period_ns);
    let young = now.since(command.mono_ns) <= age_max_ns;
    let valid = command.expires_at > now;
    let near = command.expires_at <= now.plus(limits.command_expiry_max_ns);
    let counted = (1..=POINTS_MAX).contains(&(command.n as usize));
    let mut earlier = None;
    let points = live_points(command).all(|point| {
        let rising = earlier.is_none_or(|offset| point.offset_us > offset);
        earlier = Some(point.offset_us);
        rising && in_range(point.steering) && in_range(point.throttle)
    });
    made && young && valid && near && counted && points
}

fn in_range(value: f32) -> bool {
    value.is_finite() && value.abs() <= PLAUSIBLE_MAX
}

fn live_points(command: &Command) -> impl Iterator<Item = &Point> {
    command.points.iter().take(command.n as usize)
}

/// A command as the kernel keeps it: subnormals flushed, and nothing in the points that do not count.
pub(crate) fn kept(command: &Command) -> Command {
    let mut kept = *command;
    kept.points = [Point::default(); POINTS_MAX];
    for (place, point) in kept.points.iter_mut().zip(live_points(command)) {
        let whole = |value: f32| flush(value).unwrap_or(0.0);
        place.offset_us = point.offset_us;
        (place.steering, place.throttle) = (whole(point.steering), whole(point.throttle));
    }
    kept
}

/// What an accepted command asks for at `now`, steering and throttle in [-1, 1]: the last point whose
/// time has come. `None` if it is no number, which means that the kernel's memory was changed.
pub(crate) fn asked_at(command: &Command, now: MonoNs) -> Option<(f32, f32)> {
    let elapsed_us = now.since(command.mono_ns) / 1000;
    let reached = live_points(command).filter(|point| u64::from(point.offset_us) <= elapsed_us);
    match reached.last() {
        Some(point) => {
            Some((flush(point.steering)?.clamp(-1.0, 1.0), flush(point.throttle)?.clamp(-1.0, 1.0)))
        }
        // Before its first point a command asks for nothing.
        None => Some((0.0, 0.0)),
    }
}

/// What may be kept or handed on: a finite number that is normal or 0. `None` for NaN and infinities.
///
/// The kernel flushes subnormals itself, so that it needs no float mode and a recording replays bit
/// for bit on every architecture.
fn flush(value: f32) -> Option<f32> {
    if !value.is_finite() {
        None
    } else if value.abs() < f32::MIN_POSITIVE {
        Some(0.0)
    } else {
        Some(value)
    }
}

/// A part in [-1, 1] as a whole number of `full`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "|part| <= 1 and full <= 1e6: the product fits and rounds to the nearest; the cast \
              saturates, and NaN becomes 0"
)]
pub(crate) fn scale(part: f32, full: i32) -> i32 {
    libm::roundf(part * full as f32) as i32
}

/// The inverse of [`scale`], for telemetry.
#[expect(clippy::cast_precision_loss, reason = "|value| <= 1e6 is exact in f32")]
pub(crate) fn unscale(value: i32, full: i32) -> f32 {
    if full == 0 { 0.0 } else { value as f32 / full as f32 }
}
