//! Which lines of each reader and importer the seeds and the corpus reach.
//!
//! *What it decides.* The floor, of each file and of all together. Which sources a target is to reach
//! stands beside the target (rlds-formats/fuzz/src/lib.rs). *What it must never do.* Count what only
//! another test reaches: `replay` runs the inputs of each target, and nothing else. Tests: below.

use super::fuzz::HARNESS;
use super::{Args, Outcome, folder, progress};
use crate::Problem;
use crate::workspace::{cargo, output, root, succeeds};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Percent of the lines.
const FLOOR: f64 = 85.0;
/// Lines that are not reached and are named, of a file below the floor.
const NAMED_MAX: usize = 60;

/// A tool of LLVM, in the version of the toolchain that compiles.
fn llvm(tool: &str) -> Result<Command, Problem> {
    let libraries =
        output(Command::new("rustc").current_dir(root()).args(["--print", "target-libdir"]))?;
    let path = Path::new(libraries.trim()).with_file_name("bin").join(tool);
    if path.is_file() {
        Ok(Command::new(path))
    } else {
        let install = "`rustup component add llvm-tools`";
        Err(Problem::NotPossible(format!("rel rlds: {tool} is not here: {install}")))
    }
}

pub(super) fn ready(_: &Args) -> Result<(), Problem> {
    llvm("llvm-profdata")?;
    llvm("llvm-cov")?;
    let mut build = cargo();
    build
        .args(["build", "--release", "--no-default-features", "--bin", "replay", "--manifest-path"])
        .arg(Path::new(HARNESS).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(folder()?.join("coverage"))
        .env("RUSTFLAGS", "-C instrument-coverage")
        // Lines are the same, and it is built in half the time.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    if succeeds(&mut build)? {
        Ok(())
    } else {
        Err(Problem::NotPossible("the replay of inputs does not build: see above".to_owned()))
    }
}

pub(super) fn run(_: &Args) -> Result<Outcome, Problem> {
    let folder = folder()?;
    let replay = folder.join("coverage/release/replay");
    let profiles = folder.join("profiles");
    // Those of another build would be counted for this one.
    if profiles.exists() {
        fs::remove_dir_all(&profiles)
            .map_err(|error| format!("{}: {error}", profiles.display()))?;
    }
    let listed = output(Command::new(&replay).env("LLVM_PROFILE_FILE", "/dev/null"))?;
    let targets = targets(&listed);
    let (mut inputs, mut failed) = (0, Vec::new());
    let mut raw = Vec::new();
    for name in targets.keys() {
        let seeds = root().join(HARNESS).join("seeds").join(name);
        let corpus = folder.join("corpus").join(name);
        let there: Vec<&PathBuf> =
            [&seeds, &corpus].into_iter().filter(|path| path.is_dir()).collect();
        let count = |path: &&PathBuf| fs::read_dir(path).map_or(0, Iterator::count);
        let here: usize = there.iter().map(count).sum();
        inputs += here;
        progress(&format!("fuzz-coverage: {name}: {here} inputs"));
        let profile = profiles.join(format!("{name}.profraw"));
        let mut again = Command::new(&replay);
        again.arg(name).args(there).env("LLVM_PROFILE_FILE", &profile).stdin(Stdio::null());
        if !succeeds(again.stdout(std::io::stderr()))? {
            failed.push(name.clone());
        }
        raw.push(profile);
    }
    let merged = folder.join("all.profdata");
    let raw = raw.iter().filter(|profile| profile.is_file());
    output(llvm("llvm-profdata")?.args(["merge", "-sparse", "-o"]).arg(&merged).args(raw))?;
    let mut export = llvm("llvm-cov")?;
    export.args(["export", "-format=lcov", "-instr-profile"]).arg(&merged).arg(&replay);
    let reached = reached(&output(&mut export)?);
    let sources: BTreeSet<&String> = targets.values().flatten().collect();
    let mut files = Vec::new();
    for source in sources {
        let end = format!("/sidecars/{source}");
        let lines = reached.iter().find(|(path, _)| path.ends_with(&end));
        let lines = lines.map(|(_, lines)| lines.clone());
        files.push(Covered { source: source.clone(), lines: lines.unwrap_or_default() });
    }
    Ok(outcome(&files, inputs, &failed))
}

/// Sources of each target: `NAME SOURCE…`, a line each.
fn targets(listed: &str) -> BTreeMap<String, Vec<String>> {
    let target = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some((words.next()?, words.collect()))
    };
    listed.lines().filter_map(target).collect()
}

