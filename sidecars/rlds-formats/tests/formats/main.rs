//! Episodes in other formats: what is written, what is read back, what is refused.

mod bad_input;
mod bundle;
mod common;
mod dir;
mod example;
mod foreign_tables;
mod framing;
mod fuzz_seeds;
mod import;
mod lerobot;
mod lerobot_video;
mod recording;
mod round_trip;
mod samples;
mod tfds;
mod tfrecord;
mod wrong_seeds;
