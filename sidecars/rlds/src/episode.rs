//! An episode on disk: made when recording begins, closed with its counts, whatever happened.
//!
//! *What it decides.* What is in the files of an episode and in which order they are written:
//! a step is written only once the records it was made of are on their way to the disk. *What it
//! must never do.* Fail because the disk does: from the first failed write on it keeps what is
//! whole, counts every further record as lost to the disk, and still closes. Read a clock.
//!
//! A small file beside the recording holds disk space back, so that on a full disk there is room to
//! say so. Shown by: tests/episode.rs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rt_wire::topics::TELEMETRY;
use rt_wire::{KernelState, LogFrame, MonoNs, Source, Telemetry};

use crate::about::About;
use crate::note::{Closing, EpisodeNote, Summary};
use crate::place::{Files, METADATA, NOTE, RESERVE, make_directory, open_files, replace_json};
use crate::recording::{Attached, Counts, Loss, RecordingError, RecordingWriter, topic_name};
use crate::schema::{ControlRole, Metadata, SCHEMA_VERSION, Software, Step, XrMode};
use crate::steps::{Steps, StepsError};
use crate::storage::{Sink, Storage};

/// An episode that is being written.
pub struct EpisodeWriter<S: Storage = File> {
    path: PathBuf,
    about: About,
    topics: [String; 3],
    /// `None` once the disk has failed.
    recording: Option<RecordingWriter<S>>,
    steps: Steps,
    steps_file: Option<Sink<S>>,
    /// Steps whose records are not yet written.
    step_lines: Vec<u8>,
    step_lines_count: u64,
    note: EpisodeNote,
    /// Losses to be told with the next record.
    pending_loss: [u64; 3],
    teleop_cycles: u64,
    /// Frames of the log that did not fit in the loop, and those that were lost after it.
    log_lost_by_loop: u64,
    log_lost_here: u64,
}

impl EpisodeWriter<File> {
    /// Makes the directory `<episodes_dir>/ep_<UTC>_<robot>` and opens its files.
    ///
    /// # Errors
    /// What the file system says, with the path; nothing half-made is left then.
    pub fn create<'a>(
        episodes_dir: &Path,
        about: About,
        attached: impl Into<Attached<'a>>,
    ) -> io::Result<Self> {
        let path = make_directory(episodes_dir, &about)?;
        let opened = open_files(&path)
            .and_then(|files| Self::with_files(path.clone(), files, about, attached));
        opened.map_err(|error| {
            let named = io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            match fs::remove_dir_all(&path) {
                Ok(()) => named,
                Err(left) => {
                    io::Error::new(error.kind(), format!("{named} (and it is still there: {left})"))
                }
            }
        })
    }
}

