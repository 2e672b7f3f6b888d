//! Frames on their way from the loop thread to housekeeping: a ring of this process alone, and how far
//! the other side has come.
//!
//! It decides whether a frame fits: one that would overwrite a frame nobody has taken does not. It must
//! never wait, and never be able to panic: `cargo xtask symbols` follows [`Sender::send`]. Shown by:
//! `tests/log.rs`.

use rt_ring::sync::{AtomicU64, Ordering};
use rt_ring::{AttachError, Identity, Read, RingReader, RingWriter, ring_words};
use rt_wire::{LogFrame, Record};
use std::sync::Arc;

/// The loop thread's end.
pub(super) struct Sender {
    ring: RingWriter<'static, LogFrame>,
    places: u64,
    taken: Arc<AtomicU64>,
}

/// Housekeeping's end.
pub(super) struct Taker {
    ring: RingReader<'static, LogFrame>,
    taken: Arc<AtomicU64>,
}

/// Both ends of a queue in which `places` frames may wait, its memory touched.
///
/// # Errors
/// [`AttachError`]: a ring cannot be laid out in its own memory, which is a defect.
pub(super) fn queue(places: usize) -> Result<(Sender, Taker), AttachError> {
    let depth = places.next_power_of_two().max(2);
    let words: Vec<AtomicU64> =
        (0..ring_words::<LogFrame>(depth)).map(|_| AtomicU64::new(0)).collect();
    // For as long as the process lives: neither thread may free it, for the loop thread is sealed.
    let words: &'static [AtomicU64] = words.leak();
    let identity = Identity { layout_hash: LogFrame::LAYOUT_HASH, generation: 1 };
    let mut ring = RingWriter::create(words, depth, identity)?;
    // Every page is touched here, so that none is touched for the first time in the loop.
    (0..depth).for_each(|_| ring.publish(&LogFrame::default()));
    let taken = Arc::new(AtomicU64::new(ring.published()));
    let reader = RingReader::attach(words, LogFrame::LAYOUT_HASH)?;
    let taker = Taker { ring: reader, taken: Arc::clone(&taken) };
    Ok((Sender { ring, places: places as u64, taken }, taker))
}

impl Sender {
    /// Hands the frame on; says whether there was a place for it.
    pub(super) fn send(&mut self, frame: &LogFrame) -> bool {
        // ORDER: pairs with the store in Taker::take: whoever sees the place free has it free.
        let waiting = self.ring.published().saturating_sub(self.taken.load(Ordering::Acquire));
        let fits = waiting < self.places;
        if fits {
            self.ring.publish(frame);
        }
        fits
    }
}

impl Taker {
    /// How many frames wait now.
    pub(super) fn waiting(&self) -> u64 {
        self.ring.lag()
    }

    /// The oldest frame that waits.
    pub(super) fn take(&mut self) -> Option<LogFrame> {
        // Nothing is overwritten that was not taken, so nobody is lapped here.
        let Read::Record { sequence, record } = self.ring.read() else { return None };
        // ORDER: pairs with the load in Sender::send: the frame is copied before its place is free.
        self.taken.store(sequence, Ordering::Release);
        Some(record)
    }
}
