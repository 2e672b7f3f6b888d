//! `continuon rlds show`: one step in words, and its picture.
//!
//! *What it decides.* Words, and that a step that is not there is refused with the nearest that is.
//! *What it must never do.* Overwrite the episode with a picture, or hold more than three steps. Tests:
//! tests/rlds_look.rs.

use super::episodes::find_one;
use super::info::steps::blocks;
use super::thumbnail;
use super::words::plain;
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use crate::report::text::{Text, counted};
use clap::Args;
use rlds::schema::Step;
use rlds::{EpisodeError, EpisodeReader};
use rlds_formats::{Picture, Pictures};
use rt_shm::in_words;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds show 0                          the first step of the newest episode
  continuon rlds show 200 --episode rlds/episodes/ep_20261120T184405Z_donkey
  continuon rlds show 200 --frame-to step200.jpg
  continuon rlds show 200 --json                 the step as the contract has it

Steps are counted from 0, as `continuon rlds validate` counts them.

Exit codes: 0 shown, 1 the step is there and cannot be read, 2 no such step or episode,
3 not possible here (and why).";

/// Options of `continuon rlds show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// Number of the step, from 0.
    #[arg(value_name = "STEP")]
    pub step: u64,
    /// An episode, or a folder of episodes or of a run, whose newest is meant; without it, the newest
    /// episode.
    #[arg(long, value_name = "PATH")]
    pub episode: Option<PathBuf>,
    /// Write the step's picture into this file, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub frame_to: Option<PathBuf>,
}

/// A step and the times beside it.
struct Shown {
    index: u64,
    step: Step,
    /// When the step before and the one after are.
    before_ns: Option<i64>,
    after_ns: Option<i64>,
    first_ns: i64,
    picture: Option<Result<Picture, String>>,
}

/// Runs `continuon rlds show`.
///
/// # Errors
/// There is no such episode or step, or the picture cannot be had or written.
pub(super) fn command(args: &ShowArgs, json: bool) -> Result<Exit, Failure> {
    let subject = find_one(args.episode.as_deref())?;
    let episode = subject.episode.as_deref().ok_or_else(|| {
        Failure::misuse(format!(
            "{}: expected an episode, which has steps; found a recording alone",
            subject.name()
        ))
    })?;
    let shown = find_step(episode, args.step)?;
    let mut written = None;
    if let Some(path) = &args.frame_to {
        write_frame(&shown, path)?;
        written = Some(path);
    }
    if json {
        let mut told = as_json(episode, &shown);
        if let (Some(path), Some(told)) = (written, told.as_object_mut()) {
            told.insert("frame_to".to_owned(), json!(path));
        }
        print_line(told)?;
        return Ok(Exit::Ok);
    }
    print(&render(episode, &shown))?;
    if let Some(path) = written {
        print_line(format!("\npicture written to {}", path.display()))?;
    } else if let Some(Ok(picture)) = &shown.picture
        && std::io::stdout().is_terminal()
    {
        print(&format!("\n{}", thumbnail::alone(&picture.jpeg)))?;
    }
    Ok(Exit::Ok)
}

fn find_step(episode: &Path, wanted: u64) -> Result<Shown, Failure> {
    let mut reader = EpisodeReader::open(episode).map_err(|error| refused(&error))?;
    let stamp = |step: &Step| step.observation.robot_state.timestamp_nanos;
    let (mut first_ns, mut before, mut found) = (None, None::<(u64, i64)>, None::<(u64, Step)>);
    let mut broken = None;
    let mut after_ns = None;
    // A line that is no step has a number too: `nearest` names those that can be shown.
    let mut next_index = 0;
    loop {
        match reader.next_step() {
            Ok(Some((index, step))) => {
                next_index = index + 1;
                first_ns.get_or_insert(stamp(&step));
                if index < wanted {
                    before = Some((index, stamp(&step)));
                } else if index == wanted {
                    found = Some((index, step));
                } else {
                    after_ns = Some((index, stamp(&step)));
                    break;
                }
            }
            Ok(None) => break,
            Err(error @ EpisodeError::Content { .. }) => {
                if next_index == wanted {
                    broken = Some(error);
                }
                next_index += 1;
            }
            Err(error) => return Err(refused(&error)),
        }
    }
    let Some((index, step)) = found else {
        let others = [before, after_ns].into_iter().flatten();
        let nearest = others.min_by_key(|(index, _)| index.abs_diff(wanted));
        return Err(match (broken, nearest) {
            (Some(error), _) => Failure::no(format!("step {wanted}: {error}")),
            (None, Some((nearest, _))) => Failure::misuse(format!(
                "{}: no step {wanted}; it has {}; nearest: {nearest}",
                episode.display(),
                counted(next_index, "step")
            )),
            (None, None) => {
                Failure::misuse(format!("{}: no step {wanted}: it has no steps", episode.display()))
            }
        });
    };
    let picture = Pictures::of(episode).fetch(&step).transpose();
    Ok(Shown {
        index,
        before_ns: before.map(|(_, at)| at),
        after_ns: after_ns.map(|(_, at)| at),
        first_ns: first_ns.unwrap_or(0),
        step,
        picture,
    })
}

