//! From power-up to driving: the ladder, the slews and caps, directions, points.

use super::has_rule;
use crate::support::{Rig, is_dead};
use Source::Pilot;
use rt_wire::{
    LimitsFlags, Microseconds, Mode, MonoNs, OperatorKind, Outcome, PulseFlags, Rule, RuleSet,
    Source, fnv1a,
};
use zerocopy::IntoBytes;

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
    assert_eq!((reverse.setpoint.steering, reverse.setpoint.throttle), (-1.0, -0.3));
}

#[test]
fn each_cycle_tells_exactly_the_rules_that_changed_it() {
    use Rule::{HeldLate, HeldNeutral, Ramp, SteeringCentred, SteeringHeld};
    use Rule::{SteeringSlew, ThrottleCap, ThrottleSlew};
    let told = |outcome: Outcome, rules: &[Rule]| {
        let expected =
            rules.iter().fold(RuleSet::EMPTY, |set, rule| set | RuleSet(1 << *rule as u32));
        assert_eq!(outcome.rules, expected);
    };
    let mut rig = Rig::disarmed();
    told(rig.cycle(), &[HeldNeutral, SteeringHeld]);
    told(rig.cycles(1000), &[HeldNeutral, SteeringCentred]);
    rig.arm(Pilot);
    told(rig.drive(Pilot, 0.0, 0.0, 1), &[]);
    // As much as the cap allows is not capped.
    told(rig.drive(Pilot, 0.0, 0.6, 1), &[ThrottleSlew]);
    told(rig.drive(Pilot, 0.0, 0.6, 299), &[]);
    told(rig.drive(Pilot, 0.0, 0.7, 1), &[ThrottleCap]);
    told(rig.drive(Pilot, 0.5, 0.6, 1), &[SteeringSlew]);
    rig.overran = true;
    told(rig.drive(Pilot, 0.5, 0.2, 1), &[HeldLate]);
    rig.overran = false;
    rig.operator(OperatorKind::Disarm);
    told(rig.cycle(), &[Ramp, SteeringHeld]);
    rig.inbox.estop.sequence += 1;
    told(rig.cycle(), &[HeldNeutral, SteeringHeld]);
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

#[test]
fn a_keyframe_names_its_build_its_limits_and_its_cycle() {
    let mut rig = Rig::new();
    let boot = *rig.kernel.state();
    assert_eq!((boot.build_id, boot.cycle_index, boot.mono_ns), (7, 0, MonoNs(0)));
    assert_eq!(boot.config_hash, fnv1a(0, rig.kernel.limits().as_bytes()));
    rig.cycles(3);
    let state = rig.kernel.state();
    assert_eq!((state.build_id, state.cycle_index), (7, rig.release.cycle_index));
    assert_eq!(state.mono_ns, rig.now());
}

#[test]
fn a_throttle_without_a_single_level_is_neutral_and_no_division_by_nothing() {
    let mut rig = Rig::with(|limits| limits.level_max = 0).booted().armed(Pilot);
    let outcome = rig.drive(Pilot, 0.0, 1.0, 100);
    assert_eq!((outcome.level, outcome.setpoint.throttle.to_bits()), (0, 0));
    assert_eq!(outcome.pulses.throttle, Microseconds(1500));
}

#[test]
fn a_reverse_that_is_given_up_stays_reverse_until_neutral() {
    let mut rig = Rig::active(Pilot);
    rig.drive(Pilot, 0.0, -0.3, 100);
    for level in (0..100).rev() {
        let outcome = rig.drive(Pilot, 0.0, 0.0, 1);
        assert_eq!(outcome.pulses.throttle, Microseconds(1500 - level as u16));
    }
    // At neutral too: what asks for nothing turns nothing.
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 1).level, 0);
    assert_eq!(rig.kernel.state().reverse, 1);
}
