//! The broadcast ring: every record in order for any number of readers, until the writer laps them.
//!
//! The writer never waits and reads nothing: its count is private, it only stores. A reader keeps
//! its own place and only loads; it learns from the stamp of the slot it stands at whether its next
//! record is not yet there, whole, or gone. It makes one attempt per call and never loops.
//!
//! ```text
//! stamp of the slot where record n belongs        what the reader at n does
//!   n - depth is whole (0 in the first lap)       Empty
//!   n is being written                            Empty
//!   n is whole                                    copy, load again; same: Record; else Lapped
//!   n + k depth is being written, or whole        Lapped: skip to the oldest that is safe
//!   anything else                                 Corrupt, for ever: attach again
//! ```
//!
//! A lapped reader goes on at the oldest record that the writer will not reach for another quarter
//! of the depth (at the newest, if the depth is 2), having counted exactly those it skips: records
//! read and records lost always add up to those published. It believes the writer's count only
//! together with the stamp found where that count points, so that one damaged word never makes it
//! skip records that are still to come.
//!
//! Readers poll the stamp, not the writer's count: that line stays the writer's own. (Measured both
//! ways: with a reader spinning at the newest end, publishing costs about half.)
//!
//! Records carry no checksum here: whoever can write the ring owns it. Shown by: tests/ring.rs,
//! tests/loom.rs, tests/sweep.rs, tests/threads.rs.

use core::marker::PhantomData;

use crate::error::AttachError;
use crate::header::{
    Identity, Kind, LINE_WORDS, RING_MAGIC, SEQUENCE_MAX, complete, is_of_generation, sequence_of,
    writing,
};
use crate::record::{Record, load_words, record_words, store_words};
use crate::sync::{AtomicU64, Ordering, fence, load_acquire};

/// Word of the writer's count, on a line of its own.
const NEWEST_WORD: usize = LINE_WORDS;
/// First word of the first slot.
const SLOTS_WORD: usize = 2 * LINE_WORDS;
/// Slots begin on cache lines: filling one takes no line from the reader of its neighbour.
const SLOT_ALIGN_WORDS: usize = 8;

/// Words from one slot to the next: a stamp and a record, rounded up to whole cache lines.
const fn stride<T>() -> usize {
    record_words::<T>().saturating_add(1).next_multiple_of(SLOT_ALIGN_WORDS)
}

/// Number of 64-bit words that a ring of `depth` records takes.
///
/// ```
/// // Two lines of control words, and four cache lines: one word and a stamp in each.
/// assert_eq!(rt_ring::ring_words::<u64>(4), 32 + 4 * 8);
/// ```
#[must_use]
pub const fn ring_words<T>(depth: usize) -> usize {
    stride::<T>().saturating_mul(depth).saturating_add(SLOTS_WORD)
}

const fn kind<T>() -> Kind {
    Kind { magic: RING_MAGIC, record_words: record_words::<T>(), words_min: ring_words::<T>(2) }
}

/// A region whose length fits its depth: where the words of each record are.
#[derive(Clone, Copy, Debug)]
struct Region<'a> {
    mem: &'a [AtomicU64],
    newest: &'a AtomicU64,
    slots: &'a [AtomicU64],
    /// Depth less one; the depth is a power of two.
    mask: u64,
}

/// One slot of the ring.
struct Slot<'a> {
    stamp: &'a AtomicU64,
    record: &'a [AtomicU64],
}

impl<'a> Region<'a> {
    fn new<T>(mem: &'a [AtomicU64], depth: u64) -> Result<Self, AttachError> {
        let bad_depth = AttachError::Depth { found: depth };
        if depth < 2 || !depth.is_power_of_two() {
            return Err(bad_depth);
        }
        let expected_words = ring_words::<T>(usize::try_from(depth).unwrap_or(usize::MAX));
        let too_small = AttachError::TooSmall { expected_words, found_words: mem.len() };
        let mem = mem.get(..expected_words).ok_or(too_small)?;
        let newest = mem.get(NEWEST_WORD).ok_or(too_small)?;
        let slots = mem.get(SLOTS_WORD..).ok_or(too_small)?;
        Ok(Self { mem, newest, slots, mask: depth.wrapping_sub(1) })
    }

