//! What an independent reader of the telemetry ring makes of a run.
//!
//! Everything here follows from the records alone, cycle by cycle, so that the report does not
//! repeat what the loop or the logger say of themselves.
//!
//! ```text
//!  release time      wake            driven   finish                next release
//!     |--wake-up latency--|----------------------|                       |
//!     |                   |--- execution time ---|                       |
//!     |------- output jitter ------|                                     |
//! ```
//!
//! A record knows when *its* cycle woke and when the *previous* one drove and finished. Shown by:
//! tests below.

use crate::observe::real_limits::RealLimits;
use crate::observe::spread::Collector;
use rt_wire::{Class, FaultSet, InterlockSet, Mode, MonoNs, SOURCES, Source, Telemetry};

/// Cycles whose instants are kept, to tell how old the observation was that a command answers.
const ANSWERABLE_CYCLES: usize = 4096;
/// Mode changes that are kept; a run has about ten.
const MODE_CHANGES_MAX: usize = 64;

/// One change of mode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModeChange {
    /// Record that tells of it.
    pub sequence: u64,
    /// Cycle that changed it.
    pub cycle_index: u64,
    /// When that cycle woke.
    pub at: MonoNs,
    /// Mode before.
    pub from: Option<Mode>,
    /// Mode after.
    pub to: Option<Mode>,
    /// Causes present in that cycle.
    pub causes: FaultSet,
}

/// How the loop left Active.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Departure {
    /// The change itself.
    pub change: ModeChange,
    /// Who drove.
    pub owner: Source,
    /// The last good command of who drove, by the loop's clock; `None` if none was seen.
    pub last_good_at: Option<MonoNs>,
}

/// Facts of the newest record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Newest {
    /// Its sequence.
    pub sequence: u64,
    /// When it was made.
    pub at: MonoNs,
    /// Mode after it.
    pub mode: Option<Mode>,
    /// Why arming would be refused.
    pub interlocks: InterlockSet,
    /// Causes present.
    pub causes: FaultSet,
    /// Causes latched.
    pub latched_causes: FaultSet,
}

/// Everything collected.
#[derive(Clone, Debug)]
pub struct Trace {
    period_ns: u64,
    /// Wake-up after the release.
    pub wakeup: Collector,
    /// The sleep alone, where the loop spins: its end after the instant it was meant to end.
    pub sleep: Collector,
    /// From wake to published.
    pub execution: Collector,
    /// Pins driven after the release.
    pub output: Collector,
    /// From the cycle that a command answers to the cycle that takes it up.
    pub command: Collector,
    /// Records read.
    pub records: u64,
    /// Records lost to this reader.
    pub lost: u64,
    /// Sequence of the first record read; 0 before it.
    pub first_sequence: u64,
    /// When that record was made.
    pub first_at: MonoNs,
    /// Late events as the loop counts them, by the robot file's timing.
    pub late_events: u64,
    /// Releases skipped.
    pub missed_releases: u64,
    /// The longest lead with which the loop spun, in ns.
    pub spin_lead_ns_max: u64,
    /// What a real board would have done.
    pub real_limits: RealLimits,
    /// First change into Active.
    pub active_at: Option<MonoNs>,
    /// How it last left Active; `None` before that, and while it is Active again.
    pub departure: Option<Departure>,
    /// The first mode changes.
    pub mode_changes: Vec<ModeChange>,
    /// Every cause that was ever present.
    pub causes_seen: FaultSet,
    /// The newest record.
    pub newest: Newest,
    previous: Option<Previous>,
    last_good: [Option<MonoNs>; SOURCES.len()],
    answerable: Vec<(u64, MonoNs)>,
}

/// What the next record needs of this one.
#[derive(Clone, Copy, Debug)]
struct Previous {
    release_time: MonoNs,
    woke_at: MonoNs,
    owner: Source,
}

impl Trace {
    /// An empty trace of a loop with this period.
    #[must_use]
    pub fn new(period_ns: u64) -> Self {
        Self {
            period_ns,
            wakeup: Collector::default(),
            sleep: Collector::default(),
            execution: Collector::default(),
            output: Collector::default(),
            command: Collector::default(),
            records: 0,
            lost: 0,
            first_sequence: 0,
            first_at: MonoNs(0),
            late_events: 0,
            missed_releases: 0,
            spin_lead_ns_max: 0,
            real_limits: RealLimits::default(),
            active_at: None,
            departure: None,
            mode_changes: Vec::new(),
            causes_seen: FaultSet::EMPTY,
            newest: Newest::default(),
            previous: None,
            last_good: [None; SOURCES.len()],
            answerable: vec![(u64::MAX, MonoNs(0)); ANSWERABLE_CYCLES],
        }
    }

