//! `continuon record`: an episode that a person begins and ends.
//!
//! *What it decides.* Who records: the recorder that runs is asked by a file among its episodes
//! (`rlds::request`), and only where none runs, one of our own is started with the same wishes. *What it
//! must never do.* Touch the loop: it reads what everybody may, and knows the recorder by its files.
//! Leave a wish or a recorder behind, however it ends.
//!
//! ```text
//! recorder runs   post the wish ─▶ its episode is cut out of the run ─▶ withdraw (Ctrl-C, or its death)
//! none runs       rlds-logger --task … ─▶ its episode ─▶ SIGTERM (Ctrl-C, or our death)
//! ```
//!
//! Tests: record/follow.rs, tests/cli.rs; real processes in the tests crate, module `episodes`.

mod follow;

use crate::exit::{Exit, Failure};
use crate::observe::watch::{Seen, Watch};
use crate::output::{print, print_line};
use crate::progress::Progress;
use crate::recorded::episodes_of;
use crate::run_dir::{self, ROBOT_FILE, Running};
use crate::signals::EndRequests;
use crate::sim::plan::arguments;
use crate::sim::process::{Hands, Process, beside_us};
use clap::Args;
use follow::{Episode, Follow, is_open};
use rlds::request::{PostError, Posted, RecordRequest};
use rlds::schema::{ControlRole, XrMode};
use rt_config::Robot;
use rt_wire::topics::RLDS_LOGGER;
use rt_wire::{HEARTBEAT_SOURCES, Heartbeat, SidecarState};
use serde_json::json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often we look.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A recorder's sign of life is heard within this, if there is one.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// An episode begins within this, on a slow disk too.
const BEGUN_WITHIN: Duration = Duration::from_secs(20);
/// And is closed within this.
const CLOSED_WITHIN: Duration = Duration::from_secs(30);
/// A loop or a recorder that tells nothing for this long has ended.
const SILENCE: Duration = Duration::from_secs(3);
/// A heartbeat that is older, by the clock of the records, is a dead recorder's.
const ALIVE_WITHIN_NS: u64 = 1_000_000_000;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  continuon record --task 'park in the box'      until Ctrl-C
  continuon record --max-steps 500 --xr-mode trainer --control-role human_teleop
  continuon record --robot pi5-donkey --json

The recorder that runs cuts the episode out of its run, to the cycle, and goes on as before; where none
runs, one is started. Exit codes: 0 recorded and valid, 1 it is not valid or records are missing, 2
misuse, 3 not possible here (and why).";

/// Options of `continuon record`.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// End after so many steps; without it, at Ctrl-C.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_steps: Option<u64>,
    /// What is to be done, in words: `language_instruction` of the first step. Without it, the robot
    /// file's `rlds_logger.task`.
    #[arg(long, value_name = "TEXT", value_parser = task)]
    pub task: Option<String>,
    /// How the robot is met: trainer, workstation or observer.
    #[arg(long, value_name = "MODE", value_parser = xr_mode)]
    pub xr_mode: Option<XrMode>,
    /// What the person does: human_teleop, human_supervisor or human_dev_xr. Without it, what the
    /// telemetry shows.
    #[arg(long, value_name = "ROLE", value_parser = control_role)]
    pub control_role: Option<ControlRole>,
    /// Where the recorder's episodes are, if not where the robot file says.
    #[arg(long, value_name = "DIR")]
    pub episodes_dir: Option<PathBuf>,
    /// Which run.
    #[command(flatten)]
    pub which: crate::cli::WhichRun,
}

fn task(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("expected a line of text".to_owned());
    }
    Ok(text.to_owned())
}

fn xr_mode(text: &str) -> Result<XrMode, String> {
    let ordinary = |mode: &XrMode| *mode != XrMode::SleepLearning;
    XrMode::from_name(text).filter(ordinary).ok_or_else(|| format!("expected {}", XrMode::NAMES))
}

fn control_role(text: &str) -> Result<ControlRole, String> {
    ControlRole::from_name(text).ok_or_else(|| format!("expected {}", ControlRole::NAMES))
}

/// Who records.
enum Recorder {
    /// The one that runs, as long as the wish stands.
    Asked(Option<Posted>),
    /// One of our own; its words lie in this folder.
    Own(Box<Process>, PathBuf),
}

