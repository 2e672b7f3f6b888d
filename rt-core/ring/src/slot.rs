//! The newest-value slot: one record, overwritten in place, that a distrustful reader may poll.
//!
//! The stamp works as in the ring: odd while a record is being written, twice its sequence once it
//! is whole. On top of that a checksum binds the record to its sequence and to the generation, so
//! that a reader accepts nothing but a value that was written whole, in this life, under this
//! number, even if the writer died halfway or memory is damaged.
//!
//! The fast loop is one of the readers. It copies once, judges the copy and never tries again within
//! a call: torn means "no news". Its own last sequence is private and only moves forward. A hostile
//! writer can put any valid record there (judging its content is not this crate's work) and can
//! silence its own slot, and nothing else. Shown by: tests/slot.rs, tests/loom.rs, tests/sweep.rs,
//! tests/threads.rs.

use core::marker::PhantomData;

use crate::checksum::checksum;
use crate::error::AttachError;
use crate::header::{
    Identity, Kind, LINE_WORDS, SEQUENCE_MAX, SLOT_MAGIC, complete, is_writing, sequence_of,
    writing,
};
use crate::record::{Record, load_words, record_words, store_words, words_of};
use crate::sync::{AtomicU64, Ordering, fence, load_acquire};

/// Number of 64-bit words that a slot takes: whole pairs of cache lines, so that slots laid one
/// after the other do not disturb each other.
///
/// ```
/// // The header's line, and another for stamp, checksum and record.
/// assert_eq!(rt_ring::slot_words::<[u64; 14]>(), 32);
/// assert_eq!(rt_ring::slot_words::<[u64; 15]>(), 48);
/// ```
#[must_use]
pub const fn slot_words<T>() -> usize {
    record_words::<T>().saturating_add(LINE_WORDS + 2).next_multiple_of(LINE_WORDS)
}

const fn kind<T>() -> Kind {
    Kind { magic: SLOT_MAGIC, record_words: record_words::<T>(), words_min: slot_words::<T>() }
}

/// The words of a slot whose length was checked.
#[derive(Clone, Copy, Debug)]
struct Region<'a> {
    mem: &'a [AtomicU64],
    stamp: &'a AtomicU64,
    checksum: &'a AtomicU64,
    record: &'a [AtomicU64],
}

impl<'a> Region<'a> {
    fn new<T>(mem: &'a [AtomicU64]) -> Result<Self, AttachError> {
        let too_small =
            AttachError::TooSmall { expected_words: slot_words::<T>(), found_words: mem.len() };
        let mem = mem.get(..slot_words::<T>()).ok_or(too_small)?;
        let Some([stamp, checksum, rest @ ..]) = mem.get(LINE_WORDS..) else {
            return Err(too_small);
        };
        let record = rest.get(..record_words::<T>()).ok_or(too_small)?;
        Ok(Self { mem, stamp, checksum, record })
    }

    fn attach<T>(mem: &'a [AtomicU64], layout_hash: u64) -> Result<(Self, u64), AttachError> {
        let header = kind::<T>().attach(mem, layout_hash)?;
        Ok((Self::new::<T>(mem)?, header.generation))
    }

    /// The record's words. `new` found them all there; said again, so that the compiler knows the
    /// number when it copies (3 ns for 256 bytes).
    #[inline]
    fn record<T>(&self) -> Option<&'a [AtomicU64]> {
        self.record.get(..record_words::<T>())
    }

    /// Copies the record whose stamp was just loaded; `None` if it was not whole, or did not stay.
    #[inline]
    fn copy<T: Record>(&self, stamp: u64) -> Option<(T, u64)> {
        if is_writing(stamp) {
            return None;
        }
        let record = load_words(self.record::<T>()?);
        let checksum = self.checksum.load(Ordering::Relaxed);
        // ORDER: pairs with the release fence in write: if one word copied was of a later record,
        // the stamp of that one is seen now.
        fence(Ordering::Acquire);
        (self.stamp.load(Ordering::Relaxed) == stamp).then_some((record, checksum))
    }
}

