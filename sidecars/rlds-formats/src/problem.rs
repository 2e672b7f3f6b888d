//! What can go wrong, told with file, place and field.
//!
//! *What it decides.* Whether a problem is the input's (then only that episode is skipped, by name)
//! or the output's (then the export ends). Shown by: tests/formats/bad_input.rs.

use crate::framing::FramingError;
use rlds::EpisodeError;
use rlds::validate::Finding;
use std::io;
use std::path::{Path, PathBuf};

/// Why an episode, or all of them, could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Something that was read is not as it should be.
    #[error("{}{at}: {what}", path.display())]
    Input {
        /// The file or directory.
        path: PathBuf,
        /// Where in it, `:12` or ` step 3` for example; empty for the whole.
        at: String,
        /// Field, expected, found.
        what: String,
    },
    /// An episode in the contract's form is not as the contract wants it.
    #[error(transparent)]
    Episode(#[from] EpisodeError),
    /// An episode that the validator refuses.
    #[error("{finding}{}", and_more(*.errors))]
    Invalid {
        /// The first of its faults.
        finding: Box<Finding>,
        /// Faults in all.
        errors: u64,
    },
    /// A TFRecord file is damaged.
    #[error("{}: {source}", path.display())]
    Framing {
        /// The file.
        path: PathBuf,
        /// Which record, and what is wrong.
        source: FramingError,
    },
    /// What should be written cannot be.
    #[error("{}: {source}", path.display())]
    Output {
        /// The file or directory.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
}

fn and_more(errors: u64) -> String {
    match errors.saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and {more} more: continuon rlds validate)"),
    }
}

impl Problem {
    /// Something is wrong in `path`, `at` a place of it.
    pub(crate) fn input(
        path: impl Into<PathBuf>,
        at: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self::Input { path: path.into(), at: at.into(), what: what.into() }
    }

    /// `path` cannot be read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::input(path, "", error.to_string())
    }

    /// `path` cannot be written.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Output { path, source }
    }

    /// Whether no further episode can be written either.
    #[must_use]
    pub fn is_of_the_output(&self) -> bool {
        matches!(self, Self::Output { .. })
    }
}