impl<S: Storage> EpisodeWriter<S> {
    /// Begins an episode in the directory `path`, which exists, with recording and steps in `files`.
    ///
    /// # Errors
    /// What the storage says.
    pub fn with_files<'a>(
        path: PathBuf,
        files: Files<S>,
        about: About,
        attached: impl Into<Attached<'a>>,
    ) -> io::Result<Self> {
        let other = |error: StepsError| io::Error::new(io::ErrorKind::InvalidInput, error);
        let steps = Steps::new(about.clone()).map_err(other)?;
        let recording =
            RecordingWriter::create(files.recording, &about, attached).map_err(into_io)?;
        let episode_id =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let episode = Self {
            topics: [
                topic_name(&TELEMETRY, &about.robot),
                topic_name(&rt_wire::topics::KEYFRAME, &about.robot),
                topic_name(&rt_wire::topics::LOG, &about.robot),
            ],
            recording: Some(recording),
            steps,
            steps_file: Some(Sink::new(files.steps)),
            step_lines: Vec::new(),
            step_lines_count: 0,
            note: EpisodeNote {
                episode_id,
                closing: Closing::Open,
                reason: String::new(),
                telemetry_records: 0,
                telemetry_lost_ring: 0,
                telemetry_lost_disk: 0,
                keyframes: 0,
                keyframes_lost: 0,
                log_frames: 0,
                log_frames_lost: 0,
                steps: 0,
                steps_skipped: 0,
                first_sequence: 0,
                last_sequence: 0,
                first_mono_ns: 0,
                last_mono_ns: 0,
                build_id: format!("{:#018x}", about.build_id),
            },
            pending_loss: [0; 3],
            teleop_cycles: 0,
            log_lost_by_loop: 0,
            log_lost_here: 0,
            path,
            about,
        };
        episode.write_metadata()?;
        Ok(episode)
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Counts so far. `telemetry_records` counts what is written; up to 200 ms more are on their way.
    #[must_use]
    pub fn note(&self) -> &EpisodeNote {
        &self.note
    }

    /// Whether everything so far could be written.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.recording.is_some() && self.steps_file.is_some()
    }

    /// Takes one telemetry record; `sequence` is its place in the ring.
    pub fn telemetry(&mut self, sequence: u64, record: &Telemetry) {
        if self.note.first_sequence == 0 {
            self.note.first_sequence = sequence;
            self.note.first_mono_ns = record.mono_ns.0;
        }
        self.note.last_sequence = sequence;
        self.note.last_mono_ns = record.mono_ns.0;
        if record.outcome.owner.get() == Some(Source::Teleop) {
            self.teleop_cycles = self.teleop_cycles.saturating_add(1);
        }
        self.flush_if_due(record.mono_ns);
        let lost = std::mem::take(&mut self.pending_loss[0]);
        if lost > 0 {
            self.steps.lost(lost);
            self.tell_loss(0, sequence, lost, record.mono_ns);
        }
        let Some(recording) = &mut self.recording else {
            self.note.telemetry_lost_disk = self.note.telemetry_lost_disk.saturating_add(1);
            return;
        };
        if let Err(error) = recording.telemetry(sequence, record) {
            self.note.telemetry_lost_disk = self.note.telemetry_lost_disk.saturating_add(1);
            self.fail(&error);
            return;
        }
        let (lines, count) = (&mut self.step_lines, &mut self.step_lines_count);
        self.steps.push(record, |step| append_line(lines, count, step));
    }

    /// Takes one keyframe.
    pub fn keyframe(&mut self, sequence: u64, state: &KernelState) {
        let lost = std::mem::take(&mut self.pending_loss[1]);
        if lost > 0 {
            self.tell_loss(1, sequence, lost, state.mono_ns);
        }
        let Some(recording) = &mut self.recording else {
            self.note.keyframes_lost = self.note.keyframes_lost.saturating_add(1);
            return;
        };
        if let Err(error) = recording.keyframe(sequence, state) {
            self.note.keyframes_lost = self.note.keyframes_lost.saturating_add(1);
            self.fail(&error);
        }
    }

    /// Takes one frame of the loop's log.
    pub fn log_frame(&mut self, sequence: u64, frame: &LogFrame) {
        let lost = std::mem::take(&mut self.pending_loss[2]);
        if lost > 0 {
            self.tell_loss(2, sequence, lost, frame.mono_ns);
        }
        // What the loop itself could not keep; each later frame tells the same count and more.
        self.log_lost_by_loop = frame.lost.max(self.log_lost_by_loop);
        let Some(recording) = &mut self.recording else {
            self.log_lost_here = self.log_lost_here.saturating_add(1);
            return;
        };
        if let Err(error) = recording.log_frame(sequence, frame) {
            self.log_lost_here = self.log_lost_here.saturating_add(1);
            self.fail(&error);
        }
    }

    /// Counts frames of the loop's log that the ring overwrote.
    pub fn log_lapped(&mut self, lost: u64) {
        self.log_lost_here = self.log_lost_here.saturating_add(lost);
        self.pending_loss[2] = self.pending_loss[2].saturating_add(lost);
    }

    /// Counts telemetry records that the ring overwrote; told with the next record.
    pub fn telemetry_lapped(&mut self, lost: u64) {
        self.note.telemetry_lost_ring = self.note.telemetry_lost_ring.saturating_add(lost);
        self.pending_loss[0] = self.pending_loss[0].saturating_add(lost);
    }

    /// Counts keyframes that the ring overwrote.
    pub fn keyframes_lapped(&mut self, lost: u64) {
        self.note.keyframes_lost = self.note.keyframes_lost.saturating_add(lost);
        self.pending_loss[1] = self.pending_loss[1].saturating_add(lost);
    }

    /// Writes the chunk out if it is full or old; call it with the time also when nothing comes.
    pub fn flush_if_due(&mut self, now: MonoNs) {
        if self.recording.as_ref().is_some_and(|recording| recording.is_due(now)) {
            self.flush();
        }
    }

    /// Closes the episode with what it has. `closing` is why; a disk that failed overrides it, and
    /// then the summary is the only place that is sure to say so.
    pub fn finish(mut self, closing: Closing, reason: &str) -> Summary {
        if let Err(error) = fs::remove_file(self.path.join(RESERVE))
            && error.kind() != io::ErrorKind::NotFound
        {
            self.fail_with(&RecordingError::Io(error));
        }
        for (index, lost) in std::mem::take(&mut self.pending_loss).into_iter().enumerate() {
            let at = MonoNs(self.note.last_mono_ns);
            let next = self.note.last_sequence.saturating_add(lost).saturating_add(1);
            if lost > 0 {
                self.tell_loss(index, next, lost, at);
            }
        }
        let is_terminal = closing == Closing::Clean && self.recording.is_some();
        let (lines, count) = (&mut self.step_lines, &mut self.step_lines_count);
        self.steps.finish(is_terminal, |step| append_line(lines, count, step));
        self.flush();
        if let Some(recording) = self.recording.take() {
            match recording.finish() {
                Ok(stored) => self.count_stored(stored),
                Err((error, stored)) => {
                    self.count_stored(stored);
                    self.fail_with(&error);
                }
            }
        }
        if let Some(mut steps) = self.steps_file.take()
            && let Err(error) = steps.sync()
        {
            self.fail_with(&RecordingError::Io(error));
        }
        if self.note.closing == Closing::Open {
            self.note.closing = closing;
            reason.clone_into(&mut self.note.reason);
        }
        self.note.steps_skipped = self.steps.skipped();
        if let Err(error) = self.write_metadata() {
            self.disk_failed(format!("{METADATA} or {NOTE}: {error}"));
        }
        Summary { path: self.path, note: self.note }
    }

    fn tell_loss(&mut self, topic: usize, before_sequence: u64, lost: u64, at: MonoNs) {
        let topic = self.topics.get(topic).cloned().unwrap_or_default();
        let loss = Loss { topic, before_sequence, lost };
        let told = self.recording.as_mut().map(|recording| recording.loss(at, &loss));
        if let Some(Err(error)) = told {
            self.fail(&error);
        }
    }

    /// Records first, then the steps made of them: a step never outlives its records.
    fn flush(&mut self) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        if let Err(error) = recording.flush() {
            self.fail(&error);
            return;
        }
        let stored = recording.stored();
        self.count_stored(stored);
        let Some(steps) = &mut self.steps_file else {
            return;
        };
        if let Err(error) = steps.write_all(&self.step_lines).and_then(|()| steps.flush()) {
            self.fail_steps(&error);
        } else {
            self.note.steps = self.note.steps.saturating_add(self.step_lines_count);
        }
        self.step_lines.clear();
        self.step_lines_count = 0;
    }

    fn count_stored(&mut self, stored: Counts) {
        self.note.telemetry_records = stored.telemetry;
        self.note.keyframes = stored.keyframes;
        self.note.log_frames = stored.log_frames;
        self.note.log_frames_lost = self.log_lost_by_loop.saturating_add(self.log_lost_here);
    }

    /// The disk refused records: what was on its way is lost, what is whole stays.
    fn fail(&mut self, error: &RecordingError) {
        self.fail_with(error);
        let Some(recording) = self.recording.take() else {
            return;
        };
        let pending = recording.pending();
        self.note.telemetry_lost_disk =
            self.note.telemetry_lost_disk.saturating_add(pending.telemetry);
        self.note.keyframes_lost = self.note.keyframes_lost.saturating_add(pending.keyframes);
        self.log_lost_here = self.log_lost_here.saturating_add(pending.log_frames);
        let stored = recording.salvage();
        self.count_stored(stored);
        self.step_lines.clear();
        self.step_lines_count = 0;
    }

    /// The disk refused steps: they end at a whole line and can be derived again later.
    fn fail_steps(&mut self, error: &io::Error) {
        self.disk_failed(format!("steps: {error}"));
        if let Some(mut steps) = self.steps_file.take()
            && let Err(error) = steps.take_back()
        {
            self.note.reason.push_str(&format!("; the last line is torn: {error}"));
        }
    }

    fn fail_with(&mut self, error: &RecordingError) {
        self.disk_failed(error.to_string());
    }

    /// The first failure is the cause that is told; the others follow from it.
    fn disk_failed(&mut self, reason: String) {
        if self.note.closing != Closing::DiskFailed {
            self.note.closing = Closing::DiskFailed;
            self.note.reason = reason;
        }
    }

    fn write_metadata(&self) -> io::Result<()> {
        replace_json(&self.path.join(METADATA), &self.metadata())?;
        replace_json(&self.path.join(NOTE), &self.note)
    }

    fn metadata(&self) -> Metadata {
        let note = &self.note;
        let xr_mode = XrMode::Workstation;
        let control_role = if self.teleop_cycles > 0 {
            ControlRole::HumanTeleop
        } else {
            ControlRole::HumanSupervisor
        };
        let lost = note.telemetry_lost_ring.saturating_add(note.telemetry_lost_disk);
        let first_at = match note.first_mono_ns {
            0 => self.about.start_mono_ns,
            first => MonoNs(first),
        };
        let duration_ns = MonoNs(note.last_mono_ns).since(first_at);
        Metadata {
            xr_mode,
            control_role,
            environment_id: self.about.environment_id.clone(),
            tags: vec![
                format!("continuon.xr_mode:{}", xr_mode.name()),
                format!("continuon.control_role:{}", control_role.name()),
                format!("continuon.environment_id:{}", self.about.environment_id),
                format!("continuon.closing:{}", note.closing.name()),
                format!("continuon.steps:{}", note.steps),
                format!("continuon.telemetry_records:{}", note.telemetry_records),
                format!("continuon.telemetry_lost:{lost}"),
            ],
            software: Software {
                xr_app: "none".to_owned(),
                continuonbrain_os: concat!("continuon ", env!("CARGO_PKG_VERSION")).to_owned(),
                glove_firmware: "none".to_owned(),
            },
            schema_version: SCHEMA_VERSION.to_owned(),
            episode_id: note.episode_id.clone(),
            robot_id: self.about.robot.clone(),
            robot_model: self.about.robot_model.clone(),
            frame_convention: self.about.frame_convention.clone(),
            start_time_unix_ms: self.about.unix_ms_at(first_at),
            duration_ms: i64::try_from(duration_ns / 1_000_000).unwrap_or(i64::MAX),
            capabilities: None,
            owner: None,
            safety: None,
            share: None,
            provenance: None,
        }
    }
}

fn append_line(lines: &mut Vec<u8>, count: &mut u64, step: &Step) {
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
        RecordingError::Mcap(_) | RecordingError::Json(_) => io::Error::other(error.to_string()),
    }
}
