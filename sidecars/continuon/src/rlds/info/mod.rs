//! `continuon rlds info`: what is in an episode, how true its clock is, and what is missing.
//!
//! *What it decides.* What is told, and whether the recording, `episode.json` and `metadata.json` say
//! the same. *What it must never do.* Hold the episode in memory, or change a file. Tests:
//! tests/rlds_look.rs.

pub(super) mod steps;
mod text;

use super::episodes::{Subject, find_one};
use super::facts::{Facts, State, rate_hz, seconds, utc};
use super::survey::{Missing, Survey};
use super::thumbnail;
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use crate::progress::Progress;
use clap::Args;
use rlds::{Closing, EpisodeNote, EpisodeReader};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use steps::StepsTold;

/// Pictures that are shown on a terminal.
const SHOTS: usize = 4;
/// What the metadata's tag of lost telemetry begins with.
const LOST_TAG: &str = "continuon.telemetry_lost:";

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds info                            the newest episode
  continuon rlds info rlds/episodes/ep_20261120T184405Z_donkey
  continuon rlds info blobs/recording.mcap --json

Everything is counted anew from the recording and the steps, and compared with episode.json and
metadata.json. A recording that is torn is told as far as it goes.

Exit codes: 0 told, 1 told, and something is damaged or does not agree, 2 no episode,
3 not possible here (and why).";

/// Options of `continuon rlds info`.
#[derive(Clone, Debug, Args)]
pub struct InfoArgs {
    /// An episode, a recording.mcap, or a folder of episodes or of a run, whose newest is meant;
    /// without it, the newest episode.
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
}

/// All that is known of an episode.
struct Info {
    name: String,
    facts: Option<Facts>,
    survey: Option<Survey>,
    steps: Option<StepsTold>,
    /// What is damaged, or does not agree, in sentences.
    problems: Vec<String>,
}

/// Runs `continuon rlds info`.
///
/// # Errors
/// There is no such episode, or its recording is another build's.
pub(super) fn command(args: &InfoArgs, json: bool) -> Result<Exit, Failure> {
    let subject = find_one(args.path.as_deref())?;
    let is_terminal = std::io::stdout().is_terminal() && !json;
    let progress = Progress::new();
    progress.working(&format!("looking at {}", subject.name()));
    let info = Info::of(&subject, if is_terminal { SHOTS } else { 0 })?;
    progress.done();
    if json {
        print_line(info.as_json())?;
    } else {
        print(&text::render(&info))?;
        let shots = info.survey.as_ref().map(|survey| survey.shots.as_slice()).unwrap_or_default();
        if !shots.is_empty() {
            print(&thumbnail::side_by_side(shots))?;
        }
    }
    Ok(if info.problems.is_empty() { Exit::Ok } else { Exit::No })
}

impl Info {
    fn of(subject: &Subject, shots: usize) -> Result<Self, Failure> {
        let facts = subject.episode.as_deref().map(Facts::of);
        let survey =
            subject.recording.as_deref().map(|path| Survey::of(path, shots)).transpose()?;
        let mut problems = facts.as_ref().map(|facts| facts.problems.clone()).unwrap_or_default();
        let reader = subject.episode.as_deref().map(EpisodeReader::open);
        let steps = match reader {
            None => None,
            Some(Ok(reader)) => Some(steps::look_at(reader)),
            Some(Err(error)) => {
                let words = error.to_string();
                // What the facts have said already is not said twice.
                if problems.is_empty() {
                    problems.push(words);
                }
                None
            }
        };
        let mut info = Self { name: subject.name(), facts, survey, steps, problems };
        info.compare();
        Ok(info)
    }

    /// Recording, steps, `episode.json` and `metadata.json` must say the same.
    fn compare(&mut self) {
        let mut found = Vec::new();
        let is_running = self.facts.as_ref().is_some_and(|facts| facts.state == State::Running);
        if let Some(survey) = &self.survey {
            // The end of a recording that goes on is never whole.
            let notes = survey.notes.iter().filter(|_| !is_running);
            found.extend(notes.cloned());
        }
        if let Some(steps) = &self.steps {
            found.extend(steps.broken_first.iter().cloned());
            let more = steps.broken.saturating_sub(steps.broken_first.len() as u64);
            if more > 0 {
                found.push(format!("steps: {more} more lines are none"));
            }
        }
        let facts = self.facts.as_ref();
        if facts.is_some_and(|facts| facts.state == State::LeftOpen) {
            let hint =
                "nobody closed it: its recorder was killed (`continuon rlds fsck --repair` does)";
            found.push(hint.to_owned());
        }
        if let (Some(note), Some(survey)) = (facts.and_then(Facts::closed_note), &self.survey) {
            found.extend(differences(note, survey, self.steps.as_ref()));
            let tag = facts.and_then(|facts| facts.metadata.as_ref()).and_then(|metadata| {
                metadata.tags.iter().find_map(|tag| tag.strip_prefix(LOST_TAG)?.parse::<u64>().ok())
            });
            let lost = note.telemetry_lost_ring.saturating_add(note.telemetry_lost_disk);
            if let Some(tagged) = tag.filter(|tagged| *tagged != lost) {
                found.push(format!(
                    "telemetry lost: metadata.json says {tagged}, episode.json {lost}"
                ));
            }
        }
        self.problems.extend(found);
    }

