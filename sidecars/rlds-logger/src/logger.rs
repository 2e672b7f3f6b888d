//! The process: attaches, opens the first episode, watches over the writer, says what came of it.
//!
//! *What it decides.* When the recording ends; when an episode does, `life` decides. *What it must
//! never do.* Touch the disk after the start: that is the writer's. Shown by: tests/process.rs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loop_log::MessageTable;
use rlds::request::RecordRequest;
use rlds::schema::{ControlRole, XrMode};
use rlds::{About, Attached, Closing, Summary};
use rt_config::FrameConvention;
use rt_shm::MappedSlotReader;
use rt_shm::protocol::LOOP_PROGRAM;
use rt_wire::topics::{HEALTH, KEYFRAME, LOG, RLDS_LOGGER, TELEMETRY};
use rt_wire::{Health, HealthFlags, KernelState, LogFrame, SidecarState, Telemetry};
use serde_json::json;
use sidecar::{CommonArgs, End, Failure, Outcome, Sidecar, kernel_release, mono_now, unix_ms_now};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::warn;

use crate::disk::open_episode;
use crate::drain::{Drain, FrameSource, NoCamera};
use crate::episodes::{Episodes, Recording};
use crate::keeper::{Keeper, Means, Tally, free_bytes};
use crate::life::LifeRules;
use crate::recover;
use crate::rotate::RotationRules;
use crate::supervise::{Observed, judge};
use crate::writer::{Ended, LogWriter};

/// How often the writer and the loop are looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(50);
/// Looks for the loop's word about its build, half a second in all; the ring holds what comes
/// meanwhile.
const BUILD_LOOKS: u32 = 10;

/// Records every telemetry record of a run as an RLDS episode
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "rlds-logger",
    version,
    after_help = "\
Examples, beside a running fast-loop:
  rlds-logger --robot sim-donkey --run-dir runs/mine --json
  rlds-logger --robot sim-donkey --run-dir runs/mine --task 'park in the box' --max-steps 500

With a task, a mode, a role or a number of steps it records one episode at once, whatever the robot
file says of arming. A person asks a recorder that runs already with `continuon record`.

Exit codes: 0 ended as told, 1 the disk cut an episode short, 2 misuse, 3 not possible here (and why)."
)]
pub struct Args {
    /// Robot and run directory
    #[command(flatten)]
    pub common: CommonArgs,
    /// Where episodes go, instead of the robot file's episodes_dir
    #[arg(long, value_name = "DIR")]
    pub episodes_dir: Option<PathBuf>,
    /// What is to be done, in words, instead of the robot file's `task`
    #[arg(long, value_name = "TEXT")]
    pub task: Option<String>,
    /// How the robot is met: trainer, workstation or observer
    #[arg(long, value_name = "MODE", value_parser = xr_mode)]
    pub xr_mode: Option<XrMode>,
    /// What the person does: human_teleop, human_supervisor or human_dev_xr
    #[arg(long, value_name = "ROLE", value_parser = control_role)]
    pub control_role: Option<ControlRole>,
    /// Ends after so many steps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_steps: Option<u64>,
    /// Prints each closed episode as one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// What the options wish, if they wish anything.
    fn wish(&self) -> Option<RecordRequest> {
        let request = RecordRequest {
            task: self.task.clone(),
            xr_mode: self.xr_mode,
            control_role: self.control_role,
            max_steps: self.max_steps,
        };
        (request != RecordRequest::default()).then_some(request)
    }
}

fn xr_mode(text: &str) -> Result<XrMode, String> {
    let ordinary = |mode: &XrMode| *mode != XrMode::SleepLearning;
    XrMode::from_name(text).filter(ordinary).ok_or_else(|| format!("expected {}", XrMode::NAMES))
}

fn control_role(text: &str) -> Result<ControlRole, String> {
    ControlRole::from_name(text).ok_or_else(|| format!("expected {}", ControlRole::NAMES))
}

/// Records until the loop ends or somebody says so. There is no camera yet.
///
/// # Errors
/// [`Failure`] if nothing could be recorded at all.
pub async fn main(args: Args) -> Result<Outcome, Failure> {
    main_with_camera(args, NoCamera, 0).await
}

