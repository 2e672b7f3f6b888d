//! Is an episode what the contract wants? Every rule, every fault, in one pass and bounded memory.
//!
//! *What it decides.* Which findings an episode has: file, line, step, field, expected, found. *What
//! it must never do.* Change anything, stop at the first fault, hold more than one line and one chunk,
//! or open a file outside the episode.
//!
//! ```text
//! metadata.json  ── shape ── metadata rules ─┐ said
//! steps/*.jsonl  ── shape ── values, media ──┼── sequence ── whole
//! recording.mcap ── its pictures ────┘       │
//! episode.json   ────────────── counts ──────┘
//! ```
//!
//! The record of an adapter's promotion is a profile of its own: one step, and other metadata. It
//! loosens nothing for an ordinary episode, which may be neither so short nor of that mode. Shown by:
//! tests/validate (an example that breaks
//! each rule), tests/bad_input.rs, tests/long_line.rs, and agreement.rs beside this file.

#[cfg(test)]
mod agreement;
mod finding;
mod jpeg;
mod json;
mod media;
mod metadata;
mod note;
mod parse;
mod recorded;
mod rules;
mod sequence;
mod shape;
mod table;
mod values;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

pub use finding::{Finding, Severity};
pub use rules::RULES;

use crate::episode_reader::step_files;
use crate::lines::{LINE_BYTES_MAX, Line, next_line};
use crate::place::{METADATA, NOTE, STEPS_DIR, recording_path};
use finding::Findings;
use json::Json;
use media::Media;
use metadata::Said;
use sequence::Sequence;

/// Whose rules apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The promotion record's, if the metadata says that it is one; otherwise the ordinary ones.
    #[default]
    Recognised,
    /// An ordinary episode's.
    Normal,
    /// The one-step record of an adapter's promotion.
    Promotion,
}

/// What an episode came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Lines in its steps.
    pub steps: u64,
    /// From the first step to the last.
    pub duration_ns: u64,
    /// Whether it was judged as a promotion record.
    pub is_promotion: bool,
    /// What it says is missing from it, by name; `None` if it does not count.
    pub lost: Option<BTreeMap<String, u64>>,
    /// Findings that the contract does not allow.
    pub errors: u64,
    /// Findings that somebody should look at.
    pub warnings: u64,
}

/// Why an episode could not be judged to its end.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct Unreadable {
    /// The file or directory.
    pub path: PathBuf,
    /// What the file system says.
    pub source: io::Error,
}

/// Whether a directory is meant to be an episode: it has the parts of one, right or wrong.
#[must_use]
pub fn is_episode(path: &Path) -> bool {
    path.join(METADATA).exists()
        || path.join(NOTE).exists()
        || path.join(STEPS_DIR).is_dir()
        || recording_path(path).exists()
}

/// Judges the episode in `path`; hands each finding to `tell` as it is found.
///
/// # Errors
/// [`Unreadable`] if the file system refuses; what stands in the files is never an error.
pub fn validate(
    path: &Path,
    profile: Profile,
    tell: &mut dyn FnMut(Finding),
) -> Result<Verdict, Unreadable> {
    let mut findings = Findings::new(tell);
    let metadata = read_json(path, METADATA, &mut findings)?;
    let said = metadata.json().map(Said::by).unwrap_or_default();
    let is_promotion = match profile {
        Profile::Recognised => said.is_promotion,
        Profile::Normal => false,
        Profile::Promotion => true,
    };
    match &metadata {
        Content::Missing => missing(METADATA, &mut findings),
        Content::Unusable => {}
        Content::Json { json, .. } if is_promotion => {
            metadata::check_promotion(json, &mut findings);
        }
        Content::Json { json, .. } => {
            metadata::check(json, recording_path(path).exists(), &mut findings);
        }
    }
    let sequence = check_steps(path, &mut findings)?;
    findings.look_at(path.display().to_string());
    if is_promotion {
        if sequence.count != 1 {
            findings.error("promotion", "steps", "exactly 1 step", sequence.count.to_string());
        }
    } else {
        sequence.finish(&said, &mut findings);
    }
    media::zero_byte_blobs(path, &mut findings)
        .map_err(|source| Unreadable { path: path.join("blobs"), source })?;
    let note = read_json(path, NOTE, &mut findings)?;
    if let Content::Json { text, json } = &note {
        note::check(text, json, &said, &sequence, &mut findings);
    }
    Ok(Verdict {
        steps: sequence.count,
        duration_ns: sequence.duration_ns(),
        is_promotion,
        lost: note.json().map(note::lost),
        errors: findings.errors,
        warnings: findings.warnings,
    })
}

