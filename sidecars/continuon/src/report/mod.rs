//! The report of a run: one shape for people, files and programs.
//!
//! Decides what is told and how it is named; the figures come from [`crate::observe`] and from the
//! processes' own last words. Keys are a promise to scripts: report/tests.rs keeps them.

pub mod build;
pub mod episode;
#[cfg(test)]
mod tests;
pub mod text;

pub(crate) use build::seconds;
pub use build::{Ended, Facts, build, not_realtime};
pub use text::render;

use crate::observe::conditions::{Load, Machine};
use crate::observe::real_limits::RealLimits;
use crate::observe::spread::Spread;
use serde::Serialize;
use serde_json::Value;

/// Everything about one run in real time.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether the run did what was asked: `ok`, or what went wrong in a word.
    pub verdict: Verdict,
    /// Why it is not `ok`, in sentences; empty if it is.
    pub reasons: Vec<String>,
    /// Worth knowing though nothing failed.
    pub notes: Vec<String>,
    /// Seconds asked for.
    pub seconds_asked: f64,
    /// Seconds in Active, by the loop's clock.
    pub seconds_driven: f64,

    /// Records that our own reader of the telemetry ring took: one a cycle.
    pub cycles: u64,
    /// Nominal time between two releases.
    pub period_us: u32,
    /// A wake-up latency or execution time over this is late: the robot file's own timing.
    pub late_after_us: u32,
    /// Late events by that limit.
    pub late_event_count: u64,
    /// Releases skipped.
    pub missed_release_count: u64,
    /// Wake after release.
    pub wakeup_latency_ns: Option<Spread>,
    /// The sleep's own latency, where the loop spins; `null` where it only sleeps.
    pub sleep_latency_ns: Option<Spread>,
    /// Pins driven after release.
    pub output_jitter_ns: Option<Spread>,
    /// Wake to published.
    pub execution_time_ns: Option<Spread>,
    /// The observation that a command answers, to the cycle that takes it up.
    pub command_latency_ns: Option<Spread>,
    /// What each interval is.
    pub definitions: Definitions,
    /// What a real board's limits would have made of the same run.
    pub real_board_limits: RealLimits,

    /// From the fork of the fast loop until its neutral pulses were out.
    pub neutral_after_start_ms: Option<f64>,
    /// From the same instant to the first Disarmed: on `sim` the plant must have started and spoken.
    pub disarmed_after_start_ms: Option<f64>,
    /// Allocations by the loop thread since the seal.
    pub allocations: Option<u64>,
    /// Page faults of the loop thread since the seal.
    pub page_faults: Option<PageFaults>,
    /// Switches of the loop thread since the seal: one a sleep.
    pub voluntary_switches: Option<u64>,
    /// Switches that the loop thread did not ask for.
    pub involuntary_switches: Option<u64>,
    /// Cycles over which the four above were counted.
    pub counted_over_cycles: Option<u64>,
    /// Resident memory of the fast loop's process.
    pub resident_bytes: Option<u64>,
    /// How the loop thread was scheduled.
    pub scheduler: Scheduler,

    /// What really happened on the track.
    pub plant: PlantFigures,
    /// What was recorded.
    pub episode: Option<Episode>,
    /// Our own reader of the telemetry ring.
    pub reader: Reader,

    /// Mode after the last cycle.
    pub mode_final: String,
    /// Every change of mode.
    pub mode_changes: Vec<ModeStep>,
    /// How and why the loop left Active, if not because it was asked to.
    pub ended_early: Option<EndedEarly>,
    /// Causes that were ever present, with what they mean.
    pub causes: Vec<Cause>,
    /// Conditions that would forbid arming a real board.
    pub interlocks: Vec<InterlockTold>,
    /// How each process ended.
    pub processes: Vec<ProcessEnd>,
    /// Machine, files and load.
    pub conditions: Conditions,
}

