//! Reading a recording back: typed records in the order of the file.
//!
//! *What it decides.* What can be believed: a chunk whose CRC is right, records of the very layout
//! that this build knows. A torn tail (the recorder was killed) and a damaged chunk are reported
//! and cost no more than themselves. *What it must never do.* Hand out a record of another layout,
//! panic on any bytes, or hold more than one chunk in memory.
//!
//! Shown by: tests/recording.rs.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use rt_wire::{KernelState, LogFrame, MonoNs, Record, Telemetry};

use crate::about::About;
use crate::batch::{Batch, Sequence};
use crate::channels::{BATCH_SCHEMA, EVENT_SCHEMA, JSON_SCHEMA, LOSS_SCHEMA};
use crate::container::{FRAME_BYTES, RECORD_BYTES_MAX, chunk, op, take};
use crate::event::Event;
use crate::frame::{self, Frame, Image};
use crate::layout::{LayoutIn, SCHEMA_ENCODING, hash_text};
use crate::recording::{ABOUT_NAME, LOG_TABLE_NAME, Loss, ROBOT_FILE_NAME};
use crate::repair_mark;
use crate::sizes::Sizes;

/// One thing that was recorded.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all entries are the large ones, and a box would cost an allocation each"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// One cycle.
    Telemetry(Telemetry),
    /// The kernel's memory after one cycle.
    Keyframe(KernelState),
    /// One message of the loop, not yet in words.
    Log(LogFrame),
    /// Records are missing here.
    Loss(Loss),
    /// Something happened.
    Event(Event),
    /// A picture of the camera.
    Frame(Frame),
}

/// How the file ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Not read that far yet.
    Unread,
    /// With its footer.
    Complete,
    /// After whole chunks, but without an end: the recorder was killed.
    Open,
    /// In the middle of a record.
    Torn {
        /// Bytes before the torn record: all that can be believed.
        whole_bytes: u64,
        /// Bytes after that.
        torn_bytes: u64,
    },
}

/// A chunk that cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins in the file.
    pub at_byte: u64,
    /// Its length with its frame.
    pub bytes: u64,
    /// What is wrong with it.
    pub found: String,
}

/// Why a recording is refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the file system says.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{path}: not an MCAP file (it starts with {found:02x?})")]
    NotMcap {
        /// The file.
        path: String,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// Another build's records.
    #[error(
        "{path}: {record} has layout {found}, expected {expected} (it was recorded by build \
         {build_id:#018x}: read it with that build)"
    )]
    Layout {
        /// The file.
        path: String,
        /// The record's name.
        record: String,
        /// Hash in the file.
        found: String,
        /// Hash that this build knows.
        expected: String,
        /// Build that recorded it; 0 where it is not known.
        build_id: u64,
    },
    /// A record inside a chunk whose CRC is right makes no sense.
    #[error("{path}: byte {at_byte}: {found}")]
    Content {
        /// The file.
        path: String,
        /// Where the chunk begins.
        at_byte: u64,
        /// What is wrong.
        found: String,
    },
}

/// A picture that was recorded: what it is said to be, and its bytes, which may be no picture.
pub(crate) struct Picture {
    pub(crate) sequence: u32,
    pub(crate) mono_ns: MonoNs,
    pub(crate) frame_id: String,
    /// The JPEG, or what stands there instead.
    pub(crate) jpeg: Result<Vec<u8>, String>,
}

/// Takes from a message what is wanted of it, if that is what its channel holds.
type Parse<T> = fn(Option<ChannelKind>, &take::Message<'_>) -> Result<Option<T>, String>;

/// What the messages of a channel are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ChannelKind {
    Telemetry,
    Keyframe,
    Log,
    Loss,
    Event,
    Frame,
    /// The chunk's own, or somebody else's: skipped.
    Other,
}

/// A recording that is being read.
pub struct RecordingReader<R = BufReader<File>> {
    path: String,
    input: R,
    /// Bytes of whole records so far.
    position: u64,
    about: About,
    robot_json: Vec<u8>,
    log_table: Option<Vec<u8>>,
    schemas: HashMap<u16, ChannelKind>,
    channels: HashMap<u16, ChannelKind>,
    /// Body of the record being looked at.
    body: Vec<u8>,
    /// Records of the chunk whose messages are handed out, and where the next of them stands.
    plain: Vec<u8>,
    plain_at: usize,
    chunk_at_byte: u64,
    sequence: Sequence,
    /// Whether the chunk before this place was damaged: that it is missing is known then.
    is_after_damage: bool,
    tail: Tail,
    damage: Vec<Damage>,
    sizes: Sizes,
    /// Whether the iterator has handed out an error: what follows it is not asked for again.
    has_failed: bool,
    /// Whether all but the pictures is passed over, also what another build recorded.
    is_for_pictures: bool,
}

