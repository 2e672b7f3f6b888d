//! A whole kernel driven by hand: from boot to driving and back, and all that must stop it.

use crate::support::{MS, Rig, is_dead};
use Source::{Inference, Pilot, Teleop};
use rt_wire::{
    Arrival, Class, Command, CommandFlags, Fault, HeartbeatFlags, HousekeepingFlags, LimitsFlags,
    LineSet, Microseconds, Mode, MonoNs, OperatorKind, Outcome, PulseFlags, Raw, Rule, Sign,
    Source, Validity,
};

/// Something that happens between two cycles.
type Event = fn(&mut Rig);

fn has_rule(outcome: &Outcome, rule: Rule) -> bool {
    outcome.rules.0 >> rule as u32 & 1 != 0
}

fn class(outcome: &Outcome, source: Source) -> Class {
    outcome.classes[source.index().unwrap()].get().unwrap()
}

/// What becomes of one more command of the pilot, good but for `edit`.
fn judged(edit: impl FnOnce(&mut Command)) -> Class {
    let mut rig = Rig::active(Pilot);
    class(&rig.send_edited(Pilot, edit), Pilot)
}

// From boot to driving.

#[test]
fn boot_leads_to_disarmed_and_only_an_arm_request_leads_to_driving() {
    let mut rig = Rig::new();
    let boot = rig.cycle();
    assert_eq!(
        (boot.previous_mode.get(), boot.mode.get()),
        (Some(Mode::Boot), Some(Mode::SelfTest))
    );
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));
    let waits = rig.drive(Pilot, 0.0, 0.0, 500);
    assert_eq!((waits.mode.get(), waits.owner.get()), (Some(Mode::Disarmed), Some(Pilot)));
    assert!(is_dead(&waits, rig.kernel.limits()));

    rig.arm(Pilot);
    let rolls = rig.drive(Pilot, 0.5, 0.5, 400);
    assert_eq!((rolls.mode.get(), rolls.level), (Some(Mode::Active), 250));
    assert_eq!(rolls.pulses.throttle, Microseconds(1750));
    assert_eq!(rolls.pulses.steering, Microseconds(1750));
    assert_eq!((rolls.setpoint.throttle, rolls.asked.throttle), (0.5, 0.5));
    assert_eq!(rolls.pulses.flags, PulseFlags::RELAY | PulseFlags::PUMP);
}

#[test]
fn throttle_and_steering_are_slewed_and_capped() {
    let mut rig = Rig::active(Pilot);
    let first = rig.drive(Pilot, 1.0, 1.0, 1);
    assert_eq!(first.level, 1);
    assert_eq!(first.setpoint.steering, 0.01);
    assert!(has_rule(&first, Rule::ThrottleSlew) && has_rule(&first, Rule::SteeringSlew));
    let full = rig.drive(Pilot, 1.0, 1.0, 600);
    assert_eq!((full.level, full.pulses.steering), (300, Microseconds(2000)));
    assert_eq!(full.pulses.throttle, Microseconds(1800), "throttle_max is 0.6");
    assert!(has_rule(&full, Rule::ThrottleCap) && !has_rule(&full, Rule::SteeringSlew));
    let reverse = rig.drive(Pilot, -1.0, -1.0, 900);
    assert_eq!(reverse.pulses.throttle, Microseconds(1350), "reverse_max is 0.3");
    assert_eq!(reverse.pulses.steering, Microseconds(1000));
}

#[test]
fn reversed_mounting_mirrors_the_pulses_and_nothing_else() {
    let flags = LimitsFlags::STEERING_REVERSED | LimitsFlags::THROTTLE_REVERSED;
    let mut rig = Rig::with(|limits| limits.flags = flags).booted().armed(Pilot);
    let outcome = rig.drive(Pilot, 0.5, 0.5, 400);
    assert_eq!(outcome.pulses.throttle, Microseconds(1250));
    assert_eq!(outcome.pulses.steering, Microseconds(1250));
    assert_eq!((outcome.setpoint.steering, outcome.setpoint.throttle), (0.5, 0.5));
}

