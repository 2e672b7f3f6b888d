//! Rules that look back over time: each a small function over its own piece of [`Monitors`], each
//! proved alone. Their bits are OR-ed into e-stop, fatal or degraded, with the cause beside them.
//!
//! None reads a clock: `now` comes in. None decides a mode: that is the machine's. Shown by:
//! `tests/control/monitors.rs`.

use rt_wire::{
    Fault, FaultSet, HousekeepingFlags, Inbox, LATE_WINDOW_CYCLES, Limits, LimitsFlags, LineSet,
    Monitors, MonoNs, Observation, Release, Validity,
};

/// Marks `since` while `on` holds, and says whether it has held for `dwell_ns`.
fn dwelt(since: &mut MonoNs, on: bool, now: MonoNs, dwell_ns: u64) -> bool {
    if !on {
        *since = MonoNs(0);
        return false;
    }
    if *since == MonoNs(0) {
        // Time 0 means "not"; an observation at 0 begins a nanosecond late.
        *since = MonoNs(now.0.max(1));
    }
    now.since(*since) >= dwell_ns
}

/// Whether this cycle is a late event: it woke late, or the cycle before ran for too long.
pub(crate) fn is_late(release: &Release, limits: &Limits) -> bool {
    let wakeup_latency_ns = release.woke_at.since(release.release_time);
    let execution_time_ns = release.previous_finished_at.since(release.previous_woke_at);
    wakeup_latency_ns > limits.late_after_ns || execution_time_ns > limits.late_after_ns
}

/// Counts late events over the last [`LATE_WINDOW_CYCLES`] cycles; true when there are too many.
pub(crate) fn too_many_late(monitors: &mut Monitors, late: bool, limits: &Limits) -> bool {
    let mut carry = u64::from(late);
    for word in &mut monitors.late_window {
        let out = *word >> 63;
        *word = (*word << 1) | carry;
        carry = out;
    }
    // Bit 1000, counted from the newest, has just left the window.
    let (word, bit) = ((LATE_WINDOW_CYCLES / 64) as usize, LATE_WINDOW_CYCLES % 64);
    let left = monitors.late_window.get(word).is_some_and(|w| w.wrapping_shr(bit) & 1 != 0);
    monitors.late_count =
        monitors.late_count.saturating_add(u32::from(late)).saturating_sub(u32::from(left));
    monitors.late_count >= limits.late_per_1000
}

/// The e-stop loop: open, unreadable, or two channels that disagree for too long.
///
/// Before the self-test has passed (`testing`) lines that have not spoken yet are not an e-stop:
/// nothing can move, and the self-test waits for them.
pub(crate) fn estop_lines(
    monitors: &mut Monitors,
    observation: &Observation,
    testing: bool,
    now: MonoNs,
    limits: &Limits,
) -> FaultSet {
    let lines = observation.lines;
    let readable = lines.validity.get() == Some(Validity::Valid);
    let awaited = testing && lines.validity.get() == Some(Validity::Absent);
    let a_open = lines.set.has(LineSet::ESTOP_A_OPEN);
    let two = limits.flags.has(LimitsFlags::ESTOP_TWO_CHANNELS);
    let b_open = if two { lines.set.has(LineSet::ESTOP_B_OPEN) } else { a_open };
    let disagree = dwelt(
        &mut monitors.discrepancy_since,
        readable && a_open != b_open,
        now,
        limits.estop_discrepancy_ns,
    );
    FaultSet::EMPTY
        .and(Fault::EstopLine, !awaited && (!readable || a_open || b_open))
        .and(Fault::EstopDiscrepancy, disagree)
}

/// The reset button: true for the one cycle in which a press of the right length ends.
pub(crate) fn reset_pulse(
    monitors: &mut Monitors,
    observation: &Observation,
    now: MonoNs,
    limits: &Limits,
) -> bool {
    let lines = observation.lines;
    if lines.validity.get() != Some(Validity::Valid) {
        // Nobody saw such a press begin: as from power-up, it must first be released.
        monitors.reset_pressed_since = MonoNs(u64::MAX);
        return false;
    }
    let since = monitors.reset_pressed_since;
    if lines.set.has(LineSet::RESET_PRESSED) {
        if since == MonoNs(0) {
            monitors.reset_pressed_since = MonoNs(now.0.max(1));
        }
        return false;
    }
    monitors.reset_pressed_since = MonoNs(0);
    let held_ns = now.since(since);
    // A press that never began, and one that was there from power-up, are no press.
    since != MonoNs(0)
        && since != MonoNs(u64::MAX)
        && held_ns >= limits.reset_press_min_ns
        && held_ns <= limits.reset_press_max_ns
}

