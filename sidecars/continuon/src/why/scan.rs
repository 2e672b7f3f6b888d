//! The first pass: where the recording begins and ends, each stop, and which cycle is meant.
//!
//! Decides what counts as a stop. Holds two records at most, whatever the recording's length. Tests:
//! below.

use super::{Moment, StopAt, name, seconds};
use crate::exit::Failure;
use crate::recorded::Recorded;
use rlds::Entry;
use rt_wire::{Fault, FaultSet, Mode, MonoNs, Severity, Telemetry};

/// What the first pass found.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) first: Telemetry,
    pub(super) last: Telemetry,
    pub(super) cycles: u64,
    pub(super) records_missing: u64,
    pub(super) stops: Vec<StopAt>,
    /// Cycle that is meant, and when it was; `None` if the last stop is, and there is none.
    pub(super) target: Option<(u64, MonoNs)>,
    /// The cycle that was asked for is not recorded; the one before it is told.
    pub(super) asked_for: Option<u64>,
}

/// Reads the whole recording once.
///
/// # Errors
/// It cannot be read, holds no cycle, or not the moment.
pub(super) fn scan(recorded: &mut Recorded, at: Option<Moment>) -> Result<Scan, Failure> {
    let mut scan: Option<Scan> = None;
    while let Some(entry) = recorded.next_entry()? {
        let Entry::Telemetry(record) = entry else { continue };
        match &mut scan {
            None => scan = Some(Scan::begin(record, at)),
            Some(scan) => scan.add(record, at),
        }
    }
    let scan = scan.ok_or_else(|| {
        Failure::no(format!("{}: it holds no cycle at all", recorded.path.display()))
    })?;
    scan.check(&recorded.path.display().to_string(), at)
}

impl Scan {
    fn begin(record: Telemetry, at: Option<Moment>) -> Self {
        let mut scan = Self {
            first: record,
            last: record,
            cycles: 0,
            records_missing: 0,
            stops: Vec::new(),
            target: None,
            asked_for: None,
        };
        scan.take(record, at);
        scan
    }

    fn add(&mut self, record: Telemetry, at: Option<Moment>) {
        let expected = self.last.sequence.saturating_add(1);
        self.records_missing += record.sequence.saturating_sub(expected);
        self.take(record, at);
    }

    fn take(&mut self, record: Telemetry, at: Option<Moment>) {
        self.cycles += 1;
        let after_ns = record.mono_ns.since(self.first.mono_ns);
        if is_stop(&record) {
            self.stops.push(stop_at(&record, after_ns));
        }
        let is_meant = match at {
            None => is_stop(&record),
            // The last one that is not after the moment.
            Some(Moment::After(ns)) => after_ns <= ns,
            Some(Moment::Cycle(cycle)) => record.cycle_index <= cycle,
        };
        if is_meant {
            self.target = Some((record.cycle_index, record.mono_ns));
        }
        self.last = record;
    }

    /// A moment that the recording does not hold is the caller's mistake.
    fn check(mut self, path: &str, at: Option<Moment>) -> Result<Self, Failure> {
        let (first, last) = (self.first.cycle_index, self.last.cycle_index);
        let last_ns = self.last.mono_ns.since(self.first.mono_ns);
        match at {
            Some(Moment::Cycle(cycle)) if !(first..=last).contains(&cycle) => {
                return Err(Failure::misuse(format!(
                    "{path}: expected a cycle from #{first} to #{last}, found #{cycle}"
                )));
            }
            Some(Moment::After(ns)) if ns > last_ns => {
                return Err(Failure::misuse(format!(
                    "{path}: expected a time from 0 to {:.3} s, found {:.3} s",
                    seconds(last_ns),
                    seconds(ns)
                )));
            }
            Some(Moment::Cycle(cycle)) => {
                let told = self.target.map(|(cycle, _)| cycle);
                self.asked_for = Some(cycle).filter(|cycle| told != Some(*cycle));
            }
            Some(Moment::After(_)) | None => {}
        }
        Ok(self)
    }
}

/// Whether the car stopped, or gave up to arm, in this cycle.
pub(super) fn is_stop(record: &Telemetry) -> bool {
    let (from, to) = (record.outcome.previous_mode.get(), record.outcome.mode.get());
    if from == to {
        return false;
    }
    match to {
        Some(Mode::SafeStop | Mode::EStopLatched | Mode::Fault) => true,
        // From SafeStop it is the end of a stop.
        Some(Mode::Disarmed) => matches!(from, Some(Mode::Arming | Mode::Active)),
        Some(Mode::Boot | Mode::SelfTest | Mode::Arming | Mode::Active) | None => false,
    }
}

