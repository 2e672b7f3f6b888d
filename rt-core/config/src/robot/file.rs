//! The robot file as typed: every key with its type, default, range, unit and one sentence, in one
//! place.
//!
//! The JSON Schema, the checks of type and range, and `continuon config explain` are all made from
//! this table; rules between keys stand in rules.rs. Defaults are such that a missing key cannot
//! make the car move or move farther. Tests: tests/robots.rs, tests/bad_robots.rs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block of the robot file: `key: type = default, min..=max "unit";` with its sentence above it.
macro_rules! block {
    ($(#[$meta:meta])* pub struct $Block:ident {
        $($(#[$key_meta:meta])* $key:ident: $type:ty = $default:expr
            $(, $min:literal..=$max:literal $unit:literal)?;)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Block {$(
            $(#[$key_meta])*
            $(#[schemars(range(min = $min, max = $max), extend("x-unit" = $unit))])?
            pub $key: $type,
        )*}

        impl Default for $Block {
            fn default() -> Self {
                Self { $($key: $default),* }
            }
        }
    };
}

/// One robot: everything its processes need to know about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Continuon robot file")]
pub struct RobotFile {
    /// Path or address of the JSON Schema, for editors; the runtime does not read it.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The robot's name, first part of every segment's name: 1 to 24 of a-z, 0-9 and `-`, beginning
    /// with a letter.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,23}$"))]
    pub name: String,
    /// Which board drives the pins; every board but `sim` moves something real, and its limits may
    /// not be loosened.
    pub board: Board,
    /// What this robot is, for people, and why its unusual values are as they are.
    #[serde(default)]
    pub description: String,
    /// When the loop runs, and from when on it is too late.
    #[serde(default)]
    pub timing: Timing,
    /// How steering and throttle become pulses.
    #[serde(default)]
    pub calibration: Calibration,
    /// Header pins (BCM numbers), beside those of the two servo outputs.
    #[serde(default)]
    pub pins: Pins,
    /// What is on the buses.
    #[serde(default)]
    pub sensors: Sensors,
    /// Sizes of the car.
    #[serde(default)]
    pub geometry: Geometry,
    /// How far and how fast the outputs may go, and how they stop.
    #[serde(default)]
    pub limits: LimitsBlock,
    /// How long something may stay silent or odd before it counts.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// The drive battery.
    #[serde(default)]
    pub battery: Battery,
    /// The computer's chip.
    #[serde(default)]
    pub soc: Soc,
    /// Which other processes must be alive.
    #[serde(default)]
    pub sidecars: Sidecars,
    /// Which user each process must run as, to be handed its segments.
    #[serde(default)]
    pub uids: Uids,
    /// Who may arm, disarm and reset over `operator.sock`; anyone may e-stop.
    #[serde(default)]
    pub operators: Operators,
    /// The `pilot` process: pure pursuit and a speed controller.
    #[serde(default)]
    pub pilot: Pilot,
    /// The `teleop` process: a person at a gamepad or a keyboard.
    #[serde(default)]
    pub teleop: Teleop,
    /// The `rlds-logger` process.
    #[serde(default)]
    pub rlds_logger: RldsLogger,
}

/// What drives the pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Board {
    /// A simulated car in another process.
    Sim,
    /// Raspberry Pi 5: PWM and pins of its RP1.
    Pi5,
}

impl Board {
    /// Whether it moves something that can hurt.
    pub fn is_real(self) -> bool {
        self != Self::Sim
    }
}

/// Whether the loop sleeps until its release, or wakes before it and spins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpinMode {
    /// Sleeps until the release.
    Off,
    /// Wakes `spin_window_us` early.
    Fixed,
    /// Wakes early by the measured wake-up latency, at most `spin_window_us`.
    Auto,
}

block! {
    /// When the loop runs, and from when on it is too late.
    pub struct Timing {
        /// Nominal time between two releases of the loop.
        period_us: u32 = 1000, 250..=20_000 "µs";
        /// A cycle must finish this long after its release, else it is an overrun; at most the
        /// period.
        deadline_us: u32 = 1000, 50..=20_000 "µs";
        /// A wake-up latency or execution time longer than this is a late event; on a real board at
        /// most half the period.
        late_after_us: u32 = 500, 25..=1_000_000 "µs";
        /// This many late events in a row stop the car; on a real board at most 2.
        late_consecutive: u32 = 2, 1..=1000 "events";
        /// This many late events within 1000 cycles stop the car; on a real board at most 5.
        late_per_1000: u32 = 5, 1..=1000 "events";
        /// A wake-up this late, or a cycle that runs for this long, trips the e-stop, because the
        /// outputs were held for as long; on a real board at most 20 ms.
        neutral_after_us: u32 = 20_000, 500..=2_000_000 "µs";
        /// Whether the loop spins before its release: CPU time traded for less output jitter.
        spin_mode: SpinMode = SpinMode::Off;
        /// How long before the release the loop wakes (`fixed`), or may wake at most (`auto`); at
        /// most half the period.
        spin_window_us: u32 = 50, 0..=10_000 "µs";
        /// The core that the loop is pinned to, or null for none.
        cpu: Option<u32> = None, 0..=1023 "core number";
        /// SCHED_FIFO priority of the loop thread.
        priority: u8 = 80, 1..=98 "priority";
    }
}

block! {
    /// How steering and throttle become pulses.
    pub struct Calibration {
        /// How many pulses a second the servo and the ESC are sent.
        pwm_hz: u32 = 50, 40..=400 "Hz";
        /// Steering servo: `max_us` is full left, `min_us` full right.
        steering: Servo = Servo::default();
        /// Motor controller: `max_us` is full forward, `min_us` full reverse.
        throttle: Servo = Servo::default();
    }
}

block! {
    /// One servo output; as long as all three pulses are equal it cannot move.
    pub struct Servo {
        /// BCM number of its PWM pin (12, 13, 14, 15, 18 or 19 on a Raspberry Pi 5); null on `sim`.
        pin: Option<u8> = None, 0..=27 "BCM pin";
        /// Shortest pulse.
        min_us: u16 = 1500, 500..=2500 "µs";
        /// Pulse at straight on, or at rest; between the two others.
        neutral_us: u16 = 1500, 500..=2500 "µs";
        /// Longest pulse.
        max_us: u16 = 1500, 500..=2500 "µs";
        /// Whether the servo turns the other way round: swaps what `min_us` and `max_us` mean.
        reversed: bool = false;
    }
}

block! {
    /// Header pins (BCM numbers); null: not fitted.
    pub struct Pins {
        /// Sense contact of the e-stop loop, normally closed: an open wire is an e-stop. Needed on
        /// a real board.
        estop_pin: Option<u8> = None, 0..=27 "BCM pin";
        /// Second channel of the e-stop loop.
        estop_b_pin: Option<u8> = None, 0..=27 "BCM pin";
        /// Reset button.
        reset_pin: Option<u8> = None, 0..=27 "BCM pin";
        /// Arm button.
        arm_pin: Option<u8> = None, 0..=27 "BCM pin";
        /// Square wave that keeps the motor relay's pump alive. Needed on a real board; 9 to 27,
        /// pulled down at boot.
        heartbeat_pin: Option<u8> = None, 0..=27 "BCM pin";
        /// Motor relay. Needed on a real board; 9 to 27, pulled down at boot.
        relay_pin: Option<u8> = None, 0..=27 "BCM pin";
        /// Contact of the relay that tells whether it really moved.
        relay_feedback_pin: Option<u8> = None, 0..=27 "BCM pin";
        /// Wheel encoder, one pulse a tick.
        encoder_pin: Option<u8> = None, 0..=27 "BCM pin";
    }
}

block! {
    /// What is on the buses; null: not fitted.
    pub struct Sensors {
        /// Number of the I²C bus; bus 1 takes pins 2 and 3.
        i2c_bus: Option<u8> = None, 0..=15 "bus number";
        /// I²C address of the IMU (104 is 0x68).
        imu_i2c_address: Option<u8> = None, 8..=119 "I²C address";
        /// I²C address of the battery monitor (65 is 0x41).
        battery_i2c_address: Option<u8> = None, 8..=119 "I²C address";
        /// Encoder ticks in one turn of a wheel.
        encoder_ticks_per_turn: u32 = 20, 1..=100_000 "ticks";
    }
}

block! {
    /// Sizes of the car.
    pub struct Geometry {
        /// Distance between the axles.
        wheelbase_m: f64 = 0.33, 0.05..=3.0 "m";
        /// Distance between the left and the right wheels, middle to middle.
        track_width_m: f64 = 0.25, 0.03..=2.0 "m";
        /// Angle of the front wheels at full lock, either side.
        max_steering_angle_rad: f64 = 0.4189, 0.05..=1.2 "rad";
        /// How far one turn of a wheel goes.
        wheel_circumference_m: f64 = 0.33, 0.02..=3.0 "m";
    }
}

block! {
    /// How far and how fast the outputs may go, and how they stop.
    pub struct LimitsBlock {
        /// Largest forward throttle, as a share of full; 0 cannot move.
        throttle_max: f64 = 0.0, 0.0..=1.0 "of full throttle";
        /// Largest reverse throttle, as a share of full; 0 never reverses.
        reverse_max: f64 = 0.0, 0.0..=1.0 "of full throttle";
        /// How fast the throttle may change; also the slope of a controlled stop.
        throttle_slew_per_s: f64 = 2.0, 0.05..=100.0 "of full throttle per s";
        /// How fast the steering may change; full left to full right is 2.
        steering_slew_per_s: f64 = 8.0, 0.05..=1000.0 "of full lock per s";
        /// How long Arming holds neutral while the ESC starts and the buzzer warns; on a real board
        /// at least 1000.
        arming_ms: u32 = 1000, 50..=10_000 "ms";
        /// A controlled stop has reached neutral after this; on a real board at most 500.
        safe_stop_ms: u32 = 500, 50..=5000 "ms";
        /// Steering goes straight when the throttle has been neutral for this long; on a real board
        /// at least 1000.
        centre_after_ms: u32 = 1000, 0..=60_000 "ms";
        /// IEC 60204-1 category of a controlled stop: 1 ramps down, 0 cuts at once (a drive without
        /// a ramp).
        stop_category: u8 = 1, 0..=1 "category";
        /// An acceleration of this magnitude or more is an outlier of the IMU; on a real board at
        /// most 160.
        imu_max_m_per_s2: f64 = 160.0, 20.0..=2000.0 "m/s²";
        /// At this throttle, or at `throttle_max` or `reverse_max` where that is less in its direction,
        /// the wheel must turn; on a real board at most 0.3.
        stall_throttle: f64 = 0.3, 0.05..=1.0 "of full throttle";
        /// A wheel that stands still for this long under `stall_throttle` is a stall; on a real
        /// board at most 1000.
        stall_after_ms: u32 = 1000, 100..=60_000 "ms";
        /// A wheel this slow, or slower, counts as still; above what the encoder's noise shows.
        standstill_m_per_s: f64 = 0.05, 0.005..=1.0 "m/s";
        /// With neutral throttle the car slows down at least by this, whatever the ESC and the floor;
        /// measure it on the smoothest floor, and take a third off for slopes. On a real board more than
        /// 0.
        coast_down_min_m_per_s2: f64 = 0.3, 0.0..=10.0 "m/s²";
        /// How far the measured speed may be above that coast-down: noise of the encoder, lag of the
        /// ESC. On a real board at most 0.5.
        runaway_margin_m_per_s: f64 = 0.3, 0.02..=5.0 "m/s";
        /// A wheel above its coast-down for this long is a runaway, an e-stop; on a real board at
        /// most 500.
        runaway_after_ms: u32 = 500, 50..=60_000 "ms";
    }
}

block! {
    /// How long something may stay silent or odd before it counts; on a real board never longer
    /// than the default.
    pub struct Timeouts {
        /// A driving `teleop` that sends no good command for this long is stale: the car stops.
        teleop_stale_ms: u32 = 140, 20..=5000 "ms";
        /// A driving `inference` that sends no good command for this long is stale: the car stops.
        inference_stale_ms: u32 = 190, 20..=5000 "ms";
        /// A driving `pilot` that sends no good command for this long is stale: the car stops.
        pilot_stale_ms: u32 = 90, 20..=5000 "ms";
        /// A `teleop` command made longer ago than this, by its own stamp, is refused.
        teleop_age_max_ms: u32 = 250, 20..=5000 "ms";
        /// A sidecar silent for this long is late: its commands are ignored.
        heartbeat_late_ms: u32 = 200, 20..=10_000 "ms";
        /// A required sidecar silent for this long is lost: the car stops.
        heartbeat_lost_ms: u32 = 500, 50..=60_000 "ms";
        /// A command that would stay valid for longer than this is implausible.
        command_expiry_max_ms: u32 = 1000, 20..=10_000 "ms";
        /// The two channels of the e-stop loop may disagree for this long.
        estop_discrepancy_ms: u32 = 20, 1..=1000 "ms";
        /// The relay's feedback may contradict its command for this long.
        relay_feedback_ms: u32 = 100, 1..=1000 "ms";
        /// The computer's supply may be low for this long.
        undervoltage_ms: u32 = 1000, 0..=60_000 "ms";
        /// A reset press must last at least this long; on a real board at least the default.
        reset_press_min_ms: u32 = 50, 1..=5000 "ms";
        /// A longer reset press is a stuck button.
        reset_press_max_ms: u32 = 2000, 10..=60_000 "ms";
    }
}

block! {
    /// The drive battery; thresholds are per cell, on a real board never below the default.
    pub struct Battery {
        /// Cells in series.
        cells: u32 = 2, 1..=14 "cells";
        /// Below this people are warned: about a fifth of the charge is left.
        warn_v_per_cell: f64 = 3.5, 2.0..=4.5 "V per cell";
        /// Below this for `degraded_ms` the car stops and cannot be armed.
        degraded_v_per_cell: f64 = 3.3, 2.0..=4.5 "V per cell";
        /// Below this the e-stop trips: the cells are being damaged.
        critical_v_per_cell: f64 = 3.0, 2.0..=4.5 "V per cell";
        /// How long the battery may be low before it counts; on a real board at most 2000.
        degraded_ms: u32 = 2000, 0..=60_000 "ms";
    }
}

block! {
    /// The computer's chip; on a real board never above the default.
    pub struct Soc {
        /// From here on people are warned.
        warn_c: f64 = 75.0, 30.0..=120.0 "°C";
        /// From here on, for `degraded_ms`, the car stops and cannot be armed.
        degraded_c: f64 = 82.0, 30.0..=120.0 "°C";
        /// From here on the e-stop trips.
        critical_c: f64 = 88.0, 30.0..=120.0 "°C";
        /// How long the chip may be hot before it counts; on a real board at most 5000.
        degraded_ms: u32 = 5000, 0..=60_000 "ms";
    }
}

/// A process that tells the loop that it lives; the order is that of `rt_wire::HEARTBEAT_SOURCES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the process of its name")]
pub enum Sidecar {
    Teleop,
    Inference,
    Pilot,
    RldsLogger,
    Camera,
    Trainer,
}

block! {
    /// Which other processes must be alive.
    pub struct Sidecars {
        /// Sidecars whose lost heartbeat stops the car and forbids arming, whether they drive or
        /// not.
        #[schemars(length(max = 6))]
        required: Vec<Sidecar> = Vec::new();
        /// No arming while nothing records; a running drive goes on.
        require_log: bool = false;
    }
}

block! {
    /// The user id of each process; null: the same user as the loop ("isolation: none" in the
    /// report), which a real board does not allow.
    pub struct Uids {
        /// User of `teleop`.
        teleop: Option<u32> = None, 0..=4_294_967_294_u32 "uid";
        /// User of `inference`.
        inference: Option<u32> = None, 0..=4_294_967_294_u32 "uid";
        /// User of `pilot`.
        pilot: Option<u32> = None, 0..=4_294_967_294_u32 "uid";
        /// User of `rlds-logger`.
        rlds_logger: Option<u32> = None, 0..=4_294_967_294_u32 "uid";
        /// User of `camera`.
        camera: Option<u32> = None, 0..=4_294_967_294_u32 "uid";
        /// User of `trainer`.
        trainer: Option<u32> = None, 0..=4_294_967_294_u32 "uid";
        /// User of `gateway`.
        gateway: Option<u32> = None, 0..=4_294_967_294_u32 "uid";
        /// User of `plant`, the simulated car; only on `sim`.
        plant: Option<u32> = None, 0..=4_294_967_294_u32 "uid";
    }
}

block! {
    /// Who may arm, disarm and reset; user 0 and the loop's own user always may.
    pub struct Operators {
        /// User ids.
        #[schemars(length(max = 32))]
        uids: Vec<u32> = Vec::new();
    }
}

block! {
    /// The `pilot` process: pure pursuit on the pose and a speed controller.
    pub struct Pilot {
        /// How often it sends a command; within `timeouts.pilot_stale_ms` at least two.
        rate_hz: u32 = 50, 5..=500 "Hz";
        /// How long each command stays valid; at least one of its periods, at most
        /// `timeouts.command_expiry_max_ms`.
        command_valid_ms: u32 = 80, 5..=10_000 "ms";
        /// Lookahead at standstill.
        lookahead_base_m: f64 = 0.40, 0.02..=10.0 "m";
        /// How much the lookahead grows with speed.
        lookahead_gain_s: f64 = 0.15, 0.0..=5.0 "m per m/s";
        /// Never faster than this.
        speed_max_m_per_s: f64 = 2.2, 0.05..=30.0 "m/s";
        /// Slows for bends so that the sideways acceleration stays below this.
        lateral_accel_max_m_per_s2: f64 = 3.5, 0.1..=30.0 "m/s²";
        /// Speeds up no harder than this.
        accel_max_m_per_s2: f64 = 2.0, 0.05..=30.0 "m/s²";
        /// Brakes before a bend no harder than this.
        brake_max_m_per_s2: f64 = 2.0, 0.05..=30.0 "m/s²";
        /// Throttle that just overcomes dead-band and friction; added while a speed is wanted.
        throttle_friction: f64 = 0.0, 0.0..=0.5 "of full throttle";
        /// Throttle for each m/s of wanted speed, without any correction.
        speed_feedforward_per_m_per_s: f64 = 0.12, 0.0..=10.0 "throttle per m/s";
        /// Throttle for each m/s of speed error.
        speed_kp_per_m_per_s: f64 = 0.25, 0.0..=10.0 "throttle per m/s";
        /// Throttle for each metre of summed speed error.
        speed_ki_per_m: f64 = 0.15, 0.0..=10.0 "throttle per m";
        /// Throttle for each m/s² by which the speed error changes.
        speed_kd_per_m_per_s2: f64 = 0.0, 0.0..=10.0 "throttle per m/s²";
    }
}

block! {
    /// The `teleop` process: a person at a gamepad or a keyboard.
    pub struct Teleop {
        /// How often it sends a command; within `timeouts.teleop_stale_ms` at least two.
        rate_hz: u32 = 50, 5..=200 "Hz";
        /// How long each command stays valid; at least one of its periods, at most
        /// `timeouts.teleop_stale_ms`.
        command_valid_ms: u32 = 120, 5..=5000 "ms";
        /// Forward throttle at the end of the stick; `limits.throttle_max` holds besides, and 0
        /// cannot move.
        throttle_max: f64 = 0.0, 0.0..=1.0 "of full throttle";
        /// Reverse throttle at the end of the stick; `limits.reverse_max` holds besides, and 0 never
        /// reverses.
        reverse_max: f64 = 0.0, 0.0..=1.0 "of full throttle";
        /// A stick nearer to its middle than this is in the middle.
        dead_zone: f64 = 0.08, 0.0..=0.5 "of the way";
        /// How gentle the stick is around its middle: 0 is straight, 1 is its third power.
        expo: f64 = 0.3, 0.0..=1.0 "share";
        /// A terminal tells no release of a key: a key that repeats counts as held for this long
        /// after it was last heard; on a real board at most the default.
        key_hold_ms: u32 = 300, 50..=2000 "ms";
        /// A key that does not repeat yet counts as held for this long, because a terminal waits
        /// before the first repeat; on a real board at most the default.
        key_first_hold_ms: u32 = 700, 50..=2000 "ms";
        /// Which button and which stick of the gamepad does what.
        pad: TeleopPad = TeleopPad::default();
    }
}

/// An axis of a gamepad, by its name in Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PadAxis {
    /// Left stick, sideways.
    AbsX,
    /// Left stick, up and down.
    AbsY,
    /// Right stick, sideways, of some pads; the left trigger of most.
    AbsZ,
    /// Right stick, sideways, of most pads.
    AbsRx,
    /// Right stick, up and down, of most pads.
    AbsRy,
    /// Right stick, up and down, of some pads; the right trigger of most.
    AbsRz,
}

/// A button of a gamepad, by its name in Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PadButton {
    /// The lowest of the four: A, or a cross.
    BtnSouth,
    /// The right one of the four: B, or a circle.
    BtnEast,
    /// The upper one of the four: Y, or a triangle.
    BtnNorth,
    /// The left one of the four: X, or a square.
    BtnWest,
    /// Left shoulder.
    BtnTl,
    /// Right shoulder.
    BtnTr,
    /// Left trigger, on pads where it is a button.
    BtnTl2,
    /// Right trigger, on pads where it is a button.
    BtnTr2,
    /// Select, or back.
    BtnSelect,
    /// Start.
    BtnStart,
    /// The maker's button in the middle.
    BtnMode,
    /// Left stick, pressed.
    BtnThumbl,
    /// Right stick, pressed.
    BtnThumbr,
}

