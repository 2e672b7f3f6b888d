//! The command line: what can be asked, with an example of each.
//!
//! Decides names and defaults only; what a command does stands in the module of its name.
//! Tests: below; tests/cli.rs keeps the exit codes and the help.

use crate::record::{self, RecordArgs};
use crate::rlds::RldsCommand;
use crate::spin::SpinChoice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use loop_log::Level;
use std::ops::RangeInclusive;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  continuon sim                                  drive twisty for 20 s, record it, report
  continuon sim --seconds 60 --rate-hz 2000      a longer run of a faster loop
  continuon sim --track Norisring.csv --scale 0.1 --seconds 180
  continuon sim --virtual --json                 the same in virtual time, as JSON
  continuon top                                  who writes, who reads, who lags
  continuon estop                                stop the newest running robot at once
  continuon why                                  why did it stop? (the newest recording)
  continuon log --follow                         what the loop says, as it says it
  continuon rlds info                            what is in the newest episode?
  continuon record --task 'park in the box'      an episode of what you do now
  continuon rlds validate                        is the newest episode valid?
  continuon config check my-robot.json           is this robot file right?

Exit codes: 0 ok, 1 the answer is no, 2 misuse, 3 not possible here (and why).";

/// Drive, watch and stop a Continuon robot.
#[derive(Debug, Parser)]
#[command(name = "continuon", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// Print one JSON object on stdout instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drive a simulated car around a track in real time, record it, and report how the loop kept time.
    #[command(after_help = "\
Examples:
  continuon sim --seconds 20
  continuon sim --rate-hz 1000 --spin-us auto
  continuon sim --track Norisring.csv --scale 0.1 --seconds 180 --seed 7
  continuon sim --virtual --seconds 600 --json
  continuon sim --drive teleop                   drive it yourself, with keys or a gamepad

On a terminal: space e-stop, a arm, d disarm, r reset, q end the run.")]
    Sim(SimArgs),
    /// Ask the fast loop to arm: relay on, neutral held, then Active.
    #[command(after_help = "Example:\n  continuon arm --robot sim-donkey")]
    Arm(WhichRun),
    /// Ask for a controlled stop, then Disarmed.
    #[command(after_help = "Example:\n  continuon disarm")]
    Disarm(WhichRun),
    /// Cut the drive at once; stays so until reset. Any local user may.
    #[command(after_help = "Example:\n  continuon estop")]
    Estop(WhichRun),
    /// Leave a latched e-stop, once it is released; arming is a separate act.
    #[command(after_help = "Example:\n  continuon reset && continuon arm")]
    Reset(WhichRun),
    /// Every segment of a running robot: writer, rate, readers, lag, losses.
    #[command(after_help = "Example:\n  continuon top --once --json")]
    Top(TopArgs),
    /// Why did it stop? What was asked, chosen, changed and driven in one recorded cycle; the last
    /// stop by default.
    #[command(after_help = "\
Examples:
  continuon why                                  the last stop of the newest episode
  continuon why 12.5                             12.5 s after the episode's first record
  continuon why '#12500' --episode runs/2026-11-20T184405Z-sim --json")]
    Why(WhyArgs),
    /// Run the recorded cycles through the kernel again, and demand equal outcomes, bit for bit.
    #[command(after_help = "\
Examples:
  continuon replay                               the newest episode
  continuon replay runs/2026-11-20T184405Z-sim --json

Exit codes: 0 identical, 1 different or not comparable (something is missing).")]
    Replay(ReplayArgs),
    /// Record an episode: until Ctrl-C, or so many steps.
    #[command(after_help = record::EXAMPLES)]
    Record(RecordArgs),
    /// What the loop logged, in words, with file and line: of a robot that runs, or of an episode.
    #[command(after_help = "\
Examples:
  continuon log                                  the robot that runs, or the newest episode
  continuon log --follow --level warn
  continuon log runs/2026-11-20T184405Z-sim --json

