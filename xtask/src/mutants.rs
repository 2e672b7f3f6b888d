//! `cargo xtask rel mutants`: changes the safety kernel in every way that cargo-mutants knows, one
//! after the other, and asks for each whether the kernel's own tests notice.
//!
//! *What it decides.* The scope (all of `rt-control`) and what counts: a change that lives, or that
//! only makes a test hang, is a no; one that does not compile says nothing. *What it must never do.*
//! Let a file or an attribute leave anything out. Changes a copy of the tree, never the tree. Tests:
//! below.

use crate::workspace::{cargo, files, root, target_directory};
use crate::{Answer, Problem};
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;

/// Whose code is changed, and whose tests must notice.
const PACKAGE: &str = "rt-control";
/// Its folder.
const FOLDER: &str = "rt-core/control/";
/// Attribute and macro by which code can ask to be left alone.
const SKIP: &str = concat!("mutants", "::");
/// A test that takes so much longer than any does hangs.
const HANGS_AFTER_S: &str = "120";

pub(crate) fn run(json: bool) -> Answer {
    let mut there = cargo();
    there.args(["mutants", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !there.status().is_ok_and(|status| status.success()) {
        let install = "`cargo install --locked cargo-mutants` (27.1.0 is known to do)";
        return Err(Problem::NotPossible(format!("mutants: cargo-mutants is not here: {install}")));
    }
    for file in files()?.iter().filter(|file| file.starts_with(FOLDER)) {
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        if text.contains(SKIP) {
            eprintln!("mutants: {}: asks to be left alone, expected no such word", file.display());
            return Ok(false);
        }
    }
    let folder = target_directory()?.join("mutants");
    let mut mutants = cargo();
    mutants
        .args(["mutants", "--no-config", "--package", PACKAGE, "--profile", "release"])
        .args(["--colors", "never", "--timeout", HANGS_AFTER_S, "--cargo-test-arg=--tests"])
        .arg("--output")
        .arg(&folder)
        .env("CARGO_INCREMENTAL", "1")
        // The copy is built anew: it must not pass for the tree in a folder that both share.
        .env_remove("CARGO_TARGET_DIR");
    // Its progress is no answer.
    mutants.stdout(std::io::stderr());
    let status = mutants.status().map_err(|error| format!("cargo mutants: {error}"))?;
    let path = folder.join("mutants.out").join("outcomes.json");
    // 0: all are noticed, 2: some are missed, 3: some make a test hang.
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        let log = folder.join("mutants.out").join("log");
        let why = format!("cargo mutants: {status}; see above, and {}", log.display());
        return Err(Problem::NotPossible(why));
    }
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let outcomes: Value =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let found = Found::of(&outcomes)
        .ok_or_else(|| format!("{}: not what cargo-mutants 27 writes", path.display()))?;
    if json {
        println!("{}", found.to_json())
    } else {
        print!("{}", found.to_text())
    }
    Ok(found.is_good())
}

/// What became of every change.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    caught: u64,
    unviable: u64,
    /// Those that live, and those that make a test hang.
    alive: Vec<String>,
}

impl Found {
    /// Out of cargo-mutants' own file; `None` if that is not understood, or does not add up.
    fn of(outcomes: &Value) -> Option<Self> {
        let count = |key: &str| outcomes[key].as_u64();
        let is_alive =
            |one: &&Value| matches!(one["summary"].as_str(), Some("MissedMutant" | "Timeout"));
        let name = |one: &Value| one["scenario"]["Mutant"]["name"].as_str().map(str::to_owned);
        let alive: Option<Vec<_>> =
            outcomes["outcomes"].as_array()?.iter().filter(is_alive).map(name).collect();
        let found = Self { caught: count("caught")?, unviable: count("unviable")?, alive: alive? };
        let judged = found.caught + found.unviable + found.alive.len() as u64;
        (judged == count("total_mutants")? && found.caught > 0).then_some(found)
    }

    fn is_good(&self) -> bool {
        self.alive.is_empty()
    }

    fn to_text(&self) -> String {
        let alive: String = self.alive.iter().map(|name| format!("alive: {name}\n")).collect();
        let (caught, unviable) = (self.caught, self.unviable);
        let counts = format!("caught {caught}, alive {}, not viable {unviable}", self.alive.len());
        format!("{alive}mutants of {PACKAGE}: {counts}\n")
    }

    fn to_json(&self) -> Value {
        json!({
            "package": PACKAGE,
            "caught": self.caught,
            "alive": self.alive,
            "unviable": self.unviable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Found;
    use serde_json::{Value, json};

    fn outcomes(summaries: &[&str], caught: u64) -> Value {
        let one =
            |summary: &&str| json!({"scenario": {"Mutant": {"name": "x"}}, "summary": summary});
        json!({
            "outcomes": summaries.iter().map(one).collect::<Vec<_>>(),
            "total_mutants": summaries.len(),
            "caught": caught,
            "unviable": 1,
        })
    }

    #[test]
    fn a_mutant_that_lives_or_hangs_is_a_no_and_is_named() {
        let good = Found::of(&outcomes(&["CaughtMutant", "Unviable"], 1)).expect("it adds up");
        assert!(good.is_good());
        assert_eq!(good.to_text(), "mutants of rt-control: caught 1, alive 0, not viable 1\n");
        for alive in ["MissedMutant", "Timeout"] {
            let found = Found::of(&outcomes(&["CaughtMutant", "Unviable", alive], 1));
            let found = found.expect("it adds up");
            assert!(!found.is_good());
            assert!(found.to_text().starts_with("alive: x\n"), "{}", found.to_text());
            assert_eq!(found.to_json()["alive"], json!(["x"]));
        }
    }

    #[test]
    fn a_file_that_does_not_add_up_is_no_answer() {
        assert_eq!(Found::of(&outcomes(&["CaughtMutant", "Unviable", "Unknown"], 1)), None);
        assert_eq!(Found::of(&outcomes(&["Unviable"], 0)), None, "nothing was tried");
        assert_eq!(Found::of(&json!({})), None);
    }
}
