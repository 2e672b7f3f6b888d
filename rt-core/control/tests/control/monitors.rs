//! The monitors: each alone over all its inputs (the modules), and then through a whole kernel: when
//! it trips, when not yet, and what follows.

mod coast;
mod readings;
mod sequences;

use crate::support::{Dice, MS, Rig, is_dead, limits};
use rt_control::monitors::late;
use rt_wire::{
    Fault, LATE_WINDOW_CYCLES, LimitsFlags, LineSet, Mode, MonoNs, OperatorKind, Power, PulseFlags,
    Raw, Release, Rule, Source, Validity,
};
use std::collections::VecDeque;

const PILOT: Source = Source::Pilot;

/// Drives on until the pilot's car stops; how many cycles that took, and the cause.
fn cycles_until_stop(rig: &mut Rig, fault: Fault) -> u32 {
    for cycle in 1..10_000 {
        let outcome = rig.drive(PILOT, 0.0, 0.0, 1);
        if outcome.mode.get() != Some(Mode::Active) {
            assert!(outcome.causes.contains(fault), "{:?}", outcome.causes);
            return cycle;
        }
    }
    panic!("{fault:?} never stopped the car");
}

// Late events.

#[test]
fn a_gross_stall_is_an_estop_in_its_own_cycle() {
    for (late_ms, stops) in [(250, false), (251, true)] {
        let mut rig = Rig::active(PILOT);
        rig.drive(PILOT, 0.0, 0.5, 100);
        rig.send(PILOT, 0.0, 0.5);
        let outcome = rig.cycle_after(late_ms * MS);
        assert_eq!(outcome.late, 1);
        assert_eq!(outcome.causes.contains(Fault::LateGross), stops);
        assert_eq!(outcome.mode.get() == Some(Mode::EStopLatched), stops);
        assert_eq!(is_dead(&outcome, rig.kernel.limits()), stops);
    }
}

#[test]
fn a_cycle_is_late_by_its_wake_up_or_by_the_run_of_the_one_before() {
    let mut rig = Rig::active(PILOT);
    assert_eq!(rig.cycle_after(5 * MS).late, 0);
    assert_eq!(rig.cycle_after(5 * MS + 1).late, 1);
    rig.overran = true;
    assert_eq!(rig.cycle().late, 1);
    rig.overran = false;
    assert_eq!(rig.cycle().late, 0);
}

/// What the late monitor says of a wake-up latency and of the execution time of the cycle before.
fn held_up(latency_ns: u64, execution_ns: u64) -> (bool, bool) {
    let release = Release {
        release_time: MonoNs(900 * MS),
        woke_at: MonoNs(900 * MS + latency_ns),
        previous_woke_at: MonoNs(100 * MS),
        previous_finished_at: MonoNs(100 * MS + execution_ns),
        ..Release::default()
    };
    (late::is_late(&release, &limits()), late::is_gross(&release, &limits()))
}

#[test]
fn a_stall_counts_alike_whether_it_falls_into_a_sleep_or_into_a_cycle() {
    for (held_up_ns, expected) in [
        (5 * MS, (false, false)),
        (5 * MS + 1, (true, false)),
        (250 * MS, (true, false)),
        (250 * MS + 1, (true, true)),
    ] {
        assert_eq!(held_up(held_up_ns, 0), expected, "{held_up_ns} ns asleep");
        assert_eq!(held_up(0, held_up_ns), expected, "{held_up_ns} ns in the cycle before");
        assert_eq!(held_up(held_up_ns, held_up_ns), expected, "{held_up_ns} ns each");
    }
    // The two are of different cycles: they do not add up.
    assert_eq!(held_up(200 * MS, 200 * MS), (true, false));
}

#[test]
fn one_late_cycle_holds_throttle_and_steering() {
    let mut rig = Rig::active(PILOT);
    rig.drive(PILOT, 0.5, 0.5, 20);
    rig.overran = true;
    let held = rig.drive(PILOT, 0.5, 0.5, 1);
    assert_eq!((held.level, held.mode.get()), (20, Some(Mode::Active)));
    assert_eq!(held.setpoint.steering, 0.2);
    assert!(held.rules.0 >> Rule::HeldLate as u32 & 1 != 0);
    assert!(held.causes.contains(Fault::LateEvent) && !held.causes.stops());
    rig.overran = false;
    assert_eq!(rig.drive(PILOT, 0.0, 0.5, 1).level, 21);
}