fn stop_at(record: &Telemetry, after_ns: u64) -> StopAt {
    StopAt {
        cycle_index: record.cycle_index,
        at_s: seconds(after_ns),
        from: name(record.outcome.previous_mode),
        to: name(record.outcome.mode),
        causes: gravest_first(record.outcome.causes).iter().map(|fault| fault.name()).collect(),
    }
}

/// What is graver than a warning, the gravest first.
pub(super) fn gravest_first(causes: FaultSet) -> Vec<Fault> {
    let mut faults: Vec<Fault> =
        causes.faults().filter(|fault| fault.severity() != Severity::Warning).collect();
    faults.sort_by_key(|fault| std::cmp::Reverse(fault.severity()));
    faults
}

/// An instant of the recording, from its first record.
pub(super) fn after_first(scan: &Scan, at: MonoNs) -> f64 {
    super::seconds_between(scan.first.mono_ns, at)
}

#[cfg(test)]
mod tests {
    use super::{Moment, Scan, gravest_first};
    use crate::exit::Exit;
    use rt_wire::{Fault, FaultSet, Mode, MonoNs, Telemetry};

    /// Cycles 100 to 199, one missing at 150; Active until a stop at 180, Disarmed at 190.
    fn scan(at: Option<Moment>) -> Scan {
        let mut previous = Mode::Active;
        let mut scan: Option<Scan> = None;
        for n in (100..200_u64).filter(|n| *n != 150) {
            let mode = match n {
                180..190 => Mode::SafeStop,
                190.. => Mode::Disarmed,
                _ => Mode::Active,
            };
            let mut record = Telemetry { sequence: n, cycle_index: n, ..Telemetry::default() };
            record.mono_ns = MonoNs(n * 1_000_000);
            record.outcome.mode = mode.into();
            record.outcome.previous_mode = previous.into();
            if n == 180 {
                record.outcome.causes = FaultSet::of(Fault::OwnerStale);
            }
            previous = mode;
            match &mut scan {
                None => scan = Some(Scan::begin(record, at)),
                Some(scan) => scan.add(record, at),
            }
        }
        scan.expect("cycles")
    }

    #[test]
    fn the_last_stop_is_meant_by_default_and_its_end_is_no_stop() {
        let scan = scan(None);
        assert_eq!(scan.target, Some((180, MonoNs(180_000_000))));
        assert_eq!((scan.cycles, scan.records_missing), (99, 1));
        assert_eq!(scan.stops.len(), 1, "{:?}", scan.stops);
        assert_eq!(scan.stops[0].causes, ["OwnerStale"]);
        assert!((scan.stops[0].at_s - 0.08).abs() < 1e-9);
    }

    #[test]
    fn a_moment_means_the_cycle_that_ran_then() {
        for (at, target, asked_for) in [
            (Moment::After(0), 100, None),
            (Moment::After(42_700_000), 142, None),
            (Moment::Cycle(160), 160, None),
            (Moment::Cycle(150), 149, Some(150)),
        ] {
            let scan = scan(Some(at)).check("x", Some(at)).expect("recorded");
            let told = scan.target.map(|(cycle, _)| cycle);
            assert_eq!((told, scan.asked_for), (Some(target), asked_for), "{at:?}");
        }
    }

    #[test]
    fn a_moment_outside_of_the_recording_is_misuse_and_says_what_there_is() {
        for (at, words) in [
            (Moment::After(99_100_000), "from 0 to 0.099 s, found 0.099"),
            (Moment::Cycle(99), "from #100 to #199, found #99"),
            (Moment::Cycle(200), "from #100 to #199, found #200"),
        ] {
            let failure = scan(Some(at)).check("x", Some(at)).expect_err("not there");
            assert_eq!(failure.exit, Exit::Misuse);
            assert!(failure.message.contains(words), "{failure}");
        }
    }

    #[test]
    fn the_gravest_cause_comes_first_and_a_warning_stops_nothing() {
        let causes = FaultSet::of(Fault::OwnerStale)
            .and(Fault::NotRealtime, true)
            .and(Fault::DriveWrite, true)
            .and(Fault::EstopLine, true);
        assert_eq!(gravest_first(causes), [Fault::DriveWrite, Fault::EstopLine, Fault::OwnerStale]);
    }
}
