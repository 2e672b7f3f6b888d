//! Chunks: messages in one piece, packed, with a CRC, and the indexes of its messages behind.
//!
//! *What it decides.* What a chunk's header says and what of it is checked: everything. *What it
//! must never do.* Hand out a byte of a chunk whose header, packing or CRC is not as it should be.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::take::Bytes;
use super::{CHUNK_RECORDS_BYTES_MAX, FRAME_BYTES, lz4, op, put, take};

/// Messages by channel: each one's time, and where its record begins in the chunk.
type Indexes = BTreeMap<u16, Vec<(u64, u64)>>;

/// What the summary says of a chunk. Offsets count from the chunk's first byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChunkFacts {
    pub(crate) times_ns: [u64; 2],
    /// Of the chunk record with its frame.
    pub(crate) chunk_bytes: u64,
    pub(crate) index_offsets: Vec<(u16, u64)>,
    /// Of all its message indexes with their frames.
    pub(crate) index_bytes: u64,
    pub(crate) packed_bytes: u64,
    pub(crate) plain_bytes: u64,
    pub(crate) messages: Vec<(u16, u64)>,
}

/// What a chunk's records come to.
#[derive(Default)]
struct Survey {
    times_ns: Option<[u64; 2]>,
    indexes: Indexes,
}

impl Survey {
    fn message(&mut self, channel: u16, at_ns: u64, offset: usize) {
        let [first, last] = self.times_ns.unwrap_or([at_ns; 2]);
        self.times_ns = Some([first.min(at_ns), last.max(at_ns)]);
        self.indexes.entry(channel).or_default().push((at_ns, offset as u64));
    }

    /// Appends the message indexes; returns where each begins, from `chunk_at`.
    fn put_indexes(&self, into: &mut Vec<u8>, chunk_at: usize) -> Vec<(u16, u64)> {
        let mut offsets = Vec::with_capacity(self.indexes.len());
        for (channel, entries) in self.indexes.iter().filter(|(_, entries)| !entries.is_empty()) {
            offsets.push((*channel, (into.len() - chunk_at) as u64));
            put::record(into, op::MESSAGE_INDEX, |into| {
                into.extend_from_slice(&channel.to_le_bytes());
                put::sized_u32(into, |into| {
                    for (at_ns, offset) in entries {
                        into.extend_from_slice(&at_ns.to_le_bytes());
                        into.extend_from_slice(&offset.to_le_bytes());
                    }
                });
            });
        }
        offsets
    }

    fn counts(&self) -> Vec<(u16, u64)> {
        let counted = self.indexes.iter().filter(|(_, entries)| !entries.is_empty());
        counted.map(|(channel, entries)| (*channel, entries.len() as u64)).collect()
    }
}

/// A chunk that is being filled. It keeps its memory from one chunk to the next.
#[derive(Default)]
pub(crate) struct ChunkBuilder {
    records: Vec<u8>,
    survey: Survey,
}

impl ChunkBuilder {
    pub(crate) fn schema(&mut self, id: u16, name: &str, encoding: &str, data: &[u8]) {
        put::schema(&mut self.records, id, name, encoding, data);
    }

    pub(crate) fn channel(&mut self, id: u16, topic: &str, message_encoding: &str) {
        put::channel(&mut self.records, id, topic, message_encoding);
    }

    pub(crate) fn message(&mut self, channel: u16, sequence: u64, at_ns: u64, data: &[u8]) {
        self.survey.message(channel, at_ns, self.records.len());
        put::message(&mut self.records, channel, sequence, at_ns, data);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.records.len()
    }

    /// What is in it so far.
    pub(crate) fn records(&self) -> &[u8] {
        &self.records
    }

    /// Appends the chunk and its indexes, and begins the next one.
    pub(crate) fn close(&mut self, into: &mut Vec<u8>) -> io::Result<ChunkFacts> {
        let chunk_at = into.len();
        let times_ns = self.survey.times_ns.unwrap_or_default();
        let crc = crc32fast::hash(&self.records);
        let plain_bytes = self.records.len() as u64;
        let mut packed = Ok(0);
        put::record(into, op::CHUNK, |into| {
            times_ns.iter().for_each(|time| into.extend_from_slice(&time.to_le_bytes()));
            into.extend_from_slice(&plain_bytes.to_le_bytes());
            into.extend_from_slice(&crc.to_le_bytes());
            put::text(into, lz4::NAME);
            let length_at = into.len();
            into.extend_from_slice(&[0; 8]);
            let packed_at = into.len();
            packed = lz4::pack(&self.records, into).map(|()| (into.len() - packed_at) as u64);
            let length = (into.len() - packed_at) as u64;
            into[length_at..packed_at].copy_from_slice(&length.to_le_bytes());
        });
        let packed_bytes = packed?;
        let chunk_bytes = (into.len() - chunk_at) as u64;
        let index_offsets = self.survey.put_indexes(into, chunk_at);
        let facts = ChunkFacts {
            times_ns,
            chunk_bytes,
            index_offsets,
            index_bytes: (into.len() - chunk_at) as u64 - chunk_bytes,
            packed_bytes,
            plain_bytes,
            messages: self.survey.counts(),
        };
        self.records.clear();
        self.survey.times_ns = None;
        self.survey.indexes.values_mut().for_each(Vec::clear);
        Ok(facts)
    }
}