/// Battery, temperature, supply, IMU: what wears out or overheats.
pub(crate) fn health(
    monitors: &mut Monitors,
    observation: &Observation,
    now: MonoNs,
    limits: &Limits,
) -> FaultSet {
    let battery = observation.battery;
    let battery_known = battery.validity.get() == Some(Validity::Valid);
    let millivolts = to_milli(battery.volts);
    let low = battery_known && millivolts < i64::from(limits.battery_low_mv);
    let critical = battery_known && millivolts < i64::from(limits.battery_critical_mv);

    let temperature = observation.temperature;
    let temperature_known = temperature.validity.get() == Some(Validity::Valid);
    let milli_c = to_milli(temperature.celsius);
    // A reading that is no number is no reason to go on.
    let unknown = temperature.celsius.is_nan();
    let hot =
        temperature_known && (unknown || milli_c >= i64::from(limits.temperature_high_milli_c));
    let scorching = temperature_known && milli_c >= i64::from(limits.temperature_critical_milli_c);

    let power = observation.power;
    let starved = power.validity.get() == Some(Validity::Valid) && power.throttled & 1 != 0;

    let imu = observation.imu;
    let imu_known = imu.validity.get() == Some(Validity::Valid);
    let limit = i64::from(limits.imu_max_mm_per_s2);
    let outlier = imu_known
        && imu
            .accel_m_per_s2
            .iter()
            .any(|axis| !axis.is_finite() || to_milli(*axis).saturating_abs() > limit);

    FaultSet::EMPTY
        .and(
            Fault::BatteryLow,
            dwelt(&mut monitors.battery_low_since, low, now, limits.battery_dwell_ns),
        )
        .and(Fault::BatteryCritical, critical)
        .and(
            Fault::TemperatureHigh,
            dwelt(&mut monitors.temperature_high_since, hot, now, limits.temperature_dwell_ns),
        )
        .and(Fault::TemperatureCritical, scorching)
        .and(
            Fault::Undervoltage,
            dwelt(&mut monitors.undervoltage_since, starved, now, limits.undervoltage_dwell_ns),
        )
        .and(Fault::ImuOutlier, outlier)
}

/// The actuators: pulses that could not be written, a relay that does not obey.
pub(crate) fn actuators(
    monitors: &mut Monitors,
    observation: &Observation,
    relay_commanded: bool,
    now: MonoNs,
    limits: &Limits,
) -> FaultSet {
    let set = observation.lines.set;
    // Lines that cannot be read are an e-stop; what they said last says nothing of the relay.
    let readable = observation.lines.validity.get() == Some(Validity::Valid);
    let disobeys = readable
        && set.has(LineSet::RELAY_FEEDBACK_FITTED)
        && set.has(LineSet::RELAY_CLOSED) != relay_commanded;
    FaultSet::EMPTY.and(Fault::DriveWrite, observation.drive_error_count >= 2).and(
        Fault::RelayFeedback,
        dwelt(&mut monitors.relay_mismatch_since, disobeys, now, limits.relay_feedback_ns),
    )
}

/// What housekeeping found.
pub(crate) fn housekeeping(inbox: &Inbox) -> FaultSet {
    let word = inbox.housekeeping;
    FaultSet::EMPTY
        .and(Fault::MajorPageFault, word.major_faults > 0)
        .and(Fault::ConfigCorrupt, word.flags.has(HousekeepingFlags::CONFIG_CORRUPT))
        .and(Fault::CanaryChanged, word.flags.has(HousekeepingFlags::CANARY_CHANGED))
        .and(Fault::Shutdown, word.flags.has(HousekeepingFlags::SHUTDOWN))
}

/// Remembers the owner's implausible commands; true when the third falls within a second.
pub(crate) fn too_many_bad(monitors: &mut Monitors, bad: bool, now: MonoNs) -> bool {
    const WINDOW_NS: u64 = 1_000_000_000;
    if bad {
        let [_, second, third] = monitors.bad_at;
        monitors.bad_at = [second, third, MonoNs(now.0.max(1))];
    }
    let [oldest, _, newest] = monitors.bad_at;
    // The stop must outlast the cycle of the third, so that it blocks arming for a while too.
    oldest != MonoNs(0) && newest.since(oldest) <= WINDOW_NS && now.since(newest) <= WINDOW_NS
}

/// Thousandths of a reading as an integer; a reading that is no number is as low as can be, so that
/// a battery of NaN volts is empty.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, for infinities too, which is what a threshold wants"
)]
fn to_milli(value: f32) -> i64 {
    if value.is_nan() { i64::MIN } else { (f64::from(value) * 1000.0) as i64 }
}
