//! Blocks that the contract requires, and lists of a fixed length: there for sure in our types, and
//! checked when they come from protobuf.
//!
//! Shown by: tests/proto.rs.

use super::rlds_v1 as v1;
use crate::schema::{
    ControlRole, Gaze, Glove, Metadata, Observation, Pose, RobotState, Step, XrMode,
};

/// Protobuf that the contract does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, found {found}")]
pub struct ProtoError {
    /// Path of the field, from the message that was converted.
    pub field: String,
    /// What the contract wants.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl ProtoError {
    fn new(field: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { field: field.to_owned(), expected: expected.into(), found: found.into() }
    }

    fn under(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

type Converted<T> = Result<T, ProtoError>;

/// A block that must be there.
fn block<P, T: TryFrom<P>>(field: &str, block: Option<P>) -> Converted<T>
where
    ProtoError: From<T::Error>,
{
    let there = block.ok_or_else(|| ProtoError::new(field, "a block", "none"))?;
    T::try_from(there).map_err(|error| ProtoError::from(error).under(field))
}

impl From<std::convert::Infallible> for ProtoError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// A list of `N` numbers.
fn exactly<const N: usize>(field: &str, numbers: &[f32]) -> Converted<[f32; N]> {
    <[f32; N]>::try_from(numbers).map_err(|_length| {
        ProtoError::new(field, format!("{N} numbers"), format!("{} of them", numbers.len()))
    })
}

/// A list of `N` numbers, or none.
fn or_none<const N: usize>(field: &str, numbers: &[f32]) -> Converted<Option<[f32; N]>> {
    if numbers.is_empty() { Ok(None) } else { exactly(field, numbers).map(Some) }
}

fn list<const N: usize>(numbers: Option<[f32; N]>) -> Vec<f32> {
    numbers.map_or_else(Vec::new, |numbers| numbers.to_vec())
}

impl From<&Step> for v1::Step {
    fn from(step: &Step) -> Self {
        Self {
            observation: Some((&step.observation).into()),
            action: Some((&step.action).into()),
            is_terminal: step.is_terminal,
            step_metadata: step.step_metadata.clone(),
            reward: step.number("reward"),
            discount: step.number("discount"),
        }
    }
}

impl TryFrom<v1::Step> for Step {
    type Error = ProtoError;

    fn try_from(step: v1::Step) -> Converted<Self> {
        let mut step_metadata = step.step_metadata;
        for (key, number) in [("reward", step.reward), ("discount", step.discount)] {
            if let Some(number) = number {
                step_metadata.entry(key.to_owned()).or_insert_with(|| number.to_string());
            }
        }
        Ok(Self {
            observation: block("observation", step.observation)?,
            action: block("action", step.action)?,
            is_terminal: step.is_terminal,
            step_metadata,
        })
    }
}

impl From<&Observation> for v1::Observation {
    fn from(seen: &Observation) -> Self {
        Self {
            headset_pose: Some((&seen.headset_pose).into()),
            right_hand_pose: Some((&seen.right_hand_pose).into()),
            left_hand_pose: Some((&seen.left_hand_pose).into()),
            gaze: Some((&seen.gaze).into()),
            robot_state: Some((&seen.robot_state).into()),
            glove: Some((&seen.glove).into()),
            video_frame_id: seen.video_frame_id.clone(),
            depth_frame_id: seen.depth_frame_id.clone(),
            diagnostics: Some((&seen.diagnostics).into()),
            audio: seen.audio.as_ref().map(Into::into),
            ui_context: seen.ui_context.as_ref().map(Into::into),
            command: seen.command.clone(),
            media: seen.media.as_ref().map(Into::into),
            dialog: seen.dialog.as_ref().map(Into::into),
            world_model: seen.world_model.as_ref().map(Into::into),
            segmentation: seen.segmentation.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::Observation> for Observation {
    type Error = ProtoError;

    fn try_from(seen: v1::Observation) -> Converted<Self> {
        Ok(Self {
            headset_pose: block("headset_pose", seen.headset_pose)?,
            right_hand_pose: block("right_hand_pose", seen.right_hand_pose)?,
            left_hand_pose: block("left_hand_pose", seen.left_hand_pose)?,
            gaze: block("gaze", seen.gaze)?,
            robot_state: block("robot_state", seen.robot_state)?,
            glove: block("glove", seen.glove)?,
            video_frame_id: seen.video_frame_id,
            depth_frame_id: seen.depth_frame_id,
            diagnostics: block("diagnostics", seen.diagnostics)?,
            audio: seen.audio.map(Into::into),
            ui_context: seen.ui_context.map(Into::into),
            media: seen.media.map(Into::into),
            dialog: seen.dialog.map(Into::into),
            world_model: seen.world_model.map(Into::into),
            command: seen.command,
            segmentation: seen.segmentation.map(Into::into),
        })
    }
}

impl From<&Pose> for v1::Pose {
    fn from(pose: &Pose) -> Self {
        Self {
            position: list(pose.position),
            orientation_quat: list(pose.orientation_quat),
            valid: pose.valid,
        }
    }
}

impl TryFrom<v1::Pose> for Pose {
    type Error = ProtoError;

    fn try_from(pose: v1::Pose) -> Converted<Self> {
        Ok(Self {
            position: or_none("position", &pose.position)?,
            orientation_quat: or_none("orientation_quat", &pose.orientation_quat)?,
            valid: pose.valid,
        })
    }
}

impl From<&Gaze> for v1::Gaze {
    fn from(gaze: &Gaze) -> Self {
        Self {
            origin: gaze.origin.to_vec(),
            direction: gaze.direction.to_vec(),
            confidence: gaze.confidence,
            target_id: gaze.target_id.clone(),
        }
    }
}

impl TryFrom<v1::Gaze> for Gaze {
    type Error = ProtoError;

    fn try_from(gaze: v1::Gaze) -> Converted<Self> {
        Ok(Self {
            origin: exactly("origin", &gaze.origin)?,
            direction: exactly("direction", &gaze.direction)?,
            confidence: gaze.confidence,
            target_id: gaze.target_id,
        })
    }
}

impl From<&RobotState> for v1::RobotState {
    fn from(robot: &RobotState) -> Self {
        Self {
            timestamp_nanos: robot.timestamp_nanos,
            joint_positions: robot.joint_positions.clone(),
            end_effector_pose: Some((&robot.end_effector_pose).into()),
            gripper_open: robot.gripper_open,
            frame_id: robot.frame_id.clone(),
            joint_velocities: robot.joint_velocities.clone(),
            joint_efforts: robot.joint_efforts.clone(),
            end_effector_twist: list(robot.end_effector_twist),
            wall_time_millis: robot.wall_time_millis,
        }
    }
}

impl TryFrom<v1::RobotState> for RobotState {
    type Error = ProtoError;

    fn try_from(robot: v1::RobotState) -> Converted<Self> {
        Ok(Self {
            timestamp_nanos: robot.timestamp_nanos,
            joint_positions: robot.joint_positions,
            end_effector_pose: block("end_effector_pose", robot.end_effector_pose)?,
            gripper_open: robot.gripper_open,
            frame_id: robot.frame_id,
            joint_velocities: robot.joint_velocities,
            joint_efforts: robot.joint_efforts,
            end_effector_twist: or_none("end_effector_twist", &robot.end_effector_twist)?,
            wall_time_millis: robot.wall_time_millis,
        })
    }
}

impl From<&Glove> for v1::GloveFrame {
    fn from(glove: &Glove) -> Self {
        Self {
            timestamp_nanos: glove.timestamp_nanos,
            flex: list(glove.flex),
            fsr: list(glove.fsr),
            orientation_quat: list(glove.orientation_quat),
            accel: list(glove.accel),
            valid: glove.valid,
        }
    }
}

impl TryFrom<v1::GloveFrame> for Glove {
    type Error = ProtoError;

    fn try_from(glove: v1::GloveFrame) -> Converted<Self> {
        Ok(Self {
            timestamp_nanos: glove.timestamp_nanos,
            flex: or_none("flex", &glove.flex)?,
            fsr: or_none("fsr", &glove.fsr)?,
            orientation_quat: or_none("orientation_quat", &glove.orientation_quat)?,
            accel: or_none("accel", &glove.accel)?,
            valid: glove.valid,
        })
    }
}

impl From<&Metadata> for v1::EpisodeMetadata {
    fn from(metadata: &Metadata) -> Self {
        Self {
            xr_mode: metadata.xr_mode.name().to_owned(),
            control_role: metadata.control_role.name().to_owned(),
            environment_id: metadata.environment_id.clone(),
            tags: metadata.tags.clone(),
            software: Some((&metadata.software).into()),
            schema_version: metadata.schema_version.clone(),
            episode_id: metadata.episode_id.clone(),
            robot_id: metadata.robot_id.clone(),
            robot_model: metadata.robot_model.clone(),
            frame_convention: metadata.frame_convention.clone(),
            start_time_unix_ms: metadata.start_time_unix_ms,
            duration_ms: metadata.duration_ms,
            owner: metadata.owner.as_ref().map(Into::into),
            safety: metadata.safety.as_ref().map(Into::into),
            share: metadata.share.as_ref().map(Into::into),
            provenance: metadata.provenance.as_ref().map(Into::into),
            capabilities: metadata.capabilities.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::EpisodeMetadata> for Metadata {
    type Error = ProtoError;

    fn try_from(metadata: v1::EpisodeMetadata) -> Converted<Self> {
        let (xr_mode, control_role) = (&metadata.xr_mode, &metadata.control_role);
        Ok(Self {
            xr_mode: XrMode::from_name(xr_mode)
                .ok_or_else(|| ProtoError::new("xr_mode", XrMode::NAMES, quoted(xr_mode)))?,
            control_role: ControlRole::from_name(control_role).ok_or_else(|| {
                ProtoError::new("control_role", ControlRole::NAMES, quoted(control_role))
            })?,
            environment_id: metadata.environment_id,
            tags: metadata.tags,
            software: block("software", metadata.software)?,
            schema_version: metadata.schema_version,
            episode_id: metadata.episode_id,
            robot_id: metadata.robot_id,
            robot_model: metadata.robot_model,
            frame_convention: metadata.frame_convention,
            start_time_unix_ms: metadata.start_time_unix_ms,
            duration_ms: metadata.duration_ms,
            capabilities: metadata.capabilities.map(Into::into),
            owner: metadata.owner.map(Into::into),
            safety: metadata.safety.map(Into::into),
            share: metadata.share.map(Into::into),
            provenance: metadata.provenance.map(Into::into),
        })
    }
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}