#[test]
fn late_cycles_in_a_row_stop_the_car_and_rest_the_pump() {
    let mut rig = Rig::active(PILOT);
    rig.drive(PILOT, 0.0, 0.5, 100);
    rig.overran = true;
    assert_eq!(rig.drive(PILOT, 0.0, 0.5, 19).mode.get(), Some(Mode::Active));
    let stops = rig.drive(PILOT, 0.0, 0.5, 1);
    assert_eq!(stops.mode.get(), Some(Mode::SafeStop));
    assert!(stops.causes.contains(Fault::Overload));
    assert_eq!(stops.pulses.flags, PulseFlags::RELAY);
    rig.overran = false;
    assert_eq!(rig.cycle().pulses.flags, PulseFlags::RELAY | PulseFlags::PUMP);
}

#[test]
fn late_events_within_the_window_are_counted_exactly() {
    let window = LATE_WINDOW_CYCLES as usize;
    for seed in 0..4 {
        let dice = &mut Dice(seed);
        let mut rig = Rig::with(|limits| {
            limits.late_consecutive = u32::MAX;
            limits.late_per_1000 = 40;
        });
        let mut newest = VecDeque::new();
        let mut tripped = 0;
        for cycle in 0..6000 {
            // Now dense, now thin, so that the count crosses its limit both ways.
            let thin = if cycle / 1500 % 2 == 0 { 18 } else { 60 };
            rig.overran = dice.one_in(thin);
            newest.push_front(rig.overran);
            newest.truncate(window);
            let count = newest.iter().filter(|late| **late).count();
            let outcome = rig.cycle();
            assert_eq!(rig.kernel.state().monitors.late.count as usize, count, "cycle {cycle}");
            assert_eq!(outcome.causes.contains(Fault::Overload), count >= 40, "cycle {cycle}");
            tripped += u32::from(count >= 40);
        }
        assert!((100..5900).contains(&tripped), "{tripped} of 6000 cycles");
    }
}

#[test]
fn a_late_event_leaves_the_window_after_exactly_1000_cycles() {
    let mut rig = Rig::disarmed();
    rig.overran = true;
    rig.cycle();
    rig.overran = false;
    rig.cycles(999);
    assert_eq!(rig.kernel.state().monitors.late.count, 1);
    rig.cycle();
    assert_eq!(rig.kernel.state().monitors.late.count, 0);
}

// E-stop loop.

#[test]
fn the_second_channel_counts_only_where_it_is_fitted() {
    for fitted in [false, true] {
        let flags = LimitsFlags::EMPTY.with(LimitsFlags::ESTOP_TWO_CHANNELS, fitted);
        let mut rig = Rig::with(|limits| limits.flags = flags).booted();
        rig.set_line(LineSet::ESTOP_B_OPEN, true);
        let outcome = rig.cycle();
        assert_eq!(outcome.mode.get() == Some(Mode::EStopLatched), fitted);
        assert!(!outcome.causes.contains(Fault::EstopDiscrepancy), "not after one cycle");
        assert!(!rig.cycles(19).causes.contains(Fault::EstopDiscrepancy));
        assert_eq!(rig.cycle().causes.contains(Fault::EstopDiscrepancy), fitted);
        // Both open: that is the button, and they agree.
        rig.set_line(LineSet::ESTOP_A_OPEN, true);
        let outcome = rig.cycle();
        assert!(outcome.causes.contains(Fault::EstopLine));
        assert!(!outcome.causes.contains(Fault::EstopDiscrepancy));
    }
}

// Health.