#[test]
fn direction_changes_only_at_neutral() {
    let mut rig = Rig::active(Pilot);
    rig.drive(Pilot, 0.0, 0.4, 100);
    let turns = rig.drive(Pilot, 0.0, -0.4, 1);
    assert!(has_rule(&turns, Rule::DirectionAtNeutral));
    let mut before = turns;
    for _ in 0..300 {
        let outcome = rig.drive(Pilot, 0.0, -0.4, 1);
        let flips = (before.setpoint.throttle > 0.0) != (outcome.setpoint.throttle > 0.0);
        assert!(!flips || outcome.level == 0, "flips at level {}", outcome.level);
        assert!(outcome.level.abs_diff(before.level) <= 1);
        before = outcome;
    }
    assert!(before.pulses.throttle < Microseconds(1500));
}

#[test]
fn points_are_followed_as_their_time_comes() {
    let mut rig = Rig::active(Pilot);
    let mut command = rig.command(Pilot, 0.1, 0.0);
    command.n = 3;
    for (point, (offset_us, steering)) in
        command.points.iter_mut().zip([(2_000, 0.1), (12_000, 0.2), (30_000, 0.3)])
    {
        point.offset_us = offset_us;
        point.steering = steering;
    }
    rig.write(Pilot, command);
    let asked: Vec<f32> = (0..40).map(|_| rig.cycle().asked.steering).collect();
    // The command was made a cycle before it is read.
    assert_eq!(asked[0], 0.0, "before its first point a command asks for nothing");
    assert_eq!((asked[1], asked[10], asked[11], asked[28]), (0.1, 0.1, 0.2, 0.2));
    assert_eq!((asked[29], asked[39]), (0.3, 0.3));
}

// Arming.

#[test]
fn arming_is_refused_with_every_reason_that_holds() {
    let mut rig = Rig::disarmed();
    assert_eq!(rig.interlocks(), ["no-owner"]);
    rig.send(Pilot, 0.0, 0.0);
    assert!(rig.interlocks().is_empty());
    rig.send(Pilot, 0.0, 0.2);
    assert_eq!(rig.interlocks(), ["owner-not-neutral"]);
    rig.cycles(90);
    assert_eq!(rig.interlocks(), ["owner-stale", "owner-not-neutral"]);
    rig.set_line(LineSet::DISARM_PRESSED, true);
    rig.observation.imu.validity = Raw::new(Validity::Valid);
    rig.observation.imu.accel_m_per_s2[2] = 500.0;
    assert_eq!(rig.interlocks(), ["owner-stale", "owner-not-neutral", "degraded", "disarm-held"]);
    rig.operator(OperatorKind::Arm);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));

    let mut rig = Rig::new();
    rig.set_line(LineSet::ESTOP_A_OPEN, true);
    rig.housekeeping(HousekeepingFlags::SEALED, false);
    assert_eq!(rig.interlocks(), ["not-disarmed", "estop-asserted", "no-owner", "not-sealed"]);
}

#[test]
fn overload_is_an_interlock_while_it_lasts() {
    let mut rig = Rig::disarmed();
    rig.overran = true;
    for _ in 0..19 {
        rig.send(Pilot, 0.0, 0.0);
        assert!(!rig.interlocks().contains(&"overload"));
        rig.cycle();
    }
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["overload"]);
    rig.operator(OperatorKind::Arm);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));
}

#[test]
fn pins_the_operator_and_teleop_may_arm_and_others_may_not() {
    let mut rig = Rig::disarmed();
    rig.send(Pilot, 0.0, 0.0);
    rig.set_line(LineSet::ARM_PRESSED, true);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Arming));

    let mut rig = Rig::disarmed();
    rig.send(Teleop, 0.0, 0.0);
    rig.cycle();
    let asks = |command: &mut Command| command.flags |= CommandFlags::ARM;
    assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Arming));

    for source in [Inference, Pilot] {
        let mut rig = Rig::disarmed();
        rig.send(source, 0.0, 0.0);
        rig.cycle();
        let outcome = rig.send_edited(source, asks);
        assert_eq!(outcome.mode.get(), Some(Mode::Disarmed));
        assert_eq!(class(&outcome, source), Class::Bad);
    }
}

