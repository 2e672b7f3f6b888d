//! Lines of a text file, none longer than can be believed.
//!
//! Shown by: tests/formats/bad_input.rs.

use crate::problem::Problem;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Lines that are JSON, one after the other.
pub(super) struct JsonLines {
    path: PathBuf,
    input: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl JsonLines {
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let file = File::open(path).map_err(Problem::read(path))?;
        let input = BufReader::with_capacity(1 << 16, file);
        Ok(Self { path: path.to_owned(), input, line: Vec::new(), number: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the line that was read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Something is wrong in the line that was read last.
    pub(super) fn wrong(&self, what: impl Into<String>) -> Problem {
        Problem::input(&self.path, format!(":{}", self.number), what)
    }

    /// The next line that is not empty; after a problem with what a line says, the next one can be
    /// asked for.
    pub(super) fn next(&mut self) -> Result<Option<Value>, Problem> {
        loop {
            self.line.clear();
            let limit = rlds::LINE_BYTES_MAX as u64;
            let input = self.input.by_ref();
            let read = input.take(limit.saturating_add(1)).read_until(b'\n', &mut self.line);
            if read.map_err(Problem::read(&self.path))? == 0 {
                return Ok(None);
            }
            self.number = self.number.saturating_add(1);
            if self.line.len() as u64 > limit {
                return Err(
                    self.wrong(format!("expected a line of at most {limit} bytes, found more"))
                );
            }
            if self.line.trim_ascii().is_empty() {
                continue;
            }
            return serde_json::from_slice(&self.line)
                .map(Some)
                .map_err(|error| self.wrong(format!("expected JSON, found {error}")));
        }
    }
}

/// A JSON file of at most `limit` bytes.
pub(super) fn read_json(path: &Path, limit: u64) -> Result<Value, Problem> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(Problem::read(path))?;
    file.take(limit.saturating_add(1)).read_to_end(&mut text).map_err(Problem::read(path))?;
    if text.len() as u64 > limit {
        return Err(Problem::input(
            path,
            "",
            format!("expected at most {limit} bytes, found more"),
        ));
    }
    serde_json::from_slice(&text).map_err(|error| {
        Problem::input(path, format!(":{}", error.line()), format!("expected JSON, found {error}"))
    })
}
