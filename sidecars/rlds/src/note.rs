//! What an episode says of itself in `episode.json`: counts, and how it ended.
//!
//! It decides nothing; the contract's `metadata.json` has no keys for these. Shown by:
//! tests/episode.rs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// It is still open, or its recorder was killed.
    Open,
    /// The loop ended, or the recorder was told to end; everything was drained.
    Clean,
    /// It was ended on purpose while the loop went on: a cap, another driver, a full disk, a person.
    /// What it shows did not end there.
    Cut,
    /// The ring broke off: the loop died or was replaced.
    LoopLost,
    /// The disk refused: only what came before is there.
    DiskFailed,
    /// Its recorder was killed or lost its power; what the disk had was put in order afterwards.
    Recovered,
}

impl Closing {
    /// The name in files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Clean => "clean",
            Self::Cut => "cut",
            Self::LoopLost => "loop_lost",
            Self::DiskFailed => "disk_failed",
            Self::Recovered => "recovered",
        }
    }

    /// Whether the episode ended on its own terms: a cut is no end.
    pub(crate) fn is_terminal(self) -> bool {
        self == Self::Clean
    }
}

/// `episode.json`: our own counts, beside the contract's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpisodeNote {
    /// Name of the episode and of its directory.
    pub episode_id: String,
    /// How it ended.
    pub closing: Closing,
    /// Why it began, in a word: `start`, `arm`, `command`, `authority`, or the key of the robot file
    /// that ended the one before; empty where the recorder did not say.
    #[serde(default)]
    pub begun: String,
    /// Why it ended. Clean or cut: a word as in `begun`, or empty where the loop or the recorder ended.
    /// Otherwise in words.
    pub reason: String,
    /// Telemetry records in the recording.
    pub telemetry_records: u64,
    /// Telemetry records that the ring overwrote before they were read.
    pub telemetry_lost_ring: u64,
    /// Telemetry records that were read and could not be written.
    pub telemetry_lost_disk: u64,
    /// Keyframes in the recording.
    pub keyframes: u64,
    /// Keyframes that were overwritten or could not be written.
    pub keyframes_lost: u64,
    /// Frames of the loop's log in the recording.
    #[serde(default)]
    pub log_frames: u64,
    /// Frames that the loop had no room for, that were overwritten, or could not be written.
    #[serde(default)]
    pub log_frames_lost: u64,
    /// Camera frames in the recording.
    #[serde(default)]
    pub frames: u64,
    /// Camera frames that were lost on their way, or could not be written.
    #[serde(default)]
    pub frames_lost: u64,
    /// Lines in the steps file.
    pub steps: u64,
    /// Instants of the step grid that had no record.
    pub steps_skipped: u64,
    /// Ring sequence of the first record that was seen; 0 without one.
    pub first_sequence: u64,
    /// Ring sequence of the last record that was seen.
    pub last_sequence: u64,
    /// Monotonic time of the first record.
    pub first_mono_ns: u64,
    /// Monotonic time of the last record.
    pub last_mono_ns: u64,
    /// Build of the fast loop, in hexadecimal.
    pub build_id: String,
}

/// What a closed episode came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its directory.
    pub path: PathBuf,
    /// Its counts, as in `episode.json`.
    pub note: EpisodeNote,
}

impl Summary {
    /// Telemetry records that were published while the episode was open and are not in it.
    #[must_use]
    pub fn telemetry_lost(&self) -> u64 {
        self.note.telemetry_lost_ring.saturating_add(self.note.telemetry_lost_disk)
    }
}