#[test]
fn teleop_that_holds_its_arm_flag_asks_once() {
    let asks = |command: &mut Command| command.flags |= CommandFlags::ARM;
    // Stuck from its first command on: never pressed.
    let mut rig = Rig::disarmed();
    for _ in 0..5 {
        assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Disarmed));
        rig.cycles(10);
    }
    // Held while an interlock goes away: pressed too early.
    let mut rig = Rig::disarmed();
    rig.send(Teleop, 0.0, 0.0);
    rig.set_line(LineSet::DISARM_PRESSED, true);
    rig.cycle();
    rig.send_edited(Teleop, asks);
    rig.set_line(LineSet::DISARM_PRESSED, false);
    assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Disarmed));
    rig.send(Teleop, 0.0, 0.0);
    rig.cycle();
    assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Arming));
    // A new attach begins as pressed.
    let mut rig = Rig::disarmed();
    rig.send(Teleop, 0.0, 0.0);
    rig.cycle();
    rig.inbox.commands[0].generation += 1;
    assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Disarmed));
}

#[test]
fn a_button_held_while_interlocked_does_not_arm_when_the_interlock_goes() {
    let mut rig = Rig::with(|limits| limits.flags = LimitsFlags::REAL_BOARD).booted();
    rig.send(Pilot, 0.0, 0.0);
    rig.set_line(LineSet::ARM_PRESSED, true);
    rig.cycle();
    rig.housekeeping(HousekeepingFlags::REALTIME | HousekeepingFlags::MEMORY_LOCKED, true);
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 50).mode.get(), Some(Mode::Disarmed));
    rig.set_line(LineSet::ARM_PRESSED, false);
    rig.cycle();
    rig.set_line(LineSet::ARM_PRESSED, true);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Arming));
}

#[test]
fn missing_real_time_forbids_arming_a_real_board_and_stops_no_drive() {
    let real = |limits: &mut rt_wire::Limits| limits.flags = LimitsFlags::REAL_BOARD;
    let mut rig = Rig::with(real).booted();
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["not-realtime"]);
    rig.operator(OperatorKind::Arm);
    let refused = rig.cycle();
    assert_eq!(refused.mode.get(), Some(Mode::Disarmed));
    assert!(refused.causes.contains(Fault::NotRealtime));

    let realtime = HousekeepingFlags::REALTIME | HousekeepingFlags::MEMORY_LOCKED;
    rig.housekeeping(realtime, true);
    rig.cycle();
    rig.arm(Pilot);
    rig.housekeeping(realtime, false);
    let drives = rig.drive(Pilot, 0.0, 0.1, 50);
    assert_eq!((drives.mode.get(), drives.level), (Some(Mode::Active), 50));
    assert!(drives.causes.contains(Fault::NotRealtime));
    // A board that moves nothing may arm, and says so.
    let sim = Rig::active(Pilot);
    assert!(sim.latched(Fault::NotRealtime));
}

#[test]
fn throttle_disarm_or_silence_during_arming_end_it() {
    let disturb: [Event; 4] = [
        |rig| rig.send(Pilot, 0.0, 0.1),
        |rig| rig.operator(OperatorKind::Disarm),
        |rig| rig.housekeeping(HousekeepingFlags::SEALED, false),
        |rig| {
            rig.cycles(90);
        },
    ];
    for disturb in disturb {
        let mut rig = Rig::disarmed();
        rig.send(Pilot, 0.0, 0.0);
        rig.operator(OperatorKind::Arm);
        assert_eq!(rig.cycle().mode.get(), Some(Mode::Arming));
        disturb(&mut rig);
        let outcome = rig.cycle();
        assert_eq!(outcome.mode.get(), Some(Mode::Disarmed));
        assert!(is_dead(&outcome, rig.kernel.limits()));
    }
}

