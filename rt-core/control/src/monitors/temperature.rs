//! The computer's chip: warm, hot for too long, or critical at once.
//!
//! A reading that is no number is no reason to go on: it counts as hot.

use super::{dwell, to_milli};
use rt_wire::{Fault, FaultSet, Limits, MonoNs, Temperature, Validity};

/// Judges the temperature.
pub fn causes(
    high_since: &mut MonoNs,
    temperature: &Temperature,
    now: MonoNs,
    limits: &Limits,
) -> FaultSet {
    let known = temperature.validity.get() == Some(Validity::Valid);
    let milli_c = to_milli(temperature.celsius);
    let from = |limit: i32| known && milli_c >= i64::from(limit);
    let unknown = known && temperature.celsius.is_nan();
    let hot = unknown || from(limits.temperature_high_milli_c);
    let hot = dwell::lasts(high_since, hot, now, limits.temperature_dwell_ns);
    FaultSet::EMPTY
        .and(Fault::TemperatureWarm, unknown || from(limits.temperature_warn_milli_c))
        .and(Fault::TemperatureHigh, hot)
        .and(Fault::TemperatureCritical, from(limits.temperature_critical_milli_c))
}
