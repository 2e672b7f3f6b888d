//! An episode on disk: made when recording begins, closed with its counts, whatever happened.
//!
//! *What it decides.* What is in the files of an episode: records and events into chunks, and the
//! steps made of them; a step never leaves before its records. *What it must never do.* Fail because
//! the disk does: that is [`Commit`]'s, which counts what it could not keep. Read a clock.
//!
//! ```text
//! records ─▶ EpisodeWriter: chunk, steps ── Portion ─▶ Commit: write, fdatasync, then the steps
//! ```
//!
//! The two halves may stand in two threads, so that a disk that stalls does not keep anybody from
//! reading the ring. Shown by: tests/episode.rs, and the crash images of the tests crate.

mod commit;
mod compose;

use std::io;
use std::path::{Path, PathBuf};

use rt_wire::topics::{KEYFRAME, LOG, TELEMETRY};
use rt_wire::{KernelState, LogFrame, MonoNs, Source, Telemetry};

pub use commit::{Commit, Committer, Ending, Portion, Standing};
pub(crate) use compose::{Tally, metadata, note};

use crate::about::About;
use crate::channels::{frames_topic, topic_name};
use crate::event::{Event, Events};
use crate::frame::Frame;
use crate::note::{Closing, EpisodeNote, Summary};
use crate::place::{make_directory, open_files, remove_new, sync_names};
use crate::recording::{Attached, Counts, Loss, RecordingBuilder, RecordingError};
use crate::schema::Step;
use crate::steps::{Steps, StepsError};
use crate::storage::{FileSystem, HostFiles};

/// Sources whose losses are told: telemetry, keyframes, the loop's log, the camera.
const SOURCES: usize = 4;

/// An episode that is being written.
pub struct EpisodeWriter<C: Commit = Committer<HostFiles>> {
    path: PathBuf,
    about: About,
    topics: [String; SOURCES],
    recording: RecordingBuilder,
    steps: Steps,
    events: Events,
    /// Steps whose records are not yet handed over.
    step_lines: Vec<u8>,
    step_lines_count: u64,
    /// Time of the last telemetry record that was put into a chunk.
    taken_until_ns: u64,
    tally: Tally,
    /// Losses to be told with the next record.
    pending_loss: [u64; SOURCES],
    commit: C,
    /// Whether the disk takes what it is given, as far as is known.
    is_kept: bool,
}

impl EpisodeWriter {
    /// Makes the directory `<episodes_dir>/ep_<UTC>_<robot>` and opens its files. Once this returns,
    /// the episode is found again after a power cut.
    ///
    /// # Errors
    /// What the file system says, with the path; nothing half-made is left then.
    pub fn create<'a>(
        episodes_dir: &Path,
        about: About,
        attached: impl Into<Attached<'a>>,
    ) -> io::Result<Self> {
        let path = make_directory(&HostFiles, episodes_dir, &about)?;
        Self::open(HostFiles, path.clone(), about, attached.into()).map_err(|error| {
            let named = io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            match remove_new(&path) {
                Ok(()) => named,
                Err(left) => {
                    io::Error::new(error.kind(), format!("{named} (and it is still there: {left})"))
                }
            }
        })
    }
}

impl<F: FileSystem> EpisodeWriter<Committer<F>> {
    /// As [`create`](EpisodeWriter::create), on other files than this machine's.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create_in<'a>(
        files: F,
        episodes_dir: &Path,
        about: About,
        attached: impl Into<Attached<'a>>,
    ) -> io::Result<Self> {
        let path = make_directory(&files, episodes_dir, &about)?;
        Self::open(files, path, about, attached.into())
    }

    fn open(files: F, path: PathBuf, about: About, attached: Attached<'_>) -> io::Result<Self> {
        let other = |error: StepsError| io::Error::new(io::ErrorKind::InvalidInput, error);
        let steps = Steps::new(about.clone()).map_err(other)?;
        let (recording, begin) = RecordingBuilder::begin(&about, attached).map_err(into_io)?;
        let opened = open_files(&files, &path)?;
        let mut commit = Committer::new(files, path.clone(), about.clone(), opened);
        commit.begin(&begin)?;
        sync_names(commit.files(), &path)?;
        Ok(Self {
            topics: loss_topics(&about.robot),
            recording,
            steps,
            events: Events::default(),
            step_lines: Vec::new(),
            step_lines_count: 0,
            taken_until_ns: 0,
            tally: Tally::default(),
            pending_loss: [0; SOURCES],
            commit,
            is_kept: true,
            path,
            about,
        })
    }
}