#[test]
fn arming_clears_the_causes_of_the_last_stop() {
    let mut rig = Rig::active(Pilot);
    rig.cycles(100);
    assert_eq!(rig.mode(), Mode::Disarmed);
    assert!(rig.latched(Fault::OwnerStale));
    rig.drive(Pilot, 0.0, 0.0, 100);
    assert!(rig.latched(Fault::OwnerStale), "a good command alone clears nothing");
    rig.operator(OperatorKind::Arm);
    rig.cycle();
    assert_eq!(rig.mode(), Mode::Arming);
    assert!(!rig.latched(Fault::OwnerStale));
}

// E-stop and reset.

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
    let ways: [(Fault, Event); 6] = [
        (Fault::EstopLine, |rig| rig.set_line(LineSet::ESTOP_A_OPEN, true)),
        (Fault::EstopLine, |rig| {
            rig.observation.lines.validity = Raw::new(Validity::Failed);
        }),
        (Fault::EstopOperator, |rig| rig.inbox.estop.sequence += 1),
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

    let edits: [fn(&mut rt_wire::Limits); 4] = [
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
    }
}

// What makes a command bad.

#[test]
fn values_far_out_of_range_are_refused_and_those_nearby_clamped() {
    let steering = |value: f32| judged(move |command| command.points[0].steering = value);
    let throttle = |value: f32| judged(move |command| command.points[0].throttle = value);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.06, -1.06, f32::MAX, f32::MIN] {
        assert_eq!(steering(value), Class::Bad, "{value}");
        assert_eq!(throttle(value), Class::Bad, "{value}");
    }
    for value in [0.0, -0.0, 1.0, -1.0, 1.05, -1.05, f32::MIN_POSITIVE / 2.0] {
        assert_eq!(steering(value), Class::GoodAsking, "{value}");
        assert_eq!(throttle(value), Class::GoodAsking, "{value}");
    }
    let mut rig = Rig::active(Pilot);
    let outcome = rig.drive(Pilot, -1.04, 1.04, 400);
    assert_eq!((outcome.asked.steering, outcome.asked.throttle), (-1.0, 1.0));
}

#[test]
fn counts_offsets_and_times_that_cannot_be_are_refused() {
    let now = Rig::active(Pilot).now();
    let two = |first_us: u32, second_us: u32| {
        judged(move |command| {
            command.n = 2;
            command.points[0].offset_us = first_us;
            command.points[1].offset_us = second_us;
        })
    };
    assert_eq!(judged(|command| command.n = 0), Class::Bad);
    assert_eq!(judged(|command| command.n = 9), Class::Bad);
    assert_eq!(judged(|command| command.n = u32::MAX), Class::Bad);
    assert_eq!(two(0, 1), Class::GoodAsking);
    assert_eq!(two(5, 5), Class::Bad);
    assert_eq!(two(5, 4), Class::Bad);
    // A point beyond n may hold anything.
    assert_eq!(judged(|command| command.points[1].steering = f32::NAN), Class::GoodAsking);

    // The cycle that reads it begins a period after `now`.
    let mono = |ns: u64| judged(move |command| command.mono_ns = MonoNs(ns));
    assert_eq!(mono(now.0 + 2 * MS), Class::GoodAsking, "written while the loop woke");
    assert_eq!(mono(now.0 + 2 * MS + 1), Class::Bad);
    assert_eq!(mono(u64::MAX), Class::Bad);
    assert_eq!(mono(now.0 + MS - 90 * MS), Class::GoodAsking);
    assert_eq!(mono(now.0 + MS - 90 * MS - 1), Class::Bad, "older than a stale owner");
    let expiry = |ns: u64| judged(move |command| command.expires_at = MonoNs(ns));
    assert_eq!(expiry(now.0 + MS), Class::Bad);
    assert_eq!(expiry(now.0 + MS + 1), Class::GoodAsking);
    assert_eq!(expiry(now.0 + 1001 * MS), Class::GoodAsking);
    assert_eq!(expiry(now.0 + 1001 * MS + 1), Class::Bad);
    assert_eq!(expiry(u64::MAX), Class::Bad);
}

