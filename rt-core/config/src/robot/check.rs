//! One robot file against the schema: types, ranges, names, missing and unknown keys, all of them
//! in one go.
//!
//! What passes here is what serde can read; rules *between* keys stand in rules.rs. Tests:
//! tests/bad_robots.rs.

use super::schema::{SCHEMA, choices, in_words, properties, types};
use crate::errors::shortened;
use crate::json::{Content, Member, Node, Position};
use crate::{ConfigError, nearest};
use serde_json::Value;

/// All that is wrong with `root`, in the order of the schema.
pub(super) fn check(root: &Node, file: &str) -> Vec<ConfigError> {
    let mut check = Check { file, errors: Vec::new() };
    check.node(root, &SCHEMA, "");
    check.errors
}

struct Check<'a> {
    file: &'a str,
    errors: Vec<ConfigError>,
}

impl Check<'_> {
    fn node(&mut self, node: &Node, schema: &Value, key: &str) {
        if !types(schema).into_iter().any(|name| has_type(&node.value, name)) {
            self.refuse(node.at, key, in_words(schema), found(&node.value));
            return;
        }
        match &node.value {
            Content::Object(members) => self.block(node, members, schema, key),
            Content::List(nodes) => self.list(node, nodes, schema, key),
            Content::Scalar(value) => self.scalar(node.at, value, schema, key),
        }
    }

    fn block(&mut self, node: &Node, members: &[Member], schema: &Value, key: &str) {
        for member in members {
            let dotted = join(key, &member.key);
            match properties(schema).find(|(known, _)| *known == member.key) {
                Some((_, schema)) => self.node(&member.node, schema, &dotted),
                None => self.unknown_key(member, schema, key),
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for missing in required.filter_map(Value::as_str) {
            if node.member(missing).is_none() {
                let expected = properties(schema)
                    .find(|(known, _)| *known == missing)
                    .map_or_else(String::new, |(_, schema)| in_words(schema));
                self.refuse(node.at, &join(key, missing), expected, "no such key".to_owned());
            }
        }
    }

    fn unknown_key(&mut self, member: &Member, schema: &Value, key: &str) {
        let siblings: Vec<&str> = properties(schema).map(|(known, _)| known).collect();
        // A key in the wrong block is as common as a misspelt one.
        let meant = nearest(&member.key, siblings.iter().copied())
            .map(|sibling| join(key, sibling))
            .or_else(|| key_elsewhere(&member.key));
        let place = if key.is_empty() { "a key of a robot file" } else { "a key of this block" };
        let expected = match &meant {
            Some(_) => place.to_owned(),
            None => format!("{place}: {}", siblings.join(", ")),
        };
        let dotted = join(key, &member.key);
        self.errors.push(
            ConfigError::whole_file(self.file, expected, "an unknown key")
                .at(member.key_at.line, member.key_at.column)
                .key(dotted)
                .nearest(meant),
        );
    }

    fn list(&mut self, node: &Node, nodes: &[Node], schema: &Value, key: &str) {
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
        if nodes.len() as u64 > most {
            self.refuse(node.at, key, in_words(schema), format!("{} entries", nodes.len()));
        }
        if let Some(items) = schema.get("items") {
            for (i, node) in nodes.iter().enumerate() {
                self.node(node, items, &join(key, &i.to_string()));
            }
        }
    }

    fn scalar(&mut self, at: Position, value: &Value, schema: &Value, key: &str) {
        let choices = choices(schema);
        if let Some(text) = value.as_str()
            && !choices.is_empty()
            && !choices.contains(&text)
        {
            self.errors.push(
                ConfigError::whole_file(self.file, in_words(schema), shortened(&value.to_string()))
                    .at(at.line, at.column)
                    .key(key)
                    .nearest(nearest(text, choices)),
            );
        }
        if let Some(number) = value.as_f64() {
            let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
            let inside = bound("minimum").is_none_or(|min| number >= min)
                && bound("maximum").is_none_or(|max| number <= max);
            // A key without a range of its own (an id in a list) is held to its 32 bits.
            let fits = schema.get("format").and_then(Value::as_str) != Some("uint32")
                || number <= f64::from(u32::MAX);
            if !inside || !fits {
                self.refuse(at, key, in_words(schema), shortened(&value.to_string()));
            }
        }
    }

    fn refuse(&mut self, at: Position, key: &str, expected: String, found: String) {
        self.errors.push(
            ConfigError::whole_file(self.file, expected, found).at(at.line, at.column).key(key),
        );
    }
}

fn join(block: &str, key: &str) -> String {
    if block.is_empty() { key.to_owned() } else { format!("{block}.{key}") }
}

/// The dotted path of the first key anywhere in the schema that is exactly, or else nearly, called
/// `key`.
fn key_elsewhere(key: &str) -> Option<String> {
    let mut paths = Vec::new();
    leaf_paths(&SCHEMA, "", &mut paths);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let names: Vec<String> = paths.iter().map(|path| last(path)).collect();
    let meant = nearest(key, names.iter().map(String::as_str))?;
    paths.into_iter().find(|path| last(path) == meant)
}

fn leaf_paths(schema: &Value, block: &str, paths: &mut Vec<String>) {
    for (key, schema) in properties(schema) {
        let dotted = join(block, key);
        if properties(schema).next().is_some() {
            leaf_paths(schema, &dotted, paths);
        } else {
            paths.push(dotted);
        }
    }
}

fn has_type(content: &Content, name: &str) -> bool {
    match (content, name) {
        (Content::Object(_), "object") | (Content::List(_), "array") => true,
        (Content::Scalar(value), "integer") => value.is_u64() || value.is_i64(),
        (Content::Scalar(value), "number") => value.is_number(),
        (Content::Scalar(value), "string") => value.is_string(),
        (Content::Scalar(value), "boolean") => value.is_boolean(),
        (Content::Scalar(value), "null") => value.is_null(),
        _ => false,
    }
}

fn found(content: &Content) -> String {
    match content {
        Content::Object(_) => "an object".to_owned(),
        Content::List(_) => "a list".to_owned(),
        Content::Scalar(value) => shortened(&value.to_string()),
    }
}
