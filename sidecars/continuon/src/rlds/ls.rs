//! `continuon rlds ls`: episodes, a line each.
//!
//! *What it decides.* Columns and order. What a closed episode says of itself is believed here (`info`
//! counts anew); one that is open says nothing yet, so that its recording is counted. *What it must
//! never do.* Leave an episode out because something in it cannot be read. Tests: tests/rlds_look.rs.

use super::episodes::{find_all, find_all_of_runs};
use super::facts::{Facts, seconds, size, utc};
use super::survey::Survey;
use super::words::plain;
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use crate::progress::Progress;
use crate::report::text::{counted, grouped};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds ls                              every episode of all runs
  continuon rlds ls rlds/episodes
  continuon rlds ls runs/2026-11-20T184405Z-sim --json

States: whole; recovered (its recorder was killed, and it was put in order); loop lost (the loop
died, the episode is in order); disk failed (it ends where the disk refused); running; left open (its
recorder was killed: `continuon rlds fsck --repair`); foreign (another program's, or imported).

Exit codes: 0 listed, 2 no episode there, 3 not possible here (and why).";

/// Options of `continuon rlds ls`.
#[derive(Clone, Debug, Args)]
pub struct LsArgs {
    /// Episodes, folders of episodes, or folders of runs; without any, every episode of all runs.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// One episode, as it is told. What nobody says is `null`.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    path: PathBuf,
    started_at: Option<String>,
    #[serde(skip)]
    start_unix_ms: i64,
    duration_s: Option<f64>,
    steps: Option<u64>,
    records: Option<u64>,
    frames: Option<u64>,
    lost: Option<u64>,
    bytes: u64,
    state: super::facts::State,
    kept: bool,
    problems: Vec<String>,
}

/// Runs `continuon rlds ls`.
///
/// # Errors
/// A path holds no episode.
pub(super) fn command(args: &LsArgs, json: bool) -> Result<Exit, Failure> {
    let found = if args.paths.is_empty() { find_all_of_runs()? } else { find_all(&args.paths)? };
    let progress = Progress::new();
    let mut rows: Vec<Row> = Vec::new();
    for episode in &found.episodes {
        progress.working(&format!("looking at {}", episode.display()));
        rows.push(look_at(episode));
    }
    progress.done();
    rows.sort_by(|a, b| (a.start_unix_ms, &a.id).cmp(&(b.start_unix_ms, &b.id)));
    if json {
        print_line(json!({
            "episodes": rows,
            "total": total(&rows),
            "left_out": found.left_out,
        }))?;
        return Ok(Exit::Ok);
    }
    print(&render(&rows))?;
    for folder in &found.left_out {
        print_line(format!("{}: no episode, left out", plain(&folder.display().to_string())))?;
    }
    Ok(Exit::Ok)
}

fn look_at(episode: &Path) -> Row {
    let facts = Facts::of(episode);
    let metadata = facts.metadata.as_ref();
    let start_unix_ms = metadata.map_or(0, |metadata| metadata.start_time_unix_ms);
    let mut row = Row {
        id: episode.file_name().unwrap_or(episode.as_os_str()).to_string_lossy().into_owned(),
        path: episode.to_owned(),
        started_at: metadata.map(|metadata| utc(metadata.start_time_unix_ms)),
        start_unix_ms,
        duration_s: metadata
            .and_then(|metadata| u64::try_from(metadata.duration_ms).ok())
            .map(|ms| seconds(ms.saturating_mul(1_000_000))),
        steps: None,
        records: None,
        frames: None,
        lost: None,
        bytes: facts.bytes,
        state: facts.state,
        kept: facts.is_kept,
        problems: facts.problems.clone(),
    };
    if let Some(note) = facts.closed_note() {
        let lost = [
            note.telemetry_lost_ring,
            note.telemetry_lost_disk,
            note.keyframes_lost,
            note.log_frames_lost,
            note.frames_lost,
        ];
        row.steps = Some(note.steps);
        row.records = Some(note.telemetry_records);
        row.frames = Some(note.frames);
        row.lost = Some(lost.into_iter().fold(0, u64::saturating_add));
        row.duration_s = Some(seconds(note.last_mono_ns.saturating_sub(note.first_mono_ns)));
        return row;
    }
    row.steps = lines_of(episode);
    let recording = rlds::recording_path(episode);
    if recording.is_file() {
        match Survey::of(&recording, 0) {
            Ok(survey) => {
                row.records = Some(survey.telemetry);
                row.frames = Some(survey.frames.count);
                row.lost = Some(survey.missing.total());
                row.duration_s = Some(seconds(survey.span_ns()));
            }
            Err(why) => row.problems.push(why.message),
        }
    }
    row
}

/// Lines of all files of steps; `None` if one cannot be read.
fn lines_of(episode: &Path) -> Option<u64> {
    let files = fs::read_dir(episode.join("steps")).ok()?.flatten().map(|entry| entry.path());
    let mut lines = 0_u64;
    let mut buffer = vec![0; 1 << 16];
    for path in files.filter(|path| path.extension().is_some_and(|name| name == "jsonl")) {
        let mut file = File::open(path).ok()?;
        let mut last = b'\n';
        loop {
            let count = file.read(&mut buffer).ok()?;
            let read = buffer.get(..count)?;
            let Some(end) = read.last() else { break };
            last = *end;
            lines += read.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        // The last line may lack its end.
        lines += u64::from(last != b'\n');
    }
    Some(lines)
}

/// Sums of what is known.
#[derive(Debug, Serialize)]
struct Total {
    episodes: u64,
    duration_s: f64,
    steps: u64,
    records: u64,
    frames: u64,
    lost: u64,
    bytes: u64,
}

fn total(rows: &[Row]) -> Total {
    let sum = |of: fn(&Row) -> Option<u64>| rows.iter().filter_map(of).fold(0, u64::saturating_add);
    Total {
        episodes: rows.len() as u64,
        duration_s: rows.iter().filter_map(|row| row.duration_s).sum(),
        steps: sum(|row| row.steps),
        records: sum(|row| row.records),
        frames: sum(|row| row.frames),
        lost: sum(|row| row.lost),
        bytes: sum(|row| Some(row.bytes)),
    }
}

const HEAD: [&str; 9] =
    ["episode", "started (UTC)", "length", "steps", "records", "frames", "lost", "size", "state"];

fn render(rows: &[Row]) -> String {
    let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), grouped);
    let mut lines: Vec<[String; 9]> = vec![HEAD.map(str::to_owned)];
    for row in rows {
        let kept = if row.kept { ", kept" } else { "" };
        lines.push([
            plain(&row.id),
            row.started_at
                .clone()
                .unwrap_or_else(|| "-".to_owned())
                .replace('T', " ")
                .replace('Z', ""),
            row.duration_s.map_or_else(|| "-".to_owned(), length),
            count(row.steps),
            count(row.records),
            count(row.frames),
            count(row.lost),
            size(row.bytes),
            format!("{}{kept}", row.state.words()),
        ]);
    }
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in &lines {
        let mut cells = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let is_text = column < 2 || column == HEAD.len() - 1;
            let cell = if is_text { format!("{cell:width$}") } else { format!("{cell:>width$}") };
            cells.push_str(&cell);
            cells.push_str("  ");
        }
        text.push_str(cells.trim_end());
        text.push('\n');
    }
    for (row, problem) in rows.iter().flat_map(|row| row.problems.iter().map(move |one| (row, one)))
    {
        text.push_str(&format!("{}: {}\n", plain(&row.id), plain(problem)));
    }
    let sum = total(rows);
    text.push_str(&format!(
        "{}, {}, {}, {}, {}, {} lost, {}\n",
        counted(sum.episodes, "episode"),
        length(sum.duration_s),
        counted(sum.steps, "step"),
        counted(sum.records, "record"),
        counted(sum.frames, "frame"),
        grouped(sum.lost),
        size(sum.bytes)
    ));
    text
}

/// `20.5 s`, `3:07 min`, `1:02:07 h`.
fn length(duration_s: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole seconds of a duration that is not negative"
    )]
    let whole = duration_s as u64;
    match whole {
        0..60 => format!("{duration_s:.1} s"),
        60..3600 => format!("{}:{:02} min", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02} h", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn lengths_are_told_in_the_unit_that_they_have() {
        let told = [0.0, 59.94, 60.0, 187.9, 3600.0, 90_061.0].map(length);
        assert_eq!(told, ["0.0 s", "59.9 s", "1:00 min", "3:07 min", "1:00:00 h", "25:01:01 h"]);
    }
}