#[test]
fn sequences_must_rise_and_begin_anew_with_each_attach() {
    let mut rig = Rig::active(Pilot);
    let newest = rig.inbox.commands[2].command.sequence;
    let send = |rig: &mut Rig, sequence: u64| {
        class(&rig.send_edited(Pilot, |command| command.sequence = sequence), Pilot)
    };
    assert_eq!(send(&mut rig, newest), Class::Bad, "a repeat");
    assert_eq!(send(&mut rig, newest - 1), Class::Bad, "a step back");
    assert_eq!(send(&mut rig, newest + 1000), Class::GoodAsking, "a gap");
    rig.inbox.commands[2].generation += 1;
    assert_eq!(send(&mut rig, 1), Class::GoodAsking, "another attach");
    assert_eq!(send(&mut rig, 1), Class::Bad);
}

#[test]
fn a_torn_slot_is_no_news_and_a_corrupt_one_is_bad() {
    let cases = [
        (Raw::new(Arrival::Torn), Class::Absent),
        (Raw::new(Arrival::Absent), Class::Absent),
        (Raw::new(Arrival::Corrupt), Class::Bad),
        (Raw::from_bits(4), Class::Bad),
    ];
    for (arrival, expected) in cases {
        let mut rig = Rig::active(Pilot);
        rig.send(Pilot, 0.0, 0.5);
        rig.inbox.commands[2].arrival = arrival;
        let outcome = rig.cycle();
        assert_eq!((class(&outcome, Pilot), outcome.level), (expected, 0));
    }
}

#[test]
fn three_bad_commands_of_the_owner_within_a_second_stop_the_car() {
    // Gaps between bad commands in ms, good ones in between; does the third stop the car?
    for (gap_ms, stops) in [(1, true), (300, true), (500, true), (501, false)] {
        let mut rig = Rig::active(Pilot);
        for bad in 0..3 {
            assert_eq!(rig.mode(), Mode::Active, "bad command {bad} of {gap_ms}");
            let outcome = rig.send_edited(Pilot, |command| command.n = 0);
            if bad == 2 {
                assert_eq!(outcome.mode.get() == Some(Mode::SafeStop), stops, "{gap_ms}");
                assert_eq!(outcome.causes.contains(Fault::OwnerImplausible), stops);
            } else {
                rig.drive(Pilot, 0.0, 0.0, gap_ms - 1);
            }
        }
    }
    // Another's bad commands are not the owner's.
    let mut rig = Rig::active(Pilot);
    for _ in 0..10 {
        rig.send(Pilot, 0.0, 0.0);
        assert_eq!(
            rig.send_edited(Inference, |command| command.n = 0).mode.get(),
            Some(Mode::Active)
        );
    }
}

// Silence.

#[test]
fn each_owner_is_stale_exactly_at_its_limit() {
    for (source, limit) in [(Teleop, 140), (Inference, 190), (Pilot, 90)] {
        let mut rig = Rig::active(source);
        rig.drive(source, 0.0, 0.5, 11);
        assert_eq!(rig.cycles(limit - 1).mode.get(), Some(Mode::Active), "{source}");
        let stops = rig.cycle();
        assert_eq!(stops.mode.get(), Some(Mode::SafeStop), "{source}");
        assert!(stops.causes.contains(Fault::OwnerStale));
        assert_eq!(stops.owner.get(), Some(Source::None));
    }
}

