//! The table and the types of the schema say the same: whatever one refuses, the other does.
//!
//! Every value of a step and of metadata that have every key is taken away, replaced by each kind of
//! value, and joined by a stranger.

use super::json::Json;
use super::parse::parse;
use super::shape;
use super::table::{Block, Kind, METADATA, STEP};
use crate::schema::{Metadata, Step};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FULL_STEP: &str = include_str!("../../tests/golden/step-full.json");
const FULL_METADATA: &str = include_str!("../../tests/golden/metadata-full.json");
/// What a reader lets through for the validator to judge.
const JUDGED_ONLY: [&str; 2] = ["not_finite", "enum"];
/// Texts that are types of their own, and so refused by a reader too.
const TYPED_WORDS: [&str; 2] = ["xr_mode", "control_role"];

/// Pointers to every value inside `value`, itself included.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                pointers(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn variants(full: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    pointers(full, "", &mut all);
    let mut variants = Vec::new();
    for pointer in &all {
        for new in [
            json!(true),
            json!(1),
            json!(1.5),
            json!(5_000_000_000_u64),
            json!(u64::MAX),
            json!("text"),
            json!([]),
            json!([1]),
            json!([1, 2, 3]),
            json!([1, 2, 3, 4]),
            json!(["text"]),
            json!([{}]),
            json!({}),
            json!({"zzz": 1}),
            json!({"zzz": "text"}),
        ] {
            let mut changed = full.clone();
            *changed.pointer_mut(pointer).expect("it is there") = new.clone();
            variants.push((format!("{pointer} = {new}"), changed));
        }
        if let Some((parent, key)) = pointer.rsplit_once('/') {
            let mut changed = full.clone();
            match changed.pointer_mut(parent).expect("it is there") {
                Value::Object(keys) => drop(keys.remove(key)),
                Value::Array(list) => drop(list.remove(key.parse().expect("an index"))),
                _ => unreachable!("only these have parts"),
            }
            variants.push((format!("without {pointer}"), changed));
        }
        let mut changed = full.clone();
        if let Some(keys) = changed.pointer_mut(pointer).and_then(Value::as_object_mut) {
            keys.insert("zzz".to_owned(), json!({}));
            variants.push((format!("{pointer} with a stranger"), changed));
        }
    }
    variants
}

fn agree<T: DeserializeOwned>(block: &Block, full: &str) -> usize {
    let full: Value = serde_json::from_str(full).expect("golden");
    let variants = variants(&full);
    for (what, value) in &variants {
        let text = value.to_string();
        let json = parse(&text).expect("JSON");
        let faults = shape::check(block, &json);
        // serde takes a list for a block, field after field; the contract does not.
        if faults.iter().any(|fault| fault.expected == "a block" && fault.found.contains("list")) {
            continue;
        }
        let refused: Vec<_> = faults
            .into_iter()
            .filter(|fault| {
                let is_typed = TYPED_WORDS.contains(&fault.field.as_str());
                !JUDGED_ONLY.contains(&fault.rule) || is_typed
            })
            // The types hold any number of them; a command without numbers is for the validator.
            .filter(|fault| (fault.rule, fault.field.as_str()) != ("length", "action.command"))
            .collect();
        let read = serde_json::from_str::<T>(&text).map(|_| ());
        assert_eq!(read.is_ok(), refused.is_empty(), "{what}: {read:?}, {refused:?}");
    }
    variants.len()
}

#[test]
fn types_and_table_refuse_the_same_steps() {
    assert!(agree::<Step>(&STEP, FULL_STEP) > 2000);
}

#[test]
fn types_and_table_refuse_the_same_metadata() {
    assert!(agree::<Metadata>(&METADATA, FULL_METADATA) > 500);
}

/// Each key of a block, by its first key's name and its own: a block has no name.
type Seen = BTreeSet<(&'static str, &'static str)>;

fn see(block: &'static Block, value: &Json, wanted: &mut Seen, seen: &mut Seen) {
    let name = block.keys[0].name;
    for key in block.keys {
        wanted.insert((name, key.name));
        let Some(value) = value.get(key.name) else {
            continue;
        };
        seen.insert((name, key.name));
        match (key.kind, value) {
            (Kind::Block(inner), value) => see(inner, value, wanted, seen),
            (Kind::Blocks(inner), Json::List(list)) => {
                list.iter().for_each(|value| see(inner, value, wanted, seen));
            }
            _ => {}
        }
    }
}

#[test]
fn full_examples_have_every_key_of_the_table() {
    for (block, text) in [(&STEP, FULL_STEP), (&METADATA, FULL_METADATA)] {
        let (mut wanted, mut seen) = (Seen::new(), Seen::new());
        see(block, &parse(text).expect("golden"), &mut wanted, &mut seen);
        assert_eq!(wanted, seen);
    }
}
