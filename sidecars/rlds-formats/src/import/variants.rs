//! The five shapes in which the contract's own recorders write episodes.
//!
//! | Recorder | Shape |
//! |---|---|
//! | normaliser, promotion | a directory: `metadata.json`, `steps/*.jsonl`, `blobs/` |
//! | arm recorder | `episode.json` and `step_*_rgb.npy` beside it |
//! | episode logger | `<id>.jsonl`, a step a line |
//! | HOPE evaluation | one JSON object, steps with `obs` |
//! | schema "2.0" | one JSON object, steps with `step_idx`, `timestamp_us`, `info`, `context` |
//!
//! *What it decides.* Where steps and metadata are in each; what they mean, normalise.rs decides. *What
//! it must never do.* Take a step twice or out of order. Shown by: tests/formats/import.rs.

use super::lines::{JsonLines, read_json};
use crate::normalise::{self, Normaliser, kind};
use crate::pictures::Pictures;
use crate::problem::Problem;
use crate::sample::{Sample, Source};
use rlds::schema::Metadata;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

/// An episode that is one JSON object is not larger.
const OBJECT_BYTES_MAX: u64 = 64 << 20;

/// Where the steps come from.
enum Steps {
    Files { files: VecDeque<PathBuf>, current: Option<JsonLines> },
    List { path: PathBuf, steps: std::vec::IntoIter<Value> },
}

/// An episode of one of the five shapes.
pub(super) struct Variant {
    path: PathBuf,
    metadata: Metadata,
    steps: Steps,
    pictures: Option<Pictures>,
    normaliser: Normaliser,
    index: u64,
    last_number: Option<i64>,
    last_ns: i64,
    extra: Vec<(String, u64)>,
}

impl Variant {
    fn new(path: &Path, metadata: Metadata, steps: Steps) -> Self {
        Self {
            path: path.to_owned(),
            metadata,
            steps,
            pictures: None,
            normaliser: Normaliser::default(),
            index: 0,
            last_number: None,
            last_ns: i64::MIN,
            extra: Vec::new(),
        }
    }

    /// The next step as it stands there, and where that is.
    fn next_value(&mut self) -> Result<Option<(Value, PathBuf, String)>, Problem> {
        match &mut self.steps {
            Steps::List { path, steps } => {
                let at = format!(": step {}", self.index);
                Ok(steps.next().map(|value| (value, path.clone(), at)))
            }
            Steps::Files { files, current } => loop {
                let Some(lines) = current else {
                    let Some(path) = files.pop_front() else {
                        return Ok(None);
                    };
                    *current = Some(JsonLines::open(&path)?);
                    continue;
                };
                match lines.next()? {
                    Some(value) => {
                        let at = format!(":{}", lines.number());
                        return Ok(Some((value, lines.path().to_owned(), at)));
                    }
                    None => *current = None,
                }
            },
        }
    }
}

impl Source for Variant {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn files(&self) -> Option<&Path> {
        self.pictures.as_ref().map(|_| self.path.as_path())
    }

    fn next_sample(&mut self) -> Result<Option<Sample>, Problem> {
        let Some((value, path, at)) = self.next_value()? else {
            return Ok(None);
        };
        let wrong = |what: String| Problem::input(&path, at.clone(), what);
        let number = ["step_index", "step_idx"].iter().find_map(|key| value.get(key)?.as_i64());
        if let (Some(number), Some(last)) = (number, self.last_number)
            && number <= last
        {
            return Err(wrong(format!("step_index: expected more than {last}, found {number}")));
        }
        self.last_number = number.or(self.last_number);
        let index = self.index;
        let step = self.normaliser.step(index, value).map_err(wrong)?;
        let now = step.observation.robot_state.timestamp_nanos;
        if now < self.last_ns {
            return Err(wrong(format!(
                "observation.robot_state.timestamp_nanos: expected at least {}, found {now}: time goes \
                 backwards",
                self.last_ns
            )));
        }
        self.last_ns = now;
        let picture = match &mut self.pictures {
            Some(pictures) => pictures.fetch(&step).map_err(wrong)?,
            None => None,
        };
        self.index = index.saturating_add(1);
        Ok(Some(Sample { index, step, picture }))
    }

    fn remarks(&self) -> Vec<(String, u64)> {
        let mut remarks = self.normaliser.remarks();
        remarks.extend(self.extra.iter().cloned());
        remarks
    }
}

/// The name of a file or directory, without what follows the last dot.
fn stem(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The contract's directory, strict or not.
pub(super) fn directory(path: &Path) -> Result<Variant, Problem> {
    let found = read_json(&path.join("metadata.json"), OBJECT_BYTES_MAX)?;
    let name = crate::canonical::real(path);
    let name = name.file_name().map(|name| name.to_string_lossy().into_owned());
    let metadata = normalise::metadata(found, &name.unwrap_or_default(), "directory");
    let steps_dir = path.join("steps");
    let mut files = Vec::new();
    for entry in fs::read_dir(&steps_dir).map_err(Problem::read(&steps_dir))? {
        let entry = entry.map_err(Problem::read(&steps_dir))?.path();
        if entry.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(entry);
        }
    }
    files.sort();
    let steps = Steps::Files { files: files.into(), current: None };
    let mut variant = Variant::new(path, metadata, steps);
    variant.pictures = Some(Pictures::of(path));
    Ok(variant)
}

/// What the arm recorder writes; its pictures are raw arrays, which are left out and counted.
pub(super) fn arm_recorder(path: &Path) -> Result<Variant, Problem> {
    let file = path.join("episode.json");
    let name = crate::canonical::real(path);
    let name = name.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut variant = in_one_object(&file, &name.unwrap_or_default(), "arm-recorder")?;
    let entries = fs::read_dir(path).map_err(Problem::read(path))?;
    let arrays = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "npy"))
        .count();
    if arrays > 0 {
        variant.extra.push(("pictures as raw arrays (.npy)".to_owned(), arrays as u64));
    }
    Ok(variant)
}

/// A step a line.
pub(super) fn lines(path: &Path) -> Result<Variant, Problem> {
    let metadata = normalise::blank_metadata(&stem(path), "episode-logger");
    // Looked at once, so that what is no file of lines is refused before anything is written.
    JsonLines::open(path)?;
    let files = VecDeque::from([path.to_owned()]);
    Ok(Variant::new(path, metadata, Steps::Files { files, current: None }))
}

/// An episode in one object.
pub(super) fn object(path: &Path) -> Result<Variant, Problem> {
    in_one_object(path, &stem(path), "object")
}

fn in_one_object(path: &Path, name: &str, from: &str) -> Result<Variant, Problem> {
    let found = read_json(path, OBJECT_BYTES_MAX)?;
    let (metadata, steps) = match found {
        Value::Array(steps) => (Value::Object(Map::new()), steps),
        Value::Object(mut map) => {
            let steps = match map.remove("steps") {
                Some(Value::Array(steps)) => steps,
                Some(other) => {
                    let what = format!("steps: expected a list, found {}", kind(&other));
                    return Err(Problem::input(path, "", what));
                }
                None => return Err(Problem::input(path, "", "expected `steps`, found none")),
            };
            let inner = map.remove("metadata").or_else(|| map.remove("episode_metadata"));
            (inner.unwrap_or(Value::Object(map)), steps)
        }
        other => {
            let what = format!("expected an object, found {}", kind(&other));
            return Err(Problem::input(path, "", what));
        }
    };
    let metadata = normalise::metadata(metadata, name, from);
    let steps = Steps::List { path: path.to_owned(), steps: steps.into_iter() };
    Ok(Variant::new(path, metadata, steps))
}