/// As [`main`], with the frames of `camera` and a step at every `frames_per_step`-th of them.
///
/// # Errors
/// As [`main`].
pub async fn main_with_camera(
    args: Args,
    camera: impl FrameSource + Send + 'static,
    frames_per_step: u32,
) -> Result<Outcome, Failure> {
    let mut sidecar = Sidecar::start(RLDS_LOGGER, &args.common).await?;
    // The rings first: from here on nothing is missed while the disk is made ready.
    let telemetry = sidecar.client().ring_reader_from_oldest::<Telemetry>(&TELEMETRY)?;
    let keyframes = sidecar.client().ring_reader_from_oldest::<KernelState>(&KEYFRAME)?;
    let log = sidecar.client().ring_reader_from_oldest::<LogFrame>(&LOG)?;
    let health = sidecar.client().slot_reader::<Health>(&HEALTH)?;
    let mut about = About { frames_per_step, ..about(&sidecar, build_id(&health).await) };
    mark_replay(&mut about, &health);
    let episodes_dir = args.episodes_dir.clone().unwrap_or_else(|| {
        sidecar.run_dir().join(&sidecar.robot().file().rlds_logger.episodes_dir)
    });
    fs::create_dir_all(&episodes_dir).map_err(|error| {
        Failure::not_possible(format!("no episode: {}: {error}", episodes_dir.display()))
    })?;
    let table = log_table(&sidecar, about.build_id);
    let means = means(&sidecar, table, &episodes_dir, args.json);
    // What a killed recorder left is put in order meanwhile; ours is locked, and passed over.
    let rotation = means.rotation;
    let keeper = Keeper::start(means).map_err(no_thread)?;
    let recording = Recording {
        rules: LifeRules::of(&sidecar.robot().file().rlds_logger),
        about,
        wish: args.wish(),
        clocks: || (mono_now(), unix_ms_now()),
    };
    let episodes = Episodes::new(recording, keeper)
        .begin()
        .map_err(|error| Failure::not_possible(format!("no episode: {error}")))?;
    recover::start(episodes_dir, rotation);
    let drain = Drain::new(telemetry, keyframes, log).with_camera(camera);
    let writer = LogWriter::start(drain, episodes).map_err(no_thread)?;
    let tally = watch_over(&mut sidecar, writer, &health).await;
    sidecar.stopping();
    let tally = tally.ok_or_else(|| Failure::no("the log-writer thread died"))?;
    if tally.closed == 0 {
        tell_line(&if args.json {
            json!({"episode": null}).to_string()
        } else {
            "no episode".into()
        });
    }
    Ok(outcome(&tally))
}

fn no_thread(error: std::io::Error) -> Failure {
    Failure::not_possible(format!("no thread for the log: {error}"))
}

fn means(sidecar: &Sidecar, table: Option<MessageTable>, episodes_dir: &Path, json: bool) -> Means {
    let robot_json = sidecar.robot().json().as_bytes().to_vec();
    let (folder, asked) = (episodes_dir.to_owned(), episodes_dir.to_owned());
    let block = &sidecar.robot().file().rlds_logger;
    Means {
        episodes_dir: episodes_dir.to_owned(),
        open: Box::new(move |about| {
            let log_table = table.as_ref().map(MessageTable::saved);
            let attached = Attached { robot_json: &robot_json, log_table };
            open_episode(&folder, about, attached, mono_now)
        }),
        free_bytes: Box::new(move || free_bytes(&asked)),
        free_min_bytes: u64::from(block.free_min_mb) * 1_000_000,
        rotation: RotationRules::of(block),
        unix_ms: unix_ms_now,
        told: Box::new(move |summary| tell(summary, json)),
    }
}