block! {
    /// Which button and which stick of the gamepad does what; each does one thing.
    pub struct TeleopPad {
        /// Stick that steers: to the left is left.
        steering_axis: PadAxis = PadAxis::AbsX;
        /// Stick of the throttle: up is forward.
        throttle_axis: PadAxis = PadAxis::AbsRy;
        /// Must be held all the time: the car stops when it is let go.
        dead_man_button: PadButton = PadButton::BtnTl;
        /// Cuts the drive at once.
        estop_button: PadButton = PadButton::BtnEast;
        /// Asks to arm, with the dead-man button held and the sticks in the middle.
        arm_button: PadButton = PadButton::BtnStart;
        /// Stops, then disarms.
        disarm_button: PadButton = PadButton::BtnSelect;
    }
}

/// The frame that poses in episodes are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrameConvention {
    /// The middle of the car.
    BaseLink,
    /// The camera.
    CameraLink,
}

/// When the recorder begins an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpisodeBegins {
    /// As soon as it runs: every cycle is in an episode.
    Start,
    /// When the car is armed; the episode ends a second after it is armed no more.
    Arm,
}

block! {
    /// The `rlds-logger` process.
    pub struct RldsLogger {
        /// Steps a second in an episode; the recording keeps every cycle besides.
        step_rate_hz: u32 = 20, 1..=1000 "Hz";
        /// Folder of the episodes, from the directory of the run.
        episodes_dir: String = "rlds/episodes".to_owned();
        /// Where the robot is, in the words of the episodes' readers.
        environment_id: String = "lab".to_owned();
        /// Which model of robot this is.
        robot_model: String = "donkey-1-10".to_owned();
        /// The frame that poses are told in.
        frame_convention: FrameConvention = FrameConvention::BaseLink;
        /// When an episode begins.
        episode_begins: EpisodeBegins = EpisodeBegins::Start;
        /// An episode that lasts longer is cut, at the next keyframe; 0 or null: never.
        episode_max_s: Option<u32> = None, 0..=86_400 "s";
        /// An episode that is larger on the disk is cut, at the next keyframe; 0 or null: never.
        episode_max_mb: Option<u32> = None, 0..=1_000_000 "MB";
        /// Whether an episode is cut, to the cycle, when somebody else drives.
        new_episode_on_authority: bool = false;
        /// With less free on the disk no episode begins, and one that is being recorded is closed;
        /// 0: no guard.
        free_min_mb: u32 = 256, 0..=1_000_000 "MB";
        /// Closed episodes that are older are deleted, unless they are kept; 0 or null: never.
        keep_days: Option<u32> = None, 0..=36_500 "days";
        /// Closed episodes are deleted, the oldest first, until all take no more than this, unless
        /// they are kept; 0 or null: never.
        keep_mb: Option<u32> = None, 0..=100_000_000 "MB";
        /// What the robot is to do, in words for who learns from it: `language_instruction` of each
        /// episode's first step; empty: nobody says.
        #[schemars(length(max = 500))]
        task: String = String::new();
    }
}

