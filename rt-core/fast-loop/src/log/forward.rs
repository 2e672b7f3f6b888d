//! From the loop thread's queue into the segment: housekeeping's part of the log.
//!
//! It numbers the records and sees to it that every loss is told, also one that no later frame tells.
//! It must never make the loop wait: it only takes. Shown by: `tests/log/`.

use super::REFUSED;
use super::queue::Taker;
use rt_ring::RingWriter;
use rt_ring::sync::{AtomicU64, Ordering};
use rt_wire::{LogFrame, MonoNs};
use std::sync::Arc;

/// The queue's other end, and the segment.
pub struct Forwarder {
    frames: Taker,
    lost: Arc<AtomicU64>,
    ring: RingWriter<'static, LogFrame>,
    told_lost: u64,
    told_refused: u64,
    newest: (u64, MonoNs),
}

impl Forwarder {
    pub(super) fn new(
        frames: Taker,
        lost: Arc<AtomicU64>,
        ring: RingWriter<'static, LogFrame>,
    ) -> Self {
        // What other threads logged before there was a log is not this log's to tell.
        // ORDER: relaxed: a count for people.
        let told_refused = REFUSED.load(Ordering::Relaxed);
        Self { frames, lost, ring, told_lost: 0, told_refused, newest: (0, MonoNs(0)) }
    }

    /// Moves what waits into the segment, and tells counts that have risen since.
    pub fn forward(&mut self) {
        // First the count, then the frames: those queued before the loss go out before it is told.
        // ORDER: pairs with the store in FrameWriter::end.
        let lost = self.lost.load(Ordering::Acquire);
        // Those that are there now: a loop that logs without end does not hold housekeeping.
        for _ in 0..self.frames.waiting() {
            if let Some(frame) = self.frames.take() {
                self.publish(frame);
            }
        }
        // ORDER: relaxed: as in new().
        if lost > self.told_lost || REFUSED.load(Ordering::Relaxed) > self.told_refused {
            let (cycle_index, mono_ns) = self.newest;
            let lost = lost.max(self.told_lost);
            self.publish(LogFrame { cycle_index, mono_ns, lost, ..LogFrame::default() });
        }
    }

    fn publish(&mut self, mut frame: LogFrame) {
        frame.sequence = self.ring.published().saturating_add(1);
        // ORDER: relaxed: as in new().
        frame.refused = REFUSED.load(Ordering::Relaxed);
        let used = frame.as_frame().len();
        // What an earlier, longer frame left behind is nobody's message.
        frame.frame.iter_mut().skip(used).for_each(|byte| *byte = 0);
        self.ring.publish(&frame);
        (self.told_lost, self.told_refused) = (frame.lost, frame.refused);
        self.newest = (frame.cycle_index, frame.mono_ns);
    }

    /// Records published so far.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.ring.published()
    }
}
