//! Laying records down. It decides nothing but the byte order, which is MCAP's.

use super::op;

/// One record: opcode, length, and what `body` appends.
pub(crate) fn record(into: &mut Vec<u8>, opcode: u8, body: impl FnOnce(&mut Vec<u8>)) {
    into.push(opcode);
    let length_at = into.len();
    into.extend_from_slice(&[0; 8]);
    let body_at = into.len();
    body(into);
    let length = (into.len() - body_at) as u64;
    into[length_at..body_at].copy_from_slice(&length.to_le_bytes());
}

/// A text with its length before it.
pub(crate) fn text(into: &mut Vec<u8>, text: &str) {
    bytes_u32(into, text.as_bytes());
}

/// Bytes with their length before them, as 32 bits. Nothing that we write is longer.
#[expect(clippy::cast_possible_truncation, reason = "texts and schemas of ours are far shorter")]
pub(crate) fn bytes_u32(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    into.extend_from_slice(bytes);
}

/// Whatever `body` appends, with its length in bytes before it, as 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "maps of ours are far shorter")]
pub(crate) fn sized_u32(into: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let length_at = into.len();
    into.extend_from_slice(&[0; 4]);
    let body_at = into.len();
    body(into);
    let length = (into.len() - body_at) as u32;
    into[length_at..body_at].copy_from_slice(&length.to_le_bytes());
}

/// The first record of a file.
pub(crate) fn header(into: &mut Vec<u8>, profile: &str, library: &str) {
    record(into, op::HEADER, |into| {
        text(into, profile);
        text(into, library);
    });
}

/// Names and values.
pub(crate) fn metadata<'a>(
    into: &mut Vec<u8>,
    name: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    record(into, op::METADATA, |into| {
        text(into, name);
        sized_u32(into, |into| {
            for (key, value) in pairs {
                text(into, key);
                text(into, value);
            }
        });
    });
}

/// A file within the file, with its own CRC.
pub(crate) fn attachment(
    into: &mut Vec<u8>,
    times_ns: [u64; 2],
    name: &str,
    media_type: &str,
    data: &[u8],
) {
    record(into, op::ATTACHMENT, |into| {
        let body_at = into.len();
        times_ns.iter().for_each(|time| into.extend_from_slice(&time.to_le_bytes()));
        text(into, name);
        text(into, media_type);
        into.extend_from_slice(&(data.len() as u64).to_le_bytes());
        into.extend_from_slice(data);
        let crc = crc32fast::hash(&into[body_at..]);
        into.extend_from_slice(&crc.to_le_bytes());
    });
}

/// What the messages of a channel look like.
pub(crate) fn schema(into: &mut Vec<u8>, id: u16, name: &str, encoding: &str, data: &[u8]) {
    record(into, op::SCHEMA, |into| {
        into.extend_from_slice(&id.to_le_bytes());
        text(into, name);
        text(into, encoding);
        bytes_u32(into, data);
    });
}

/// A channel, whose schema has the same number.
pub(crate) fn channel(into: &mut Vec<u8>, id: u16, topic: &str, message_encoding: &str) {
    record(into, op::CHANNEL, |into| {
        into.extend_from_slice(&id.to_le_bytes());
        into.extend_from_slice(&id.to_le_bytes());
        text(into, topic);
        text(into, message_encoding);
        bytes_u32(into, &[]);
    });
}

/// One message; MCAP keeps the low 32 bits of its sequence.
#[expect(clippy::cast_possible_truncation, reason = "MCAP keeps the low 32 bits on purpose")]
pub(crate) fn message(into: &mut Vec<u8>, channel: u16, sequence: u64, at_ns: u64, data: &[u8]) {
    record(into, op::MESSAGE, |into| {
        into.extend_from_slice(&channel.to_le_bytes());
        into.extend_from_slice(&(sequence as u32).to_le_bytes());
        into.extend_from_slice(&at_ns.to_le_bytes());
        into.extend_from_slice(&at_ns.to_le_bytes());
        into.extend_from_slice(data);
    });
}
