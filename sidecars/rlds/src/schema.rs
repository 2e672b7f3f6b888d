//! The RLDS contract, version 1.1, as types: names and key sets as its strict validator wants them.
//!
//! *What it decides.* Which keys stand in `metadata.json` and in a line of `steps/000000.jsonl`;
//! unknown keys are refused when reading. *What it must never do.* Grow a key that the contract does
//! not know: our own counts go into `tags`, `step_metadata`, and `episode.json`.
//!
//! A block that the robot does not have (headset, hands, gaze, glove) is there with `valid: false`
//! (gaze: confidence 0). Shown by: tests/steps.rs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the contract.
pub const SCHEMA_VERSION: &str = "1.1";

/// How the robot was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum XrMode {
    /// A person teaches in XR.
    Trainer,
    /// A person at a workstation.
    Workstation,
    /// A person looks on.
    Observer,
}

impl XrMode {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trainer => "trainer",
            Self::Workstation => "workstation",
            Self::Observer => "observer",
        }
    }
}

/// What the person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlRole {
    /// Drove.
    HumanTeleop,
    /// Watched a pilot or a policy drive.
    HumanSupervisor,
    /// Drove while developing XR.
    HumanDevXr,
}

impl ControlRole {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HumanTeleop => "human_teleop",
            Self::HumanSupervisor => "human_supervisor",
            Self::HumanDevXr => "human_dev_xr",
        }
    }
}

/// Versions of the software that took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Software {
    /// XR app; `none` without one.
    pub xr_app: String,
    /// This project.
    pub continuonbrain_os: String,
    /// Glove firmware; `none` without one.
    pub glove_firmware: String,
}

/// `metadata.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// How the robot was met; also a tag.
    pub xr_mode: XrMode,
    /// What the person did.
    pub control_role: ControlRole,
    /// Where it drove.
    pub environment_id: String,
    /// Words to find it by; ours begin with `continuon.`.
    pub tags: Vec<String>,
    /// Versions.
    pub software: Software,
    /// [`SCHEMA_VERSION`].
    pub schema_version: String,
    /// Name of the episode and of its directory.
    pub episode_id: String,
    /// Name of the robot.
    pub robot_id: String,
    /// Model of the robot.
    pub robot_model: String,
    /// Frame that poses are told in; `base_link` is x forward, y left, z up.
    pub frame_convention: String,
    /// Wall clock of the first record, in ms since 1970.
    pub start_time_unix_ms: i64,
    /// From the first record to the last, on the monotonic clock.
    pub duration_ms: i64,
}

/// One line of `steps/000000.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What was seen.
    pub observation: Observation,
    /// What was driven.
    pub action: Action,
    /// Whether the episode ended here on its own terms (a cut is no end).
    pub is_terminal: bool,
    /// Everything else, as text.
    pub step_metadata: BTreeMap<String, String>,
}

/// What was driven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The setpoint that was driven: steering (positive left) and throttle (positive forward), each
    /// in [-1, 1].
    pub command: [f32; 2],
    /// A source that the contract knows; the true one is `step_metadata.authority`.
    pub source: String,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Head of the person.
    pub headset_pose: Pose,
    /// Right hand of the person.
    pub right_hand_pose: Pose,
    /// Left hand of the person.
    pub left_hand_pose: Pose,
    /// Where the person looks.
    pub gaze: Gaze,
    /// The robot.
    pub robot_state: RobotState,
    /// The glove of the person.
    pub glove: Glove,
    /// Sample that the step is made of; equal to `depth_frame_id` and `robot_state.frame_id`.
    pub video_frame_id: String,
    /// As `video_frame_id`.
    pub depth_frame_id: String,
    /// How well things ran.
    pub diagnostics: Diagnostics,
}

/// Place and direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pose {
    /// Metres.
    pub position: [f32; 3],
    /// Unit quaternion x, y, z, w.
    pub orientation_quat: [f32; 4],
    /// Whether it may be used.
    pub valid: bool,
}

impl Pose {
    /// Nothing known.
    pub const ABSENT: Self =
        Self { position: [0.0; 3], orientation_quat: [0.0, 0.0, 0.0, 1.0], valid: false };
}

/// Where the person looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaze {
    /// Metres.
    pub origin: [f32; 3],
    /// Unit vector.
    pub direction: [f32; 3],
    /// 0 to 1; 0 where nobody looks.
    pub confidence: f32,
}

impl Gaze {
    /// Nobody looks. The direction is a unit vector all the same, as validators want it.
    pub const ABSENT: Self = Self { origin: [0.0; 3], direction: [0.0, 0.0, 1.0], confidence: 0.0 };
}

/// The robot: for a car, its one joint is the steering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotState {
    /// Monotonic clock.
    pub timestamp_nanos: i64,
    /// Steering that is driven, in [-1, 1], positive left.
    pub joint_positions: Vec<f32>,
    /// The car's pose in the track's frame.
    pub end_effector_pose: Pose,
    /// A car has no gripper: false.
    pub gripper_open: bool,
    /// Sample that the step is made of.
    pub frame_id: String,
    /// Wheel speed in m/s, positive forward.
    pub joint_velocities: Vec<f32>,
    /// Velocity (m/s) and angular rate (rad/s) in `base_link`.
    pub end_effector_twist: [f32; 6],
    /// Wall clock in ms since 1970: beside the monotonic clock, never instead of it.
    pub wall_time_millis: i64,
}

/// The glove of the person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glove {
    /// Monotonic clock.
    pub timestamp_nanos: i64,
    /// Bend of each finger, 0 to 1.
    pub flex: [f32; 5],
    /// Pressures, 0 to 1.
    pub fsr: [f32; 8],
    /// Unit quaternion x, y, z, w.
    pub orientation_quat: [f32; 4],
    /// m/s².
    pub accel: [f32; 3],
    /// Whether it may be used.
    pub valid: bool,
}

impl Glove {
    /// No glove, at this instant.
    #[must_use]
    pub const fn absent(timestamp_nanos: i64) -> Self {
        Self {
            timestamp_nanos,
            flex: [0.0; 5],
            fsr: [0.0; 8],
            orientation_quat: [0.0, 0.0, 0.0, 1.0],
            accel: [0.0; 3],
            valid: false,
        }
    }
}

/// How well things ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnostics {
    /// Wake-up latency of the cycle, in ms.
    pub latency_ms: f32,
    /// Glove frames dropped.
    pub glove_drops: i32,
    /// Signal strength of the glove.
    pub ble_rssi: i32,
    /// Sample rate of the glove.
    pub glove_sample_rate_hz: f32,
}
