//! The drive: arm, Active for as long as was asked, disarm, and why it ended.
//!
//! Time is the record's own (the loop's clock in each telemetry record); our own clock only bounds
//! how long we wait for a record at all.

use crate::exit::Failure;
use crate::observe::watch::{STANDING_M_PER_S, Seen, Watch};
use crate::operator;
use crate::progress::Progress;
use crate::report::{self, Ended, ProcessEnd};
use crate::signals::EndRequests;
use crate::sim::fleet::Fleet;
use crate::sim::plan::Plan;
use rt_wire::{InterlockSet, Mode, OperatorKind};
use serde_json::Value;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long we ask to arm, because sources and sensors need a moment.
const ARM_WITHIN: Duration = Duration::from_secs(5);
/// Between two tries.
const ARM_EVERY: Duration = Duration::from_millis(200);
/// How often we look at what our reader has seen.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A loop that tells nothing for this long has stopped.
const SILENCE: Duration = Duration::from_secs(2);
/// After a stop the car stands within this.
const STANDS_WITHIN: Duration = Duration::from_secs(4);
/// A pilot that is told to end has parked the car within this, or gives up.
const PARKS_WITHIN: Duration = Duration::from_secs(4);
/// A death that matters to the loop is told by the loop within this.
const CONSEQUENCE_WITHIN: Duration = Duration::from_secs(1);

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// How the drive ended.
    pub ended: Ended,
    /// Everything our reader saw.
    pub seen: Seen,
    /// How each process ended.
    pub processes: Vec<ProcessEnd>,
    /// The logger's last line.
    pub logger: Option<Value>,
}

/// Start, drive, stop.
///
/// # Errors
/// The run could not be begun, or the car could not be armed. All processes are stopped then, too.
pub fn whole_run(
    plan: &Plan,
    ends: &mut EndRequests,
    progress: &Progress,
) -> Result<Outcome, Failure> {
    let mut fleet = Fleet::start(plan, ends, progress)?;
    if let Some(lack) = report::not_realtime(&fleet.seen()?) {
        progress.note(&lack);
    }
    progress.stage("arming");
    arm(plan, &mut fleet, ends)?;
    progress.drive(plan.seconds);
    let ended = drive(plan, &mut fleet, ends, progress)?;
    progress.stage("stopping");
    come_to_rest(plan, &mut fleet, &ended)?;
    fleet.stop();
    let processes = fleet.process_ends();
    let logger = fleet.logger_json();
    let seen = fleet.seen()?;
    Ok(Outcome { ended, seen, processes, logger })
}

/// Asks until Active is reached.
fn arm(plan: &Plan, fleet: &mut Fleet, ends: &mut EndRequests) -> Result<(), Failure> {
    let arming = Duration::from_millis(u64::from(plan.robot.file().limits.arming_ms));
    let until = Instant::now() + ARM_WITHIN;
    loop {
        let answer = operator::ask(&plan.run_dir, OperatorKind::Arm)?;
        if answer.is_done() {
            let reached = wait(fleet, arming + ARM_WITHIN, |seen| {
                seen.trace.active_at.is_some() || seen.trace.newest.mode == Some(Mode::Disarmed)
            })?;
            if reached && fleet.watch()?.seen().trace.active_at.is_some() {
                return Ok(());
            }
        }
        if ends.asked() {
            return Err(Failure::no("interrupted before the car was armed"));
        }
        if let Some(name) = fleet.dead() {
            return Err(died(fleet, name, "before the car was armed"));
        }
        if Instant::now() >= until {
            let newest = fleet.watch()?.seen().trace.newest;
            let interlocks = InterlockSet(answer.interlocks.0 | newest.interlocks.0);
            return Err(Failure::no(format!(
                "the car could not be armed within {} s; it is {}, and this forbids it:{}",
                ARM_WITHIN.as_secs(),
                newest.mode.map_or("in an unknown mode", Mode::name),
                operator::reasons(interlocks, newest.causes),
            )));
        }
        sleep(ARM_EVERY);
    }
}

