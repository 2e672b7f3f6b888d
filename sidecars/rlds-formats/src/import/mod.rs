//! Imports: what other recorders wrote, as episodes of the contract.
//!
//! *What it decides.* What a path is (by what lies in it, not by what it is called), and that every
//! import becomes a directory as `export --format dir` writes it. *What it must never do.* Crash on a
//! file, stop at a broken one, or write half an episode.
//!
//! | Found | Means |
//! |---|---|
//! | a directory with `meta/info.json` | LeRobot, version 3: each of its episodes |
//! | a directory with `manifest.json` and catalogs | Donkeycar tub, version 2: each session of it |
//! | a directory with `metadata.json` and `steps/` | the contract's form, strict or not |
//! | a directory with `episode.json` | what the arm recorder writes |
//! | `*.tfrecord`, `*.tfrecord.gz` | the contract's TFRecord |
//! | `*.jsonl` | a step a line |
//! | `*.json` | an episode in one object; steps under `steps`, blocks under `observation` or `obs` |
//! | any other directory | everything in it |
//!
//! Shown by: tests/formats/import.rs, tests/formats/bad_input.rs.

mod lerobot;
mod lines;
mod sizes;
mod table;
mod tfrecord;
mod thrift;
mod tub;
mod variants;

use crate::export::{Names, Progress, Ticker, Told, dir};
use crate::problem::Problem;
use crate::sample::Source;
use std::fs;
use std::path::{Path, PathBuf};

/// Directories inside directories that are looked into.
const DEPTH_MAX: u32 = 3;

/// An episode that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The contract's form, strict or not.
    Directory(PathBuf),
    /// An arm recorder's directory.
    ArmRecorder(PathBuf),
    /// A step a line.
    Lines(PathBuf),
    /// An episode in one object.
    Object(PathBuf),
    /// The contract's TFRecord.
    Tfrecord(PathBuf),
    /// A session of a Donkeycar tub.
    TubSession {
        /// The tub.
        tub: PathBuf,
        /// Its name there.
        session: String,
    },
    /// An episode of a LeRobot data set.
    Lerobot {
        /// The data set.
        data_set: PathBuf,
        /// Its number there.
        episode: i64,
    },
}

impl Found {
    fn path(&self) -> &Path {
        match self {
            Self::Directory(path)
            | Self::ArmRecorder(path)
            | Self::Lines(path)
            | Self::Object(path)
            | Self::Tfrecord(path)
            | Self::TubSession { tub: path, .. }
            | Self::Lerobot { data_set: path, .. } => path,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Problem`], with file, place and field.
    pub fn open(&self) -> Result<Box<dyn Source>, Problem> {
        Ok(match self {
            Self::Directory(path) => Box::new(variants::directory(path)?),
            Self::ArmRecorder(path) => Box::new(variants::arm_recorder(path)?),
            Self::Lines(path) => Box::new(variants::lines(path)?),
            Self::Object(path) => Box::new(variants::object(path)?),
            Self::Tfrecord(path) => Box::new(tfrecord::open(path)?),
            Self::TubSession { tub, session } => Box::new(tub::Session::open(tub, session)?),
            Self::Lerobot { data_set, episode } => {
                Box::new(lerobot::Episode::open(data_set, *episode)?)
            }
        })
    }
}

/// Everything in `path` that can be imported, in the order of its names.
///
/// # Errors
/// [`Problem`] if there is nothing, or it cannot be looked into.
pub fn discover(path: &Path) -> Result<Vec<Found>, Problem> {
    let mut found = Vec::new();
    look(path, DEPTH_MAX, &mut found)?;
    if found.is_empty() {
        return Err(Problem::input(path, "", "expected episodes, found nothing that is one"));
    }
    Ok(found)
}

fn look(path: &Path, depth: u32, found: &mut Vec<Found>) -> Result<(), Problem> {
    if !path.is_dir() {
        return look_at_file(path, found);
    }
    let has = |name: &str| path.join(name).exists();
    if has("meta/info.json") {
        for episode in lerobot::episodes(path)? {
            found.push(Found::Lerobot { data_set: path.to_owned(), episode });
        }
    } else if has("metadata.json") && has("steps") {
        found.push(Found::Directory(path.to_owned()));
    } else if has("manifest.json") && tub::is_one(path) {
        for session in tub::sessions(path)? {
            found.push(Found::TubSession { tub: path.to_owned(), session });
        }
    } else if has("episode.json") {
        found.push(Found::ArmRecorder(path.to_owned()));
    } else if depth > 0 {
        let entries = fs::read_dir(path).map_err(Problem::read(path))?;
        let mut inside = Vec::new();
        for entry in entries {
            inside.push(entry.map_err(Problem::read(path))?.path());
        }
        inside.sort();
        for entry in inside {
            let is_known = entry.is_dir() || kind_of(&entry).is_some();
            if is_known {
                look(&entry, depth.saturating_sub(1), found)?;
            }
        }
    }
    Ok(())
}

fn kind_of(path: &Path) -> Option<fn(PathBuf) -> Found> {
    let name = path.file_name()?.to_str()?;
    if name.ends_with(".tfrecord") || name.ends_with(".tfrecord.gz") {
        Some(Found::Tfrecord)
    } else if name.ends_with(".jsonl") {
        Some(Found::Lines)
    } else if name.ends_with(".json") {
        Some(Found::Object)
    } else {
        None
    }
}

fn look_at_file(path: &Path, found: &mut Vec<Found>) -> Result<(), Problem> {
    if !path.exists() {
        return Err(Problem::input(path, "", "no such file or directory"));
    }
    let kind = kind_of(path).ok_or_else(|| {
        let what =
            "expected a directory, .tfrecord, .tfrecord.gz, .jsonl or .json, found another file";
        Problem::input(path, "", what)
    })?;
    found.push(kind(path.to_owned()));
    Ok(())
}

/// What was imported, and what not.
#[derive(Debug)]
pub struct Imported {
    /// What became of each episode.
    pub told: Vec<Told>,
    /// Records that were skipped inside an episode, and paths that hold none, by name.
    pub broken: Vec<String>,
}

/// Imports everything in `paths` into episodes in the directory `to`.
///
/// # Errors
/// [`Problem`] of the output. What is wrong with an input is told by name.
pub fn import(
    paths: &[PathBuf],
    to: &Path,
    watch: &mut dyn FnMut(&Progress),
) -> Result<Imported, Problem> {
    crate::atomic::make_directory(to)?;
    let mut imported = Imported { told: Vec::new(), broken: Vec::new() };
    let mut all = Vec::new();
    for path in paths {
        match discover(path) {
            Ok(found) => all.extend(found),
            Err(problem) => {
                imported.broken.push(problem.to_string());
                imported.told.push(Told::skipped(path, &problem));
            }
        }
    }
    let mut ticker = Ticker::new(all.len(), watch);
    let mut names = Names::default();
    for found in all {
        let written = found.open().and_then(|mut source| {
            let told = dir::write(&mut *source, found.path(), to, &mut names, &mut ticker)?;
            imported.broken.extend(source.broken());
            Ok(told)
        });
        imported.told.push(match written {
            Ok(told) => told,
            Err(problem) if problem.is_of_the_output() => return Err(problem),
            Err(problem) => Told::skipped(found.path(), &problem),
        });
        ticker.episode();
    }
    Ok(imported)
}
