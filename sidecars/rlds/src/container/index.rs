//! The summary at the end of a file: what is in it and where, so that a reader need not scan.
//!
//! *What it decides.* Every byte from the end of the data on. It grows with what is written, or with
//! what a scan finds, and says the same for the same content. *What it must never do.* Grow with
//! records: a chunk costs it some sixty bytes.

use std::collections::BTreeMap;

use super::chunk::ChunkFacts;
use super::{FRAME_BYTES, op, put};

/// Something that the summary tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The body of a schema record.
    Schema(Vec<u8>),
    /// The body of a channel record.
    Channel(Vec<u8>),
    /// A metadata record of this name and length, with its frame.
    Metadata {
        name: String,
        bytes: u64,
    },
    /// An attachment.
    Attachment {
        times_ns: [u64; 2],
        name: String,
        media_type: String,
        data_bytes: u64,
        bytes: u64,
    },
    Chunk(ChunkFacts),
}

#[derive(Clone)]
struct ChunkRow {
    at: u64,
    facts: ChunkFacts,
}

/// What has been written so far, as the summary will tell it.
#[derive(Clone, Default)]
pub(crate) struct Index {
    /// Bytes of the file so far.
    bytes: u64,
    crc: crc32fast::Hasher,
    schemas: Vec<Vec<u8>>,
    channels: Vec<Vec<u8>>,
    chunks: Vec<ChunkRow>,
    /// Bodies of the index records.
    attachments: Vec<Vec<u8>>,
    metadata: Vec<Vec<u8>>,
    messages: BTreeMap<u16, u64>,
    times_ns: Option<[u64; 2]>,
}

