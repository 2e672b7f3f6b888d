//! Writing `blobs/recording.mcap`: every record as it came, bytes for bytes.
//!
//! *What it decides.* The channels of a recording, and when a chunk goes out: after 200 ms of
//! recorded time or 1 MiB, whichever comes first. A chunk is built in memory and written in one
//! piece, so that what is on the disk is whole chunks; a failed write is taken back to the last
//! whole one. *What it must never do.* Read a clock, or count a record as stored that is not.
//!
//! ```text
//! magic, header, metadata `continuon`, attachments robot.json and fast-loop.log.elf,
//! chunk { schemas, channels, messages… CRC }, message indexes, chunk…, summary, footer, magic
//! ```
//!
//! Shown by: tests/recording.rs, tests/episode.rs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use mcap::records::{MessageHeader, Metadata};
use mcap::write::NoSeek;
use mcap::{Attachment, McapError, WriteOptions};
use rt_wire::topics::{KEYFRAME, LOG, TELEMETRY, Topic};
use rt_wire::{KernelState, LogFrame, MonoNs, Record, Telemetry};
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes;

use crate::about::About;
use crate::layout::{MESSAGE_ENCODING, SCHEMA_ENCODING, layout_json};
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
/// Record part of the loss channel's topic.
pub(crate) const LOSS_SCHEMA: &str = "Loss";

const LOSS_JSON_SCHEMA: &str = r#"{"title":"Loss","type":"object","properties":{"topic":{"type":"string","description":"segment whose records are missing"},"before_sequence":{"type":"integer","description":"first record that is there again"},"lost":{"type":"integer","description":"records missing before it"}},"required":["topic","before_sequence","lost"]}"#;

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
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.telemetry = self.telemetry.saturating_add(other.telemetry);
        self.keyframes = self.keyframes.saturating_add(other.keyframes);
        self.log_frames = self.log_frames.saturating_add(other.log_frames);
        self.losses = self.losses.saturating_add(other.losses);
    }
}

/// Why a recording cannot be written further.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The storage refused.
    #[error("recording: {0}")]
    Io(#[from] std::io::Error),
    /// The container cannot hold it.
    #[error("recording: {0}")]
    Mcap(McapError),
    /// A layout or a loss could not be put into JSON.
    #[error("recording: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<McapError> for RecordingError {
    /// What the storage said is told as such, not as the container's trouble with it.
    fn from(error: McapError) -> Self {
        match error {
            McapError::Io(error) => Self::Io(error),
            other => Self::Mcap(other),
        }
    }
}

/// Channels of a recording by their numbers in the file.
#[derive(Clone, Copy)]
struct Channels {
    telemetry: u16,
    keyframes: u16,
    log: u16,
    losses: u16,
}