/// The run in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Drove as long as was asked.
    Ok,
    /// The car stopped by itself.
    StoppedByItself,
    /// A process ended that should not have.
    ProcessDied,
    /// It was Active for seconds, and the car did not drive.
    DidNotMove,
    /// A wheel was outside the track while the car was driven.
    LeftTheTrack,
    /// It drove, and records are missing or the episode does not agree with our own reader.
    RecordIncomplete,
    /// A person ended it.
    Interrupted,
}

impl Verdict {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::StoppedByItself => "stopped-by-itself",
            Self::ProcessDied => "process-died",
            Self::DidNotMove => "did-not-move",
            Self::LeftTheTrack => "left-the-track",
            Self::RecordIncomplete => "record-incomplete",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What each interval of the report is, so that no number travels without it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Definitions {
    /// Of `wakeup_latency_ns`.
    pub wakeup_latency: &'static str,
    /// Of `sleep_latency_ns`.
    pub sleep_latency: &'static str,
    /// Of `output_jitter_ns`.
    pub output_jitter: &'static str,
    /// Of `execution_time_ns`.
    pub execution_time: &'static str,
    /// Of `command_latency_ns`.
    pub command_latency: &'static str,
    /// Of `late_event_count`.
    pub late_event: &'static str,
    /// Of `missed_release_count`.
    pub missed_release: &'static str,
}

/// The intervals, in words.
pub const DEFINITIONS: Definitions = Definitions {
    wakeup_latency: "cycle began, after its release time",
    sleep_latency: "sleep returned, after it was meant to (before spinning)",
    output_jitter: "pins driven, after the release time of their cycle",
    execution_time: "cycle began until its record was published",
    command_latency: "cycle that was observed until the cycle that took up its answer",
    late_event: "a cycle whose wake-up latency or execution time was over `late_after_us`",
    missed_release: "a release time that passed while the loop was still running or asleep",
};

/// Page faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PageFaults {
    /// A page had to be mapped.
    pub minor: u64,
    /// A page had to be read from a disk.
    pub major: u64,
}

/// How the loop thread was scheduled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scheduler {
    /// `SCHED_FIFO`, `SCHED_OTHER`, or `unknown`.
    pub policy: &'static str,
    /// FIFO priority; 0 without FIFO.
    pub priority: u32,
    /// Core that the loop is pinned to.
    pub cpu: Option<u32>,
    /// Whether all memory is locked.
    pub memory_locked: bool,
    /// Whether memory and stack were touched before the start.
    pub prefaulted: bool,
    /// Whether idle states of the processor were forbidden.
    pub dma_latency_held: bool,
    /// Whether the allocator is sealed for the loop thread.
    pub sealed: bool,
    /// Whether the kernel ends the loop's process at a system call that is not on its list.
    pub system_calls_filtered: bool,
    /// The longest spin lead that was used; 0 where the loop only sleeps.
    pub spin_lead_us_max: f64,
}

/// What really happened on the track.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlantFigures {
    /// Laps completed.
    pub laps: u32,
    /// Distance driven.
    pub distance_m: f64,
    /// Times that a wheel left the track.
    pub off_track_count: u32,
    /// Time outside the track.
    pub off_track_s: f64,
    /// Last lap; `null` before the first.
    pub lap_time_s: Option<f64>,
    /// Best lap; `null` before the first.
    pub best_lap_time_s: Option<f64>,
    /// Highest speed.
    pub top_speed_m_per_s: f64,
    /// Speed at the end.
    pub final_speed_m_per_s: f64,
    /// Steps that came later than 5 ms: the plant's own lateness, not the loop's.
    pub late_step_count: u32,
    /// From the last heartbeat edge to the cut of motor power; `null` if it was not cut.
    pub power_cut_after_ms: Option<f64>,
    /// Track and its length.
    pub track: String,
    /// Length of the centre line.
    pub track_length_m: f64,
    /// Hash of the plant's parameters.
    pub hash: String,
    /// Seed of everything random in it.
    pub seed: u64,
}

