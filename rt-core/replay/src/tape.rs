//! A whole recording: keyframes and cycles in their order, gaps and all.
//!
//! *What it decides.* From which keyframe a replay begins, and begins again after a gap; what is
//! counted as what. *What it must never do.* Call a cycle identical that follows on something
//! missing, or leave a record out of every count.
//!
//! Shown by: tests/replay.rs.

use crate::replay::{Answer, Replay, Why};
use rt_wire::{KernelState, Limits, Telemetry};

/// What a keyframe came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtKeyframe {
    /// Compared with nothing: a replay begins from it.
    Begins,
    /// Held against the state that was reached; where that cannot be, no replay begins either.
    Held(Answer),
}

/// What a recording came to so far. Every cycle is in exactly one of the first four, every keyframe in
/// exactly one of the last four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cycles that were run and are equal in every bit.
    pub identical: u64,
    /// Cycles that were run and are not.
    pub different: u64,
    /// Cycles before the first keyframe that they follow on: not run.
    pub not_covered: u64,
    /// Cycles after a gap and before the next keyframe: not run.
    pub not_comparable: u64,
    /// Records that are not there at all.
    pub missing: u64,
    /// Times that the recording breaks off and begins anew.
    pub gaps: u64,
    /// Keyframes that are equal to the state that was reached.
    pub keyframes_identical: u64,
    /// Keyframes that are not.
    pub keyframes_different: u64,
    /// Keyframes that were compared with nothing: a replay began from each.
    pub keyframes_begun: u64,
    /// Keyframes of other limits, from which nothing can begin.
    pub keyframes_not_comparable: u64,
}

/// A recording that is being replayed.
#[derive(Clone, Debug)]
pub struct Tape {
    limits: Limits,
    replay: Option<Replay>,
    tally: Tally,
    /// Sequence of the record before, run or not.
    sequence: Option<u64>,
    /// A keyframe of another state has come: something is missing before the next record.
    is_broken: bool,
}

impl Tape {
    /// A recording under these limits, before its first entry.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            replay: None,
            tally: Tally::default(),
            sequence: None,
            is_broken: false,
        }
    }

    /// Counts so far.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The kernel's memory after the last cycle, where it is known.
    #[must_use]
    pub fn state(&self) -> Option<&KernelState> {
        self.replay.as_ref().map(Replay::state)
    }

    /// Takes a keyframe: compared where a replay runs, the beginning of one where none does.
    pub fn keyframe(&mut self, recorded: &KernelState) -> AtKeyframe {
        let has_begun = self.replay.as_ref().is_some_and(Replay::has_begun);
        let tally = &mut self.tally;
        match self.replay.as_ref().map(|replay| replay.keyframe(recorded)) {
            Some(Answer::Identical) => {
                tally.keyframes_identical = tally.keyframes_identical.saturating_add(1);
                return AtKeyframe::Held(Answer::Identical);
            }
            Some(Answer::Different(difference)) => {
                tally.keyframes_different = tally.keyframes_different.saturating_add(1);
                return AtKeyframe::Held(Answer::Different(difference));
            }
            // Keyframes from before the first record only replace each other.
            Some(Answer::NotComparable(_)) => self.is_broken |= has_begun,
            None => {}
        }
        match Replay::from_keyframe(&self.limits, recorded) {
            Ok(replay) => {
                tally.keyframes_begun = tally.keyframes_begun.saturating_add(1);
                self.replay = Some(replay);
                AtKeyframe::Begins
            }
            Err(why) => {
                tally.keyframes_not_comparable = tally.keyframes_not_comparable.saturating_add(1);
                self.replay = None;
                AtKeyframe::Held(Answer::NotComparable(why))
            }
        }
    }

    /// Takes a recorded cycle: run where the state before it is known.
    pub fn cycle(&mut self, record: &Telemetry) -> Answer {
        let expected_sequence = self.sequence.map(|last| last.wrapping_add(1));
        let found_sequence = record.sequence;
        self.sequence = Some(found_sequence);
        let gap = expected_sequence.filter(|expected| *expected != found_sequence);
        if core::mem::take(&mut self.is_broken) || gap.is_some() {
            self.tally.gaps = self.tally.gaps.saturating_add(1);
        }
        if let Some(expected_sequence) = gap {
            let missing = found_sequence.saturating_sub(expected_sequence);
            self.tally.missing = self.tally.missing.saturating_add(missing);
            // A keyframe that came since may be of the last missing cycle.
            self.replay.take_if(|replay| replay.has_begun());
            if self.replay.is_none() {
                return self.not_run(Why::Gap { expected_sequence, found_sequence });
            }
        }
        let answer = match &mut self.replay {
            Some(replay) => replay.cycle(record),
            None if self.tally.gaps > 0 => Answer::NotComparable(Why::AfterGap),
            None => Answer::NotComparable(Why::BeforeKeyframe),
        };
        match answer {
            Answer::Identical => {
                self.tally.identical = self.tally.identical.saturating_add(1);
                answer
            }
            Answer::Different(_) => {
                self.tally.different = self.tally.different.saturating_add(1);
                answer
            }
            Answer::NotComparable(why) => {
                self.replay = None;
                self.not_run(why)
            }
        }
    }

    /// Before the first gap nothing was promised; after one, something is missing.
    fn not_run(&mut self, why: Why) -> Answer {
        let ran = self.tally.identical.saturating_add(self.tally.different);
        if ran == 0 && self.tally.gaps == 0 {
            self.tally.not_covered = self.tally.not_covered.saturating_add(1);
        } else {
            self.tally.not_comparable = self.tally.not_comparable.saturating_add(1);
        }
        Answer::NotComparable(why)
    }
}
