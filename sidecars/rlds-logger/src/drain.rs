//! From the rings into the episode, in the order in which the loop wrote.
//!
//! *What it decides.* Where a keyframe belongs: after the cycle that it was taken after and before
//! the next one, so that replay can begin at it; log frames as they come. *What it must never do.* Wait, allocate per record,
//! or pass over a loss: what the ring says is lost is told to the episode before the next record.
//!
//! Shown by: tests/drain.rs.

use rlds::{Commit, EpisodeWriter, Frame};
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

/// Where what is drained goes.
pub trait Recorder {
    /// Whether more may be taken now; until then it stays in the ring.
    fn has_room(&self) -> bool;
    /// Takes a telemetry record.
    fn telemetry(&mut self, sequence: u64, record: &Telemetry);
    /// Takes a keyframe.
    fn keyframe(&mut self, sequence: u64, state: &KernelState);
    /// Takes a frame of the loop's log.
    fn log_frame(&mut self, sequence: u64, frame: &LogFrame);
    /// Takes a picture of the camera.
    fn frame(&mut self, frame: &Frame);
    /// Telemetry records that the ring overwrote.
    fn telemetry_lapped(&mut self, lost: u64);
    /// Keyframes that the ring overwrote.
    fn keyframes_lapped(&mut self, lost: u64);
    /// Frames of the loop's log that the ring overwrote.
    fn log_lapped(&mut self, lost: u64);
    /// Pictures that were lost on their way.
    fn frames_lost(&mut self, lost: u64);
}

impl<C: Commit> Recorder for EpisodeWriter<C> {
    fn has_room(&self) -> bool {
        EpisodeWriter::has_room(self)
    }

    fn telemetry(&mut self, sequence: u64, record: &Telemetry) {
        EpisodeWriter::telemetry(self, sequence, record);
    }

    fn keyframe(&mut self, sequence: u64, state: &KernelState) {
        EpisodeWriter::keyframe(self, sequence, state);
    }

    fn log_frame(&mut self, sequence: u64, frame: &LogFrame) {
        EpisodeWriter::log_frame(self, sequence, frame);
    }

    fn frame(&mut self, frame: &Frame) {
        EpisodeWriter::frame(self, frame);
    }

    fn telemetry_lapped(&mut self, lost: u64) {
        EpisodeWriter::telemetry_lapped(self, lost);
    }

    fn keyframes_lapped(&mut self, lost: u64) {
        EpisodeWriter::keyframes_lapped(self, lost);
    }

    fn log_lapped(&mut self, lost: u64) {
        EpisodeWriter::log_lapped(self, lost);
    }

    fn frames_lost(&mut self, lost: u64) {
        EpisodeWriter::frames_lost(self, lost);
    }
}

/// A camera, as far as the recorder knows it. There is none yet: see [`NoCamera`].
pub trait FrameSource {
    /// The next picture, if it is there.
    fn read(&mut self) -> FrameRead;
}

/// What a camera had.
pub enum FrameRead {
    /// A picture.
    Frame(Frame),
    /// So many were lost before the next.
    Lost(u64),
    /// Nothing more now.
    Empty,
}

/// A robot without a camera.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCamera;

impl FrameSource for NoCamera {
    fn read(&mut self) -> FrameRead {
        FrameRead::Empty
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

/// The three rings that are recorded, and the camera.
pub struct Drain<T, K, L, F = NoCamera> {
    telemetry: T,
    keyframes: K,
    log: L,
    camera: F,
    /// A keyframe whose cycle's record has not been seen yet.
    early: Option<(u64, KernelState)>,
}

impl<T: Source<Telemetry>, K: Source<KernelState>, L: Source<LogFrame>> Drain<T, K, L> {
    /// Reads from these rings.
    #[must_use]
    pub fn new(telemetry: T, keyframes: K, log: L) -> Self {
        Self { telemetry, keyframes, log, camera: NoCamera, early: None }
    }

    /// And from this camera.
    #[must_use]
    pub fn with_camera<F: FrameSource>(self, camera: F) -> Drain<T, K, L, F> {
        let Self { telemetry, keyframes, log, early, .. } = self;
        Drain { telemetry, keyframes, log, camera, early }
    }
}

impl<T: Source<Telemetry>, K: Source<KernelState>, L: Source<LogFrame>, F: FrameSource>
    Drain<T, K, L, F>
{

    /// Moves what is there into the episode, at most `records_max` telemetry records.
    pub fn drain(&mut self, episode: &mut impl Recorder, records_max: u32) -> Drained {
        self.frames(episode, records_max);
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
    pub fn finish(&mut self, episode: &mut impl Recorder) {
        self.keyframes_before(None, episode);
        self.log_frames(episode, LAST_LOG_FRAMES_MAX);
        self.frames(episode, LAST_LOG_FRAMES_MAX);
    }

    fn frames(&mut self, episode: &mut impl Recorder, frames_max: u32) {
        for _ in 0..frames_max {
            match self.camera.read() {
                FrameRead::Frame(frame) => episode.frame(&frame),
                FrameRead::Lost(lost) => episode.frames_lost(lost),
                FrameRead::Empty => return,
            }
        }
    }

    fn log_frames(&mut self, episode: &mut impl Recorder, frames_max: u32) {
        for _ in 0..frames_max {
            match self.log.read() {
                Read::Record { sequence, record } => episode.log_frame(sequence, &record),
                Read::Lapped { lost } => episode.log_lapped(lost),
                // A broken log ring costs messages; the telemetry ring breaks with it.
                Read::Empty | Read::Corrupt => return,
            }
        }
    }

    fn keyframes_before(&mut self, cycle: Option<u64>, episode: &mut impl Recorder) {
        while let Some((sequence, state)) = self.next_keyframe(episode) {
            if cycle.is_some_and(|cycle| state.cycle_index >= cycle) {
                self.early = Some((sequence, state));
                return;
            }
            episode.keyframe(sequence, &state);
        }
    }

    fn next_keyframe(
        &mut self,
        episode: &mut impl Recorder,
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
