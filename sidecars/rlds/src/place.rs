//! Where an episode lies on disk: its name, its directory, its files.
//!
//! *What it decides.* Names, and that `metadata.json` and `episode.json` are there whole or not at
//! all. *What it must never do.* Write into an episode that is already there. Shown by:
//! tests/episode.rs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use crate::about::About;

/// Held back on the disk for metadata and the last steps.
const RESERVE_BYTES: usize = 256 << 10;

pub(crate) const METADATA: &str = "metadata.json";
pub(crate) const NOTE: &str = "episode.json";
pub(crate) const STEPS_DIR: &str = "steps";
const STEPS: &str = "steps/000000.jsonl";
const RECORDING: &str = "blobs/recording.mcap";
pub(crate) const RESERVE: &str = "blobs/reserve";

/// Where recording and steps go.
pub struct Files<S> {
    /// Of the recording.
    pub recording: S,
    /// Of the steps.
    pub steps: S,
}

/// `ep_<UTC>_<robot>`, sortable by time.
#[must_use]
pub fn episode_id(unix_ms: i64, robot: &str) -> String {
    let since_1970 = Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0));
    let utc = humantime::format_rfc3339_seconds(UNIX_EPOCH + since_1970).to_string();
    let compact: String = utc.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("ep_{compact}_{robot}")
}

/// The recording of the episode in this directory.
#[must_use]
pub fn recording_path(episode: &Path) -> PathBuf {
    episode.join(RECORDING)
}

pub(crate) fn make_directory(episodes_dir: &Path, about: &About) -> io::Result<PathBuf> {
    let named = |path: &Path, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    fs::create_dir_all(episodes_dir).map_err(|error| named(episodes_dir, error))?;
    let id = episode_id(about.start_unix_ms, &about.robot);
    // Two episodes within a second are possible; a thousand are a mistake.
    for n in 1..1000 {
        let path = match n {
            1 => episodes_dir.join(&id),
            _ => episodes_dir.join(format!("{id}_{n}")),
        };
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(named(&path, error)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{id}: 999 episodes of that name")))
}

pub(crate) fn open_files(path: &Path) -> io::Result<Files<File>> {
    fs::create_dir(path.join("steps"))?;
    fs::create_dir(path.join("blobs"))?;
    fs::write(path.join(RESERVE), vec![0; RESERVE_BYTES])?;
    Ok(Files {
        recording: File::create_new(path.join(RECORDING))?,
        steps: File::create_new(path.join(STEPS))?,
    })
}

/// Whole or not at all: written beside it and renamed.
pub(crate) fn replace_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    let beside = path.with_extension("json.new");
    let mut file = File::create(&beside)?;
    file.write_all(&text)?;
    file.sync_data()?;
    fs::rename(&beside, path)
}
