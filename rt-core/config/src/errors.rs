//! What is wrong with a robot or track file, in words that say where and how to mend it.
//!
//! All that is wrong is collected, not only the first; nothing here decides what *is* wrong.
//! Tests: tests/bad_robots.rs and tests/tracks.rs read these messages.

use serde::Serialize;
use std::fmt;

/// One thing that is wrong, in one place.
///
/// Shown as `FILE:LINE:COLUMN: KEY: expected …, found …; nearest valid name: … (how to mend)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// The file as the caller named it.
    pub file: String,
    /// Line, counted from 1; 0 if the whole file is meant (it is missing, say).
    pub line: usize,
    /// Column in characters, counted from 1; 0 if the whole line or file is meant.
    pub column: usize,
    /// Dotted path of the key (`timing.period_us`), or the column's name in a track; may be empty.
    pub key: String,
    /// What would have been right: type, range with unit, or the valid names.
    pub expected: String,
    /// What stands there.
    pub found: String,
    /// The valid name that was most likely meant.
    pub nearest: Option<String>,
    /// How to mend it, where that is not plain from the rest.
    pub mend: Option<String>,
}

impl ConfigError {
    /// An error about a file as a whole; the other fields are set on the result.
    pub(crate) fn whole_file(
        file: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            key: String::new(),
            expected: expected.into(),
            found: found.into(),
            nearest: None,
            mend: None,
        }
    }

    pub(crate) fn at(mut self, line: usize, column: usize) -> Self {
        self.line = line;
        self.column = column;
        self
    }

    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    pub(crate) fn nearest(mut self, nearest: Option<impl Into<String>>) -> Self {
        self.nearest = nearest.map(Into::into);
        self
    }

    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; nearest valid name: {nearest}")?;
        }
        if let Some(mend) = &self.mend {
            write!(f, " ({mend})")?;
        }
        Ok(())
    }
}

/// What was found, cut where it is longer than a person reads.
pub(crate) fn shortened(text: &str) -> String {
    const LETTERS_MAX: usize = 60;
    if text.chars().count() <= LETTERS_MAX {
        return text.to_owned();
    }
    text.chars().take(LETTERS_MAX).chain("…".chars()).collect()
}

/// All that is wrong with one file; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
}

/// More than this many are not told one by one: the first ones mend the rest.
const TOLD_MAX: usize = 20;

impl ConfigErrors {
    /// `Err` with all of `errors` in the order of their lines, or `Ok` if there are none.
    pub(crate) fn if_any(mut errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort_by_key(|error| (error.line, error.column));
        errors.dedup();
        Err(Self { errors })
    }

    /// Each error, in the order of the lines.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self { errors: vec![error] }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().take(TOLD_MAX).enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        match self.errors.len().checked_sub(TOLD_MAX) {
            Some(more) if more > 0 => write!(f, "\nand {more} more"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ConfigErrors {}