fn missing(name: &str, findings: &mut Findings<'_>) {
    findings.error("missing_file", name, "the file", "nothing");
}

/// A file that is to be one JSON value.
enum Content {
    Missing,
    /// Too long, or no JSON, which has been told.
    Unusable,
    Json {
        text: String,
        json: Json,
    },
}

impl Content {
    fn json(&self) -> Option<&Json> {
        match self {
            Self::Json { json, .. } => Some(json),
            Self::Missing | Self::Unusable => None,
        }
    }
}

fn read_json(
    episode: &Path,
    name: &str,
    findings: &mut Findings<'_>,
) -> Result<Content, Unreadable> {
    let path = episode.join(name);
    findings.look_at(path.display().to_string());
    let unreadable = |source| Unreadable { path: path.clone(), source };
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(file) => {
            let limit = (LINE_BYTES_MAX as u64).saturating_add(1);
            file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Missing),
        Err(error) => return Err(unreadable(error)),
    }
    if bytes.len() > LINE_BYTES_MAX {
        too_long("the whole", format!("more than {LINE_BYTES_MAX} bytes"), findings);
        return Ok(Content::Unusable);
    }
    Ok(match parse(&bytes, "the whole", findings) {
        Some(json) => Content::Json { text: String::from_utf8_lossy(&bytes).into_owned(), json },
        None => Content::Unusable,
    })
}

/// One JSON value out of bytes; what is wrong with it is told.
fn parse(bytes: &[u8], field: &str, findings: &mut Findings<'_>) -> Option<Json> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or_default();
            let found = format!("byte {byte:#04x} at byte {at}");
            findings.error("not_utf8", field, "UTF-8", found);
            return None;
        }
    };
    parse::parse(text)
        .map_err(|wrong| {
            // Of a line, its number is told already.
            let line = if findings.line.is_some() {
                String::new()
            } else {
                format!("line {}, ", wrong.line)
            };
            let expected = format!("JSON: {} at {line}column {}", wrong.expected, wrong.column);
            findings.error("not_json", field, expected, wrong.found);
        })
        .ok()
}

fn too_long(field: &str, found: String, findings: &mut Findings<'_>) {
    findings.error("too_long", field, format!("at most {LINE_BYTES_MAX} bytes"), found);
}

fn check_steps(episode: &Path, findings: &mut Findings<'_>) -> Result<Sequence, Unreadable> {
    let folder = episode.join(STEPS_DIR);
    let files =
        step_files(episode).map_err(|source| Unreadable { path: folder.clone(), source })?;
    let mut media = Media::new(episode);
    let mut sequence = Sequence::default();
    if files.is_empty() {
        findings.look_at(folder.display().to_string());
        missing("steps/000000.jsonl", findings);
    }
    let mut line = Vec::new();
    for file in files {
        findings.look_at(file.display().to_string());
        let unreadable = |source| Unreadable { path: file.clone(), source };
        let mut input = BufReader::with_capacity(1 << 16, File::open(&file).map_err(unreadable)?);
        for number in 1.. {
            (findings.line, findings.step) = (Some(number), Some(sequence.count));
            match next_line(&mut input, &mut line, LINE_BYTES_MAX).map_err(unreadable)? {
                Line::End => break,
                Line::TooLong { bytes } => {
                    too_long("the line", format!("{bytes} bytes"), findings);
                    sequence.count = sequence.count.saturating_add(1);
                }
                Line::Whole => check_line(&line, &mut media, &mut sequence, findings),
            }
        }
    }
    media.finish(findings);
    Ok(sequence)
}

fn check_line(
    line: &[u8],
    media: &mut Media,
    sequence: &mut Sequence,
    findings: &mut Findings<'_>,
) {
    let Some(step) = parse(line, "the line", findings) else {
        sequence.count = sequence.count.saturating_add(1);
        return;
    };
    findings.faults(shape::check(&table::STEP, &step));
    values::check(&step, findings);
    media.step(&step, findings);
    sequence.step(&step, findings);
}

/// The first fault of `text` as one of the contract's values, for a reader that stops there.
pub(crate) fn first_fault(text: &[u8], is_step: bool) -> Option<(String, String, String)> {
    let mut first = None;
    let mut tell = |finding: Finding| {
        first.get_or_insert((finding.field, finding.expected, finding.found));
    };
    let mut findings = Findings::new(&mut tell);
    if let Some(json) = parse(text, "the line", &mut findings) {
        let block = if is_step { &table::STEP } else { &table::METADATA };
        findings.faults(shape::check(block, &json));
    }
    first
}
