//! Writing `blobs/recording.mcap`: every record as it came, bytes for bytes.
//!
//! *What it decides.* When a chunk goes out: after 200 ms of recorded time or 1 MiB, whichever comes
//! first. A chunk is built in memory and written in one piece, so that what is on the disk is whole
//! chunks; it counts as stored once the disk has said that it has it; a failed write is taken back to
//! the last whole one. *What it must never do.* Read a clock, or count a record as stored that a power
//! cut could take.
//!
//! ```text
//! magic, header, metadata `continuon`, attachments robot.json and fast-loop.log.elf,
//! chunk { schemas, channels, batch 0 }, message indexes,
//! chunk { batch 1, messages… CRC }, message indexes, chunk…, end CRC, summary, footer, magic
//! ```
//!
//! Shown by: tests/recording.rs, tests/episode.rs, and the crash images of the tests crate.

use std::io::{self, Write};

use prost::Message;
use rt_wire::{KernelState, LogFrame, MonoNs, Telemetry};
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes;

use crate::about::About;
use crate::batch::{Batch, Fingerprint};
use crate::channels::{
    self, BATCH_ID, EVENT_ID, FRAME_ID, KEYFRAME_ID, LOG_ID, LOSS_ID, STEP_ID, TELEMETRY_ID,
};
use crate::container::chunk::{self, ChunkBuilder};
use crate::container::index::{Fact, Index};
use crate::container::{FRAME_BYTES, op, put, take};
use crate::event::Event;
use crate::frame::Frame;
use crate::proto::rlds_v1;
use crate::schema::Step;
use crate::storage::{Sink, Storage};

/// Recorded time in one chunk at most: what a crash can cost.
pub const CHUNK_NS_MAX: u64 = 200_000_000;
/// Bytes of records in one chunk at most: what the recorder holds in memory.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

/// Name of the metadata record.
pub(crate) const ABOUT_NAME: &str = "continuon";
/// Name of the attached robot file.
pub(crate) const ROBOT_FILE_NAME: &str = "robot.json";
/// Name of the attached message table of the loop's log.
pub(crate) const LOG_TABLE_NAME: &str = "fast-loop.log.elf";
const PROFILE: &str = "continuon";
const LIBRARY: &str = concat!("continuon rlds ", env!("CARGO_PKG_VERSION"));

/// Records that are missing, at the place where they are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Segment whose records are missing.
    pub topic: String,
    /// Sequence of the first record that is there again.
    pub before_sequence: u64,
    /// Records missing before it.
    pub lost: u64,
}

/// What is kept whole beside the records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attached<'a> {
    /// The validated robot file as it was read.
    pub robot_json: &'a [u8],
    /// The message table of the loop's log, which makes its frames readable without its executable.
    pub log_table: Option<&'a [u8]>,
}

impl<'a> From<&'a [u8]> for Attached<'a> {
    fn from(robot_json: &'a [u8]) -> Self {
        Self { robot_json, log_table: None }
    }
}

impl<'a, const BYTES: usize> From<&'a [u8; BYTES]> for Attached<'a> {
    fn from(robot_json: &'a [u8; BYTES]) -> Self {
        Self::from(&robot_json[..])
    }
}

/// Records by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Telemetry records.
    pub telemetry: u64,
    /// Keyframes.
    pub keyframes: u64,
    /// Frames of the loop's log.
    pub log_frames: u64,
    /// Entries that tell of a loss.
    pub losses: u64,
    /// Events.
    pub events: u64,
    /// Camera frames.
    pub frames: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.telemetry = self.telemetry.saturating_add(other.telemetry);
        self.keyframes = self.keyframes.saturating_add(other.keyframes);
        self.log_frames = self.log_frames.saturating_add(other.log_frames);
        self.losses = self.losses.saturating_add(other.losses);
        self.events = self.events.saturating_add(other.events);
        self.frames = self.frames.saturating_add(other.frames);
    }
}

/// Why a recording cannot be written further.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The storage refused.
    #[error("recording: {0}")]
    Io(#[from] io::Error),
    /// A layout or a loss could not be put into JSON.
    #[error("recording: {0}")]
    Json(#[from] serde_json::Error),
}

/// Whole chunks, as they go into the file.
#[derive(Default)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// What is in them, each with its offset in `bytes`.
    pub(crate) facts: Vec<(u64, Fact)>,
    pub(crate) counts: Counts,
}

