//! Onto the disk: what is handed over counts once the disk has said that it has it.
//!
//! *What it decides.* The order: chunks, `fdatasync`, then they are stored; after that the steps made
//! of them. What a failure costs, and what is still done: from the first failed write on it keeps what
//! is stored, counts everything further as lost to the disk, and still closes. *What it must never
//! do.* Count before the sync, or write again where a sync has failed.
//!
//! Space and a descriptor are held back beside the recording, so that on a full disk there is room to
//! say so. Shown by: tests/episode.rs, and the crash images of the tests crate.

use std::io::{self, Write};
use std::path::PathBuf;

use rt_wire::MonoNs;

use crate::about::About;
use crate::episode::compose::{Tally, metadata, note};
use crate::episode::minus;
use crate::note::{Closing, Summary};
use crate::place::{Files, METADATA, NOTE, RESERVE, json_text, replace};
use crate::recording::{Counts, Piece, RecordingFile};
use crate::storage::{FileSystem, Sink};

/// Chunks and the steps made of them, on their way to the disk.
pub struct Portion {
    pub(crate) piece: Piece,
    pub(crate) steps: Vec<u8>,
    pub(crate) steps_count: u64,
    /// Time of the last telemetry record so far.
    pub(crate) last_mono_ns: u64,
}

impl Portion {
    /// Bytes that it holds in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.piece.bytes.len().saturating_add(self.steps.len())
    }
}

/// How far the disk is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What the disk has.
    pub stored: Counts,
    /// What was handed over and is lost.
    pub lost: Counts,
    /// Steps in their file.
    pub steps: u64,
    /// Bytes of the recording.
    pub bytes: u64,
    /// Whether records are still kept.
    pub is_kept: bool,
    /// Whether nothing has failed, the steps neither.
    pub is_whole: bool,
    /// The first failure, in words; empty without one.
    pub failure: String,
    /// When the oldest was handed over that the disk does not have yet; `None` if nothing waits.
    pub waiting_since: Option<rt_wire::MonoNs>,
}

/// What the last word of an episode is made of.
#[derive(Clone)]
pub struct Ending {
    pub(crate) path: PathBuf,
    pub(crate) about: About,
    pub(crate) tally: Tally,
    pub(crate) closing: Closing,
    pub(crate) reason: String,
}

impl Ending {
    /// The summary of an episode that nobody is left to close: a check will find and close it.
    #[must_use]
    pub fn unclosed(self, standing: &Standing) -> Summary {
        let reason = "the thread that writes it died";
        let note =
            note(&self.path, &self.about, &self.tally, standing, Closing::DiskFailed, reason);
        Summary { path: self.path, note }
    }
}

/// Where portions go.
pub trait Commit {
    /// Whether another portion may be made.
    fn has_room(&self) -> bool;
    /// Takes a portion. It never fails: what cannot be kept is counted.
    fn commit(&mut self, portion: Portion);
    /// How far it is.
    fn standing(&self) -> Standing;
    /// Takes the last portion and closes the episode.
    fn finish(self, last: Option<Portion>, ending: Ending) -> Summary;
}

/// Commits at once, in the caller's thread.
pub struct Committer<F: FileSystem = crate::HostFiles> {
    files: F,
    path: PathBuf,
    about: About,
    /// `None` once the disk has failed.
    recording: Option<RecordingFile<F::File>>,
    steps: Option<Sink<F::File>>,
    reserve: Option<F::File>,
    handed: Counts,
    stored: Counts,
    /// Times of the last telemetry records that are written, and stored.
    written_until_ns: u64,
    stored_until_ns: u64,
    steps_stored: u64,
    bytes: u64,
    failure: Option<String>,
    /// Steps of chunks that are written and not yet synced.
    waiting: Vec<u8>,
    waiting_count: u64,
}

impl<F: FileSystem> Committer<F> {
    pub(crate) fn new(files: F, path: PathBuf, about: About, opened: Files<F::File>) -> Self {
        Self {
            files,
            path,
            about,
            recording: Some(RecordingFile::new(opened.recording)),
            steps: Some(Sink::new(opened.steps)),
            reserve: Some(opened.reserve),
            handed: Counts::default(),
            stored: Counts::default(),
            written_until_ns: 0,
            stored_until_ns: 0,
            steps_stored: 0,
            bytes: 0,
            failure: None,
            waiting: Vec::new(),
            waiting_count: 0,
        }
    }

    pub(crate) fn files(&self) -> &F {
        &self.files
    }

    /// Writes what stands before the first record, and that the episode is open.
    pub(crate) fn begin(&mut self, begin: &Piece) -> io::Result<()> {
        if let Some(recording) = &mut self.recording {
            recording.append(begin)?;
            recording.sync()?;
        }
        self.bytes = begin.bytes.len() as u64;
        self.write_notes(&Tally::default(), Closing::Open, "")
    }

