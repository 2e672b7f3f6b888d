//! `continuon rlds import`: what other recorders wrote, as episodes of the contract.
//!
//! Decides what is told and the exit code; what a file means, `rlds_formats::import` decides. Tests:
//! tests/rlds_formats.rs.

use super::export::{Watcher, exit_of, render};
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use clap::Args;
use rlds_formats::import::import;
use serde_json::json;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds import ~/mycar/data --to rlds/episodes       a Donkeycar tub, version 2
  continuon rlds import lerobot_data --to rlds/episodes       a LeRobot data set, version 3
  continuon rlds import logs/*.tfrecord.gz episodes/ --to rlds/episodes

What a path is, is told by what lies in it: the contract's directories, strict or not; the shapes of
its other recorders (episode.json, a step a line, one JSON object); its TFRecords; tubs; LeRobot.
What the contract has no place for becomes text in step_metadata; what it demands and the input
lacks is filled with `absent`, and step_metadata[\"import.filled\"] names it. Lost: pictures in video
files or as raw arrays (.npy), a LeRobot data set's statistics, deleted records of a tub.

Exit codes: 0 all imported, 1 something was skipped (by name), 2 nothing could be read,
or the disk refuses.";

/// Options of `continuon rlds import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// Files and directories of other recorders.
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Where the episodes go.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// Runs `continuon rlds import`.
///
/// # Errors
/// The output cannot be written.
pub(super) fn command(args: &ImportArgs, json: bool) -> Result<Exit, Failure> {
    let watcher = Watcher::new("importing");
    let imported = import(&args.paths, &args.to, &mut |progress| watcher.look(progress));
    watcher.done();
    let imported = imported.map_err(|problem| Failure::misuse(problem.to_string()))?;
    let exit = exit_of(&imported.told, !imported.broken.is_empty());
    if json {
        print_line(json!({
            "to": args.to,
            "episodes": imported.told,
            "broken": imported.broken,
            "exit_code": exit.code(),
        }))?;
    } else {
        print(&render(&imported.told, &imported.broken))?;
    }
    Ok(exit)
}
