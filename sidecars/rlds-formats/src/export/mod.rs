//! Exports: episodes of the contract in the formats of other tools.
//!
//! *What it decides.* Which episodes are written, under which names, and what is told of each. Every
//! export streams: it holds one step and its picture, whatever the length of the episode. *What it
//! must never do.* Touch a source, write over what is finished, or let one broken episode stop the
//! others: it is skipped by name. Neither does it hand on an episode that the validator refuses.
//!
//! What each format loses:
//!
//! | Format | Lost |
//! |---|---|
//! | `tfds` | the recording; depth, sound and masks as files (their uris stay); steps whose picture is missing |
//! | `tfrecord` | the recording; every picture (its uri stays); the episode's metadata but its id |
//! | `lerobot` | the recording; all but state, action, picture, reward and task of a step; steps between two instants of the fixed rate |
//! | `dir` | the recording, but for the pictures that steps refer to |
//! | `mcap` | nothing of the recording; steps and metadata (they are derived from it) |
//! | `bundle` | the recording, every picture and sound, every text that is not one of the contract's own words |
//!
//! Shown by: tests/formats/dir.rs, tests/formats/tfrecord.rs, tests/formats/tfds.rs, tests/formats/bundle.rs, tests/formats/lerobot.rs.

pub mod bundle;
mod carry;
pub mod dir;
pub mod lerobot;
pub mod mcap;
pub mod tfds;
pub mod tfrecord;

use crate::problem::Problem;
use rlds::validate::{Profile, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RLDS as `tensorflow_datasets` reads it.
    Tfds,
    /// The contract's own TFRecord: one Example a step.
    Tfrecord,
    /// LeRobot data set, version 3.
    Lerobot,
    /// The contract's directories, pictures as files.
    Dir,
    /// The recording alone, with its summary.
    Mcap,
    /// Anonymised, for other people.
    Bundle,
}

/// How to write it.
#[derive(Clone, Debug)]
pub struct Options {
    /// `tfds`, `tfrecord`: compress with gzip.
    pub gzip: bool,
    /// `tfds`, `lerobot`: with the camera's pictures.
    pub with_pictures: bool,
    /// `lerobot`: the pictures as a video (Motion JPEG in MP4, the camera's own bytes).
    pub video: bool,
    /// `tfds`: of a hundred episodes about this many are `val`, chosen by their ids.
    pub validation_percent: u8,
    /// `tfds`, `lerobot`: name of the data set.
    pub name: String,
    /// `tfds`, `lerobot`: a file is not much larger.
    pub file_bytes: u64,
    /// `tfds`: an episode that comes to more is cut into parts.
    pub part_bytes: u64,
    /// `lerobot`: frames a second; `None`: the rate of the first episode, rounded.
    pub frames_per_s: Option<u32>,
    /// What the robot was to do, for episodes that do not say it.
    pub task: String,
    /// `bundle`: the salt is kept in this file, and read from it the next time.
    pub salt_file: Option<PathBuf>,
    /// `bundle`: in ms since 1970.
    pub now_unix_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gzip: false,
            with_pictures: true,
            video: false,
            validation_percent: 10,
            name: "continuon".to_owned(),
            file_bytes: 256 << 20,
            part_bytes: 512 << 20,
            frames_per_s: None,
            task: "drive".to_owned(),
            salt_file: None,
            now_unix_ms: 0,
        }
    }
}

/// What became of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is in the output.
    Written,
    /// It was there already.
    Kept,
    /// It could not be read to its end; nothing of it is in the output.
    Skipped,
}

/// What is told of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Where it comes from.
    pub source: String,
    /// Its id; empty where it could not be read.
    pub episode_id: String,
    /// What became of it.
    pub fate: Fate,
    /// Steps in the output.
    pub steps: u64,
    /// Why it was skipped; empty where it was not.
    pub why: String,
    /// What of it is not in the output though the format could hold it, each with how often.
    pub left_out: Vec<(String, u64)>,
}

impl Told {
    fn new(source: &Path, episode_id: &str, fate: Fate, steps: u64) -> Self {
        Self {
            source: source.display().to_string(),
            episode_id: episode_id.to_owned(),
            fate,
            steps,
            why: String::new(),
            left_out: Vec::new(),
        }
    }

    pub(crate) fn skipped(source: &Path, problem: &Problem) -> Self {
        Self { why: problem.to_string(), ..Self::new(source, "", Fate::Skipped, 0) }
    }
}

/// How far an export is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Episodes that are done.
    pub episodes: usize,
    /// Episodes in all.
    pub of: usize,
    /// Steps that were read.
    pub steps: u64,
}

