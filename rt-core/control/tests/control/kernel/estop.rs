//! Every way to an e-stop, and the one way out of it.

use super::Event;
use crate::support::{Rig, is_dead};
use Source::{Inference, Pilot};
use rt_wire::{
    CommandFlags, Fault, FaultSet, HousekeepingFlags, Limits, LineSet, Microseconds, Mode, MonoNs,
    OperatorKind, Raw, Source, Validity,
};

#[test]
fn estop_stays_latched_until_released_and_reset_and_leads_to_no_motion() {
    let mut rig = Rig::active(Pilot);
    rig.drive(Pilot, 0.0, 0.5, 200);
    rig.set_line(LineSet::ESTOP_A_OPEN, true);
    let stopped = rig.drive(Pilot, 0.0, 0.5, 1);
    assert_eq!(stopped.mode.get(), Some(Mode::EStopLatched));
    assert!(is_dead(&stopped, rig.kernel.limits()) && stopped.causes.contains(Fault::EstopLine));
    // A reset while it is pressed does nothing; nor does the release alone.
    rig.press_reset(100);
    rig.operator(OperatorKind::Reset);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::EStopLatched));
    rig.set_line(LineSet::ESTOP_A_OPEN, false);
    rig.operator(OperatorKind::Arm);
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 500).mode.get(), Some(Mode::EStopLatched));
    assert!(rig.latched(Fault::EstopLine));
    // Reset: to the self-test and Disarmed, and no further.
    assert_eq!(rig.press_reset(100).mode.get(), Some(Mode::SelfTest));
    let disarmed = rig.drive(Pilot, 0.0, 0.0, 500);
    assert_eq!(disarmed.mode.get(), Some(Mode::Disarmed));
    assert!(is_dead(&disarmed, rig.kernel.limits()) && !rig.latched(Fault::EstopLine));
    rig.arm(Pilot);
}

#[test]
fn every_way_to_ask_for_an_estop_works_in_every_mode() {
    let ways: [(Fault, Event); 7] = [
        (Fault::EstopLine, |rig| rig.set_line(LineSet::ESTOP_A_OPEN, true)),
        (Fault::EstopLine, |rig| {
            rig.observation.lines.validity = Raw::new(Validity::Failed);
        }),
        (Fault::EstopOperator, |rig| rig.inbox.estop.sequence += 1),
        (Fault::EstopOperator, |rig| {
            // Not in its own slot, and old: stopping is never too late.
            rig.operator(OperatorKind::Estop);
            rig.inbox.operator.mono_ns = MonoNs(1);
        }),
        (Fault::EstopSource, |rig| {
            // Honoured even in a command that is refused.
            let mut command = rig.command(Inference, f32::NAN, 0.0);
            command.flags = CommandFlags::ESTOP;
            rig.write(Inference, command);
        }),
        (Fault::TemperatureCritical, |rig| rig.observation.temperature.celsius = 88.0),
        (Fault::BatteryCritical, |rig| rig.observation.battery.volts = 5.9),
    ];
    let stages: [fn() -> Rig; 5] = [
        Rig::new,
        Rig::disarmed,
        || {
            let mut rig = Rig::disarmed();
            rig.send(Pilot, 0.0, 0.0);
            rig.operator(OperatorKind::Arm);
            rig.cycle();
            rig
        },
        || {
            let mut rig = Rig::active(Pilot);
            rig.drive(Pilot, 0.0, 0.5, 100);
            rig
        },
        || {
            let mut rig = Rig::active(Pilot);
            rig.drive(Pilot, 0.0, 0.5, 100);
            rig.operator(OperatorKind::Disarm);
            rig.cycle();
            rig
        },
    ];
    for (fault, ask) in ways {
        for stage in stages {
            let mut rig = stage();
            let before = rig.mode();
            ask(&mut rig);
            let outcome = rig.cycle();
            assert_eq!(outcome.mode.get(), Some(Mode::EStopLatched), "{fault:?} in {before}");
            assert!(outcome.causes.contains(fault) && is_dead(&outcome, rig.kernel.limits()));
            assert_eq!(outcome.owner.get(), Some(Source::None));
        }
    }
}

#[test]
fn one_operator_estop_trips_once() {
    let mut rig = Rig::disarmed();
    rig.inbox.estop.sequence += 1;
    rig.cycle();
    rig.operator(OperatorKind::Reset);
    rig.cycle();
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));
    // The same request seen again is no new one, and so it is with requests.
    rig.arm(Pilot);
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 100).mode.get(), Some(Mode::Active));
}

#[test]
fn a_reset_press_counts_only_if_it_is_as_long_as_a_persons() {
    for (press_ms, leaves) in [(49, false), (50, true), (2000, true), (2001, false)] {
        let mut rig = Rig::disarmed();
        rig.inbox.estop.sequence += 1;
        rig.cycle();
        let outcome = rig.press_reset(press_ms);
        let expected = if leaves { Mode::SelfTest } else { Mode::EStopLatched };
        assert_eq!(outcome.mode.get(), Some(expected), "{press_ms} ms");
    }
}