fn refused(error: &EpisodeError) -> Failure {
    match error {
        EpisodeError::Io { .. } => Failure::not_possible(error.to_string()),
        EpisodeError::NotAnEpisode { .. } => Failure::misuse(error.to_string()),
        EpisodeError::Content { .. } => Failure::no(error.to_string()),
    }
}

fn write_frame(shown: &Shown, path: &Path) -> Result<(), Failure> {
    let picture = match &shown.picture {
        None => {
            return Err(Failure::misuse(format!("step {}: it refers to no picture", shown.index)));
        }
        Some(Err(why)) => return Err(Failure::no(format!("step {}: {why}", shown.index))),
        Some(Ok(picture)) => picture,
    };
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(&picture.jpeg)).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            let words = format!("{}: is there already, expected a new file", path.display());
            return Failure::misuse(words);
        }
        Failure::not_possible(format!("{}: {}", path.display(), in_words(error)))
    })
}

fn as_json(episode: &Path, shown: &Shown) -> Value {
    let at_ns = shown.step.observation.robot_state.timestamp_nanos;
    let apart: serde_json::Map<String, Value> =
        blocks(&shown.step).map(|(name, apart)| (name.to_owned(), apart.into())).collect();
    let picture = shown.picture.as_ref().map(|picture| match picture {
        Ok(picture) => json!({
            "bytes": picture.jpeg.len(),
            "width": picture.size.width,
            "height": picture.size.height,
        }),
        Err(why) => json!({ "error": why }),
    });
    json!({
        "episode": episode,
        "index": shown.index,
        "since_first_step_ns": at_ns.saturating_sub(shown.first_ns),
        "since_step_before_ns": shown.before_ns.map(|before| at_ns.saturating_sub(before)),
        "until_step_after_ns": shown.after_ns.map(|after| after.saturating_sub(at_ns)),
        "blocks_apart_ns": apart,
        "picture": picture,
        "step": shown.step,
    })
}

fn render(episode: &Path, shown: &Shown) -> String {
    let step = &shown.step;
    let state = &step.observation.robot_state;
    let at_ns = state.timestamp_nanos;
    let mut out = Text::default();
    out.line(&format!("{}: step {}", plain(&episode.display().to_string()), shown.index));
    let wall = super::facts::utc(state.wall_time_millis);
    let time = format!(
        "{} s after the first step, {wall} ({at_ns} ns on the monotonic clock)",
        signed_s(at_ns.saturating_sub(shown.first_ns))
    );
    out.row("time", &time);
    let beside = |other: Option<i64>, none: &str| {
        other.map_or_else(|| none.to_owned(), |other| signed_ms(other.saturating_sub(at_ns)))
    };
    let neighbours = format!(
        "before: {}; after: {}",
        beside(shown.before_ns, "none, it is the first"),
        beside(shown.after_ns, "none, it is the last")
    );
    out.row("steps beside it", &neighbours);
    let end = if step.is_terminal { "yes: the episode ended with it, in order" } else { "no" };
    out.row("terminal", end);
    drive(&mut out, step);
    state_of(&mut out, step);
    picture(&mut out, shown);
    lost(&mut out, step);
    rest(&mut out, step);
    out.into_string()
}

fn word<'a>(step: &'a Step, key: &str) -> &'a str {
    step.step_metadata.get(key).map_or("not told", String::as_str)
}

