//! Is this episode whole, and if not: what is lost, and put in order what is left.
//!
//! *What it decides.* What is wrong with an episode and where; what it is once it has been put in
//! order. The recording is the truth: steps, metadata and counts are derived from it anew. *What it
//! must never do.* Touch an episode that somebody is writing, write into a file that is there (it
//! writes beside, syncs and renames), or say nothing of what is lost.
//!
//! Shown by: tests/fsck.rs, tests/bits.rs, and the crash images of the tests crate.

mod derive;
mod repair;
mod scan;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::episode::{Standing, metadata, note};
use crate::note::{Closing, EpisodeNote};
use crate::place::{METADATA, NOTE, RECORDING, RESERVE, STEPS};
use crate::recording::RecordingError;
use crate::schema::Metadata;
use crate::steps::StepsError;
use crate::storage::{FileSystem, HostFiles};
use derive::Derived;
use scan::Scan;

/// Findings of one kind that are told; more are counted.
const STEP_FINDINGS_MAX: usize = 10;
/// `metadata.json` and `episode.json` are some kilobytes.
const JSON_BYTES_MAX: u64 = 16 << 20;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// File, from the episode's directory.
    pub file: String,
    /// Where the record begins that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_byte: Option<u64>,
    /// The line that is wrong, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What is wrong.
    pub found: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(at) = self.at_byte {
            write!(f, ", byte {at}")?;
        }
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.found)
    }
}

/// What was found in an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FsckReport {
    /// The episode.
    pub path: PathBuf,
    /// What is wrong, or was before it was repaired.
    pub findings: Vec<Finding>,
    /// What is lost, in words; empty if nothing is.
    pub lost: Vec<String>,
    /// Whether it was put in order.
    pub repaired: bool,
    /// What the episode comes to: what stands in `episode.json` once it is in order.
    pub note: EpisodeNote,
}

impl FsckReport {
    /// Whether nothing is wrong with it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Why an episode cannot be looked at, or not be put in order.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is no recording.
    #[error("no {RECORDING}: it is no episode of this recorder")]
    NoRecording,
    /// The power went before the first record was on the disk.
    #[error("nothing of it reached the disk: it may be removed")]
    NothingRecorded,
    /// Its recorder lives.
    #[error("it is being written: wait until its recorder has closed it")]
    InUse,
    /// Another build's records.
    #[error("it was recorded by build {build_id:#018x} with other layouts: use that build")]
    OtherBuild {
        /// Build that recorded it; 0 where it is not known.
        build_id: u64,
    },
    /// A record inside a chunk whose CRC is right makes no sense.
    #[error("{RECORDING}, byte {at}: {found}")]
    Content {
        /// Where the chunk begins.
        at: u64,
        /// What is wrong.
        found: String,
    },
    /// A step rate that makes no grid.
    #[error(transparent)]
    Steps(#[from] StepsError),
    /// The beginning cannot be made anew.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// Looks at the episode in the directory `path`, and changes nothing.
///
/// # Errors
/// [`FsckError`] if it cannot be judged.
pub fn check(path: &Path) -> Result<FsckReport, FsckError> {
    check_in(&HostFiles, path)
}

/// As [`check`], on other files than this machine's.
///
/// # Errors
/// As [`check`].
pub fn check_in<F: FileSystem>(files: &F, path: &Path) -> Result<FsckReport, FsckError> {
    Ok(Looked::at(files, path)?.report)
}

/// Looks at the episode in the directory `path`, and puts it in order if something is wrong.
///
/// # Errors
/// [`FsckError`] if it cannot be judged or written; then it is as it was.
pub fn repair(path: &Path) -> Result<FsckReport, FsckError> {
    repair_in(&HostFiles, path)
}

/// As [`repair`], on other files than this machine's.
///
/// # Errors
/// As [`repair`].
pub fn repair_in<F: FileSystem>(files: &F, path: &Path) -> Result<FsckReport, FsckError> {
    let mut looked = Looked::at(files, path)?;
    if !looked.report.is_whole() {
        repair::put_in_order(files, path, &mut looked)?;
        looked.report.repaired = true;
    }
    Ok(looked.report)
}

/// An episode that was looked at; nobody else writes it as long as this is held.
pub(crate) struct Looked<F: FileSystem> {
    pub(crate) recording: F::Reader,
    pub(crate) scan: Scan,
    pub(crate) metadata: Metadata,
    pub(crate) report: FsckReport,
}

impl<F: FileSystem> Looked<F> {
    fn at(files: &F, path: &Path) -> Result<Self, FsckError> {
        let mut recording = match files.open(&path.join(RECORDING)) {
            Ok(recording) => recording,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FsckError::NoRecording);
            }
            Err(error) => return Err(error.into()),
        };
        if !files.lock(&recording)? {
            return Err(FsckError::InUse);
        }
        let told = told_of(files, path)?;
        let mut steps = StepsInPlace::open(files, path)?;
        let mut derived = None;
        let mut each = |plain: &[u8], about: &crate::About| {
            let derived = match &mut derived {
                Some(derived) => derived,
                none => none.insert(Derived::new(about).map_err(|error| error.to_string())?),
            };
            derived.chunk(plain)?;
            steps.compare(&std::mem::take(&mut derived.lines));
            Ok(())
        };
        let scan = scan::scan(&mut recording, &mut each)?;
        let mut derived = match derived {
            Some(derived) => derived,
            None => Derived::new(&scan.about)?,
        };
        let (closing, reason) = closing(&scan, &derived, told.note.as_ref());
        derived.finish(closing);
        steps.compare(&std::mem::take(&mut derived.lines));
        let mut findings = scan.findings.clone();
        findings.extend(steps.finish()?);
        let standing =
            Standing { stored: derived.stored, steps: derived.steps_count, ..Standing::default() };
        let mut note = note(path, &scan.about, &derived.tally, &standing, closing, &reason);
        if let Some(told) = &told.note {
            keep_what_only_the_recorder_knew(&mut note, told);
        }
        let by_hand = derived.tally.teleop_cycles > 0;
        let until = rt_wire::MonoNs(derived.tally.last_mono_ns);
        let mut metadata = metadata(&scan.about, &note, until, by_hand);
        if let Some(told) = &told.metadata {
            keep_what_people_wrote(&mut metadata, told);
        }
        findings.extend(told.findings);
        findings.extend(
            told.note.filter(|told| *told != note).map(|told| differs(NOTE, &told.closing)),
        );
        findings.extend(
            told.metadata
                .filter(|told| *told != metadata)
                .map(|_| finding(METADATA, "it says something else than the recording")),
        );
        let mut lost = lost(&scan, &note);
        if closing == Closing::DiskFailed {
            lost.push(format!("the disk failed: {reason}"));
        }
        let report = FsckReport { path: path.to_owned(), findings, lost, repaired: false, note };
        Ok(Self { recording, scan, metadata, report })
    }
}

