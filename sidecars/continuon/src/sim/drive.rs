//! The drive: arm, Active for as long as was asked, disarm, and why it ended.
//!
//! Time is the record's own (the loop's clock in each telemetry record); our own clock only bounds
//! how long we wait for a record at all.

use crate::cli::Drive;
use crate::exit::Failure;
use crate::observe::trace::Departure;
use crate::observe::watch::{STANDING_M_PER_S, Seen};
use crate::operator;
use crate::progress::Progress;
use crate::report::{self, Ended, ProcessEnd, seconds};
use crate::signals::EndRequests;
use crate::sim::fleet::Fleet;
use crate::sim::keys;
use crate::sim::plan::Plan;
use crate::sim::terminal::Terminal;
use rt_wire::{Fault, FaultSet, InterlockSet, Mode, MonoNs, OperatorKind, Severity};
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
    /// Just before the fast loop was forked.
    pub begun_at: MonoNs,
}

/// Start, drive, stop.
///
/// # Errors
/// The run could not be begun, or the car could not be armed. All processes are stopped then, too.
pub fn whole_run(
    plan: &Plan,
    terminal: &mut Terminal,
    ends: &mut EndRequests,
    progress: &Progress,
) -> Result<Outcome, Failure> {
    let mut fleet = Fleet::start(plan, terminal.hands(), ends, progress)?;
    let ended = from_start_to_rest(plan, terminal, &mut fleet, ends, progress);
    fleet.stop();
    if fleet.driver_was_killed() {
        terminal.driver_was_killed();
    }
    let ended = ended?;
    let processes = fleet.process_ends();
    let logger = fleet.logger_json();
    let seen = fleet.seen().clone();
    Ok(Outcome { ended, seen, processes, logger, begun_at: fleet.begun_at() })
}

fn from_start_to_rest(
    plan: &Plan,
    terminal: &Terminal,
    fleet: &mut Fleet,
    ends: &mut EndRequests,
    progress: &Progress,
) -> Result<Ended, Failure> {
    if let Some(lack) = report::not_realtime(&fleet.seen()) {
        progress.note(&lack);
    }
    if terminal.keys().is_some() {
        progress.help(keys::HELP);
    }
    if plan.person_drives() {
        progress.stage("waiting for the person who drives to arm");
        await_person(fleet, ends)?;
    } else {
        progress.stage("arming");
        arm(plan, fleet, ends)?;
    }
    progress.drive(plan.seconds);
    let ended = drive(plan, terminal, fleet, ends, progress);
    progress.stage("stopping");
    come_to_rest(plan, fleet, &ended);
    Ok(ended)
}

/// Asks until Active is reached.
fn arm(plan: &Plan, fleet: &mut Fleet, ends: &mut EndRequests) -> Result<(), Failure> {
    let arming = Duration::from_millis(u64::from(plan.robot.file().limits.arming_ms));
    let until = Instant::now() + ARM_WITHIN;
    let mut interlocks = InterlockSet::EMPTY;
    let mut asked_at = None::<Instant>;
    loop {
        let (newest, active_at) = {
            let trace = &fleet.seen().trace;
            (trace.newest, trace.active_at)
        };
        if active_at.is_some() {
            return Ok(());
        }
        if ends.asked() {
            return Err(Failure::no("interrupted before the car was armed"));
        }
        if let Some(name) = fleet.dead() {
            return Err(died(fleet, name, "ended before the car was armed"));
        }
        let is_arming = newest.mode == Some(Mode::Arming);
        if Instant::now() >= until + if is_arming { arming } else { Duration::ZERO } {
            let interlocks = InterlockSet(interlocks.0 | newest.interlocks.0);
            let refused = Failure::no(format!(
                "the car could not be armed within {} s; it is {}, and this forbids it:{}",
                ARM_WITHIN.as_secs(),
                newest.mode.map_or("in an unknown mode", Mode::name),
                operator::reasons(interlocks, newest.causes),
            ));
            return Err(refused
                .with("mode", newest.mode.map(Mode::name).into())
                .with("interlocks", operator::interlocks_json(interlocks))
                .with("causes", operator::causes_json(newest.causes)));
        }
        if !is_arming && asked_at.is_none_or(|at| at.elapsed() >= ARM_EVERY) {
            let answer = operator::ask(&plan.run_dir, OperatorKind::Arm);
            interlocks = answer.map_err(|error| no_answer(fleet, error))?.interlocks;
            asked_at = Some(Instant::now());
        }
        sleep(LOOK_EVERY);
    }
}