/// Runs `continuon record`.
///
/// # Errors
/// No robot runs, nothing can be recorded, or somebody records already.
pub fn command(args: &RecordArgs, json: bool) -> Result<Exit, Failure> {
    let mut ends = EndRequests::take()?;
    let running = run_dir::find(&args.which)?;
    let folder = args.episodes_dir.clone().unwrap_or_else(|| episodes_of(&running.run_dir));
    let period_ns = Robot::load(running.run_dir.join(ROBOT_FILE))
        .map_or(1_000_000, |robot| robot.limits().period_ns);
    let watch = Watch::start(&running.run_dir, &running.robot, period_ns)?;
    let progress = Progress::new();
    progress.working("looking for a recorder");
    let mut follow = Follow::new(&folder);
    let mut recorder = Recorder::find(args, &running, &folder, &watch)?;
    let ended = until_ended(&mut recorder, &mut follow, &watch, &mut ends, &progress);
    recorder.end();
    let closed = ended.and_then(|()| until_closed(&mut follow));
    let is_own = matches!(recorder, Recorder::Own(..));
    drop(recorder);
    progress.done();
    closed?;
    let episodes = follow.verdicts()?;
    if json {
        print_line(
            json!({ "recorder": if is_own { "own" } else { "running" }, "episodes": episodes }),
        )?;
    } else {
        episodes.iter().try_for_each(|episode| print(&episode.in_words()))?;
    }
    let is_good = !episodes.is_empty() && episodes.iter().all(Episode::is_good);
    Ok(if is_good { Exit::Ok } else { Exit::No })
}

impl Recorder {
    fn find(
        args: &RecordArgs,
        running: &Running,
        folder: &Path,
        watch: &Watch,
    ) -> Result<Self, Failure> {
        if let Some(heartbeat) = await_heartbeat(watch) {
            let request = RecordRequest {
                task: args.task.clone(),
                xr_mode: args.xr_mode,
                control_role: args.control_role,
                max_steps: args.max_steps,
            };
            let pid = heartbeat.pid;
            return request.post(folder).map(|posted| Self::Asked(Some(posted))).map_err(|error| {
                match error {
                    PostError::Taken => Failure::not_possible(format!(
                        "{}: somebody is recording already (another `continuon record`): end that one \
                         first",
                        folder.display()
                    )),
                    PostError::Io { .. } => Failure::not_possible(format!(
                        "{error} (the recorder of process {pid} is asked by a file among its episodes: \
                         who may not write there may not record; --episodes-dir says where they are)"
                    )),
                }
            });
        }
        let program = beside_us(RLDS_LOGGER)?;
        let words = std::env::temp_dir().join(format!("continuon-record-{}", std::process::id()));
        std::fs::create_dir_all(&words)
            .map_err(|error| Failure::not_possible(format!("{}: {error}", words.display())))?;
        let process =
            Process::start(RLDS_LOGGER, &program, &own(args, running, folder), &words, Hands::Off)?;
        Ok(Self::Own(Box::new(process), words))
    }

    /// Whether the recorder has ended it.
    fn has_ended(&mut self) -> bool {
        match self {
            Self::Asked(posted) => posted.as_ref().is_none_or(Posted::has_ended),
            Self::Own(process, _) => process.look().is_some(),
        }
    }

    /// Our own recorder, where it ended without having recorded.
    fn failure(&mut self) -> Option<Failure> {
        let Self::Own(process, _) = self else {
            return None;
        };
        let status = process.look()?;
        let exit = match Exit::of_child(status.code()) {
            Exit::Ok => Exit::No,
            other => other,
        };
        Some(Failure::new(exit, process.end().in_words("ended before it recorded anything")))
    }

