//! Steps of a robot with a camera: every k-th frame, and the telemetry nearest to it.
//!
//! *What it decides.* Which record goes with a frame: the nearest by the sensors' own stamps, whenever
//! the frame arrives; one that is further off than the contract allows is handed over all the same,
//! with its distance. *What it must never do.* Guess a time, or drop what happened between two steps.
//!
//! Shown by: tests/frames.rs.

use std::collections::VecDeque;

use rt_wire::{MonoNs, Telemetry};

use crate::frame::Frame;

/// Records kept for frames that are still on their way: two seconds at 1 kHz.
const PAST_RECORDS_MAX: usize = 2048;

/// What a step needs to know of its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) sequence: u64,
    pub(crate) mono_ns: MonoNs,
    pub(crate) frame_id: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl From<&Frame> for Seen {
    fn from(frame: &Frame) -> Self {
        Self {
            sequence: frame.sequence,
            mono_ns: frame.mono_ns,
            frame_id: frame.frame_id.clone(),
            width: frame.width,
            height: frame.height,
        }
    }
}

/// A frame and the record that is nearest to it.
pub(crate) struct Snapped {
    pub(crate) frame: Seen,
    pub(crate) record: Telemetry,
    pub(crate) apart_ns: u64,
}

/// Frames that wait for telemetry, and telemetry that waits for frames.
pub(crate) struct Snap {
    every: u64,
    frames: u64,
    waiting: VecDeque<Seen>,
    past: VecDeque<Past>,
}

struct Past {
    record: Telemetry,
    /// Records missing before it.
    lost: u64,
    /// Whether it has been told of in a step already.
    is_told: bool,
}

impl Snap {
    /// A step at every `every`-th frame.
    pub(crate) fn new(every: u64) -> Self {
        Self { every, frames: 0, waiting: VecDeque::new(), past: VecDeque::new() }
    }

    pub(crate) fn frame(&mut self, frame: &Seen) {
        if self.frames.is_multiple_of(self.every) {
            self.waiting.push_back(frame.clone());
        }
        self.frames = self.frames.saturating_add(1);
    }

    /// Takes a record; `told` hears of one that is too old for any frame, and what was lost before it.
    pub(crate) fn record(
        &mut self,
        record: &Telemetry,
        lost: u64,
        mut told: impl FnMut(&Telemetry, u64),
    ) {
        self.past.push_back(Past { record: *record, lost, is_told: false });
        if self.past.len() > PAST_RECORDS_MAX
            && let Some(oldest) = self.past.pop_front().filter(|oldest| !oldest.is_told)
        {
            told(&oldest.record, oldest.lost);
        }
    }

    /// The next frame whose nearest record is known; `told` hears of everything up to that record.
    /// At the `end` what is there must do.
    pub(crate) fn next(
        &mut self,
        is_end: bool,
        mut told: impl FnMut(&Telemetry, u64),
    ) -> Option<Snapped> {
        let at = self.waiting.front()?.mono_ns;
        let newest = self.past.back()?.record.mono_ns;
        if newest < at && !is_end {
            return None;
        }
        let apart = |past: &Past| past.record.mono_ns.since(at).max(at.since(past.record.mono_ns));
        let after = self.past.partition_point(|past| past.record.mono_ns < at);
        let candidates = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let nearest = candidates
            .filter(|index| *index < self.past.len())
            .min_by_key(|index| self.past.get(*index).map(apart))?;
        for past in self.past.drain(..nearest) {
            if !past.is_told {
                told(&past.record, past.lost);
            }
        }
        let past = self.past.front_mut()?;
        if !past.is_told {
            told(&past.record, past.lost);
            past.is_told = true;
        }
        let (record, apart_ns) = (past.record, apart(past));
        let frame = self.waiting.pop_front()?;
        Some(Snapped { frame, record, apart_ns })
    }
}