/// What the logger wrote: one episode, or all that it made of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Episode {
    /// Folder of the newest.
    pub path: String,
    /// How many there are; the counts below are of all of them.
    pub episodes: usize,
    /// Steps derived from the recording.
    pub steps: u64,
    /// Telemetry records written.
    pub telemetry_records: u64,
    /// Telemetry records lost.
    pub telemetry_lost: u64,
    /// Sequence of the first record in it.
    pub first_sequence: u64,
    /// Sequence of the last record in it.
    pub last_sequence: u64,
    /// First and last sequence of what is recorded without a break.
    #[serde(skip)]
    pub spans: Vec<(u64, u64)>,
    /// How it was closed; of several, the first that was neither closed cleanly nor cut.
    pub closing: String,
    /// The logger's own last line, whole.
    pub logger: Option<Value>,
}

/// Our own reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reader {
    /// Records read.
    pub records: u64,
    /// Records lost.
    pub lost: u64,
    /// Sequence of the first.
    pub first_sequence: u64,
    /// Sequence of the last.
    pub last_sequence: u64,
}

/// One change of mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModeStep {
    /// Seconds after the first cycle that was read.
    pub at_s: f64,
    /// Cycle that changed it.
    pub cycle_index: u64,
    /// Mode before.
    pub from: String,
    /// Mode after.
    pub to: String,
    /// Causes present in that cycle.
    pub causes: Vec<&'static str>,
}

/// How the loop left Active by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndedEarly {
    /// Mode it fell to.
    pub to: String,
    /// Seconds of driving before.
    pub after_s: f64,
    /// Causes in that cycle.
    pub causes: Vec<&'static str>,
    /// Who drove.
    pub owner: String,
    /// From the last good command of who drove to the stop, by the record's clock.
    pub last_good_command_age_ms: Option<f64>,
    /// From the stop to a car slower than 0.05 m/s; `null` if it was not seen to stand.
    pub standstill_after_ms: Option<f64>,
}

/// A cause that was present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Its name.
    pub name: &'static str,
    /// Its consequence.
    pub severity: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What mends it.
    pub mend: &'static str,
}

/// A condition that forbids arming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct InterlockTold {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What mends it.
    pub mend: &'static str,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessEnd {
    /// Its name.
    pub name: &'static str,
    /// `exit 0`, `signal 9 (SIGKILL)` …
    pub how: String,
    /// Whether it ended before it was told to.
    pub unexpected: bool,
    /// The end of what it said, if it ended badly.
    pub last_words: Vec<String>,
    /// Where the rest stands.
    pub log: String,
}

impl ProcessEnd {
    /// `pilot ended before …: exit 3`, and its last words on lines of their own.
    #[must_use]
    pub fn in_words(&self, what: &str) -> String {
        let mut words = format!("{} {what}: {}", self.name, self.how);
        for line in &self.last_words {
            words.push_str(&format!("\n  {}: {line}", self.name));
        }
        words
    }
}

/// The conditions of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Conditions {
    /// When it began, UTC.
    pub date: String,
    /// Folder of the run.
    pub run_dir: String,
    /// Name of the robot.
    pub robot: String,
    /// Board that was driven: `sim`, and never a real one.
    pub board: &'static str,
    /// Hash of the robot file as it was used.
    pub config_hash: String,
    /// Build of the fast loop.
    pub build_id: String,
    /// Version of this program.
    pub version: &'static str,
    /// The machine.
    pub machine: Machine,
    /// Load before the run.
    pub load_before: Option<Load>,
    /// Load after it.
    pub load_after: Option<Load>,
    /// Whether processes are kept apart by user, and cores by the kernel.
    pub isolation: String,
    /// Telemetry records that the figures come from.
    pub samples: u64,
}