    const fn depth(&self) -> u64 {
        self.mask.wrapping_add(1)
    }

    /// The slot where record `sequence` belongs. `sequence` is the caller's own number and the mask
    /// keeps it inside the length that `new` checked, so there always is one; `None` is how that is
    /// spelt without a panic.
    #[inline]
    fn slot<T>(&self, sequence: u64) -> Option<Slot<'a>> {
        let index = usize::try_from(sequence.wrapping_sub(1) & self.mask).ok()?;
        let start = index.wrapping_mul(stride::<T>());
        let words =
            self.slots.get(start..start.wrapping_add(record_words::<T>()).wrapping_add(1))?;
        let (stamp, record) = words.split_first()?;
        Some(Slot { stamp, record })
    }

    /// The writer's count, if it is one a writer reaches and that record is, or was, where it says.
    fn newest<T>(&self) -> Result<u64, u64> {
        // ORDER: pairs with publish: the newest record's stamp, and all before it, are visible.
        let newest = load_acquire(self.newest);
        if newest == 0 {
            return Ok(0);
        }
        let stamped = self
            .slot::<T>(newest)
            .map_or(0, |slot| sequence_of(slot.stamp.load(Ordering::Relaxed)));
        let is_there = newest <= SEQUENCE_MAX
            && stamped >= newest
            && stamped.wrapping_sub(newest) & self.mask == 0;
        if is_there { Ok(newest) } else { Err(newest) }
    }
}

/// The one writer of a ring. Never waits, never fails, never reads shared memory.
///
/// ```
/// use rt_ring::{Identity, RingWriter, ring_words, sync::AtomicU64};
///
/// let mem = [const { AtomicU64::new(0) }; ring_words::<[u64; 2]>(8)];
/// let identity = Identity { layout_hash: 0x77aa, generation: 1 };
/// let mut telemetry = RingWriter::<[u64; 2]>::create(&mem, 8, identity)?;
/// telemetry.publish(&[1, 2]);
/// assert_eq!(telemetry.published(), 1);
/// # Ok::<(), rt_ring::AttachError>(())
/// ```
#[derive(Debug)]
pub struct RingWriter<'a, T> {
    region: Region<'a>,
    published: u64,
    record: PhantomData<T>,
}

impl<'a, T: Record> RingWriter<'a, T> {
    /// Initialises `mem` as an empty ring of `depth` records. What it held before is gone; readers
    /// of an earlier life find it corrupt. Nobody may be attaching: best is fresh memory.
    ///
    /// # Errors
    /// [`AttachError::Depth`] if `depth` is no power of two from 2 up, [`AttachError::TooSmall`] if
    /// `mem` has fewer words than [`ring_words`] says. Nothing was written then.
    pub fn create(
        mem: &'a [AtomicU64],
        depth: usize,
        identity: Identity,
    ) -> Result<Self, AttachError> {
        let region = Region::new::<T>(mem, depth as u64)?;
        kind::<T>().initialise(region.mem, depth, identity)?;
        Ok(Self { region, published: 0, record: PhantomData })
    }

    /// Publishes one record, over the oldest if the ring is full.
    #[inline]
    pub fn publish(&mut self, record: &T) {
        let sequence = self.published.wrapping_add(1);
        let Some(slot) = self.region.slot::<T>(sequence) else {
            return;
        };
        // ORDER: pairs with lapped: who sees this stamp sees the count of the record before it.
        slot.stamp.store(writing(sequence), Ordering::Release);
        // ORDER: pairs with the acquire fence in read: who copied one word of this record finds
        // this stamp, or a later one, when it looks again.
        fence(Ordering::Release);
        store_words(slot.record, record);
        // ORDER: pairs with the first load in read: who sees this stamp copies the whole record.
        slot.stamp.store(complete(sequence), Ordering::Release);
        // ORDER: pairs with Region::newest: who sees the count sees the stamp.
        self.region.newest.store(sequence, Ordering::Release);
        self.published = sequence;
    }