impl RecordingReader {
    /// Opens `path` and reads what stands before the first record.
    ///
    /// # Errors
    /// [`ReadError`]: no such file, not MCAP, or made by another build.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::open_for(path, false)
    }

    /// As [`open`](Self::open), for [`next_picture`](Self::next_picture) alone: their layout is not
    /// ours to change, so that the recording may be of any build.
    pub(crate) fn open_for_pictures(path: &Path) -> Result<Self, ReadError> {
        Self::open_for(path, true)
    }

    fn open_for(path: &Path, is_for_pictures: bool) -> Result<Self, ReadError> {
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|source| ReadError::Io { path: name.clone(), source })?;
        Self::begin(name, BufReader::with_capacity(1 << 18, file), is_for_pictures)
    }
}

impl<R: Read> RecordingReader<R> {
    /// Reads a recording from `input`; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`RecordingReader::open`].
    pub fn new(name: impl Into<String>, input: R) -> Result<Self, ReadError> {
        Self::begin(name, input, false)
    }

    fn begin(name: impl Into<String>, input: R, is_for_pictures: bool) -> Result<Self, ReadError> {
        let mut reader = Self {
            path: name.into(),
            input,
            position: 0,
            about: About::default(),
            robot_json: Vec::new(),
            log_table: None,
            schemas: HashMap::new(),
            channels: HashMap::new(),
            body: Vec::new(),
            plain: Vec::new(),
            plain_at: 0,
            chunk_at_byte: 0,
            sequence: Sequence::default(),
            is_after_damage: false,
            tail: Tail::Unread,
            damage: Vec::new(),
            sizes: Sizes::default(),
            has_failed: false,
            is_for_pictures,
        };
        let mut magic = Vec::new();
        reader.fill(&mut magic, mcap::MAGIC.len())?;
        if magic != mcap::MAGIC {
            return Err(ReadError::NotMcap { path: reader.path, found: magic });
        }
        reader.position = magic.len() as u64;
        // The first chunk holds the channels and nothing else; before it: metadata and attachment.
        while reader.tail == Tail::Unread && reader.channels.is_empty() {
            reader.next_frame()?;
            if let Some(entry) = reader.next_in_chunk(parse_message)? {
                return Err(reader.content(format!("{entry:?} before its channel")));
            }
        }
        Ok(reader)
    }

    /// What the recording says of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The validated robot file, as it was read when the recording began.
    pub fn robot_json(&self) -> &[u8] {
        &self.robot_json
    }

    /// The message table of the loop's log; `None` if the recorder could not have it.
    pub fn log_table(&self) -> Option<&[u8]> {
        self.log_table.as_deref()
    }

    /// How the file ends; known once [`next_entry`](Self::next_entry) has returned `None`.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Chunks that were skipped because they cannot be believed, so far.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// How much of what was read so far.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Whole records of the file that were read so far, in bytes.
    pub fn bytes_read(&self) -> u64 {
        self.position
    }