/// Waits for somebody to arm the car, for as long as that takes.
fn await_person(fleet: &mut Fleet, ends: &mut EndRequests) -> Result<(), Failure> {
    while fleet.seen().trace.active_at.is_none() {
        if ends.asked() || fleet.driver_left() {
            return Err(Failure::no("ended before anybody armed the car"));
        }
        if let Some(name) = fleet.dead() {
            return Err(died(fleet, name, "ended before the car was armed"));
        }
        sleep(LOOK_EVERY);
    }
    Ok(())
}

/// A loop that cannot be asked has most likely died: then its end tells more than the socket does.
fn no_answer(fleet: &mut Fleet, error: Failure) -> Failure {
    // Its socket closes a moment before it counts as dead.
    sleep(ARM_EVERY);
    match fleet.dead() {
        Some(name) => died(fleet, name, "ended before the car was armed"),
        None => error,
    }
}

fn drive(
    plan: &Plan,
    terminal: &Terminal,
    fleet: &mut Fleet,
    ends: &mut EndRequests,
    progress: &Progress,
) -> Ended {
    // Who can stop the car can arm it again: their stops end no run.
    let person_stays = plan.drive == Drive::Teleop || terminal.keys().is_some();
    let asked_ns = u64::from(plan.seconds) * 1_000_000_000;
    let (mut heard, mut heard_at) = (0_u64, Instant::now());
    loop {
        let (driven_ns, sequence, departed, is_in_fault) = {
            let seen = fleet.seen();
            let trace = &seen.trace;
            let by_person =
                |departure: Departure| person_stays && is_persons(&departure, plan.drive);
            (
                since_active_ns(&seen),
                trace.newest.sequence,
                trace.departure.is_some_and(|departure| !by_person(departure)),
                trace.newest.mode == Some(Mode::Fault),
            )
        };
        if departed {
            return Ended::ByItself;
        }
        // Nobody arms a car in Fault again, whatever it had stopped for before.
        if is_in_fault {
            return Ended::InFault;
        }
        if let Some(keys) = terminal.keys() {
            for answer in keys.answers() {
                progress.note(&answer);
            }
            if keys.quit() {
                return Ended::ByPerson;
            }
        }
        if fleet.driver_left() {
            return if ends.asked() { Ended::Interrupted } else { Ended::ByPerson };
        }
        if let Some(name) = fleet.dead() {
            return Ended::Died(name);
        }
        if driven_ns.is_some_and(|driven_ns| driven_ns >= asked_ns) {
            return Ended::AsAsked;
        }
        if ends.asked() {
            return Ended::Interrupted;
        }
        if sequence != heard {
            (heard, heard_at) = (sequence, Instant::now());
        } else if heard_at.elapsed() >= SILENCE {
            return Ended::Silent;
        }
        progress.driven(seconds(driven_ns.unwrap_or_default()), || moving_line(&fleet.seen()));
        sleep(LOOK_EVERY);
    }
}

/// Brings the car to a stop, or watches it come to one, so that the record holds all of it.
fn come_to_rest(plan: &Plan, fleet: &mut Fleet, ended: &Ended) {
    if let Ended::Died(_) = ended {
        // The loop says first what the death means to it; if nothing, the drive ends by our wish.
        wait(fleet, CONSEQUENCE_WITHIN, |seen| seen.trace.departure.is_some());
    }
    if matches!(ended, Ended::AsAsked | Ended::ByPerson | Ended::Interrupted) {
        fleet.park();
        wait(fleet, PARKS_WITHIN, |seen| stands(seen) || !may_move(seen));
    }
    let moves = may_move(&fleet.seen());
    if moves {
        // A loop that cannot answer is stopped by its process's end; the report says so.
        drop(operator::ask(&plan.run_dir, OperatorKind::Disarm));
    }
    wait(fleet, STANDS_WITHIN, |seen| {
        let newest = seen.trace.newest.mode;
        let is_over = !matches!(newest, Some(Mode::Arming | Mode::Active | Mode::SafeStop));
        // Without the loop there is no departure to count from: power is cut by the monostable.
        let cut = seen.plant.is_some_and(|plant| plant.power_cut_at.0 > 0);
        stands(seen) && (is_over || cut)
    });
}

