//! What was seen. Shown by: tests/schema.rs, tests/steps.rs.

use serde::{Deserialize, Serialize};

use super::media::{Audio, DialogTurn, MediaBundle, Segmentation, UiContext, WorldModel};
use super::{is_empty, or_empty};

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
    /// Sound, in the contract's older form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Audio>,
    /// What a person had on the screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_context: Option<UiContext>,
    /// Pictures and sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaBundle>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog: Option<DialogTurn>,
    /// What a world model made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world_model: Option<WorldModel>,
    /// What a policy is shown of it, as numbers.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub command: Vec<f32>,
    /// What was told apart in the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmentation: Option<Segmentation>,
}

impl Observation {
    /// Nothing known, at this instant: what an empty map, list or name of the contract says.
    #[must_use]
    pub fn absent(timestamp_nanos: i64) -> Self {
        Self {
            headset_pose: Pose::ABSENT,
            right_hand_pose: Pose::ABSENT,
            left_hand_pose: Pose::ABSENT,
            gaze: Gaze::ABSENT,
            robot_state: RobotState::absent(timestamp_nanos),
            glove: Glove::absent(timestamp_nanos),
            video_frame_id: String::new(),
            depth_frame_id: String::new(),
            diagnostics: Diagnostics::default(),
            audio: None,
            ui_context: None,
            media: None,
            dialog: None,
            world_model: None,
            command: Vec::new(),
            segmentation: None,
        }
    }
}

/// Place and direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pose {
    /// Metres.
    #[serde(with = "or_empty")]
    pub position: Option<[f32; 3]>,
    /// Unit quaternion x, y, z, w.
    #[serde(with = "or_empty")]
    pub orientation_quat: Option<[f32; 4]>,
    /// Whether it may be used.
    pub valid: bool,
}

impl Pose {
    /// Nothing known.
    pub const ABSENT: Self = Self {
        position: Some([0.0; 3]),
        orientation_quat: Some([0.0, 0.0, 0.0, 1.0]),
        valid: false,
    };
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
    /// What the person looks at.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub target_id: String,
}

impl Gaze {
    /// Nobody looks. The direction is a unit vector all the same, as validators want it.
    pub const ABSENT: Self = Self {
        origin: [0.0; 3],
        direction: [0.0, 0.0, 1.0],
        confidence: 0.0,
        target_id: String::new(),
    };
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
    /// Of an arm: torque of each joint in Nm.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub joint_efforts: Vec<f32>,
    /// Velocity (m/s) and angular rate (rad/s) in `base_link`.
    #[serde(with = "or_empty")]
    pub end_effector_twist: Option<[f32; 6]>,
    /// Wall clock in ms since 1970: beside the monotonic clock, never instead of it.
    pub wall_time_millis: i64,
}

impl RobotState {
    /// Nothing known, at this instant.
    #[must_use]
    pub const fn absent(timestamp_nanos: i64) -> Self {
        Self {
            timestamp_nanos,
            joint_positions: Vec::new(),
            end_effector_pose: Pose::ABSENT,
            gripper_open: false,
            frame_id: String::new(),
            joint_velocities: Vec::new(),
            joint_efforts: Vec::new(),
            end_effector_twist: None,
            wall_time_millis: 0,
        }
    }
}

/// The glove of the person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glove {
    /// Monotonic clock.
    pub timestamp_nanos: i64,
    /// Bend of each finger, 0 to 1.
    #[serde(with = "or_empty")]
    pub flex: Option<[f32; 5]>,
    /// Pressures, 0 to 1.
    #[serde(with = "or_empty")]
    pub fsr: Option<[f32; 8]>,
    /// Unit quaternion x, y, z, w.
    #[serde(with = "or_empty")]
    pub orientation_quat: Option<[f32; 4]>,
    /// m/s².
    #[serde(with = "or_empty")]
    pub accel: Option<[f32; 3]>,
    /// Whether it may be used.
    pub valid: bool,
}

impl Glove {
    /// No glove, at this instant.
    #[must_use]
    pub const fn absent(timestamp_nanos: i64) -> Self {
        Self {
            timestamp_nanos,
            flex: Some([0.0; 5]),
            fsr: Some([0.0; 8]),
            orientation_quat: Some([0.0, 0.0, 0.0, 1.0]),
            accel: Some([0.0; 3]),
            valid: false,
        }
    }
}

/// How well things ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
