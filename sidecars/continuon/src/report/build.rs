//! From what was seen to what is told.
//!
//! The verdict is the worst of what went wrong; every reason is a sentence with what mends it.

use crate::cli::Drive;
use crate::observe::conditions::{Load, Machine};
use crate::observe::trace::{Departure, ModeChange, Trace};
use crate::observe::watch::Seen;
use crate::report::{
    Cause, Conditions, DEFINITIONS, EndedEarly, Episode, InterlockTold, ModeStep, PageFaults,
    PlantFigures, ProcessEnd, Reader, Report, Scheduler, Verdict, episode,
};
use crate::sim::{Outcome, Plan};
use rt_wire::{Fault, FaultSet, HealthFlags, InterlockSet, Mode, MonoNs};

/// A car that is Active for this long has driven somewhere.
const MUST_MOVE_WITHIN_S: f64 = 3.0;
/// And this far.
const MOVED_M: f64 = 0.5;

/// How the drive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// After as long as was asked.
    AsAsked,
    /// The loop left Active by itself.
    ByItself,
    /// The loop left Active for a person's wish, and went into Fault after it.
    InFault,
    /// A process ended that should not have.
    Died(&'static str),
    /// The loop told nothing any more, though its process lives.
    Silent,
    /// A person at the run's screen, or the one who drove, ended it in order.
    ByPerson,
    /// A signal ended it.
    Interrupted,
}

/// Everything a report is made of.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What the run came to.
    pub outcome: &'a Outcome,
    /// What it was to be.
    pub plan: &'a Plan,
    /// Where it ran.
    pub machine: Machine,
    /// Load before it.
    pub load_before: Option<Load>,
    /// Load after it.
    pub load_after: Option<Load>,
}

/// Makes the report.
#[must_use]
pub fn build(facts: &Facts<'_>) -> Report {
    let (outcome, plan) = (facts.outcome, facts.plan);
    let (seen, trace) = (&outcome.seen, &outcome.seen.trace);
    let episode = episode::read(&plan.episodes_dir(), outcome.logger.clone());
    let (verdict, reasons) = judge(outcome, plan.drive, episode.as_ref());
    let health = seen.health;
    Report {
        verdict,
        reasons,
        notes: notes(facts),
        seconds_asked: f64::from(plan.seconds),
        seconds_driven: trace.driven_ns().map_or(0.0, seconds),
        cycles: trace.records,
        period_us: plan.robot.file().timing.period_us,
        late_after_us: plan.robot.file().timing.late_after_us,
        late_event_count: trace.late_events,
        missed_release_count: trace.missed_releases,
        wakeup_latency_ns: trace.wakeup.spread(),
        sleep_latency_ns: trace.sleep.spread(),
        output_jitter_ns: trace.output.spread(),
        execution_time_ns: trace.execution.spread(),
        command_latency_ns: trace.command.spread(),
        definitions: DEFINITIONS,
        real_board_limits: trace.real_limits.clone(),
        neutral_after_start_ms: health
            .filter(|health| health.neutral_at > outcome.begun_at)
            .map(|health| milliseconds(health.neutral_at.since(outcome.begun_at))),
        disarmed_after_start_ms: trace
            .mode_changes
            .iter()
            .find(|change| change.to == Some(Mode::Disarmed))
            .filter(|first| first.from == Some(Mode::SelfTest))
            .map(|first| milliseconds(first.at.since(outcome.begun_at))),
        allocations: health.map(|health| health.allocations),
        page_faults: health
            .map(|health| PageFaults { minor: health.minor_faults, major: health.major_faults }),
        voluntary_switches: health.map(|health| health.voluntary_switches),
        involuntary_switches: health.map(|health| health.involuntary_switches),
        counted_over_cycles: health.map(|health| health.cycles),
        resident_bytes: health.map(|health| health.resident_bytes),
        scheduler: scheduler(seen),
        plant: plant(seen, plan),
        episode,
        reader: Reader {
            records: trace.records,
            lost: trace.lost,
            first_sequence: trace.first_sequence,
            last_sequence: trace.newest.sequence,
        },
        mode_final: mode_name(trace.newest.mode),
        mode_changes: trace.mode_changes.iter().map(|change| mode_step(change, trace)).collect(),
        ended_early: trace
            .departure
            .filter(|_| is_by_departure(outcome.ended))
            .map(|departure| ended_early(&departure, seen)),
        causes: causes(trace.causes_seen),
        interlocks: interlocks(seen),
        processes: outcome.processes.clone(),
        conditions: conditions(facts),
    }
}