#[test]
fn an_expired_command_stops_the_car_before_it_is_stale() {
    let mut rig = Rig::active(Pilot);
    rig.drive(Pilot, 0.0, 0.2, 150);
    let now = rig.now();
    rig.send_edited(Pilot, |command| {
        command.points[0].throttle = 0.2;
        command.expires_at = now.plus(30 * MS);
    });
    assert_eq!(rig.cycles(28).mode.get(), Some(Mode::Active));
    let stops = rig.cycle();
    assert_eq!(stops.mode.get(), Some(Mode::SafeStop));
    assert!(stops.causes.contains(Fault::OwnerStale));
    assert_eq!((stops.asked.throttle, stops.level), (0.0, 99));
}

#[test]
fn a_stale_owner_is_never_replaced_while_driving() {
    let mut rig = Rig::active(Pilot);
    rig.cycles(89);
    rig.send(Teleop, 0.0, 0.0);
    rig.send(Inference, 0.0, 0.0);
    let outcome = rig.cycle();
    assert_eq!(
        (outcome.mode.get(), outcome.owner.get()),
        (Some(Mode::SafeStop), Some(Source::None))
    );
}

#[test]
fn a_person_takes_over_without_a_jump_and_pilot_cannot_take_back() {
    let mut rig = Rig::active(Pilot);
    rig.drive(Pilot, 0.5, 0.5, 300);
    let level = rig.level();
    rig.send(Pilot, 0.5, 0.5);
    let takes = rig.drive(Teleop, -0.5, 0.0, 1);
    assert_eq!((takes.owner.get(), takes.level), (Some(Teleop), level - 1));
    assert_eq!(takes.setpoint.steering, 0.49);
    rig.send(Pilot, 0.5, 0.5);
    assert_eq!(rig.drive(Teleop, -0.5, 0.0, 50).owner.get(), Some(Teleop));
}

#[test]
fn the_owner_that_stops_asking_stops_the_car() {
    let mut rig = Rig::active(Pilot);
    rig.drive(Pilot, 0.0, 0.5, 100);
    let outcome = rig.send_edited(Pilot, |command| command.flags = CommandFlags::EMPTY);
    assert_eq!(outcome.mode.get(), Some(Mode::SafeStop));
    assert!(outcome.causes.contains(Fault::OwnerReleased));
}

#[test]
fn a_late_heartbeat_silences_its_source_and_a_lost_one_stops_if_required() {
    let mut rig = Rig::active(Pilot);
    rig.beating[2] = false;
    // Commands go on; from 200 ms of silence they are ignored, and 90 cycles later the owner is stale.
    let heard = rig.drive(Pilot, 0.0, 0.0, 199);
    assert_eq!((heard.signs[2].get(), heard.mode.get()), (Some(Sign::OnTime), Some(Mode::Active)));
    rig.send(Pilot, 0.0, 0.0);
    let late = rig.cycle();
    assert_eq!((late.signs[2].get(), class(&late, Pilot)), (Some(Sign::Late), Class::Absent));
    assert!(!late.causes.stops());
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 90).mode.get(), Some(Mode::Disarmed));
    assert!(rig.latched(Fault::OwnerStale));
    // But its demand to stop is heard.
    rig.drive(Pilot, 0.0, 0.0, 30);
    let estop = rig.send_edited(Pilot, |command| command.flags |= CommandFlags::ESTOP);
    assert_eq!(estop.mode.get(), Some(Mode::EStopLatched));

    for required in [true, false] {
        let bits = u32::from(required) << 3;
        let mut rig = Rig::with(|limits| limits.heartbeats_required = bits).booted().armed(Pilot);
        rig.beating[3] = false;
        let late = rig.drive(Pilot, 0.0, 0.0, 499);
        assert_eq!((late.signs[3].get(), late.mode.get()), (Some(Sign::Late), Some(Mode::Active)));
        let lost = rig.drive(Pilot, 0.0, 0.0, 1);
        assert_eq!(lost.signs[3].get(), Some(Sign::Lost));
        assert_eq!(lost.mode.get() == Some(Mode::SafeStop), required);
        assert_eq!(lost.causes.contains(Fault::HeartbeatLost), required);
    }
}