/// Counts steps and episodes, and tells whoever watches.
pub(crate) struct Ticker<'a> {
    progress: Progress,
    watch: &'a mut dyn FnMut(&Progress),
}

impl<'a> Ticker<'a> {
    pub(crate) fn new(of: usize, watch: &'a mut dyn FnMut(&Progress)) -> Self {
        Self { progress: Progress { episodes: 0, of, steps: 0 }, watch }
    }

    pub(crate) fn step(&mut self) {
        self.progress.steps = self.progress.steps.saturating_add(1);
        (self.watch)(&self.progress);
    }

    pub(crate) fn episode(&mut self) {
        self.progress.episodes = self.progress.episodes.saturating_add(1);
        (self.watch)(&self.progress);
    }
}

/// Writes `episodes` into the directory `to`; what is finished there already stays.
///
/// # Errors
/// [`Problem`] of the output: a full disk, or a directory that holds something else. What is wrong
/// with one episode is told in its [`Told`].
pub fn export(
    format: Format,
    episodes: &[PathBuf],
    to: &Path,
    options: &Options,
    watch: &mut dyn FnMut(&Progress),
) -> Result<Vec<Told>, Problem> {
    crate::atomic::make_directory(to)?;
    let mut ticker = Ticker::new(episodes.len(), watch);
    let (mut valid, mut told) = (Vec::new(), Vec::new());
    for path in episodes {
        // A recording is handed on as it is, whatever the contract says to its steps.
        match if format == Format::Mcap { Ok(()) } else { checked(path) } {
            Ok(()) => valid.push(path.clone()),
            Err(problem) => {
                told.push(Told::skipped(path, &problem));
                ticker.episode();
            }
        }
    }
    let episodes = valid.as_slice();
    told.extend(match format {
        Format::Tfds => tfds::export(episodes, to, options, &mut ticker),
        Format::Lerobot => lerobot::export(episodes, to, options, &mut ticker),
        Format::Bundle => bundle::export(episodes, &told, to, options, &mut ticker),
        Format::Tfrecord => one_by_one(episodes, &mut ticker, |path, names, ticker| {
            tfrecord::write(path, to, options, names, ticker)
        }),
        Format::Dir => one_by_one(episodes, &mut ticker, |path, names, ticker| {
            dir::write_episode(path, to, names, ticker)
        }),
        Format::Mcap => {
            one_by_one(episodes, &mut ticker, |path, names, _ticker| mcap::write(path, to, names))
        }
    }?);
    Ok(told)
}

/// Refuses an episode that the contract does not allow, with the first fault and how many there are.
fn checked(path: &Path) -> Result<(), Problem> {
    let mut first = None;
    let verdict = rlds::validate::validate(path, Profile::Recognised, &mut |finding| {
        if finding.severity == Severity::Error {
            first.get_or_insert(finding);
        }
    });
    let errors = verdict.map_err(|error| Problem::input(path, "", error.to_string()))?.errors;
    match first {
        Some(finding) => Err(Problem::Invalid { finding: Box::new(finding), errors }),
        None => Ok(()),
    }
}

/// Formats in which each episode is a file or a directory of its own.
fn one_by_one(
    episodes: &[PathBuf],
    ticker: &mut Ticker<'_>,
    mut write: impl FnMut(&Path, &mut Names, &mut Ticker<'_>) -> Result<Told, Problem>,
) -> Result<Vec<Told>, Problem> {
    let mut names = Names::default();
    let mut told = Vec::new();
    for path in episodes {
        told.push(match write(path, &mut names, ticker) {
            Ok(told) => told,
            Err(problem) if problem.is_of_the_output() => return Err(problem),
            Err(problem) => Told::skipped(path, &problem),
        });
        ticker.episode();
    }
    Ok(told)
}

/// Names that are taken in this export.
#[derive(Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// The name of the episode in `path`, whose metadata calls it `episode_id`: fit to be a file's
    /// name, and nobody else's.
    pub(crate) fn take(&mut self, path: &Path, episode_id: &str) -> Result<String, Problem> {
        let name = match episode_id {
            "" => crate::canonical::real(path)
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            id => id.to_owned(),
        };
        if !is_fit_for_a_file(&name) {
            let what = format!(
                "episode_id: expected letters, digits, `_`, `-` and `.`, found `{}`",
                name.escape_default()
            );
            return Err(Problem::input(path, "", what));
        }
        if !self.0.insert(name.clone()) {
            let what = format!("episode_id: another episode of this export is `{name}` already");
            return Err(Problem::input(path, "", what));
        }
        Ok(name)
    }
}

/// Whether `name` can be no path and no hidden file.
pub(crate) fn is_fit_for_a_file(name: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=200).contains(&name.len()) && name.chars().all(is_fit) && !name.starts_with('.')
}
