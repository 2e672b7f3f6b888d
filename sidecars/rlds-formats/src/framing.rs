//! TFRecord framing: records one after the other, each with its length and two checksums.
//!
//! *What it decides.* Where a record begins and ends, and whether it can be believed. *What it must
//! never do.* Take memory because a length says so: a length counts only once its own checksum is
//! right and it is within the limit, and even then memory grows with what is really there.
//!
//! ```text
//! | length, u64 LE | masked CRC-32C of the length | data | masked CRC-32C of the data |
//! ```
//!
//! Shown by: tests/formats/framing.rs.

use std::io::{self, Read, Write};

/// Bytes before the data of a record.
pub const HEADER_BYTES: usize = 12;
/// Bytes after the data of a record.
pub const FOOTER_BYTES: usize = 4;
/// Between two writes to the output.
const BUFFER_BYTES: usize = 1 << 18;
/// Added to a rotated CRC, so that a CRC over data that holds CRCs stays a good one.
const MASK_DELTA: u32 = 0xa282_ead8;

/// Why records cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// The file cannot be read.
    #[error("record {record} at byte {at_byte}: {source}")]
    Io {
        /// Number of the record, from 0.
        record: u64,
        /// Where it begins.
        at_byte: u64,
        /// What the file system, or the decompressor, says.
        source: io::Error,
    },
    /// The file ends inside a record.
    #[error(
        "record {record} at byte {at_byte}: the file ends after {found} of its {expected} bytes"
    )]
    Truncated {
        /// Number of the record, from 0.
        record: u64,
        /// Where it begins.
        at_byte: u64,
        /// Bytes that are there, its frame included.
        found: u64,
        /// Bytes that it should have, its frame included.
        expected: u64,
    },
    /// A checksum is wrong.
    #[error(
        "record {record} at byte {at_byte}: CRC of its {of} {found:#010x}, expected {expected:#010x}"
    )]
    Crc {
        /// Number of the record, from 0.
        record: u64,
        /// Where it begins.
        at_byte: u64,
        /// `length` or `data`.
        of: &'static str,
        /// CRC of what is there.
        found: u32,
        /// CRC that stands in the file.
        expected: u32,
    },
    /// A record longer than the reader takes.
    #[error("record {record} at byte {at_byte}: {found} bytes, expected at most {limit}")]
    TooLong {
        /// Number of the record, from 0.
        record: u64,
        /// Where it begins.
        at_byte: u64,
        /// Its length.
        found: u64,
        /// The limit.
        limit: u64,
    },
}

/// A CRC as it stands in the file.
#[must_use]
pub fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK_DELTA)
}

/// A record's frame around `data_bytes` bytes.
#[must_use]
pub fn framed_bytes(data_bytes: u64) -> u64 {
    data_bytes.saturating_add((HEADER_BYTES + FOOTER_BYTES) as u64)
}

/// Writes records.
pub struct RecordWriter<W: Write> {
    output: W,
    buffer: Vec<u8>,
    bytes: u64,
    records: u64,
}

impl<W: Write> RecordWriter<W> {
    /// Records go to `output`, in large pieces.
    pub fn new(output: W) -> Self {
        Self { output, buffer: Vec::with_capacity(BUFFER_BYTES), bytes: 0, records: 0 }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// What the output says.
    pub fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.write_parts(&[data])
    }

    /// Writes one record whose data lies in several pieces.
    ///
    /// # Errors
    /// What the output says.
    pub fn write_parts(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let mut record = self.begin(parts.iter().map(|part| part.len() as u64).sum())?;
        for part in parts {
            record.write(part)?;
        }
        record.end()
    }