/// Lines of every file, and whether they were reached, out of lcov's form.
fn reached(lcov: &str) -> BTreeMap<String, BTreeMap<u32, bool>> {
    let mut files: BTreeMap<String, BTreeMap<u32, bool>> = BTreeMap::new();
    let mut file = String::new();
    for line in lcov.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            path.clone_into(&mut file);
        } else if let Some((number, count)) =
            line.strip_prefix("DA:").and_then(|l| l.split_once(','))
            && let Ok(number) = number.parse()
        {
            let is_reached = count.split(',').next().is_some_and(|count| count != "0");
            *files.entry(file.clone()).or_default().entry(number).or_default() |= is_reached;
        }
    }
    files
}

/// A source and its lines.
struct Covered {
    source: String,
    lines: BTreeMap<u32, bool>,
}

impl Covered {
    fn reached(&self) -> usize {
        self.lines.values().filter(|is_reached| **is_reached).count()
    }

    fn percent(&self) -> f64 {
        percent(self.reached(), self.lines.len())
    }

    fn in_words(&self) -> String {
        let (reached, all) = (self.reached(), self.lines.len());
        let mut words =
            format!("{:<36} {:5.1} %  {reached:>4} of {all:>4} lines", self.source, self.percent());
        if self.percent() < FLOOR {
            let missed = self.lines.iter().filter(|(_, is_reached)| !**is_reached);
            let missed: Vec<String> =
                missed.map(|(number, _)| number.to_string()).take(NAMED_MAX).collect();
            words += &format!("  below {FLOOR} %, not reached: {}", missed.join(" "));
        }
        words
    }
}

/// Nothing of nothing is not reached: a source without lines is not what was compiled.
fn percent(reached: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { 100.0 * reached as f64 / all as f64 }
}

fn outcome(files: &[Covered], inputs: usize, failed: &[String]) -> Outcome {
    let (reached, all) = (
        files.iter().map(Covered::reached).sum::<usize>(),
        files.iter().map(|file| file.lines.len()).sum::<usize>(),
    );
    let below: Vec<&str> = files
        .iter()
        .filter(|file| file.percent() < FLOOR)
        .map(|file| file.source.as_str())
        .collect();
    let sum = percent(reached, all);
    let mut line = format!(
        "{sum:.1} % of {all} lines in {} files, {inputs} inputs, floor {FLOOR} %; {} below",
        files.len(),
        below.len(),
    );
    if !failed.is_empty() {
        line += &format!("; an input fails in {}", failed.join(", "));
    }
    Outcome {
        good: sum >= FLOOR && below.is_empty() && failed.is_empty(),
        line,
        details: files.iter().map(Covered::in_words).collect(),
        figures: json!({
            "floor_percent": FLOOR,
            "percent": sum,
            "lines": all,
            "reached": reached,
            "inputs": inputs,
            "below": below,
            "failed": failed,
            "files": files.iter().map(|file| json!({
                "source": file.source,
                "lines": file.lines.len(),
                "reached": file.reached(),
                "percent": file.percent(),
            })).collect::<Vec<_>>(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Covered, outcome, reached, targets};

    const LCOV: &str = "\
SF:/x/sidecars/rlds/src/note.rs
DA:1,7
DA:2,0
end_of_record
SF:/x/sidecars/rlds/src/batch.rs
DA:5,1
DA:5,0
DA:6,18446744073709551615
end_of_record
";

    fn covered(reached: u32, all: u32) -> Covered {
        let lines = (1..=all).map(|number| (number, number <= reached)).collect();
        Covered { source: format!("{reached} of {all}"), lines }
    }

    #[test]
    fn a_line_is_reached_if_any_of_its_instances_is() {
        let reached = reached(LCOV);
        let note = &reached["/x/sidecars/rlds/src/note.rs"];
        assert_eq!(note.values().copied().collect::<Vec<_>>(), [true, false]);
        assert!(reached["/x/sidecars/rlds/src/batch.rs"].values().all(|is_reached| *is_reached));
    }

    #[test]
    fn one_file_below_the_floor_is_a_no_whatever_the_sum() {
        assert!(outcome(&[covered(85, 100), covered(1000, 1000)], 3, &[]).good);
        let below = outcome(&[covered(84, 100), covered(1000, 1000)], 3, &[]);
        assert!(!below.good);
        assert_eq!(below.figures["below"], serde_json::json!(["84 of 100"]));
        assert!(below.details[0].contains("not reached: 85 86 87"), "{}", below.details[0]);
    }

    #[test]
    fn an_input_that_fails_and_a_source_that_is_not_there_are_a_no() {
        assert!(!outcome(&[covered(100, 100)], 3, &["note".to_owned()]).good);
        assert!(!outcome(&[covered(100, 100), covered(0, 0)], 3, &[]).good);
    }

    #[test]
    fn targets_and_their_sources_are_those_that_replay_lists() {
        let listed = targets("note rlds/src/note.rs\nlz4 a.rs b.rs\n");
        assert_eq!(listed["lz4"], ["a.rs", "b.rs"]);
        assert_eq!(listed.len(), 2);
    }
}
