//! `continuon rlds fsck`: what is wrong with episodes, and putting them in order.
//!
//! Decides how the answer is told, and the exit code; what is wrong is decided by `rlds::fsck`. Tests:
//! tests/rlds_fsck.rs; what is found and mended, in the rlds crate.

use super::episodes::find_all;
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use crate::progress::Progress;
use clap::Args;
use rlds::fsck::{FsckError, FsckReport, check, repair};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Findings of one episode that are told, unless all are asked for.
const TOLD: usize = 20;

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds fsck                            is the newest episode whole?
  continuon rlds fsck --repair                   and if not: close it, and say what is lost
  continuon rlds fsck rlds/episodes --json

The recording is the truth: steps and metadata are derived from it anew. What is mended is written
beside and renamed; an episode that is being written is left alone.

Exit codes: 0 all whole (or repaired), 1 something is wrong, 2 no episode, 3 not possible here (and why).";

/// Options of `continuon rlds fsck`.
#[derive(Clone, Debug, Args)]
pub struct FsckArgs {
    /// Episodes, folders of episodes, or folders of runs; without any, the newest episode.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Put in order what is wrong.
    #[arg(long)]
    pub repair: bool,
    /// Tell every finding; without it, the first 20 and how many more there are.
    #[arg(long)]
    pub all: bool,
}

/// Runs `continuon rlds fsck`.
///
/// # Errors
/// A path holds no episode.
pub(super) fn command(args: &FsckArgs, json: bool) -> Result<Exit, Failure> {
    let found = find_all(&args.paths)?;
    let progress = Progress::new();
    let mut exit = Exit::Ok;
    let mut all = Vec::new();
    for episode in &found.episodes {
        progress.working(&format!("looking at {}", episode.display()));
        let looked = if args.repair { repair(episode) } else { check(episode) };
        exit = exit.max(exit_of(&looked));
        if json {
            all.push(as_json(episode, &looked));
        } else {
            progress.aside(|| print(&render(episode, &looked, args.all)))?;
        }
    }
    progress.done();
    if json {
        print_line(json!({
            "whole": exit == Exit::Ok,
            "episodes": all,
            "left_out": found.left_out,
        }))?;
    } else {
        for folder in &found.left_out {
            print_line(format!("{}: no episode, left out", folder.display()))?;
        }
    }
    Ok(exit)
}

fn exit_of(looked: &Result<FsckReport, FsckError>) -> Exit {
    match looked {
        Ok(report) if report.is_whole() || report.repaired => Exit::Ok,
        Ok(_) | Err(FsckError::NothingRecorded | FsckError::Content { .. }) => Exit::No,
        Err(FsckError::NoRecording) => Exit::Misuse,
        Err(_) => Exit::NotPossible,
    }
}

fn as_json(episode: &Path, looked: &Result<FsckReport, FsckError>) -> Value {
    match looked {
        Ok(report) => json!({
            "episode": episode,
            "whole": report.is_whole(),
            "repaired": report.repaired,
            "closing": report.note.closing,
            "telemetry_records": report.note.telemetry_records,
            "steps": report.note.steps,
            "lost": report.lost,
            "findings": report.findings,
        }),
        Err(error) => json!({"episode": episode, "whole": false, "error": error.to_string()}),
    }
}

fn render(episode: &Path, looked: &Result<FsckReport, FsckError>, all: bool) -> String {
    let mut text = String::new();
    let episode = episode.display();
    let report = match looked {
        Ok(report) => report,
        Err(error) => return format!("{episode}: {error}\n"),
    };
    let told = if all { usize::MAX } else { TOLD };
    // Writing to a text never fails.
    for finding in report.findings.iter().take(told) {
        writeln!(text, "{episode}/{finding}").ok();
    }
    let more = report.findings.len().saturating_sub(told);
    if more > 0 {
        writeln!(text, "… and {more} more (--all tells each)").ok();
    }
    let (answer, hint) = match (report.is_whole(), report.repaired) {
        (true, _) => ("whole", ""),
        (false, true) => ("repaired", ""),
        (false, false) => ("NOT whole", " (--repair puts it in order)"),
    };
    let lost = match report.lost.as_slice() {
        [] => "0 lost".to_owned(),
        lost => format!("lost: {}", lost.join("; ")),
    };
    let (records, steps) = (report.note.telemetry_records, report.note.steps);
    writeln!(text, "{episode}: {answer}, {records} records, {steps} steps, {lost}{hint}").ok();
    text
}
