//! The computer's supply, as its firmware tells of it.
//!
//! What was, since boot, is a warning; undervoltage that lasts is a stop.

use super::dwell;
use rt_wire::{Fault, FaultSet, Limits, MonoNs, Power, Validity};

/// Undervoltage now.
const NOW: u32 = 1;
/// Undervoltage, capping, throttling or a soft temperature limit at some time since boot.
const SINCE_BOOT: u32 = 0xf_0000;

/// Judges the firmware's word.
pub fn causes(low_since: &mut MonoNs, power: &Power, now: MonoNs, limits: &Limits) -> FaultSet {
    let known = power.validity.get() == Some(Validity::Valid);
    let has = |bits: u32| known && power.throttled & bits != 0;
    let starved = dwell::lasts(low_since, has(NOW), now, limits.undervoltage_dwell_ns);
    FaultSet::EMPTY.and(Fault::Undervoltage, starved).and(Fault::UndervoltageSeen, has(SINCE_BOOT))
}