/// A recording that is being written. Costs no allocation per record once a chunk has been filled.
pub struct RecordingWriter<S: Storage> {
    mcap: mcap::Writer<NoSeek<Sink<S>>>,
    channels: Channels,
    /// In chunks that were written whole.
    stored: Counts,
    /// In the chunk that is being filled.
    pending: Counts,
    pending_bytes: usize,
    pending_since: Option<MonoNs>,
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
        let attached = attached.into();
        let mut mcap = WriteOptions::new()
            .profile("continuon")
            .library(concat!("continuon rlds ", env!("CARGO_PKG_VERSION")))
            .compression(None)
            // A chunk is built in memory, written in one piece, and closed by us.
            .disable_seeking(true)
            .chunk_size(None)
            .create(NoSeek::new(Sink::new(storage)))?;
        mcap.write_metadata(&Metadata { name: ABOUT_NAME.to_owned(), metadata: about.to_map() })?;
        let mut attach = |name: &str, media_type: &str, data| {
            mcap.attach(&Attachment {
                log_time: about.start_mono_ns.0,
                create_time: u64::try_from(about.start_unix_ms)
                    .unwrap_or(0)
                    .saturating_mul(1_000_000),
                name: name.to_owned(),
                media_type: media_type.to_owned(),
                data: Cow::Borrowed(data),
            })
        };
        attach(ROBOT_FILE_NAME, "application/json", attached.robot_json)?;
        if let Some(table) = attached.log_table {
            attach(LOG_TABLE_NAME, "application/x-elf", table)?;
        }
        mcap.flush()?;
        let channels = Channels {
            telemetry: wire_channel::<Telemetry, S>(&mut mcap, &TELEMETRY, &about.robot)?,
            keyframes: wire_channel::<KernelState, S>(&mut mcap, &KEYFRAME, &about.robot)?,
            log: wire_channel::<LogFrame, S>(&mut mcap, &LOG, &about.robot)?,
            losses: loss_channel(&mut mcap, &about.robot)?,
        };
        // The first chunk holds the schemas alone: a reader knows all channels at once.
        mcap.flush()?;
        Ok(Self {
            mcap,
            channels,
            stored: Counts::default(),
            pending: Counts::default(),
            pending_bytes: 0,
            pending_since: None,
        })
    }

    /// Adds a telemetry record to the chunk. `sequence` is its place in the ring.
    ///
    /// # Errors
    /// [`RecordingError`]; then only [`salvage`](Self::salvage) is left.
    pub fn telemetry(&mut self, sequence: u64, record: &Telemetry) -> Result<(), RecordingError> {
        let channel = self.channels.telemetry;
        self.message(channel, sequence, record.mono_ns, record.as_bytes())?;
        self.pending.telemetry = self.pending.telemetry.saturating_add(1);
        Ok(())
    }

    /// Adds a keyframe to the chunk.
    ///
    /// # Errors
    /// As [`telemetry`](Self::telemetry).
    pub fn keyframe(&mut self, sequence: u64, state: &KernelState) -> Result<(), RecordingError> {
        let channel = self.channels.keyframes;
        self.message(channel, sequence, state.mono_ns, state.as_bytes())?;
        self.pending.keyframes = self.pending.keyframes.saturating_add(1);
        Ok(())
    }

    /// Adds a frame of the loop's log to the chunk.
    ///
    /// # Errors
    /// As [`telemetry`](Self::telemetry).
    pub fn log_frame(&mut self, sequence: u64, frame: &LogFrame) -> Result<(), RecordingError> {
        let channel = self.channels.log;
        self.message(channel, sequence, frame.mono_ns, frame.as_bytes())?;
        self.pending.log_frames = self.pending.log_frames.saturating_add(1);
        Ok(())
    }

    /// Says that records are missing; `at` is the time of the first that is there again.
    ///
    /// # Errors
    /// As [`telemetry`](Self::telemetry).
    pub fn loss(&mut self, at: MonoNs, loss: &Loss) -> Result<(), RecordingError> {
        let channel = self.channels.losses;
        self.message(channel, loss.before_sequence, at, &serde_json::to_vec(loss)?)?;
        self.pending.losses = self.pending.losses.saturating_add(1);
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "MCAP keeps the low 32 bits on purpose")]
    fn message(
        &mut self,
        channel_id: u16,
        sequence: u64,
        at: MonoNs,
        bytes: &[u8],
    ) -> Result<(), RecordingError> {
        let header = MessageHeader {
            channel_id,
            sequence: sequence as u32,
            log_time: at.0,
            publish_time: at.0,
        };
        self.mcap.write_to_known_channel(&header, bytes)?;
        self.pending_bytes = self.pending_bytes.saturating_add(bytes.len());
        self.pending_since.get_or_insert(at);
        Ok(())
    }

    /// Whether the chunk should go out before a record of `now` is added.
    #[must_use]
    pub fn is_due(&self, now: MonoNs) -> bool {
        self.pending_bytes >= CHUNK_BYTES_MAX
            || self.pending_since.is_some_and(|since| now.since(since) >= CHUNK_NS_MAX)
    }

    /// Writes the chunk out. Afterwards everything added so far counts as stored.
    ///
    /// # Errors
    /// As [`telemetry`](Self::telemetry); the chunk is lost then.
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        if self.pending_since.is_none() {
            return Ok(());
        }
        self.mcap.flush()?;
        self.stored.add(self.pending);
        self.pending = Counts::default();
        self.pending_bytes = 0;
        self.pending_since = None;
        Ok(())
    }

    /// What is in chunks that were written whole.
    #[must_use]
    pub fn stored(&self) -> Counts {
        self.stored
    }

    /// What is in the chunk that is being filled: lost if its write fails.
    #[must_use]
    pub fn pending(&self) -> Counts {
        self.pending
    }

    /// Ends the recording with its summary, and waits until the disk has it.
    ///
    /// # Errors
    /// [`RecordingError`], and the recording as it was after its last whole chunk, closed without a
    /// summary as far as the storage allows.
    pub fn finish(mut self) -> Result<Counts, (RecordingError, Counts)> {
        if let Err(error) = self.flush() {
            return Err((error, self.salvage()));
        }
        if let Err(error) = self.mcap.finish() {
            return Err((error.into(), self.salvage()));
        }
        let stored = self.stored;
        self.mcap.into_inner().into_inner().sync().map_err(|error| (error.into(), stored))?;
        Ok(stored)
    }

    /// After a failed write: takes back what is not whole and closes the file without a summary, so
    /// that any MCAP reader opens it. A file that cannot even be closed is still read by
    /// [`crate::RecordingReader`], up to the same record. Returns what is stored.
    pub fn salvage(self) -> Counts {
        let stored = self.stored;
        let mut sink = self.mcap.into_inner().into_inner();
        let closed = sink
            .take_back()
            .and_then(|()| sink.write_all(&closing_bytes()))
            .and_then(|()| sink.flush())
            .and_then(|()| sink.sync());
        if closed.is_err() {
            // If this fails too nothing is left to try; the reader tolerates the tail.
            sink.take_back().ok();
        }
        stored
    }
}

