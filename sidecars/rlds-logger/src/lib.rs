//! The recorder: the telemetry records and keyframes of a run, in episodes on disk.
//!
//! *What it decides.* When an episode begins and ends, which of the old ones go, and what the heartbeat
//! says of it. *What it must never do.* Lose a record without
//! counting it, wait on the loop, or end because the disk failed: it keeps what it has and goes on
//! counting.
//!
//! ```text
//! main thread   signals, heartbeat, is the loop still there?      ── end ─▶ ┐
//! log-writer    each 5 ms: ring ─▶ chunk in memory            ◀─ progress ─ ┘ ── portions ─▶ ┐
//! log-disk      write, fdatasync: acknowledged; then the steps                  ◀────────────┘
//! log-keeper    opens the next episode, closes the last; room on the disk, wishes of people
//! log-recovery  at the start: episodes that a killed recorder left are put in order
//! log-rotation  after each episode: old ones go
//! ```
//!
//! Threads, because a disk may stall for seconds: memory holds what it keeps waiting, after that the
//! ring holds four seconds, and the heartbeat goes on and says what is the matter.
//!
//! Shown by: tests/life.rs, tests/episodes.rs, tests/rotate.rs, tests/drain.rs (a ring in this process, a writer that laps it), tests/disk.rs (disks that
//! stall and fail), tests/supervise.rs, tests/process.rs (the binary against a loop's run directory).

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod disk;
mod drain;
mod episodes;
mod keeper;
pub mod life;
mod logger;
mod recover;
mod rotate;
mod supervise;
mod writer;

pub use disk::{DiskThread, LiveEpisode, QUEUE_BYTES_MAX, open_episode};
pub use drain::{Drain, Drained, FrameRead, FrameSource, NoCamera, Recorder, Source};
pub use episodes::{Clocks, Episodes, Recording, WAITING_BYTES_MAX};
pub use keeper::{Keeper, Means, Tally};
pub use logger::{Args, main, main_with_camera};
pub use recover::recover_all;
pub use rotate::{ROTATED, Rotated, RotationRules, rotate};
pub use supervise::{Observed, judge};
pub use writer::{Ended, LogWriter, Progress, Session, record_until};
