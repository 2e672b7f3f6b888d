//! The second pass: everything that is told of the cycle that is meant.
//!
//! Decides what stands in the answer, not how it looks. Tests: the tests crate, module `replay`.

use super::evidence::found;
use super::scan::{Scan, after_first, gravest_first, is_stop};
use super::witness::Witness;
use super::words::{age, owner_because, rules, sources, stale_ns};
use super::{
    Arming, Cause, CommandLook, Cycle, Driven, Episode, Event, Interlock, Pair, SidecarLook,
    SourceLook, Stop, StopAt, Why, milliseconds, name, seconds, seconds_between,
};
use crate::exit::Failure;
use crate::recorded::Recorded;
use rlds::Entry;
use rt_wire::{
    Command, Fault, FaultSet, HEARTBEAT_SOURCES, Limits, Mode, MonoNs, PulseFlags, SOURCES, Source,
    Telemetry, Validity,
};

/// What is told before and after the cycle.
const WINDOW_NS: u64 = 1_000_000_000;
/// Slower than this a wheel stands.
const STANDING_M_PER_S: f32 = 0.05;

/// Reads the recording once more and tells what `scan` found to be meant.
///
/// # Errors
/// It cannot be read.
pub(super) fn tell(recorded: &mut Recorded, scan: &Scan) -> Result<Why, Failure> {
    let mut why = Why {
        answer: String::new(),
        episode: episode(recorded, scan),
        stops: scan.stops.clone(),
        stop: None,
        cycle: None,
        arming: None,
        timeline: Vec::new(),
        notes: Vec::new(),
    };
    let Some((target, origin)) = scan.target else {
        why.answer = format!(
            "it did not stop in this episode, which ends in {} after {:.3} s",
            why.episode.mode_final, why.episode.duration_s
        );
        why.arming = arming(&scan.last, scan);
        return Ok(why);
    };
    let limits = recorded.robot.limits();
    let told = second_pass(recorded, scan, (target, origin), &limits)?;
    why.cycle = told.cycle;
    why.timeline = told.timeline;
    why.stop = told.stop;
    let at_cycle = arming(&told.target, scan);
    why.arming = if why.stop.is_some() { arming(&scan.last, scan) } else { at_cycle };
    why.answer = answer(&why, scan);
    Ok(why)
}

/// What the second pass finds.
struct Told {
    target: Telemetry,
    cycle: Option<Cycle>,
    stop: Option<Stop>,
    timeline: Vec<Event>,
}

fn second_pass(
    recorded: &mut Recorded,
    scan: &Scan,
    (target, origin): (u64, MonoNs),
    limits: &Limits,
) -> Result<Told, Failure> {
    let mut told = Told { target: scan.first, cycle: None, stop: None, timeline: Vec::new() };
    let mut before = Witness::default();
    let mut window = Window { origin, events: Vec::new(), previous: None, seen: FaultSet::EMPTY };
    let mut after = After::default();
    while let Some(entry) = recorded.next_entry()? {
        let record = match entry {
            // Only until the cycle is told: then nothing asks for it any more.
            Entry::Keyframe(state) if told.cycle.is_none() => {
                before.keyframe(&state);
                continue;
            }
            Entry::Keyframe(_)
            | Entry::Log(_)
            | Entry::Loss(_)
            | Entry::Event(_)
            | Entry::Frame(_) => continue,
            Entry::Telemetry(record) => record,
        };
        window.add(&record);
        if told.cycle.is_none() && record.cycle_index == target {
            told.target = record;
            told.cycle = Some(cycle(recorded, scan, &record, &before, limits));
            told.stop = is_stop(&record).then(|| stop(scan, &record, &before, limits));
        }
        if told.cycle.is_none() {
            before.add(&record);
        } else if after.is_over(&record, &told.target) {
            break;
        }
    }
    told.timeline = window.events;
    if let Some(stop) = &mut told.stop {
        let since = |at: MonoNs| seconds(at.since(told.target.mono_ns));
        stop.neutral_after_s = after.neutral_at.map(since);
        stop.standstill_after_s = after.standstill_at.map(since);
    }
    Ok(told)
}

/// When the output was neutral and the wheel stood, from the cycle on.
#[derive(Default)]
struct After {
    neutral_at: Option<MonoNs>,
    standstill_at: Option<MonoNs>,
    drives_again: bool,
}

impl After {
    /// Takes a cycle in; true once nothing later is of interest.
    fn is_over(&mut self, record: &Telemetry, target: &Telemetry) -> bool {
        self.drives_again |= record.outcome.mode.get() == Some(Mode::Active)
            && record.cycle_index > target.cycle_index;
        if !self.drives_again {
            let wheel = record.observation.wheel;
            let stands = wheel.validity.get() == Some(Validity::Valid)
                && wheel.speed_m_per_s.abs() < STANDING_M_PER_S;
            let neutral = record.outcome.level == 0;
            if neutral {
                self.neutral_at.get_or_insert(record.mono_ns);
            }
            if neutral && stands {
                self.standstill_at.get_or_insert(record.mono_ns);
            }
        }
        let both = self.neutral_at.is_some() && self.standstill_at.is_some();
        let window_over = record.mono_ns.since(target.mono_ns) > WINDOW_NS;
        window_over && (both || self.drives_again)
    }
}

