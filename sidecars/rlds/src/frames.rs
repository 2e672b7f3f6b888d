//! The pictures of an episode, in order of time, out of its recording.
//!
//! It decides nothing but that other records are passed over. Shown by: tests/frames.rs.

use crate::episode_reader::EpisodeReader;
use crate::frame::Frame;
use crate::place::recording_path;
use crate::reader::{Entry, ReadError, RecordingReader};

/// Pictures, one after the other; at most one chunk is in memory.
pub struct Frames(RecordingReader);

impl Iterator for Frames {
    type Item = Result<Frame, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.next()? {
                Ok(Entry::Frame(frame)) => return Some(Ok(frame)),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl EpisodeReader {
    /// The pictures in its recording.
    ///
    /// # Errors
    /// [`ReadError`] if there is no recording, or one of another build.
    pub fn frames(&self) -> Result<Frames, ReadError> {
        RecordingReader::open(&recording_path(self.path())).map(Frames)
    }
}
