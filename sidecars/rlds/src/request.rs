//! `record.request`: a person's wish to record, beside the episodes, for the recorder that runs.
//!
//! *What it decides.* That a wish lasts as long as somebody holds its file locked: whoever dies has
//! withdrawn it, and nobody's drive is called by another's task. Who may write among the episodes may
//! wish. *What it must never do.* Wait, or let two wishes stand.
//!
//! ```text
//! continuon record                    rlds-logger
//! post: lock, write, link in place ─▶ look: locked? its episode begins
//! withdraw: remove, or die ─────────▶ look: gone, or not locked? it ends
//!                 gone? it has ended ◀─ after max_steps: remove
//! ```
//!
//! Shown by: tests/request.rs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::schema::{ControlRole, XrMode};

/// Name of the file, in the directory of the episodes.
pub const REQUEST: &str = "record.request";
/// A wish is some hundred bytes.
const REQUEST_BYTES_MAX: u64 = 64 << 10;

/// What somebody wants recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordRequest {
    /// What is to be done; `None`: what the robot file says.
    pub task: Option<String>,
    /// How the robot is met.
    pub xr_mode: Option<XrMode>,
    /// What the person does.
    pub control_role: Option<ControlRole>,
    /// It ends with so many steps, in all episodes that it was cut into.
    pub max_steps: Option<u64>,
}

/// What a recorder finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nobody wants anything, or no longer.
    None,
    /// Somebody does.
    Standing {
        /// Which one: inode and time, since inodes are used again.
        id: String,
        /// What is wanted.
        request: RecordRequest,
    },
    /// Somebody does, and it cannot be understood.
    Unreadable(String),
}

/// Why no wish can be posted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Somebody else's wish stands.
    #[error("somebody is recording already")]
    Taken,
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

/// A wish that stands as long as this is held.
#[derive(Debug)]
pub struct Posted {
    path: PathBuf,
    file: File,
}

impl RecordRequest {
    /// Posts the wish among the episodes of `episodes_dir`.
    ///
    /// # Errors
    /// [`PostError`] if another stands, or the file system refuses.
    pub fn post(&self, episodes_dir: &Path) -> Result<Posted, PostError> {
        let path = episodes_dir.join(REQUEST);
        let beside = episodes_dir.join(format!("{REQUEST}.{}", std::process::id()));
        let posted = self.post_through(&path, &beside);
        // Linked or not, the other name is of no use any more.
        fs::remove_file(&beside).ok();
        posted
    }

    fn post_through(&self, path: &Path, beside: &Path) -> Result<Posted, PostError> {
        let failed = |at: &Path| {
            let path = at.to_owned();
            move |source: io::Error| PostError::Io { path, source }
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(beside)
            .map_err(failed(beside))?;
        // Before it has its name: a wish that is not locked is none.
        file.try_lock().map_err(|error| failed(beside)(error.into()))?;
        let text = serde_json::to_vec(self).map_err(io::Error::from).map_err(failed(beside))?;
        file.write_all(&text).map_err(failed(beside))?;
        for _ in 0..2 {
            match fs::hard_link(beside, path) {
                Ok(()) => return Ok(Posted { path: path.to_owned(), file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(path)(error)),
            }
            match File::open(path).map(|standing| standing.try_lock_shared()) {
                Ok(Err(TryLockError::WouldBlock)) => return Err(PostError::Taken),
                // Nobody holds it: what a killed one left.
                Ok(_) => fs::remove_file(path).or_else(gone).map_err(failed(path))?,
                Err(error) => gone(error).map_err(failed(path))?,
            }
        }
        Err(PostError::Taken)
    }
}

fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

impl Posted {
    /// Whether the recorder has ended it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        !self.is_in_place()
    }

    fn is_in_place(&self) -> bool {
        let inode = |found: io::Result<fs::Metadata>| found.ok().map(|found| found.ino());
        inode(fs::symlink_metadata(&self.path)) == inode(self.file.metadata())
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        if self.is_in_place() {
            // If it stays, it is not locked any more, which says the same.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// What is wished among the episodes of `episodes_dir`. A wish that nobody holds is taken away.
///
/// # Errors
/// What the file system says.
pub fn look(episodes_dir: &Path) -> io::Result<Wish> {
    let path = episodes_dir.join(REQUEST);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return gone(error).map(|()| Wish::None),
    };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {
            fs::remove_file(&path).or_else(gone)?;
            return Ok(Wish::None);
        }
    }
    let found = file.metadata()?;
    let id = format!("{}-{}.{:09}", found.ino(), found.mtime(), found.mtime_nsec());
    let mut text = Vec::new();
    file.take(REQUEST_BYTES_MAX).read_to_end(&mut text)?;
    Ok(match serde_json::from_slice(&text) {
        Ok(request) => Wish::Standing { id, request },
        Err(error) => Wish::Unreadable(format!("{}: {error}", path.display())),
    })
}

/// Ends the wish that stands, as its recorder: whoever posted it sees that it is gone.
///
/// # Errors
/// What the file system says.
pub fn end(episodes_dir: &Path) -> io::Result<()> {
    fs::remove_file(episodes_dir.join(REQUEST)).or_else(gone)
}