#[test]
fn a_required_sidecar_that_never_spoke_forbids_arming() {
    let mut rig = Rig::with(|limits| limits.heartbeats_required = 1 << 5);
    rig.beating[5] = false;
    let mut rig = rig.booted();
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["degraded"]);
    rig.beating[5] = true;
    rig.cycle();
    assert!(rig.interlocks().is_empty());
}

#[test]
fn a_released_dead_man_switch_stops_teleop_at_once() {
    let released = |command: &mut Command| command.flags = CommandFlags::ASKS_AUTHORITY;
    let mut rig = Rig::active(Teleop);
    rig.drive(Teleop, 0.0, 0.5, 100);
    let outcome = rig.send_edited(Teleop, released);
    assert_eq!((outcome.mode.get(), outcome.level), (Some(Mode::SafeStop), 99));
    assert!(outcome.causes.contains(Fault::DeadManReleased));
    // Without the switch teleop gains nothing, and stops nobody else.
    let mut rig = Rig::active(Pilot);
    let outcome = rig.send_edited(Teleop, released);
    assert_eq!((outcome.mode.get(), outcome.owner.get()), (Some(Mode::Active), Some(Pilot)));
    // Others need no switch.
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 20).mode.get(), Some(Mode::Active));
}

// Stops.

#[test]
fn a_disarm_from_pin_operator_or_teleop_ramps_to_neutral_and_ends_disarmed() {
    let ways: [Event; 3] = [
        |rig| rig.set_line(LineSet::DISARM_PRESSED, true),
        |rig| rig.operator(OperatorKind::Disarm),
        |rig| {
            // Honoured from a teleop that does not own, even in a refused command.
            let mut command = rig.command(Teleop, 0.0, 0.0);
            command.flags = CommandFlags::DISARM;
            command.n = 0;
            rig.write(Teleop, command);
        },
    ];
    for disarm in ways {
        let mut rig = Rig::active(Pilot);
        rig.drive(Pilot, 0.0, 0.4, 150);
        disarm(&mut rig);
        for level in (0..150).rev() {
            let outcome = rig.cycle();
            assert_eq!((outcome.mode.get(), outcome.level), (Some(Mode::SafeStop), level));
            assert!(outcome.pulses.flags.has(PulseFlags::RELAY | PulseFlags::PUMP));
            assert!(has_rule(&outcome, Rule::Ramp));
        }
        let ended = rig.cycle();
        assert_eq!(ended.mode.get(), Some(Mode::Disarmed));
        assert!(is_dead(&ended, rig.kernel.limits()) && rig.latched(Fault::DisarmRequested));
    }
    // A disarm of anybody else means nothing.
    let mut rig = Rig::active(Pilot);
    let outcome = rig.send_edited(Inference, |command| command.flags = CommandFlags::DISARM);
    assert_eq!(outcome.mode.get(), Some(Mode::Active));
}

#[test]
fn a_drive_without_a_ramp_is_cut_in_the_next_cycle() {
    let mut rig = Rig::with(|limits| limits.stop_category = 0).booted().armed(Pilot);
    rig.drive(Pilot, 0.0, 0.5, 200);
    rig.operator(OperatorKind::Disarm);
    rig.cycle();
    let outcome = rig.cycle();
    assert_eq!(outcome.mode.get(), Some(Mode::Disarmed));
    assert!(is_dead(&outcome, rig.kernel.limits()));
}

