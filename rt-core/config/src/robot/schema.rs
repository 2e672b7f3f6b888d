//! The JSON Schema, made from the Rust types; it is also what the checks and `explain` go by.
//!
//! Decides nothing. Everything is written out in place (no `$ref`), so that a person can read it
//! from top to bottom. Tests: tests/robots.rs compares it with configs/schema/robot.schema.json.

use super::file::RobotFile;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;
use std::sync::LazyLock;

pub(super) static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(RecursiveTransform(drop_default_of_block))
        .with_transform(RecursiveTransform(join_lines));
    Value::from(settings.into_generator().into_root_schema_for::<RobotFile>())
});

/// A block's default is that of its keys; said twice, one would grow stale in the reader's eye.
fn drop_default_of_block(schema: &mut Schema) {
    if schema.get("properties").is_some() {
        schema.remove("default");
    }
}

/// Where a sentence is broken in the source says nothing.
fn join_lines(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}

/// The JSON Schema of a robot file, as `configs/schema/robot.schema.json` holds it (ends with a
/// newline).
pub fn schema() -> String {
    format!("{:#}\n", *SCHEMA)
}

/// The schema of each key of a block, in order; nothing for what is not a block.
pub(super) fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(key, schema)| (key.as_str(), schema))
}

/// The only texts a key may hold, or nothing if any text will do.
pub(super) fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array);
    let described = schema.get("oneOf").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let described = described.into_iter().flatten();
    listed.chain(described.filter_map(|choice| choice.get("const")?.as_str())).collect()
}

/// The JSON types a key may have: `["integer", "null"]`.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        // A choice among texts says its type with each choice.
        _ if !choices(schema).is_empty() => vec!["string"],
        _ => Vec::new(),
    }
}

/// What a key may hold, in words: `an integer from 250 to 20000 (µs)`.
pub(super) fn in_words(schema: &Value) -> String {
    let choices = choices(schema);
    if !choices.is_empty() {
        return format!("one of {}", choices.join(", "));
    }
    let types: Vec<_> = types(schema).into_iter().map(type_in_words).collect();
    let mut words = types.join(" or ");
    if let (Some(min), Some(max)) = (schema.get("minimum"), schema.get("maximum")) {
        let range = format!("{} from {min} to {max}", types.first().copied().unwrap_or_default());
        words = std::iter::once(range.as_str())
            .chain(types.iter().skip(1).copied())
            .collect::<Vec<_>>()
            .join(" or ");
    }
    if let Some(unit) = schema.get("x-unit").and_then(Value::as_str) {
        words.push_str(&format!(" ({unit})"));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        words.push_str(&format!(" like {pattern}"));
    }
    if let Some(most) = schema.get("maxItems") {
        words.push_str(&format!(" of at most {most}"));
    }
    words
}

fn type_in_words(name: &str) -> &str {
    match name {
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a text",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}