/// What changed from a second before the cycle to a second after it.
struct Window {
    origin: MonoNs,
    events: Vec<Event>,
    previous: Option<Telemetry>,
    /// A cause that comes and goes is told once.
    seen: FaultSet,
}

impl Window {
    fn add(&mut self, record: &Telemetry) {
        let previous = self.previous.replace(*record);
        let (now, origin) = (record.mono_ns, self.origin);
        if now.since(origin) > WINDOW_NS || origin.since(now) > WINDOW_NS {
            return;
        }
        let Some(previous) = previous else { return };
        let (before, outcome) = (&previous.outcome, &record.outcome);
        let mut tell = |what: String| {
            let after_s = seconds_between(origin, now);
            self.events.push(Event { after_s, cycle_index: record.cycle_index, what });
        };
        let missing = record.sequence.saturating_sub(previous.sequence.saturating_add(1));
        if missing > 0 {
            tell(format!("{missing} records are missing before this cycle"));
        }
        let signs = outcome.signs.iter().zip(before.signs).zip(HEARTBEAT_SOURCES);
        for ((sign, before), sidecar) in signs.filter(|((sign, before), _)| *sign != before) {
            tell(format!("heartbeat of {sidecar}: {} to {}", name(before), name(*sign)));
        }
        for fault in outcome.causes.faults() {
            if !before.causes.contains(fault) && !self.seen.contains(fault) {
                self.seen = self.seen.and(fault, true);
                tell(format!("cause: {} ({})", fault.name(), fault.severity()));
            }
        }
        if outcome.mode != outcome.previous_mode {
            let (from, to) = (name(outcome.previous_mode), name(outcome.mode));
            tell(format!("mode: {from} to {to}"));
        }
        if outcome.owner != before.owner {
            tell(format!("owner: {} to {}", name(before.owner), name(outcome.owner)));
        }
    }
}

fn episode(recorded: &Recorded, scan: &Scan) -> Episode {
    Episode {
        path: recorded.name(),
        robot: recorded.robot.name().to_owned(),
        build_id: format!("{:016x}", recorded.build_id()),
        started: recorded.utc(scan.first.mono_ns),
        cycles: scan.cycles,
        records_missing: scan.records_missing,
        first_cycle: scan.first.cycle_index,
        last_cycle: scan.last.cycle_index,
        duration_s: after_first(scan, scan.last.mono_ns),
        mode_final: name(scan.last.outcome.mode),
    }
}

/// Every condition that forbids arming after `record`; `None` where the car is armed.
fn arming(record: &Telemetry, scan: &Scan) -> Option<Arming> {
    if record.outcome.mode.get().is_some_and(Mode::relay_allowed) {
        return None;
    }
    let interlocks = record.outcome.interlocks.interlocks();
    Some(Arming {
        cycle_index: record.cycle_index,
        at_s: after_first(scan, record.mono_ns),
        interlocks: interlocks
            .map(|interlock| Interlock {
                name: interlock.name(),
                meaning: interlock.meaning(),
                mend: interlock.mend(),
            })
            .collect(),
    })
}

fn cause(fault: Fault, record: &Telemetry, before: &Witness, limits: &Limits) -> Cause {
    Cause {
        name: fault.name(),
        severity: fault.severity().name(),
        meaning: fault.meaning(),
        found: found(fault, record, before, limits),
        mend: fault.mend(),
    }
}

fn stop(scan: &Scan, record: &Telemetry, before: &Witness, limits: &Limits) -> Stop {
    let outcome = &record.outcome;
    let causes = gravest_first(outcome.causes);
    let kind = match outcome.mode.get() {
        Some(Mode::SafeStop) if limits.stop_category == 0 => {
            "controlled stop without a ramp (stop category 0)"
        }
        Some(Mode::SafeStop) => {
            "controlled stop: ramp to neutral, then drive off (stop category 1)"
        }
        Some(Mode::EStopLatched) => {
            "e-stop: neutral and drive off at once (stop category 0), latched until a reset"
        }
        Some(Mode::Fault) => "fault: neutral and drive off until the fast loop is started anew",
        Some(Mode::Disarmed) => "arming given up: relay off, nothing had moved",
        _ => "a change of mode",
    };
    Stop {
        at: StopAt {
            cycle_index: record.cycle_index,
            at_s: after_first(scan, record.mono_ns),
            from: name(outcome.previous_mode),
            to: name(outcome.mode),
            causes: causes.iter().map(|fault| fault.name()).collect(),
        },
        owner_before: before.owner().name().to_owned(),
        kind,
        causes: causes.into_iter().map(|fault| cause(fault, record, before, limits)).collect(),
        neutral_after_s: None,
        standstill_after_s: None,
    }
}

