//! Texts of an episode made anonymous, with a salt that stays behind.
//!
//! *What it decides.* That every text is hashed unless it is one of the contract's own words
//! (words.rs): also keys that people chose, tags, uris, names of frames. Equal texts stay equal within
//! a bundle, so that the frame ids of a step still agree. *What it must never do.* Know which field is
//! dangerous: a field that nobody thought of is hashed like all others.
//!
//! Shown by: tests/formats/bundle.rs.

use super::words;
use crate::export::tfds::hex;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Keys that a bundle does not even hold as a hash.
pub(super) const DROP_KEYS: [&str; 9] = [
    "email",
    "user",
    "user_id",
    "operator",
    "operator_id",
    "session_id",
    "phone",
    "contact",
    "owner",
];
/// Texts behind these keys are hashed in the contract's own exports; here all are.
pub(super) const HASH_KEYS: [&str; 5] =
    ["note", "notes", "comment", "language_instruction", "description"];
/// Says of a bundle how it was made.
pub(super) const TAG: &str = "anonymization:hash:sha256:salted";
/// Blocks whose keys people chose.
const FREE_MAPS: [&str; 6] = [
    "metadata.owner.preferences",
    "observation.ui_context.layout",
    "observation.ui_context.focus_context",
    "action.annotation.fields",
    "action.ui_action.context",
    "step_metadata",
];

/// Hashes texts.
pub(super) struct Anonymizer {
    salt: String,
}

impl Anonymizer {
    pub(super) fn new(salt: String) -> Self {
        Self { salt }
    }

    /// `sha256("<salt>:<text>")` in hexadecimal.
    pub(super) fn hash(&self, text: &str) -> String {
        hex(&Sha256::digest(format!("{}:{text}", self.salt)))
    }

    /// `metadata.json` made anonymous.
    pub(super) fn metadata(&self, metadata: Value) -> Value {
        let mut metadata = self.value("metadata", metadata);
        if let Some(Value::Array(tags)) = metadata.get_mut("tags") {
            tags.push(TAG.into());
        }
        metadata
    }

    /// A step made anonymous.
    pub(super) fn step(&self, step: Value) -> Value {
        self.value("", step)
    }

    fn value(&self, path: &str, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(path, text)),
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.value(path, item)).collect())
            }
            Value::Object(map) if FREE_MAPS.contains(&path) => Value::Object(self.free_map(map)),
            Value::Object(map) => Value::Object(
                map.into_iter()
                    .filter(|(key, _)| !DROP_KEYS.contains(&key.as_str()))
                    .map(|(key, value)| {
                        let value = self.value(&joined(path, &key), value);
                        (key, value)
                    })
                    .collect(),
            ),
            plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
        }
    }

    fn text(&self, path: &str, text: String) -> String {
        if path == "metadata.tags" || path == "metadata.share.tags" {
            return if words::tag_may_stand(&text) {
                text
            } else {
                format!("tag:{}", self.hash(&text))
            };
        }
        if words::may_stand(path, &text) {
            return text;
        }
        if path.ends_with(".uri") {
            return format!("anonymized://{}", self.hash(&text));
        }
        self.hash(&text)
    }

    fn free_map(&self, map: Map<String, Value>) -> Map<String, Value> {
        map.into_iter()
            .filter(|(key, _)| !DROP_KEYS.contains(&key.to_lowercase().as_str()))
            .map(|(key, value)| {
                let text = match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                let value =
                    if words::value_may_stand(&key, &text) { text } else { self.hash(&text) };
                let key = if words::key_may_stand(&key) { key } else { self.hash(&key) };
                (key, Value::String(value))
            })
            .collect()
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
