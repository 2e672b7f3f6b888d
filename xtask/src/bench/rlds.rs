//! `cargo xtask bench rlds`: what episodes cost to record, to check and to export.
//!
//! Decides what is built and which Python stands beside it. It fetches nothing: where there is no
//! Python with tensorflow it says how one is made. Tests: below, and the marks in bench.rs.

use super::{build, measure, measure_into_readme};
use crate::workspace::target_directory;
use crate::{Answer, Problem};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the marks of its table in README.md are called.
pub(super) const TABLE: &str = "bench-rlds";
/// Programs that are measured, built as they are for the robot; the example is the recorder with a
/// camera that is none.
const MEASURED: [&[&str]; 2] = [
    &["-p", "fast-loop", "-p", "rlds-logger", "-p", "continuon"],
    &["-p", "rlds-logger", "--example", "recorder_with_camera"],
];
/// What the peer in Python needs, as `.ci/run` installs it.
const TENSORFLOW: &str = "tensorflow-cpu==2.21.0";
/// The figures of its table.
const FIGURES: [&str; 6] = ["framing", "steps", "export", "live", "recovery", "hour"];
/// Those that a Python peer stands beside.
const WITH_PYTHON: [&str; 2] = ["framing", "steps"];

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench rlds --quick             check the harness; without --quick, the figures
  cargo xtask bench rlds --only recovery     one figure; without framing and steps, no Python
  cargo xtask bench rlds --python venv/bin/python
  cargo xtask bench rlds --update-readme     the table in README.md

Exit codes: 0 measured, whether goals are met or not; 1 a figure could not be taken; 3 not possible
here (and how it would be).";

/// What a person may ask for.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Short windows and episodes: checks the harness in some minutes; not to be quoted.
    #[arg(long)]
    quick: bool,
    /// This figure only; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = FIGURES)]
    only: Vec<String>,
    /// One JSON object on stdout instead of a table.
    #[arg(long)]
    json: bool,
    /// Put the table into README.md, between its bench-rlds marks.
    #[arg(long, conflicts_with_all = ["quick", "only", "json"])]
    update_readme: bool,
    /// A Python that has tensorflow, instead of the one that `.ci/run` makes.
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// What is written goes below this folder, on the disk to be measured.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Answer {
    let target = target_directory()?;
    let python = match &args.python {
        Some(python) => python.clone(),
        None => python_of_ci()?,
    };
    if needs_python(&args.only) && !has_tensorflow(&python) {
        return Err(Problem::NotPossible(how_to_have(&python)));
    }
    let mut bench = Command::new(build(&target, &MEASURED, "peers-rlds")?);
    bench.arg("--programs").arg(target.join("flash")).arg("--python").arg(&python);
    let folder = args.folder.clone().unwrap_or_else(|| target.join("bench-rlds"));
    bench.arg("--folder").arg(folder);
    if args.update_readme {
        return measure_into_readme(&mut bench, TABLE);
    }
    measure(&mut bench, args.quick, args.json, &args.only)
}

fn needs_python(only: &[String]) -> bool {
    only.is_empty() || only.iter().any(|name| WITH_PYTHON.contains(&name.as_str()))
}

/// Where `.ci/run` makes it.
fn python_of_ci() -> Result<PathBuf, String> {
    let place = |name| std::env::var_os(name).filter(|place| !place.is_empty()).map(PathBuf::from);
    let cache = place("XDG_CACHE_HOME").or_else(|| Some(place("HOME")?.join(".cache")));
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME is set: give --python")?;
    Ok(cache.join("continuon/py/bin/python"))
}

fn has_tensorflow(python: &Path) -> bool {
    let find =
        "import importlib.util, sys; sys.exit(importlib.util.find_spec('tensorflow') is None)";
    let mut look = Command::new(python);
    look.args(["-c", find]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    look.status().is_ok_and(|status| status.success())
}

fn how_to_have(python: &Path) -> String {
    // <venv>/bin/python
    let venv = python.parent().and_then(Path::parent).unwrap_or(Path::new("venv")).display();
    format!(
        "{}: no Python with tensorflow, which framing and steps are measured against; make one:\n  \
         python3 -m venv {venv} && {venv}/bin/pip install {TENSORFLOW}\n\
         or leave both figures out: --only export --only live --only recovery --only hour",
        python.display()
    )
}

#[cfg(test)]
mod tests {
    use super::{FIGURES, MEASURED, TENSORFLOW, how_to_have, needs_python};
    use crate::workspace::{metadata, root};
    use std::fs;
    use std::path::Path;

    #[test]
    fn figures_without_a_python_peer_need_none() {
        let only = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(needs_python(&[]));
        assert!(needs_python(&only(&["hour", "steps"])));
        assert!(!needs_python(&only(&["export", "live", "recovery", "hour"])));
    }

    #[test]
    fn each_figure_of_the_program_can_be_asked_for() {
        let source = root().join("hil/peers/src/rlds/mod.rs");
        let source = fs::read_to_string(source).expect("the program's figures");
        assert!(source.contains(&format!("FIGURES: [(&str, Take); {}]", FIGURES.len())));
        for name in FIGURES {
            assert!(source.contains(&format!("(\"{name}\", ")), "{name}");
        }
    }

    #[test]
    fn a_missing_python_is_told_with_the_command_that_makes_it() {
        let words = how_to_have(Path::new("/cache/py/bin/python"));
        let command =
            format!("python3 -m venv /cache/py && /cache/py/bin/pip install {TENSORFLOW}\n");
        assert!(words.contains(&command), "{words}");
        let ci = fs::read_to_string(root().join(".ci/run")).expect("what CI runs");
        assert!(ci.contains(&format!("{TENSORFLOW} ")), "CI installs another tensorflow");
    }

    #[test]
    fn all_that_is_measured_can_be_built() {
        let metadata = metadata().expect("cargo knows its members");
        let packages = metadata["packages"].as_array().expect("a list");
        let names = MEASURED.iter().flat_map(|arguments| arguments.chunks(2));
        for pair in names {
            let [kind, name] = pair else { panic!("{pair:?}") };
            let is_there = match *kind {
                "-p" => packages.iter().any(|package| package["name"] == *name),
                _ => packages
                    .iter()
                    .filter_map(|package| package["targets"].as_array())
                    .flatten()
                    .any(|target| target["kind"][0] == "example" && target["name"] == *name),
            };
            assert!(is_there, "{kind} {name}");
        }
    }
}
