//! The process: attaches, opens the episode, watches over the writer, says what came of it.
//!
//! *What it decides.* When the recording ends. *What it must never do.* Touch the disk after the
//! start: that is the writer's. Shown by: tests/process.rs.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use loop_log::MessageTable;
use rlds::{About, Attached, Closing, Summary};
use rt_config::FrameConvention;
use rt_shm::MappedSlotReader;
use rt_shm::protocol::LOOP_PROGRAM;
use rt_wire::topics::{HEALTH, KEYFRAME, LOG, RLDS_LOGGER, TELEMETRY};
use rt_wire::{Health, HealthFlags, KernelState, LogFrame, SidecarState, Telemetry};
use sidecar::{CommonArgs, End, Failure, Outcome, Sidecar, kernel_release, mono_now, unix_ms_now};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use crate::disk::open_episode;
use crate::drain::Drain;
use crate::recover;
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
Example, beside a running fast-loop:
  rlds-logger --robot sim-donkey --run-dir runs/mine --json

Exit codes: 0 ended as told, 1 the disk cut the episode short, 2 misuse, 3 not possible here (and why)."
)]
pub struct Args {
    /// Robot and run directory
    #[command(flatten)]
    pub common: CommonArgs,
    /// Where episodes go, instead of the robot file's episodes_dir
    #[arg(long, value_name = "DIR")]
    pub episodes_dir: Option<PathBuf>,
    /// Prints the result as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Records until the loop ends or somebody says so.
///
/// # Errors
/// [`Failure`] if nothing could be recorded at all.
pub async fn main(args: Args) -> Result<Outcome, Failure> {
    let mut sidecar = Sidecar::start(RLDS_LOGGER, &args.common).await?;
    // The rings first: from here on nothing is missed while the disk is made ready.
    let telemetry = sidecar.client().ring_reader_from_oldest::<Telemetry>(&TELEMETRY)?;
    let keyframes = sidecar.client().ring_reader_from_oldest::<KernelState>(&KEYFRAME)?;
    let log = sidecar.client().ring_reader_from_oldest::<LogFrame>(&LOG)?;
    let health = sidecar.client().slot_reader::<Health>(&HEALTH)?;
    let mut about = about(&sidecar, build_id(&health).await);
    mark_replay(&mut about, &health);
    let episodes_dir = args.episodes_dir.clone().unwrap_or_else(|| {
        sidecar.run_dir().join(&sidecar.robot().file().rlds_logger.episodes_dir)
    });
    let table = log_table(&sidecar, about.build_id);
    let attached = Attached {
        robot_json: sidecar.robot().json().as_bytes(),
        log_table: table.as_ref().map(MessageTable::saved),
    };
    let episode = open_episode(&episodes_dir, about, attached, mono_now)
        .map_err(|error| Failure::not_possible(format!("no episode: {error}")))?;
    info!("recording into {}", episode.path().display());
    // What a killed recorder left is put in order meanwhile; ours is locked, and passed over.
    recover::start(episodes_dir);
    let writer = LogWriter::start(Drain::new(telemetry, keyframes, log), episode)
        .map_err(|error| Failure::not_possible(format!("no thread for the log: {error}")))?;
    let summary = watch_over(&mut sidecar, writer, &health).await;
    sidecar.stopping();
    let summary = summary.ok_or_else(|| Failure::no("the log-writer thread died"))?;
    tell(&summary, args.json);
    Ok(outcome(&summary))
}

/// Tells the heartbeat how the writer does, and the writer when to end; returns what came of it.
async fn watch_over(
    sidecar: &mut Sidecar,
    mut writer: LogWriter,
    health: &MappedSlotReader<Health>,
) -> Option<Summary> {
    let mut observed = Observed::default();
    let mut was_degraded = false;
    let mut looks = interval(LOOK_PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let why = loop {
        tokio::select! {
            _ = looks.tick() => {}
            summary = writer.ended() => return summary,
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
        // There is no camera yet.
        frames_per_step: 0,
    }
}

/// The result, on stdout.
fn tell(summary: &Summary, json: bool) {
    let note = &summary.note;
    let line = if json {
        serde_json::json!({
            "episode": summary.path,
            "steps": note.steps,
            "telemetry_records": note.telemetry_records,
            "telemetry_lost": summary.telemetry_lost(),
            "keyframes": note.keyframes,
            "log_frames": note.log_frames,
            "log_frames_lost": note.log_frames_lost,
            "closing": note.closing,
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
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        warn!("stdout is closed ({error}): {line}");
    }
}

/// A loss is told in the result, and so is a loop that died: the episode holds all that it said. Only
/// an episode that the disk cut short is a no.
fn outcome(summary: &Summary) -> Outcome {
    let note = &summary.note;
    match note.closing {
        Closing::Clean | Closing::Open | Closing::Recovered => Outcome::Done,
        Closing::LoopLost => {
            warn!("{}: {}", summary.path.display(), note.reason);
            Outcome::Done
        }
        Closing::DiskFailed => Outcome::No(format!(
            "{}: {}; {} records kept, {} lost to the disk: make room and record again",
            summary.path.display(),
            note.reason,
            note.telemetry_records,
            note.telemetry_lost_disk,
        )),
    }
}