/// The one writer of a slot. Never waits.
///
/// ```
/// use rt_ring::{Identity, SlotWriter, slot_words, sync::AtomicU64};
///
/// let mem = [const { AtomicU64::new(0) }; slot_words::<[u64; 2]>()];
/// let identity = Identity { layout_hash: 0x51c2, generation: 1 };
/// let mut command = SlotWriter::<[u64; 2]>::create(&mem, identity)?;
/// command.write(&[1, 2]);
/// assert_eq!(command.sequence(), 1);
/// # Ok::<(), rt_ring::AttachError>(())
/// ```
#[derive(Debug)]
pub struct SlotWriter<'a, T> {
    region: Region<'a>,
    generation: u64,
    sequence: u64,
    record: PhantomData<T>,
}

impl<'a, T: Record> SlotWriter<'a, T> {
    /// Initialises `mem` as a slot that was never written. What it held before is gone. Nobody
    /// may be attaching: best is fresh memory.
    ///
    /// # Errors
    /// [`AttachError::TooSmall`] if `mem` has fewer words than [`slot_words`] says. Nothing was
    /// written then.
    pub fn create(mem: &'a [AtomicU64], identity: Identity) -> Result<Self, AttachError> {
        let region = Region::new::<T>(mem)?;
        kind::<T>().initialise(region.mem, 1, identity)?;
        Ok(Self { region, generation: identity.generation, sequence: 0, record: PhantomData })
    }

    /// Becomes the writer of a slot that its creator initialised, and goes on after the sequence
    /// found there. The writer before must be gone: two at a time tear each other's records, which
    /// readers then refuse.
    ///
    /// ```
    /// use rt_ring::{Identity, Newest, SlotReader, SlotWriter, slot_words, sync::AtomicU64};
    ///
    /// let mem = [const { AtomicU64::new(0) }; slot_words::<u64>()];
    /// SlotWriter::<u64>::create(&mem, Identity { layout_hash: 0x51c2, generation: 1 })?;
    /// let mut reader = SlotReader::<u64>::attach(&mem, 0x51c2)?;
    ///
    /// let mut peer = SlotWriter::<u64>::attach(&mem, 0x51c2)?;
    /// peer.write(&7);
    /// assert_eq!(reader.read(), Newest::New { sequence: 1, record: 7 });
    /// # Ok::<(), rt_ring::AttachError>(())
    /// ```
    ///
    /// # Errors
    /// Each [`AttachError`] but `Depth`: the memory is not an initialised slot of these records.
    pub fn attach(mem: &'a [AtomicU64], layout_hash: u64) -> Result<Self, AttachError> {
        let (region, generation) = Region::attach::<T>(mem, layout_hash)?;
        // A writer that died halfway left an odd stamp: its number is used up.
        let sequence = sequence_of(region.stamp.load(Ordering::Relaxed));
        if sequence > SEQUENCE_MAX {
            return Err(AttachError::Sequence { found: sequence });
        }
        Ok(Self { region, generation, sequence, record: PhantomData })
    }

    /// Replaces the record.
    #[inline]
    pub fn write(&mut self, record: &T) {
        let sequence = self.sequence.wrapping_add(1);
        let checksum = checksum(words_of(record), sequence, self.generation);
        let Some(shared) = self.region.record::<T>() else {
            return;
        };
        self.region.stamp.store(writing(sequence), Ordering::Relaxed);
        // ORDER: pairs with the acquire fence in Region::copy: who copied one word of this record
        // finds this stamp, or a later one, when it looks again.
        fence(Ordering::Release);
        store_words(shared, record);
        self.region.checksum.store(checksum, Ordering::Relaxed);
        // ORDER: pairs with the first load in read and peek: who sees this stamp copies the whole
        // record.
        self.region.stamp.store(complete(sequence), Ordering::Release);
        self.sequence = sequence;
    }

