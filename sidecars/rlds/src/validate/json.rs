//! JSON as it stands in the file: every key, twice if it is there twice, and what is no number.
//!
//! *What it decides.* Nothing about the contract. *What it must never do.* Forgive: `NaN`, `Infinity`
//! and `1e999`, which some programs write, are kept as what they are, so that the field can be named.
//! The parser is our own (parse.rs): serde_json drops the first of two keys, stops at `NaN`, and hands
//! out numbers in a form that any crate of the same executable may change (`arbitrary_precision`).
//! Shown by: tests/bad_input.rs, and the tests of parse.rs.

use std::fmt;

/// Characters of a text that are shown.
const SHOWN_CHARS: usize = 60;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// `NaN`, `Infinity`, or a number that is too large for any.
    NoNumber(String),
    Text(String),
    List(Vec<Json>),
    Block(Vec<(String, Json)>),
}

impl Json {
    /// What stands under `key` of a block; the first, if it is there twice.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Block(keys) => keys.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(Self::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn int(&self, key: &str) -> Option<i64> {
        match self.get(key) {
            Some(Self::Int(value)) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.get(key)?.as_number()
    }

    #[expect(clippy::cast_precision_loss, reason = "held against limits, never stored")]
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn list(&self, key: &str) -> Option<&[Self]> {
        match self.get(key) {
            Some(Self::List(list)) => Some(list),
            _ => None,
        }
    }

    /// A list of numbers and nothing else.
    pub(crate) fn numbers(&self, key: &str) -> Option<Vec<f64>> {
        self.list(key)?.iter().map(Self::as_number).collect()
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, key: &str) -> impl Iterator<Item = &str> {
        self.list(key).unwrap_or_default().iter().filter_map(|value| match value {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }
}

/// As a message shows what was found.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::NoNumber(word) => f.write_str(word),
            Self::Text(text) => f.write_str(&shown(text)),
            Self::List(list) => write!(f, "a list of {}", list.len()),
            Self::Block(keys) => write!(f, "a block with {} in it", keys.len()),
        }
    }
}

/// A text in quotes, without what would garble a terminal, and not all of a long one.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn what_is_shown_is_short_and_without_control_characters() {
        let long = format!("\u{1b}[31m{}", "x".repeat(1000));
        let shown = Json::Text(long).to_string();
        assert!(shown.len() < 100 && !shown.contains('\u{1b}'), "{shown}");
    }
}