    /// Takes one record, in the order in which they were published.
    pub fn add(&mut self, record: &Telemetry) {
        if self.records == 0 {
            self.first_sequence = record.sequence;
            self.first_at = record.mono_ns;
        }
        self.records += 1;
        let execution_ns = self.add_intervals(record);
        self.real_limits.judge(record, self.period_ns, execution_ns);
        self.late_events += u64::from(record.outcome.late != 0);
        self.missed_releases += u64::from(record.release.missed_releases);
        self.causes_seen |= record.outcome.causes;
        self.add_commands(record);
        self.add_mode(record);
        self.newest = Newest {
            sequence: record.sequence,
            at: record.mono_ns,
            mode: record.outcome.mode.get(),
            interlocks: record.outcome.interlocks,
            causes: record.outcome.causes,
            latched_causes: record.outcome.latched_causes,
        };
        self.previous = Some(Previous {
            release_time: record.release.release_time,
            woke_at: record.release.woke_at,
            owner: record.outcome.owner.get().unwrap_or(Source::None),
        });
    }

    /// Returns the previous cycle's execution time; 0 where it is not known.
    fn add_intervals(&mut self, record: &Telemetry) -> u64 {
        let release = &record.release;
        self.wakeup.add(release.woke_at.since(release.release_time));
        if release.spin_lead_ns > 0 {
            let lead_ns = u64::from(release.spin_lead_ns);
            let meant = MonoNs(release.release_time.0.saturating_sub(lead_ns));
            self.sleep.add(release.sleep_ended_at.since(meant));
            self.spin_lead_ns_max = self.spin_lead_ns_max.max(lead_ns);
        }
        if release.previous_finished_at.0 == 0 {
            return 0; // The first cycle has no previous one.
        }
        let execution_ns = release.previous_finished_at.since(release.previous_woke_at);
        self.execution.add(execution_ns);
        // After a gap the record at hand is not the one that this record calls previous.
        if let Some(previous) = self.previous
            && previous.woke_at == release.previous_woke_at
        {
            self.output.add(release.previous_driven_at.since(previous.release_time));
        }
        execution_ns
    }

    fn add_commands(&mut self, record: &Telemetry) {
        for (index, command) in record.inbox.commands.iter().enumerate() {
            let class = record.outcome.classes[index].get();
            if !matches!(class, Some(Class::Good | Class::GoodAsking)) {
                continue;
            }
            self.last_good[index] = Some(record.mono_ns);
            let answers = command.command.answers_cycle;
            let (cycle, observed_at) = self.answerable[place(answers)];
            if answers > 0 && cycle == answers {
                self.command.add(record.mono_ns.since(observed_at));
            }
        }
        self.answerable[place(record.cycle_index)] = (record.cycle_index, record.mono_ns);
    }

    fn add_mode(&mut self, record: &Telemetry) {
        let (from, to) = (record.outcome.previous_mode.get(), record.outcome.mode.get());
        if from == to {
            return;
        }
        let change = ModeChange {
            sequence: record.sequence,
            cycle_index: record.cycle_index,
            at: record.mono_ns,
            from,
            to,
            causes: record.outcome.causes,
        };
        if self.mode_changes.len() < MODE_CHANGES_MAX {
            self.mode_changes.push(change);
        }
        if to == Some(Mode::Active) {
            self.active_at.get_or_insert(record.mono_ns);
            // Whoever stops the car may arm it again, and the next stop has causes of its own.
            self.departure = None;
        }
        if from == Some(Mode::Active) {
            // Ownership ends with this cycle, so the cycle before names who drove.
            let owner = self.previous.map_or(Source::None, |previous| previous.owner);
            let last_good_at = owner.index().and_then(|index| self.last_good[index]);
            self.departure = Some(Departure { change, owner, last_good_at });
        }
    }

    /// How long Active lasted or has lasted so far, by the loop's clock; `None` before it.
    #[must_use]
    pub fn driven_ns(&self) -> Option<u64> {
        let until = self.departure.map_or(self.newest.at, |departure| departure.change.at);
        self.active_at.map(|active_at| until.since(active_at))
    }
}

