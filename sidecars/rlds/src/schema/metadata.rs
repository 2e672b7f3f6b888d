//! `metadata.json`. Shown by: tests/schema.rs, tests/episode.rs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_empty;

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
    /// Nobody: the one-step record of an adapter's promotion, and nothing else.
    SleepLearning,
}

impl XrMode {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trainer => "trainer",
            Self::Workstation => "workstation",
            Self::Observer => "observer",
            Self::SleepLearning => "sleep_learning",
        }
    }

    /// The names of an ordinary episode, in words.
    pub const NAMES: &str = "trainer, workstation or observer";

    /// Back from the name in files.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Trainer, Self::Workstation, Self::Observer, Self::SleepLearning]
            .into_iter()
            .find(|mode| mode.name() == name)
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

    /// The names, in words.
    pub const NAMES: &str = "human_teleop, human_supervisor or human_dev_xr";

    /// Back from the name in files.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::HumanTeleop, Self::HumanSupervisor, Self::HumanDevXr]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// Versions of the software that took part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// [`SCHEMA_VERSION`](super::SCHEMA_VERSION); empty means 1.0.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub schema_version: String,
    /// Name of the episode and of its directory.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub episode_id: String,
    /// Name of the robot; a robot must tell it, a headset may not.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub robot_id: String,
    /// Model of the robot; as `robot_id`.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub robot_model: String,
    /// Frame that poses are told in; `base_link` is x forward, y left, z up. As `robot_id`.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub frame_convention: String,
    /// Wall clock of the first record, in ms since 1970; as `robot_id`.
    #[serde(default)]
    pub start_time_unix_ms: i64,
    /// From the first record to the last, on the monotonic clock; as `robot_id`.
    #[serde(default)]
    pub duration_ms: i64,
    /// What the robot can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// Whose it is. Stays on the robot: no export carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Who may see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<Safety>,
    /// How it is listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// What the robot can do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// Its computer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute: Option<Compute>,
    /// What it senses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensors: Option<Sensors>,
    /// What it moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actuators: Option<Actuators>,
    /// What it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// A robot's computer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compute {
    /// `pi5`, `laptop`…
    pub device: String,
    /// GB.
    pub ram_gb: f32,
    /// Graphics or neural processor.
    pub gpu: String,
    /// Numbers that it computes with: `bf16`, `fp32`…
    pub dtype: String,
}

/// What a robot senses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sensors {
    /// Colour pictures.
    pub rgb: bool,
    /// Distances.
    pub depth: bool,
    /// Sound.
    pub audio: bool,
    /// Acceleration and rotation.
    pub imu: bool,
    /// A person's hand.
    pub glove: bool,
}

/// What a robot moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Actuators {
    /// Wheels.
    pub drive: bool,
    /// An arm.
    pub arm: bool,
    /// A hand.
    pub gripper: bool,
}

/// What a robot may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Whether it may move at all.
    pub allow_motion: bool,
    /// m/s.
    pub max_speed_mps: f32,
}

/// Whose an episode is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Owner {
    /// Name for programs.
    pub owner_id: String,
    /// Name for people.
    pub display_name: String,
    /// Name to be called by.
    pub preferred_name: String,
    /// What the owner may do.
    pub roles: Vec<String>,
    /// What the owner likes.
    pub preferences: BTreeMap<String, String>,
}

/// Who may see an episode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Safety {
    /// For whom it is fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_rating: Option<ContentRating>,
    /// What of people is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pii_attestation: Option<PiiAttestation>,
    /// Somebody has looked and found that it may be shown.
    pub pii_cleared: bool,
    /// What shows people was taken out.
    pub pii_redacted: bool,
    /// Somebody must look first.
    pub pending_review: bool,
}

/// For whom an episode is fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContentRating {
    /// `general`, `teen` or `adult`.
    pub audience: String,
    /// `none`, `mild` or `graphic`.
    pub violence: String,
    /// `clean`, `some` or `strong`.
    pub language: String,
}

/// What of people is in an episode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PiiAttestation {
    /// Anything.
    pub pii_present: bool,
    /// Faces.
    pub faces_present: bool,
    /// Names.
    pub name_present: bool,
    /// They agreed.
    pub consent: bool,
}

/// How an episode is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Share {
    /// For everybody.
    pub public: bool,
    /// Name in addresses.
    pub slug: String,
    /// Name for people.
    pub title: String,
    /// Under which licence.
    pub license: String,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// Where an episode comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provenance {
    /// Which machine or data set.
    pub origin: String,
    /// Commit of the program that wrote it.
    pub source_commit: String,
    /// Name of the computer.
    pub source_host: String,
    /// Remarks.
    pub notes: String,
}
