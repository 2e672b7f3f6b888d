//! Controlled stops, faults, and what steering does meanwhile.

use super::{Event, has_rule};
use crate::support::{Rig, is_dead};
use Source::{Inference, Pilot, Teleop};
use rt_wire::{
    CommandFlags, Fault, HousekeepingFlags, IntegrityFlags, LineSet, Microseconds, Mode,
    OperatorKind, PulseFlags, Raw, Rule, Source,
};

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
        // It was disarmed: that nobody owns since then is no cause of its own.
        assert!(!rig.latched(Fault::OwnerReleased) && !rig.latched(Fault::OwnerStale));
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
    for (flag, fault) in [
        (HousekeepingFlags::CONFIG_CORRUPT, Fault::ConfigCorrupt),
        (HousekeepingFlags::CANARY_CHANGED, Fault::CanaryChanged),
    ] {
        let mut rig = Rig::active(Pilot);
        rig.drive(Pilot, 0.0, 0.5, 100);
        rig.housekeeping(flag, true);
        let outcome = rig.cycle();
        assert_eq!(outcome.mode.get(), Some(Mode::Fault));
        assert!(outcome.causes.contains(fault) && is_dead(&outcome, rig.kernel.limits()));
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
fn a_memory_whose_mode_or_owner_means_nothing_is_a_fault() {
    for in_mode in [true, false] {
        let rig = Rig::active(Pilot);
        let mut keyframe = *rig.kernel.state();
        if in_mode {
            keyframe.mode = Raw::from_bits(8);
        } else {
            keyframe.owner = Raw::from_bits(4);
        }
        let mut kernel = rt_control::Kernel::resume(rig.kernel.limits(), &keyframe).unwrap();
        let outcome = kernel.step(&rig.release, &rig.observation, &rig.inbox);
        assert_eq!(outcome.mode.get(), Some(Mode::Fault));
        assert!(outcome.causes.contains(Fault::KernelMirror));
    }
}

#[test]
fn a_memory_that_differs_from_its_mirror_is_a_fault() {
    let mut rig = Rig::active(Pilot);
    rig.observation.integrity = IntegrityFlags::MIRROR_MISMATCH;
    let outcome = rig.cycle();
    assert_eq!(outcome.mode.get(), Some(Mode::Fault));
    assert!(outcome.causes.contains(Fault::KernelMirror));
}

#[test]
fn a_memory_of_steering_beyond_full_lock_is_brought_back_by_the_slew_and_never_driven() {
    for (sign, pulse) in [(1, Microseconds(2000)), (-1, Microseconds(1000))] {
        let rig = Rig::active(Pilot);
        let mut keyframe = *rig.kernel.state();
        keyframe.steering_micro = sign * 2_000_000;
        // Held, as in every stop.
        keyframe.mode = Raw::new(Mode::EStopLatched);
        let mut kernel = rt_control::Kernel::resume(rig.kernel.limits(), &keyframe).unwrap();
        let outcome = kernel.step(&rig.release, &rig.observation, &rig.inbox);
        assert_eq!(outcome.pulses.steering, pulse);
        assert_eq!(kernel.state().steering_micro, sign * 1_990_000);
    }
}
