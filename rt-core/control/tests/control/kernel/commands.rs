//! What makes a command bad, on the copy and before anything looks at its values.

use super::class;
use crate::support::{MS, Rig};
use Source::{Inference, Pilot};
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