#[test]
fn a_reset_button_pressed_from_power_up_never_was_pressed() {
    for absent_at_first in [false, true] {
        let mut rig = Rig::new();
        rig.set_line(LineSet::RESET_PRESSED, true);
        if absent_at_first {
            rig.observation.lines.validity = Raw::new(Validity::Absent);
            rig.cycles(5);
            rig.observation.lines.validity = Raw::new(Validity::Valid);
        }
        rig.inbox.estop.sequence += 1;
        rig.cycles(100);
        rig.set_line(LineSet::RESET_PRESSED, false);
        assert_eq!(rig.cycles(5).mode.get(), Some(Mode::EStopLatched));
        // Released, it works.
        assert_eq!(rig.press_reset(100).mode.get(), Some(Mode::SelfTest));
    }
}

#[test]
fn a_reset_press_that_ends_unseen_is_none() {
    let mut rig = Rig::disarmed();
    rig.inbox.estop.sequence += 1;
    rig.set_line(LineSet::RESET_PRESSED, true);
    rig.cycles(100);
    rig.observation.lines.validity = Raw::new(Validity::Failed);
    rig.cycles(10);
    rig.observation.lines.validity = Raw::new(Validity::Valid);
    rig.cycles(100);
    rig.set_line(LineSet::RESET_PRESSED, false);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::EStopLatched));
}

#[test]
fn lines_that_have_not_spoken_are_awaited_in_the_self_test_and_missed_after_it() {
    let mut rig = Rig::new();
    rig.observation.lines.validity = Raw::new(Validity::Absent);
    assert_eq!(rig.cycles(100).mode.get(), Some(Mode::SelfTest));
    rig.observation.lines.validity = Raw::new(Validity::Valid);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));
    rig.observation.lines.validity = Raw::new(Validity::Absent);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::EStopLatched));

    let mut rig = Rig::new();
    rig.observation.lines.validity = Raw::from_bits(77);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::EStopLatched), "a validity that means nothing");
}

#[test]
fn self_test_waits_for_the_seal_and_fails_on_limits_that_make_no_sense() {
    let mut rig = Rig::new();
    rig.housekeeping(HousekeepingFlags::SEALED, false);
    assert_eq!(rig.cycles(50).mode.get(), Some(Mode::SelfTest));
    rig.housekeeping(HousekeepingFlags::SEALED, true);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));

    let edits: [fn(&mut Limits); 4] = [
        |limits| limits.throttle_min = Microseconds(1600),
        |limits| limits.throttle_neutral = Microseconds(2100),
        |limits| limits.steering_max = Microseconds(1400),
        |limits| limits.steering_min = Microseconds(1501),
    ];
    for edit in edits {
        let mut rig = Rig::with(edit);
        let outcome = rig.cycles(2);
        assert_eq!(outcome.mode.get(), Some(Mode::Fault));
        assert!(rig.latched(Fault::SelfTestFailed));
        // A fault stands above an e-stop.
        let mut rig = Rig::with(edit);
        rig.cycle();
        rig.inbox.estop.sequence += 1;
        assert_eq!(rig.cycle().mode.get(), Some(Mode::Fault));
    }
    // Nor does a car pass that cannot be driven.
    let mut rig = Rig::new();
    rig.cycle();
    rig.observation.drive_error_count = 2;
    let outcome = rig.cycle();
    assert_eq!(outcome.mode.get(), Some(Mode::Fault));
    assert!(
        [Fault::SelfTestFailed, Fault::DriveWrite].map(|fault| rig.latched(fault)) == [true; 2]
    );
    let mut rig = Rig::new();
    let timeless = Limits { period_ns: 0, ..*rig.kernel.limits() };
    rig.kernel = rt_control::Kernel::new(&timeless, 7);
    for expected in [Mode::SelfTest, Mode::Fault] {
        let outcome = rig.kernel.step(&rig.release, &rig.observation, &rig.inbox);
        assert_eq!(outcome.mode.get(), Some(expected));
    }
}

#[test]
fn a_self_test_that_passes_blames_nothing_and_allows_a_servo_that_does_not_move() {
    let warned = FaultSet::of(Fault::NotRealtime);
    assert_eq!(Rig::disarmed().kernel.state().latched_causes, warned);
    let fixed = |limits: &mut Limits| {
        (limits.steering_min, limits.steering_max) = (Microseconds(1500), Microseconds(1500));
    };
    assert_eq!(Rig::with(fixed).booted().kernel.state().latched_causes, warned);
    // Before housekeeping's first word nobody knows how the loop runs.
    let mut rig = Rig::new();
    rig.housekeeping(HousekeepingFlags::SEALED, false);
    assert_eq!(rig.cycles(5).causes, FaultSet::EMPTY);
}