fn place(cycle_index: u64) -> usize {
    let depth = ANSWERABLE_CYCLES as u64;
    usize::try_from(cycle_index % depth).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Trace;
    use rt_wire::{Class, Fault, FaultSet, Mode, MonoNs, Source, Telemetry};

    const PERIOD_NS: u64 = 1_000_000;
    const PILOT: usize = 2;

    /// Cycle `n` wakes 20 µs late, drives 3 µs and finishes 5 µs after it woke.
    fn cycle(n: u64, mode: Mode) -> Telemetry {
        let release = |n: u64| n * PERIOD_NS;
        let mut record = Telemetry { sequence: n, cycle_index: n, ..Telemetry::default() };
        record.mono_ns = MonoNs(release(n) + 20_000);
        record.release.release_time = MonoNs(release(n));
        record.release.woke_at = record.mono_ns;
        record.release.sleep_ended_at = record.mono_ns;
        if n > 1 {
            record.release.previous_woke_at = MonoNs(release(n - 1) + 20_000);
            record.release.previous_driven_at = MonoNs(release(n - 1) + 23_000);
            record.release.previous_finished_at = MonoNs(release(n - 1) + 25_000);
        }
        record.outcome.mode = mode.into();
        record.outcome.previous_mode = mode.into();
        record
    }

    #[test]
    fn intervals_are_measured_from_the_release_that_they_belong_to() {
        let mut trace = Trace::new(PERIOD_NS);
        (1..=10).for_each(|n| trace.add(&cycle(n, Mode::Disarmed)));
        let exact = |spread: Option<super::super::spread::Spread>| {
            spread.map(|spread| (spread.samples, spread.min, spread.max))
        };
        assert_eq!(exact(trace.wakeup.spread()), Some((10, 20_000, 20_000)));
        assert_eq!(exact(trace.execution.spread()), Some((9, 5_000, 5_000)));
        assert_eq!(exact(trace.output.spread()), Some((9, 23_000, 23_000)));
        assert_eq!(trace.sleep.spread(), None, "nothing was spun");
        assert_eq!((trace.records, trace.first_sequence), (10, 1));
    }

    #[test]
    fn after_a_gap_no_output_is_measured_against_a_strangers_release() {
        let mut trace = Trace::new(PERIOD_NS);
        trace.add(&cycle(1, Mode::Disarmed));
        trace.add(&cycle(7, Mode::Disarmed));
        assert_eq!(trace.output.spread(), None);
        assert_eq!(trace.execution.spread().map(|spread| spread.samples), Some(1));
    }

    #[test]
    fn the_sleep_is_judged_by_when_it_was_meant_to_end_and_not_by_the_release() {
        let mut record = cycle(5, Mode::Disarmed);
        record.release.spin_lead_ns = 60_000;
        record.release.sleep_ended_at = MonoNs(record.release.release_time.0 - 45_000);
        record.release.woke_at = record.release.release_time;
        let mut trace = Trace::new(PERIOD_NS);
        trace.add(&record);
        assert_eq!(trace.sleep.spread().map(|spread| spread.max), Some(15_000));
        assert_eq!(trace.wakeup.spread().map(|spread| spread.max), Some(0));
        assert_eq!(trace.spin_lead_ns_max, 60_000);
    }

    #[test]
    fn a_command_is_as_old_as_the_cycle_that_it_answers() {
        let mut trace = Trace::new(PERIOD_NS);
        (1..=6).for_each(|n| trace.add(&cycle(n, Mode::Active)));
        let mut record = cycle(7, Mode::Active);
        record.outcome.classes[PILOT] = Class::GoodAsking.into();
        record.inbox.commands[PILOT].command.answers_cycle = 4;
        trace.add(&record);
        let spread = trace.command.spread().expect("one command");
        assert_eq!((spread.samples, spread.max), (1, 3 * PERIOD_NS));
        record.outcome.classes[PILOT] = Class::Bad.into();
        trace.add(&record);
        assert_eq!(trace.command.spread().map(|spread| spread.samples), Some(1));
    }

    #[test]
    fn leaving_active_names_who_drove_and_when_it_last_spoke() {
        let mut trace = Trace::new(PERIOD_NS);
        let mut enter = cycle(1, Mode::Active);
        enter.outcome.previous_mode = Mode::Arming.into();
        enter.outcome.owner = Source::Pilot.into();
        enter.outcome.classes[PILOT] = Class::GoodAsking.into();
        trace.add(&enter);
        for n in 2..=90 {
            let mut record = cycle(n, Mode::Active);
            record.outcome.owner = Source::Pilot.into();
            trace.add(&record);
        }
        let mut leave = cycle(91, Mode::SafeStop);
        leave.outcome.previous_mode = Mode::Active.into();
        leave.outcome.causes = FaultSet::of(Fault::OwnerStale);
        trace.add(&leave);

        let departure = trace.departure.expect("left Active");
        assert_eq!(departure.owner, Source::Pilot);
        assert_eq!(departure.change.to, Some(Mode::SafeStop));
        assert!(departure.change.causes.contains(Fault::OwnerStale));
        let last_good_at = departure.last_good_at.expect("one good command");
        assert_eq!(departure.change.at.since(last_good_at), 90 * PERIOD_NS);
        assert_eq!(trace.driven_ns(), Some(90 * PERIOD_NS));
        assert_eq!(trace.mode_changes.len(), 2);
    }

    #[test]
    fn a_car_that_is_armed_again_leaves_active_for_new_causes() {
        let mut trace = Trace::new(PERIOD_NS);
        let mut change = |n, from: Mode, to, causes| {
            let mut record = cycle(n, to);
            record.outcome.previous_mode = from.into();
            record.outcome.causes = causes;
            trace.add(&record);
            trace.departure.map(|departure| departure.change.causes)
        };
        let (wish, stale) = (FaultSet::of(Fault::EstopOperator), FaultSet::of(Fault::OwnerStale));
        assert_eq!(change(1, Mode::Arming, Mode::Active, FaultSet::EMPTY), None);
        assert_eq!(change(2, Mode::Active, Mode::EStopLatched, wish), Some(wish));
        assert_eq!(change(3, Mode::EStopLatched, Mode::SelfTest, FaultSet::EMPTY), Some(wish));
        assert_eq!(change(4, Mode::Arming, Mode::Active, FaultSet::EMPTY), None);
        assert_eq!(change(5, Mode::Active, Mode::SafeStop, stale), Some(stale));
        assert_eq!(trace.active_at, Some(cycle(1, Mode::Active).mono_ns));
    }
}
