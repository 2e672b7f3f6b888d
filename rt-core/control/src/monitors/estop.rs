//! The e-stop loop: open, unreadable, or two channels that disagree for too long.
//!
//! One open channel is an e-stop in its own cycle; a disagreement that lasts says besides that a
//! contact or a wire is bad. Before the self-test has passed, lines that have not spoken yet are no
//! e-stop: nothing can move, and the self-test waits for them.

use super::dwell;
use rt_wire::{Fault, FaultSet, Limits, LimitsFlags, LineSet, Lines, MonoNs, Validity};

/// Judges the lines; `testing` in Boot and SelfTest.
pub fn causes(
    discrepancy_since: &mut MonoNs,
    lines: &Lines,
    testing: bool,
    now: MonoNs,
    limits: &Limits,
) -> FaultSet {
    let readable = lines.validity.get() == Some(Validity::Valid);
    let awaited = testing && lines.validity.get() == Some(Validity::Absent);
    let a_open = lines.set.has(LineSet::ESTOP_A_OPEN);
    let two = limits.flags.has(LimitsFlags::ESTOP_TWO_CHANNELS);
    let b_open = if two { lines.set.has(LineSet::ESTOP_B_OPEN) } else { a_open };
    let disagree = readable && a_open != b_open;
    let broken = dwell::lasts(discrepancy_since, disagree, now, limits.estop_discrepancy_ns);
    FaultSet::EMPTY
        .and(Fault::EstopLine, !awaited && (!readable || a_open || b_open))
        .and(Fault::EstopDiscrepancy, broken)
}
