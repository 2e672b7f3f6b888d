//! What stands at the start of every region, and where everything else stands.
//!
//! ```text
//! word   0          1            2             3      4           16
//! ring | magic    | layout hash | record words | depth | generation | newest | slots from word 32
//! slot | magic    | layout hash | record words | 1     | generation | stamp, checksum, record
//! ```
//!
//! The first line is written once, by the creator. Words that a writer keeps changing stand 128
//! bytes from it and from each other (two cache lines: processors fetch them in pairs), so that
//! polling one never takes another from its owner. Regions start on such a line when they are
//! mapped; nothing but speed depends on it.
//!
//! Nothing here is believed twice: readers copy what they checked and never look again, but for the
//! generation, which tells a region that was made anew. Shown by: tests/attach.rs, tests/sweep.rs.

use crate::error::AttachError;
use crate::sync::{AtomicU64, Ordering, load_acquire};

/// Whom a region belongs to. Written by its creator, checked by all who attach.
///
/// ```
/// let identity = rt_ring::Identity { layout_hash: 0x77aa, generation: 1 };
/// assert_eq!(identity.layout_hash, 0x77aa);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Hash of the record's layout: names, offsets and sizes. Both sides bring their own.
    pub layout_hash: u64,
    /// Differs from one life of the creator to the next.
    pub generation: u64,
}

/// First word of a ring: `rt-ring1` in the order of memory.
pub(crate) const RING_MAGIC: u64 = u64::from_le_bytes(*b"rt-ring1");
/// First word of a slot: `rt-slot1` in the order of memory.
pub(crate) const SLOT_MAGIC: u64 = u64::from_le_bytes(*b"rt-slot1");

/// Words of a pair of cache lines, 128 bytes.
pub(crate) const LINE_WORDS: usize = 16;

/// Higher than any writer ever counts (at 1 GHz, in 146 years), and low enough that a stamp, twice
/// the sequence, fits a word with room to add a depth.
pub(crate) const SEQUENCE_MAX: u64 = 1 << 62;

/// A stamp is a number, odd while a record is being written, times this odd number. So parity stays,
/// and a stamp with a damaged bit is no stamp of a record that may be near: the difference of two
/// stamps is a power of two only if their sequences are more than 2⁵⁰ apart.
const STAMP_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// Undoes the factor.
const STAMP_INVERSE: u64 = inverse(STAMP_FACTOR);

const _: () = assert!(STAMP_FACTOR.wrapping_mul(STAMP_INVERSE) == 1);

/// The number that an odd one multiplies to 1 (Newton's iteration doubles the right bits, from 3).
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut right_bits = 3_u32;
    while right_bits < u64::BITS {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        right_bits = right_bits.wrapping_mul(2);
    }
    inverse
}

/// The stamp that says "record `sequence` is being written".
#[inline]
pub(crate) const fn writing(sequence: u64) -> u64 {
    complete(sequence).wrapping_sub(STAMP_FACTOR)
}

/// The stamp that says "record `sequence` is whole".
#[inline]
pub(crate) const fn complete(sequence: u64) -> u64 {
    sequence.wrapping_mul(2).wrapping_mul(STAMP_FACTOR)
}

/// Whether a stamp says that its record is still being written.
#[inline]
pub(crate) const fn is_writing(stamp: u64) -> bool {
    stamp & 1 == 1
}

/// The sequence that a stamp speaks of, whole or not; 0 for "never written".
#[inline]
pub(crate) const fn sequence_of(stamp: u64) -> u64 {
    let number = stamp.wrapping_mul(STAMP_INVERSE);
    (number >> 1).wrapping_add(number & 1)
}

/// The words of the first line that mean something.
struct Words<'a> {
    magic: &'a AtomicU64,
    layout_hash: &'a AtomicU64,
    record_words: &'a AtomicU64,
    depth: &'a AtomicU64,
    generation: &'a AtomicU64,
}