/// End of the data section, a footer that points to no summary, and the magic.
fn closing_bytes() -> Vec<u8> {
    const DATA_END: u8 = 0x0f;
    const FOOTER: u8 = 0x02;
    let mut bytes = Vec::with_capacity(50);
    for (opcode, body_bytes) in [(DATA_END, 4_u64), (FOOTER, 20)] {
        bytes.push(opcode);
        bytes.extend_from_slice(&body_bytes.to_le_bytes());
        // Zero says "no CRC" and "no summary".
        bytes.extend((0..body_bytes).map(|_| 0));
    }
    bytes.extend_from_slice(mcap::MAGIC);
    bytes
}

fn wire_channel<T: Record, S: Storage>(
    mcap: &mut mcap::Writer<NoSeek<Sink<S>>>,
    topic: &Topic,
    robot: &str,
) -> Result<u16, RecordingError> {
    let schema = mcap.add_schema(T::NAME, SCHEMA_ENCODING, &layout_json::<T>()?)?;
    let topic_name = topic_name(topic, robot);
    Ok(mcap.add_channel(schema, &topic_name, MESSAGE_ENCODING, &BTreeMap::new())?)
}

fn loss_channel<S: Storage>(
    mcap: &mut mcap::Writer<NoSeek<Sink<S>>>,
    robot: &str,
) -> Result<u16, RecordingError> {
    let schema = mcap.add_schema(LOSS_SCHEMA, "jsonschema", LOSS_JSON_SCHEMA.as_bytes())?;
    let topic = format!("{robot}.{}.loss", rt_wire::topics::RLDS_LOGGER);
    Ok(mcap.add_channel(schema, &topic, "json", &BTreeMap::new())?)
}

/// The segment's name.
pub(crate) fn topic_name(topic: &Topic, robot: &str) -> String {
    let mut name = String::new();
    // Writing to a String cannot fail; were it to, the name would be short and still unique.
    topic.write_name(robot, &mut name).unwrap_or_default();
    name
}
