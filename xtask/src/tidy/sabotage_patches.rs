//! Every planted bug still applies to the tree, and says what must catch it.

use super::{Finding, Tree};
use crate::sabotage::{self, FOLDER};
use crate::workspace::root;
use std::process::{Command, Stdio};

pub(crate) fn check(_tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    if !root().join(FOLDER).is_dir() {
        return Ok(("no bugs planted".to_owned(), Vec::new()));
    }
    let bugs = match sabotage::all() {
        Ok(bugs) => bugs,
        Err(what) => return Ok((String::new(), vec![Finding::new(FOLDER, 0, what)])),
    };
    let mut findings = Vec::new();
    for bug in &bugs {
        let applies = Command::new("git")
            .current_dir(root())
            .args(["apply", "--check", "-p1"])
            .arg(&bug.path)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("git: {error}"))?;
        if !applies.status.success() {
            let said = String::from_utf8_lossy(&applies.stderr);
            let said = said.lines().next().unwrap_or_default();
            let file = format!("{FOLDER}/{}.patch", bug.name);
            findings.push(Finding::new(file, 0, format!("does not apply any more: {said}")));
        }
    }
    Ok((format!("{} planted bugs, each applies and names its oracle", bugs.len()), findings))
}
