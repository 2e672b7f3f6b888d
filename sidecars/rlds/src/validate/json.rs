//! JSON as it stands in the file: every key, twice if it is there twice, and what is no number.
//!
//! *What it decides.* Nothing about the contract. *What it must never do.* Forgive: `NaN` and
//! `Infinity`, which some programs write, are kept as what they are, so that the field can be named.
//! Shown by: tests below, tests/bad_input.rs.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// Marks a text that stands for what is no number; no file can hold it, for JSON escapes it.
const NO_NUMBER: char = '\u{0}';
/// Characters of a text that are shown.
const SHOWN_CHARS: usize = 60;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// `NaN`, `Infinity` or `-Infinity`.
    NoNumber(String),
    Text(String),
    List(Vec<Json>),
    Block(Vec<(String, Json)>),
}

/// Why a text is no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotJson {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) found: String,
}

impl Json {
    pub(crate) fn parse(text: &str) -> Result<Self, NotJson> {
        let parsed = match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if let Cow::Owned(marked) = mark_no_numbers(text)
            && let Ok(value) = serde_json::from_str(&marked)
        {
            return Ok(value);
        }
        let words = parsed.to_string();
        let found = words.split(" at line ").next().unwrap_or_default().to_owned();
        Err(NotJson { line: parsed.line(), column: parsed.column(), found })
    }

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
            Self::Block(keys) => write!(f, "a block of {} keys", keys.len()),
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

/// The text with each bare `NaN` and `Infinity` made a text that says so.
fn mark_no_numbers(text: &str) -> Cow<'_, str> {
    let mut marked = String::new();
    let mut rest = text;
    let (mut in_text, mut has_marked) = (false, false);
    while let Some(c) = rest.chars().next() {
        let word = if in_text {
            None
        } else {
            ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| rest.starts_with(word))
        };
        if let Some(word) = word {
            marked.push_str("\"\\u0000");
            marked.push_str(word);
            marked.push('"');
            rest = rest.get(word.len()..).unwrap_or_default();
            has_marked = true;
            continue;
        }
        let escaped = if in_text && c == '\\' {
            1 + rest.chars().nth(1).map_or(0, char::len_utf8)
        } else {
            c.len_utf8()
        };
        if c == '"' {
            in_text = !in_text;
        }
        let (taken, left) = rest.split_at_checked(escaped).unwrap_or((rest, ""));
        marked.push_str(taken);
        rest = left;
    }
    if has_marked { Cow::Owned(marked) } else { Cow::Borrowed(text) }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(match text.strip_prefix(NO_NUMBER) {
            Some(word @ ("NaN" | "Infinity" | "-Infinity")) => Json::NoNumber(word.to_owned()),
            _ => Json::Text(text.to_owned()),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut keys = Vec::new();
        while let Some(entry) = map.next_entry()? {
            keys.push(entry);
        }
        Ok(Json::Block(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn key_that_is_there_twice_is_kept_twice_and_no_number_is_named() {
        let value = Json::parse(r#"{"a": NaN, "a": [1, -Infinity], "NaN \" NaN": "NaN"}"#);
        let Ok(Json::Block(keys)) = value else { panic!("{value:?}") };
        assert_eq!(keys[0], ("a".to_owned(), Json::NoNumber("NaN".to_owned())));
        let infinity = Json::NoNumber("-Infinity".to_owned());
        assert_eq!(keys[1], ("a".to_owned(), Json::List(vec![Json::Int(1), infinity])));
        assert_eq!(keys[2], ("NaN \" NaN".to_owned(), Json::Text("NaN".to_owned())));
    }

    #[test]
    fn what_is_no_json_says_where() {
        let wrong = Json::parse("{\"a\": 1,").expect_err("cut off");
        assert_eq!((wrong.line, wrong.column), (1, 8));
        let wrong = Json::parse("[NaN, nan]").expect_err("no such word");
        assert_eq!(wrong.line, 1);
        assert!(Json::parse(&"[".repeat(100_000)).is_err(), "depth has a limit");
    }

    #[test]
    fn what_is_shown_is_short_and_without_control_characters() {
        let long = format!("\u{1b}[31m{}", "x".repeat(1000));
        let shown = Json::Text(long).to_string();
        assert!(shown.len() < 100 && !shown.contains('\u{1b}'), "{shown}");
    }
}