    /// Begins a record of `data_bytes` bytes that need not be in memory at once.
    ///
    /// # Errors
    /// What the output says.
    pub fn begin(&mut self, data_bytes: u64) -> io::Result<OpenRecord<'_, W>> {
        let length = data_bytes.to_le_bytes();
        self.put(&length)?;
        self.put(&masked(crc32c::crc32c(&length)).to_le_bytes())?;
        Ok(OpenRecord { writer: self, left: data_bytes, crc: 0 })
    }

    /// Records written so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Bytes written so far, frames included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Hands over what is still in the buffer, and the output.
    ///
    /// # Errors
    /// What the output says.
    pub fn finish(mut self) -> io::Result<W> {
        self.drain()?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len().saturating_add(bytes.len()) > BUFFER_BYTES {
            self.drain()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            self.output.write_all(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }

    fn drain(&mut self) -> io::Result<()> {
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// A record that is being written piece by piece.
#[must_use = "a record that is not ended leaves a torn file"]
pub struct OpenRecord<'a, W: Write> {
    writer: &'a mut RecordWriter<W>,
    left: u64,
    crc: u32,
}

impl<W: Write> OpenRecord<'_, W> {
    /// The next piece of its data.
    ///
    /// # Errors
    /// What the output says, or that the piece is longer than what was announced.
    pub fn write(&mut self, part: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(part.len() as u64).ok_or_else(|| {
            io::Error::other(format!(
                "a record: {} bytes more than announced",
                (part.len() as u64).saturating_sub(self.left)
            ))
        })?;
        self.crc = crc32c::crc32c_append(self.crc, part);
        self.writer.put(part)
    }

    /// Closes it with its checksum.
    ///
    /// # Errors
    /// What the output says, or that data is missing.
    pub fn end(self) -> io::Result<()> {
        if self.left > 0 {
            return Err(io::Error::other(format!(
                "a record: {} bytes less than announced",
                self.left
            )));
        }
        self.writer.put(&masked(self.crc).to_le_bytes())?;
        self.writer.records = self.writer.records.saturating_add(1);
        Ok(())
    }
}

/// Reads records.
pub struct RecordReader<R> {
    input: R,
    limit: u64,
    at_byte: u64,
    record: u64,
}

impl<R: Read> RecordReader<R> {
    /// Reads from `input`; a record with more than `limit` bytes is refused.
    pub fn new(input: R, limit: u64) -> Self {
        Self { input, limit, at_byte: 0, record: 0 }
    }

    /// Records read so far.
    pub fn records(&self) -> u64 {
        self.record
    }

    /// Reads the next record into `data`; false at the end.
    ///
    /// # Errors
    /// [`FramingError`], with the number of the record and the byte where it begins.
    pub fn read(&mut self, data: &mut Vec<u8>) -> Result<bool, FramingError> {
        data.clear();
        let found = self.fill(data, HEADER_BYTES as u64)?;
        if found == 0 {
            return Ok(false);
        }
        let (length, crc) = self.header(data)?;
        self.check("length", crc32c::crc32c(&length.to_le_bytes()), crc)?;
        if length > self.limit {
            return Err(FramingError::TooLong {
                record: self.record,
                at_byte: self.at_byte,
                found: length,
                limit: self.limit,
            });
        }
        data.clear();
        let wanted = length.saturating_add(FOOTER_BYTES as u64);
        let found = self.fill(data, wanted)?;
        if found < wanted {
            return Err(self.truncated(found.saturating_add(HEADER_BYTES as u64), length));
        }
        let data_bytes = data.len().saturating_sub(FOOTER_BYTES);
        let crc = data.split_off(data_bytes);
        let crc = crc.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        self.check("data", crc32c::crc32c(data), crc)?;
        self.at_byte = self.at_byte.saturating_add(framed_bytes(length));
        self.record = self.record.saturating_add(1);
        Ok(true)
    }

    fn header(&self, header: &[u8]) -> Result<(u64, u32), FramingError> {
        let split = header.split_first_chunk::<8>();
        let whole = split.and_then(|(length, rest)| Some((*length, *rest.first_chunk::<4>()?)));
        let (length, crc) = whole.ok_or_else(|| self.truncated(header.len() as u64, 0))?;
        Ok((u64::from_le_bytes(length), u32::from_le_bytes(crc)))
    }

    fn check(&self, of: &'static str, crc: u32, expected: u32) -> Result<(), FramingError> {
        let found = masked(crc);
        if found == expected {
            return Ok(());
        }
        let (record, at_byte) = (self.record, self.at_byte);
        Err(FramingError::Crc { record, at_byte, of, found, expected })
    }

    fn truncated(&self, found: u64, length: u64) -> FramingError {
        let (record, at_byte) = (self.record, self.at_byte);
        FramingError::Truncated { record, at_byte, found, expected: framed_bytes(length) }
    }

    /// Up to `wanted` bytes behind what `data` holds; fewer only at the end of the input.
    fn fill(&mut self, data: &mut Vec<u8>, wanted: u64) -> Result<u64, FramingError> {
        let (record, at_byte) = (self.record, self.at_byte);
        let read = self.input.by_ref().take(wanted).read_to_end(data);
        let read = read.map_err(|source| FramingError::Io { record, at_byte, source })?;
        Ok(read as u64)
    }
}