    /// Takes portions that came together: one sync for all of them.
    pub fn commit_all(&mut self, portions: impl IntoIterator<Item = Portion>) {
        for portion in portions {
            self.write(portion);
        }
        self.sync();
    }

    fn write(&mut self, mut portion: Portion) {
        let before = self.handed;
        self.handed.add(portion.piece.counts);
        let Some(recording) = &mut self.recording else {
            return;
        };
        if let Err(error) = recording.append(&portion.piece) {
            self.fail(format!("recording: {error}"));
            self.free_reserve();
            if let Some(recording) = self.recording.take() {
                self.stored = recording.salvage();
            }
            // What came before it in the same breath is stored: its steps belong to it.
            if self.stored == before {
                self.stored_until_ns = self.written_until_ns;
                self.write_steps();
            }
            return;
        }
        self.bytes = self.bytes.saturating_add(portion.piece.bytes.len() as u64);
        self.written_until_ns = portion.last_mono_ns;
        self.waiting.append(&mut portion.steps);
        self.waiting_count = self.waiting_count.saturating_add(portion.steps_count);
    }

    fn sync(&mut self) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        if recording.stored() == recording.written() && self.waiting.is_empty() {
            return;
        }
        if let Err(error) = recording.sync() {
            self.fail(format!("recording: {error}"));
            if let Some(recording) = self.recording.take() {
                self.stored = recording.abandon();
            }
            return;
        }
        self.stored = recording.stored();
        self.stored_until_ns = self.written_until_ns;
        self.write_steps();
    }

    /// The steps follow their records: they never outlive them.
    fn write_steps(&mut self) {
        let lines = std::mem::take(&mut self.waiting);
        let count = std::mem::take(&mut self.waiting_count);
        let Some(steps) = &mut self.steps else {
            return;
        };
        match steps.write_all(&lines).and_then(|()| steps.flush()) {
            Ok(()) => self.steps_stored = self.steps_stored.saturating_add(count),
            Err(error) => {
                self.fail(format!("steps: {error}"));
                // They end at a whole line and can be derived again later.
                if let Some(mut steps) = self.steps.take()
                    && let Err(error) = steps.take_back()
                {
                    self.fail(format!("steps: the last line is torn: {error}"));
                }
            }
        }
    }

    /// The first failure is the cause that is told; the others follow from it.
    fn fail(&mut self, reason: String) {
        self.failure.get_or_insert(reason);
    }

    /// Space and a descriptor for what follows.
    fn free_reserve(&mut self) {
        if self.reserve.take().is_some()
            && let Err(error) = self.files.remove(&self.path.join(RESERVE))
        {
            self.fail(format!("{RESERVE}: {error}"));
        }
    }

    fn close_files(&mut self) {
        self.free_reserve();
        if let Some(recording) = self.recording.take()
            && let Err(error) = recording.finish()
        {
            self.fail(format!("recording: {error}"));
        }
        if let Some(mut steps) = self.steps.take()
            && let Err(error) = steps.sync()
        {
            self.fail(format!("steps: {error}"));
        }
    }

    fn write_notes(&self, tally: &Tally, closing: Closing, reason: &str) -> io::Result<()> {
        let note = note(&self.path, &self.about, tally, &self.standing(), closing, reason);
        let until = MonoNs(self.stored_until_ns);
        let metadata = metadata(&self.about, &note, until, tally.teleop_cycles > 0);
        replace(&self.files, &self.path.join(METADATA), &json_text(&metadata)?)?;
        replace(&self.files, &self.path.join(NOTE), &json_text(&note)?)
    }
}

impl<F: FileSystem> Commit for Committer<F> {
    fn has_room(&self) -> bool {
        true
    }

    fn commit(&mut self, portion: Portion) {
        self.commit_all([portion]);
    }

    fn standing(&self) -> Standing {
        let is_kept = self.recording.is_some();
        Standing {
            stored: self.stored,
            lost: if is_kept { Counts::default() } else { minus(self.handed, self.stored) },
            steps: self.steps_stored,
            bytes: self.bytes,
            is_kept,
            is_whole: self.failure.is_none(),
            failure: self.failure.clone().unwrap_or_default(),
            // Whoever commits here waits until it is done.
            waiting_since: None,
        }
    }

    fn finish(mut self, last: Option<Portion>, ending: Ending) -> Summary {
        self.commit_all(last);
        self.close_files();
        let end = |failure: &Option<String>| match failure {
            Some(failure) => (Closing::DiskFailed, failure.clone()),
            None => (ending.closing, ending.reason.clone()),
        };
        let (closing, reason) = end(&self.failure);
        let written = self
            .write_notes(&ending.tally, closing, &reason)
            .and_then(|()| self.files.sync_dir(&self.path));
        if let Err(error) = written {
            self.fail(format!("{METADATA} or {NOTE}: {error}"));
        }
        let (closing, reason) = end(&self.failure);
        let note = note(&self.path, &self.about, &ending.tally, &self.standing(), closing, &reason);
        Summary { path: self.path, note }
    }
}