/// Records on their way into a piece.
pub(crate) struct RecordingBuilder {
    chunk: ChunkBuilder,
    fingerprint: String,
    next_index: u64,
    pending: Counts,
    pending_since: Option<MonoNs>,
}

impl RecordingBuilder {
    /// Begins: header, `about`, what is attached, and the chunk of the channels.
    ///
    /// # Errors
    /// If a layout cannot be put into JSON, or memory into a chunk.
    pub(crate) fn begin(
        about: &About,
        attached: Attached<'_>,
    ) -> Result<(Self, Piece), RecordingError> {
        let mut piece = Piece::default();
        let bytes = &mut piece.bytes;
        bytes.extend_from_slice(mcap::MAGIC);
        let mut fingerprint = Fingerprint::default();
        let header_at = bytes.len();
        put::header(bytes, PROFILE, LIBRARY);
        fingerprint.absorb(&bytes[header_at + FRAME_BYTES..]);
        let map = about.to_map();
        let metadata_at = bytes.len();
        let pairs = map.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        put::metadata(bytes, ABOUT_NAME, pairs);
        fingerprint.absorb(&bytes[metadata_at + FRAME_BYTES..]);
        let fact = Fact::Metadata {
            name: ABOUT_NAME.to_owned(),
            bytes: (bytes.len() - metadata_at) as u64,
        };
        piece.facts.push((metadata_at as u64, fact));
        let create_ns = u64::try_from(about.start_unix_ms).unwrap_or(0).saturating_mul(1_000_000);
        let times_ns = [about.start_mono_ns.0, create_ns];
        let robot = Some((ROBOT_FILE_NAME, "application/json", attached.robot_json));
        let table = attached.log_table.map(|data| (LOG_TABLE_NAME, "application/x-elf", data));
        for (name, media_type, data) in robot.into_iter().chain(table) {
            let at = bytes.len();
            put::attachment(bytes, times_ns, name, media_type, data);
            let fact = Fact::Attachment {
                times_ns,
                name: name.to_owned(),
                media_type: media_type.to_owned(),
                data_bytes: data.len() as u64,
                bytes: (bytes.len() - at) as u64,
            };
            piece.facts.push((at as u64, fact));
        }
        let mut chunk = ChunkBuilder::default();
        channels::put_all(&mut chunk, &about.robot)?;
        piece.facts.extend(channel_facts(chunk.records()).map(|fact| (0, fact)));
        let first = Batch { index: 0, recording: fingerprint.text(), about: Some(map) };
        chunk.message(BATCH_ID, 0, about.start_mono_ns.0, &serde_json::to_vec(&first)?);
        let at = piece.bytes.len() as u64;
        let facts = chunk.close(&mut piece.bytes)?;
        piece.facts.push((at, Fact::Chunk(facts)));
        let builder = Self {
            chunk,
            fingerprint: first.recording,
            next_index: 1,
            pending: Counts::default(),
            pending_since: None,
        };
        Ok((builder, piece))
    }

    pub(crate) fn telemetry(&mut self, sequence: u64, record: &Telemetry) {
        self.message(TELEMETRY_ID, sequence, record.mono_ns, record.as_bytes());
        self.pending.telemetry += 1;
    }

    pub(crate) fn keyframe(&mut self, sequence: u64, state: &KernelState) {
        self.message(KEYFRAME_ID, sequence, state.mono_ns, state.as_bytes());
        self.pending.keyframes += 1;
    }

    pub(crate) fn log_frame(&mut self, sequence: u64, frame: &LogFrame) {
        self.message(LOG_ID, sequence, frame.mono_ns, frame.as_bytes());
        self.pending.log_frames += 1;
    }

    pub(crate) fn loss(&mut self, at: MonoNs, loss: &Loss) -> Result<(), RecordingError> {
        self.message(LOSS_ID, loss.before_sequence, at, &serde_json::to_vec(loss)?);
        self.pending.losses += 1;
        Ok(())
    }

    pub(crate) fn event(&mut self, at: MonoNs, event: &Event) -> Result<(), RecordingError> {
        self.message(EVENT_ID, self.pending.events, at, &serde_json::to_vec(event)?);
        self.pending.events += 1;
        Ok(())
    }

    pub(crate) fn frame(&mut self, frame: &Frame) {
        let mut message = Vec::with_capacity(frame.jpeg.len() + 128);
        frame.encode(&mut message);
        self.message(FRAME_ID, frame.sequence, frame.mono_ns, &message);
        self.pending.frames += 1;
    }

