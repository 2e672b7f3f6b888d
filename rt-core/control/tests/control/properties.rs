//! Whatever arrives: no panic, pulses within their calibration, nothing driven unless it may be, no
//! jump, and the same again when replayed. All floats, all bit patterns, the same in every run.

use crate::support::{Dice, MS, Rig, is_dead, limits};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use proptest::{prelude::any, prop_assert, prop_assert_eq};
use rt_control::Kernel;
use rt_wire::{
    Arrival, Command, CommandFlags, Fault, HousekeepingFlags, Inbox, KernelState, Limits, LineSet,
    Mode, Observation, OperatorKind, Outcome, PulseFlags, Raw, Release, Source, Validity, fnv1a,
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Words that hurt more often than random ones.
const HARD: [u32; 14] = [
    0,
    1,
    u32::MAX,
    0x7fc0_0000, // NaN
    0xffff_ffff, // NaN with every bit
    0x7f80_0000, // infinity
    0xff80_0000, // minus infinity
    0x0000_0007, // subnormal
    0x8000_0001, // subnormal, negative
    0x7f7f_ffff, // f32::MAX
    0xff7f_ffff, // f32::MIN
    0x8000_0000, // -0.0
    0x3f86_6666, // 1.05
    0x3f86_6667, // just above
];

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Fills a record with any bits at all.
fn soup<T: FromBytes + IntoBytes>(dice: &mut Dice) -> T {
    let mut record = T::new_zeroed();
    for word in record.as_mut_bytes().chunks_mut(4) {
        let value = if dice.one_in(3) {
            HARD[usize::try_from(dice.below(14)).unwrap()]
        } else {
            u32::try_from(dice.next() >> 32).unwrap()
        };
        word.copy_from_slice(&value.to_le_bytes()[..word.len()]);
    }
    record
}

/// Replaces one word of a record.
fn spoil<T: FromBytes + IntoBytes + Immutable>(record: &mut T, dice: &mut Dice) {
    let words = record.as_bytes().len() as u64 / 4;
    let at = usize::try_from(dice.below(words) * 4).unwrap();
    let garbage: u32 = soup(dice);
    record.as_mut_bytes()[at..at + 4].copy_from_slice(garbage.as_bytes());
}

fn quick_limits(limits: &mut Limits) {
    limits.arming_cycles = 5;
    limits.safe_stop_cycles = 30;
    limits.level_max = 40;
    limits.level_forward_max = 25;
    limits.level_reverse_max = 15;
    limits.centre_after_ns = 20 * MS;
    limits.stale_cycles = [14, 19, 9];
    limits.throttle_min.0 = 1100;
    limits.steering_max.0 = 1900;
}

/// Finite, and normal or a positive 0: what an architecture cannot compute otherwise.
fn is_tame(value: f32) -> bool {
    value.is_normal() || value.to_bits() == 0
}

/// Every float that the kernel keeps.
fn kept_floats(state: &KernelState) -> impl Iterator<Item = f32> {
    let points = state.accepted.iter().flat_map(|accepted| accepted.command.points);
    points.flat_map(|point| [point.steering, point.throttle])
}

/// What holds after every cycle, whatever went in.
fn check(before: &KernelState, outcome: &Outcome, limits: &Limits) -> Result<(), TestCaseError> {
    let mode = outcome.mode.get().unwrap();
    let pulses = outcome.pulses;
    prop_assert!((limits.steering_min..=limits.steering_max).contains(&pulses.steering));
    prop_assert!((limits.throttle_min..=limits.throttle_max).contains(&pulses.throttle));
    for handed_on in [outcome.asked, outcome.setpoint] {
        prop_assert!(is_tame(handed_on.steering) && is_tame(handed_on.throttle));
    }
    prop_assert!(!outcome.causes.contains(Fault::NotFinite), "what comes in is flushed");
    prop_assert!(outcome.setpoint.steering.abs() <= 1.0 && outcome.setpoint.throttle.abs() <= 1.0);
    if !mode.relay_allowed() {
        prop_assert!(is_dead(outcome, limits), "{mode}: {pulses:?}");
    }
    if mode == Mode::Arming {
        prop_assert_eq!(pulses.throttle, limits.throttle_neutral);
    }
    prop_assert!(pulses.flags.has(PulseFlags::RELAY) || !pulses.flags.has(PulseFlags::PUMP));
    if mode == Mode::Active {
        prop_assert!(outcome.level.abs_diff(before.level) <= 1);
        prop_assert!(outcome.level <= limits.level_forward_max);
        prop_assert!(outcome.owner.get() != Some(Source::None));
    }
    if mode == Mode::SafeStop {
        prop_assert_eq!(outcome.level, before.level.saturating_sub(1));
    }
    let slew = limits.steering_slew_micro_per_cycle as f32 / 1e6;
    let steered = before.steering_micro as f32 / 1e6 - outcome.setpoint.steering;
    prop_assert!(steered.abs() <= slew + 1e-6, "steered {steered}");
    Ok(())
}

#[test]
fn garbage_in_every_field_moves_nothing_that_may_not_move() {
    runner(48)
        .run(&any::<u64>(), |seed| {
            let dice = &mut Dice(seed);
            let mut limits = limits();
            quick_limits(&mut limits);
            let mut kernel = Kernel::new(&limits, 1);
            for _ in 0..300 {
                let before = *kernel.state();
                let release: Release = soup(dice);
                let observation: Observation = soup(dice);
                let inbox: Inbox = soup(dice);
                check(&before, &kernel.step(&release, &observation, &inbox), &limits)?;
                prop_assert!(kept_floats(kernel.state()).all(is_tame));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_keyframe_of_garbage_never_panics_and_its_pulses_stay_within_bounds() {
    let mut limits = limits();
    quick_limits(&mut limits);
    runner(2000)
        .run(&any::<u64>(), |seed| {
            let dice = &mut Dice(seed);
            let mut keyframe: KernelState = soup(dice);
            keyframe.config_hash = fnv1a(0, limits.as_bytes());
            let mut kernel = Kernel::resume(&limits, &keyframe).unwrap();
            for _ in 0..3 {
                let outcome = kernel.step(&soup(dice), &soup(dice), &soup(dice));
                let pulses = outcome.pulses;
                let steering = limits.steering_min..=limits.steering_max;
                let throttle = limits.throttle_min..=limits.throttle_max;
                prop_assert!(steering.contains(&pulses.steering));
                prop_assert!(throttle.contains(&pulses.throttle));
            }
            Ok(())
        })
        .unwrap();
}

/// One cycle of a drive in which now and then something is wrong; always the same for one seed.
fn trouble(rig: &mut Rig, dice: &mut Dice) -> Outcome {
    for source in [Source::Teleop, Source::Inference, Source::Pilot] {
        if dice.one_in(50) {
            // A slot that was corrupt is dead until its source attaches again.
            rig.inbox.commands[source.index().unwrap()].generation += 1;
        }
        if dice.one_in(4) {
            let part = |dice: &mut Dice| (dice.below(2101) as f32 - 1050.0) / 1000.0;
            let neutral = rig.mode() != Mode::Active;
            let throttle = if neutral { 0.0 } else { part(dice) };
            rig.send(source, part(dice), throttle);
        }
    }
    match dice.below(60) {
        0..5 => rig.operator(OperatorKind::Arm),
        5 => rig.operator(OperatorKind::Disarm),
        6..20 => rig.operator(OperatorKind::Reset),
        20 if dice.one_in(4) => rig.inbox.estop.sequence += 1,
        _ => {}
    }
    rig.overran = dice.one_in(40);
    let (observation, inbox) = (rig.observation, rig.inbox);
    if dice.one_in(25) {
        spoil(&mut rig.observation, dice);
    }
    if dice.one_in(10) {
        spoil(&mut rig.inbox, dice);
    }
    let outcome = rig.cycle();
    // The sensors mend; sequences go on from where they truly are.
    rig.observation = observation;
    let heartbeats = rig.inbox.heartbeats;
    rig.inbox = Inbox { heartbeats, ..inbox };
    for command in &mut rig.inbox.commands {
        command.arrival = Raw::new(Arrival::Absent);
    }
    rig.inbox.operator.kind = Raw::new(OperatorKind::None);
    outcome
}

#[test]
fn a_troubled_drive_keeps_its_limits_in_every_mode() {
    let mut seen = [0_u32; Mode::ALL.len()];
    for seed in 0..100 {
        let dice = &mut Dice(seed);
        let mut rig = Rig::with(quick_limits);
        for _ in 0..1000 {
            let before = *rig.kernel.state();
            let outcome = trouble(&mut rig, dice);
            seen[outcome.mode.get().unwrap() as usize] += 1;
            let limits = *rig.kernel.limits();
            check(&before, &outcome, &limits).unwrap_or_else(|broken| panic!("{seed}: {broken}"));
            assert!(kept_floats(rig.kernel.state()).all(is_tame));
        }
    }
    // A drive that never drove would show nothing. (Boot is left in the first cycle.)
    let rare = seen.iter().skip(1).any(|cycles| *cycles < 100);
    assert!(!rare, "cycles in each mode: {seen:?}");
}

#[test]
fn a_kernel_resumed_from_any_keyframe_replays_bit_by_bit() {
    for seed in 0..6 {
        let dice = &mut Dice(seed);
        let mut rig = Rig::with(quick_limits);
        rig.tape = Some(Vec::new());
        for _ in 0..600 {
            trouble(&mut rig, dice);
        }
        let tape = rig.tape.unwrap();
        for from in (0..tape.len() - 1).step_by(37) {
            let mut kernel = Kernel::resume(rig.kernel.limits(), &tape[from].after).unwrap();
            for cycle in &tape[from + 1..] {
                let outcome = kernel.step(&cycle.release, &cycle.observation, &cycle.inbox);
                assert_eq!(outcome.as_bytes(), cycle.outcome.as_bytes());
                assert_eq!(kernel.state().as_bytes(), cycle.after.as_bytes());
            }
        }
    }
}

#[test]
fn a_keyframe_of_other_limits_is_refused() {
    let rig = Rig::disarmed();
    let mut others = limits();
    others.level_forward_max += 1;
    assert!(Kernel::resume(&others, rig.kernel.state()).is_none());
    assert!(Kernel::resume(&limits(), rig.kernel.state()).is_some());
}

#[test]
fn every_class_of_float_in_a_command_is_refused_or_kept_tame() {
    // Each hard word and some random ones, as steering and as throttle, alone in an else good drive.
    runner(3000)
        .run(&(any::<u32>(), 0_usize..28), |(random, place)| {
            let bits = HARD.get(place / 2).copied().filter(|_| random % 2 == 0).unwrap_or(random);
            let value = f32::from_bits(bits);
            let mut rig = Rig::with(quick_limits).booted();
            let mut command: Command = rig.command(Source::Pilot, 0.0, 0.0);
            let point = &mut command.points[0];
            *(if place % 2 == 0 { &mut point.steering } else { &mut point.throttle }) = value;
            rig.write(Source::Pilot, command);
            let outcome = rig.cycle();
            let good = value.is_finite() && value.abs() <= 1.05;
            prop_assert_eq!(outcome.owner.get() == Some(Source::Pilot), good, "{}", value);
            prop_assert!(kept_floats(rig.kernel.state()).all(is_tame));
            let asked = [outcome.asked.steering, outcome.asked.throttle][place % 2];
            let expected = match good {
                true if value.is_normal() => value.clamp(-1.0, 1.0),
                true | false => 0.0,
            };
            prop_assert_eq!(asked.to_bits(), expected.to_bits());
            Ok(())
        })
        .unwrap();
}

/// A robot in Disarmed, good to go but for what the dice do to it.
fn nearly_ready(dice: &mut Dice) -> Rig {
    let real = dice.one_in(4);
    let mut rig = Rig::with(|limits| {
        quick_limits(limits);
        limits.flags = rt_wire::LimitsFlags::EMPTY
            .with(rt_wire::LimitsFlags::REAL_BOARD, real)
            .with(rt_wire::LimitsFlags::REQUIRE_LOG, dice.one_in(8));
        limits.heartbeats_required = if dice.one_in(8) { 1 << dice.below(6) } else { 0 };
        if dice.one_in(20) {
            limits.level_forward_max = 0;
            limits.level_reverse_max = 0;
        }
    })
    .booted();
    if real {
        let fit = HousekeepingFlags::REALTIME | HousekeepingFlags::MEMORY_LOCKED;
        rig.housekeeping(fit, !dice.one_in(4));
    }
    rig
}

/// One thing that may or may not keep the car from being armed.
fn disturb(rig: &mut Rig, dice: &mut Dice) {
    let source = [Source::Teleop, Source::Inference, Source::Pilot][dice.below(3) as usize];
    match dice.below(18) {
        0..5 => rig.send(source, 0.0, 0.0),
        5 => rig.send(source, 0.0, 0.3),
        6 => {
            let mut command = rig.command(source, 0.0, 0.0);
            command.flags = CommandFlags(u32::try_from(dice.below(32)).unwrap());
            command.n = u32::try_from(dice.below(3)).unwrap();
            command.expires_at = rig.now().plus(dice.below(30) * MS);
            rig.write(source, command);
        }
        7 => rig.beating[dice.below(6) as usize] ^= true,
        8 => rig.set_line(LineSet(1 << dice.below(7)), dice.one_in(2)),
        9 => rig.overran = dice.one_in(2),
        10 => {
            let garbage = [Validity::Absent, Validity::Valid, Validity::Failed];
            rig.observation.imu.validity = Raw::new(garbage[dice.below(3) as usize]);
            rig.observation.imu.accel_m_per_s2[0] = if dice.one_in(2) { 500.0 } else { 0.0 };
        }
        11 => rig.observation.battery.volts = [7.8, 6.8, 6.5, 5.0][dice.below(4) as usize],
        12 => rig.inbox.commands[dice.below(3) as usize].arrival = Raw::new(Arrival::Corrupt),
        13 => rig.inbox.commands[dice.below(3) as usize].generation += 1,
        14 => rig.housekeeping(HousekeepingFlags(1 << dice.below(4)), dice.one_in(2)),
        15 => {
            rig.cycle_after(dice.below(20) * MS);
        }
        16 => {
            rig.cycles(u32::try_from(1 + dice.below(40)).unwrap());
        }
        _ => rig.inbox.housekeeping.major_faults = dice.below(8) / 7,
    }
}

#[test]
fn the_list_of_interlocks_is_empty_exactly_where_an_arm_request_arms() {
    let (mut armed, mut refused, mut told) = (0, 0, 0_u32);
    for seed in 0..4000 {
        let dice = &mut Dice(seed);
        let mut rig = nearly_ready(dice);
        for _ in 0..dice.below(12) {
            disturb(&mut rig, dice);
        }
        if rig.mode() != Mode::Disarmed {
            continue;
        }
        rig.operator(OperatorKind::Arm);
        let outcome = rig.cycle();
        let arms = outcome.mode.get() == Some(Mode::Arming);
        let list: Vec<_> = outcome.interlocks.interlocks().collect();
        assert_eq!(arms, list.is_empty(), "seed {seed}: {list:?}, {:?}", outcome.causes);
        if arms {
            armed += 1
        } else {
            refused += 1
        }
        told |= outcome.interlocks.0;
    }
    assert!(armed > 200 && refused > 200, "{armed} armed, {refused} refused");
    // All that can hold in Disarmed have been seen to.
    let possible: Vec<_> = rt_wire::InterlockSet(told).names().collect();
    assert!(possible.len() >= 13, "{possible:?}");
}