With --json one object a line. Exit codes: 0 all read, 1 a message could not be read.")]
    Log(LogArgs),
    /// Recorded episodes: looked at, judged, played, handed on to other tools, taken from others.
    #[command(
        subcommand,
        after_help = "\
Examples:
  continuon rlds ls                              every episode of all runs
  continuon rlds info                            what is in the newest, and what is lost
  continuon rlds plot runs/2026-11-20T184405Z-sim --out report.html
  continuon rlds validate rlds/episodes --strict
  continuon rlds export rlds/episodes --to dataset --format tfds
  continuon rlds import ~/mycar/data --to rlds/episodes"
    )]
    Rlds(RldsCommand),
    /// Check or explain a robot file, or print the schema of robot files.
    #[command(
        subcommand,
        after_help = "\
Examples:
  continuon config check my-robot.json
  continuon config explain sim-donkey
  continuon config schema > robot.schema.json"
    )]
    Config(ConfigCommand),
    /// Becomes another program that is told to end when its parent dies.
    #[command(hide = true)]
    StartChild(StartChildArgs),
}

/// Options of `continuon sim`.
#[derive(Clone, Debug, Args)]
pub struct SimArgs {
    /// How long to drive, counted from Active [default: 20, with teleop 3600].
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1..=86_400))]
    pub seconds: Option<u32>,
    /// Who drives: the pilot, or a person, who arms the car and needs a terminal or a gamepad.
    #[arg(long, value_enum, value_name = "WHO", default_value_t = Drive::Pilot,
          conflicts_with = "virtual")]
    pub drive: Drive,
    /// With `--drive teleop`: this file drives instead of a person (see `teleop --help`).
    #[arg(long, value_name = "FILE", conflicts_with = "virtual")]
    pub script: Option<PathBuf>,
    /// A built-in track (twisty, oval) or a file with the columns x_m,y_m,w_tr_right_m,w_tr_left_m.
    #[arg(long, value_name = "NAME|FILE", default_value = "twisty")]
    pub track: String,
    /// Every length of the track is multiplied by this.
    #[arg(long, value_name = "S", default_value_t = 1.0, allow_negative_numbers = true)]
    pub scale: f64,
    /// Cycles a second, instead of the robot file's; the period is rounded down to whole microseconds.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(50..=4000))]
    pub rate_hz: Option<u32>,
    /// Wake this long before the release and spin; `auto` follows the measured latency.
    #[arg(long, value_name = "N|auto|off", allow_negative_numbers = true)]
    pub spin_us: Option<SpinChoice>,
    /// Kernel, pilot and plant in one process and virtual time, as fast as the machine goes.
    #[arg(long)]
    pub r#virtual: bool,
    /// Where the run's folder is made.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// A robot file, or the name of a built-in robot.
    #[arg(long, value_name = "NAME|FILE", default_value = "sim-donkey")]
    pub robot: String,
    /// Seed of everything random in the simulated car.
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true,
          value_parser = seed)]
    pub seed: u64,
}

/// Who drives a simulated car.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drive {
    /// Classic control.
    Pilot,
    /// A person, or a script.
    Teleop,
}

/// Which running robot is meant.
#[derive(Clone, Debug, Default, Args)]
pub struct WhichRun {
    /// Folder of the run, where its sockets are.
    #[arg(long, value_name = "DIR", conflicts_with = "robot")]
    pub run_dir: Option<PathBuf>,
    /// Name of the robot, where several run; what stops a car takes the newest without it.
    #[arg(long, value_name = "NAME")]
    pub robot: Option<String>,
}

/// Options of `continuon top`.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// Print once and end, on a terminal too.
    #[arg(long)]
    pub once: bool,
    /// Which run.
    #[command(flatten)]
    pub which: WhichRun,
}

/// Options of `continuon why`.
#[derive(Clone, Debug, Args)]
pub struct WhyArgs {
    /// Seconds from the episode's first record (12.5 or 12.5s), or a cycle (#12500); without it, the
    /// last stop.
    #[arg(value_name = "TIME", allow_negative_numbers = true, value_parser = moment)]
    pub at: Option<Moment>,
    /// An episode, the folder of a run, or a recording.mcap; without it, the newest episode.
    #[arg(long, value_name = "PATH")]
    pub episode: Option<PathBuf>,
}