fn cycle(
    recorded: &Recorded,
    scan: &Scan,
    record: &Telemetry,
    before: &Witness,
    limits: &Limits,
) -> Cycle {
    let outcome = &record.outcome;
    let pulses = &outcome.pulses;
    let release = &record.release;
    let causes = outcome.causes.faults();
    Cycle {
        cycle_index: record.cycle_index,
        at_s: after_first(scan, record.mono_ns),
        utc: recorded.utc(record.mono_ns),
        mode_before: name(outcome.previous_mode),
        mode: name(outcome.mode),
        sources: sources()
            .map(|(place, source)| look(place, source, record, before, limits))
            .collect(),
        sidecars: (SOURCES.len()..HEARTBEAT_SOURCES.len())
            .map(|place| SidecarLook {
                sidecar: HEARTBEAT_SOURCES[place],
                heartbeat: name(outcome.signs[place]),
                silent_ms: silent(place, record, before).map(milliseconds),
                required: limits.heartbeats_required >> place & 1 != 0,
            })
            .collect(),
        owner_before: before.owner().name().to_owned(),
        owner: name(outcome.owner),
        owner_because: owner_because(record, before, limits),
        asked: pair(outcome.asked.steering, outcome.asked.throttle),
        rules: rules(outcome.rules),
        setpoint: pair(outcome.setpoint.steering, outcome.setpoint.throttle),
        driven: Driven {
            steering_us: pulses.steering.0,
            throttle_us: pulses.throttle.0,
            relay: pulses.flags.has(PulseFlags::RELAY),
            pump: pulses.flags.has(PulseFlags::PUMP),
        },
        wakeup_latency_us: milliseconds(release.woke_at.since(release.release_time)) * 1e3,
        late: outcome.late != 0,
        missed_releases: release.missed_releases,
        causes: causes.map(|fault| cause(fault, record, before, limits)).collect(),
        latched_causes: outcome.latched_causes.faults().map(Fault::name).collect(),
    }
}

fn pair(steering: f32, throttle: f32) -> Pair {
    Pair { steering, throttle }
}

/// How long a heartbeat has been silent: 0 where it moved in this very cycle.
fn silent(place: usize, record: &Telemetry, before: &Witness) -> Option<u64> {
    let mut with_this = before.clone();
    with_this.add(record);
    with_this.silent_ns(place, record.mono_ns)
}

fn look(
    place: usize,
    source: Source,
    record: &Telemetry,
    before: &Witness,
    limits: &Limits,
) -> SourceLook {
    let inbox = &record.inbox.commands[place];
    // The inbox keeps the newest command that ever came; before the first it is all zero.
    let has_spoken = inbox.slot_sequence != 0 || inbox.command.n != 0;
    SourceLook {
        source: source.name(),
        command: has_spoken.then(|| command(&inbox.command, record.mono_ns)),
        arrival: name(inbox.arrival),
        class: name(record.outcome.classes[place]),
        last_good_age_ms: age(record, before, source).map(milliseconds),
        stale_after_ms: milliseconds(stale_ns(limits, source)),
        heartbeat: name(record.outcome.signs[place]),
        heartbeat_silent_ms: silent(place, record, before).map(milliseconds),
    }
}

fn command(command: &Command, now: MonoNs) -> CommandLook {
    let age_us = now.since(command.mono_ns) / 1000;
    let mut points = command.points.iter().take(command.n as usize);
    let reached = points.rfind(|point| u64::from(point.offset_us) <= age_us);
    CommandLook {
        sequence: command.sequence,
        asks: reached.map_or(pair(0.0, 0.0), |point| pair(point.steering, point.throttle)),
        flags: command.flags.names().collect(),
        age_ms: seconds_between(command.mono_ns, now) * 1e3,
        expires_in_ms: seconds_between(now, command.expires_at) * 1e3,
    }
}

/// The first sentence.
fn answer(why: &Why, scan: &Scan) -> String {
    let Some(cycle) = &why.cycle else { return "nothing is recorded there".to_owned() };
    if let Some(stop) = &why.stop {
        let because = stop.at.causes.join(" and ");
        let because = if because.is_empty() { "no cause in the record" } else { &because };
        return format!("{} at {:.3} s, because of {because}", stop.at.to, cycle.at_s);
    }
    let asked_for = scan.asked_for.map_or_else(String::new, |asked_for| {
        format!(" (cycle {asked_for} is not recorded; this is the one before it)")
    });
    let driven = format!(
        "{} at {:.3} s, cycle {}: throttle {} µs, steering {} µs{asked_for}",
        cycle.mode,
        cycle.at_s,
        cycle.cycle_index,
        cycle.driven.throttle_us,
        cycle.driven.steering_us
    );
    let stands_since = why
        .stops
        .iter()
        .rfind(|stop| stop.cycle_index <= cycle.cycle_index)
        .filter(|_| why.arming.is_some());
    match stands_since {
        Some(stop) => {
            format!("{driven}; the last stop was {} ({})", at(stop), stop.causes.join(", "))
        }
        None => driven,
    }
}

fn at(stop: &StopAt) -> String {
    format!("at {:.3} s, cycle {}", stop.at_s, stop.cycle_index)
}