impl<'a> Words<'a> {
    fn of(mem: &'a [AtomicU64]) -> Option<Self> {
        let [magic, layout_hash, record_words, depth, generation, ..] = mem else {
            return None;
        };
        Some(Self { magic, layout_hash, record_words, depth, generation })
    }
}

/// What kind of region is meant, and what its records must be.
pub(crate) struct Kind {
    pub(crate) magic: u64,
    pub(crate) record_words: usize,
    /// Words of the smallest region of this kind.
    pub(crate) words_min: usize,
}

/// A header that was checked: private copies.
pub(crate) struct Header {
    pub(crate) depth: u64,
    pub(crate) generation: u64,
}

impl Kind {
    const fn too_small(&self, mem: &[AtomicU64]) -> AttachError {
        AttachError::TooSmall { expected_words: self.words_min, found_words: mem.len() }
    }

    /// Zeroes the whole region and writes its header. The magic goes in last: until then nobody
    /// attaches. (Memory of an earlier life has one already: whoever attaches just then may take
    /// words of both. So each life of a segment gets fresh memory.)
    pub(crate) fn initialise(
        &self,
        mem: &[AtomicU64],
        depth: usize,
        identity: Identity,
    ) -> Result<(), AttachError> {
        let Some(header) = Words::of(mem) else {
            return Err(self.too_small(mem));
        };
        for word in mem {
            word.store(0, Ordering::Relaxed);
        }
        header.layout_hash.store(identity.layout_hash, Ordering::Relaxed);
        header.record_words.store(self.record_words as u64, Ordering::Relaxed);
        header.depth.store(depth as u64, Ordering::Relaxed);
        header.generation.store(identity.generation, Ordering::Relaxed);
        // ORDER: pairs with attach: who sees the magic sees the header and the zeroed stamps.
        header.magic.store(self.magic, Ordering::Release);
        Ok(())
    }

    /// Checks the header against what this side expects. The depth is not judged here.
    pub(crate) fn attach(
        &self,
        mem: &[AtomicU64],
        layout_hash: u64,
    ) -> Result<Header, AttachError> {
        let Some(header) = Words::of(mem) else {
            return Err(self.too_small(mem));
        };
        // ORDER: pairs with initialise.
        match load_acquire(header.magic) {
            0 => return Err(AttachError::Uninitialised),
            found if found != self.magic => return Err(AttachError::Magic { found }),
            _ => {}
        }
        let found = header.layout_hash.load(Ordering::Relaxed);
        if found != layout_hash {
            return Err(AttachError::Layout { expected: layout_hash, found });
        }
        let (expected, found) =
            (self.record_words as u64, header.record_words.load(Ordering::Relaxed));
        if found != expected {
            return Err(AttachError::RecordWords { expected, found });
        }
        Ok(Header {
            depth: header.depth.load(Ordering::Relaxed),
            generation: header.generation.load(Ordering::Relaxed),
        })
    }
}

/// Whether the region still belongs to the life of its creator that we attached to.
#[inline]
pub(crate) fn is_of_generation(mem: &[AtomicU64], generation: u64) -> bool {
    Words::of(mem).is_some_and(|header| header.generation.load(Ordering::Relaxed) == generation)
}

#[cfg(test)]
mod tests {
    use super::{SEQUENCE_MAX, complete, sequence_of, writing};

    #[test]
    fn stamps_give_their_sequence_back() {
        assert_eq!(complete(0), 0);
        for sequence in (1..100).chain([1 << 40, SEQUENCE_MAX]) {
            assert_eq!(sequence_of(writing(sequence)), sequence);
            assert_eq!(sequence_of(complete(sequence)), sequence);
        }
    }

    #[test]
    fn stamp_with_a_flipped_bit_is_of_no_record_near() {
        for sequence in [1, 2, 1_000, 1 << 40] {
            for bit in 0..64 {
                for stamp in [writing(sequence), complete(sequence)] {
                    let other = sequence_of(stamp ^ (1 << bit));
                    assert!(other.abs_diff(sequence) > 1 << 50, "{sequence}, bit {bit}: {other}");
                }
            }
        }
    }
}
