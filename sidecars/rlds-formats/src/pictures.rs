//! The picture that a step refers to.
//!
//! *What it decides.* Where it is: a file of the episode, or a frame of its recording, which is read
//! along with the steps. *What it must never do.* Hold more than one picture, or read a recording
//! twice: steps name its frames in their order.
//!
//! Shown by: tests/formats/dir.rs, tests/formats/recording.rs, tests/formats/bad_input.rs.

use crate::blob;
use crate::sample::Picture;
use rlds::schema::{MediaRef, Step};
use rlds::{Entry, Frame, RecordingReader, recording_path};
use std::path::{Path, PathBuf};

/// What a uri begins with that names a frame of the recording.
const FRAME: &str = "blobs/recording.mcap#frames/";

/// Fetches pictures of one episode, in the order of its steps.
pub struct Pictures {
    episode: PathBuf,
    recording: Option<RecordingReader>,
    /// The frame that was read last: several steps may show it.
    frame: Option<Frame>,
}

impl Pictures {
    /// Of the episode in this directory.
    #[must_use]
    pub fn of(episode: &Path) -> Self {
        Self { episode: episode.to_owned(), recording: None, frame: None }
    }

    /// The picture of `step`, whole; `None` where it refers to none.
    ///
    /// # Errors
    /// In words, with the field.
    pub fn fetch(&mut self, step: &Step) -> Result<Option<Picture>, String> {
        let Some(media) = rgb(step) else {
            return Ok(None);
        };
        let jpeg = match media.uri.strip_prefix(FRAME) {
            Some(sequence) => self.frame(sequence),
            None => blob::read(&self.episode, &media.uri),
        };
        jpeg.and_then(Picture::new)
            .map(Some)
            .map_err(|what| format!("observation.media.rgb.uri: {what}"))
    }

    fn frame(&mut self, sequence: &str) -> Result<Vec<u8>, String> {
        let wanted: u64 = sequence
            .parse()
            .map_err(|_wrong| format!("expected the number of a frame, found `{sequence}`"))?;
        let reader = match &mut self.recording {
            Some(reader) => reader,
            none => {
                let path = recording_path(&self.episode);
                none.insert(RecordingReader::open(&path).map_err(|error| error.to_string())?)
            }
        };
        while self.frame.as_ref().is_none_or(|frame| frame.sequence < wanted) {
            match reader.next_entry().map_err(|error| error.to_string())? {
                Some(Entry::Frame(frame)) => self.frame = Some(frame),
                Some(_) => {}
                None => break,
            }
        }
        let found = self.frame.as_ref().filter(|frame| frame.sequence == wanted);
        found
            .map(|frame| frame.jpeg.clone())
            .ok_or_else(|| format!("expected frame {wanted} in the recording, found none"))
    }
}

/// What a step says of its colour picture.
pub(crate) fn rgb(step: &Step) -> Option<&MediaRef> {
    step.observation.media.as_ref()?.rgb.as_ref()
}