#[test]
fn a_low_battery_must_stay_low_and_an_empty_one_need_not() {
    let mut rig = Rig::active(PILOT);
    rig.observation.battery.volts = 6.59;
    assert_eq!(cycles_until_stop(&mut rig, Fault::BatteryLow), 2001);

    // A dip that ends begins anew.
    let mut rig = Rig::active(PILOT);
    for _ in 0..3 {
        rig.observation.battery.volts = 6.59;
        rig.drive(PILOT, 0.0, 0.0, 1900);
        rig.observation.battery.volts = 6.61;
        assert_eq!(rig.drive(PILOT, 0.0, 0.0, 10).mode.get(), Some(Mode::Active));
    }
    for volts in [5.99, f32::NAN, f32::NEG_INFINITY] {
        let mut rig = Rig::active(PILOT);
        rig.observation.battery.volts = volts;
        let outcome = rig.cycle();
        assert_eq!(outcome.mode.get(), Some(Mode::EStopLatched), "{volts} V");
        assert!(outcome.causes.contains(Fault::BatteryCritical));
    }
    // A car without a sensor for it drives.
    let mut rig = Rig::active(PILOT);
    rig.observation.battery.volts = 0.0;
    rig.observation.battery.validity = Raw::new(Validity::Absent);
    assert_eq!(rig.drive(PILOT, 0.0, 0.0, 3000).mode.get(), Some(Mode::Active));
}

#[test]
fn a_hot_chip_must_stay_hot_and_a_critical_one_need_not() {
    // A reading that is no number is no reason to go on.
    for celsius in [82.0, 87.9, f32::NAN] {
        let mut rig = Rig::active(PILOT);
        rig.observation.temperature.celsius = celsius;
        assert_eq!(cycles_until_stop(&mut rig, Fault::TemperatureHigh), 5001, "{celsius}");
    }
    let mut rig = Rig::active(PILOT);
    rig.observation.temperature.celsius = 81.9;
    assert_eq!(rig.drive(PILOT, 0.0, 0.0, 6000).mode.get(), Some(Mode::Active));
    for celsius in [88.0, f32::MAX, f32::INFINITY] {
        rig.observation.temperature.celsius = celsius;
        assert!(rig.cycle().causes.contains(Fault::TemperatureCritical), "{celsius}");
    }
}

#[test]
fn undervoltage_counts_while_it_lasts_and_not_once_it_has_been() {
    let power =
        |throttled| Power { throttled, validity: Raw::new(Validity::Valid), ..Power::default() };
    let mut rig = Rig::active(PILOT);
    rig.observation.power = power(1 << 16);
    assert_eq!(rig.drive(PILOT, 0.0, 0.0, 1500).mode.get(), Some(Mode::Active));
    rig.observation.power = power(1 << 16 | 1);
    assert_eq!(cycles_until_stop(&mut rig, Fault::Undervoltage), 1001);
}

#[test]
fn an_impossible_acceleration_stops_the_car() {
    for (axis, value, stops) in [
        (0, 159.9, false),
        (1, -159.9, false),
        (0, 160.0, true),
        (1, -160.1, true),
        (2, f32::NAN, true),
        (2, f32::INFINITY, true),
        (0, f32::MIN, true),
        (0, f32::MAX, true),
    ] {
        let mut rig = Rig::active(PILOT);
        rig.observation.imu.validity = Raw::new(Validity::Valid);
        rig.observation.imu.accel_m_per_s2[axis] = value;
        let outcome = rig.cycle();
        assert_eq!(outcome.causes.contains(Fault::ImuOutlier), stops, "{value}");
        assert_eq!(outcome.mode.get() == Some(Mode::SafeStop), stops, "{value}");
    }
}

#[test]
fn a_major_page_fault_stops_the_car() {
    let mut rig = Rig::active(PILOT);
    rig.inbox.housekeeping.minor_faults = 100;
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Active));
    rig.inbox.housekeeping.major_faults = 1;
    let outcome = rig.cycle();
    assert_eq!(outcome.mode.get(), Some(Mode::SafeStop));
    assert!(outcome.causes.contains(Fault::MajorPageFault));
}

#[test]
fn housekeeping_that_falls_silent_stops_the_car_and_forbids_arming_until_it_speaks() {
    let mut rig = Rig::active(PILOT);
    let speak = |rig: &mut Rig| {
        rig.inbox.housekeeping.sequence += 1;
        rig.inbox.housekeeping.mono_ns = rig.now();
    };
    speak(&mut rig);
    assert_eq!(cycles_until_stop(&mut rig, Fault::HousekeepingSilent), 1001);
    rig.cycles(600);
    rig.send(PILOT, 0.0, 0.0);
    assert_eq!((rig.mode(), rig.interlocks()), (Mode::Disarmed, vec!["degraded"]));
    speak(&mut rig);
    rig.operator(OperatorKind::Arm);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Arming));
}