impl<C: Commit> EpisodeWriter<C> {
    /// Puts something else in the place of what commits, made of it.
    ///
    /// # Errors
    /// What `make` says.
    pub fn try_map_commit<D: Commit, E>(
        self,
        make: impl FnOnce(C) -> Result<D, E>,
    ) -> Result<EpisodeWriter<D>, E> {
        Ok(EpisodeWriter {
            path: self.path,
            about: self.about,
            topics: self.topics,
            recording: self.recording,
            steps: self.steps,
            events: self.events,
            step_lines: self.step_lines,
            step_lines_count: self.step_lines_count,
            taken_until_ns: self.taken_until_ns,
            tally: self.tally,
            pending_loss: self.pending_loss,
            commit: make(self.commit)?,
            is_kept: self.is_kept,
        })
    }

    /// What commits.
    pub fn commit(&self) -> &C {
        &self.commit
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Counts so far. `telemetry_records` counts what the disk has; what is on its way is in none.
    #[must_use]
    pub fn note(&self) -> EpisodeNote {
        let standing = self.commit.standing();
        note(&self.path, &self.about, &self.tally, &standing, Closing::Open, "")
    }

    /// Whether everything so far could be written.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.commit.standing().is_whole
    }

    /// Steps so far, whether the disk has them or not.
    #[must_use]
    pub fn steps_made(&self) -> u64 {
        self.steps.made()
    }

    /// How far the disk is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.commit.standing()
    }

    /// Whether more may be taken: `false` while the disk is far behind. Whoever reads a ring waits
    /// then, and the ring counts what it overwrites meanwhile.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.commit.has_room()
    }

    /// Takes one telemetry record; `sequence` is its place in the ring.
    pub fn telemetry(&mut self, sequence: u64, record: &Telemetry) {
        self.tally.seen(sequence, record.mono_ns);
        if record.outcome.owner.get() == Some(Source::Teleop) {
            self.tally.teleop_cycles += 1;
        }
        self.flush_if_due(record.mono_ns);
        let lost = std::mem::take(&mut self.pending_loss[0]);
        if lost > 0 {
            self.steps.lost(lost);
            self.tell_loss(0, sequence, lost, record.mono_ns);
        }
        if !self.is_kept {
            self.tally.not_taken.telemetry += 1;
            return;
        }
        let recording = &mut self.recording;
        self.events.push(record, |event| tell_event(recording, record.mono_ns, event));
        recording.telemetry(sequence, record);
        let at = record.mono_ns;
        self.taken_until_ns = at.0;
        let (lines, count) = (&mut self.step_lines, &mut self.step_lines_count);
        self.steps.push(record, |step| {
            recording.step(at, *count, step);
            append_line(lines, count, step);
        });
    }

    /// Takes one keyframe.
    pub fn keyframe(&mut self, sequence: u64, state: &KernelState) {
        let lost = std::mem::take(&mut self.pending_loss[1]);
        if lost > 0 {
            self.tell_loss(1, sequence, lost, state.mono_ns);
        }
        if self.is_kept {
            self.recording.keyframe(sequence, state);
        } else {
            self.tally.not_taken.keyframes += 1;
        }
    }

    /// Takes one frame of the loop's log.
    pub fn log_frame(&mut self, sequence: u64, frame: &LogFrame) {
        let lost = std::mem::take(&mut self.pending_loss[2]);
        if lost > 0 {
            self.tell_loss(2, sequence, lost, frame.mono_ns);
        }
        // What the loop itself could not keep; each later frame tells the same count and more.
        self.tally.log_lost_by_loop = frame.lost.max(self.tally.log_lost_by_loop);
        if self.is_kept {
            self.recording.log_frame(sequence, frame);
        } else {
            self.tally.not_taken.log_frames += 1;
        }
    }

    /// Takes one frame of the camera.
    pub fn frame(&mut self, frame: &Frame) {
        let lost = std::mem::take(&mut self.pending_loss[3]);
        if lost > 0 {
            self.tell_loss(3, frame.sequence, lost, frame.mono_ns);
        }
        if !self.is_kept {
            self.tally.not_taken.frames += 1;
            return;
        }
        let recording = &mut self.recording;
        recording.frame(frame);
        let at = frame.mono_ns;
        let (lines, count) = (&mut self.step_lines, &mut self.step_lines_count);
        self.steps.frame(&frame.into(), |step| {
            recording.step(at, *count, step);
            append_line(lines, count, step);
        });
    }

    /// Counts camera frames that were lost before they came here.
    pub fn frames_lost(&mut self, lost: u64) {
        self.tally.frames_lost = self.tally.frames_lost.saturating_add(lost);
        self.pending_loss[3] = self.pending_loss[3].saturating_add(lost);
    }

    /// Counts frames of the loop's log that the ring overwrote.
    pub fn log_lapped(&mut self, lost: u64) {
        self.tally.log_lapped = self.tally.log_lapped.saturating_add(lost);
        self.pending_loss[2] = self.pending_loss[2].saturating_add(lost);
    }

    /// Counts telemetry records that the ring overwrote; told with the next record.
    pub fn telemetry_lapped(&mut self, lost: u64) {
        self.tally.telemetry_lapped = self.tally.telemetry_lapped.saturating_add(lost);
        self.pending_loss[0] = self.pending_loss[0].saturating_add(lost);
    }

    /// Counts keyframes that the ring overwrote.
    pub fn keyframes_lapped(&mut self, lost: u64) {
        self.tally.keyframes_lapped = self.tally.keyframes_lapped.saturating_add(lost);
        self.pending_loss[1] = self.pending_loss[1].saturating_add(lost);
    }

    /// Hands the chunk over if it is full or old; call it with the time also when nothing comes.
    pub fn flush_if_due(&mut self, now: MonoNs) {
        if self.recording.is_due(now) {
            self.flush();
        }
    }

    /// Closes the episode with what it has. `closing` is why; a disk that failed overrides it, and
    /// then the summary is the only place that is sure to say so.
    pub fn finish(mut self, closing: Closing, reason: &str) -> Summary {
        for (index, lost) in std::mem::take(&mut self.pending_loss).into_iter().enumerate() {
            let at = MonoNs(self.tally.last_mono_ns);
            let next = self.tally.last_sequence.saturating_add(lost).saturating_add(1);
            if lost > 0 {
                self.tell_loss(index, next, lost, at);
            }
        }
        let at = MonoNs(self.tally.last_mono_ns.max(self.about.start_mono_ns.0));
        let recording = &mut self.recording;
        let (lines, count) = (&mut self.step_lines, &mut self.step_lines_count);
        self.steps.finish(closing.is_terminal(), |step| {
            recording.step(at, *count, step);
            append_line(lines, count, step);
        });
        let closed = Event::Closed { closing, reason: reason.to_owned() };
        if self.is_kept {
            tell_event(recording, at, &closed);
        }
        self.tally.steps_skipped = self.steps.skipped();
        let last = self.seal();
        let (path, about) = (self.path, self.about);
        let ending = Ending { path, about, tally: self.tally, closing, reason: reason.to_owned() };
        self.commit.finish(last, ending)
    }

    fn tell_loss(&mut self, ring: usize, before_sequence: u64, lost: u64, at: MonoNs) {
        let topic = self.topics.get(ring).cloned().unwrap_or_default();
        // A text and two numbers: JSON takes them always, and the note counts the loss besides.
        self.recording.loss(at, &Loss { topic, before_sequence, lost }).unwrap_or_default();
    }

    /// Records and the steps made of them, in one portion.
    fn seal(&mut self) -> Option<Portion> {
        let counts = self.recording.pending();
        let sealed = self.recording.seal();
        let steps = std::mem::take(&mut self.step_lines);
        let steps_count = std::mem::take(&mut self.step_lines_count);
        let last_mono_ns = self.taken_until_ns;
        match sealed {
            Ok(piece) => piece.map(|piece| Portion { piece, steps, steps_count, last_mono_ns }),
            Err(_) => {
                // Memory into memory: it does not fail, and were it to, nothing is lost uncounted.
                self.tally.not_taken.add(counts);
                None
            }
        }
    }

    fn flush(&mut self) {
        if let Some(portion) = self.seal() {
            self.commit.commit(portion);
        }
        self.is_kept = self.commit.standing().is_kept;
    }
}

