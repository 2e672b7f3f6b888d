//! RLDS episodes in the formats of other tools, there and back.
//!
//! *What it decides.* How an episode looks as RLDS for TensorFlow, as the contract's TFRecord, as a
//! LeRobot data set, as a directory, as an anonymous bundle; and what files of other recorders mean.
//! *What it must never do.* Be linked into a process that records; touch a source; hold more than a
//! step; panic on what it finds in a file.
//!
//! ```text
//! episode ─▶ CanonicalSource ─▶ export::{tfds, tfrecord, lerobot, dir, mcap, bundle}
//! foreign ─▶ import::* (Source) ─▶ export::dir
//! ```
//!
//! What each format loses stands in [`export`]. Shown by: tests/, and tests/readers/ with the tools
//! that people use.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod atomic;
mod blob;
mod canonical;
pub mod example;
pub mod export;
pub mod framing;
pub mod import;
pub mod jpeg;
mod normalise;
mod pictures;
mod problem;
mod sample;
pub mod thumbnail;
mod vector;

pub use canonical::CanonicalSource;
pub use pictures::Pictures;
pub use problem::Problem;
pub use sample::{DISCOUNT, LANGUAGE, Picture, REWARD, Sample, Source, discount, language, reward};