    /// A step that is sure by now, for viewers.
    pub(crate) fn step(&mut self, at: MonoNs, sequence: u64, step: &Step) {
        let message = rlds_v1::Step::from(step).encode_to_vec();
        self.message(STEP_ID, sequence, at, &message);
    }

    fn message(&mut self, channel: u16, sequence: u64, at: MonoNs, bytes: &[u8]) {
        if self.chunk.is_empty() {
            let recording = self.fingerprint.clone();
            let batch = Batch { index: self.next_index, recording, about: None };
            // A number and a text: JSON takes them always.
            let text = serde_json::to_vec(&batch).unwrap_or_default();
            self.chunk.message(BATCH_ID, self.next_index, at.0, &text);
            self.next_index += 1;
        }
        self.chunk.message(channel, sequence, at.0, bytes);
        self.pending_since.get_or_insert(at);
    }

    /// Whether the chunk should go out before a record of `now` is added.
    pub(crate) fn is_due(&self, now: MonoNs) -> bool {
        self.chunk.bytes() >= CHUNK_BYTES_MAX
            || self.pending_since.is_some_and(|since| now.since(since) >= CHUNK_NS_MAX)
    }

    /// The chunk so far, and a new one begins; `None` if nothing is in it.
    ///
    /// # Errors
    /// If it cannot be packed; it is lost then.
    pub(crate) fn seal(&mut self) -> io::Result<Option<Piece>> {
        if self.chunk.is_empty() {
            return Ok(None);
        }
        self.pending_since = None;
        let mut piece = Piece { counts: std::mem::take(&mut self.pending), ..Piece::default() };
        let facts = self.chunk.close(&mut piece.bytes)?;
        piece.facts.push((0, Fact::Chunk(facts)));
        Ok(Some(piece))
    }

    pub(crate) fn pending(&self) -> Counts {
        self.pending
    }
}

/// Schemas and channels among the records of a chunk.
pub(crate) fn channel_facts(plain: &[u8]) -> impl Iterator<Item = Fact> + '_ {
    chunk::records(plain).filter_map(Result::ok).filter_map(|(opcode, at)| match opcode {
        op::SCHEMA => Some(Fact::Schema(plain[at].to_vec())),
        op::CHANNEL => Some(Fact::Channel(plain[at].to_vec())),
        _ => None,
    })
}

/// Whether a header's body is the one that this build writes.
pub(crate) fn is_our_header(body: &[u8]) -> bool {
    let mut rest = take::Bytes(body);
    rest.text() == Some(PROFILE) && rest.text() == Some(LIBRARY) && rest.is_empty()
}

/// The file that pieces go into.
pub(crate) struct RecordingFile<S> {
    sink: Sink<S>,
    index: Index,
    written: Counts,
    stored: Counts,
}

impl<S: Storage> RecordingFile<S> {
    pub(crate) fn new(storage: S) -> Self {
        Self {
            sink: Sink::new(storage),
            index: Index::default(),
            written: Counts::default(),
            stored: Counts::default(),
        }
    }

    /// Writes a piece. It is not stored before [`sync`](Self::sync).
    ///
    /// # Errors
    /// What the storage says; then only [`salvage`](Self::salvage) is left.
    pub(crate) fn append(&mut self, piece: &Piece) -> io::Result<()> {
        self.sink.write_all(&piece.bytes)?;
        self.sink.flush()?;
        self.index.absorb(&piece.bytes, &piece.facts);
        self.written.add(piece.counts);
        Ok(())
    }

