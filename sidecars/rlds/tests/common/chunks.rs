//! The chunks of a recording: where they are, and one of them changed with its CRC right again.

use std::io::{Read, Write};

/// Puts `to` in place of `from` in the first chunk, and the chunk's CRC right.
pub(crate) fn with_first_chunk_changed(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    with_chunk_changed(bytes, 0, |plain| {
        let place = plain.windows(from.len()).position(|window| window == from).unwrap();
        plain[place..place + to.len()].copy_from_slice(to);
    })
}

/// Where a chunk's CRC, the length of its packed records, and these themselves begin.
const CRC_AT: usize = 9 + 24;
const PACKED_BYTES_AT: usize = CRC_AT + 4 + 4 + 3;
const PACKED_AT: usize = PACKED_BYTES_AT + 8;

/// Changes the records of a chunk, packs them again and puts its CRC right.
pub(crate) fn with_chunk_changed(
    bytes: &[u8],
    chunk: usize,
    change: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let chunk = chunks(bytes)[chunk].clone();
    let mut plain = Vec::new();
    let packed = &bytes[chunk.start + PACKED_AT..chunk.end];
    lz4_flex::frame::FrameDecoder::new(packed).read_to_end(&mut plain).unwrap();
    change(&mut plain);
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(&plain).unwrap();
    let packed = encoder.finish().unwrap();
    let mut changed = bytes[chunk.start..chunk.start + PACKED_AT].to_vec();
    changed[CRC_AT..CRC_AT + 4].copy_from_slice(&crc32fast::hash(&plain).to_le_bytes());
    changed[PACKED_BYTES_AT..PACKED_AT].copy_from_slice(&(packed.len() as u64).to_le_bytes());
    changed.extend_from_slice(&packed);
    let length = changed.len() as u64 - 9;
    changed[1..9].copy_from_slice(&length.to_le_bytes());
    [&bytes[..chunk.start], &changed, &bytes[chunk.end..]].concat()
}

pub(crate) fn length_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at + 1..at + 9].try_into().unwrap())
}

/// Where each chunk begins and ends.
pub(crate) fn chunks(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut chunks = Vec::new();
    let mut at = mcap::MAGIC.len();
    while at + 9 <= bytes.len() - mcap::MAGIC.len() {
        let end = at + 9 + usize::try_from(length_at(bytes, at)).unwrap();
        if bytes[at] == mcap::records::op::CHUNK {
            chunks.push(at..end);
        }
        at = end;
    }
    chunks
}
