//! The proofs that are programs of the crates they prove: crash images of `rlds`, kills of
//! `rlds-logger`. Each tells how far it is on stderr, and what it came to as one JSON object on stdout.
//! Tests: below.

use super::{Args, Outcome};
use crate::Problem;
use crate::workspace::{cargo, said, succeeds, target_directory};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// Package and example.
const CRASH_IMAGES: (&str, &str) = ("rlds", "crash_images");
const KILLS: (&str, &str) = ("rlds-logger", "kills");
/// Whom `kills` kills: a binary of the same package.
const RECORDER: &str = "rlds-logger";

pub(super) fn crash_images_ready(_: &Args) -> Result<(), Problem> {
    build(CRASH_IMAGES, &[])
}

pub(super) fn crash_images(args: &Args) -> Result<Outcome, Problem> {
    let mut program = Command::new(built("examples")?.join(CRASH_IMAGES.1));
    run(program.arg(args.images.to_string()).arg(args.seed.to_string()))
}

pub(super) fn kills_ready(_: &Args) -> Result<(), Problem> {
    build(KILLS, &["--bin", RECORDER])
}

pub(super) fn kills(args: &Args) -> Result<Outcome, Problem> {
    let mut program = Command::new(built("examples")?.join(KILLS.1));
    program.arg(built("")?.join(RECORDER));
    run(program.arg(args.kills.to_string()).arg(args.seed.to_string()))
}

fn build((package, example): (&str, &str), also: &[&str]) -> Result<(), Problem> {
    let example = ["build", "--release", "-p", package, "--example", example];
    if succeeds(cargo().args(example).args(also))? {
        Ok(())
    } else {
        Err(Problem::NotPossible(format!("the build of {package} failed: see above")))
    }
}

fn built(folder: &str) -> Result<PathBuf, String> {
    Ok(target_directory()?.join("release").join(folder))
}

fn run(program: &mut Command) -> Result<Outcome, Problem> {
    let (is_good, text) = said(program)?;
    let told = outcome(is_good, &text);
    told.ok_or_else(|| Problem::NotPossible(format!("{program:?}: not understood: {text}")))
}

/// What a campaign told; it is good only if its exit code says so too.
fn outcome(is_good: bool, text: &str) -> Option<Outcome> {
    let told: Value = serde_json::from_str(text).ok()?;
    Some(Outcome {
        good: is_good && told["good"].as_bool()?,
        line: told["line"].as_str()?.to_owned(),
        details: Vec::new(),
        figures: told["figures"].clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::{CRASH_IMAGES, KILLS, RECORDER, outcome};
    use crate::workspace::metadata;

    #[test]
    fn a_campaign_is_good_if_both_its_words_and_its_exit_code_say_so() {
        let told =
            |good: bool| format!("{{\"good\":{good},\"line\":\"1 kill\",\"figures\":{{}}}}\n");
        assert!(outcome(true, &told(true)).expect("it is whole").good);
        assert!(!outcome(true, &told(false)).expect("it is whole").good);
        assert!(!outcome(false, &told(true)).expect("it is whole").good);
        assert_eq!(outcome(true, "3 kills\n"), None);
        assert_eq!(outcome(true, "{\"good\":true}"), None, "nothing is said of what was done");
    }

    #[test]
    fn campaigns_are_examples_of_their_packages() {
        let metadata = metadata().expect("cargo knows its members");
        let packages = metadata["packages"].as_array().expect("a list");
        let has = |package: &str, kind: &str, name: &str| {
            let found = packages.iter().find(|found| found["name"] == package).expect(package);
            let targets = found["targets"].as_array().expect("a list");
            targets.iter().any(|target| target["kind"][0] == kind && target["name"] == name)
        };
        for (package, example) in [CRASH_IMAGES, KILLS] {
            assert!(has(package, "example", example), "{package} has no example {example}");
        }
        assert!(has(KILLS.0, "bin", RECORDER));
    }
}