    /// Number of the last write, those of earlier writers included; 0 before the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// What one look at a slot found.
///
/// ```
/// use rt_ring::Newest;
///
/// let found = Newest::New { sequence: 1, record: 7_u64 };
/// assert_ne!(found, Newest::Unchanged);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newest<T> {
    /// A record later than the last one, whole.
    New {
        /// Number of the write; the first is 1. A gap is fine: a slot keeps only the newest.
        sequence: u64,
        /// A private copy.
        record: T,
    },
    /// The last record still stands.
    Unchanged,
    /// A record is being written: no news. If it stays so, the writer died halfway.
    Torn,
    /// Not what a writer of this life puts there, or an earlier sequence than the last. For the
    /// caller to count. The last sequence stays; the next valid write heals it.
    Corrupt,
    /// Nothing was ever written.
    Never,
}

/// One of any number of readers of a slot. Only loads.
///
/// ```
/// use rt_ring::{Identity, Newest, SlotReader, SlotWriter, slot_words, sync::AtomicU64};
///
/// let mem = [const { AtomicU64::new(0) }; slot_words::<u64>()];
/// let identity = Identity { layout_hash: 0x51c2, generation: 1 };
/// let mut writer = SlotWriter::<u64>::create(&mem, identity)?;
/// let mut reader = SlotReader::<u64>::attach(&mem, 0x51c2)?;
///
/// assert_eq!(reader.read(), Newest::Never);
/// writer.write(&10);
/// writer.write(&11);
/// assert_eq!(reader.read(), Newest::New { sequence: 2, record: 11 });
/// assert_eq!(reader.read(), Newest::Unchanged);
/// assert_eq!(reader.peek(), Some(11));
/// # Ok::<(), rt_ring::AttachError>(())
/// ```
#[derive(Debug)]
pub struct SlotReader<'a, T> {
    region: Region<'a>,
    generation: u64,
    /// Sequence of the last record accepted; 0 before the first.
    last: u64,
    record: PhantomData<T>,
}

impl<'a, T: Record> SlotReader<'a, T> {
    /// Attaches; a record that already stands there is news to the first [`read`](Self::read).
    ///
    /// # Errors
    /// Each [`AttachError`] but `Depth` and `Sequence`: the memory is not an initialised slot of
    /// these records.
    pub fn attach(mem: &'a [AtomicU64], layout_hash: u64) -> Result<Self, AttachError> {
        let (region, generation) = Region::attach::<T>(mem, layout_hash)?;
        Ok(Self { region, generation, last: 0, record: PhantomData })
    }

    /// Takes the record if it is later than the last one taken. One attempt, bounded by the size of
    /// a record.
    #[inline]
    pub fn read(&mut self) -> Newest<T> {
        // ORDER: pairs with the last stamp in write.
        let stamp = load_acquire(self.region.stamp);
        let sequence = sequence_of(stamp);
        if stamp == complete(self.last) {
            return if stamp == 0 { Newest::Never } else { Newest::Unchanged };
        }
        if sequence <= self.last || sequence > SEQUENCE_MAX {
            return Newest::Corrupt;
        }
        let Some((record, sum)) = self.region.copy::<T>(stamp) else {
            return Newest::Torn;
        };
        if sum != checksum(words_of(&record), sequence, self.generation) {
            return Newest::Corrupt;
        }
        self.last = sequence;
        Newest::New { sequence, record }
    }

    /// The record that stands there now, new or not; `None` if there is none, it is being written,
    /// or it would not be accepted. Changes nothing: for those who look on.
    #[must_use]
    pub fn peek(&self) -> Option<T> {
        // ORDER: pairs with the last stamp in write.
        let stamp = load_acquire(self.region.stamp);
        let sequence = sequence_of(stamp);
        if sequence == 0 || sequence < self.last || sequence > SEQUENCE_MAX {
            return None;
        }
        let (record, sum) = self.region.copy::<T>(stamp)?;
        (sum == checksum(words_of(&record), sequence, self.generation)).then_some(record)
    }

    /// Number of the last record taken; 0 before the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.last
    }

    /// The life of the creator that this reader attached to.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }
}