    /// What is missing: what the episode says of itself, or what its recording shows if that is more
    /// or nothing is said.
    fn missing(&self) -> Option<Missing> {
        let shown = self.survey.as_ref().map(|survey| survey.missing);
        let note = self.facts.as_ref().and_then(Facts::closed_note);
        let said = note.map(|note| Missing {
            telemetry: note.telemetry_lost_ring.saturating_add(note.telemetry_lost_disk),
            telemetry_lapped: note.telemetry_lost_ring,
            keyframes: note.keyframes_lost,
            log_frames: note.log_frames_lost,
            frames: note.frames_lost,
        });
        match (said, shown) {
            (Some(said), Some(shown)) => Some(Missing {
                telemetry: said.telemetry.max(shown.telemetry),
                telemetry_lapped: said.telemetry_lapped.max(shown.telemetry_lapped),
                keyframes: said.keyframes.max(shown.keyframes),
                log_frames: said.log_frames.max(shown.log_frames),
                frames: said.frames.max(shown.frames),
            }),
            (one, other) => one.or(other),
        }
    }

    fn as_json(&self) -> Value {
        let facts = self.facts.as_ref();
        let metadata = facts.and_then(|facts| facts.metadata.as_ref());
        json!({
            "episode": self.name,
            "state": facts.map(|facts| facts.state),
            "kept": facts.map(|facts| facts.is_kept),
            "bytes": facts.map(|facts| facts.bytes),
            "started_at": metadata.map(|metadata| utc(metadata.start_time_unix_ms)),
            "note": facts.and_then(|facts| facts.note.as_ref()),
            "recording": self.survey.as_ref().map(recording_json),
            "steps": self.steps,
            "rates_hz": {
                "telemetry": self.survey.as_ref().and_then(telemetry_hz),
                "steps": self.steps.as_ref().and_then(|steps| rate_hz(steps.count, steps.span_ns)),
                "frames": self.survey.as_ref().and_then(frames_hz),
            },
            "lost": self.missing(),
            "problems": self.problems,
        })
    }
}

fn telemetry_hz(survey: &Survey) -> Option<f64> {
    rate_hz(survey.telemetry, survey.span_ns())
}

fn frames_hz(survey: &Survey) -> Option<f64> {
    rate_hz(survey.frames.count, survey.frames.span_ns)
}

fn recording_json(survey: &Survey) -> Value {
    let sizes = &survey.sizes;
    let channels: Vec<Value> = sizes
        .channels()
        .map(|channel| {
            let (topic, messages, bytes) = (&channel.topic, channel.messages, channel.bytes);
            json!({ "topic": topic, "messages": messages, "bytes": bytes })
        })
        .collect();
    json!({
        "robot": survey.about.robot,
        "robot_model": survey.about.robot_model,
        "environment_id": survey.about.environment_id,
        "build_id": format!("{:#018x}", survey.about.build_id),
        "step_rate_hz": survey.about.step_rate_hz,
        "frames_per_step": survey.about.frames_per_step,
        "duration_s": seconds(survey.span_ns()),
        "telemetry_records": survey.telemetry,
        "keyframes": survey.keyframes,
        "log_frames": survey.log_frames,
        "frames": survey.frames,
        "missing": survey.missing,
        "missing_at": survey.places,
        "modes": survey.modes,
        "authorities": survey.authorities,
        "more_changes": survey.more_changes,
        "mode_share": shares(&survey.mode_cycles),
        "authority_share": shares(&survey.authority_cycles),
        "causes": survey.causes,
        "closing": survey.closed,
        "bytes_read": survey.bytes_read,
        "chunks": sizes.chunks,
        "packed_bytes": sizes.packed_bytes,
        "plain_bytes": sizes.plain_bytes,
        "channels": channels,
    })
}

/// Parts of all cycles.
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn shares(cycles: &BTreeMap<String, u64>) -> BTreeMap<&str, f64> {
    let total: u64 = cycles.values().sum();
    let share = |count: u64| count as f64 / total.max(1) as f64;
    cycles.iter().map(|(name, count)| (name.as_str(), share(*count))).collect()
}

/// Where `episode.json` says something else than the recording and the steps.
fn differences(note: &EpisodeNote, survey: &Survey, steps: Option<&StepsTold>) -> Vec<String> {
    let lost = note.telemetry_lost_ring.saturating_add(note.telemetry_lost_disk);
    // What the disk did not take cannot stand in the recording.
    let is_cut = note.closing == Closing::DiskFailed;
    let missing = &survey.missing;
    let mut pairs = vec![
        ("telemetry records", note.telemetry_records, survey.telemetry, false),
        ("telemetry lost", lost, missing.telemetry, is_cut),
        ("keyframes", note.keyframes, survey.keyframes, false),
        ("keyframes lost", note.keyframes_lost, missing.keyframes, is_cut),
        ("frames of the log", note.log_frames, survey.log_frames, false),
        ("frames of the log lost", note.log_frames_lost, missing.log_frames, is_cut),
        ("camera frames", note.frames, survey.frames.count, false),
        ("camera frames lost", note.frames_lost, missing.frames, is_cut),
    ];
    if let Some(steps) = steps {
        pairs.push(("steps", note.steps, steps.count, false));
    }
    pairs
        .into_iter()
        .filter(
            |(_, said, found, may_be_more)| if *may_be_more { said < found } else { said != found },
        )
        .map(|(what, said, found, _)| format!("{what}: episode.json says {said}, found {found}"))
        .collect()
}