/// Whether the car is armed, or was when the loop was last heard.
fn may_move(seen: &Seen) -> bool {
    matches!(seen.trace.newest.mode, Some(Mode::Arming | Mode::Active))
}

/// Whether nothing but a person's wish made the loop leave Active. Only who drives has a switch to
/// let go: a pilot that gives the car up, or asks for an e-stop, has failed.
fn is_persons(departure: &Departure, drive: Drive) -> bool {
    let drives = drive == Drive::Teleop;
    let wishes = FaultSet::of(Fault::DisarmRequested)
        .and(Fault::EstopOperator, true)
        .and(Fault::EstopSource, drives)
        .and(Fault::DeadManReleased, drives)
        .and(Fault::OwnerReleased, drives);
    let stops = |fault: &Fault| !matches!(fault.severity(), Severity::Warning);
    let mut causes = departure.change.causes.faults().filter(stops).peekable();
    // A stop that nothing caused is nobody's wish.
    causes.peek().is_some() && causes.all(|fault| wishes.contains(fault))
}

fn stands(seen: &Seen) -> bool {
    seen.plant.is_none_or(|plant| plant.speed_m_per_s.abs() < STANDING_M_PER_S)
}

/// Waits until `condition` holds, `patience` at most; which of the two it was, the caller looks up.
fn wait(fleet: &Fleet, patience: Duration, condition: impl Fn(&Seen) -> bool) {
    let until = Instant::now() + patience;
    while !condition(&fleet.seen()) && Instant::now() < until {
        sleep(LOOK_EVERY);
    }
}

fn died(fleet: &Fleet, name: &str, what: &str) -> Failure {
    let end = fleet.process_ends().into_iter().find(|end| end.name == name);
    Failure::no(end.map_or_else(|| format!("{name} {what}"), |end| end.in_words(what)))
}

/// How long ago the car was first Active; a person's stops count too.
fn since_active_ns(seen: &Seen) -> Option<u64> {
    seen.trace.active_at.map(|active_at| seen.trace.newest.at.since(active_at))
}

/// What a person sees beside the bar.
fn moving_line(seen: &Seen) -> String {
    let mode = seen.trace.newest.mode.map_or("?", Mode::name);
    let (speed, laps) = seen.plant.map_or((0.0, 0), |plant| (plant.speed_m_per_s, plant.laps));
    format!(
        "{:5.1} s  {speed:4.1} m/s  {laps} laps  {mode}  {} late",
        seconds(since_active_ns(seen).unwrap_or_default()),
        seen.trace.late_events,
    )
}

#[cfg(test)]
mod tests {
    use super::is_persons;
    use crate::cli::Drive;
    use crate::observe::trace::{Departure, ModeChange};
    use rt_wire::{Fault, FaultSet, Mode, MonoNs, Source};

    fn left_for(cause: Fault) -> Departure {
        let change = ModeChange {
            sequence: 2,
            cycle_index: 2,
            at: MonoNs(2),
            from: Some(Mode::Active),
            to: Some(Mode::SafeStop),
            causes: FaultSet::of(cause).and(Fault::NotRealtime, true),
        };
        Departure { change, owner: Source::Pilot, last_good_at: None }
    }

    #[test]
    fn a_key_of_the_screen_is_a_persons_wish_and_what_the_pilot_lets_go_is_none() {
        for (cause, with_pilot, with_teleop) in [
            (Fault::DisarmRequested, true, true),
            (Fault::EstopOperator, true, true),
            (Fault::EstopSource, false, true),
            (Fault::DeadManReleased, false, true),
            (Fault::OwnerReleased, false, true),
            (Fault::OwnerStale, false, false),
        ] {
            let departure = left_for(cause);
            assert_eq!(is_persons(&departure, Drive::Pilot), with_pilot, "{cause:?}");
            assert_eq!(is_persons(&departure, Drive::Teleop), with_teleop, "{cause:?}");
        }
    }

    #[test]
    fn a_stop_that_only_a_warning_stands_beside_is_nobodys_wish() {
        let departure = left_for(Fault::NotRealtime);
        for drive in [Drive::Pilot, Drive::Teleop] {
            assert!(!is_persons(&departure, drive));
        }
    }
}