    /// The next entry, or `None` at the end.
    ///
    /// # Errors
    /// [`ReadError`] if the file cannot be read, or a record that was written whole makes no sense.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        self.next_by(parse_message)
    }

    /// The next picture, whole or not.
    pub(crate) fn next_picture(&mut self) -> Result<Option<Picture>, ReadError> {
        self.next_by(parse_picture)
    }

    fn next_by<T>(&mut self, parse: Parse<T>) -> Result<Option<T>, ReadError> {
        loop {
            if let Some(entry) = self.next_in_chunk(parse)? {
                return Ok(Some(entry));
            }
            if self.tail != Tail::Unread {
                return Ok(None);
            }
            self.next_frame()?;
        }
    }

    /// Reads one record of the file and takes from it what is of use.
    fn next_frame(&mut self) -> Result<(), ReadError> {
        let at_byte = self.position;
        let mut frame = Vec::with_capacity(FRAME_BYTES);
        let frame_bytes = self.fill(&mut frame, FRAME_BYTES)?;
        let Some((opcode, length)) = split_frame(&frame) else {
            self.tail = match frame_bytes {
                0 => Tail::Open,
                _ => self.torn(frame_bytes)?,
            };
            return Ok(());
        };
        if length > RECORD_BYTES_MAX {
            self.tail = self.torn(frame_bytes)?;
            return Ok(());
        }
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        let found = self.fill(&mut body, wanted);
        self.body = body;
        let found = found?;
        if found < wanted {
            self.tail = self.torn(frame_bytes.saturating_add(found))?;
            return Ok(());
        }
        let bytes = (FRAME_BYTES as u64).saturating_add(length);
        self.position = self.position.saturating_add(bytes);
        self.take_record(opcode, at_byte, bytes)
    }

    fn take_record(&mut self, opcode: u8, at_byte: u64, bytes: u64) -> Result<(), ReadError> {
        let found = match opcode {
            op::HEADER => {
                self.sequence.begun.absorb(&self.body);
                return Ok(());
            }
            op::METADATA => match self.take_metadata() {
                Some(()) => return Ok(()),
                None => "metadata that is not laid out as such".to_owned(),
            },
            op::ATTACHMENT => match take::attachment(&self.body) {
                Ok(attachment) => {
                    match attachment.name {
                        ROBOT_FILE_NAME => self.robot_json = attachment.data.to_vec(),
                        LOG_TABLE_NAME => self.log_table = Some(attachment.data.to_vec()),
                        _ => {}
                    }
                    return Ok(());
                }
                Err(found) => found,
            },
            op::FOOTER => {
                self.tail = Tail::Complete;
                return Ok(());
            }
            op::CHUNK => match self.take_chunk() {
                Ok(missing) => {
                    self.chunk_at_byte = at_byte;
                    if missing > 0 && !std::mem::take(&mut self.is_after_damage) {
                        let found = format!("{missing} chunks are missing before it");
                        self.damage.push(Damage { at_byte, bytes: 0, found });
                    }
                    return Ok(());
                }
                Err(found) => {
                    self.is_after_damage = true;
                    found
                }
            },
            // Indexes, statistics and what follows repeat what was already read.
            _ => return Ok(()),
        };
        self.damage.push(Damage { at_byte, bytes, found });
        Ok(())
    }

    fn take_metadata(&mut self) -> Option<()> {
        let (name, pairs) = take::metadata(&self.body)?;
        match name {
            ABOUT_NAME => {
                let pairs = pairs.into_iter();
                let map = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                self.about = About::from_map(&map);
                self.sequence.begun.absorb(&self.body);
            }
            repair_mark::NAME => self.sequence.skip_to(repair_mark::next_chunk(&pairs)?),
            _ => {}
        }
        Some(())
    }

    /// Opens the chunk in `body`; returns how many are missing before it.
    fn take_chunk(&mut self) -> Result<u64, String> {
        self.plain_at = 0;
        let opened = chunk::open(&self.body, &mut self.plain).and_then(|head| {
            let missing = self.sequence.follow(&Batch::of_chunk(&self.plain)?)?;
            self.sizes.chunk(head.packed_bytes, head.plain_bytes);
            Ok(missing)
        });
        if opened.is_err() {
            self.plain.clear();
        }
        opened
    }

    /// What `parse` makes of the next message of the chunk that is open.
    fn next_in_chunk<T>(&mut self, parse: Parse<T>) -> Result<Option<T>, ReadError> {
        while self.plain_at < self.plain.len() {
            let rest = &self.plain[self.plain_at..];
            let Some((opcode, end)) = chunk::next_record(rest) else {
                return Err(self.content("a record reaches beyond its chunk"));
            };
            let body = &rest[FRAME_BYTES..end];
            let wrong = |what: &str| self.content(format!("a {what} that is not laid out as one"));
            let taken = match opcode {
                op::MESSAGE => {
                    let message = take::message(body).ok_or_else(|| wrong("message"))?;
                    let kind = self.channels.get(&message.channel).copied();
                    self.sizes.message(message.channel, message.data.len());
                    parse(kind, &message).map_err(|found| self.content(found))?
                }
                op::SCHEMA => {
                    let (id, name, encoding, data) =
                        take::schema(body).ok_or_else(|| wrong("schema"))?;
                    let kind = self.schema_kind(name, encoding, data)?;
                    self.schemas.insert(id, kind);
                    None
                }
                op::CHANNEL => {
                    let (id, schema, topic, _encoding) =
                        take::channel(body).ok_or_else(|| wrong("channel"))?;
                    self.sizes.channel(id, topic);
                    let kind = self.schemas.get(&schema).copied();
                    self.channels.insert(id, kind.unwrap_or(ChannelKind::Other));
                    None
                }
                _ => None,
            };
            self.plain_at += end;
            if taken.is_some() {
                return Ok(taken);
            }
        }
        Ok(None)
    }

    fn schema_kind(
        &self,
        name: &str,
        encoding: &str,
        data: &[u8],
    ) -> Result<ChannelKind, ReadError> {
        match (encoding, name) {
            (frame::ENCODING, frame::SCHEMA) => Ok(ChannelKind::Frame),
            _ if self.is_for_pictures => Ok(ChannelKind::Other),
            (SCHEMA_ENCODING, Telemetry::NAME) => {
                self.check_layout::<Telemetry>(data)?;
                Ok(ChannelKind::Telemetry)
            }
            (SCHEMA_ENCODING, KernelState::NAME) => {
                self.check_layout::<KernelState>(data)?;
                Ok(ChannelKind::Keyframe)
            }
            (SCHEMA_ENCODING, LogFrame::NAME) => {
                self.check_layout::<LogFrame>(data)?;
                Ok(ChannelKind::Log)
            }
            (JSON_SCHEMA, LOSS_SCHEMA) => Ok(ChannelKind::Loss),
            (JSON_SCHEMA, EVENT_SCHEMA) => Ok(ChannelKind::Event),
            (JSON_SCHEMA, BATCH_SCHEMA) => Ok(ChannelKind::Other),
            _ => Ok(ChannelKind::Other),
        }
    }

    fn check_layout<T: Record>(&self, data: &[u8]) -> Result<(), ReadError> {
        let refuse = |found: String| ReadError::Layout {
            path: self.path.clone(),
            record: T::NAME.to_owned(),
            found,
            expected: hash_text(T::LAYOUT_HASH),
            build_id: self.about.build_id,
        };
        let layout: LayoutIn =
            serde_json::from_slice(data).map_err(|error| refuse(format!("unreadable: {error}")))?;
        let here = if cfg!(target_endian = "little") { "little" } else { "big" };
        if layout.byte_order != here {
            return Err(refuse(format!("in {} byte order", layout.byte_order)));
        }
        let is_ours = layout.layout_hash == hash_text(T::LAYOUT_HASH)
            && layout.bytes == size_of::<T>() as u64;
        if is_ours { Ok(()) } else { Err(refuse(layout.layout_hash)) }
    }

    /// Appends up to `wanted` bytes of input; fewer only at the end of the file.
    fn fill(&mut self, into: &mut Vec<u8>, wanted: usize) -> Result<usize, ReadError> {
        let input = self.input.by_ref();
        input
            .take(wanted as u64)
            .read_to_end(into)
            .map_err(|source| ReadError::Io { path: self.path.clone(), source })
    }

    /// Measures the torn rest without keeping it.
    fn torn(&mut self, already_read: usize) -> Result<Tail, ReadError> {
        let rest = std::io::copy(&mut self.input, &mut std::io::sink())
            .map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
        let torn_bytes = rest.saturating_add(already_read as u64);
        Ok(Tail::Torn { whole_bytes: self.position, torn_bytes })
    }

    fn content(&self, found: impl Into<String>) -> ReadError {
        ReadError::Content {
            path: self.path.clone(),
            at_byte: self.chunk_at_byte,
            found: found.into(),
        }
    }
}

