//! Reads the plant's parameters from their one documented file.
//!
//! Decides whether a file is a car: each key of the table once, in range, with its source; unknown
//! and doubled keys are refused with line and nearest name. It must never fill in a missing value.
//! The form is `{"group": {"key": {"value": 1.0, "why": "…"}}}`. Tests: `tests/plant/`.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::params::{PARAMETERS, Parameter, PlantParams};

/// The documented car, as embedded: `params/donkey-1-10.json`.
const DONKEY_1_10_JSON: &str = include_str!("../../params/donkey-1-10.json");

/// Why a parameter file was refused.
#[derive(Debug, thiserror::Error)]
pub enum ParamsError {
    /// The file could not be read.
    #[error("{file}: cannot be read: {source}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not JSON, or not of the form `{"group": {"key": {"value": 1.0, "why": "…"}}}`.
    #[error(
        "{file}: {source}; expected {{\"group\": {{\"key\": {{\"value\": 1.0, \"why\": \"…\"}}}}}}"
    )]
    Form {
        /// The file.
        file: String,
        /// What the reader said, with line and column.
        source: serde_json::Error,
    },
    /// A group or key that the plant does not have.
    #[error("{file}, line {line}: unknown key `{key}`{hint}")]
    Unknown {
        /// The file.
        file: String,
        /// Where the key stands.
        line: usize,
        /// The key as found.
        key: String,
        /// `; did you mean …?` with the nearest key that exists; empty if none is near.
        hint: String,
    },
    /// A key is absent.
    #[error("{file}: key `{key}` is missing ({meaning}; {lowest} to {highest})")]
    Missing {
        /// The file.
        file: String,
        /// `group.key`.
        key: String,
        /// What it means.
        meaning: &'static str,
        /// Lowest value allowed.
        lowest: f64,
        /// Highest value allowed.
        highest: f64,
    },
    /// A value outside its range.
    #[error("{file}, line {line}: `{key}` is {found}, expected {lowest} to {highest}")]
    Range {
        /// The file.
        file: String,
        /// Where the key stands.
        line: usize,
        /// `group.key`.
        key: String,
        /// The value as found.
        found: f64,
        /// Lowest value allowed.
        lowest: f64,
        /// Highest value allowed.
        highest: f64,
    },
    /// An entry that gives no source.
    #[error("{file}, line {line}: `{key}` has an empty `why`; name its source")]
    Unsourced {
        /// The file.
        file: String,
        /// Where the key stands.
        line: usize,
        /// `group.key`.
        key: String,
    },
    /// Values that are each in range but cannot belong to one car.
    #[error("{file}: {reason}")]
    Contradiction {
        /// The file.
        file: String,
        /// Which values, and what would be right.
        reason: String,
    },
}

impl PlantParams {
    /// The documented 1:10 Donkey Car, embedded at build time.
    ///
    /// # Panics
    /// Never in a build that passed its tests: they read the same text.
    pub fn donkey_1_10() -> Self {
        Self::from_json(DONKEY_1_10_JSON, "donkey-1-10.json")
            .unwrap_or_else(|error| panic!("embedded parameters: {error}"))
    }

    /// Reads a parameter file.
    pub fn from_file(path: &Path) -> Result<Self, ParamsError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::from_json(&text, &file),
            Err(source) => Err(ParamsError::Read { file, source }),
        }
    }

    /// Reads parameters from JSON text; `file` is the name used in errors.
    pub fn from_json(text: &str, file: &str) -> Result<Self, ParamsError> {
        let groups: Groups = serde_json::from_str(text)
            .map_err(|source| ParamsError::Form { file: file.to_owned(), source })?;
        if let Some(error) = unknown_name(&groups, text, file) {
            return Err(error);
        }
        let params = Self::build(|parameter| {
            let entry = groups.get(parameter.group).and_then(|entries| entries.get(parameter.key));
            checked(parameter, entry, text, file)
        })?;
        match params.contradiction() {
            Some(reason) => Err(ParamsError::Contradiction { file: file.to_owned(), reason }),
            None => Ok(params),
        }
    }
}

/// The file's form.
type Groups = Object<Object<Entry>>;

/// One value with its source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    value: f64,
    why: String,
}

/// A JSON object that keeps order and refuses a key that stands there twice.
#[derive(Debug)]
struct Object<T>(Vec<(String, T)>);

impl<T> Object<T> {
    fn get(&self, key: &str) -> Option<&T> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Object<T>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<T>, A::Error> {
                let mut object = Object(Vec::new());
                while let Some(key) = map.next_key::<String>()? {
                    if object.get(&key).is_some() {
                        return Err(A::Error::custom(format!("key `{key}` stands there twice")));
                    }
                    object.0.push((key, map.next_value()?));
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Pairs(std::marker::PhantomData))
    }
}

/// The first group or key that the plant does not have.
fn unknown_name(groups: &Groups, text: &str, file: &str) -> Option<ParamsError> {
    for (group, entries) in &groups.0 {
        let known: Vec<&str> =
            PARAMETERS.iter().filter(|row| row.group == group).map(|row| row.key).collect();
        if known.is_empty() {
            let names = PARAMETERS.iter().map(|row| row.group);
            return Some(unknown(file, line_of(text, group, None), group, names));
        }
        if let Some((key, _)) = entries.0.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            return Some(unknown(file, line_of(text, group, Some(key)), key, known.into_iter()));
        }
    }
    None
}

fn unknown<'a>(
    file: &str,
    line: usize,
    key: &str,
    names: impl Iterator<Item = &'a str>,
) -> ParamsError {
    let nearest = rt_config::nearest(key, names);
    let hint = nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    ParamsError::Unknown { file: file.to_owned(), line, key: key.to_owned(), hint }
}

/// The value of `parameter`, if its entry is there, has a source, and lies in its range.
fn checked(
    parameter: &Parameter,
    entry: Option<&Entry>,
    text: &str,
    file: &str,
) -> Result<f64, ParamsError> {
    let Parameter { lowest, highest, meaning, .. } = *parameter;
    let (file, key) = (file.to_owned(), format!("{}.{}", parameter.group, parameter.key));
    let Some(entry) = entry else {
        return Err(ParamsError::Missing { file, key, meaning, lowest, highest });
    };
    let line = line_of(text, parameter.group, Some(parameter.key));
    if entry.why.trim().is_empty() {
        return Err(ParamsError::Unsourced { file, line, key });
    }
    let found = entry.value;
    if !(lowest..=highest).contains(&found) {
        return Err(ParamsError::Range { file, line, key, found, lowest, highest });
    }
    Ok(found)
}

/// The line of a key in its group, counted from 1; 0 when it is written with escapes.
fn line_of(text: &str, group: &str, key: Option<&str>) -> usize {
    let after = |from: usize, name: &str| {
        text[from..].find(&format!("\"{name}\"")).map(|at| from + at + name.len())
    };
    let at = after(0, group).and_then(|at| match key {
        Some(key) => after(at, key),
        None => Some(at),
    });
    at.map_or(0, |at| text[..at].matches('\n').count() + 1)
}
