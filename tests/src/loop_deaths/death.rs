//! One death: start everything, drive, kill or stop the loop, ask the plant when the power went.
//!
//! Decides what is no fair trial. It never judges a time. Tests: here, and those of `loop_deaths`.

use super::LIMIT_MS;
use crate::real_robot::{ROBOT, Robot, Running, drives, next, within};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};
use rt_config::Robot as RobotFile;
use rt_shm::{MappedRingReader, MappedSlotReader};
use rt_wire::{Mode, MonoNs, OperatorKind, PlantStatus, Raw, Telemetry, topics};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// The loop dies within this time after the car drove.
pub(super) const PHASE_NS: u64 = 20_000_000;
/// Faster than this the car drives.
const DRIVES_M_PER_S: f32 = 0.3;
/// A plant or a killer that was later than this measured the machine.
const LATE_NS: u64 = 10_000_000;
/// A loop that is stopped is stopped for this long…
const STOPPED_FOR: Duration = Duration::from_millis(100);
/// …and wakes up to a stall beyond this, its robot file's limit.
const NEUTRAL_AFTER_US: u32 = 60_000;
/// Power that is still on then, on the plant's clock, is not cut.
const NEVER_NS: u64 = 1_000_000_000;
/// For a machine that hardly runs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What happens to the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// SIGKILL.
    Killed,
    /// SIGSTOP, and SIGCONT 100 ms later, to a loop whose own limit of a stall is 60 ms.
    Stopped,
}

/// A robot and a car that are ready sooner than those in the book. Nothing between heartbeat pin and
/// motor differs.
pub(super) struct Files {
    _folder: tempfile::TempDir,
    robot: String,
    params: String,
}

impl Files {
    pub(super) fn new(how: How) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| -> String {
            let path: PathBuf = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.to_str().expect("text").to_owned()
        };
        let robot = RobotFile::resolve(ROBOT).expect("it comes with every binary");
        let robot = robot.edited(|file| {
            file.limits.arming_ms = 50;
            if how == How::Stopped {
                file.timing.neutral_after_us = NEUTRAL_AFTER_US;
            }
        });
        let robot = write("robot.json", robot.expect("within its ranges").json());
        let params = include_str!("../../../hil/params/donkey-1-10.json");
        let mut params: Value = serde_json::from_str(params).expect("hil embeds it too");
        // The speed controller of the book looks for neutral for half a second.
        params["drive"]["boot_ms"]["value"] = 0.into();
        let params = write("params.json", &params.to_string());
        Self { _folder: folder, robot, params }
    }
}

/// Why a death is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Void {
    /// The plant was held up between the last edge and the cut.
    PlantLate,
    /// Whoever sends the signal was held up while it did.
    KillerLate,
    /// The car did not come to drive, or no longer did when the loop died.
    NotDriving,
}

/// What was seen of a death.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) void: Option<Void>,
    /// Death to power off, on the plant's clock; absent if the power stayed on.
    pub(super) from_death_ms: Option<f64>,
    /// Last edge to power off, on the plant's clock.
    pub(super) from_edge_ms: Option<f64>,
    /// Death to the instant at which the plant had come to power off.
    pub(super) wall_ms: Option<f64>,
    /// The plant's latest step from the last edge to the cut.
    pub(super) plant_late_ms: f64,
    /// What the first cycle after a stop did, if it was not to stop.
    pub(super) went_on: Option<String>,
    /// Whether loop and plant had real-time priority.
    pub(super) is_fifo: (bool, bool),
}

impl Seen {
    fn void(void: Void) -> Self {
        Self {
            void: Some(void),
            from_death_ms: None,
            from_edge_ms: None,
            wall_ms: None,
            plant_late_ms: 0.0,
            went_on: None,
            is_fifo: (false, false),
        }
    }
}

