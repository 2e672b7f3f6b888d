//! `metadata.json` and `episode.json` out of counts: the same whether an episode was just closed or
//! is derived anew from its recording.
//!
//! It decides what stands in them. Shown by: tests/episode.rs, tests/fsck.rs.

use std::path::Path;

use rt_wire::MonoNs;

use crate::about::About;
use crate::episode::Standing;
use crate::note::{Closing, EpisodeNote};
use crate::recording::Counts;
use crate::schema::{ControlRole, Metadata, SCHEMA_VERSION, Software, XrMode};

/// Counts of what was seen, whatever became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
    pub(crate) first_mono_ns: u64,
    pub(crate) last_mono_ns: u64,
    pub(crate) telemetry_lapped: u64,
    pub(crate) keyframes_lapped: u64,
    pub(crate) log_lapped: u64,
    /// Frames of the log that did not fit in the loop.
    pub(crate) log_lost_by_loop: u64,
    pub(crate) frames_lost: u64,
    /// Seen after the disk had failed.
    pub(crate) not_taken: Counts,
    pub(crate) teleop_cycles: u64,
    pub(crate) steps_skipped: u64,
}

impl Tally {
    /// A telemetry record went by.
    pub(crate) fn seen(&mut self, sequence: u64, at: MonoNs) {
        if self.first_sequence == 0 {
            self.first_sequence = sequence;
            self.first_mono_ns = at.0;
        }
        self.last_sequence = sequence;
        self.last_mono_ns = at.0;
    }
}

/// `episode.json`.
pub(crate) fn note(
    path: &Path,
    about: &About,
    tally: &Tally,
    standing: &Standing,
    closing: Closing,
    reason: &str,
) -> EpisodeNote {
    let (stored, lost, not_taken) = (&standing.stored, &standing.lost, &tally.not_taken);
    let sum = |counts: &[u64]| counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    EpisodeNote {
        episode_id: path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        closing,
        begun: about.begun.clone(),
        reason: reason.to_owned(),
        telemetry_records: stored.telemetry,
        telemetry_lost_ring: tally.telemetry_lapped,
        telemetry_lost_disk: sum(&[lost.telemetry, not_taken.telemetry]),
        keyframes: stored.keyframes,
        keyframes_lost: sum(&[tally.keyframes_lapped, lost.keyframes, not_taken.keyframes]),
        log_frames: stored.log_frames,
        log_frames_lost: sum(&[
            tally.log_lost_by_loop,
            tally.log_lapped,
            lost.log_frames,
            not_taken.log_frames,
        ]),
        frames: stored.frames,
        frames_lost: sum(&[tally.frames_lost, lost.frames, not_taken.frames]),
        steps: standing.steps,
        steps_skipped: tally.steps_skipped,
        first_sequence: tally.first_sequence,
        last_sequence: tally.last_sequence,
        first_mono_ns: tally.first_mono_ns,
        last_mono_ns: tally.last_mono_ns,
        build_id: format!("{:#018x}", about.build_id),
    }
}

/// `metadata.json`; the episode lasts `until` its last record that is stored, whatever came after.
pub(crate) fn metadata(
    about: &About,
    note: &EpisodeNote,
    until: MonoNs,
    by_hand: bool,
) -> Metadata {
    let xr_mode = about.xr_mode.unwrap_or(XrMode::Workstation);
    let shown = if by_hand { ControlRole::HumanTeleop } else { ControlRole::HumanSupervisor };
    let control_role = about.control_role.unwrap_or(shown);
    let lost = note.telemetry_lost_ring.saturating_add(note.telemetry_lost_disk);
    let first_at = match note.first_mono_ns {
        0 => about.start_mono_ns,
        first => MonoNs(first),
    };
    let duration_ns = until.since(first_at);
    let mut tags = vec![
        format!("continuon.xr_mode:{}", xr_mode.name()),
        format!("continuon.control_role:{}", control_role.name()),
        format!("continuon.environment_id:{}", about.environment_id),
        format!("continuon.closing:{}", note.closing.name()),
        format!("continuon.steps:{}", note.steps),
        format!("continuon.telemetry_records:{}", note.telemetry_records),
        format!("continuon.telemetry_lost:{lost}"),
    ];
    // The strict contract has no key for them.
    let ended = match note.closing {
        Closing::Clean | Closing::Cut => note.reason.as_str(),
        Closing::Open | Closing::LoopLost | Closing::DiskFailed | Closing::Recovered => "",
    };
    for (name, word) in [("begun", note.begun.as_str()), ("ended", ended)] {
        if !word.is_empty() {
            tags.push(format!("continuon.{name}:{word}"));
        }
    }
    Metadata {
        xr_mode,
        control_role,
        environment_id: about.environment_id.clone(),
        tags,
        software: Software {
            xr_app: "none".to_owned(),
            continuonbrain_os: concat!("continuon ", env!("CARGO_PKG_VERSION")).to_owned(),
            glove_firmware: "none".to_owned(),
        },
        schema_version: SCHEMA_VERSION.to_owned(),
        episode_id: note.episode_id.clone(),
        robot_id: about.robot.clone(),
        robot_model: about.robot_model.clone(),
        frame_convention: about.frame_convention.clone(),
        start_time_unix_ms: about.unix_ms_at(first_at),
        duration_ms: i64::try_from(duration_ns / 1_000_000).unwrap_or(i64::MAX),
        capabilities: None,
        owner: None,
        safety: None,
        share: None,
        provenance: None,
    }
}
