//! The picture that a step refers to.
//!
//! *What it decides.* Where it is: a file of the episode, or a frame of its recording. *What it must
//! never do.* Hold more than one picture. Shown by: tests/formats/dir.rs, tests/formats/bad_input.rs.

use crate::blob;
use crate::sample::Picture;
use rlds::schema::{MediaRef, Step};
use std::path::{Path, PathBuf};

/// Fetches pictures of one episode, in the order of its steps.
pub(crate) struct Pictures {
    episode: PathBuf,
}

impl Pictures {
    pub(crate) fn of(episode: &Path) -> Self {
        Self { episode: episode.to_owned() }
    }

    /// The picture of `step`, whole; `None` where it refers to none.
    ///
    /// # Errors
    /// In words, with the field.
    pub(crate) fn fetch(&mut self, step: &Step) -> Result<Option<Picture>, String> {
        let Some(media) = rgb(step) else {
            return Ok(None);
        };
        blob::read(&self.episode, &media.uri)
            .and_then(Picture::new)
            .map(Some)
            .map_err(|what| format!("observation.media.rgb.uri: {what}"))
    }
}

/// What a step says of its colour picture.
pub(crate) fn rgb(step: &Step) -> Option<&MediaRef> {
    step.observation.media.as_ref()?.rgb.as_ref()
}