fn judge(outcome: &Outcome, drive: Drive, episode: Option<&Episode>) -> (Verdict, Vec<String>) {
    let mut reasons = Vec::new();
    let mut verdict = Verdict::Ok;
    let mut worse = |class: Verdict, reason: String| {
        verdict = if verdict == Verdict::Ok { class } else { verdict };
        reasons.push(reason);
    };
    for end in outcome.processes.iter().filter(|end| is_to_blame(end, outcome.ended)) {
        let when = if end.unexpected { "ended in mid-run" } else { "ended badly" };
        worse(Verdict::ProcessDied, format!("{} {when}: {}", end.name, end.how));
    }
    let seen = &outcome.seen;
    if let Some((class, words)) = told_end(outcome.ended, seen) {
        worse(class, words);
    }
    if let Some(words) = fault_after_the_drive(seen) {
        worse(Verdict::StoppedByItself, words);
    }
    // Whether a person drives at all, and where, is theirs.
    if let Some(words) = stood_still(seen).filter(|_| drive == Drive::Pilot) {
        worse(Verdict::DidNotMove, words);
    }
    if let Some(words) = left_the_track(seen).filter(|_| drive == Drive::Pilot) {
        worse(Verdict::LeftTheTrack, words);
    }
    match episode {
        None => worse(
            Verdict::RecordIncomplete,
            "there is no episode with counts (rlds-logger.log in the run's folder says why)"
                .to_owned(),
        ),
        Some(episode) => {
            for wrong in episode::wrongs(episode, &seen.trace) {
                worse(Verdict::RecordIncomplete, wrong);
            }
        }
    }
    if seen.trace.lost > 0 {
        worse(
            Verdict::RecordIncomplete,
            format!("our own reader was lapped and lost {} records", seen.trace.lost),
        );
    }
    if let Some(trouble) = &seen.trouble {
        worse(Verdict::RecordIncomplete, trouble.clone());
    }
    (verdict, reasons)
}

/// Whether a drive that ended so ended with the car's leaving Active, and not in spite of it.
fn is_by_departure(ended: Ended) -> bool {
    match ended {
        Ended::ByItself | Ended::Died(_) | Ended::Silent => true,
        Ended::AsAsked | Ended::InFault | Ended::ByPerson | Ended::Interrupted => false,
    }
}

/// What the drive's end says against it; `None` where it ended as asked.
fn told_end(ended: Ended, seen: &Seen) -> Option<(Verdict, String)> {
    match (ended, &seen.trace.departure) {
        // What came after a wish has words of its own.
        (Ended::AsAsked | Ended::ByPerson | Ended::InFault, _) => None,
        (Ended::ByItself | Ended::Died(_), Some(departure)) if is_our_wish(departure, ended) => {
            let words = "the loop did not need it and drove on, until this run disarmed it";
            Some((Verdict::ProcessDied, words.to_owned()))
        }
        (Ended::ByItself | Ended::Died(_), Some(departure)) => {
            Some((Verdict::StoppedByItself, told_departure(departure, seen)))
        }
        // A death that the loop did not have to answer, or the loop's own.
        (Ended::ByItself | Ended::Died(_), None) => power_cut_after_ms(seen).map(|cut_ms| {
            let words = format!(
                "the plant's monostable cut motor power {cut_ms:.1} ms after the last heartbeat edge"
            );
            (Verdict::StoppedByItself, words)
        }),
        (Ended::Silent, _) => {
            let words = "the fast loop's process lives, but it published nothing for 2 s";
            Some((Verdict::StoppedByItself, words.to_owned()))
        }
        (Ended::Interrupted, _) => {
            Some((Verdict::Interrupted, "interrupted by a signal".to_owned()))
        }
    }
}