// Actuators.

#[test]
fn the_second_failed_write_in_a_row_is_a_fault() {
    let mut rig = Rig::active(PILOT);
    rig.observation.drive_error_count = 1;
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Active));
    rig.observation.drive_error_count = 2;
    let outcome = rig.cycle();
    assert_eq!(outcome.mode.get(), Some(Mode::Fault));
    assert!(outcome.causes.contains(Fault::DriveWrite));
    assert!(is_dead(&outcome, &limits()));
}

#[test]
fn a_relay_that_does_not_obey_is_a_fault_after_a_tenth_of_a_second() {
    // Welded: closed in Disarmed.
    let mut rig = Rig::disarmed();
    rig.set_line(LineSet::RELAY_FEEDBACK_FITTED | LineSet::RELAY_CLOSED, true);
    assert_eq!(rig.cycles(100).mode.get(), Some(Mode::Disarmed));
    let outcome = rig.cycle();
    assert_eq!(outcome.mode.get(), Some(Mode::Fault));
    assert!(outcome.causes.contains(Fault::RelayFeedback));

    // Open although it is commanded on.
    let mut rig = Rig::active(PILOT);
    rig.set_line(LineSet::RELAY_FEEDBACK_FITTED, true);
    assert_eq!(cycles_until_stop(&mut rig, Fault::RelayFeedback), 101);
    // It obeys, or there is no contact: nothing happens.
    let mut rig = Rig::active(PILOT);
    rig.set_line(LineSet::RELAY_FEEDBACK_FITTED | LineSet::RELAY_CLOSED, true);
    assert_eq!(rig.drive(PILOT, 0.0, 0.0, 300).mode.get(), Some(Mode::Active));
    rig.set_line(LineSet::RELAY_FEEDBACK_FITTED | LineSet::RELAY_CLOSED, false);
    assert_eq!(rig.drive(PILOT, 0.0, 0.0, 300).mode.get(), Some(Mode::Active));
}

#[test]
fn lines_that_cannot_be_read_say_nothing_of_the_relay() {
    let mut rig = Rig::active(PILOT);
    rig.set_line(LineSet::RELAY_FEEDBACK_FITTED | LineSet::RELAY_CLOSED, true);
    rig.observation.lines.validity = Raw::new(Validity::Failed);
    assert_eq!(rig.cycles(300).mode.get(), Some(Mode::EStopLatched));
}

// The wheel.

fn wheel(rig: &mut Rig, speed_m_per_s: f32) {
    rig.observation.wheel.validity = Raw::new(Validity::Valid);
    rig.observation.wheel.speed_m_per_s = speed_m_per_s;
}

#[test]
fn a_wheel_that_stands_still_under_throttle_is_a_stall_after_a_second() {
    for (throttle, speed, stops) in
        [(0.3, 0.0, true), (0.3, 0.05, true), (0.29, 0.0, false), (0.3, -0.06, false)]
    {
        let mut rig = Rig::active(PILOT);
        wheel(&mut rig, speed);
        // 150 cycles of slew to a throttle of 0.3; the wheel of a cycle is judged in the next.
        rig.drive(PILOT, 0.0, throttle, 150);
        assert_eq!(rig.drive(PILOT, 0.0, throttle, 1000).mode.get(), Some(Mode::Active));
        let outcome = rig.drive(PILOT, 0.0, throttle, 1);
        assert_eq!(outcome.causes.contains(Fault::Stall), stops, "{throttle}, {speed} m/s");
        assert_eq!(outcome.mode.get() == Some(Mode::SafeStop), stops);
    }
    // A car without an encoder drives.
    let mut rig = Rig::active(PILOT);
    assert_eq!(rig.drive(PILOT, 0.0, 0.5, 3000).mode.get(), Some(Mode::Active));
}

