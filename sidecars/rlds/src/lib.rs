//! RLDS episodes as files: the recording that is the truth, and the steps and metadata derived
//! from it.
//!
//! *What it decides.* How an episode lies on disk, what stands in its files, and how a recording is
//! read back. *What it must never do.* Know shared memory, read a clock, or panic on what it finds
//! in a file. Time comes in with the records.
//!
//! ```text
//! <episodes_dir>/<episode id>/
//!   metadata.json          the contract's metadata, strict
//!   episode.json           our own counts: what was recorded, what was lost, how it was closed
//!   steps/000000.jsonl     one RLDS step a line, derived from the recording
//!   blobs/recording.mcap   every telemetry record and keyframe as raw wire bytes: the truth
//! ```
//!
//! Shown by: tests/request.rs, tests/recording.rs, tests/steps.rs, tests/episode.rs, tests/schema.rs, tests/proto.rs,
//! tests/validate.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod about;
mod batch;
mod channels;
mod container;
mod episode;
mod episode_reader;
mod event;
mod frame;
mod frames;
pub mod fsck;
mod layout;
mod lines;
mod note;
mod place;
pub mod proto;
mod reader;
mod recording;
mod repair_mark;
pub mod request;
pub mod schema;
mod sizes;
mod snap;
mod steps;
mod storage;
pub mod validate;

pub use about::About;
pub use episode::{Commit, Committer, Ending, EpisodeWriter, Portion, Standing};
pub use episode_reader::{EpisodeError, EpisodeReader};
pub use event::Event;
pub use frame::{FRAME_BYTES_MAX, Frame};
pub use frames::Frames;
pub use lines::LINE_BYTES_MAX;
pub use note::{Closing, EpisodeNote, Summary};
pub use place::{KEEP, episode_id, episode_order, recording_path};
pub use reader::{Damage, Entry, ReadError, RecordingReader, Tail};
pub use recording::{
    Attached, CHUNK_BYTES_MAX, CHUNK_NS_MAX, Counts, Loss, RecordingError, RecordingWriter,
};
pub use sizes::{ChannelSize, Sizes};
pub use steps::{Steps, StepsError};
pub use storage::{FileSystem, HostFiles, Storage};