impl<R: Read> Iterator for RecordingReader<R> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let next = self.next_entry();
        self.has_failed = next.is_err();
        next.transpose()
    }
}

/// Opcode and length of the record that `bytes` begin with.
fn split_frame(bytes: &[u8]) -> Option<(u8, u64)> {
    let (opcode, rest) = bytes.split_first()?;
    let length = rest.first_chunk::<8>()?;
    Some((*opcode, u64::from_le_bytes(*length)))
}

fn parse_message(
    kind: Option<ChannelKind>,
    message: &take::Message<'_>,
) -> Result<Option<Entry>, String> {
    let data = message.data;
    match kind {
        Some(ChannelKind::Telemetry) => Ok(Some(Entry::Telemetry(whole(data)?))),
        Some(ChannelKind::Keyframe) => Ok(Some(Entry::Keyframe(whole(data)?))),
        Some(ChannelKind::Log) => Ok(Some(Entry::Log(whole(data)?))),
        Some(ChannelKind::Loss) => json(data).map(|loss| Some(Entry::Loss(loss))),
        Some(ChannelKind::Event) => json(data).map(|event| Some(Entry::Event(event))),
        Some(ChannelKind::Frame) => {
            let frame = Frame::decode(message.sequence, MonoNs(message.at_ns), data)?;
            Ok(Some(Entry::Frame(frame)))
        }
        Some(ChannelKind::Other) => Ok(None),
        None => Err("a message of an unknown channel".to_owned()),
    }
}

fn parse_picture(
    kind: Option<ChannelKind>,
    message: &take::Message<'_>,
) -> Result<Option<Picture>, String> {
    if kind != Some(ChannelKind::Frame) {
        return Ok(None);
    }
    let (sequence, mono_ns) = (message.sequence, MonoNs(message.at_ns));
    let image = Image::take(message.data);
    let frame_id = image.as_ref().map(|image| image.frame_id.to_owned()).unwrap_or_default();
    let jpeg = image.and_then(|image| image.is_jpeg().map(|()| image.data.to_vec()));
    Ok(Some(Picture { sequence, mono_ns, frame_id, jpeg }))
}

fn json<'a, T: serde::Deserialize<'a>>(data: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(data).map_err(|error| error.to_string())
}

fn whole<T: Record>(data: &[u8]) -> Result<T, String> {
    T::read_from_bytes(data).map_err(|_error| {
        format!("a {} of {} bytes, expected {}", T::NAME, data.len(), size_of::<T>())
    })
}
