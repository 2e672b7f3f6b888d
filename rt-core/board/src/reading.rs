//! Slots inside the process: how a bus task and the board exchange newest values without waiting.
//!
//! ```text
//! bus task ── tell, fail ──▶ slot ── at(now) ──▶ Board::read        (a reading that ages)
//! Board::drive ──── write ──▶ slot ── read ──▶ bus task             (anything else)
//! ```
//!
//! It decides when a reading has become too old to be called valid: a bus task that hangs, or a bus
//! thread that died, leaves its last reading behind, and that must never look fresh. It never reads a
//! clock and never waits. Shown by: `tests/reading.rs`, `fast-loop/tests/bus/`.

use rt_ring::sync::AtomicU64;
use rt_ring::{Identity, Newest, SlotReader, SlotWriter, slot_words};
use rt_wire::{
    Battery, Imu, Lines, MonoNs, Pose, Power, Raw, Record, Temperature, Validity, WheelSpeed,
};

/// A newest-value slot between two threads of this process. Its memory stays until the process ends:
/// make slots when the board opens, never later.
///
/// ```
/// use rt_ring::Newest;
/// use rt_wire::PulseFrame;
///
/// let (mut board, mut task) = rt_board::process_slot::<PulseFrame>();
/// board.write(&PulseFrame::default());
/// assert!(matches!(task.read(), Newest::New { sequence: 1, .. }));
/// ```
#[must_use]
pub fn process_slot<T: Record>() -> (SlotWriter<'static, T>, SlotReader<'static, T>) {
    let words: Vec<AtomicU64> = (0..slot_words::<T>()).map(|_| AtomicU64::new(0)).collect();
    // Both threads use it until the process ends.
    let words: &'static [AtomicU64] = words.leak();
    let identity = Identity { layout_hash: T::LAYOUT_HASH, generation: 1 };
    let writer = SlotWriter::create(words, identity).expect("slot_words gives enough memory");
    let reader = SlotReader::attach(words, T::LAYOUT_HASH).expect("it was just created");
    (writer, reader)
}

/// A sensor's record: it carries the time at which it was taken, and whether it may be used.
pub trait Reading: Record {
    /// When it was taken.
    fn mono_ns(&self) -> MonoNs;
    /// Whether it may be used.
    fn validity(&self) -> Raw<Validity>;
    /// The same reading with another validity.
    #[must_use]
    fn with_validity(self, validity: Validity) -> Self;
}

macro_rules! readings {
    ($($record:ty),*) => {$(
        impl Reading for $record {
            fn mono_ns(&self) -> MonoNs {
                self.mono_ns
            }
            fn validity(&self) -> Raw<Validity> {
                self.validity
            }
            fn with_validity(self, validity: Validity) -> Self {
                Self { validity: Raw::new(validity), ..self }
            }
        }
    )*};
}

readings!(Battery, Imu, Lines, Pose, Power, Temperature, WheelSpeed);

/// The way of one sensor's readings from its bus task to the board. A reading counts for
/// `stale_after_ns` from the time that it carries; three periods of the task are a good choice.
#[must_use]
pub fn reading_slot<T: Reading>(stale_after_ns: u64) -> (ReadingWriter<T>, ReadingReader<T>) {
    let (slot, reader) = process_slot();
    let writer = ReadingWriter { slot, last: T::default() };
    (writer, ReadingReader { slot: reader, last: T::default(), stale_after_ns })
}

/// The bus task's side.
#[derive(Debug)]
pub struct ReadingWriter<T> {
    slot: SlotWriter<'static, T>,
    last: T,
}

impl<T: Reading> ReadingWriter<T> {
    /// Tells a reading. Its `mono_ns` is when it was taken, not when it is told.
    pub fn tell(&mut self, reading: &T) {
        self.last = *reading;
        self.slot.write(reading);
    }

    /// Tells that the sensor failed to answer: the last reading, with its own time, as failed.
    pub fn fail(&mut self) {
        self.slot.write(&self.last.with_validity(Validity::Failed));
    }
}

/// The board's side.
#[derive(Debug)]
pub struct ReadingReader<T> {
    slot: SlotReader<'static, T>,
    last: T,
    stale_after_ns: u64,
}

impl<T: Reading> ReadingReader<T> {
    /// The newest reading as it stands at `now`: absent before the first one, failed once it is too
    /// old. Its value and its time are always those that the task told. Never waits.
    pub fn at(&mut self, now: MonoNs) -> T {
        // Torn and corrupt are no news: the last reading goes on ageing.
        if let Newest::New { record, .. } = self.slot.read() {
            self.last = record;
        }
        let is_valid = self.last.validity() == Raw::new(Validity::Valid);
        let taken_at = self.last.mono_ns();
        // Stamped a little later than `now` is fine; a time far ahead would stay fresh for long.
        let apart_ns = now.since(taken_at).max(taken_at.since(now));
        if is_valid && apart_ns > self.stale_after_ns {
            return self.last.with_validity(Validity::Failed);
        }
        self.last
    }
}