    /// Ends it: withdraws, or tells it to end and waits.
    fn end(&mut self) {
        match self {
            Self::Asked(posted) => drop(posted.take()),
            Self::Own(process, _) => process.stop(CLOSED_WITHIN),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end();
        if let Self::Own(_, words) = self {
            // Temporary, whatever becomes of it.
            std::fs::remove_dir_all(words).ok();
        }
    }
}

/// The command line of a recorder of our own.
fn own(args: &RecordArgs, running: &Running, folder: &Path) -> Vec<OsString> {
    let file = running.run_dir.join(ROBOT_FILE);
    // On a robot the file lies elsewhere, and the name of a built-in one does.
    let robot = if file.is_file() { file.into_os_string() } else { running.robot.clone().into() };
    let mut all = arguments([
        ("--robot", robot.as_os_str()),
        ("--run-dir", running.run_dir.as_os_str()),
        ("--episodes-dir", folder.as_os_str()),
    ]);
    // An option at least, so that it records at once, whatever the robot file says of arming.
    let max_steps = args.max_steps.unwrap_or(u64::MAX).to_string();
    let pairs = [
        ("--max-steps", Some(max_steps)),
        ("--task", args.task.clone()),
        ("--xr-mode", args.xr_mode.map(|mode| mode.name().to_owned())),
        ("--control-role", args.control_role.map(|role| role.name().to_owned())),
    ];
    for (name, value) in pairs {
        all.extend(value.into_iter().flat_map(|value| [name.into(), value.into()]));
    }
    all
}

/// The sign of life of a recorder that lives.
fn await_heartbeat(watch: &Watch) -> Option<Heartbeat> {
    let until = Instant::now() + HEARD_WITHIN;
    loop {
        let heartbeat = alive(&watch.seen());
        if heartbeat.is_some() || Instant::now() >= until {
            return heartbeat;
        }
        sleep(LOOK_EVERY);
    }
}

fn alive(seen: &Seen) -> Option<Heartbeat> {
    let place = HEARTBEAT_SOURCES.iter().position(|source| *source == RLDS_LOGGER)?;
    let heartbeat = seen.heartbeats.get(place).copied().flatten()?;
    let is_fresh = seen.trace.newest.at.since(heartbeat.mono_ns) < ALIVE_WITHIN_NS;
    let goes_on = heartbeat.state.get() != Some(SidecarState::Stopping);
    (is_fresh && goes_on && seen.trace.records > 0).then_some(heartbeat)
}

fn until_ended(
    recorder: &mut Recorder,
    follow: &mut Follow,
    watch: &Watch,
    ends: &mut EndRequests,
    progress: &Progress,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let (mut heard, mut heard_at) = (0, Instant::now());
    let mut lived_at = Instant::now();
    let mut is_told = false;
    loop {
        follow.look();
        let has_ended = recorder.has_ended();
        if !follow.has_begun() {
            if has_ended {
                follow.look();
                return match recorder.failure() {
                    Some(failure) if !follow.has_begun() => Err(failure),
                    _ => Ok(()),
                };
            }
            if ends.asked() {
                return Ok(());
            }
            if begun.elapsed() >= BEGUN_WITHIN {
                return Err(Failure::not_possible(format!(
                    "no episode began within {} s in {}: is that where the recorder writes \
                     (--episodes-dir), and has its disk room (its log says)?",
                    BEGUN_WITHIN.as_secs(),
                    follow.folder().display()
                )));
            }
        } else if !is_told {
            is_told = true;
            progress
                .stage(&format!("recording into {}; Ctrl-C ends it", follow.newest().display()));
        }
        if has_ended || ends.asked() {
            return Ok(());
        }
        let seen = watch.seen();
        let sequence = seen.trace.newest.sequence;
        if is_told {
            progress.working(&moving_line(follow, &seen));
        }
        if alive(&seen).is_some() {
            lived_at = Instant::now();
        }
        drop(seen);
        if follow.has_begun() && lived_at.elapsed() >= SILENCE {
            progress.note("the recorder has ended");
            return Ok(());
        }
        if sequence != heard {
            (heard, heard_at) = (sequence, Instant::now());
        } else if heard_at.elapsed() >= SILENCE {
            progress.note("the fast loop has ended");
            return Ok(());
        }
        sleep(LOOK_EVERY);
    }
}

/// What a person sees: steps, seconds, losses, disk, mode; and how to end it, because on a terminal this
/// line takes the place of the one that said so.
fn moving_line(follow: &Follow, seen: &Seen) -> String {
    let mode = seen.trace.newest.mode.map_or("?", rt_wire::Mode::name);
    let heartbeat = alive(seen);
    let lost = heartbeat.map_or(0, |heartbeat| heartbeat.lost_records);
    let is_degraded =
        heartbeat.is_none_or(|heartbeat| heartbeat.state.get() != Some(SidecarState::Running));
    let degraded = if is_degraded { "  RECORDER DEGRADED" } else { "" };
    let (tenths, kb) = (follow.elapsed().as_millis() / 100, follow.bytes() / 1000);
    format!(
        "{} steps  {}.{} s  {lost} lost  {}.{} MB  {mode}{degraded}  (Ctrl-C ends it)",
        follow.steps(),
        tenths / 10,
        tenths % 10,
        kb / 1000,
        kb % 1000 / 100,
    )
}

fn until_closed(follow: &mut Follow) -> Result<(), Failure> {
    let until = Instant::now() + CLOSED_WITHIN;
    loop {
        follow.look();
        let Some(open) = follow.episodes().find(|episode| is_open(episode)) else {
            return Ok(());
        };
        if Instant::now() >= until {
            return Err(Failure::no(format!(
                "{}: its recorder did not close it within {} s (`continuon rlds fsck --repair` does, once \
                 the recorder has gone)",
                open.display(),
                CLOSED_WITHIN.as_secs()
            )));
        }
        sleep(LOOK_EVERY);
    }
}
