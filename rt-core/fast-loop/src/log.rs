//! The loop's log: what happened, kept as bytes now and put into words elsewhere, later.
//!
//! ```text
//! loop thread: defmt macro ─▶ frame ─▶ queue ─▶ housekeeping ─▶ donkey.fast-loop.log.ring
//!              (global.rs)   (here)            (forward.rs)       │ rlds-logger, continuon log
//! ```
//!
//! It decides where a frame goes and what becomes of one that does not fit: it is counted. It must
//! never wait, lock, allocate, format, or make a system call; a frame carries the number of its
//! message and its arguments, and the message stands in the executable's `.defmt` section. A thread
//! has a log once a [`FrameWriter`] is installed on it, and only the loop thread gets one: whatever
//! another thread logs is dropped and counted. What is logged is `journal.rs`'s. Shown by:
//! `tests/log/`.

mod causes;
mod forward;
mod global;
pub mod journal;
mod queue;

pub use forward::Forwarder;

use queue::Sender;
use rt_ring::sync::{AtomicU64, Ordering};
use rt_ring::{AttachError, RingWriter};
use rt_wire::{LogFrame, MonoNs};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Frames that may wait for housekeeping: 0.4 s of 10 000 a second.
pub const FRAMES_WAITING_MAX: usize = 4096;

/// Frames of threads without a log.
static REFUSED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // A plain reference: no destructor, so that reading it needs no allocation at any time.
    static HERE: Cell<Option<&'static RefCell<FrameWriter>>> = const { Cell::new(None) };
}

/// Both ends of a log: `places` frames may wait, and `ring` is where they are told.
///
/// # Errors
/// [`AttachError`]: the queue cannot be laid out in its own memory, which is a defect.
pub fn link(
    places: usize,
    ring: RingWriter<'static, LogFrame>,
) -> Result<(FrameWriter, Forwarder), AttachError> {
    let (queue, frames) = queue::queue(places)?;
    let lost = Arc::new(AtomicU64::new(0));
    let writer = FrameWriter {
        queue,
        frame: LogFrame::default(),
        used: 0,
        fits: true,
        depth: 0,
        lost: Arc::clone(&lost),
    };
    Ok((writer, Forwarder::new(frames, lost, ring)))
}

/// Says in which cycle the calling thread is: its frames carry it from here on.
pub fn set_cycle(cycle_index: u64, mono_ns: MonoNs) {
    with_writer(|writer| {
        writer.frame.cycle_index = cycle_index;
        writer.frame.mono_ns = mono_ns;
    });
}

/// The loop thread's end of the log.
pub struct FrameWriter {
    queue: Sender,
    frame: LogFrame,
    used: usize,
    fits: bool,
    /// Frames begun and not ended: more than one only if a message is logged while another is.
    depth: u32,
    lost: Arc<AtomicU64>,
}

impl FrameWriter {
    /// Gives the calling thread this log, for good: it is never freed, as the thread that would have
    /// to may be sealed.
    pub fn install(self) {
        HERE.set(Some(Box::leak(Box::new(RefCell::new(self)))));
    }

    fn begin(&mut self) {
        self.depth = self.depth.saturating_add(1);
        if self.depth == 1 {
            (self.used, self.fits) = (0, true);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.depth != 1 {
            return;
        }
        let end = self.used.saturating_add(bytes.len());
        match self.frame.frame.get_mut(self.used..end) {
            Some(place) => {
                // Byte for byte: of two slices no optimiser knows that they are equally long.
                place.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
                self.used = end;
            }
            None => self.fits = false,
        }
    }

    fn end(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        let is_whole = self.depth == 0 && self.fits;
        self.frame.bytes = u32::try_from(self.used).unwrap_or(0);
        if !is_whole || !self.queue.send(&self.frame) {
            self.frame.lost = self.frame.lost.saturating_add(1);
            // ORDER: pairs with the load in forward: whoever sees this count also sees every frame
            // that was queued before the loss.
            self.lost.store(self.frame.lost, Ordering::Release);
        }
    }
}

/// Does something with the calling thread's writer; says whether it has one that is free.
fn with_writer(act: impl FnOnce(&mut FrameWriter)) -> bool {
    HERE.get().is_some_and(|writer| {
        writer.try_borrow_mut().is_ok_and(|mut writer| {
            act(&mut writer);
            true
        })
    })
}

/// Begins a frame of the calling thread, or counts that it may not.
fn begin_frame() {
    if !with_writer(FrameWriter::begin) {
        // ORDER: relaxed: a count for people; nothing else is read by it.
        REFUSED.fetch_add(1, Ordering::Relaxed);
    }
}