    /// How many records were published; also the sequence of the newest. 0 before the first.
    #[must_use]
    pub const fn published(&self) -> u64 {
        self.published
    }
}

/// What one look at a ring found.
///
/// ```
/// use rt_ring::Read;
///
/// let found = Read::Record { sequence: 1, record: 7_u64 };
/// assert_eq!(found, Read::Record { sequence: 1, record: 7 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// The next record, whole.
    Record {
        /// Its number; the first published is 1.
        sequence: u64,
        /// A private copy.
        record: T,
    },
    /// The next record has not been published yet.
    Empty,
    /// The writer came round: this many records are gone. The next call finds a later one.
    Lapped {
        /// Records skipped, exactly; at least 1.
        lost: u64,
    },
    /// Words that no writer of this life puts there. Stays so: attach again.
    Corrupt,
}

/// One of any number of readers of a ring. Only loads: the writer cannot know that it exists.
///
/// ```
/// use rt_ring::{Identity, Read, RingReader, RingWriter, ring_words, sync::AtomicU64};
///
/// let mem = [const { AtomicU64::new(0) }; ring_words::<u64>(4)];
/// let identity = Identity { layout_hash: 0x77aa, generation: 1 };
/// let mut writer = RingWriter::<u64>::create(&mem, 4, identity)?;
/// let mut reader = RingReader::<u64>::attach(&mem, 0x77aa)?;
///
/// assert_eq!(reader.read(), Read::Empty);
/// writer.publish(&10);
/// assert_eq!(reader.read(), Read::Record { sequence: 1, record: 10 });
///
/// for record in 11..=20 {
///     writer.publish(&record); // Ten records into four places.
/// }
/// assert_eq!(reader.read(), Read::Lapped { lost: 7 });
/// assert_eq!(reader.read(), Read::Record { sequence: 9, record: 18 });
/// # Ok::<(), rt_ring::AttachError>(())
/// ```
#[derive(Debug)]
pub struct RingReader<'a, T> {
    region: Region<'a>,
    generation: u64,
    /// Sequence of the record to be read next. Ours alone: the place in memory follows from it.
    next: u64,
    lost: u64,
    is_quarantined: bool,
    record: PhantomData<T>,
}

impl<'a, T: Record> RingReader<'a, T> {
    /// Attaches at the newest end: the first record read is the first one published from now on.
    ///
    /// ```
    /// use rt_ring::{Identity, Read, RingReader, RingWriter, ring_words, sync::AtomicU64};
    ///
    /// let mem = [const { AtomicU64::new(0) }; ring_words::<u64>(4)];
    /// let identity = Identity { layout_hash: 0x77aa, generation: 1 };
    /// let mut writer = RingWriter::<u64>::create(&mem, 4, identity)?;
    /// writer.publish(&10);
    /// let mut reader = RingReader::<u64>::attach(&mem, 0x77aa)?;
    /// assert_eq!(reader.read(), Read::Empty);
    /// # Ok::<(), rt_ring::AttachError>(())
    /// ```
    ///
    /// # Errors
    /// Each [`AttachError`]: the memory is not an initialised ring of these records.
    pub fn attach(mem: &'a [AtomicU64], layout_hash: u64) -> Result<Self, AttachError> {
        let mut reader = Self::attach_from_oldest(mem, layout_hash)?;
        let newest = reader.region.newest::<T>();
        reader.next = newest.map_err(|found| AttachError::Sequence { found })?.wrapping_add(1);
        Ok(reader)
    }