/// Lets one loop die.
pub(super) fn one(files: &Files, how: How, phase_ns: u64) -> Seen {
    let mut robot = Robot::of(&files.robot, &["--params", &files.params]);
    robot.start_pilot();
    let (mut client, mut telemetry) = robot.telemetry();
    let truth = within(PATIENCE, || client.slot_reader::<PlantStatus>(&topics::SIM_STATUS).ok());
    let Some(truth) = truth else { return Seen::void(Void::NotDriving) };
    if !drive(&robot, &mut telemetry) {
        return Seen::void(Void::NotDriving);
    }
    let (Some(fast_loop), Some(plant)) = (robot.fast_loop.take(), robot.plant.take()) else {
        return Seen::void(Void::NotDriving);
    };
    let is_fifo = (is_fifo(&fast_loop), is_fifo(&plant));

    std::thread::sleep(Duration::from_nanos(phase_ns));
    let died_at = now();
    fast_loop.signal(if how == How::Killed { Signal::SIGKILL } else { Signal::SIGSTOP });
    let sent_in_ns = now().since(died_at);
    if how == How::Stopped {
        std::thread::sleep(STOPPED_FOR);
    }
    let cut_as_told = match wait_for_the_cut(&truth, died_at) {
        Ok(cut_as_told) => cut_as_told,
        Err(void) => return Seen::void(void),
    };
    let (died_in, went_on) = match how {
        How::Killed => (newest_mode(&mut telemetry), None),
        How::Stopped => {
            let resumed_at = now();
            fast_loop.signal(Signal::SIGCONT);
            after_the_stop(&mut telemetry, resumed_at)
        }
    };
    let word = last_word(plant);
    if died_in != Some(Mode::Active) {
        return Seen::void(Void::NotDriving);
    }

    let at = |key: &str| word[key].as_u64().map(MonoNs).filter(|at| *at > died_at);
    // What the loop may have switched off itself, after a stop, is no work of the monostable.
    let cut_at = at("power_cut_at_ns").filter(|_| cut_as_told.is_some_and(|told| told > died_at));
    let since_death_ms = |at: MonoNs| milliseconds(at.since(died_at));
    let plant_late_ms = match cut_at {
        Some(_) => word["power_cut_late_ms"].as_f64(),
        None => word["late_ms_max"].as_f64(),
    };
    let plant_late_ms = plant_late_ms.expect("the plant tells how late it was");
    let from_death_ms = cut_at.map(since_death_ms);
    let void = if cut_as_told.is_some_and(|told| told <= died_at) {
        Some(Void::NotDriving)
    } else {
        excuse(from_death_ms, milliseconds(sent_in_ns), plant_late_ms)
    };
    Seen {
        void,
        from_death_ms,
        from_edge_ms: cut_at.and_then(|_| word["power_cut_after_ms"].as_f64()),
        wall_ms: cut_at.and_then(|_| at("power_cut_seen_at_ns")).map(since_death_ms),
        plant_late_ms,
        went_on,
        is_fifo,
    }
}

/// Why the machine, and not the car, was measured; if it was. A machine that was held up explains no
/// more than the time for which it was, and never a power that stays on.
fn excuse(from_death_ms: Option<f64>, sent_in_ms: f64, plant_late_ms: f64) -> Option<Void> {
    let explained_ms = LIMIT_MS + sent_in_ms + plant_late_ms;
    if from_death_ms.is_none_or(|ms| ms > explained_ms) {
        None
    } else if sent_in_ms > milliseconds(LATE_NS) {
        Some(Void::KillerLate)
    } else if plant_late_ms > milliseconds(LATE_NS) {
        Some(Void::PlantLate)
    } else {
        None
    }
}

/// Arms until the car drives; whether it ever did.
fn drive(robot: &Robot, telemetry: &mut MappedRingReader<Telemetry>) -> bool {
    let drives_at_last = within(PATIENCE, || {
        let mut is_disarmed = false;
        let record = next(telemetry, |record| {
            is_disarmed = record.outcome.mode == Raw::new(Mode::Disarmed);
            drives(record, DRIVES_M_PER_S)
        });
        // A machine that stalls stops the car before it drives: it is armed again.
        if record.is_none() && is_disarmed {
            robot.ask(OperatorKind::Arm);
        }
        record
    });
    drives_at_last.is_some()
}