/// Unpacks the body of a chunk record into `plain`, in place of what is there.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn open(body: &[u8], plain: &mut Vec<u8>) -> Result<ChunkHead, String> {
    let mut rest = Bytes(body);
    let mut parse = || {
        let times_ns = [rest.u64()?, rest.u64()?];
        let (plain_bytes, crc) = (rest.u64()?, rest.u32()?);
        let (compression, packed) = (rest.text()?, rest.bytes_u64()?);
        rest.is_empty().then_some((times_ns, plain_bytes, crc, compression, packed))
    };
    let Some((times_ns, plain_bytes, crc, compression, packed)) = parse() else {
        return Err("its header does not fit its length".to_owned());
    };
    let declared = usize::try_from(plain_bytes).unwrap_or(usize::MAX);
    if plain_bytes > CHUNK_RECORDS_BYTES_MAX {
        return Err(format!(
            "it declares {plain_bytes} bytes, expected at most {CHUNK_RECORDS_BYTES_MAX}"
        ));
    }
    match compression {
        lz4::NAME => lz4::unpack(packed, declared, plain)?,
        "" if packed.len() == declared => {
            plain.clear();
            plain.extend_from_slice(packed);
        }
        "" => return Err(format!("{} bytes, expected {declared}", packed.len())),
        other => return Err(format!("compression `{other}`, expected `{}`", lz4::NAME)),
    }
    let found = crc32fast::hash(plain);
    if found != crc {
        return Err(format!("CRC {found:#010x}, expected {crc:#010x}"));
    }
    Ok(ChunkHead { times_ns, packed_bytes: packed.len() as u64, plain_bytes })
}

/// What a chunk says of itself, once it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkHead {
    times_ns: [u64; 2],
    pub(crate) packed_bytes: u64,
    pub(crate) plain_bytes: u64,
}

/// The facts of an opened chunk, and its message indexes as they must follow it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn survey(
    head: ChunkHead,
    body_bytes: usize,
    plain: &[u8],
) -> Result<(ChunkFacts, Vec<u8>), String> {
    let mut survey = Survey::default();
    for record in records(plain) {
        let (opcode, at) = record?;
        if opcode == op::MESSAGE {
            let message = take::message(&plain[at.clone()]).ok_or("a message that is none")?;
            survey.message(message.channel, message.at_ns, at.start - FRAME_BYTES);
        }
    }
    let times_ns = survey.times_ns.unwrap_or_default();
    if times_ns != head.times_ns {
        return Err(format!("it says times {:?}, expected {times_ns:?}", head.times_ns));
    }
    let chunk_bytes = FRAME_BYTES + body_bytes;
    let mut indexes = Vec::new();
    let offsets = survey.put_indexes(&mut indexes, 0);
    let facts = ChunkFacts {
        times_ns,
        chunk_bytes: chunk_bytes as u64,
        index_offsets: offsets
            .into_iter()
            .map(|(channel, at)| (channel, at + chunk_bytes as u64))
            .collect(),
        index_bytes: indexes.len() as u64,
        packed_bytes: head.packed_bytes,
        plain_bytes: head.plain_bytes,
        messages: survey.counts(),
    };
    Ok((facts, indexes))
}

/// The records of an opened chunk: opcode, and where the body is.
pub(crate) fn records(
    plain: &[u8],
) -> impl Iterator<Item = Result<(u8, Range<usize>), String>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = plain.get(at..).filter(|rest| !rest.is_empty())?;
        let found = next_record(rest);
        Some(match found {
            Some((opcode, end)) => {
                let body = at + FRAME_BYTES..at + end;
                at += end;
                Ok((opcode, body))
            }
            None => {
                at = plain.len();
                Err("a record reaches beyond its chunk".to_owned())
            }
        })
    })
}

/// Opcode and end of the record that `rest` begins with.
pub(crate) fn next_record(rest: &[u8]) -> Option<(u8, usize)> {
    let (opcode, body) = Bytes(rest).record()?;
    Some((opcode, FRAME_BYTES + body.len()))
}
