//! One kernel from one keyframe on: each recorded cycle is run again and held against the record.
//!
//! *What it decides.* Whether a record follows on what the kernel remembers, and whether its outcome
//! is the kernel's. *What it must never do.* Step over a record that is missing.
//!
//! Shown by: tests/replay.rs.

use crate::field::{Differing, FieldAt, differing};
use crate::value::Value;
use core::fmt;
use rt_control::Kernel;
use rt_wire::{KernelState, Limits, MonoNs, Outcome, Record, Release, Telemetry};

/// What replaying one record came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Equal in every bit.
    Identical,
    /// Not equal.
    Different(Difference),
    /// It cannot be said, and this is why.
    NotComparable(Why),
}

/// The first field in which a recorded cycle is not what the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The cycle.
    pub cycle_index: u64,
    /// The first field of it that differs.
    pub field: FieldAt,
    /// What was recorded.
    pub recorded: Value,
    /// What the kernel says.
    pub replayed: Value,
    /// Further fields of the same record that differ.
    pub more: u32,
}

/// Why a record cannot be held against a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing to begin from: no keyframe came before it.
    BeforeKeyframe,
    /// Records are missing before it.
    Gap {
        /// Sequence that would follow on the record before.
        expected_sequence: u64,
        /// Sequence that is there.
        found_sequence: u64,
    },
    /// Records were missing before it, and no keyframe has come since.
    AfterGap,
    /// It does not follow on the cycle after which the keyframe was taken.
    Unconnected {
        /// Cycle of the keyframe.
        after_cycle: u64,
        /// Cycle of the record, or of the other keyframe.
        cycle_index: u64,
    },
    /// A keyframe taken under other limits.
    OtherConfig {
        /// Checksum of the limits that are replayed with.
        expected: u64,
        /// Checksum in the keyframe.
        found: u64,
    },
    /// A keyframe taken by another build of the fast loop.
    OtherBuild {
        /// Build of the keyframe that the replay began from.
        expected: u64,
        /// Build in this keyframe.
        found: u64,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeKeyframe => f.write_str("no keyframe before it"),
            Self::Gap { expected_sequence, found_sequence } => {
                write!(f, "record {expected_sequence} expected, found {found_sequence}")
            }
            Self::AfterGap => f.write_str("no keyframe since the gap"),
            Self::Unconnected { after_cycle, cycle_index } => write!(
                f,
                "cycle {cycle_index} does not follow on cycle {after_cycle} of the keyframe"
            ),
            Self::OtherConfig { expected, found } => write!(
                f,
                "a keyframe under other limits: checksum {found:016x}, expected {expected:016x}"
            ),
            Self::OtherBuild { expected, found } => {
                write!(f, "a keyframe of build {found:016x}, expected {expected:016x}")
            }
        }
    }
}

/// A kernel that runs recorded cycles.
#[derive(Clone, Debug)]
pub struct Replay {
    kernel: Kernel,
    /// Sequence of the record that was run last; `None` before the first.
    sequence: Option<u64>,
}

impl Replay {
    /// Begins after the cycle of `keyframe`.
    ///
    /// # Errors
    /// [`Why::OtherConfig`] if it was taken under other limits.
    pub fn from_keyframe(limits: &Limits, keyframe: &KernelState) -> Result<Self, Why> {
        let expected = Kernel::new(limits, keyframe.build_id).state().config_hash;
        Kernel::resume(limits, keyframe)
            .map(|kernel| Self { kernel, sequence: None })
            .ok_or(Why::OtherConfig { expected, found: keyframe.config_hash })
    }

    /// The kernel's memory after the last cycle that was run.
    #[must_use]
    pub const fn state(&self) -> &KernelState {
        self.kernel.state()
    }

    /// Whether any record was run since the keyframe.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.sequence.is_some()
    }

    /// Runs the recorded cycle. One that is not comparable is not run: the state stays as it was.
    pub fn cycle(&mut self, record: &Telemetry) -> Answer {
        let follows = expected_release(self.state(), record);
        match self.sequence {
            Some(last) if record.sequence != last.wrapping_add(1) => {
                return Answer::NotComparable(Why::Gap {
                    expected_sequence: last.wrapping_add(1),
                    found_sequence: record.sequence,
                });
            }
            // A keyframe names its cycle, but no sequence.
            None if record.release != follows => {
                return Answer::NotComparable(Why::Unconnected {
                    after_cycle: self.state().cycle_index,
                    cycle_index: record.cycle_index,
                });
            }
            Some(_) | None => {}
        }
        let (outcome, told) = self.step(record);
        let cycle_index = record.cycle_index;
        first(cycle_index, "release", &record.release, &follows)
            .or_else(|| first(cycle_index, "telemetry", record, &told))
            .or_else(|| first(cycle_index, "outcome", &record.outcome, &outcome))
            .map_or(Answer::Identical, Answer::Different)
    }

    /// Holds a keyframe of the recording against the state that was reached.
    pub fn keyframe(&self, recorded: &KernelState) -> Answer {
        let state = self.state();
        if recorded.config_hash != state.config_hash {
            return Answer::NotComparable(Why::OtherConfig {
                expected: state.config_hash,
                found: recorded.config_hash,
            });
        }
        if recorded.build_id != state.build_id {
            return Answer::NotComparable(Why::OtherBuild {
                expected: state.build_id,
                found: recorded.build_id,
            });
        }
        if recorded.cycle_index != state.cycle_index {
            return Answer::NotComparable(Why::Unconnected {
                after_cycle: state.cycle_index,
                cycle_index: recorded.cycle_index,
            });
        }
        first(recorded.cycle_index, "keyframe", recorded, state)
            .map_or(Answer::Identical, Answer::Different)
    }

    /// Runs one cycle. Also returns the record with its own number and time as the loop derives them
    /// from the release, and all else as recorded.
    fn step(&mut self, record: &Telemetry) -> (Outcome, Telemetry) {
        self.sequence = Some(record.sequence);
        let outcome = self.kernel.step(&record.release, &record.observation, &record.inbox);
        let told = Telemetry {
            cycle_index: record.release.cycle_index,
            mono_ns: record.release.woke_at,
            ..*record
        };
        (outcome, told)
    }
}

/// The recorded release as it must be if nothing is missing between it and `state`: it names the
/// wake-up of the cycle before, and counts on from its number.
fn expected_release(state: &KernelState, record: &Telemetry) -> Release {
    let missed = u64::from(record.release.missed_releases);
    Release {
        cycle_index: state.cycle_index.saturating_add(1).saturating_add(missed),
        previous_woke_at: MonoNs(state.mono_ns.0),
        ..record.release
    }
}

fn first<T: Record>(
    cycle_index: u64,
    root: &'static str,
    recorded: &T,
    replayed: &T,
) -> Option<Difference> {
    let mut all = differing(root, recorded, replayed);
    let Differing { field, recorded, replayed } = all.next()?;
    let more = u32::try_from(all.count()).unwrap_or(u32::MAX);
    Some(Difference { cycle_index, field, recorded, replayed, more })
}
