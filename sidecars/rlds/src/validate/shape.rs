//! Does a piece of JSON have the keys and types of the table? Every fault of it, with its path.
//!
//! *What it decides.* Keys and types, list lengths, choices, and that numbers are finite. *What it
//! must never do.* Stop at the first fault. Shown by: agreement.rs, tests/bad_input.rs.

use std::fmt;

use super::json::Json;
use super::table::{Block, KNOWN_ELSEWHERE, Kind, Length};

/// Names that are less alike than this are not meant.
const LIKENESS_MIN: f64 = 0.8;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rule: &'static str,
    pub(crate) field: String,
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// A place in the value, told from its root.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Root,
    Key(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Every fault of `value` as a block of the table.
pub(crate) fn check(block: &Block, value: &Json) -> Vec<Fault> {
    let mut faults = Vec::new();
    check_block(block, value, Place::Root, &mut faults);
    faults
}

fn check_block(block: &Block, value: &Json, place: Place<'_>, faults: &mut Vec<Fault>) {
    let Json::Block(keys) = value else {
        return wrong_type(place, "a block", value, faults);
    };
    for key in block.keys.iter().filter(|key| key.is_required) {
        if value.get(key.name).is_none() {
            let field = Place::Key(&place, key.name);
            faults.push(fault("missing_field", field, in_words(key.kind), "nothing".to_owned()));
        }
    }
    for (index, (name, value)) in keys.iter().enumerate() {
        let field = Place::Key(&place, name);
        if keys.iter().take(index).any(|(before, _)| before == name) {
            faults.push(fault("duplicate_key", field, "each key once", "it twice".to_owned()));
            continue;
        }
        match block.keys.iter().find(|key| key.name == name) {
            Some(key) => check_kind(key.kind, value, field, faults),
            None => faults.push(unknown(block, name, field)),
        }
    }
}

fn unknown(block: &Block, name: &str, field: Place<'_>) -> Fault {
    let elsewhere = KNOWN_ELSEWHERE.iter().find(|(theirs, _)| *theirs == name);
    let likely = elsewhere.map(|(_, ours)| *ours).or_else(|| nearest(block, name));
    let expected = match likely {
        Some(likely) => format!("a key of the contract (did you mean {likely}?)"),
        None => "a key of the contract".to_owned(),
    };
    fault("unknown_field", field, expected, "an unknown one".to_owned())
}

fn nearest(block: &Block, name: &str) -> Option<&'static str> {
    let likeness = |key: &'static str| (key, strsim::jaro_winkler(key, name));
    let (key, alike) =
        block.keys.iter().map(|key| likeness(key.name)).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (alike >= LIKENESS_MIN).then_some(key)
}

fn check_kind(kind: Kind, value: &Json, place: Place<'_>, faults: &mut Vec<Fault>) {
    match (kind, value) {
        (Kind::Text, Json::Text(_)) | (Kind::Bool, Json::Bool(_)) => {}
        (Kind::ChoiceOrEmpty(_), Json::Text(text)) if text.is_empty() => {}
        (Kind::Choice(choices) | Kind::ChoiceOrEmpty(choices), Json::Text(text)) => {
            if !choices.contains(&text.as_str()) {
                faults.push(fault("enum", place, one_of(choices), value.to_string()));
            }
        }
        (Kind::Int32, Json::Int(number)) if i32::try_from(*number).is_ok() => {}
        (Kind::Int64, Json::Int(number)) if i64::try_from(*number).is_ok() => {}
        (Kind::Number, value) => check_number(value, place, faults),
        (Kind::Numbers(length), Json::List(list)) => {
            check_length(length, list.len(), place, faults);
            for (index, value) in list.iter().enumerate() {
                check_number(value, Place::Index(&place, index), faults);
            }
        }
        (Kind::Int32s, Json::List(list)) => {
            check_each(list, Kind::Int32, place, faults);
        }
        (Kind::Texts, Json::List(list)) => check_each(list, Kind::Text, place, faults),
        (Kind::TextMap, Json::Block(keys)) => {
            for (index, (name, value)) in keys.iter().enumerate() {
                let field = Place::Key(&place, name);
                if keys.iter().take(index).any(|(before, _)| before == name) {
                    let twice = "it twice".to_owned();
                    faults.push(fault("duplicate_key", field, "each key once", twice));
                }
                check_kind(Kind::Text, value, field, faults);
            }
        }
        (Kind::Block(block), value) => check_block(block, value, place, faults),
        (Kind::Blocks(block), Json::List(list)) => {
            for (index, value) in list.iter().enumerate() {
                check_block(block, value, Place::Index(&place, index), faults);
            }
        }
        (kind, value) => wrong_type(place, in_words(kind), value, faults),
    }
}

fn check_each(list: &[Json], kind: Kind, place: Place<'_>, faults: &mut Vec<Fault>) {
    for (index, value) in list.iter().enumerate() {
        check_kind(kind, value, Place::Index(&place, index), faults);
    }
}

fn check_number(value: &Json, place: Place<'_>, faults: &mut Vec<Fault>) {
    match value.as_number() {
        Some(number) if number.abs() <= f64::from(f32::MAX) => {}
        None if !matches!(value, Json::NoNumber(_)) => {
            wrong_type(place, in_words(Kind::Number), value, faults);
        }
        _ => faults.push(fault("not_finite", place, "a finite number", value.to_string())),
    }
}

fn check_length(length: Length, found: usize, place: Place<'_>, faults: &mut Vec<Fault>) {
    let is_right = match length {
        Length::Any => true,
        Length::AtLeastOne => found > 0,
        Length::Exactly(count) => found == count,
        Length::AllOrNone(count) => found == count || found == 0,
    };
    if !is_right {
        faults.push(fault("length", place, in_words(Kind::Numbers(length)), found.to_string()));
    }
}

fn wrong_type(
    place: Place<'_>,
    expected: impl Into<String>,
    value: &Json,
    faults: &mut Vec<Fault>,
) {
    faults.push(fault("type", place, expected, value.to_string()));
}

fn fault(
    rule: &'static str,
    place: Place<'_>,
    expected: impl Into<String>,
    found: String,
) -> Fault {
    let field = match place {
        Place::Root => "the whole".to_owned(),
        place => place.to_string(),
    };
    Fault { rule, field, expected: expected.into(), found }
}

fn in_words(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Choice(choices) | Kind::ChoiceOrEmpty(choices) => one_of(choices),
        Kind::Bool => "true or false".to_owned(),
        Kind::Int32 => "a whole number of 32 bits".to_owned(),
        Kind::Int64 => "a whole number of 64 bits".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Numbers(Length::Any) => "a list of numbers".to_owned(),
        Kind::Numbers(Length::AtLeastOne) => "at least 1 number".to_owned(),
        Kind::Numbers(Length::Exactly(count)) => format!("{count} numbers"),
        Kind::Numbers(Length::AllOrNone(count)) => format!("{count} numbers or none"),
        Kind::Int32s => "a list of whole numbers".to_owned(),
        Kind::Texts => "a list of texts".to_owned(),
        Kind::TextMap => "a block of texts".to_owned(),
        Kind::Block(_) => "a block".to_owned(),
        Kind::Blocks(_) => "a list of blocks".to_owned(),
    }
}

/// `trainer, workstation or observer`.
fn one_of(choices: &[&str]) -> String {
    match choices {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => choices.concat(),
    }
}
