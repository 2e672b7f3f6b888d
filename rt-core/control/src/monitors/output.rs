//! The actuators: pulses that could not be written, a relay that does not obey.

use super::dwell;
use rt_wire::{Fault, FaultSet, Limits, LineSet, Lines, MonoNs, Observation, Validity};

/// Failures to write the pulses, one after the other, that are a fault.
const WRITES_FAILED_MAX: u32 = 2;

/// Whether servo and ESC cannot be reached. It has no memory: the board counts.
#[must_use]
pub fn cannot_write(observation: &Observation) -> bool {
    observation.drive_error_count >= WRITES_FAILED_MAX
}

/// Judges the relay's feedback contact against what was commanded in the cycle before.
pub fn relay(
    mismatch_since: &mut MonoNs,
    lines: &Lines,
    commanded: bool,
    now: MonoNs,
    limits: &Limits,
) -> FaultSet {
    // Lines that cannot be read are an e-stop; what they said last says nothing of the relay.
    let readable = lines.validity.get() == Some(Validity::Valid);
    let disobeys = readable
        && lines.set.has(LineSet::RELAY_FEEDBACK_FITTED)
        && lines.set.has(LineSet::RELAY_CLOSED) != commanded;
    let broken = dwell::lasts(mismatch_since, disobeys, now, limits.relay_feedback_ns);
    FaultSet::EMPTY.and(Fault::RelayFeedback, broken)
}
