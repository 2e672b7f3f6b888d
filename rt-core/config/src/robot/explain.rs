//! A robot file and what its keys mean, side by side: what `continuon config explain FILE` prints.
//!
//! Decides nothing; the words are the schema's. Tests: tests/robots.rs.

use super::Robot;
use super::schema::{SCHEMA, choices, in_words, properties};
use crate::ConfigErrors;
use crate::json::{Node, parse};
use serde_json::Value;

/// Every key of a robot file, or of the built-in robot of that name: its value, where it comes from,
/// its range, unit and default, and what it is for. Errors: as [`Robot::resolve`].
pub fn explain(name_or_file: &str) -> Result<String, ConfigErrors> {
    let (text, name) = super::resolve(name_or_file)?;
    let robot = Robot::from_json(&text, &name)?;
    // The text has just been read as JSON; without positions every value would only be called a
    // default.
    let written = parse(&text).ok();
    let mut out = format!("{name}: robot {}, config hash {:016x}\n", robot.name(), robot.hash());
    block(&mut out, &SCHEMA, &robot.file().as_value(), written.as_ref(), "");
    Ok(out)
}

fn block(out: &mut String, schema: &Value, values: &Value, written: Option<&Node>, path: &str) {
    // The path of the schema is for editors, not for people.
    for (key, schema) in properties(schema).filter(|(key, _)| *key != "$schema") {
        let dotted = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let value = values.get(key).unwrap_or(&Value::Null);
        let member = written.and_then(|node| node.member(key));
        if properties(schema).next().is_some() {
            line(out, &format!("\n{dotted}: {}", sentence(schema)));
            block(out, schema, value, member.map(|member| &member.node), &dotted);
        } else {
            let origin = match member {
                Some(member) => format!("line {}", member.key_at.line),
                None => "default, not in the file".to_owned(),
            };
            leaf(out, &dotted, value, schema, &origin);
        }
    }
}

fn leaf(out: &mut String, dotted: &str, value: &Value, schema: &Value, origin: &str) {
    let unit = schema.get("x-unit").and_then(Value::as_str).unwrap_or_default();
    let default = match schema.get("default") {
        Some(default) => format!("; default {default}"),
        None => String::new(),
    };
    line(out, format!("  {dotted} = {value} {unit}").trim_end());
    line(out, &format!("      {}", sentence(schema)));
    line(out, &format!("      {}{default}; {origin}", in_words(schema)));
    if !choices(schema).is_empty() {
        for choice in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            let name = choice.get("const").and_then(Value::as_str).unwrap_or_default();
            line(out, &format!("      {name}: {}", sentence(choice)));
        }
    }
}

fn sentence(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