/// Why the car, which had left Active for something else, is in Fault; `None` where it is not.
fn fault_after_the_drive(seen: &Seen) -> Option<String> {
    let newest = &seen.trace.newest;
    let drove_into_it =
        seen.trace.departure.is_some_and(|departure| departure.change.to == Some(Mode::Fault));
    if newest.mode != Some(Mode::Fault) || drove_into_it {
        return None;
    }
    let mut words = "the loop is in Fault, which only a restart ends".to_owned();
    for fault in newest.latched_causes.faults() {
        if matches!(fault.severity(), rt_wire::Severity::Fatal) {
            words.push_str(&format!("; {}: {} {}", fault.name(), fault.meaning(), fault.mend()));
        }
    }
    Some(words)
}

/// Whether this end went wrong by itself. Where one process has died, the others' ends are its
/// consequences: they are listed, and blamed for nothing.
fn is_to_blame(end: &ProcessEnd, ended: Ended) -> bool {
    let is_bad = end.unexpected || end.how != "exit 0";
    is_bad && !matches!(ended, Ended::Died(name) if name != end.name)
}

/// Why the car stood although it was Active; `None` if it drove.
fn stood_still(seen: &Seen) -> Option<String> {
    let driven_s = seen.trace.driven_ns().map_or(0.0, seconds);
    let distance_m = seen.plant?.distance_m;
    if driven_s < MUST_MOVE_WITHIN_S || distance_m >= MOVED_M {
        return None;
    }
    let mut words = format!("the car was Active for {driven_s:.1} s and moved {distance_m:.1} m");
    let cuts = seen.trace.real_limits.power_cut_count;
    if cuts > 0 {
        words.push_str(&format!(
            "; {cuts} stalls of the loop were longer than 30 ms, so that the heartbeat pin stood still, \
             motor power was cut, and the ESC waits for neutral: disarm, and keep the machine less busy"
        ));
    }
    Some(words)
}

/// What a car that is driven must not do; after a stop it rolls where it rolls, which is a note.
fn left_the_track(seen: &Seen) -> Option<String> {
    let (count, plant) = (seen.off_track_count_active, seen.plant?);
    (count > 0).then(|| {
        format!(
            "a wheel left the track while the car was driven ({count} ×, {:.1} s outside): \
             drive slower (`pilot` in the robot file), or keep the machine less busy",
            plant.off_track_s
        )
    })
}

/// Whether the loop left Active because we disarmed it after another process's end.
fn is_our_wish(departure: &Departure, ended: Ended) -> bool {
    let stops = |fault: &Fault| !matches!(fault.severity(), rt_wire::Severity::Warning);
    let causes = departure.change.causes.faults().filter(stops);
    matches!(ended, Ended::Died(_)) && causes.eq([Fault::DisarmRequested])
}

/// Why the loop left Active, in words, with what mends it.
fn told_departure(departure: &Departure, seen: &Seen) -> String {
    let mut words =
        format!("the car stopped by itself: Active to {}", mode_name(departure.change.to));
    for fault in departure.change.causes.faults() {
        if !matches!(fault.severity(), rt_wire::Severity::Warning) {
            words.push_str(&format!("; {}: {} {}", fault.name(), fault.meaning(), fault.mend()));
        }
    }
    if let Some(age_ms) = last_good_age_ms(departure) {
        words.push_str(&format!(
            " The last good command of {} was {age_ms:.1} ms old.",
            departure.owner
        ));
    }
    match standstill_after_ms(departure, seen) {
        Some(after_ms) => words.push_str(&format!(" The car stood {after_ms:.0} ms later.")),
        None => words.push_str(" The car was not seen to stand."),
    }
    words
}

fn ended_early(departure: &Departure, seen: &Seen) -> EndedEarly {
    EndedEarly {
        to: mode_name(departure.change.to),
        after_s: seen.trace.driven_ns().map_or(0.0, seconds),
        causes: fault_names(departure.change.causes),
        owner: departure.owner.name().to_owned(),
        last_good_command_age_ms: last_good_age_ms(departure),
        standstill_after_ms: standstill_after_ms(departure, seen),
    }
}

