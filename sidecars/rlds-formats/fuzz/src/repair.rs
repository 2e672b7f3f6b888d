//! Puts the checksums of an input right, so that what lies behind them is reached.
//!
//! Nothing else is changed, but for lengths that reach beyond the end of the file: a byte that was put
//! in would else cost all that follows it.

use std::io::Read;

const MAGIC: &[u8] = b"\x89MCAP0\r\n";
const ATTACHMENT: u8 = 0x09;
const CHUNK: u8 = 0x06;
/// Of a record: opcode and length.
const FRAME_BYTES: usize = 9;
/// What a chunk may unpack to; the reader refuses more.
const CHUNK_BYTES_MAX: u64 = 16 << 20;

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// A recording, its chunks and attachments.
pub fn recording(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    let mut at = MAGIC.len();
    while let (Some(opcode), Some(length)) = (bytes.get(at).copied(), u64_at(&bytes, at + 1)) {
        let body_at = at + FRAME_BYTES;
        let left = bytes.len().saturating_sub(body_at);
        let mut length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > left && opcode == CHUNK {
            length = left;
            put(&mut bytes, at + 1, &(length as u64).to_le_bytes());
        }
        let Some(body) = bytes.get_mut(body_at..body_at.saturating_add(length)) else { break };
        match opcode {
            CHUNK => drop(chunk(body)),
            ATTACHMENT if length >= 4 => {
                let crc = crc32fast::hash(&body[..length - 4]);
                put(body, length - 4, &crc.to_le_bytes());
            }
            _ => {}
        }
        at = body_at + length;
    }
    bytes
}

fn chunk(body: &mut [u8]) -> Option<()> {
    const PLAIN_BYTES_AT: usize = 16;
    const CRC_AT: usize = 24;
    const NAME_AT: usize = 28;
    let name_bytes = u32_at(body, NAME_AT)? as usize;
    let name = body.get(NAME_AT + 4..(NAME_AT + 4).checked_add(name_bytes)?)?.to_vec();
    let length_at = NAME_AT + 4 + name_bytes;
    let packed_at = length_at + 8;
    let packed_bytes = body.len().checked_sub(packed_at)?;
    put(body, length_at, &(packed_bytes as u64).to_le_bytes());
    let plain = if name == b"lz4" {
        self::lz4(body.get_mut(packed_at..)?);
        let mut plain = Vec::new();
        let decoder = lz4_flex::frame::FrameDecoder::new(body.get(packed_at..)?);
        decoder.take(CHUNK_BYTES_MAX).read_to_end(&mut plain).ok()?;
        plain
    } else {
        body.get(packed_at..)?.to_vec()
    };
    put(body, PLAIN_BYTES_AT, &(plain.len() as u64).to_le_bytes());
    put(body, CRC_AT, &crc32fast::hash(&plain).to_le_bytes());
    Some(())
}

/// An LZ4 frame: the checksums of its head and of its blocks.
pub fn lz4(frame: &mut [u8]) -> Option<()> {
    const FLAGS_AT: usize = 4;
    let flags = *frame.get(FLAGS_AT)?;
    let has_size = flags & 0x08 != 0;
    let has_block_checksums = flags & 0x10 != 0;
    let head_end = FLAGS_AT + 2 + if has_size { 8 } else { 0 };
    let checksum = xxh32(frame.get(FLAGS_AT..head_end)?);
    *frame.get_mut(head_end)? = (checksum >> 8) as u8;
    let mut at = head_end + 1;
    loop {
        let size = (u32_at(frame, at)? & 0x7fff_ffff) as usize;
        if size == 0 {
            return Some(());
        }
        let block = frame.get(at + 4..at.checked_add(4)?.checked_add(size)?)?;
        let checksum = xxh32(block);
        at += 4 + size;
        if has_block_checksums {
            put(frame, at, &checksum.to_le_bytes());
            at += 4;
        }
    }
}

/// xxHash of 32 bits with seed 0, as LZ4 frames use it.
fn xxh32(data: &[u8]) -> u32 {
    const PRIMES: [u32; 5] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d, 0x27d4_eb2f, 0x1656_67b1];
    let [p1, p2, p3, p4, p5] = PRIMES;
    let word = |bytes: &[u8]| u32_at(bytes, 0).unwrap_or_default();
    let mut stripes = data.chunks_exact(16);
    let mut hash = if data.len() >= 16 {
        let mut lanes = [p1.wrapping_add(p2), p2, 0, 0_u32.wrapping_sub(p1)];
        for stripe in &mut stripes {
            for (lane, part) in lanes.iter_mut().zip(stripe.chunks_exact(4)) {
                let mixed = lane.wrapping_add(word(part).wrapping_mul(p2));
                *lane = mixed.rotate_left(13).wrapping_mul(p1);
            }
        }
        let [a, b, c, d] = lanes;
        a.rotate_left(1)
            .wrapping_add(b.rotate_left(7))
            .wrapping_add(c.rotate_left(12))
            .wrapping_add(d.rotate_left(18))
    } else {
        p5
    };
    hash = hash.wrapping_add(data.len() as u32);
    let mut words = stripes.remainder().chunks_exact(4);
    for part in &mut words {
        hash = hash.wrapping_add(word(part).wrapping_mul(p3)).rotate_left(17).wrapping_mul(p4);
    }
    for byte in words.remainder() {
        hash = hash.wrapping_add(u32::from(*byte).wrapping_mul(p5));
        hash = hash.rotate_left(11).wrapping_mul(p1);
    }
    hash = (hash ^ hash >> 15).wrapping_mul(p2);
    hash = (hash ^ hash >> 13).wrapping_mul(p3);
    hash ^ hash >> 16
}

/// TFRecord frames: both checksums of each, and a length that reaches beyond the end.
pub fn tfrecord(data: &[u8]) -> Vec<u8> {
    let masked = |bytes: &[u8]| rlds_formats::framing::masked(crc32c::crc32c(bytes)).to_le_bytes();
    let mut bytes = data.to_vec();
    let mut at = 0;
    while let Some(length) = u64_at(&bytes, at) {
        let left = bytes.len().saturating_sub(at + 16);
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(left);
        put(&mut bytes, at, &(length as u64).to_le_bytes());
        let crc = masked(&(length as u64).to_le_bytes());
        put(&mut bytes, at + 8, &crc);
        let Some(data) = bytes.get(at + 12..at + 12 + length) else { break };
        let crc = masked(data);
        put(&mut bytes, at + 12 + length, &crc);
        at += 16 + length;
    }
    bytes
}
