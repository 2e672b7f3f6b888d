//! `cargo xtask rel …`: the proofs that take too long for every change.
//!
//! It proves nothing itself: `safety` builds the program `rel-safety` of the `tests` crate, whose table
//! says which proofs there are, and becomes it; `rlds` is in rel_rlds/, `mutants` in mutants.rs. Tests:
//! below.

use crate::workspace::{cargo, succeeds, target_directory};
use crate::{Answer, mutants, rel_rlds};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Package and binary of the proofs.
const PROGRAM: (&str, &str) = ("tests", "rel-safety");

/// What is proved at length.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum What {
    /// The safety kernel: larger limits, the whole product, and whatever else the table names.
    Safety {
        /// Seed of everything random.
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// One JSON object on stdout instead of text; progress stays on stderr.
        #[arg(long)]
        json: bool,
        /// This proof only; may be given several times.
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// Only say which proofs there are.
        #[arg(long)]
        list: bool,
    },
    /// Episodes: power cuts, kills of the recorder, any bytes for each reader and importer.
    Rlds(rel_rlds::Args),
    /// The safety kernel's tests: every change that cargo-mutants can make to it must fail one.
    Mutants {
        /// One JSON object on stdout instead of text; progress stays on stderr.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(what: &What) -> Answer {
    match what {
        What::Safety { seed, json, only, list } => safety(arguments(*seed, *json, only, *list)),
        What::Rlds(args) => rel_rlds::run(args),
        What::Mutants { json } => mutants::run(*json),
    }
}

fn safety(arguments: Vec<OsString>) -> Answer {
    let (package, binary) = PROGRAM;
    if !succeeds(cargo().args(["build", "--release", "-p", package, "--bin", binary]))? {
        return Err("the build failed: see above".to_owned().into());
    }
    let target = target_directory()?;
    let program = target.join("release").join(binary);
    // It takes our place, so that Ctrl-C and its exit code are its own.
    let error = Command::new(&program)
        .arg("--checkpoints")
        .arg(target.join("rel-safety"))
        .args(arguments)
        .exec();
    Err(format!("{}: {error}", program.display()).into())
}

fn arguments(seed: u64, json: bool, only: &[String], list: bool) -> Vec<OsString> {
    let mut arguments = vec!["--seed".into(), seed.to_string().into()];
    arguments.extend(json.then(|| "--json".into()));
    arguments.extend(list.then(|| "--list".into()));
    arguments.extend(only.iter().flat_map(|name| ["--only".into(), name.into()]));
    arguments
}

#[cfg(test)]
mod tests {
    use super::{PROGRAM, arguments};
    use crate::workspace::metadata;
    use serde_json::Value;

    #[test]
    fn proofs_are_a_binary_of_their_package() {
        let metadata = metadata().expect("cargo knows its members");
        let packages = metadata["packages"].as_array().expect("a list");
        let found = packages.iter().find(|found| found["name"] == PROGRAM.0).expect(PROGRAM.0);
        let targets = found["targets"].as_array().expect("a list");
        let is_it = |target: &Value| target["name"] == PROGRAM.1 && target["kind"][0] == "bin";
        assert!(targets.iter().any(is_it), "{} has no binary {}", PROGRAM.0, PROGRAM.1);
    }

    #[test]
    fn what_a_person_asks_for_reaches_the_proofs() {
        let only = ["one".to_owned(), "two".to_owned()];
        assert_eq!(
            arguments(7, true, &only, false),
            ["--seed", "7", "--json", "--only", "one", "--only", "two"]
        );
    }
}
