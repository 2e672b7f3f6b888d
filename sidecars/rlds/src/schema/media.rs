//! What is not in the line itself but referred to, and the blocks of senses that a car may lack.
//!
//! A `uri` is relative and inside the episode: `blobs/recording.mcap#frames/<sequence>` for a frame
//! of the recording, `blobs/x.jpg` for a file. Shown by: tests/schema.rs, tests/validate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_empty;

/// Pictures and sound that belong to a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaBundle {
    /// The colour picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rgb: Option<MediaRef>,
    /// The depth picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<MediaRef>,
    /// Sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<MediaRef>,
}

/// Where a picture or a sound is, and when its sensor took it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaRef {
    /// Relative, inside the episode.
    pub uri: String,
    /// Frame that it shows; of `rgb` it is the step's `video_frame_id`.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub frame_id: String,
    /// Monotonic clock, the sensor's own stamp.
    #[serde(default)]
    pub timestamp_ns: i64,
    /// Pixels; 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub width: i32,
    /// Pixels; 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub height: i32,
    /// `jpeg`, `png`, `wav_pcm16`…
    #[serde(default, skip_serializing_if = "is_empty")]
    pub format: String,
    /// Of a depth picture: `mm`.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub units: String,
    /// Of sound.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub sample_rate_hz: i32,
    /// Of sound.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub num_channels: i32,
}

/// Sound, in the contract's older form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audio {
    /// Relative, inside the episode.
    pub uri: String,
    /// Must be told.
    pub sample_rate_hz: i32,
    /// Must be told.
    pub num_channels: i32,
    /// `wav_pcm16`…
    pub format: String,
    /// Frame that it belongs to.
    pub frame_id: String,
}

/// What a person had on the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UiContext {
    /// The panel in front.
    pub active_panel: String,
    /// Where what is.
    pub layout: BTreeMap<String, String>,
    /// What the person looks at.
    pub focus_context: BTreeMap<String, String>,
}

/// What was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DialogTurn {
    /// `user`, `assistant` or `system`.
    pub speaker: String,
    /// The words.
    pub text: String,
    /// Name of this turn.
    pub turn_id: String,
    /// Name of the talk.
    pub conversation_id: String,
}

/// What a world model made of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldModel {
    /// Its words for it.
    pub latent_tokens: Vec<i32>,
    /// How little it had expected it.
    pub surprise: f32,
    /// Name of its state.
    pub belief_state_id: String,
}

/// What was told apart in the picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Segmentation {
    /// The model that did it.
    pub model: String,
    /// What it was asked.
    pub prompt: String,
    /// Each thing's pixels.
    pub masks: Vec<MaskRef>,
    /// Each thing's box.
    pub boxes_xyxy: Vec<BoxXyxy>,
    /// Remarks.
    pub notes: String,
}

/// Where one thing's pixels are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaskRef {
    /// Relative, inside the episode.
    pub uri: String,
    /// Frame that it belongs to.
    pub frame_id: String,
    /// `png`…
    pub format: String,
    /// Which thing.
    pub instance_id: i32,
    /// 0 to 1.
    pub score: f32,
}

/// One thing's box, in pixels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoxXyxy {
    /// Left.
    pub x1: f32,
    /// Top.
    pub y1: f32,
    /// Right.
    pub x2: f32,
    /// Bottom.
    pub y2: f32,
    /// Which thing.
    pub instance_id: i32,
    /// 0 to 1.
    pub score: f32,
}
