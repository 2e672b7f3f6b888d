//! What makes a command bad, on the copy and before anything looks at its values.

use super::class;
use crate::support::{MS, Rig};
use Source::{Inference, Pilot, Teleop};
use rt_wire::{Arrival, Class, Command, Fault, Mode, MonoNs, Raw, Source};

/// What becomes of one more command of the pilot, good but for `edit`.
fn judged(edit: impl FnOnce(&mut Command)) -> Class {
    let mut rig = Rig::active(Pilot);
    class(&rig.send_edited(Pilot, edit), Pilot)
}

#[test]
fn values_far_out_of_range_are_refused_and_those_nearby_clamped() {
    let steering = |value: f32| judged(move |command| command.points[0].steering = value);
    let throttle = |value: f32| judged(move |command| command.points[0].throttle = value);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.06, -1.06, f32::MAX, f32::MIN] {
        assert_eq!(steering(value), Class::Bad, "{value}");
        assert_eq!(throttle(value), Class::Bad, "{value}");
        // A source's first command has none before it to differ from.
        let mut rig = Rig::active(Pilot);
        let first = rig.send_edited(Inference, |command| command.points[0].throttle = value);
        assert_eq!(class(&first, Inference), Class::Bad, "{value}");
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

#[test]
fn a_new_owner_begins_with_no_bad_commands() {
    let bad = |rig: &mut Rig, source| rig.send_edited(source, |command| command.n = 0);
    let mut rig = Rig::active(Pilot);
    bad(&mut rig, Pilot);
    bad(&mut rig, Pilot);
    rig.send(Teleop, 0.0, 0.0);
    assert_eq!(rig.cycle().owner.get(), Some(Teleop));
    assert_eq!(bad(&mut rig, Teleop).mode.get(), Some(Mode::Active));
    assert_eq!(bad(&mut rig, Teleop).mode.get(), Some(Mode::Active));
    assert_eq!(bad(&mut rig, Teleop).mode.get(), Some(Mode::SafeStop));
}

#[test]
fn an_implausible_owner_may_not_arm_again_for_a_second() {
    let mut rig = Rig::active(Pilot);
    for _ in 0..3 {
        rig.send_edited(Pilot, |command| command.n = 0);
    }
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 500).mode.get(), Some(Mode::Disarmed));
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["degraded"]);
    rig.drive(Pilot, 0.0, 0.0, 500);
    rig.send(Pilot, 0.0, 0.0);
    assert!(rig.interlocks().is_empty());
}

#[test]
fn a_corrupt_slot_kills_its_source_until_it_attaches_again() {
    let mut rig = Rig::active(Pilot);
    rig.drive(Pilot, 0.0, 0.0, 10);
    rig.send(Pilot, 0.0, 0.0);
    rig.inbox.commands[2].arrival = Raw::new(Arrival::Corrupt);
    let outcome = rig.cycle();
    assert_eq!(outcome.mode.get(), Some(Mode::Active));
    assert!(outcome.causes.contains(Fault::SourceDead));
    // What the same memory holds next is not believed, whole though it is: the owner goes stale.
    let ignored = rig.drive(Pilot, 0.0, 0.2, 1);
    assert_eq!((class(&ignored, Pilot), ignored.level), (Class::Absent, 0));
    assert!(ignored.causes.contains(Fault::SourceDead));
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 90).mode.get(), Some(Mode::Disarmed));
    assert!(rig.latched(Fault::OwnerStale));
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["no-owner", "commands-refused"]);
    // Another source is not touched, and a demand to stop is heard even from the dead.
    rig.arm(Inference);
    let stop = |command: &mut Command| command.flags |= rt_wire::CommandFlags::ESTOP;
    let estop = rig.send_edited(Pilot, stop);
    assert_eq!(estop.mode.get(), Some(Mode::EStopLatched));
    rig.inbox.commands[2].generation += 1;
    rig.send(Pilot, 0.0, 0.0);
    let alive = rig.cycle();
    assert_eq!(class(&alive, Pilot), Class::GoodAsking);
    assert!(!alive.causes.contains(Fault::SourceDead));
}

#[test]
fn a_persons_command_may_be_late_by_the_networks_buffers_and_no_more() {
    for (beyond_ns, expected) in [(0, Class::GoodAsking), (1, Class::Bad)] {
        let mut rig = Rig::active(Teleop);
        // The cycle that reads it begins a period after `now`.
        let made = MonoNs(rig.now().0 + MS - 250 * MS - beyond_ns);
        let outcome = rig.send_edited(Teleop, |command| command.mono_ns = made);
        assert_eq!(class(&outcome, Teleop), expected, "{beyond_ns} ns beyond");
    }
}

