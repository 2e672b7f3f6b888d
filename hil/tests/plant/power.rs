//! The hardware chain: heartbeat, relay, mushroom, and what the car does without power.

use hil::plant::{Faults, Inputs, Lines};

use crate::rig::{CYCLE_NS, Rig, START_NS};

/// The instant at which power was cut, stepping half a millisecond at a time.
fn cut_after_ns(rig: &mut Rig, stop: impl FnOnce(&mut Rig)) -> u64 {
    assert!(!rig.plant.status().power_cut);
    let stopped_ns = rig.now_ns;
    stop(rig);
    for _ in 0..200 {
        rig.run(1);
        if let Some(since_ns) = rig.plant.status().power_cut_since_ns {
            return since_ns - stopped_ns;
        }
    }
    panic!("power was never cut");
}

#[test]
fn motor_has_no_power_before_the_first_edge() {
    let mut rig = Rig::new(1);
    rig.alive = false;
    rig.run(500);
    assert!(rig.plant.status().power_cut);
    assert_eq!(rig.plant.status().power_cut_since_ns, Some(START_NS));
    assert!(!rig.plant.sensors().lines.value.relay_closed);
}

#[test]
fn silent_heartbeat_drops_the_monostable_at_30_ms_and_the_relay_right_after() {
    let mut rig = Rig::armed(1);
    let mut dropped_ns = None;
    let last_edge_ns = rig.now_ns;
    assert_eq!(rig.plant.status().last_edge_ns, Some(last_edge_ns));
    rig.alive = false;
    while dropped_ns.is_none() {
        rig.run(1);
        dropped_ns = (!rig.plant.status().monostable_on).then_some(rig.now_ns - last_edge_ns);
    }
    assert_eq!(dropped_ns, Some(30 * CYCLE_NS));
    rig.run(20);
    let cut_ns = rig.plant.status().power_cut_since_ns.expect("cut") - last_edge_ns;
    assert!((34_000_000..=36_000_000).contains(&cut_ns), "{cut_ns} ns");
}

#[test]
fn stuck_pin_is_silence_whatever_its_level() {
    for level in [false, true] {
        let mut rig = Rig::armed(1);
        rig.inputs.heartbeat_level = level;
        let cut_ns = cut_after_ns(&mut rig, |rig| rig.alive = false);
        assert!(cut_ns < 50_000_000, "{cut_ns} ns");
    }
}

#[test]
fn cut_heartbeat_wire_is_silence() {
    let mut rig = Rig::armed(1);
    let cut_ns = cut_after_ns(&mut rig, |rig| {
        rig.plant.set_faults(Faults { heartbeat_cut: true, ..Faults::default() });
    });
    assert!(cut_ns < 50_000_000, "{cut_ns} ns");
}

#[test]
fn relay_pin_cuts_power_at_once_and_the_mushroom_sooner() {
    let relay_ns = cut_after_ns(&mut Rig::armed(1), |rig| rig.inputs.relay_on = false);
    let mushroom_ns = cut_after_ns(&mut Rig::armed(1), |rig| {
        rig.plant.set_lines(Lines { estop_pressed: true, ..Lines::default() });
    });
    assert!(relay_ns <= 6_000_000, "{relay_ns} ns");
    assert!(mushroom_ns <= 1_000_000, "{mushroom_ns} ns");
}

#[test]
fn welded_relay_is_seen_in_its_feedback_and_only_the_mushroom_helps() {
    let mut rig = Rig::armed(1);
    rig.plant.set_faults(Faults { relay_welded: true, ..Faults::default() });
    rig.inputs.relay_on = false;
    rig.run(100);
    assert!(rig.plant.sensors().lines.value.relay_closed);
    assert!(!rig.plant.status().power_cut);
    rig.plant.set_lines(Lines { estop_pressed: true, ..Lines::default() });
    rig.run(1);
    assert!(rig.plant.status().power_cut);
}