/// Options of `continuon replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// An episode, the folder of a run, or a recording.mcap; without it, the newest episode.
    #[arg(value_name = "EPISODE")]
    pub episode: Option<PathBuf>,
}

/// Options of `continuon log`.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// An episode, the folder of a run, or a recording.mcap.
    #[arg(value_name = "EPISODE", conflicts_with_all = ["follow", "run_dir", "robot"])]
    pub episode: Option<PathBuf>,
    /// Go on until the loop ends, or Ctrl-C.
    #[arg(long)]
    pub follow: bool,
    /// Show messages of this level and above: trace, debug, info, warn, error.
    #[arg(long, value_name = "LEVEL", default_value = "trace", value_parser = level)]
    pub level: Level,
    /// The fast-loop executable that logged, where its messages are not to be had otherwise.
    #[arg(long, value_name = "FILE")]
    pub elf: Option<PathBuf>,
    /// Which run.
    #[command(flatten)]
    pub which: WhichRun,
}

/// A moment of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nanoseconds from the first record.
    After(u64),
    /// Number of the cycle.
    Cycle(u64),
}

/// What to do with robot files.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say whether a robot file is right; if not, file, line, key and the nearest valid name.
    #[command(after_help = "Example:\n  continuon config check configs/robots/sim-donkey.json")]
    Check {
        /// The robot file, or the name of a built-in robot.
        robot: String,
    },
    /// Print every key of a robot file with its value, range, default and meaning.
    #[command(after_help = "Example:\n  continuon config explain pi5-donkey")]
    Explain {
        /// The robot file, or the name of a built-in robot.
        robot: String,
    },
    /// Print the JSON Schema of robot files.
    #[command(after_help = "Example:\n  continuon config schema > robot.schema.json")]
    Schema,
}

/// Options of the hidden `start-child`.
#[derive(Clone, Debug, Args)]
pub struct StartChildArgs {
    /// Process that must be our parent still.
    pub parent_pid: i32,
    /// Program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// A whole number in `range`; the message says so, whatever was typed.
fn whole(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> + Clone {
    move |text| {
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            format!("expected a whole number from {} to {}", range.start(), range.end())
        })
    }
}

/// A recording is no longer than this.
const MOMENT_S_MAX: f64 = 1e6;

fn moment(text: &str) -> Result<Moment, String> {
    let wrong = || "expected seconds from the start (12.5 or 12.5s) or a cycle (#12500)".to_owned();
    if let Some(cycle) = text.strip_prefix('#') {
        return cycle.parse().map(Moment::Cycle).map_err(|_wrong| wrong());
    }
    let seconds: f64 = text.strip_suffix('s').unwrap_or(text).parse().map_err(|_wrong| wrong())?;
    if !(0.0..=MOMENT_S_MAX).contains(&seconds) {
        return Err(wrong());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked just above: 0 to 1e15 ns"
    )]
    Ok(Moment::After((seconds * 1e9).round() as u64))
}

fn level(text: &str) -> Result<Level, String> {
    Level::ALL.into_iter().find(|level| level.name() == text).ok_or_else(|| {
        let near = rt_config::nearest(text, Level::ALL.map(Level::name))
            .map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
        format!("expected trace, debug, info, warn or error{near}")
    })
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_wrong| format!("expected a whole number from 0 to {}", u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Moment, moment};

    #[test]
    fn a_moment_is_seconds_or_a_cycle_and_nothing_else() {
        assert_eq!(moment("12.5"), Ok(Moment::After(12_500_000_000)));
        assert_eq!(moment("0.001s"), Ok(Moment::After(1_000_000)));
        assert_eq!(moment("#12500"), Ok(Moment::Cycle(12_500)));
        for wrong in ["", "-1", "12:30", "nan", "inf", "1e9", "#", "#-1", "#1.5", "12.5 s", "s"] {
            let said = moment(wrong).expect_err(wrong);
            assert!(said.contains("12.5s") && said.contains("#12500"), "{said}");
        }
    }
}
