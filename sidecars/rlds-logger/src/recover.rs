//! The `log-recovery` thread: episodes that a killed recorder left are put in order.
//!
//! *What it decides.* Which episodes: those that were never closed and that nobody writes. *What it
//! must never do.* Keep the recording from beginning, or stop it: what it cannot put in order it says,
//! and leaves as it is. Whoever ends this process in the middle loses nothing: it writes beside, and
//! begins again the next time.
//!
//! Shown by: tests/process.rs.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use rlds::fsck::{self, FsckError};
use rlds::{Closing, EpisodeNote};
use tracing::{info, warn};

use crate::rotate::{RotationRules, rotate_and_tell};

/// Starts it, and then what may go is rotated; nobody waits for it.
pub(crate) fn start(episodes_dir: PathBuf, rules: RotationRules) {
    let named = thread::Builder::new().name("log-recovery".to_owned());
    let work = move || {
        recover_all(&episodes_dir);
        rotate_and_tell(&episodes_dir, rules, sidecar::unix_ms_now());
    };
    if let Err(error) = named.spawn(work) {
        warn!("episodes of killed recorders are left as they are: no thread: {error}");
    }
}

/// Puts every episode in order that was never closed; returns how many.
pub fn recover_all(episodes_dir: &Path) -> usize {
    let entries = fs::read_dir(episodes_dir).into_iter().flatten().flatten();
    let mut open: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| is_open(path)).collect();
    open.sort();
    open.iter().filter(|path| recover(path)).count()
}

/// Whether it is an episode of ours whose end was never written.
fn is_open(path: &Path) -> bool {
    if !rlds::recording_path(path).is_file() {
        return false;
    }
    let note = fs::read(path.join("episode.json")).ok();
    let note = note.and_then(|text| serde_json::from_slice::<EpisodeNote>(&text).ok());
    note.is_none_or(|note| note.closing == Closing::Open)
}

fn recover(path: &Path) -> bool {
    match fsck::repair(path) {
        Ok(report) => {
            let lost = report.lost.join("; ");
            let lost = if lost.is_empty() { "nothing" } else { &lost };
            info!(
                "{}: closed as {:?} with {} records; lost: {lost}",
                path.display(),
                report.note.closing,
                report.note.telemetry_records
            );
            report.repaired
        }
        // Ours, or another recorder's.
        Err(FsckError::InUse) => false,
        Err(error) => {
            warn!("{}: not put in order: {error}", path.display());
            false
        }
    }
}