fn drive(
    plan: &Plan,
    fleet: &mut Fleet,
    ends: &mut EndRequests,
    progress: &Progress,
) -> Result<Ended, Failure> {
    let asked_ns = u64::from(plan.seconds) * 1_000_000_000;
    let mut heard = (0_u64, Instant::now());
    loop {
        let (driven_ns, sequence, departed, moving) = {
            let seen = fleet.watch()?.seen();
            let trace = &seen.trace;
            (
                trace.driven_ns(),
                trace.newest.sequence,
                trace.departure.is_some(),
                moving_line(&seen),
            )
        };
        if departed {
            return Ok(Ended::ByItself);
        }
        if let Some(name) = fleet.dead() {
            return Ok(Ended::Died(name));
        }
        if driven_ns.is_some_and(|driven_ns| driven_ns >= asked_ns) {
            return Ok(Ended::AsAsked);
        }
        if ends.asked() {
            return Ok(Ended::Interrupted);
        }
        if sequence != heard.0 {
            heard = (sequence, Instant::now());
        } else if heard.1.elapsed() >= SILENCE {
            return Ok(Ended::Silent);
        }
        progress.driven(seconds(driven_ns.unwrap_or_default()), || moving);
        sleep(LOOK_EVERY);
    }
}

/// Brings the car to a stop, or watches it come to one, so that the record holds all of it.
fn come_to_rest(plan: &Plan, fleet: &mut Fleet, ended: &Ended) -> Result<(), Failure> {
    if let Ended::Died(_) = ended {
        // The loop says first what the death means to it; if nothing, the drive ends by our wish.
        wait(fleet, CONSEQUENCE_WITHIN, |seen| seen.trace.departure.is_some())?;
    }
    if matches!(ended, Ended::AsAsked | Ended::Interrupted) {
        fleet.park();
        wait(fleet, PARKS_WITHIN, |seen| stands(seen) || seen.trace.departure.is_some())?;
    }
    let departed = fleet.watch()?.seen().trace.departure.is_some();
    if !departed {
        // A loop that cannot answer is stopped by its process's end; the report says so.
        drop(operator::ask(&plan.run_dir, OperatorKind::Disarm));
    }
    wait(fleet, STANDS_WITHIN, |seen| {
        let newest = seen.trace.newest.mode;
        let is_over = !matches!(newest, Some(Mode::Arming | Mode::Active | Mode::SafeStop));
        // Without the loop there is no departure to count from: power is cut by the monostable.
        let cut = seen.plant.is_some_and(|plant| plant.power_cut_at.0 > 0);
        stands(seen) && (is_over || cut)
    })
    .map(|_| ())
}

fn stands(seen: &Seen) -> bool {
    seen.plant.is_none_or(|plant| plant.speed_m_per_s.abs() < STANDING_M_PER_S)
}

/// Whether `condition` came to hold within `patience`.
fn wait(
    fleet: &Fleet,
    patience: Duration,
    condition: impl Fn(&Seen) -> bool,
) -> Result<bool, Failure> {
    let watch: &Watch = fleet.watch()?;
    let until = Instant::now() + patience;
    loop {
        if condition(&watch.seen()) {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        sleep(LOOK_EVERY);
    }
}

fn died(fleet: &Fleet, name: &str, when: &str) -> Failure {
    let end = fleet.process_ends().into_iter().find(|end| end.name == name);
    let Some(end) = end else { return Failure::no(format!("{name} ended {when}")) };
    let mut message = format!("{name} ended {when}: {}", end.how);
    for line in &end.last_words {
        message.push_str(&format!("\n  {name}: {line}"));
    }
    Failure::no(message)
}

/// What a person sees beside the bar.
fn moving_line(seen: &Seen) -> String {
    let mode = seen.trace.newest.mode.map_or("?", Mode::name);
    let (speed, laps) = seen.plant.map_or((0.0, 0), |plant| (plant.speed_m_per_s, plant.laps));
    format!(
        "{:5.1} s  {speed:4.1} m/s  {laps} laps  {mode}  {} late",
        seconds(seen.trace.driven_ns().unwrap_or_default()),
        seen.trace.late_events,
    )
}

#[expect(clippy::cast_precision_loss, reason = "for people; exact up to 104 days")]
fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}
