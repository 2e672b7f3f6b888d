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
    #[error("{file}, line {line}: unknown key `{key}`; did you mean `{nearest}`?")]
    Unknown {
        /// The file.
        file: String,
        /// Where the key stands.
        line: usize,
        /// The key as found.
        key: String,
        /// The nearest key that exists.
        nearest: String,
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
        let named = || file.to_string();
        let groups: Object<Object<Entry>> = serde_json::from_str(text)
            .map_err(|source| ParamsError::Form { file: named(), source })?;
        for (group, entries) in &groups.0 {
            let known: Vec<&Parameter> = PARAMETERS.iter().filter(|p| p.group == group).collect();
            if known.is_empty() {
                let names = PARAMETERS.iter().map(|p| p.group);
                return Err(unknown(file, line_of(text, group, None), group, names));
            }
            for (key, _) in &entries.0 {
                if !known.iter().any(|p| p.key == key) {
                    let line = line_of(text, group, Some(key));
                    return Err(unknown(file, line, key, known.iter().map(|p| p.key)));
                }
            }
        }
        let params = Self::build(|parameter| {
            let key = format!("{}.{}", parameter.group, parameter.key);
            let Parameter { lowest, highest, meaning, .. } = *parameter;
            let entry = groups.get(parameter.group).and_then(|entries| entries.get(parameter.key));
            let Some(entry) = entry else {
                return Err(ParamsError::Missing { file: named(), key, meaning, lowest, highest });
            };
            let line = line_of(text, parameter.group, Some(parameter.key));
            if entry.why.trim().is_empty() {
                return Err(ParamsError::Unsourced { file: named(), line, key });
            }
            let found = entry.value;
            if !(lowest..=highest).contains(&found) {
                return Err(ParamsError::Range {
                    file: named(),
                    line,
                    key,
                    found,
                    lowest,
                    highest,
                });
            }
            Ok(found)
        })?;
        match params.contradiction() {
            Some(reason) => Err(ParamsError::Contradiction { file: named(), reason }),
            None => Ok(params),
        }
    }
}

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

fn unknown<'a>(
    file: &str,
    line: usize,
    key: &str,
    names: impl Iterator<Item = &'a str>,
) -> ParamsError {
    let nearest = names.min_by_key(|name| edit_distance(name, key)).unwrap_or_default().to_string();
    ParamsError::Unknown { file: file.to_string(), line, key: key.to_string(), nearest }
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

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