    /// Attaches at the oldest end: the first record read is the oldest still there. On a full ring
    /// the writer may be about to take it; then the first read says how many are lost.
    ///
    /// ```
    /// use rt_ring::{Identity, Read, RingReader, RingWriter, ring_words, sync::AtomicU64};
    ///
    /// let mem = [const { AtomicU64::new(0) }; ring_words::<u64>(4)];
    /// let identity = Identity { layout_hash: 0x77aa, generation: 1 };
    /// let mut writer = RingWriter::<u64>::create(&mem, 4, identity)?;
    /// writer.publish(&10);
    /// writer.publish(&11);
    /// let mut reader = RingReader::<u64>::attach_from_oldest(&mem, 0x77aa)?;
    /// assert_eq!(reader.read(), Read::Record { sequence: 1, record: 10 });
    /// # Ok::<(), rt_ring::AttachError>(())
    /// ```
    ///
    /// # Errors
    /// Each [`AttachError`]: the memory is not an initialised ring of these records.
    pub fn attach_from_oldest(mem: &'a [AtomicU64], layout_hash: u64) -> Result<Self, AttachError> {
        let header = kind::<T>().attach(mem, layout_hash)?;
        let region = Region::new::<T>(mem, header.depth)?;
        let newest = region.newest::<T>().map_err(|found| AttachError::Sequence { found })?;
        Ok(Self {
            region,
            generation: header.generation,
            next: newest.saturating_sub(region.depth()).wrapping_add(1),
            lost: 0,
            is_quarantined: false,
            record: PhantomData,
        })
    }

    /// Takes the next record, if it is there. One attempt, bounded by the size of a record.
    #[inline]
    pub fn read(&mut self) -> Read<T> {
        if self.is_quarantined {
            return Read::Corrupt;
        }
        let Some(slot) = self.region.slot::<T>(self.next) else {
            return self.quarantine();
        };
        // ORDER: pairs with the last stamp in publish.
        let stamp = load_acquire(slot.stamp);
        if stamp != complete(self.next) {
            return self.no_record(stamp);
        }
        let record = load_words(slot.record);
        // ORDER: pairs with the release fence in publish: if one word copied was of a later record,
        // the stamp of that one is seen now.
        fence(Ordering::Acquire);
        let stamp_after = slot.stamp.load(Ordering::Relaxed);
        if stamp_after != stamp {
            return self.no_record(stamp_after);
        }
        let sequence = self.next;
        self.next = sequence.wrapping_add(1);
        Read::Record { sequence, record }
    }

    /// Says why the stamp that stands where our next record belongs is not the awaited one.
    #[cold]
    #[inline(never)]
    fn no_record(&mut self, stamp: u64) -> Read<T> {
        // ORDER: pairs with the first stamp in publish: the count behind this stamp is seen next.
        fence(Ordering::Acquire);
        // We stand here because record next - 1 was whole: this slot holds exactly one lap before.
        let lap_before = complete(self.next.saturating_sub(self.region.depth()));
        if stamp == lap_before || stamp == writing(self.next) {
            let is_ours = is_of_generation(self.region.mem, self.generation);
            return if is_ours { Read::Empty } else { self.quarantine() };
        }
        self.lapped(sequence_of(stamp))
    }

    /// Skips to the oldest safe record, now that `overwriter` stands where `next` did.
    fn lapped(&mut self, overwriter: u64) -> Read<T> {
        let ahead = overwriter.wrapping_sub(self.next);
        let is_a_lap = overwriter > self.next && ahead & self.region.mask == 0;
        let Ok(newest) = self.region.newest::<T>() else {
            return self.quarantine();
        };
        if !is_a_lap || newest < overwriter.wrapping_sub(1) {
            return self.quarantine();
        }
        let depth = self.region.depth();
        let margin = (depth / 4).max(1);
        // newest - depth >= next - 1, by what was just checked: this only ever moves forward.
        let resume = newest.wrapping_sub(depth).wrapping_add(1).wrapping_add(margin);
        let lost = resume.wrapping_sub(self.next);
        self.next = resume;
        self.lost = self.lost.wrapping_add(lost);
        Read::Lapped { lost }
    }

    /// Dead for this generation: what the peer did once, it is not asked for again.
    #[cold]
    fn quarantine(&mut self) -> Read<T> {
        self.is_quarantined = true;
        Read::Corrupt
    }

    /// How many records are published and not yet read or counted as lost, by the writer's own
    /// count, unchecked: for display. More than the depth means that the next read is `Lapped`.
    #[must_use]
    pub fn lag(&self) -> u64 {
        let newest = self.region.newest.load(Ordering::Relaxed);
        newest.saturating_sub(self.next.wrapping_sub(1))
    }

    /// How many records this reader lost by being lapped, since it attached.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Sequence of the record to be read next.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The life of the creator that this reader attached to.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }
}
