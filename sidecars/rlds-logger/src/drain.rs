//! From the rings into the episode, in the order in which the loop wrote.
//!
//! *What it decides.* Where a keyframe belongs: after the cycle that it was taken after and before
//! the next one, so that replay can begin at it; log frames as they come. *What it must never do.* Wait, allocate per record,
//! or pass over a loss: what the ring says is lost is told to the episode before the next record.
//!
//! Shown by: tests/drain.rs.

use rlds::{EpisodeWriter, Storage};
use rt_ring::{Read, RingReader};
use rt_shm::MappedRingReader;
use rt_wire::{KernelState, LogFrame, Telemetry};

/// Log frames moved at the end: more than their ring holds, so that a loop which still runs and logs
/// cannot hold us.
const LAST_LOG_FRAMES_MAX: u32 = 8192;

/// A ring to read from.
pub trait Source<T> {
    /// The next record, if it is there; see [`RingReader::read`].
    fn read(&mut self) -> Read<T>;
}

impl<T: rt_ring::Record> Source<T> for RingReader<'_, T> {
    fn read(&mut self) -> Read<T> {
        RingReader::read(self)
    }
}

impl<T: rt_ring::Record> Source<T> for MappedRingReader<T> {
    fn read(&mut self) -> Read<T> {
        MappedRingReader::read(self)
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Nothing more is there now.
    Empty,
    /// More is there: the limit was reached.
    More,
    /// The ring is of no use any more: attach again.
    Broken,
}

/// The three rings that are recorded.
pub struct Drain<T, K, L> {
    telemetry: T,
    keyframes: K,
    log: L,
    /// A keyframe whose cycle's record has not been seen yet.
    early: Option<(u64, KernelState)>,
}

impl<T: Source<Telemetry>, K: Source<KernelState>, L: Source<LogFrame>> Drain<T, K, L> {
    /// Reads from these rings.
    #[must_use]
    pub fn new(telemetry: T, keyframes: K, log: L) -> Self {
        Self { telemetry, keyframes, log, early: None }
    }

    /// Moves what is there into the episode, at most `records_max` telemetry records.
    pub fn drain<S: Storage>(
        &mut self,
        episode: &mut EpisodeWriter<S>,
        records_max: u32,
    ) -> Drained {
        // A frame reaches its ring some milliseconds after its cycle's record: it names its cycle.
        self.log_frames(episode, records_max);
        for _ in 0..records_max {
            match self.telemetry.read() {
                Read::Record { sequence, record } => {
                    // The loop publishes a keyframe after its cycle's record: those of all cycles
                    // before this one are there by now.
                    self.keyframes_before(Some(record.cycle_index), episode);
                    episode.telemetry(sequence, &record);
                }
                Read::Lapped { lost } => episode.telemetry_lapped(lost),
                Read::Empty => return Drained::Empty,
                Read::Corrupt => return Drained::Broken,
            }
        }
        Drained::More
    }

    /// Moves the keyframes and log frames that are left, once no more telemetry will come.
    pub fn finish<S: Storage>(&mut self, episode: &mut EpisodeWriter<S>) {
        self.keyframes_before(None, episode);
        self.log_frames(episode, LAST_LOG_FRAMES_MAX);
    }

    fn log_frames<S: Storage>(&mut self, episode: &mut EpisodeWriter<S>, frames_max: u32) {
        for _ in 0..frames_max {
            match self.log.read() {
                Read::Record { sequence, record } => episode.log_frame(sequence, &record),
                Read::Lapped { lost } => episode.log_lapped(lost),
                // A broken log ring costs messages; the telemetry ring breaks with it.
                Read::Empty | Read::Corrupt => return,
            }
        }
    }

    fn keyframes_before<S: Storage>(&mut self, cycle: Option<u64>, episode: &mut EpisodeWriter<S>) {
        while let Some((sequence, state)) = self.next_keyframe(episode) {
            if cycle.is_some_and(|cycle| state.cycle_index >= cycle) {
                self.early = Some((sequence, state));
                return;
            }
            episode.keyframe(sequence, &state);
        }
    }

    fn next_keyframe<S: Storage>(
        &mut self,
        episode: &mut EpisodeWriter<S>,
    ) -> Option<(u64, KernelState)> {
        if let Some(early) = self.early.take() {
            return Some(early);
        }
        loop {
            match self.keyframes.read() {
                Read::Record { sequence, record } => return Some((sequence, record)),
                Read::Lapped { lost } => episode.keyframes_lapped(lost),
                // A broken keyframe ring costs keyframes; the telemetry ring breaks with it.
                Read::Empty | Read::Corrupt => return None,
            }
        }
    }
}