impl Uids {
    /// The user that `process` (by its name, with hyphens) must run as; `None`: as the loop's own.
    pub fn of(&self, process: &str) -> Option<u32> {
        match process {
            "teleop" => self.teleop,
            "inference" => self.inference,
            "pilot" => self.pilot,
            "rlds-logger" => self.rlds_logger,
            "camera" => self.camera,
            "trainer" => self.trainer,
            "gateway" => self.gateway,
            "plant" => self.plant,
            _ => None,
        }
    }
}

impl Timing {
    /// The same timing at another rate: the deadline keeps its share of the period, and so do the
    /// late limit (where the period sets it) and the spin window's cap. Loop-independent limits
    /// stay.
    pub fn at_period_us(&self, period_us: u32) -> Self {
        let scaled = |us: u32| {
            let us = u64::from(us) * u64::from(period_us) / u64::from(self.period_us.max(1));
            u32::try_from(us).unwrap_or(u32::MAX)
        };
        let within_period = self.late_after_us <= self.period_us;
        Self {
            period_us,
            deadline_us: scaled(self.deadline_us),
            late_after_us: if within_period {
                scaled(self.late_after_us)
            } else {
                self.late_after_us
            },
            spin_window_us: self.spin_window_us.min(period_us / 2),
            ..self.clone()
        }
    }
}
