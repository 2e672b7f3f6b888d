//! What a recording says of itself: whose it is, which build made it, and which wall-clock time its
//! monotonic time began at.
//!
//! Wall clock stands beside monotonic time and is never compared. Shown by: tests/recording.rs.

use rt_wire::{KernelState, LogFrame, MonoNs, Record, Telemetry};
use std::collections::BTreeMap;

use crate::layout::hash_text;
use crate::schema::{ControlRole, XrMode};

/// Conditions of a recording, known when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Name of the robot; segment names begin with it.
    pub robot: String,
    /// Model of the robot, for the metadata.
    pub robot_model: String,
    /// Where it drives (`pi5-donkey`, `lab-mock`, `sim-twisty`…).
    pub environment_id: String,
    /// Frame that poses are told in (`base_link` or `camera_link`).
    pub frame_convention: String,
    /// Build of the fast loop; 0 where it is not known.
    pub build_id: u64,
    /// An instant of the monotonic clock…
    pub start_mono_ns: MonoNs,
    /// …and the wall clock at that same instant, in ms since 1970.
    pub start_unix_ms: i64,
    /// Release of the operating system's kernel; empty where it is not known.
    pub kernel: String,
    /// Steps a second, from 1 up.
    pub step_rate_hz: u32,
    /// With a camera: a step at every so many frames, instead of the rate; 0 without one.
    pub frames_per_step: u32,
    /// What is to be done, for step 0; empty where nobody said.
    pub task: String,
    /// How the robot is met; `None`: at a workstation.
    pub xr_mode: Option<XrMode>,
    /// What the person does; `None`: as the telemetry shows, drove or looked on.
    pub control_role: Option<ControlRole>,
    /// Why the episode begins, in a word; empty where nobody said.
    pub begun: String,
}

impl About {
    /// Wall-clock time of a monotonic instant, in ms since 1970.
    #[must_use]
    pub fn unix_ms_at(&self, at: MonoNs) -> i64 {
        let ms = |ns: u64| i64::try_from(ns / 1_000_000).unwrap_or(i64::MAX);
        self.start_unix_ms
            .saturating_add(ms(at.since(self.start_mono_ns)))
            .saturating_sub(ms(self.start_mono_ns.since(at)))
    }

    /// As the recording's metadata record holds it.
    pub(crate) fn to_map(&self) -> BTreeMap<String, String> {
        let said = [
            ("task", self.task.as_str()),
            ("xr_mode", self.xr_mode.map_or("", XrMode::name)),
            ("control_role", self.control_role.map_or("", ControlRole::name)),
            ("begun", self.begun.as_str()),
        ];
        // What nobody said has no key.
        let said = said.into_iter().filter(|(_, value)| !value.is_empty());
        [
            ("robot", self.robot.clone()),
            ("robot_model", self.robot_model.clone()),
            ("environment_id", self.environment_id.clone()),
            ("frame_convention", self.frame_convention.clone()),
            ("build_id", hash_text(self.build_id)),
            ("start_mono_ns", self.start_mono_ns.0.to_string()),
            ("start_unix_ms", self.start_unix_ms.to_string()),
            ("kernel", self.kernel.clone()),
            ("step_rate_hz", self.step_rate_hz.to_string()),
            ("frames_per_step", self.frames_per_step.to_string()),
            ("layout_hash.Telemetry", hash_text(Telemetry::LAYOUT_HASH)),
            ("layout_hash.KernelState", hash_text(KernelState::LAYOUT_HASH)),
            ("layout_hash.LogFrame", hash_text(LogFrame::LAYOUT_HASH)),
            ("recorder", concat!("rlds ", env!("CARGO_PKG_VERSION")).to_owned()),
        ]
        .into_iter()
        .chain(said.map(|(key, value)| (key, value.to_owned())))
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// Back from the recording; what is missing or unreadable stays at its default.
    pub(crate) fn from_map(map: &BTreeMap<String, String>) -> Self {
        let text = |key: &str| map.get(key).cloned().unwrap_or_default();
        let build_id = text("build_id");
        let hex = build_id.strip_prefix("0x").unwrap_or(&build_id);
        Self {
            robot: text("robot"),
            robot_model: text("robot_model"),
            environment_id: text("environment_id"),
            frame_convention: text("frame_convention"),
            build_id: u64::from_str_radix(hex, 16).unwrap_or_default(),
            start_mono_ns: MonoNs(text("start_mono_ns").parse().unwrap_or_default()),
            start_unix_ms: text("start_unix_ms").parse().unwrap_or_default(),
            kernel: text("kernel"),
            step_rate_hz: text("step_rate_hz").parse().unwrap_or_default(),
            frames_per_step: text("frames_per_step").parse().unwrap_or_default(),
            task: text("task"),
            xr_mode: XrMode::from_name(&text("xr_mode")),
            control_role: ControlRole::from_name(&text("control_role")),
            begun: text("begun"),
        }
    }
}
