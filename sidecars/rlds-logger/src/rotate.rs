//! Old episodes make room: what is older than `keep_days`, and the oldest of what is more than
//! `keep_mb`.
//!
//! *What it decides.* Which: closed ones of this recorder, the oldest first. *What it must never do.*
//! Touch an episode that is open, locked or marked to be kept, or anything that is no episode; leave
//! half of one where people look for episodes. It is moved to `.rotated/` in one piece, and deleted
//! there; what a killed recorder left there is deleted by the next. Age is only believed of a clock
//! that was set: a computer without a battery begins in 1970.
//!
//! Shown by: tests/rotate.rs.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rlds::{Closing, EpisodeNote, KEEP};
use rt_config::RldsLogger;
use serde_json::Value;
use tracing::{info, warn};

/// Where episodes are deleted, among the others.
pub const ROTATED: &str = ".rotated";
/// 2020: no clock that was set is before it.
const CLOCK_WAS_SET_MS: i64 = 1_577_836_800_000;
const DAY_MS: i64 = 86_400_000;

/// What may stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationRules {
    /// For so long.
    pub keep_ms: Option<i64>,
    /// So much.
    pub keep_bytes: Option<u64>,
}

impl RotationRules {
    /// Of a robot.
    #[must_use]
    pub fn of(block: &RldsLogger) -> Self {
        let set = |value: Option<u32>| value.filter(|value| *value > 0);
        Self {
            keep_ms: set(block.keep_days).map(|days| i64::from(days).saturating_mul(DAY_MS)),
            keep_bytes: set(block.keep_mb).map(|mb| u64::from(mb).saturating_mul(1_000_000)),
        }
    }

    fn is_never(self) -> bool {
        self == Self::default()
    }
}

/// What a rotation came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Episodes deleted.
    pub episodes: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that should have gone, and are kept, open, or could not be deleted.
    pub over_bytes: u64,
}

/// An episode of this recorder.
struct Found {
    path: PathBuf,
    is_closed: bool,
    start_ms: i64,
    end_ms: i64,
    bytes: u64,
}

/// Rotates, and tells what it did.
pub(crate) fn rotate_and_tell(episodes_dir: &Path, rules: RotationRules, now_ms: i64) {
    let rotated = rotate(episodes_dir, rules, now_ms);
    if rotated.episodes > 0 {
        let mb = rotated.bytes / 1_000_000;
        info!("rotated: {} episodes deleted, {mb} MB", rotated.episodes);
    }
    if rotated.over_bytes > 0 {
        let mb = rotated.over_bytes / 1_000_000;
        warn!("{mb} MB more than keep_mb are marked to be kept, open, or cannot be deleted");
    }
}

/// Deletes what need not stay at `now_ms`.
pub fn rotate(episodes_dir: &Path, rules: RotationRules, now_ms: i64) -> Rotated {
    let mut rotated = Rotated::default();
    let aside = episodes_dir.join(ROTATED);
    delete_all_in(&aside);
    if rules.is_never() {
        return rotated;
    }
    let entries = fs::read_dir(episodes_dir).into_iter().flatten().flatten();
    let mut found: Vec<Found> = entries.filter_map(|entry| Found::at(&entry)).collect();
    found.sort_by(|a, b| (a.start_ms, &a.path).cmp(&(b.start_ms, &b.path)));
    let mut total = found.iter().fold(0_u64, |sum, found| sum.saturating_add(found.bytes));
    for episode in &found {
        let is_too_much = rules.keep_bytes.is_some_and(|keep_bytes| total > keep_bytes);
        let is_too_old = rules.keep_ms.is_some_and(|keep_ms| episode.is_older(keep_ms, now_ms));
        if !(is_too_much || is_too_old) || !episode.is_closed || is_kept(&episode.path) {
            continue;
        }
        match remove(&episode.path, &aside) {
            Ok(true) => {
                info!("rotated: {}", episode.path.display());
                total = total.saturating_sub(episode.bytes);
                rotated.episodes += 1;
                rotated.bytes = rotated.bytes.saturating_add(episode.bytes);
            }
            Ok(false) => {}
            Err(error) => warn!("{}: not rotated: {error}", episode.path.display()),
        }
    }
    rotated.over_bytes = rules.keep_bytes.map_or(0, |keep_bytes| total.saturating_sub(keep_bytes));
    rotated
}

fn is_kept(episode: &Path) -> bool {
    // What cannot be looked up is kept.
    !matches!(episode.join(KEEP).try_exists(), Ok(false))
}

impl Found {
    fn at(entry: &fs::DirEntry) -> Option<Self> {
        let path = entry.path();
        // No link: what it leads to is not ours.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || !rlds::recording_path(&path).is_file() {
            return None;
        }
        let note = fs::read(path.join("episode.json")).ok();
        let note = note.and_then(|text| serde_json::from_slice::<EpisodeNote>(&text).ok());
        let metadata = fs::read(path.join("metadata.json")).ok();
        let metadata = metadata.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let ms = |key: &str| metadata.as_ref()?.get(key)?.as_i64();
        let start_ms = ms("start_time_unix_ms").unwrap_or(0);
        Some(Self {
            is_closed: note.is_some_and(|note| note.closing != Closing::Open),
            start_ms,
            end_ms: start_ms.saturating_add(ms("duration_ms").unwrap_or(0)),
            bytes: bytes_of(&path),
            path,
        })
    }

    fn is_older(&self, keep_ms: i64, now_ms: i64) -> bool {
        self.start_ms >= CLOCK_WAS_SET_MS && now_ms.saturating_sub(self.end_ms) > keep_ms
    }
}

fn bytes_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_of(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |found| found.len()),
        Ok(_) | Err(_) => 0,
    };
    entries.map(bytes).fold(0, u64::saturating_add)
}

/// Moves it aside and deletes it there; `false` if somebody has it locked, or it is to be kept now.
fn remove(episode: &Path, aside: &Path) -> io::Result<bool> {
    let Some(name) = episode.file_name() else {
        return Ok(false);
    };
    let recording = File::open(rlds::recording_path(episode))?;
    match recording.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    if is_kept(episode) {
        return Ok(false);
    }
    match fs::create_dir(aside) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::rename(episode, aside.join(name))?;
    // Before a single file of it goes: a power cut must not bring half of it back.
    for folder in [aside.parent(), Some(aside)].into_iter().flatten() {
        File::open(folder)?.sync_all()?;
    }
    delete_all_in(aside);
    Ok(true)
}

fn delete_all_in(aside: &Path) {
    let Ok(entries) = fs::read_dir(aside) else {
        return;
    };
    for entry in entries.flatten() {
        if let Err(error) = fs::remove_dir_all(entry.path()) {
            warn!("{}: not deleted: {error}", entry.path().display());
        }
    }
    // Where something could not be deleted, it stays and is tried again.
    fs::remove_dir(aside).ok();
}