#[test]
fn steering_is_held_through_a_stop_and_centred_long_after() {
    for estop in [false, true] {
        let mut rig = Rig::active(Pilot);
        rig.drive(Pilot, 0.8, 0.1, 200);
        if estop {
            rig.inbox.estop.sequence += 1;
        } else {
            rig.operator(OperatorKind::Disarm);
        }
        // The ramp lasts 50 cycles, an e-stop none; then a second of rest.
        let neutral_after = if estop { 1 } else { 50 };
        for cycle in 0..neutral_after + 999 {
            let outcome = rig.cycle();
            assert_eq!(outcome.setpoint.steering, 0.8, "cycle {cycle}");
            assert!(has_rule(&outcome, Rule::SteeringHeld));
        }
        let begins = rig.cycle();
        assert_eq!(begins.setpoint.steering, 0.79);
        assert!(has_rule(&begins, Rule::SteeringCentred) && has_rule(&begins, Rule::SteeringSlew));
        assert_eq!(rig.cycles(79).pulses.steering, Microseconds(1500));
    }
}

#[test]
fn shutdown_is_a_controlled_stop() {
    let mut rig = Rig::active(Pilot);
    rig.drive(Pilot, 0.0, 0.5, 100);
    rig.housekeeping(HousekeepingFlags::SHUTDOWN, true);
    let outcome = rig.drive(Pilot, 0.0, 0.5, 1);
    assert_eq!((outcome.mode.get(), outcome.level), (Some(Mode::SafeStop), 99));
    assert!(outcome.causes.contains(Fault::Shutdown));
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 200).mode.get(), Some(Mode::Disarmed));
    assert_eq!(rig.interlocks(), ["degraded"]);
}

#[test]
fn a_fault_is_for_ever() {
    for flag in [HousekeepingFlags::CONFIG_CORRUPT, HousekeepingFlags::CANARY_CHANGED] {
        let mut rig = Rig::active(Pilot);
        rig.drive(Pilot, 0.0, 0.5, 100);
        rig.housekeeping(flag, true);
        let outcome = rig.cycle();
        assert_eq!(outcome.mode.get(), Some(Mode::Fault));
        assert!(is_dead(&outcome, rig.kernel.limits()));
        rig.housekeeping(flag, false);
        rig.inbox.estop.sequence += 1;
        rig.cycle();
        rig.press_reset(100);
        rig.operator(OperatorKind::Arm);
        let still = rig.drive(Pilot, 0.0, 0.5, 100);
        assert_eq!(still.mode.get(), Some(Mode::Fault));
        assert!(is_dead(&still, rig.kernel.limits()));
    }
}

#[test]
fn a_memory_whose_mode_means_nothing_is_a_fault() {
    let rig = Rig::active(Pilot);
    let mut keyframe = *rig.kernel.state();
    keyframe.mode = Raw::from_bits(8);
    let mut kernel = rt_control::Kernel::resume(rig.kernel.limits(), &keyframe).unwrap();
    let outcome = kernel.step(&rig.release, &rig.observation, &rig.inbox);
    assert_eq!(outcome.mode.get(), Some(Mode::Fault));
}

#[test]
fn a_required_log_forbids_arming_while_nothing_records_and_stops_no_drive() {
    const LOGGER: usize = 3;
    let required = |limits: &mut rt_wire::Limits| limits.flags = LimitsFlags::REQUIRE_LOG;
    let mut rig = Rig::with(required).booted();
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["log-missing"], "no episode is open");
    rig.inbox.heartbeats[LOGGER].flags = HeartbeatFlags::RECORDING | HeartbeatFlags::LOG_DEGRADED;
    assert_eq!(rig.interlocks(), ["log-missing"], "it loses records");
    rig.operator(OperatorKind::Arm);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));
    rig.inbox.heartbeats[LOGGER].flags = HeartbeatFlags::RECORDING;
    assert!(rig.interlocks().is_empty());
    rig.cycle();
    rig.arm(Pilot);
    rig.beating[LOGGER] = false;
    let drives = rig.drive(Pilot, 0.0, 0.1, 300);
    assert_eq!(drives.mode.get(), Some(Mode::Active));
    assert!(drives.causes.contains(Fault::LogMissing));
    // Nobody misses a log that is not required.
    assert!(!Rig::active(Pilot).latched(Fault::LogMissing));
}
