//! The bridge between the plant and the robot's records.

use hil::bridge::{self, Truth};
use hil::plant::{Cuts, Faults, Inputs, Lines, Plant, PlantParams};
use rt_wire::{LineSet, Microseconds, PulseFlags, SimPins, Validity};

const START_NS: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

fn plant() -> Plant {
    let track = rt_config::Track::builtin("oval").expect("a built-in track");
    let track = bridge::track(&track).expect("valid for the plant too");
    Plant::new(PlantParams::donkey_1_10(), track, 1, START_NS)
}

fn pins(edges: u64, relay: bool) -> SimPins {
    let mut pins = SimPins { heartbeat_edges: edges, ..SimPins::default() };
    pins.heartbeat_level = u32::from(edges % 2 == 1);
    pins.pulses.steering = Microseconds(1700);
    pins.pulses.throttle = Microseconds(1500);
    pins.pulses.flags = PulseFlags::EMPTY.with(PulseFlags::RELAY, relay);
    pins
}

/// Steps a millisecond at a time with a heartbeat that toggles, and returns the last pins.
fn drive(plant: &mut Plant, from_ms: u64, to_ms: u64, edges_stop_ms: u64) -> Inputs {
    let mut inputs = Inputs::default();
    for ms in from_ms..to_ms {
        inputs = bridge::inputs(&pins(ms.min(edges_stop_ms), true));
        plant.step(START_NS + (ms + 1) * MS, &inputs);
    }
    inputs
}

#[test]
fn pins_that_were_never_driven_are_no_pulses_and_no_power() {
    assert_eq!(bridge::inputs(&SimPins::default()), Inputs::default());
    let driven = bridge::inputs(&pins(7, true));
    assert_eq!((driven.steering_pulse_us, driven.throttle_pulse_us), (1700.0, 1500.0));
    assert!(driven.relay_on && driven.heartbeat_level);
    assert_eq!(driven.heartbeat_edges, 7);
}

#[test]
fn sensors_that_have_not_spoken_are_absent_and_cut_ones_have_failed() {
    let mut plant = plant();
    let before = bridge::observation(&plant.sensors());
    assert_eq!(before.pose.validity.get(), Some(Validity::Absent));
    assert_eq!(before.lines.validity.get(), Some(Validity::Valid));
    drive(&mut plant, 0, 600, 600);
    let after = bridge::observation(&plant.sensors());
    for validity in [
        after.pose.validity,
        after.imu.validity,
        after.wheel.validity,
        after.battery.validity,
        after.temperature.validity,
    ] {
        assert_eq!(validity.get(), Some(Validity::Valid));
    }
    assert_eq!(after.power.validity.get(), Some(Validity::Absent));
    assert!(after.pose.mono_ns.0 > START_NS + 580 * MS, "each reading carries its own instant");
    plant.set_faults(Faults { cut: Cuts { pose: true, ..Cuts::default() }, ..Faults::default() });
    drive(&mut plant, 600, 650, 650);
    let cut = bridge::observation(&plant.sensors());
    assert_eq!(cut.pose.validity.get(), Some(Validity::Failed));
    assert!(cut.pose.mono_ns.0 <= START_NS + 601 * MS, "with its old instant");
}

#[test]
fn lines_are_told_in_the_positive_sense() {
    let mut plant = plant();
    let quiet = bridge::observation(&plant.sensors()).lines.set;
    assert_eq!(quiet, LineSet::RELAY_FEEDBACK_FITTED);
    plant.set_lines(Lines { estop_pressed: true, reset_pressed: true, arm_pressed: false });
    let pressed = bridge::observation(&plant.sensors()).lines.set;
    assert!(pressed.has(LineSet::ESTOP_A_OPEN | LineSet::ESTOP_B_OPEN | LineSet::RESET_PRESSED));
    assert!(!pressed.has(LineSet::ARM_PRESSED));
    plant.set_lines(Lines::default());
    drive(&mut plant, 0, 50, 50);
    assert!(bridge::observation(&plant.sensors()).lines.set.has(LineSet::RELAY_CLOSED));
}

#[test]
fn a_heartbeat_that_stops_is_told_as_a_cut_and_a_relay_switched_off_is_not() {
    let mut plant = plant();
    let mut truth = Truth::default();
    let inputs = drive(&mut plant, 0, 100, 100);
    let running = truth.status(&plant, &inputs);
    assert_eq!(running.power_cut_at.0, 0);
    assert!(running.track_length_m > 10.0);
    let inputs = drive(&mut plant, 100, 200, 120);
    let dead = truth.status(&plant, &inputs);
    let after_ms = dead.power_cut_at.since(dead.last_heartbeat_edge_at) / MS;
    assert!((30..=50).contains(&after_ms), "cut {after_ms} ms after the last edge");
    let off = bridge::inputs(&pins(200, false));
    plant.step(START_NS + 300 * MS, &off);
    assert_eq!(truth.status(&plant, &off).power_cut_at.0, 0);
}
