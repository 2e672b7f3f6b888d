//! The container: MCAP records as bytes, both ways.
//!
//! *What it decides.* How records are laid down, what is checked before a byte of them is believed,
//! and what the summary at the end of a file says. *What it must never do.* Know what a message
//! means, touch a file, or allocate what a broken length asks for.
//!
//! It is ours rather than a library's because recovery copies whole chunks as they are and computes
//! the very summary that the recorder would have written, so that a damaged one shows byte for byte.
//! Tests read the result with the `mcap` crate, CI with the `mcap` package of Python.
//!
//! Shown by: tests/recording.rs, tests/fsck.rs, and the tests beside each file.

pub(crate) mod chunk;
pub(crate) mod index;
pub(crate) mod lz4;
pub(crate) mod put;
pub(crate) mod take;

pub(crate) use mcap::records::op;

/// Opcode and length before each record.
pub(crate) const FRAME_BYTES: usize = 9;
/// Records of a chunk at most, uncompressed: 1 MiB and one record, whatever a file declares.
pub(crate) const CHUNK_RECORDS_BYTES_MAX: u64 = 16 << 20;
/// A record longer than this is not one of ours.
pub(crate) const RECORD_BYTES_MAX: u64 = 64 << 20;
