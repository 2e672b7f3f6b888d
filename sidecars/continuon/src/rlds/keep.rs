//! `continuon rlds keep`: marks episodes that the recorder's rotation must not delete.
//!
//! Decides nothing but the answer; the mark is a file in the episode. Tests: tests/rlds_keep.rs.

use super::episodes::find_all;
use crate::exit::{Exit, Failure};
use crate::output::print_line;
use clap::Args;
use rlds::KEEP;
use rt_shm::in_words;
use serde_json::json;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds keep                            the newest episode stays, whatever keep_days says
  continuon rlds keep rlds/episodes/ep_20261120T184405Z_pi5-donkey
  continuon rlds keep rlds/episodes --undo       all of them may be rotated again

The mark is an empty file `keep` in the episode. Exit codes: 0 done, 2 no episode, 3 not possible here
(and why).";

/// Options of `continuon rlds keep`.
#[derive(Clone, Debug, Args)]
pub struct KeepArgs {
    /// Episodes, folders of episodes, or folders of runs; without any, the newest episode.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Take the mark away: the episode may be rotated again.
    #[arg(long)]
    pub undo: bool,
}

/// Runs `continuon rlds keep`.
///
/// # Errors
/// A path holds no episode, or the file system refuses.
pub(super) fn command(args: &KeepArgs, json: bool) -> Result<Exit, Failure> {
    let found = find_all(&args.paths)?;
    let mut changed = 0_u64;
    for episode in &found.episodes {
        let has_changed =
            mark(episode, !args.undo).map_err(|(path, error)| not_marked(&path, error))?;
        changed += u64::from(has_changed);
        if !json {
            let now = if args.undo { "may be rotated" } else { "is kept" };
            let before = if has_changed { "" } else { ", as before" };
            print_line(format!("{}: {now}{before}", episode.display()))?;
        }
    }
    if json {
        print_line(json!({
            "kept": !args.undo,
            "changed": changed,
            "episodes": found.episodes,
            "left_out": found.left_out,
        }))?;
    } else {
        for folder in &found.left_out {
            print_line(format!("{}: no episode, left out", folder.display()))?;
        }
    }
    Ok(Exit::Ok)
}

/// Puts the mark, or takes it away; whether that changed anything.
fn mark(episode: &Path, keep: bool) -> Result<bool, (PathBuf, std::io::Error)> {
    let path = episode.join(KEEP);
    let done = if keep {
        // On the disk before anybody relies on it.
        File::create_new(&path).and_then(|mark| mark.sync_all())
    } else {
        fs::remove_file(&path)
    };
    let synced = done.and_then(|()| File::open(episode)?.sync_all());
    match synced {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
            Ok(false)
        }
        Err(error) => Err((path, error)),
    }
}

fn not_marked(path: &Path, error: std::io::Error) -> Failure {
    Failure::not_possible(format!("{}: {}", path.display(), in_words(error)))
}
