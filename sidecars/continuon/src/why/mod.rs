//! `continuon why`: who moved that pin, which rule changed it, and which cause stopped the car.
//!
//! *What it decides.* Which cycle of a recording is meant, and what is told of it: what each source
//! asked, who owned and why, every rule that changed the command, what was driven; of a stop, each
//! cause with the figure and the limit behind it. *What it must never do.* Judge anew: the recorded
//! outcome is what the loop decided; the figures beside it come from the same recording and from the
//! robot file in it.
//!
//! ```text
//! recording ─ first pass: scan ─▶ stops, first and last cycle ─▶ the cycle that is meant
//!           ─ second pass: witness (what was known before it) ─▶ tell ─▶ text or JSON
//! ```
//!
//! Tests: scan.rs, evidence.rs, words.rs; the tests crate, modules `replay` and `journey`.

mod evidence;
mod scan;
mod tell;
mod text;
mod witness;
mod words;

use crate::cli::WhyArgs;
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use crate::progress::Progress;
use crate::recorded::{Recorded, find};
use rt_wire::{MonoNs, Raw, RawEnum};
use serde::Serialize;
use std::fmt::{Debug, Display};
use std::io::IsTerminal;
use std::path::Path;

pub use crate::cli::Moment;
pub use text::render;

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// The answer in a sentence.
    pub answer: String,
    /// What was read.
    pub episode: Episode,
    /// Every stop of the episode.
    pub stops: Vec<StopAt>,
    /// The stop that is told; `null` where none is.
    pub stop: Option<Stop>,
    /// The cycle that is told; `null` where the answer needs none.
    pub cycle: Option<Cycle>,
    /// Why arming would be refused; `null` where the car is armed.
    pub arming: Option<Arming>,
    /// What happened from a second before the cycle to a second after it.
    pub timeline: Vec<Event>,
    /// Worth knowing about the recording.
    pub notes: Vec<String>,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// Its folder, or the recording.
    pub path: String,
    /// Name of the robot.
    pub robot: String,
    /// Build of the fast loop.
    pub build_id: String,
    /// Wall-clock time of the first record.
    pub started: String,
    /// Recorded cycles.
    pub cycles: u64,
    /// Records that are missing between them.
    pub records_missing: u64,
    /// Its first cycle.
    pub first_cycle: u64,
    /// Its last cycle.
    pub last_cycle: u64,
    /// From the first to the last record.
    pub duration_s: f64,
    /// Mode after the last cycle.
    pub mode_final: String,
}

/// Where a stop is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StopAt {
    /// Its cycle.
    pub cycle_index: u64,
    /// Seconds from the first record.
    pub at_s: f64,
    /// Mode before.
    pub from: String,
    /// Mode after.
    pub to: String,
    /// Names of the causes of that cycle, the gravest first; warnings left out.
    pub causes: Vec<&'static str>,
}

/// A stop: why, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stop {
    /// Where it is.
    #[serde(flatten)]
    pub at: StopAt,
    /// Who owned authority before it.
    pub owner_before: String,
    /// What kind of stop it is.
    pub kind: &'static str,
    /// Every cause, the gravest first.
    pub causes: Vec<Cause>,
    /// From the stop to a neutral output; `null` if the recording ends before.
    pub neutral_after_s: Option<f64>,
    /// From the stop to a standing wheel; `null` if the recording ends before, or has no wheel speed.
    pub standstill_after_s: Option<f64>,
}

/// A cause in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// Its name.
    pub name: &'static str,
    /// Its consequence.
    pub severity: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The figure and the limit behind it, where the recording shows them.
    pub found: Option<String>,
    /// What mends it.
    pub mend: &'static str,
}

/// One cycle, in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cycle {
    /// Its number.
    pub cycle_index: u64,
    /// Seconds from the first record.
    pub at_s: f64,
    /// Wall-clock time.
    pub utc: String,
    /// Mode before.
    pub mode_before: String,
    /// Mode after.
    pub mode: String,
    /// What each source asked.
    pub sources: Vec<SourceLook>,
    /// Heartbeats of the other sidecars.
    pub sidecars: Vec<SidecarLook>,
    /// Who owned before.
    pub owner_before: String,
    /// Who owns after.
    pub owner: String,
    /// Why.
    pub owner_because: String,
    /// What the owner asked, in [-1, 1].
    pub asked: Pair,
    /// Every rule that changed it.
    pub rules: Vec<Rule>,
    /// What the loop pursued, in [-1, 1].
    pub setpoint: Pair,
    /// What was driven.
    pub driven: Driven,
    /// Wake-up after the release.
    pub wakeup_latency_us: f64,
    /// Whether the cycle counted as a late event.
    pub late: bool,
    /// Releases skipped before it.
    pub missed_releases: u32,
    /// Every cause present in it, warnings too.
    pub causes: Vec<Cause>,
    /// Names of the causes latched since the last arming or self-test.
    pub latched_causes: Vec<&'static str>,
}

