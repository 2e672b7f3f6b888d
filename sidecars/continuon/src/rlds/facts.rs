//! What an episode says of itself, and how it stands: whole, recovered, being written, or left open.
//!
//! *What it decides.* The one word for its state. *What it must never do.* Hold an episode that its
//! recorder may still want: what is empty is not even locked for a moment. Tests: tests/rlds_look.rs.

use rlds::schema::Metadata;
use rlds::{Closing, EpisodeNote, KEEP};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// `metadata.json` and `episode.json` are some kilobytes.
const JSON_BYTES_MAX: u64 = 16 << 20;
/// Folders within folders of an episode: `steps`, `blobs`, and what others put there.
const DEPTH_MAX: u32 = 8;

/// How an episode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Closed in order.
    Whole,
    /// It was ended in order while the loop went on: what it shows went on too.
    Cut,
    /// Its loop died; the episode was closed in order.
    LoopLost,
    /// The disk refused; what came before is there.
    DiskFailed,
    /// Its recorder was killed; it was put in order afterwards.
    Recovered,
    /// It is being written.
    Running,
    /// Nobody writes it, and nobody closed it.
    LeftOpen,
    /// Another program's: it does not say how it ended.
    Foreign,
}

impl State {
    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Cut => "whole, cut",
            Self::LoopLost => "loop lost",
            Self::DiskFailed => "disk failed",
            Self::Recovered => "recovered",
            Self::Running => "running",
            Self::LeftOpen => "left open",
            Self::Foreign => "foreign",
        }
    }
}

/// What stands beside the recording.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) metadata: Option<Metadata>,
    pub(super) note: Option<EpisodeNote>,
    pub(super) state: State,
    pub(super) is_kept: bool,
    /// Of all its files.
    pub(super) bytes: u64,
    /// What could not be read, in sentences.
    pub(super) problems: Vec<String>,
}

impl Facts {
    /// Looks at the episode in this directory; what is missing or unreadable is told, never an error.
    pub(super) fn of(episode: &Path) -> Self {
        let mut problems = Vec::new();
        let metadata = read(&episode.join("metadata.json"), &mut problems);
        let note: Option<EpisodeNote> = read(&episode.join("episode.json"), &mut problems);
        let recording = rlds::recording_path(episode);
        let state = match note.as_ref().map(|note| note.closing) {
            Some(Closing::Clean) => State::Whole,
            Some(Closing::Cut) => State::Cut,
            Some(Closing::LoopLost) => State::LoopLost,
            Some(Closing::DiskFailed) => State::DiskFailed,
            Some(Closing::Recovered) => State::Recovered,
            Some(Closing::Open) if is_being_written(&recording) => State::Running,
            Some(Closing::Open) => State::LeftOpen,
            None if !recording.is_file() => State::Foreign,
            None if is_being_written(&recording) => State::Running,
            None => State::LeftOpen,
        };
        Self {
            metadata,
            note,
            state,
            is_kept: episode.join(KEEP).exists(),
            bytes: bytes_in(episode, DEPTH_MAX),
            problems,
        }
    }

    /// The counts of an episode that was closed: those of an open one are not known yet.
    pub(super) fn closed_note(&self) -> Option<&EpisodeNote> {
        self.note.as_ref().filter(|note| note.closing != Closing::Open)
    }
}

/// A date for people, and one that sorts.
pub(super) fn utc(unix_ms: i64) -> String {
    let since_1970 = Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0));
    // Later than the library's last year is no date of ours.
    match UNIX_EPOCH
        .checked_add(since_1970)
        .filter(|_| unix_ms > 0 && unix_ms < 253_402_300_800_000)
    {
        Some(at) => humantime::format_rfc3339_seconds(at).to_string(),
        None => "-".to_owned(),
    }
}

fn read<T: DeserializeOwned>(path: &Path, problems: &mut Vec<String>) -> Option<T> {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    let read = file.take(JSON_BYTES_MAX).read_to_end(&mut text).map_err(|error| error.to_string());
    let parsed =
        read.and_then(|_| serde_json::from_slice(&text).map_err(|error| error.to_string()));
    match parsed {
        Ok(value) => Some(value),
        Err(why) => {
            problems.push(format!("{}: {why}", path.display()));
            None
        }
    }
}

/// A recorder locks its file before it writes into it: an empty one is left alone, so that nobody
/// finds it locked by us.
fn is_being_written(recording: &Path) -> bool {
    let Ok(file) = File::open(recording) else { return false };
    let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
    is_empty || matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn bytes_in(folder: &Path, depth: u32) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .map(|(path, metadata)| match (metadata.is_dir(), depth.checked_sub(1)) {
            (true, Some(depth)) => bytes_in(&path, depth),
            (true, None) => 0,
            (false, _) => metadata.len(),
        })
        .fold(0, u64::saturating_add)
}

/// Bytes in a unit that people read.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        _ if bytes < 1024.0 => format!("{bytes} B"),
        _ if bytes < 1024.0 * 1024.0 => format!("{:.1} KiB", bytes / 1024.0),
        _ if bytes < 1024.0 * 1024.0 * 1024.0 => format!("{:.1} MiB", bytes / 1024.0 / 1024.0),
        _ => format!("{:.2} GiB", bytes / 1024.0 / 1024.0 / 1024.0),
    }
}

/// Nanoseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// How often a second, from the first to the last; `None` for fewer than two.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn rate_hz(count: u64, span_ns: u64) -> Option<f64> {
    (count > 1 && span_ns > 0).then(|| (count - 1) as f64 * 1e9 / span_ns as f64)
}

#[cfg(test)]
mod tests {
    use super::{rate_hz, size, utc};

    #[test]
    fn sizes_dates_and_rates_are_told_in_units_and_what_cannot_be_is_not() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 << 20), "5.0 MiB");
        assert_eq!(size(3 << 29), "1.50 GiB");
        assert_eq!(utc(1_795_000_000_123), "2026-11-18T11:06:40Z");
        for wrong in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(utc(wrong), "-");
        }
        assert_eq!(rate_hz(1001, 1_000_000_000), Some(1000.0));
        assert_eq!((rate_hz(1, 5), rate_hz(0, 0), rate_hz(2, 0)), (None, None, None));
    }
}
