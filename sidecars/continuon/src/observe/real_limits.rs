//! How often the limits of a real board would have tripped, judged from the record alone.
//!
//! The simulated board may be looser than a real one, because a virtual machine stalls for
//! milliseconds; then the report must say what a real board would have done. The numbers are those
//! of safety.md 1.8. This module never asks the kernel that was judged. Shown by: the tests below.

use rt_wire::{Mode, Telemetry};
use serde::Serialize;

/// A wake-up or an execution longer than this share of the period is a late event.
const LATE_SHARE: u64 = 2;
/// Late events in a row that trip the overload.
const IN_A_ROW: u32 = 2;
/// Late events within [`WINDOW_CYCLES`] that trip the overload.
const WITHIN_WINDOW: usize = 5;
/// Cycles that the loop looks back.
const WINDOW_CYCLES: u64 = 1000;
/// The motor relay's pump drops out when its pin stands still for this long.
const PUMP_DROP_OUT_NS: u64 = 30_000_000;
/// A wake-up or an execution longer than this trips the e-stop.
const GROSS_NS: u64 = 20_000_000;

/// What a real board would have counted and done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RealLimits {
    /// Wake-ups or executions longer than half the period.
    pub late_event_count: u64,
    /// Controlled stops: 2 late events in a row, or 5 within 1000 cycles.
    pub overload_trip_count: u64,
    /// E-stops: a wake-up more than 20 ms late, or a cycle that ran for longer.
    pub estop_trip_count: u64,
    /// Stalls of more than 30 ms with the relay on: the pump's hardware cuts motor power by itself.
    pub power_cut_count: u64,
    /// How many of both kinds of trips came while the motor relay was on.
    pub trips_while_driving: u64,
    #[serde(skip)]
    in_a_row: u32,
    #[serde(skip)]
    recent: Vec<u64>,
}

impl RealLimits {
    /// Counts one cycle. `previous_execution_ns` is known only now that the next cycle has begun.
    pub fn judge(&mut self, record: &Telemetry, period_ns: u64, previous_execution_ns: u64) {
        let relay_on = record.outcome.previous_mode.get().is_some_and(Mode::relay_allowed);
        let driven_at = record.release.previous_driven_at;
        let stood_still_ns = record.release.woke_at.since(driven_at);
        if relay_on && driven_at.0 > 0 && stood_still_ns > PUMP_DROP_OUT_NS {
            self.power_cut_count += 1;
        }
        let latency_ns = record.release.woke_at.since(record.release.release_time);
        let late_ns = latency_ns.max(previous_execution_ns);
        if late_ns <= period_ns / LATE_SHARE {
            self.in_a_row = 0;
            return;
        }
        self.late_event_count += 1;
        self.in_a_row += 1;
        let cycle = record.cycle_index;
        self.recent.retain(|late| cycle.saturating_sub(*late) < WINDOW_CYCLES);
        self.recent.push(cycle);

        if late_ns > GROSS_NS {
            self.estop_trip_count += 1;
        } else if self.in_a_row >= IN_A_ROW || self.recent.len() >= WITHIN_WINDOW {
            self.overload_trip_count += 1;
        } else {
            return;
        }
        let driving = record.outcome.mode.get().is_some_and(Mode::relay_allowed);
        self.trips_while_driving += u64::from(driving);
        // The car would have stopped here; whoever arms it again starts with a clean count.
        self.in_a_row = 0;
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::RealLimits;
    use rt_wire::{Mode, MonoNs, Telemetry};

    const PERIOD_NS: u64 = 1_000_000;

    /// A cycle that woke `latency_us` after its release.
    fn cycle(cycle_index: u64, latency_us: u64) -> Telemetry {
        let mut record = Telemetry { cycle_index, ..Telemetry::default() };
        record.release.release_time = MonoNs(cycle_index * PERIOD_NS);
        record.release.woke_at = MonoNs(cycle_index * PERIOD_NS + latency_us * 1000);
        record.outcome.mode = Mode::Active.into();
        record
    }

    fn judged(cycles: impl IntoIterator<Item = (u64, u64)>) -> RealLimits {
        let mut limits = RealLimits::default();
        for (index, latency_us) in cycles {
            limits.judge(&cycle(index, latency_us), PERIOD_NS, 10_000);
        }
        limits
    }

    #[test]
    fn half_a_period_is_still_on_time_and_a_microsecond_more_is_late() {
        assert_eq!(judged([(1, 500)]).late_event_count, 0);
        assert_eq!(judged([(1, 501)]).late_event_count, 1);
        assert_eq!(judged([(1, 501)]).overload_trip_count, 0);
    }

    #[test]
    fn two_late_cycles_in_a_row_trip_the_overload_once() {
        let limits = judged([(1, 600), (2, 600), (3, 10)]);
        assert_eq!((limits.late_event_count, limits.overload_trip_count), (2, 1));
        assert_eq!(limits.trips_while_driving, 1);
        assert_eq!(judged([(1, 600), (2, 10), (3, 600)]).overload_trip_count, 0);
    }

    #[test]
    fn five_late_cycles_within_a_thousand_trip_and_five_within_more_do_not() {
        let dense = (0..5).flat_map(|n| [(n * 200, 600), (n * 200 + 1, 10)]);
        assert_eq!(judged(dense).overload_trip_count, 1);
        let sparse = (0..5).flat_map(|n| [(n * 250, 600), (n * 250 + 1, 10)]);
        assert_eq!(judged(sparse).overload_trip_count, 0);
    }

    #[test]
    fn a_wake_up_beyond_twenty_milliseconds_is_an_estop_and_not_an_overload() {
        let limits = judged([(1, 20_001)]);
        assert_eq!((limits.estop_trip_count, limits.overload_trip_count), (1, 0));
        assert_eq!(judged([(1, 20_000)]).estop_trip_count, 0);
    }

    #[test]
    fn a_long_execution_counts_in_the_cycle_that_learns_of_it() {
        let mut limits = RealLimits::default();
        limits.judge(&cycle(1, 5), PERIOD_NS, 501_000);
        assert_eq!((limits.late_event_count, limits.estop_trip_count), (1, 0));
        limits.judge(&cycle(2, 5), PERIOD_NS, 20_000_001);
        assert_eq!((limits.late_event_count, limits.estop_trip_count), (2, 1));
    }

    #[test]
    fn a_stall_beyond_the_pumps_drop_out_cuts_power_only_while_the_relay_is_on() {
        for (mode, cuts) in [(Mode::Active, 1), (Mode::Disarmed, 0)] {
            let mut record = cycle(100, 31_000);
            record.outcome.previous_mode = mode.into();
            record.release.previous_driven_at = MonoNs(100 * PERIOD_NS);
            let mut limits = RealLimits::default();
            limits.judge(&record, PERIOD_NS, 0);
            assert_eq!(limits.power_cut_count, cuts, "{mode}");
            record.release.woke_at = MonoNs(100 * PERIOD_NS + 30_000_000);
            limits.judge(&record, PERIOD_NS, 0);
            assert_eq!(limits.power_cut_count, cuts, "30 ms are not more than 30 ms");
        }
    }
}