#[test]
fn late_observer_does_not_make_a_healthy_heartbeat_look_dead() {
    let mut rig = Rig::armed(1);
    rig.now_ns += 400 * CYCLE_NS;
    rig.inputs.heartbeat_edges += 400;
    rig.plant.step(rig.now_ns, &rig.inputs);
    let status = rig.plant.status();
    assert!(!status.power_cut && status.monostable_on, "{status:?}");
    assert_eq!(status.skipped_ns, 0);
}

#[test]
fn steps_shorter_than_the_world_s_own_lose_no_edge() {
    let mut rig = Rig::new(1);
    rig.run(100);
    for _ in 0..2000 {
        rig.now_ns += 100_000;
        // One edge in 25 ms, read alone in a call that advances nothing.
        if rig.now_ns % 25_000_000 == 100_000 {
            rig.inputs.heartbeat_edges += 1;
            rig.inputs.heartbeat_level = !rig.inputs.heartbeat_level;
        }
        rig.plant.step(rig.now_ns, &rig.inputs);
        assert!(rig.plant.status().monostable_on);
    }
}

#[test]
fn car_stops_within_3_s_from_3_m_per_s_when_power_is_cut() {
    for speed_m_per_s in [1.0, 2.0, 3.0] {
        let mut rig = Rig::armed(1);
        rig.hold_speed(speed_m_per_s, 5000);
        assert!((rig.forward() - speed_m_per_s).abs() < 0.2, "{}", rig.forward());
        // Killed: the pins hold their last pulses, the heartbeat is silent.
        rig.alive = false;
        rig.run(3000);
        assert!(rig.plant.status().power_cut);
        assert!(rig.forward() < 0.05, "{} m/s after 3 s from {speed_m_per_s}", rig.forward());
    }
}

#[test]
fn car_stops_within_3_s_from_3_m_per_s_at_neutral_with_power() {
    let mut rig = Rig::armed(1);
    rig.hold_speed(3.0, 5000);
    rig.inputs.throttle_pulse_us = 1500.0;
    rig.run(3000);
    assert!(!rig.plant.status().power_cut);
    assert!(rig.forward() < 0.05, "{} m/s", rig.forward());
}

#[test]
fn power_that_comes_back_does_not_drive_before_neutral() {
    let mut rig = Rig::armed(1);
    rig.hold_speed(1.0, 1000);
    rig.alive = false;
    rig.run(3000);
    rig.alive = true;
    rig.run(3000);
    assert!(!rig.plant.status().power_cut);
    assert_eq!(rig.forward(), 0.0, "throttle was never neutral");
    rig.inputs.throttle_pulse_us = 1500.0;
    rig.run(600);
    rig.inputs.throttle_pulse_us = 1700.0;
    rig.run(1000);
    assert!(rig.forward() > 0.5);
}

#[test]
fn blocked_wheels_stall_the_car_under_throttle() {
    let mut rig = Rig::armed(1);
    rig.plant.set_faults(Faults { wheels_blocked: true, ..Faults::default() });
    rig.inputs.throttle_pulse_us = 1800.0;
    rig.run(1000);
    assert_eq!(rig.forward(), 0.0);
    assert!(rig.plant.status().battery_v < 7.9, "the motor draws its stall current");
}

#[test]
fn world_left_alone_for_hours_catches_up_only_a_little() {
    let mut rig = Rig::armed(1);
    let hours_ns = 3 * 3600 * 1_000_000_000;
    rig.plant.step(rig.now_ns + hours_ns, &Inputs::default());
    let status = rig.plant.status();
    assert_eq!(status.time_ns, rig.now_ns + hours_ns);
    assert_eq!(status.skipped_ns, hours_ns - 10_000_000_000);
    rig.plant.step(u64::MAX, &Inputs::default());
    rig.plant.step(u64::MAX, &Inputs::default());
    assert!(rig.plant.status().time_ns > u64::MAX - 1_000_000);
}
