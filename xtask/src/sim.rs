//! `cargo xtask sim`: builds only what a run needs, says how long that took, and becomes `continuon sim`.

use crate::Answer;
use crate::workspace::{cargo, succeeds, target_directory};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

/// Programs of a run in real time: (package, binary).
const REAL_TIME: [(&str, &str); 5] = [
    ("fast-loop", "fast-loop"),
    ("hil", "plant"),
    ("pilot", "pilot"),
    ("rlds-logger", "rlds-logger"),
    ("continuon", "continuon"),
];
/// The one that a person drives with, beside them.
const TELEOP: (&str, &str) = ("teleop", "teleop");
/// Programs of a run in virtual time.
const VIRTUAL: [(&str, &str); 2] = [("tests", "virtual-sim"), ("continuon", "continuon")];

pub(crate) fn run(args: &[OsString]) -> Answer {
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let mut programs = if has("--virtual") { VIRTUAL.to_vec() } else { REAL_TIME.to_vec() };
    if has("teleop") || has("--drive=teleop") {
        programs.push(TELEOP);
    }
    let begin = Instant::now();
    if !succeeds(cargo().args(build_arguments(&programs)))? {
        return Err("the build failed: see above".to_owned().into());
    }
    // On stderr: stdout is the report's alone.
    eprintln!("xtask: built in {:.1} s", begin.elapsed().as_secs_f64());
    let continuon = target_directory()?.join("release").join("continuon");
    // It takes our place, so that Ctrl-C and its exit code are its own.
    let error = Command::new(&continuon).arg("sim").args(args).exec();
    Err(format!("{}: {error}", continuon.display()).into())
}

fn build_arguments(programs: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    let mut arguments = vec!["build", "--release"];
    for (package, binary) in programs {
        arguments.extend(["-p", package, "--bin", binary]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::{REAL_TIME, TELEOP, VIRTUAL, build_arguments};
    use crate::workspace::metadata;
    use serde_json::Value;

    #[test]
    fn each_program_of_a_run_is_a_binary_of_its_package() {
        let metadata = metadata().expect("cargo knows its members");
        let packages = metadata["packages"].as_array().expect("a list");
        for (package, binary) in REAL_TIME.iter().chain(&VIRTUAL).chain([&TELEOP]) {
            let found = packages.iter().find(|found| found["name"] == *package).expect(package);
            let targets = found["targets"].as_array().expect("a list");
            let is_it = |target: &Value| target["name"] == *binary && target["kind"][0] == "bin";
            assert!(targets.iter().any(is_it), "{package} has no binary {binary}");
        }
        let arguments = build_arguments(&REAL_TIME);
        assert_eq!(arguments.iter().filter(|argument| **argument == "--bin").count(), 5);
    }
}
