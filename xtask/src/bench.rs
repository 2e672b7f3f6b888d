//! `cargo xtask bench`: builds the peers and what they are held against, and takes every figure.
//!
//! It measures nothing itself: the programs of `hil/peers` do, a workspace of its own, because what
//! they measure against is heavy. Progress goes to stderr, the result alone to stdout. The recorder and
//! the formats have a table of their own (bench/rlds.rs). Tests: below.

mod rlds;

use crate::Answer;
use crate::workspace::{cargo, root, said, succeeds, target_directory};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs that are measured, built as they are for the robot.
const MEASURED: [&str; 2] = ["fast-loop", "rlds-logger"];
/// What the marks of its table in README.md are called.
const TABLE: &str = "bench";

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench --quick              check the harness; without --quick, the figures
  cargo xtask bench --only step --json   one figure, for a program
  cargo xtask bench rlds                 the recorder and the formats of episodes

Exit codes: 0 measured, whether goals are met or not; 1 a figure could not be taken; 3 not possible here.";

/// What a person may ask for.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    of: Option<Of>,
    #[command(flatten)]
    loop_figures: LoopArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Of {
    /// The recorder, and the formats of episodes.
    Rlds(rlds::Args),
}

/// Options of the loop's own table.
#[derive(Debug, clap::Args)]
struct LoopArgs {
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
    match &args.of {
        Some(Of::Rlds(args)) => rlds::run(args),
        None => run_loop_figures(&args.loop_figures),
    }
}

fn run_loop_figures(args: &LoopArgs) -> Answer {
    let target = target_directory()?;
    let packages: Vec<&str> = MEASURED.iter().flat_map(|package| ["-p", package]).collect();
    let mut bench = Command::new(build(&target, &[&packages], "peers")?);
    for (option, program) in ["--fast-loop", "--rlds-logger"].iter().zip(MEASURED) {
        bench.arg(option).arg(target.join("flash").join(program));
    }
    if args.update_readme {
        return measure_into_readme(&mut bench, TABLE);
    }
    measure(&mut bench, args.quick, args.json, &args.only)
}

/// Takes the figures, and prints them as they are wanted.
fn measure(bench: &mut Command, quick: bool, json: bool, only: &[String]) -> Answer {
    bench.args(quick.then_some("--quick"));
    bench.args(json.then_some("--format=json"));
    for name in only {
        bench.arg("--only").arg(name);
    }
    Ok(succeeds(bench)?)
}

/// Takes all figures, prints them, and puts them between the marks called `table`.
fn measure_into_readme(bench: &mut Command, table: &str) -> Answer {
    // A goal that was missed stands in the table like one that was met.
    let (are_taken, text) = said(bench.args(["--format", "markdown"]))?;
    print!("{text}");
    Ok(update_readme(table, &text)? && are_taken)
}

/// Builds all that is measured, and the program of `hil/peers` that measures it: its path.
fn build(target: &Path, measured: &[&[&str]], program: &str) -> Result<PathBuf, String> {
    let peers = target.join("peers");
    let manifest = root().join("hil/peers/Cargo.toml");
    for arguments in measured {
        if !succeeds(cargo().args(["build", "--profile", "flash"]).args(*arguments))? {
            return Err("the build failed: see above".to_owned());
        }
    }
    let built = succeeds(
        cargo()
            .args(["build", "--release", "--locked", "--bin", program, "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(&peers),
    )?;
    if !built {
        return Err("the build failed: see above".to_owned());
    }
    Ok(peers.join("release").join(program))
}

fn update_readme(table: &str, text: &str) -> Answer {
    let path = root().join("README.md");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let readme = fs::read_to_string(&path).map_err(failed)?;
    let readme = between_marks(&readme, table, text).ok_or_else(|| {
        let [begin, end] = marks(table);
        format!(
            "{}: expected one {begin} and one {end} after it, found none or several",
            path.display()
        )
    })?;
    fs::write(&path, readme).map_err(failed)?;
    eprintln!("xtask: {} has the new table", path.display());
    Ok(true)
}

fn marks(table: &str) -> [String; 2] {
    ["begin", "end"].map(|which| format!("<!-- {table}:{which} -->"))
}

/// `readme` with `text` between the marks of `table`; `None` where it has not exactly one pair.
fn between_marks(readme: &str, table: &str, text: &str) -> Option<String> {
    let [begin, end] = marks(table);
    let (before, rest) = readme.split_once(&begin)?;
    let (old, after) = rest.split_once(&end)?;
    if old.contains(&begin) || after.contains(&begin) || after.contains(&end) {
        return None;
    }
    Some(format!("{before}{begin}\n{}\n{end}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::{TABLE, between_marks, marks, rlds};
    use crate::workspace::root;

    #[test]
    fn a_new_table_takes_the_place_of_the_old_one_and_of_nothing_else() {
        let ([begin, end], [other_begin, other_end]) = (marks(TABLE), marks(rlds::TABLE));
        let other = format!("{other_begin}\n| 0 |\n{other_end}\n");
        let readme = format!("a\n{begin}\n{end}\nb\n{other}");
        let first = between_marks(&readme, TABLE, "| 1 |\n").expect("marks");
        assert_eq!(first, format!("a\n{begin}\n| 1 |\n{end}\nb\n{other}"));
        let second = between_marks(&first, TABLE, "| 2 |\n").expect("marks");
        assert_eq!(second, format!("a\n{begin}\n| 2 |\n{end}\nb\n{other}"));
        let third = between_marks(&second, rlds::TABLE, "| 3 |").expect("marks");
        assert_eq!(third, second.replace("| 0 |", "| 3 |"));
    }

    #[test]
    fn missing_or_doubled_marks_are_refused() {
        let [begin, end] = marks(TABLE);
        for readme in [
            "none".to_owned(),
            begin.clone(),
            format!("{end}{begin}"),
            format!("{begin}{end}{begin}{end}"),
        ] {
            assert_eq!(between_marks(&readme, TABLE, "x"), None, "{readme}");
        }
    }

    #[test]
    fn the_readme_has_its_marks() {
        let text = std::fs::read_to_string(root().join("README.md")).expect("a README");
        for table in [TABLE, rlds::TABLE] {
            assert!(between_marks(&text, table, "x").is_some(), "{table}");
        }
    }
}
