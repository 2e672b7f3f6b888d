//! `cargo xtask bench`: builds the peers and what they are held against, and takes every figure.
//!
//! It measures nothing itself: the program of `hil/peers` does, a workspace of its own, because what
//! it measures against is heavy. Progress goes to stderr, the result alone to stdout. Tests: below.

use crate::Answer;
use crate::workspace::{cargo, root, said, succeeds, target_directory};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Programs that are measured, built as they are for the robot.
const MEASURED: [&str; 2] = ["fast-loop", "rlds-logger"];
const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// What a person may ask for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Short windows: checks the harness in about two minutes; not to be quoted.
    #[arg(long)]
    quick: bool,
    /// This figure only; may be given several times (startup, wakeup, actuation, step, transport, log,
    /// faults, logger).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// One JSON object on stdout instead of a table.
    #[arg(long)]
    json: bool,
    /// Put the table into README.md, between its bench marks.
    #[arg(long, conflicts_with_all = ["quick", "only", "json"])]
    update_readme: bool,
}

pub(crate) fn run(args: &Args) -> Answer {
    let target = target_directory()?;
    let peers = build(&target)?;
    let mut bench = Command::new(peers);
    for (option, program) in ["--fast-loop", "--rlds-logger"].iter().zip(MEASURED) {
        bench.arg(option).arg(target.join("flash").join(program));
    }
    if args.update_readme {
        // A goal that was missed stands in the table like one that was met.
        let (are_met, table) = said(bench.args(["--format", "markdown"]))?;
        print!("{table}");
        return Ok(update_readme(&table)? && are_met);
    }
    bench.args(args.quick.then_some("--quick"));
    bench.args(args.json.then_some("--format=json"));
    for name in &args.only {
        bench.arg("--only").arg(name);
    }
    Ok(succeeds(&mut bench)?)
}

/// Builds all that is measured; the bench program's path.
fn build(target: &Path) -> Result<std::path::PathBuf, String> {
    let packages = MEASURED.iter().flat_map(|package| ["-p", package]);
    let measured = succeeds(cargo().args(["build", "--profile", "flash"]).args(packages))?;
    let peers = target.join("peers");
    let manifest = root().join("hil/peers/Cargo.toml");
    let built = measured
        && succeeds(
            cargo()
                .args(["build", "--release", "--locked", "--manifest-path"])
                .arg(manifest)
                .arg("--target-dir")
                .arg(&peers),
        )?;
    if !built {
        return Err("the build failed: see above".to_owned());
    }
    Ok(peers.join("release").join("peers"))
}

fn update_readme(table: &str) -> Answer {
    let path = root().join("README.md");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(&path).map_err(failed)?;
    let text = between_marks(&text, table).ok_or_else(|| {
        format!(
            "{}: expected one {BEGIN} and one {END} after it, found none or several",
            path.display()
        )
    })?;
    fs::write(&path, text).map_err(failed)?;
    eprintln!("xtask: {} has the new table", path.display());
    Ok(true)
}

/// `text` with `table` between its marks; `None` where it has not exactly one pair.
fn between_marks(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (old, after) = rest.split_once(END)?;
    if old.contains(BEGIN) || after.contains(BEGIN) || after.contains(END) {
        return None;
    }
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", table.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, between_marks};
    use crate::workspace::root;

    #[test]
    fn a_new_table_takes_the_place_of_the_old_one_and_of_nothing_else() {
        let first = between_marks(&format!("a\n{BEGIN}\n{END}\nb\n"), "| 1 |\n").expect("marks");
        assert_eq!(first, format!("a\n{BEGIN}\n| 1 |\n{END}\nb\n"));
        let second = between_marks(&first, "| 2 |\n").expect("marks");
        assert_eq!(second, format!("a\n{BEGIN}\n| 2 |\n{END}\nb\n"));
    }

    #[test]
    fn missing_or_doubled_marks_are_refused() {
        for text in [
            "none".to_owned(),
            BEGIN.to_owned(),
            format!("{END}{BEGIN}"),
            format!("{BEGIN}{END}{BEGIN}{END}"),
        ] {
            assert_eq!(between_marks(&text, "x"), None, "{text}");
        }
    }

    #[test]
    fn the_readme_has_its_marks() {
        let text = std::fs::read_to_string(root().join("README.md")).expect("a README");
        assert!(between_marks(&text, "x").is_some());
    }
}