fn drive(out: &mut Text, step: &Step) {
    out.title("Drive");
    let driven = match step.action.command.as_slice() {
        [steering, throttle] => format!("steering {steering:+.4}, throttle {throttle:+.4}"),
        others => format!("{others:?}"),
    };
    out.row("driven", &driven);
    let number = |key| match word(step, key).parse::<f64>() {
        Ok(number) => format!("{number:+.4}"),
        Err(_) => plain(word(step, key)),
    };
    let asked =
        format!("steering {}, throttle {}", number("asked_steering"), number("asked_throttle"));
    out.row("asked", &asked);
    out.row("mode", &plain(word(step, "mode")));
    let authority = format!("{}, source {}", word(step, "authority"), step.action.source);
    out.row("authority", &plain(&authority));
    out.row("latched causes", &plain(word(step, "cause")));
    out.row("causes since before", &plain(word(step, "safety_violations")));
    out.row("rules that changed it", &plain(word(step, "rules")));
}

fn state_of(out: &mut Text, step: &Step) {
    out.title("Observation");
    let observation = &step.observation;
    let state = &observation.robot_state;
    let pose = &state.end_effector_pose;
    match (pose.valid, pose.position) {
        (true, Some([x, y, z])) => out.row("pose", &format!("x {x:.3} m, y {y:.3} m, z {z:.3} m")),
        _ => out.row("pose", "not known"),
    }
    if let Some([vx, .., wz]) = state.end_effector_twist {
        out.row("speed", &format!("{vx:.3} m/s ahead, turning {wz:+.3} rad/s"));
    }
    out.row("wake-up latency", &format!("{:.4} ms", observation.diagnostics.latency_ms));
    out.row("frame", &plain(&state.frame_id));
    if let Some(instruction) = step.step_metadata.get(rlds_formats::LANGUAGE) {
        out.row("instruction", &plain(instruction));
    }
    let apart: Vec<String> = blocks(step)
        .map(|(name, apart)| {
            let mark = if apart.unsigned_abs() > 5_000_000 { " (OUTSIDE ± 5 ms)" } else { "" };
            format!("{name} {}{mark}", signed_ms(apart))
        })
        .collect();
    let words =
        if apart.is_empty() { "no other block has a time".to_owned() } else { apart.join(", ") };
    out.row("blocks against it", &words);
}

fn picture(out: &mut Text, shown: &Shown) {
    let Some(picture) = &shown.picture else {
        out.row("picture", "none");
        return;
    };
    let media = shown.step.observation.media.as_ref().and_then(|media| media.rgb.as_ref());
    let uri = media.map_or("", |media| media.uri.as_str());
    let words = match picture {
        Ok(picture) => format!(
            "{uri}, {} × {} pixels, {}",
            picture.size.width,
            picture.size.height,
            super::facts::size(picture.jpeg.len() as u64)
        ),
        Err(why) => format!("NOT there: {why}"),
    };
    out.row("picture", &plain(&words));
}

fn lost(out: &mut Text, step: &Step) {
    let count = |key: &str, what: &str| {
        let count: u64 = step.step_metadata.get(key)?.parse().ok()?;
        Some(counted(count, what))
    };
    let lost: Vec<String> = [
        count("telemetry_lost", "record").map(|count| format!("{count} of telemetry")),
        count("steps_skipped", "step").map(|count| format!("{count} of the grid")),
    ]
    .into_iter()
    .flatten()
    .collect();
    match (lost.is_empty(), word(step, "frame_drop")) {
        (false, _) => out.row("LOST", &format!("{} before this step", lost.join(", "))),
        (true, "true") => out.row("LOST", "something before this step, and nobody says how much"),
        (true, _) => out.row("lost", "nothing"),
    }
}

/// Keys of `step_metadata` that are told above.
const TOLD: [&str; 13] = [
    "mode",
    "authority",
    "cause",
    "safety_violations",
    "safety_clamped",
    "rules",
    "frame_drop",
    "asked_steering",
    "asked_throttle",
    "telemetry_lost",
    "steps_skipped",
    "language_instruction",
    "misaligned_ns",
];

fn rest(out: &mut Text, step: &Step) {
    let others: Vec<_> =
        step.step_metadata.iter().filter(|(key, _)| !TOLD.contains(&key.as_str())).collect();
    if !others.is_empty() {
        out.title("Beside it");
    }
    for (key, value) in others {
        out.row(&plain(key), &plain(value));
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn signed_ms(ns: i64) -> String {
    format!("{:+.3} ms", ns as f64 / 1e6)
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn signed_s(ns: i64) -> String {
    format!("{:.3}", ns as f64 / 1e9)
}
