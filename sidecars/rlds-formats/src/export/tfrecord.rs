//! `tfrecord`: the contract's own layout, one `tf.train.Example` a step in `<episode>.tfrecord[.gz]`.
//!
//! | Feature | Kind | What |
//! |---|---|---|
//! | `episode_id` | bytes | |
//! | `step_index` | int64 | from 0 |
//! | `reward` | float | of `step_metadata`, else 0 |
//! | `is_terminal` | int64 | |
//! | `observation`, `action` | bytes | JSON with sorted keys |
//! | `observation_command`, `action_command` | floats | empty where the block has no `command` |
//! | `step_metadata` | bytes | JSON; left out where there is none |
//!
//! Shown by: tests/formats/tfrecord.rs, tests/readers/tfrecord.py.

use super::{Fate, Names, Options, Ticker, Told};
use crate::atomic::Unfinished;
use crate::canonical::CanonicalSource;
use crate::example::ExampleEncoder;
use crate::framing::RecordWriter;
use crate::problem::Problem;
use crate::sample::{self, Source};
use flate2::Compression;
use flate2::write::GzEncoder;
use rlds::schema::Step;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Writes the episode in `path` as a file in `to`.
pub(super) fn write(
    path: &Path,
    to: &Path,
    options: &Options,
    names: &mut Names,
    ticker: &mut Ticker<'_>,
) -> Result<Told, Problem> {
    let mut source = CanonicalSource::open(path, false)?;
    let id = names.take(path, &source.metadata().episode_id)?;
    let target = to.join(format!("{id}.tfrecord{}", if options.gzip { ".gz" } else { "" }));
    if target.exists() {
        return Ok(Told::new(path, &id, Fate::Kept, 0));
    }
    let (unfinished, file) = Unfinished::file(&target)?;
    let mut writer = RecordWriter::new(Packed::new(file, options.gzip));
    let mut encoder = StepEncoder::new(id.clone());
    let mut pictures = 0_u64;
    while let Some(found) = source.next_sample()? {
        pictures = pictures.saturating_add(u64::from(crate::pictures::rgb(&found.step).is_some()));
        let parts = encoder.encode(found.index, &found.step);
        let parts = parts.map_err(|error| {
            Problem::input(path, format!(": step {}", found.index), error.to_string())
        })?;
        writer.write_parts(&parts).map_err(Problem::write(&target))?;
        ticker.step();
    }
    let steps = writer.records();
    if steps == 0 {
        return Err(Problem::input(path, "", "expected at least one step, found none"));
    }
    writer.finish().and_then(Packed::finish).map_err(Problem::write(&target))?;
    unfinished.finish()?;
    let left_out = if pictures == 0 { Vec::new() } else { vec![("pictures".to_owned(), pictures)] };
    Ok(Told { left_out, ..Told::new(path, &id, Fate::Written, steps) })
}

/// Makes Examples out of steps, in the same memory each time.
pub struct StepEncoder {
    episode_id: String,
    encoder: ExampleEncoder,
    json: Vec<u8>,
}

impl StepEncoder {
    /// For the steps of one episode.
    #[must_use]
    pub fn new(episode_id: String) -> Self {
        Self { episode_id, encoder: ExampleEncoder::new(), json: Vec::new() }
    }

    /// The Example of a step, in pieces that belong one after the other.
    ///
    /// # Errors
    /// A number that JSON cannot hold.
    pub fn encode(&mut self, index: u64, step: &Step) -> Result<[&[u8]; 2], serde_json::Error> {
        self.encoder.clear();
        self.encoder.bytes("episode_id", self.episode_id.as_bytes());
        self.encoder.int("step_index", i64::try_from(index).unwrap_or(i64::MAX));
        self.encoder.floats("reward", &[sample::reward(step)]);
        self.encoder.int("is_terminal", i64::from(step.is_terminal));
        self.json("observation", &step.observation)?;
        self.json("action", &step.action)?;
        self.encoder.floats("observation_command", &step.observation.command);
        self.encoder.floats("action_command", &step.action.command);
        if !step.step_metadata.is_empty() {
            self.json("step_metadata", &step.step_metadata)?;
        }
        Ok(self.encoder.parts())
    }

    fn json(&mut self, name: &str, value: &impl Serialize) -> Result<(), serde_json::Error> {
        self.json.clear();
        sorted_json(&mut self.json, value)?;
        self.encoder.bytes(name, &self.json);
        Ok(())
    }
}

/// JSON as Python's `json.dumps(…, sort_keys=True)` orders it.
pub(crate) fn sorted_json(
    into: &mut Vec<u8>,
    value: &impl Serialize,
) -> Result<(), serde_json::Error> {
    // By way of text, so that a float keeps its few digits; sorted by hand, since whether a `Value` is
    // hangs on what else is linked.
    let text = serde_json::to_vec(value)?;
    let mut value: serde_json::Value = serde_json::from_slice(&text)?;
    value.sort_all_objects();
    serde_json::to_writer(into, &value)
}

/// A file, compressed or not.
pub(crate) enum Packed {
    Plain(File),
    Gzip(Box<GzEncoder<File>>),
}

impl Packed {
    pub(crate) fn new(file: File, gzip: bool) -> Self {
        if gzip {
            Self::Gzip(Box::new(GzEncoder::new(file, Compression::default())))
        } else {
            Self::Plain(file)
        }
    }

    /// Writes what the compressor holds back.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(encoder) => encoder.finish().map(|_file| ()),
        }
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}