#[test]
fn a_stall_is_found_in_a_direction_that_may_have_less_than_the_stall_throttle() {
    for (throttle, stops) in [(-0.5, true), (-0.19, false)] {
        let mut rig = Rig::with(|limits| limits.level_reverse_max = 100).booted().armed(PILOT);
        wheel(&mut rig, 0.0);
        rig.drive(PILOT, 0.0, throttle, 100);
        let drives = rig.drive(PILOT, 0.0, throttle, 1000);
        assert_eq!(drives.mode.get(), Some(Mode::Active));
        let outcome = rig.drive(PILOT, 0.0, throttle, 1);
        assert_eq!(outcome.causes.contains(Fault::Stall), stops, "{throttle}");
        assert_eq!(outcome.mode.get() == Some(Mode::SafeStop), stops);
        assert!(outcome.setpoint.throttle < 0.0);
    }
}

#[test]
fn a_wheel_that_speeds_up_at_neutral_trips_the_estop_after_half_a_second() {
    let mut rig = Rig::active(PILOT);
    wheel(&mut rig, 1.0);
    rig.drive(PILOT, 0.0, 0.2, 300);
    rig.operator(OperatorKind::Disarm);
    // The ramp lasts a hundred cycles; the next two are neutral, and begin the coast-down.
    rig.cycles(102);
    wheel(&mut rig, 1.4);
    for cycle in 0..500 {
        let outcome = rig.cycle();
        assert_eq!(outcome.mode.get(), Some(Mode::Disarmed), "cycle {cycle}");
    }
    let outcome = rig.cycle();
    assert_eq!(outcome.mode.get(), Some(Mode::EStopLatched));
    assert!(outcome.causes.contains(Fault::Runaway));
    // While the wheel runs, a reset changes nothing; when it has come to rest, it does.
    assert_eq!(rig.press_reset(100).mode.get(), Some(Mode::EStopLatched));
    wheel(&mut rig, 0.0);
    rig.cycle();
    assert_eq!(rig.press_reset(100).mode.get(), Some(Mode::SelfTest));
}

#[test]
fn a_welded_relay_is_a_runaway_and_a_car_that_is_pushed_about_is_none() {
    let mut rig = Rig::active(PILOT);
    wheel(&mut rig, 2.0);
    rig.drive(PILOT, 0.0, 0.2, 300);
    rig.inbox.estop.sequence += 1;
    assert!(!rig.cycles(1500).causes.contains(Fault::Runaway), "two seconds to fall to 1.4 m/s");
    assert!(rig.cycles(1000).causes.contains(Fault::Runaway), "the relay is off and it drives on");
    // Come to rest, and then pushed.
    wheel(&mut rig, 0.0);
    rig.cycle();
    for speed in [0.5, 1.0, 2.0, 4.0] {
        wheel(&mut rig, speed);
        assert!(!rig.cycles(1000).causes.contains(Fault::Runaway));
    }
}

// What only warns.

#[test]
fn a_warning_is_told_and_stops_nothing() {
    let power =
        |throttled| Power { throttled, validity: Raw::new(Validity::Valid), ..Power::default() };
    let mut rig = Rig::active(PILOT);
    for (fault, on) in [
        (
            Fault::TemperatureWarm,
            &(|rig: &mut Rig| rig.observation.temperature.celsius = 75.0) as &dyn Fn(&mut Rig),
        ),
        (Fault::BatteryWarn, &|rig| rig.observation.battery.volts = 6.9),
        (Fault::UndervoltageSeen, &|rig| rig.observation.power = power(1 << 18)),
        (Fault::MinorPageFault, &|rig| rig.inbox.housekeeping.minor_faults = 1),
    ] {
        assert!(!rig.drive(PILOT, 0.0, 0.1, 10).causes.contains(fault));
        on(&mut rig);
        let outcome = rig.drive(PILOT, 0.0, 0.1, 6000);
        assert!(outcome.causes.contains(fault), "{fault:?}");
        assert_eq!(outcome.mode.get(), Some(Mode::Active), "{fault:?}");
    }
}

#[test]
fn a_reset_button_held_for_too_long_is_told_and_stops_nothing() {
    let mut rig = Rig::active(PILOT);
    rig.set_line(LineSet::RESET_PRESSED, true);
    assert!(!rig.drive(PILOT, 0.0, 0.1, 2001).causes.contains(Fault::ResetStuck));
    let outcome = rig.drive(PILOT, 0.0, 0.1, 1);
    assert!(outcome.causes.contains(Fault::ResetStuck));
    assert_eq!(outcome.mode.get(), Some(Mode::Active));
}