fn finding(file: &str, found: impl Into<String>) -> Finding {
    Finding { file: file.to_owned(), at_byte: None, line: None, found: found.into() }
}

fn differs(file: &str, closing: &Closing) -> Finding {
    match closing {
        Closing::Open => finding(file, "it was never closed: its recorder was killed"),
        _ => finding(file, "it says something else than the recording"),
    }
}

/// How the episode ended.
fn closing(scan: &Scan, derived: &Derived, told: Option<&EpisodeNote>) -> (Closing, String) {
    if let Some(told) = told.filter(|told| told.closing == Closing::DiskFailed) {
        return (told.closing, told.reason.clone());
    }
    // Once recovered, the file looks as if nothing had ever been wrong with it: what was said stays.
    if let Some(told) = told.filter(|told| told.closing == Closing::Recovered)
        && scan.findings.is_empty()
    {
        return (told.closing, told.reason.clone());
    }
    if let Some((closing, reason)) = &derived.closed
        && scan.parts.iter().all(|part| part.taken_out.is_none())
    {
        return (*closing, reason.clone());
    }
    (Closing::Recovered, recovered_because(scan))
}

fn recovered_because(scan: &Scan) -> String {
    let taken_out = scan.parts.iter().filter_map(|part| part.taken_out.as_deref());
    let mut reasons: Vec<String> = taken_out.map(str::to_owned).collect();
    if !scan.has_end {
        reasons.push("the recorder ended without closing".to_owned());
    }
    if scan.torn_bytes > 0 {
        let whole = scan.file_bytes.saturating_sub(scan.torn_bytes);
        reasons.push(format!("{} bytes after byte {whole} were torn", scan.torn_bytes));
    }
    if reasons.is_empty() {
        reasons.push("what it said of its end is lost".to_owned());
    }
    reasons.join("; ")
}

fn lost(scan: &Scan, note: &EpisodeNote) -> Vec<String> {
    let mut lost = Vec::new();
    let mut count = |what: &str, count: u64| {
        if count > 0 {
            lost.push(format!("{count} {what}"));
        }
    };
    count("telemetry records that the ring overwrote", note.telemetry_lost_ring);
    count(
        "telemetry records that never reached the disk or were damaged on it",
        note.telemetry_lost_disk,
    );
    count("keyframes", note.keyframes_lost);
    count("frames of the loop's log", note.log_frames_lost);
    count("camera frames", note.frames_lost);
    if scan.torn_bytes > 0 || !scan.has_end {
        lost.push(format!(
            "whatever came after record {} and had not reached the disk (at most the last 200 ms, or \
             what a stalled disk kept waiting)",
            note.last_sequence
        ));
    }
    if scan.robot_json.is_empty() {
        lost.push("the robot file".to_owned());
    }
    lost
}

