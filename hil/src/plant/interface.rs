//! What goes into the world and what an observer sees of it.
//!
//! Decides nothing. What a robot may know of the world is not here but in `sensors`.
//! Tests: `tests/plant/`.

use super::sensors::Cuts;
use super::vehicle::Motion;

/// What the robot's output pins carry. By default all float: no pulses, relay off.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Inputs {
    /// Steering pulse, µs; outside `pulses.valid_*` (or NaN) there is no pulse.
    pub steering_pulse_us: f64,
    /// Throttle pulse, µs; outside `pulses.valid_*` (or NaN) there is no pulse.
    pub throttle_pulse_us: f64,
    /// The relay pin.
    pub relay_on: bool,
    /// Edges on the heartbeat pin since its writer started.
    pub heartbeat_edges: u64,
    /// The heartbeat pin's level.
    pub heartbeat_level: bool,
}

/// What a person does to the car.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lines {
    /// The mushroom is down: both contacts open, and so does the motor circuit.
    pub estop_pressed: bool,
    /// The reset button is held.
    pub reset_pressed: bool,
    /// The arm button is held.
    pub arm_pressed: bool,
}

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Contact A reads open whatever the mushroom does.
    pub estop_a_stuck_open: bool,
    /// Contact B reads open whatever the mushroom does.
    pub estop_b_stuck_open: bool,
    /// The heartbeat wire is cut: no edge arrives.
    pub heartbeat_cut: bool,
    /// The relay's contact is welded shut.
    pub relay_welded: bool,
    /// The wheels are blocked: a wall, a cable around the axle.
    pub wheels_blocked: bool,
    /// Sensors without a signal.
    pub cut: Cuts,
    /// Temperature of the processor instead of `sensors.temperature_c`.
    pub soc_temperature_c: Option<f64>,
}

/// What an observer of the car sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlantStatus {
    /// The instant that the world has reached.
    pub time_ns: u64,
    /// True motion of the centre of gravity.
    pub motion: Motion,
    /// True angle of the front wheels, positive left.
    pub steering_rad: f64,
    /// Road covered by the centre of gravity, either way.
    pub distance_m: f64,
    /// Complete laps.
    pub laps: u64,
    /// Time of the last complete lap.
    pub last_lap_ns: Option<u64>,
    /// Shortest complete lap.
    pub best_lap_ns: Option<u64>,
    /// Progress along the centre line since the start.
    pub progress_m: f64,
    /// Beside the centre line, positive left.
    pub beside_m: f64,
    /// Whether a wheel is outside.
    pub is_off_track: bool,
    /// Excursions so far.
    pub off_track_count: u64,
    /// Time outside in all.
    pub off_track_ns: u64,
    /// Whether the motor has no power.
    pub power_cut: bool,
    /// Since when; absent while it has power.
    pub power_cut_since_ns: Option<u64>,
    /// Whether the monostable lets the relay be on.
    pub monostable_on: bool,
    /// The last heartbeat edge.
    pub last_edge_ns: Option<u64>,
    /// Readings of the heartbeat pin whose level and count contradict each other.
    pub heartbeat_mismatch_count: u64,
    /// Whether the speed controller has booted and drives.
    pub controller_ready: bool,
    /// True battery voltage.
    pub battery_v: f64,
    /// Charge of the battery, 0 to 1.
    pub battery_charge: f64,
    /// Time that was not simulated because the caller came too late.
    pub skipped_ns: u64,
    /// Names the parameters.
    pub params_hash: u64,
}