impl Index {
    /// Takes note of `bytes` that follow what came before, and of what they hold: `facts`, each with
    /// its offset in `bytes`.
    pub(crate) fn absorb<'a>(
        &mut self,
        bytes: &[u8],
        facts: impl IntoIterator<Item = &'a (u64, Fact)>,
    ) {
        for (offset, fact) in facts {
            self.note(self.bytes + offset, fact);
        }
        self.bytes += bytes.len() as u64;
        self.crc.update(bytes);
    }

    fn note(&mut self, at: u64, fact: &Fact) {
        match fact {
            Fact::Schema(body) => self.schemas.push(body.clone()),
            Fact::Channel(body) => self.channels.push(body.clone()),
            Fact::Metadata { name, bytes } => {
                let mut row = Vec::new();
                row.extend_from_slice(&at.to_le_bytes());
                row.extend_from_slice(&bytes.to_le_bytes());
                put::text(&mut row, name);
                self.metadata.push(row);
            }
            Fact::Attachment { times_ns, name, media_type, data_bytes, bytes } => {
                let mut row = Vec::new();
                for number in [at, *bytes, times_ns[0], times_ns[1], *data_bytes] {
                    row.extend_from_slice(&number.to_le_bytes());
                }
                put::text(&mut row, name);
                put::text(&mut row, media_type);
                self.attachments.push(row);
            }
            Fact::Chunk(facts) => {
                for (channel, count) in &facts.messages {
                    *self.messages.entry(*channel).or_default() += count;
                }
                if !facts.messages.is_empty() {
                    let [first, last] = self.times_ns.unwrap_or(facts.times_ns);
                    self.times_ns =
                        Some([first.min(facts.times_ns[0]), last.max(facts.times_ns[1])]);
                }
                self.chunks.push(ChunkRow { at, facts: facts.clone() });
            }
        }
    }

    /// The least that may follow the data: where there is no room for a summary, any reader still opens
    /// the file.
    pub(crate) fn closing_without_summary(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put_data_end(&mut out);
        // Zero says "no summary" and "no CRC".
        put::record(&mut out, op::FOOTER, |out| out.extend_from_slice(&[0; 20]));
        out.extend_from_slice(mcap::MAGIC);
        out
    }

    fn put_data_end(&self, out: &mut Vec<u8>) {
        put::record(out, op::DATA_END, |out| {
            out.extend_from_slice(&self.crc.clone().finalize().to_le_bytes());
        });
    }

    /// Everything that follows the data: its end with a CRC, the summary, footer and magic.
    pub(crate) fn closing(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put_data_end(&mut out);
        let summary_from = out.len();
        let mut groups = Vec::new();
        let mut group = |opcode, out: &mut Vec<u8>, bodies: &mut dyn Iterator<Item = Vec<u8>>| {
            let from = out.len();
            bodies.for_each(|body| put::record(out, opcode, |out| out.extend_from_slice(&body)));
            if out.len() > from {
                groups.push((opcode, self.bytes + from as u64, (out.len() - from) as u64));
            }
        };
        group(op::SCHEMA, &mut out, &mut self.schemas.iter().cloned());
        group(op::CHANNEL, &mut out, &mut self.channels.iter().cloned());
        group(op::STATISTICS, &mut out, &mut std::iter::once(self.statistics()));
        group(op::CHUNK_INDEX, &mut out, &mut self.chunks.iter().map(ChunkRow::body));
        group(op::ATTACHMENT_INDEX, &mut out, &mut self.attachments.iter().cloned());
        group(op::METADATA_INDEX, &mut out, &mut self.metadata.iter().cloned());
        let offsets_from = out.len();
        for (opcode, start, bytes) in groups {
            put::record(&mut out, op::SUMMARY_OFFSET, |out| {
                out.push(opcode);
                out.extend_from_slice(&start.to_le_bytes());
                out.extend_from_slice(&bytes.to_le_bytes());
            });
        }
        put::record(&mut out, op::FOOTER, |out| {
            for from in [summary_from, offsets_from] {
                out.extend_from_slice(&(self.bytes + from as u64).to_le_bytes());
            }
            out.extend_from_slice(&[0; 4]);
        });
        // The CRC covers the summary and the footer up to itself, its length included.
        let crc_at = out.len() - 4;
        let crc = crc32fast::hash(&out[summary_from..crc_at]);
        out[crc_at..].copy_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(mcap::MAGIC);
        out
    }

    #[expect(clippy::cast_possible_truncation, reason = "MCAP counts these in 32 bits or fewer")]
    fn statistics(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.messages.values().sum::<u64>().to_le_bytes());
        out.extend_from_slice(&(self.schemas.len() as u16).to_le_bytes());
        for count in
            [self.channels.len(), self.attachments.len(), self.metadata.len(), self.chunks.len()]
        {
            out.extend_from_slice(&(count as u32).to_le_bytes());
        }
        for time in self.times_ns.unwrap_or_default() {
            out.extend_from_slice(&time.to_le_bytes());
        }
        put::sized_u32(&mut out, |out| {
            for (channel, count) in &self.messages {
                out.extend_from_slice(&channel.to_le_bytes());
                out.extend_from_slice(&count.to_le_bytes());
            }
        });
        out
    }
}

impl ChunkRow {
    fn body(&self) -> Vec<u8> {
        let facts = &self.facts;
        let mut out = Vec::new();
        let numbers = [facts.times_ns[0], facts.times_ns[1], self.at, facts.chunk_bytes];
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        put::sized_u32(&mut out, |out| {
            for (channel, offset) in &facts.index_offsets {
                out.extend_from_slice(&channel.to_le_bytes());
                out.extend_from_slice(&(self.at + offset).to_le_bytes());
            }
        });
        out.extend_from_slice(&facts.index_bytes.to_le_bytes());
        put::text(&mut out, super::lz4::NAME);
        out.extend_from_slice(&facts.packed_bytes.to_le_bytes());
        out.extend_from_slice(&facts.plain_bytes.to_le_bytes());
        out
    }
}

/// Where in `closing` the record begins that holds byte `at`, for people.
pub(crate) fn record_at(closing: &[u8], at: usize) -> usize {
    let mut begin = 0;
    while let Some((_, end)) = super::chunk::next_record(&closing[begin..]) {
        if begin + end > at {
            break;
        }
        begin += end;
    }
    debug_assert!(begin <= closing.len() && FRAME_BYTES > 0);
    begin
}