/// Steering and throttle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Positive left.
    pub steering: f32,
    /// Positive forward.
    pub throttle: f32,
}

/// A rule that changed the command.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What it did.
    pub meaning: &'static str,
}

/// The pins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Driven {
    /// Pulse of the steering servo.
    pub steering_us: u16,
    /// Pulse of the ESC.
    pub throttle_us: u16,
    /// The motor relay's enable line.
    pub relay: bool,
    /// Whether the heartbeat pin (the pump) toggled.
    pub pump: bool,
}

/// A source as the loop saw it in the cycle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceLook {
    /// Its name.
    pub source: &'static str,
    /// Its newest command; `null` if it never sent one.
    pub command: Option<CommandLook>,
    /// What its slot held in this cycle.
    pub arrival: String,
    /// What the kernel made of that.
    pub class: String,
    /// Age of its last good command in ms; `null` before the first.
    pub last_good_age_ms: Option<f64>,
    /// From this age on it is stale.
    pub stale_after_ms: f64,
    /// The kernel's judgement of its heartbeat.
    pub heartbeat: String,
    /// How long the heartbeat has been silent, in ms; `null` if it was never heard.
    pub heartbeat_silent_ms: Option<f64>,
}

/// A command in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommandLook {
    /// Its number.
    pub sequence: u64,
    /// What it asks for at this instant.
    pub asks: Pair,
    /// What else it asks: names of its flags.
    pub flags: Vec<&'static str>,
    /// Since it was made, by its own stamp.
    pub age_ms: f64,
    /// Until it counts for nothing; negative once it has expired.
    pub expires_in_ms: f64,
}

/// A sidecar that sends no commands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SidecarLook {
    /// Its name.
    pub sidecar: &'static str,
    /// The kernel's judgement of its heartbeat.
    pub heartbeat: String,
    /// How long it has been silent, in ms.
    pub silent_ms: Option<f64>,
    /// Whether the robot file requires it.
    pub required: bool,
}

/// Why arming would be refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arming {
    /// In which cycle.
    pub cycle_index: u64,
    /// Seconds from the first record.
    pub at_s: f64,
    /// Every condition that forbids it; none if an arm request would do.
    pub interlocks: Vec<Interlock>,
}

/// A condition that forbids arming.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interlock {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What mends it.
    pub mend: &'static str,
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Seconds after the cycle that is told; negative before it.
    pub after_s: f64,
    /// Its cycle.
    pub cycle_index: u64,
    /// What changed.
    pub what: String,
}

/// Runs `continuon why`.
///
/// # Errors
/// There is no such recording or no such moment in it, or it cannot be read.
pub fn command(args: &WhyArgs, json: bool) -> Result<Exit, Failure> {
    let why = why(&find(args.episode.as_deref())?, args.at)?;
    if json {
        // Fails only for maps whose keys are not texts, and there are none.
        print_line(serde_json::to_value(&why).unwrap_or_default())?;
    } else {
        print(&render(&why, std::io::stdout().is_terminal()))?;
    }
    Ok(Exit::Ok)
}

/// Answers for one recording.
///
/// # Errors
/// It cannot be read, or does not hold the moment.
pub fn why(path: &Path, at: Option<Moment>) -> Result<Why, Failure> {
    let progress = Progress::new();
    let mut first_pass = Recorded::open(path)?;
    progress.working(&format!("reading {}", first_pass.name()));
    let scan = scan::scan(&mut first_pass, at)?;
    let mut second_pass = Recorded::open(path)?;
    let told = tell::tell(&mut second_pass, &scan);
    progress.done();
    told.map(|why| Why { notes: first_pass.notes(), ..why })
}

#[expect(clippy::cast_precision_loss, reason = "for people, to a fraction of a millisecond")]
fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}

fn milliseconds(ns: u64) -> f64 {
    seconds(ns) * 1e3
}

/// The name of an enum's value; a number that means nothing is told as such.
fn name<E: RawEnum + Debug + Display>(raw: Raw<E>) -> String {
    raw.get().map_or_else(|| format!("{raw:?}"), |value| value.to_string())
}

/// From `origin` to `at`, negative where it was before.
fn seconds_between(origin: MonoNs, at: MonoNs) -> f64 {
    seconds(at.since(origin)) - seconds(origin.since(at))
}