    /// Waits until the disk has every piece: from here on they count as stored.
    ///
    /// # Errors
    /// What the storage says; then only [`abandon`](Self::abandon) is left.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.sink.sync()?;
        self.stored = self.written;
        Ok(())
    }

    /// What the disk has.
    pub(crate) fn stored(&self) -> Counts {
        self.stored
    }

    /// What was written, and is perhaps not on the disk yet.
    pub(crate) fn written(&self) -> Counts {
        self.written
    }

    /// Ends the file with its summary.
    ///
    /// # Errors
    /// What the storage says; what is stored stays so.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.close()
    }

    /// With a summary, else without, else not at all: a reader bears with the tail.
    fn close(&mut self) -> io::Result<()> {
        let mut end = |bytes: Vec<u8>| {
            let written = self.sink.write_all(&bytes);
            if written.is_err() {
                self.sink.take_back()?;
            }
            written
        };
        let closed = end(self.index.closing());
        if closed.is_err() {
            end(self.index.closing_without_summary()).ok();
        }
        closed.and(self.sink.sync())
    }

    /// After a failed write: takes back what is not whole and ends the file as well as the storage
    /// allows. A file that cannot even be ended is still read, up to the same record. Returns what is
    /// stored.
    pub(crate) fn salvage(mut self) -> Counts {
        if self.sink.take_back().is_err() || self.sync().is_err() {
            return self.abandon();
        }
        let stored = self.stored;
        // What stays open is read all the same.
        self.close().ok();
        stored
    }

    /// After a failed sync: what is not certain is taken away, and nothing more is written. Returns
    /// what is stored.
    pub(crate) fn abandon(self) -> Counts {
        let stored = self.stored;
        // What stays if even this fails is whole chunks, and more than was counted.
        self.sink.keep_what_is_certain().ok();
        stored
    }
}

/// A recording that is written as its records come: `RecordingBuilder` and `RecordingFile` in one.
pub struct RecordingWriter<S: Storage> {
    builder: RecordingBuilder,
    file: RecordingFile<S>,
}

impl<S: Storage> RecordingWriter<S> {
    /// Begins a recording: header, `about`, and what is attached.
    ///
    /// # Errors
    /// [`RecordingError`] if the storage refuses even that; nothing of worth is there then.
    pub fn create<'a>(
        storage: S,
        about: &About,
        attached: impl Into<Attached<'a>>,
    ) -> Result<Self, RecordingError> {
        let (builder, begin) = RecordingBuilder::begin(about, attached.into())?;
        let mut file = RecordingFile::new(storage);
        file.append(&begin)?;
        file.sync()?;
        Ok(Self { builder, file })
    }

    /// Adds a telemetry record to the chunk. `sequence` is its place in the ring.
    pub fn telemetry(&mut self, sequence: u64, record: &Telemetry) {
        self.builder.telemetry(sequence, record);
    }

    /// Adds a keyframe to the chunk.
    pub fn keyframe(&mut self, sequence: u64, state: &KernelState) {
        self.builder.keyframe(sequence, state);
    }

    /// Adds a frame of the loop's log to the chunk.
    pub fn log_frame(&mut self, sequence: u64, frame: &LogFrame) {
        self.builder.log_frame(sequence, frame);
    }

    /// Adds a camera frame to the chunk.
    pub fn frame(&mut self, frame: &Frame) {
        self.builder.frame(frame);
    }

    /// Says that records are missing; `at` is the time of the first that is there again.
    ///
    /// # Errors
    /// If it cannot be put into JSON.
    pub fn loss(&mut self, at: MonoNs, loss: &Loss) -> Result<(), RecordingError> {
        self.builder.loss(at, loss)
    }

    /// Says that something happened.
    ///
    /// # Errors
    /// If it cannot be put into JSON.
    pub fn event(&mut self, at: MonoNs, event: &Event) -> Result<(), RecordingError> {
        self.builder.event(at, event)
    }

    /// Whether the chunk should go out before a record of `now` is added.
    #[must_use]
    pub fn is_due(&self, now: MonoNs) -> bool {
        self.builder.is_due(now)
    }

    /// Writes the chunk out and waits for the disk. Afterwards everything added so far is stored.
    ///
    /// # Errors
    /// What the storage says; the recording is of no further use then.
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        if let Some(piece) = self.builder.seal()? {
            self.file.append(&piece)?;
            self.file.sync()?;
        }
        Ok(())
    }

    /// What the disk has.
    #[must_use]
    pub fn stored(&self) -> Counts {
        self.file.stored()
    }

    /// What is in the chunk that is being filled: lost if its write fails.
    #[must_use]
    pub fn pending(&self) -> Counts {
        self.builder.pending()
    }

    /// Ends the recording with its summary, and waits until the disk has it.
    ///
    /// # Errors
    /// [`RecordingError`], and what the disk has.
    pub fn finish(mut self) -> Result<Counts, (RecordingError, Counts)> {
        let flushed = self.flush();
        let stored = self.stored();
        match flushed {
            Ok(()) => self.file.finish().map(|()| stored).map_err(|error| (error.into(), stored)),
            Err(error) => Err((error, self.file.salvage())),
        }
    }
}