/// Tells the heartbeat how the writer does, and the writer when to end; returns what came of it.
async fn watch_over(
    sidecar: &mut Sidecar,
    mut writer: LogWriter<Tally>,
    health: &MappedSlotReader<Health>,
) -> Option<Tally> {
    let mut observed = Observed::default();
    let mut was_degraded = false;
    let mut looks = interval(LOOK_PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let why = loop {
        tokio::select! {
            _ = looks.tick() => {}
            tally = writer.ended() => return tally,
            end = sidecar.until_end() => break match end {
                End::Told => Ended::Told,
                // The last word may have come in the same breath.
                End::LoopGone if has_ended(health) => Ended::LoopEnded,
                End::LoopGone => Ended::LoopGone,
            },
        }
        let progress = writer.progress();
        let said = judge(&mut observed, &progress, mono_now());
        sidecar.report().set(|report| *report = said);
        let is_degraded = said.state == SidecarState::Degraded;
        if is_degraded && !was_degraded {
            warn!("degraded: {progress:?}");
        }
        was_degraded = is_degraded;
        if has_ended(health) {
            break Ended::LoopEnded;
        }
        if progress.is_over {
            break Ended::Told;
        }
    };
    sidecar.report().set(|report| report.state = SidecarState::Stopping);
    writer.end(why);
    writer.ended().await
}

fn has_ended(health: &MappedSlotReader<Health>) -> bool {
    health.peek().is_some_and(|health| health.flags.has(HealthFlags::ENDED))
}

/// An episode of an episode that is played is none of a drive, and says so where people look for one.
fn mark_replay(about: &mut About, health: &MappedSlotReader<Health>) {
    if health.peek().is_some_and(|health| health.flags.has(HealthFlags::REPLAYED)) {
        about.environment_id = format!("replay-of-{}", about.environment_id);
    }
}

/// Build of the loop, as soon as it says so; 0 if it does not.
async fn build_id(health: &MappedSlotReader<Health>) -> u64 {
    for _ in 0..BUILD_LOOKS {
        if let Some(health) = health.peek() {
            return health.build_id;
        }
        sleep(LOOK_PERIOD).await;
    }
    0
}

/// The messages of the loop's log, so that the episode can be read when its executable is gone.
/// Without them the frames are recorded all the same: whoever has the executable can read them.
fn log_table(sidecar: &Sidecar, build_id: u64) -> Option<MessageTable> {
    let program = sidecar.run_dir().join(LOOP_PROGRAM);
    match MessageTable::load(&program, (build_id != 0).then_some(build_id)) {
        Ok(table) => Some(table),
        Err(error) => {
            warn!("the episode will not hold the messages of the loop's log: {error}");
            None
        }
    }
}

fn about(sidecar: &Sidecar, build_id: u64) -> About {
    let robot = sidecar.robot();
    let block = &robot.file().rlds_logger;
    let frame_convention = match block.frame_convention {
        FrameConvention::BaseLink => "base_link",
        FrameConvention::CameraLink => "camera_link",
    };
    About {
        robot: robot.name().to_owned(),
        robot_model: block.robot_model.clone(),
        environment_id: block.environment_id.clone(),
        frame_convention: frame_convention.to_owned(),
        build_id,
        start_mono_ns: mono_now(),
        start_unix_ms: unix_ms_now(),
        kernel: kernel_release(),
        step_rate_hz: block.step_rate_hz,
        task: block.task.clone(),
        ..About::default()
    }
}

/// A closed episode, on stdout.
fn tell(summary: &Summary, json: bool) {
    let note = &summary.note;
    let line = if json {
        json!({
            "episode": summary.path,
            "steps": note.steps,
            "telemetry_records": note.telemetry_records,
            "telemetry_lost": summary.telemetry_lost(),
            "keyframes": note.keyframes,
            "log_frames": note.log_frames,
            "log_frames_lost": note.log_frames_lost,
            "closing": note.closing,
            "begun": note.begun,
            "reason": note.reason,
        })
        .to_string()
    } else {
        format!(
            "{}: {} records, {} lost, {} keyframes, {} steps",
            summary.path.display(),
            note.telemetry_records,
            summary.telemetry_lost(),
            note.keyframes,
            note.steps,
        )
    };
    tell_line(&line);
    if note.closing == Closing::LoopLost {
        warn!("{}: {}", summary.path.display(), note.reason);
    }
}

fn tell_line(line: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        warn!("stdout is closed ({error}): {line}");
    }
}

/// A loss is told in the result, and so is a loop that died: the episode holds all that it said. Only
/// an episode that the disk cut short, or kept from beginning, is a no.
fn outcome(tally: &Tally) -> Outcome {
    if let Some(summary) = &tally.disk_failed {
        let note = &summary.note;
        return Outcome::No(format!(
            "{}: {}; {} records kept, {} lost to the disk: make room and record again",
            summary.path.display(),
            note.reason,
            note.telemetry_records,
            note.telemetry_lost_disk,
        ));
    }
    if tally.unrecorded > 0 {
        return Outcome::No(format!(
            "{} records are in no episode: none could begin (make room, or lower \
             rlds_logger.free_min_mb)",
            tally.unrecorded
        ));
    }
    Outcome::Done
}
