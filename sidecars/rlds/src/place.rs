//! Where an episode lies on disk: its name, its directory, its files.
//!
//! *What it decides.* Names, and that `metadata.json` and `episode.json` are there whole or not at
//! all; that an episode which has begun is found again after a power cut. *What it must never do.*
//! Write into an episode that is already there. Shown by: tests/episode.rs, and the crash images of
//! the tests crate.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use crate::about::About;
use crate::storage::{FileSystem, Storage};

/// Held back on the disk for metadata and the last steps.
const RESERVE_BYTES: usize = 256 << 10;
/// What the name of an episode begins with; each 0 is a digit.
const SECOND: &str = "ep_00000000T000000Z_";

pub(crate) const METADATA: &str = "metadata.json";
pub(crate) const NOTE: &str = "episode.json";
pub(crate) const STEPS_DIR: &str = "steps";
pub(crate) const STEPS: &str = "steps/000000.jsonl";
pub(crate) const RECORDING: &str = "blobs/recording.mcap";
pub(crate) const RESERVE: &str = "blobs/reserve";
/// A file of this name in an episode's directory keeps the episode from being rotated away.
pub const KEEP: &str = "keep";

/// Where recording and steps go, and the space that is held back for their end.
pub(crate) struct Files<S> {
    pub(crate) recording: S,
    pub(crate) steps: S,
    /// Open until the end, so that there is a descriptor for the last files too.
    pub(crate) reserve: S,
}

/// `ep_<UTC>_<robot>`, sortable by time.
#[must_use]
pub fn episode_id(unix_ms: i64, robot: &str) -> String {
    let since_1970 = Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0));
    let utc = humantime::format_rfc3339_seconds(UNIX_EPOCH + since_1970).to_string();
    let compact: String = utc.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("ep_{compact}_{robot}")
}

/// Sorts directories of episodes into the order in which they began: by the time in their names, and
/// those of one second by the number behind it (`…_donkey`, `…_donkey_2`, `…_donkey_10`). Directories
/// of other names go by their names.
#[must_use]
pub fn episode_order(episode: &Path) -> impl Ord + use<> {
    let name = episode.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let second = name.get(..SECOND.len()).filter(|begin| {
        begin.chars().zip(SECOND.chars()).all(|(found, shape)| match shape {
            '0' => found.is_ascii_digit(),
            other => found == other,
        })
    });
    // Of one second and one robot, a larger number makes a longer name, or a later one of equal length.
    match second {
        Some(second) => (second.to_owned(), name.len(), name),
        None => (name, 0, String::new()),
    }
}

/// The recording of the episode in this directory.
#[must_use]
pub fn recording_path(episode: &Path) -> PathBuf {
    episode.join(RECORDING)
}

pub(crate) fn make_directory(
    files: &impl FileSystem,
    episodes_dir: &Path,
    about: &About,
) -> io::Result<PathBuf> {
    let named = |path: &Path, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    make_dirs(files, episodes_dir).map_err(|error| named(episodes_dir, error))?;
    let id = episode_id(about.start_unix_ms, &about.robot);
    // Two episodes within a second are possible; a thousand are a mistake.
    for n in 1..1000 {
        let path = match n {
            1 => episodes_dir.join(&id),
            _ => episodes_dir.join(format!("{id}_{n}")),
        };
        match files.make_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(named(&path, error)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{id}: 999 episodes of that name")))
}

/// Makes `path` and what leads to it; each new name is on the disk before anything is put under it.
fn make_dirs(files: &impl FileSystem, path: &Path) -> io::Result<()> {
    match files.make_dir(path) {
        Ok(()) => match path.parent() {
            Some(parent) => files.sync_dir(or_here(parent)),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A file of that name is told by whatever is to be put under it.
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
                return Err(error);
            };
            make_dirs(files, parent)?;
            files.make_dir(path)?;
            files.sync_dir(parent)
        }
        Err(error) => Err(error),
    }
}

/// The directory of a path that names none is the one we are in.
pub(crate) fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

pub(crate) fn open_files<F: FileSystem>(files: &F, path: &Path) -> io::Result<Files<F::File>> {
    files.make_dir(&path.join("steps"))?;
    files.make_dir(&path.join("blobs"))?;
    let mut reserve = files.create(&path.join(RESERVE))?;
    reserve.write_all(&vec![0; RESERVE_BYTES])?;
    reserve.sync()?;
    Ok(Files {
        recording: files.create(&path.join(RECORDING))?,
        steps: files.create(&path.join(STEPS))?,
        reserve,
    })
}

/// Takes back what [`make_directory`] and [`open_files`] made, as far as they came. By name: to look
/// what is there would take a descriptor, and none may be left.
pub(crate) fn remove_new(path: &Path) -> io::Result<()> {
    let gone = |removed: io::Result<()>| match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let (metadata, note) = (path.join(METADATA), path.join(NOTE));
    let files = [path.join(RECORDING), path.join(STEPS), path.join(RESERVE)];
    let files = files.into_iter().chain([beside(&metadata), beside(&note), metadata, note]);
    for file in files {
        gone(fs::remove_file(file))?;
    }
    for folder in ["blobs", STEPS_DIR] {
        gone(fs::remove_dir(path.join(folder)))?;
    }
    fs::remove_dir(path)
}

/// The names of a new episode, from its files up to itself.
pub(crate) fn sync_names(files: &impl FileSystem, path: &Path) -> io::Result<()> {
    files.sync_dir(&path.join("blobs"))?;
    files.sync_dir(&path.join("steps"))?;
    files.sync_dir(path)?;
    path.parent().map_or(Ok(()), |parent| files.sync_dir(or_here(parent)))
}

/// Value as the text of a file.
pub(crate) fn json_text(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

/// What is written beside a file before it takes its place.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Whole or not at all: written beside it and renamed. The directory must still be synced.
pub(crate) fn replace(files: &impl FileSystem, path: &Path, content: &[u8]) -> io::Result<()> {
    let new = beside(path);
    let mut file = files.create(&new)?;
    file.write_all(content)?;
    file.sync()?;
    drop(file);
    files.rename(&new, path)
}
