//! What may travel: plain words, copied one by one through relaxed atomics.
//!
//! A record in shared memory is never looked at through a reference: another process may be writing
//! it, so it is copied to private memory first and judged there. Copies here may be torn; `ring` and
//! `slot` decide whether to believe them. Shown by: tests/ring.rs, tests/slot.rs, tests/loom.rs.

use core::mem::size_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::sync::{AtomicU64, Ordering};

/// A type of fixed size without padding or pointers, for which every bit pattern is a value.
///
/// Implemented for every type that has the four `zerocopy` traits and is `Copy`. Its size must be a
/// multiple of 8 bytes and not 0; anything else does not compile once a ring or slot is made of it.
///
/// ```
/// use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
///
/// #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[repr(C)]
/// struct WheelSpeed {
///     mono_ns: u64,
///     speed_m_per_s: f64,
/// }
///
/// fn travels<T: rt_ring::Record>() {}
/// travels::<WheelSpeed>();
/// ```
///
/// ```compile_fail
/// // Twelve bytes: not a whole number of words.
/// const WORDS: usize = rt_ring::slot_words::<[u32; 3]>();
/// ```
pub trait Record: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {}

impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + Copy> Record for T {}

/// Bytes of one word.
const WORD_BYTES: usize = size_of::<u64>();

/// Number of words that one record takes.
pub(crate) const fn record_words<T>() -> usize {
    const {
        assert!(size_of::<T>() > 0, "a record carries at least one word");
        assert!(size_of::<T>().is_multiple_of(WORD_BYTES), "a record is a whole number of words");
    }
    size_of::<T>() / WORD_BYTES
}

/// The words of a private record, in memory order.
#[inline]
pub(crate) fn words_of<T: Record>(record: &T) -> &[[u8; WORD_BYTES]] {
    record.as_bytes().as_chunks().0
}

/// Copies a private record out to shared words. Orders nothing: the caller puts it between stamps.
#[inline]
pub(crate) fn store_words<T: Record>(shared: &[AtomicU64], record: &T) {
    for (word, bytes) in shared.iter().zip(words_of(record)) {
        word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
    }
}

/// Copies shared words into a private record, each word exactly once. May be torn: judge the copy.
#[inline]
pub(crate) fn load_words<T: Record>(shared: &[AtomicU64]) -> T {
    let mut record = T::new_zeroed();
    for (bytes, word) in record.as_mut_bytes().as_chunks_mut().0.iter_mut().zip(shared) {
        *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
    }
    record
}