fn last_good_age_ms(departure: &Departure) -> Option<f64> {
    departure.last_good_at.map(|at| milliseconds(departure.change.at.since(at)))
}

fn standstill_after_ms(departure: &Departure, seen: &Seen) -> Option<f64> {
    seen.stood_at.map(|at| milliseconds(at.since(departure.change.at)))
}

fn power_cut_after_ms(seen: &Seen) -> Option<f64> {
    let plant = seen.plant.filter(|plant| plant.power_cut_at > MonoNs(0))?;
    // An edge after the cut means that power came back with it.
    (plant.last_heartbeat_edge_at <= plant.power_cut_at)
        .then(|| milliseconds(plant.power_cut_at.since(plant.last_heartbeat_edge_at)))
}

/// What the loop lacked to keep time, and how to give it; `None` if it had all.
pub fn not_realtime(seen: &Seen) -> Option<String> {
    let flags = seen.health?.flags;
    let lacks = [
        (HealthFlags::FIFO, "no real-time priority (allow it: `ulimit -r 80`)"),
        (HealthFlags::MEMORY_LOCKED, "memory not locked (allow it: `ulimit -l 32768`)"),
    ];
    let lacks: Vec<&str> =
        lacks.into_iter().filter(|(flag, _)| !flags.has(*flag)).map(|(_, lack)| lack).collect();
    (!lacks.is_empty()).then(|| {
        format!(
            "not real time: {}; the simulator drives, a real board would not arm",
            lacks.join(", ")
        )
    })
}

fn notes(facts: &Facts<'_>) -> Vec<String> {
    let seen = &facts.outcome.seen;
    let mut notes = Vec::new();
    if let Some(lack) = not_realtime(seen) {
        notes.push(lack);
    }
    if seen.health.is_some_and(|health| !health.flags.has(HealthFlags::FILTERED)) {
        notes.push(
            "system calls of the loop thread not filtered (fast-loop.log says why): this kernel, or an \
             emulator in its place, does not enforce the list"
                .to_owned(),
        );
    }
    if let Some(plant) = seen.plant {
        let after_the_stop = plant.off_track_count.saturating_sub(seen.off_track_count_active);
        if after_the_stop > 0 {
            notes.push(format!(
                "off the track {after_the_stop} × after the stop, its steering held"
            ));
        }
        if plant.late_steps > 0 {
            notes.push(format!(
                "late steps of the plant: {} (this machine was busy, and the car was simulated in jerks)",
                plant.late_steps
            ));
        }
    }
    let limits = &seen.trace.real_limits;
    if limits.power_cut_count > 0 {
        notes.push(format!(
            "motor power: {} stalls of the loop were longer than the 30 ms after which the relay's pump drops out",
            limits.power_cut_count
        ));
    }
    if limits.overload_trip_count + limits.estop_trip_count > 0 {
        notes.push(
            "a real board would have stopped: this machine does not keep a real board's time"
                .to_owned(),
        );
    }
    notes
}

fn scheduler(seen: &Seen) -> Scheduler {
    let flags = seen.health.map_or(HealthFlags::EMPTY, |health| health.flags);
    Scheduler {
        policy: match seen.health {
            None => "unknown",
            Some(_) if flags.has(HealthFlags::FIFO) => "SCHED_FIFO",
            Some(_) => "SCHED_OTHER",
        },
        priority: seen.health.map_or(0, |health| health.priority),
        cpu: seen.health.map(|health| health.cpu).filter(|cpu| *cpu != u32::MAX),
        memory_locked: flags.has(HealthFlags::MEMORY_LOCKED),
        prefaulted: flags.has(HealthFlags::PREFAULTED),
        dma_latency_held: flags.has(HealthFlags::DMA_LATENCY),
        sealed: flags.has(HealthFlags::SEALED),
        system_calls_filtered: flags.has(HealthFlags::FILTERED),
        spin_lead_us_max: milliseconds(seen.trace.spin_lead_ns_max) * 1000.0,
    }
}

