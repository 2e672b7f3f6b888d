//! The drive battery: a warning, low for too long, or critical at once.
//!
//! A car without a sensor for it drives; a reading that is no number is an empty battery.

use super::{dwell, to_milli};
use rt_wire::{Battery, Fault, FaultSet, Limits, MonoNs, Validity};

/// Judges the voltage.
pub fn causes(low_since: &mut MonoNs, battery: &Battery, now: MonoNs, limits: &Limits) -> FaultSet {
    let known = battery.validity.get() == Some(Validity::Valid);
    let millivolts = to_milli(battery.volts);
    let below = |limit: u32| known && millivolts < i64::from(limit);
    let low = dwell::lasts(low_since, below(limits.battery_low_mv), now, limits.battery_dwell_ns);
    FaultSet::EMPTY
        .and(Fault::BatteryWarn, below(limits.battery_warn_mv))
        .and(Fault::BatteryLow, low)
        .and(Fault::BatteryCritical, below(limits.battery_critical_mv))
}