#[test]
fn throttle_that_flips_at_the_loops_rate_is_refused() {
    let flipped = |wait: u32, to: f32| {
        let mut rig = Rig::active(Pilot);
        rig.send(Pilot, 0.0, 0.6);
        rig.cycle();
        if wait > 0 {
            rig.cycles(wait);
        }
        rig.send(Pilot, 0.0, to);
        class(&rig.cycle(), Pilot)
    };
    assert_eq!(flipped(0, -0.39), Class::GoodAsking);
    assert_eq!(flipped(0, -0.41), Class::Bad);
    assert_eq!(flipped(1, -0.41), Class::GoodAsking);
    assert_eq!(flipped(1, -1.0), Class::GoodAsking);
    // Half of the range, to the bit.
    let mut rig = Rig::active(Pilot);
    rig.send(Pilot, 0.0, 0.5);
    rig.cycle();
    rig.send(Pilot, 0.0, -0.5);
    assert_eq!(class(&rig.cycle(), Pilot), Class::GoodAsking);
    // What has expired asks for nothing: there is nothing to jump from.
    for (valid_us, expected) in [(2500, Class::Bad), (1500, Class::GoodAsking)] {
        let mut rig = Rig::active(Pilot);
        let expires_at = rig.now().plus(valid_us * 1000);
        rig.send_edited(Pilot, |command| {
            command.points[0].throttle = 0.6;
            command.expires_at = expires_at;
        });
        rig.send(Pilot, 0.0, -0.6);
        assert_eq!(class(&rig.cycle(), Pilot), expected, "valid for {valid_us} µs");
    }
    // Another attach has no past, and steering may jump: the slew limit is enough for it.
    let mut rig = Rig::active(Pilot);
    rig.send(Pilot, -1.0, 1.0);
    rig.cycle();
    rig.inbox.commands[2].generation += 1;
    rig.send(Pilot, 1.0, -1.0);
    assert_eq!(class(&rig.cycle(), Pilot), Class::GoodAsking);
    rig.send(Pilot, -1.0, -1.0);
    assert_eq!(class(&rig.cycle(), Pilot), Class::GoodAsking);
}

#[test]
fn what_is_kept_of_a_command_is_finite_normal_and_no_more_than_its_points() {
    let mut rig = Rig::active(Pilot);
    rig.send_edited(Pilot, |command| {
        command.points = [rt_wire::Point {
            offset_us: 9,
            steering: f32::NAN,
            throttle: f32::INFINITY,
            reserved: 5,
        }; 8];
        command.n = 2;
        command.points[0].steering = f32::MIN_POSITIVE / 2.0;
        command.points[0].throttle = -0.0;
        command.points[1] = rt_wire::Point { offset_us: 10, ..Default::default() };
        command.points[1].steering = f32::MIN_POSITIVE;
        command.points[1].throttle = -f32::MIN_POSITIVE / 4.0;
    });
    let kept = rig.kernel.state().accepted[2].command;
    let bits = |point: &rt_wire::Point| (point.steering.to_bits(), point.throttle.to_bits());
    assert_eq!((kept.points[0].offset_us, bits(&kept.points[0])), (9, (0, 0)));
    assert_eq!(bits(&kept.points[1]), (f32::MIN_POSITIVE.to_bits(), 0));
    assert!(kept.points[2..].iter().all(|point| *point == rt_wire::Point::default()));
    assert_eq!((kept.n, kept.points[0].reserved), (2, 0));
}

#[test]
fn a_kept_command_that_is_no_number_any_more_is_a_fault() {
    for garbage in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for steering in [false, true] {
            let rig = Rig::active(Pilot);
            let mut keyframe = *rig.kernel.state();
            let point = &mut keyframe.accepted[2].command.points[0];
            *(if steering { &mut point.steering } else { &mut point.throttle }) = garbage;
            let mut kernel = rt_control::Kernel::resume(rig.kernel.limits(), &keyframe).unwrap();
            let outcome = kernel.step(&rig.release, &rig.observation, &rig.inbox);
            assert_eq!(outcome.mode.get(), Some(Mode::Fault), "{garbage}");
            assert!(outcome.causes.contains(Fault::NotFinite));
            assert_eq!((outcome.asked.steering, outcome.asked.throttle), (0.0, 0.0));
        }
    }
}