/// Where the disk failed, the recorder counted what came after; the recording cannot.
fn keep_what_only_the_recorder_knew(note: &mut EpisodeNote, told: &EpisodeNote) {
    if told.closing != Closing::DiskFailed {
        return;
    }
    note.telemetry_lost_ring = told.telemetry_lost_ring.max(note.telemetry_lost_ring);
    note.telemetry_lost_disk = told.telemetry_lost_disk.max(note.telemetry_lost_disk);
    note.keyframes_lost = told.keyframes_lost.max(note.keyframes_lost);
    note.log_frames_lost = told.log_frames_lost.max(note.log_frames_lost);
    note.frames_lost = told.frames_lost.max(note.frames_lost);
    note.last_sequence = told.last_sequence.max(note.last_sequence);
    note.last_mono_ns = told.last_mono_ns.max(note.last_mono_ns);
    note.steps_skipped = told.steps_skipped.max(note.steps_skipped);
}

/// What does not follow from the recording, and was added by people or their programs.
fn keep_what_people_wrote(metadata: &mut Metadata, told: &Metadata) {
    metadata.capabilities.clone_from(&told.capabilities);
    metadata.owner.clone_from(&told.owner);
    metadata.safety.clone_from(&told.safety);
    metadata.share.clone_from(&told.share);
    metadata.provenance.clone_from(&told.provenance);
    let theirs = |tag: &&String| !tag.starts_with("continuon.");
    metadata.tags.extend(told.tags.iter().filter(theirs).cloned());
}

/// What the episode says of itself, where it can be read.
struct Told {
    note: Option<EpisodeNote>,
    metadata: Option<Metadata>,
    findings: Vec<Finding>,
}

fn told_of(files: &impl FileSystem, path: &Path) -> Result<Told, FsckError> {
    let mut findings = Vec::new();
    let note = read_json(files, path, NOTE, &mut findings)?;
    let metadata = read_json(files, path, METADATA, &mut findings)?;
    match files.open(&path.join(RESERVE)) {
        Ok(_) => findings.push(finding(RESERVE, "space held back by a recorder that has gone")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Told { note, metadata, findings })
}

fn read_json<T: serde::de::DeserializeOwned>(
    files: &impl FileSystem,
    path: &Path,
    name: &str,
    findings: &mut Vec<Finding>,
) -> Result<Option<T>, FsckError> {
    let mut text = Vec::new();
    match files.open(&path.join(name)) {
        Ok(file) => file.take(JSON_BYTES_MAX).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            findings.push(finding(name, "it is missing"));
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    match serde_json::from_slice(&text) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            findings.push(finding(name, error.to_string()));
            Ok(None)
        }
    }
}

/// The steps file, compared with the steps that the recording makes, as they come.
struct StepsInPlace<R> {
    input: Option<io::BufReader<R>>,
    line: u64,
    wrong: u64,
    findings: Vec<Finding>,
    failure: Option<io::Error>,
}

impl<R: Read> StepsInPlace<R> {
    fn open<F: FileSystem<Reader = R>>(files: &F, path: &Path) -> Result<Self, FsckError> {
        let mut findings = Vec::new();
        let input = match files.open(&path.join(STEPS)) {
            Ok(file) => Some(io::BufReader::with_capacity(1 << 16, file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                findings.push(finding(STEPS, "it is missing"));
                None
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { input, line: 0, wrong: 0, findings, failure: None })
    }

    /// Holds `lines`, which are whole, against what comes next in the file.
    fn compare(&mut self, lines: &[u8]) {
        let Some(input) = &mut self.input else {
            return;
        };
        let mut found = Vec::new();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.line += 1;
            found.clear();
            if let Err(error) = input.by_ref().take(line.len() as u64).read_to_end(&mut found) {
                self.failure.get_or_insert(error);
                return;
            }
            if found != line {
                self.wrong += 1;
                let what = match found.len() {
                    0 => "it is missing",
                    found if found < line.len() => "it is torn",
                    _ => "it is not the step that the recording makes",
                };
                if self.findings.len() < STEP_FINDINGS_MAX {
                    self.findings.push(Finding { line: Some(self.line), ..finding(STEPS, what) });
                }
            }
        }
    }

    fn finish(mut self) -> Result<Vec<Finding>, FsckError> {
        if let Some(error) = self.failure {
            return Err(error.into());
        }
        if let Some(input) = &mut self.input {
            let rest = io::copy(input, &mut io::sink())?;
            if rest > 0 {
                let line = Some(self.line + 1);
                let what = format!("{rest} bytes more than the recording makes");
                self.findings.push(Finding { line, ..finding(STEPS, what) });
            }
        }
        let told = self.findings.iter().filter(|finding| finding.line.is_some()).count() as u64;
        if self.wrong > told {
            self.findings.push(finding(STEPS, format!("and {} lines more", self.wrong - told)));
        }
        Ok(self.findings)
    }
}
