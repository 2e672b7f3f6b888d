//! Reading an episode back: its metadata, and its steps one at a time.
//!
//! *What it decides.* What can be believed: the contract's keys and types, strictly; an error says
//! file, line, field, expected and found. *What it must never do.* Hold more than one line, or judge
//! what the values mean: the validator does. Shown by: tests/episode_reader.rs.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::lines::{LINE_BYTES_MAX, Line, next_line};
use crate::place::{METADATA, STEPS_DIR};
use crate::schema::{Metadata, Step};
use crate::validate::first_fault;

/// Why an episode, or the rest of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EpisodeError {
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The directory is no episode.
    #[error("{}: no episode: it has no {expected}", path.display())]
    NotAnEpisode {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        expected: &'static str,
    },
    /// What stands there is not what the contract wants.
    #[error("{}{}: {field}: expected {expected}, found {found}", path.display(), at_line(*line))]
    Content {
        /// The file.
        path: PathBuf,
        /// Its line, from 1; 0 for a file that is no table of lines.
        line: u64,
        /// Path of the field, `observation.gaze.direction` for example; `the line` for all of it.
        field: String,
        /// What the contract wants.
        expected: String,
        /// What is there.
        found: String,
    },
}

fn at_line(line: u64) -> String {
    if line == 0 { String::new() } else { format!(":{line}") }
}

/// An episode that is being read.
#[derive(Debug)]
pub struct EpisodeReader {
    path: PathBuf,
    metadata: Metadata,
    /// Files that are still to be read.
    files: VecDeque<PathBuf>,
    current: Option<(PathBuf, BufReader<File>)>,
    line: Vec<u8>,
    line_number: u64,
    next_index: u64,
}

impl EpisodeReader {
    /// Opens the episode in the directory `path` and reads its metadata.
    ///
    /// # Errors
    /// [`EpisodeError`]: no episode, or metadata that the contract does not allow.
    pub fn open(path: &Path) -> Result<Self, EpisodeError> {
        let metadata_path = path.join(METADATA);
        if !metadata_path.is_file() {
            return Err(not_an_episode(path, METADATA));
        }
        let metadata = read_metadata(&metadata_path)?;
        let files = step_files(path)
            .map_err(|source| EpisodeError::Io { path: path.join(STEPS_DIR), source })?;
        if files.is_empty() {
            return Err(not_an_episode(path, "steps/000000.jsonl"));
        }
        Ok(Self {
            path: path.to_owned(),
            metadata,
            files: files.into(),
            current: None,
            line: Vec::new(),
            line_number: 0,
            next_index: 0,
        })
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The contract's metadata.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The next step and its index from 0, or `None` after the last.
    ///
    /// # Errors
    /// [`EpisodeError`] where the file cannot be read, or a line is none that the contract allows;
    /// asked again, it goes on with the line after that one.
    pub fn next_step(&mut self) -> Result<Option<(u64, Step)>, EpisodeError> {
        loop {
            let Some((path, input)) = &mut self.current else {
                let Some(path) = self.files.pop_front() else {
                    return Ok(None);
                };
                let input = File::open(&path)
                    .map_err(|source| EpisodeError::Io { path: path.clone(), source })?;
                self.line_number = 0;
                self.current = Some((path, BufReader::with_capacity(1 << 16, input)));
                continue;
            };
            let found = next_line(input, &mut self.line, LINE_BYTES_MAX)
                .map_err(|source| EpisodeError::Io { path: path.clone(), source })?;
            self.line_number = self.line_number.saturating_add(1);
            match found {
                Line::End => self.current = None,
                Line::Whole => {
                    let index = self.next_index;
                    self.next_index = index.saturating_add(1);
                    return parse(path, self.line_number, &self.line)
                        .map(|step| Some((index, step)));
                }
                Line::TooLong { bytes } => {
                    self.next_index = self.next_index.saturating_add(1);
                    return Err(EpisodeError::Content {
                        path: path.clone(),
                        line: self.line_number,
                        field: "the line".to_owned(),
                        expected: format!("at most {LINE_BYTES_MAX} bytes"),
                        found: format!("{bytes} bytes"),
                    });
                }
            }
        }
    }
}

/// The files of steps of the episode in `path`, in order.
pub(crate) fn step_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path.join(STEPS_DIR)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_metadata(path: &Path) -> Result<Metadata, EpisodeError> {
    let io = |source| EpisodeError::Io { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(LINE_BYTES_MAX as u64).read_to_end(&mut text).map_err(io)?;
    parse(path, 0, &text)
}

/// Line 0 is a file that is one value: metadata.
fn parse<T: DeserializeOwned>(path: &Path, line: u64, text: &[u8]) -> Result<T, EpisodeError> {
    serde_json::from_slice(text).map_err(|error| {
        let (field, expected, found) = first_fault(text, line > 0).unwrap_or_else(|| {
            // The table lets through what the types refuse: that is said in their words.
            ("the whole".to_owned(), "the contract's keys and types".to_owned(), error.to_string())
        });
        EpisodeError::Content { path: path.to_owned(), line, field, expected, found }
    })
}

fn not_an_episode(path: &Path, expected: &'static str) -> EpisodeError {
    EpisodeError::NotAnEpisode { path: path.to_owned(), expected }
}
