//! Owners, sidecars and people that fall silent or let go.

use super::class;
use crate::support::{MS, Rig};
use Source::{Inference, Pilot, Teleop};
use rt_wire::{Class, Command, CommandFlags, Fault, Mode, Sign, Source};

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
fn an_owner_that_runs_out_in_the_very_cycle_of_a_claim_is_a_stop_and_no_change_of_owner() {
    let claim = |mut rig: Rig, latency_ns: u64| {
        rig.send(Teleop, 0.0, 0.0);
        let outcome = rig.cycle_after(latency_ns);
        let told = outcome.causes.contains(Fault::OwnerStale);
        (outcome.mode.get().unwrap(), outcome.owner.get().unwrap(), told)
    };
    let takes_over = (Mode::Active, Teleop, false);
    let stops = (Mode::SafeStop, Source::None, true);
    // Its command expires: at 5 ms, and the claim comes in the cycle before that or in that one.
    for (cycles, expected) in [(2, takes_over), (3, stops)] {
        let mut rig = Rig::active(Pilot);
        let expires_at = rig.now().plus(5 * MS);
        rig.send_edited(Pilot, |command| command.expires_at = expires_at);
        rig.cycles(cycles);
        assert_eq!(claim(rig, 20_000), expected, "{cycles} cycles");
    }
    // The loop skips releases: it counts one cycle, and by the clock it is 90 ms.
    for (latency_ms, expected) in [(89, takes_over), (90, stops)] {
        let mut rig = Rig::active(Pilot);
        rig.send(Pilot, 0.0, 0.0);
        rig.cycle();
        assert_eq!(claim(rig, latency_ms * MS), expected, "{latency_ms} ms");
    }
    // One that lets go in that cycle has not run out: it has let go.
    let mut rig = Rig::active(Pilot);
    let released = Command { flags: CommandFlags::EMPTY, ..rig.command(Pilot, 0.0, 0.0) };
    rig.write(Pilot, released);
    assert_eq!(claim(rig, 20_000), (Mode::SafeStop, Source::None, false));
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

#[test]
fn an_owner_is_stale_by_the_clock_even_where_releases_are_skipped() {
    let mut rig = Rig::active(Pilot);
    rig.drive(Pilot, 0.0, 0.2, 11);
    let heard_at = rig.now();
    // Each cycle wakes 2.5 periods late: no late event here, but two of three releases are skipped.
    let mut cycles = 0;
    let stopped = loop {
        let outcome = rig.cycle_after(2_500_000);
        cycles += 1;
        if outcome.mode.get() != Some(Mode::Active) {
            break outcome;
        }
        assert!(rig.now().since(heard_at) < 90 * MS, "after {cycles} cycles");
    };
    assert!(stopped.causes.contains(Fault::OwnerStale));
    assert_eq!(stopped.mode.get(), Some(Mode::SafeStop));
    assert!(cycles < 40, "{cycles}");
}

#[test]
fn an_owner_is_stale_by_its_cycles_where_the_clock_would_still_wait() {
    // Read by a cycle that woke half a millisecond late: by the clock it lives as much longer.
    let old = |mut rig: Rig| {
        rig.send(Pilot, 0.0, 0.0);
        rig.cycle_after(500_000);
        rig.cycles(89);
        rig
    };
    assert_eq!(old(Rig::disarmed()).interlocks(), ["owner-stale"]);
    let mut rig = old(Rig::active(Pilot));
    assert_eq!(rig.mode(), Mode::Active);
    let stops = rig.cycle();
    assert_eq!(stops.mode.get(), Some(Mode::SafeStop));
    assert!(stops.causes.contains(Fault::OwnerStale));
}

#[test]
fn an_old_owner_is_no_cause_while_nothing_drives() {
    let mut rig = Rig::disarmed();
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.cycle().owner.get(), Some(Pilot));
    let outcome = rig.cycles(2000);
    assert_eq!(outcome.owner.get(), Some(Pilot));
    assert_eq!(rig.interlocks(), ["owner-stale"], "and nothing is degraded");
    assert!(!rig.latched(Fault::OwnerStale));
}

#[test]
fn a_lost_camera_stops_the_policy_that_looked_through_it_and_nobody_else() {
    const CAMERA: usize = 4;
    for (owner, stops) in [(Inference, true), (Pilot, false), (Teleop, false)] {
        let mut rig = Rig::active(owner);
        rig.beating[CAMERA] = false;
        assert_eq!(rig.drive(owner, 0.0, 0.0, 499).mode.get(), Some(Mode::Active), "late only");
        let outcome = rig.drive(owner, 0.0, 0.0, 1);
        assert_eq!(outcome.causes.contains(Fault::CameraLost), stops, "{owner}");
        assert_eq!(outcome.mode.get() == Some(Mode::SafeStop), stops, "{owner}");
    }
    // A policy that never had a camera drives without one; where it is required, nobody does.
    for required in [false, true] {
        let bits = u32::from(required) << CAMERA;
        let mut rig = Rig::with(|limits| limits.heartbeats_required = bits);
        rig.beating[CAMERA] = false;
        let mut rig = rig.booted();
        rig.send(Inference, 0.0, 0.0);
        assert_eq!(rig.interlocks() == ["degraded"], required);
        let outcome = rig.cycle();
        assert_eq!(outcome.causes.contains(Fault::CameraLost), required);
        assert!(!outcome.causes.contains(Fault::HeartbeatLost));
    }
}