/// Topics of what can be lost, in the order of the counts.
pub(crate) fn loss_topics(robot: &str) -> [String; SOURCES] {
    let name = |topic| topic_name(topic, robot);
    [name(&TELEMETRY), name(&KEYFRAME), name(&LOG), frames_topic(robot)]
}

fn tell_event(recording: &mut RecordingBuilder, at: MonoNs, event: &Event) {
    // Texts and a number: JSON takes them always, and the telemetry says the same.
    recording.event(at, event).unwrap_or_default();
}

pub(crate) fn append_line(lines: &mut Vec<u8>, count: &mut u64, step: &Step) {
    let length = lines.len();
    if serde_json::to_writer(&mut *lines, step).is_ok() {
        lines.push(b'\n');
        *count = count.saturating_add(1);
    } else {
        // A step is plain data, which JSON always takes; were it not to, no half line may stay.
        lines.truncate(length);
    }
}

fn into_io(error: RecordingError) -> io::Error {
    match error {
        RecordingError::Io(error) => error,
        RecordingError::Json(_) => io::Error::other(error.to_string()),
    }
}

/// What was handed over and is not stored.
pub(crate) fn minus(handed: Counts, stored: Counts) -> Counts {
    Counts {
        telemetry: handed.telemetry.saturating_sub(stored.telemetry),
        keyframes: handed.keyframes.saturating_sub(stored.keyframes),
        log_frames: handed.log_frames.saturating_sub(stored.log_frames),
        losses: handed.losses.saturating_sub(stored.losses),
        events: handed.events.saturating_sub(stored.events),
        frames: handed.frames.saturating_sub(stored.frames),
    }
}
