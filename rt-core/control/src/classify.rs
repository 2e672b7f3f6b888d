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
    if !(moves_on && may_ask && is_plausible(command, stale_ns(source, limits), now, limits)) {
        return Verdict { class: Class::Bad, estop, disarm, ..NO_NEWS };
    }
    let dead_man_missing = from_person && !flags.has(CommandFlags::DEAD_MAN);
    let asks = flags.has(CommandFlags::ASKS_AUTHORITY) && !dead_man_missing;
    // A button that is held asks once: the good command before it must have come without.
    let was_released = known
        && accepted.received_at != MonoNs(0)
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

fn stale_ns(source: Source, limits: &Limits) -> u64 {
    let cycles =
        source.index().and_then(|index| limits.stale_cycles.get(index)).copied().unwrap_or(0);
    u64::from(cycles).saturating_mul(limits.period_ns)
}

/// Times, count and values of a command, on the copy.
fn is_plausible(command: &Command, stale_ns: u64, now: MonoNs, limits: &Limits) -> bool {
    // The command may have been written between the wake-up and the copy.
    let made = command.mono_ns <= now.plus(limits.period_ns);
    let young = now.since(command.mono_ns) <= stale_ns;
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

/// What an accepted command asks for at `now`: the last point whose time has come.
pub(crate) fn asked_at(command: &Command, now: MonoNs) -> (f32, f32) {
    let elapsed_us = now.since(command.mono_ns) / 1000;
    let reached = live_points(command).filter(|point| u64::from(point.offset_us) <= elapsed_us);
    match reached.last() {
        Some(point) => (clamp(point.steering), clamp(point.throttle)),
        // Before its first point a command asks for nothing.
        None => (0.0, 0.0),
    }
}

fn clamp(value: f32) -> f32 {
    if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 }
}

/// A part in [-1, 1] as a whole number of `full`; anything that is no number is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "|part| <= 1 and full <= 1e6: the product fits and rounds to the nearest"
)]
pub(crate) fn scale(part: f32, full: i32) -> i32 {
    libm::roundf(clamp(part) * full as f32) as i32
}

/// The inverse of [`scale`], for telemetry.
#[expect(clippy::cast_precision_loss, reason = "|value| <= 1e6 is exact in f32")]
pub(crate) fn unscale(value: i32, full: i32) -> f32 {
    if full == 0 { 0.0 } else { value as f32 / full as f32 }
}
