//! Episodes in the contract's own form, of this project or of another: a directory with
//! `metadata.json`, `steps/` and `blobs/`.
//!
//! *What it decides.* Which picture belongs to a step: `observation.media.rgb`, be it a file beside
//! the steps or a frame of the recording. *What it must never do.* Follow a uri out of the episode, or
//! hold more than one step and its picture.
//!
//! Shown by: tests/formats/dir.rs, tests/formats/bad_input.rs.

use crate::pictures::Pictures;
use crate::problem::Problem;
use crate::sample::{Sample, Source};
use rlds::EpisodeReader;
use rlds::schema::Metadata;
use std::path::{Path, PathBuf};

/// An episode's directory that is being read.
pub struct CanonicalSource {
    reader: EpisodeReader,
    pictures: Option<Pictures>,
    metadata: Metadata,
    last_timestamp_ns: Option<i64>,
}

impl CanonicalSource {
    /// Opens the episode in `path`; without `with_pictures` no picture is looked at.
    ///
    /// # Errors
    /// [`Problem`]: no episode, or metadata that the contract does not allow.
    pub fn open(path: &Path, with_pictures: bool) -> Result<Self, Problem> {
        let reader = EpisodeReader::open(path)?;
        let pictures = with_pictures.then(|| Pictures::of(path));
        // Whose it is stays on the robot.
        let metadata = Metadata { owner: None, ..reader.metadata().clone() };
        Ok(Self { reader, pictures, metadata, last_timestamp_ns: None })
    }

    fn wrong(&self, index: u64, what: String) -> Problem {
        Problem::input(self.reader.path(), format!(": step {index}"), what)
    }
}

impl Source for CanonicalSource {
    fn name(&self) -> String {
        self.reader.path().display().to_string()
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn files(&self) -> Option<&Path> {
        Some(self.reader.path())
    }

    fn next_sample(&mut self) -> Result<Option<Sample>, Problem> {
        let Some((index, step)) = self.reader.next_step()? else {
            return Ok(None);
        };
        let now = step.observation.robot_state.timestamp_nanos;
        if let Some(last) = self.last_timestamp_ns.filter(|last| now < *last) {
            let what = format!(
                "observation.robot_state.timestamp_nanos: expected at least {last}, found {now}: time \
                 goes backwards"
            );
            return Err(self.wrong(index, what));
        }
        self.last_timestamp_ns = Some(now);
        let picture = match &mut self.pictures {
            Some(pictures) => pictures.fetch(&step).map_err(|what| self.wrong(index, what))?,
            None => None,
        };
        Ok(Some(Sample { index, step, picture }))
    }
}

/// The episode's directory as reports call it, `..` and links resolved where that can be done.
pub(crate) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_unreadable| path.to_owned())
}