fn plant(seen: &Seen, plan: &Plan) -> PlantFigures {
    let named = PlantFigures {
        track: plan.track_name.clone(),
        track_length_m: plan.track_length_m,
        seed: plan.seed,
        ..PlantFigures::default()
    };
    let Some(plant) = seen.plant else { return named };
    let lap = |time_s: f64| (time_s > 0.0).then_some(time_s);
    PlantFigures {
        laps: plant.laps,
        distance_m: plant.distance_m,
        off_track_count: plant.off_track_count,
        off_track_s: plant.off_track_s,
        lap_time_s: lap(plant.last_lap_s),
        best_lap_time_s: lap(plant.best_lap_s),
        top_speed_m_per_s: plant.top_speed_m_per_s,
        final_speed_m_per_s: plant.speed_m_per_s,
        late_step_count: plant.late_steps,
        power_cut_after_ms: power_cut_after_ms(seen),
        hash: format!("{:016x}", plant.plant_hash),
        ..named
    }
}

fn mode_step(change: &ModeChange, trace: &Trace) -> ModeStep {
    ModeStep {
        at_s: seconds(change.at.since(trace.first_at)),
        cycle_index: change.cycle_index,
        from: mode_name(change.from),
        to: mode_name(change.to),
        causes: fault_names(change.causes),
    }
}

fn causes(set: FaultSet) -> Vec<Cause> {
    set.faults()
        .map(|fault| Cause {
            name: fault.name(),
            severity: fault.severity().name(),
            meaning: fault.meaning(),
            mend: fault.mend(),
        })
        .collect()
}

/// What would keep a real board from being armed, beside what forbids it now.
fn interlocks(seen: &Seen) -> Vec<InterlockTold> {
    let flags = seen.health.map_or(HealthFlags::EMPTY, |health| health.flags);
    let realtime = flags.has(HealthFlags::FIFO | HealthFlags::MEMORY_LOCKED);
    let now = seen.trace.newest.interlocks;
    // After the drive nobody owns and the loop ends; that is no news. Real time is.
    InterlockSet(now.0 & InterlockSet::NOT_REALTIME.0)
        .with(InterlockSet::NOT_REALTIME, seen.health.is_some() && !realtime)
        .interlocks()
        .map(|interlock| InterlockTold {
            name: interlock.name(),
            meaning: interlock.meaning(),
            mend: interlock.mend(),
        })
        .collect()
}

fn conditions(facts: &Facts<'_>) -> Conditions {
    let (plan, seen) = (facts.plan, &facts.outcome.seen);
    let uids = &plan.robot.file().uids;
    let apart = [rt_wire::topics::PILOT, rt_wire::topics::RLDS_LOGGER, rt_wire::topics::PLANT]
        .iter()
        .any(|process| uids.of(process).is_some());
    Conditions {
        date: plan.date.clone(),
        run_dir: plan.run_dir.display().to_string(),
        robot: plan.robot.name().to_owned(),
        board: "sim",
        config_hash: format!("{:016x}", plan.robot.hash()),
        build_id: seen
            .health
            .map_or_else(|| "unknown".to_owned(), |health| format!("{:016x}", health.build_id)),
        version: env!("CARGO_PKG_VERSION"),
        machine: facts.machine.clone(),
        load_before: facts.load_before,
        load_after: facts.load_after,
        isolation: if apart { "users" } else { "none (all processes are one user)" }.to_owned(),
        samples: seen.trace.records,
    }
}

fn mode_name(mode: Option<Mode>) -> String {
    mode.map_or("unknown", Mode::name).to_owned()
}

fn fault_names(set: FaultSet) -> Vec<&'static str> {
    set.faults().map(rt_wire::Fault::name).collect()
}

#[expect(clippy::cast_precision_loss, reason = "for people; exact up to 104 days")]
fn milliseconds(ns: u64) -> f64 {
    ns as f64 * 1e-6
}

/// For people.
pub(crate) fn seconds(ns: u64) -> f64 {
    milliseconds(ns) * 1e-3
}