/// The mode of the newest cycle of all.
fn newest_mode(telemetry: &mut MappedRingReader<Telemetry>) -> Option<Mode> {
    let mut mode = None;
    next(telemetry, |record| {
        mode = record.outcome.mode.get();
        false
    });
    mode
}

/// The mode in which the loop was stopped, and what its first cycle after that did if it did not
/// stop the car.
fn after_the_stop(
    telemetry: &mut MappedRingReader<Telemetry>,
    resumed_at: MonoNs,
) -> (Option<Mode>, Option<String>) {
    let mut stopped_in = None;
    let first = within(PATIENCE, || {
        next(telemetry, |record| {
            // The cycle that the stop cut in two ends now, but woke before.
            if record.release.woke_at < resumed_at {
                stopped_in = record.outcome.mode.get();
            }
            record.release.woke_at >= resumed_at
        })
    });
    let Some(first) = first else { return (stopped_in, Some("it told nothing".to_owned())) };
    let outcome = &first.outcome;
    let is_latched = outcome.mode == Raw::new(Mode::EStopLatched)
        && outcome.level == 0
        && outcome.pulses.flags.0 == 0;
    let went_on = (!is_latched).then(|| {
        format!("{:?}, level {}, {:?}", outcome.mode, outcome.level, outcome.pulses.flags)
    });
    (stopped_in, went_on)
}

/// When power was cut, as soon as the plant has told one after the death, or so much of its own time
/// has gone that there is none. A plant that does not get that far in all our patience was held up.
fn wait_for_the_cut(
    truth: &MappedSlotReader<PlantStatus>,
    died_at: MonoNs,
) -> Result<Option<MonoNs>, Void> {
    let status = within(PATIENCE, || {
        let status = truth.peek()?;
        let is_over = status.mono_ns.since(died_at) > NEVER_NS;
        (status.power_cut_at > died_at || is_over).then_some(status)
    });
    let status = status.ok_or(Void::PlantLate)?;
    Ok(Some(status.power_cut_at).filter(|at| *at != MonoNs(0)))
}

/// What the plant says when it is told to end.
fn last_word(plant: Running) -> Value {
    plant.signal(Signal::SIGTERM);
    let (_, told) = plant.end();
    serde_json::from_str(told.trim()).expect("one JSON line")
}

/// Whether a thread of it has real-time priority.
fn is_fifo(process: &Running) -> bool {
    const FIFO: &str = "1";
    let threads = std::fs::read_dir(format!("/proc/{}/task", process.pid()));
    threads.into_iter().flatten().flatten().any(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // proc_pid_stat(5): the policy is field 41; the name before field 3 may have spaces.
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(41 - 3) == Some(FIFO)
    })
}

fn now() -> MonoNs {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has it");
    MonoNs(u64::try_from(Duration::from(time).as_nanos()).expect("500 years"))
}

fn milliseconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::{Void, excuse};

    #[test]
    fn a_machine_that_was_held_up_explains_no_more_than_that() {
        assert_eq!(excuse(Some(36.0), 0.1, 0.2), None);
        assert_eq!(excuse(Some(36.0), 0.1, 15.0), Some(Void::PlantLate));
        assert_eq!(excuse(Some(60.0), 0.1, 15.0), Some(Void::PlantLate));
        assert_eq!(excuse(Some(60.0), 12.0, 0.2), Some(Void::KillerLate));
        assert_eq!(excuse(Some(70.0), 0.1, 15.0), None, "20 ms too late, 15 of them explained");
        assert_eq!(excuse(None, 12.0, 400.0), None, "the power stayed on");
    }
}
