//! What one bus task has done: written by the bus thread, read by housekeeping, for people.
//!
//! The bus thread is sealed and must not speak; whoever may wait reads here what there is to say. A
//! single error is counted; two in a row are a spell, and a spell is told when it begins and when it
//! ends. Nothing here reaches the kernel: it sees the readings. Shown by the tests below, and
//! `tests/bus/`.

use rt_board::BusError;
use rt_ring::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// This many errors in a row are a spell of errors.
const SPELL_ERRORS: u64 = 2;

/// Counters of one bus task, from the start of its thread.
#[derive(Debug)]
pub(super) struct Tally {
    name: &'static str,
    is_running: AtomicBool,
    runs: AtomicU64,
    missed_releases: AtomicU64,
    errors: AtomicU64,
    errors_in_row: AtomicU64,
    errno_bits: AtomicU32,
    spells: AtomicU64,
}

impl Tally {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            is_running: AtomicBool::new(false),
            runs: AtomicU64::new(0),
            missed_releases: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            errors_in_row: AtomicU64::new(0),
            errno_bits: AtomicU32::new(0),
            spells: AtomicU64::new(0),
        }
    }

    /// The bus thread enters the task.
    pub(super) fn begin(&self) {
        // ORDER: relaxed: this and all counts below are for people; nothing else is read by them.
        self.is_running.store(true, Ordering::Relaxed);
    }

    /// The bus thread has come back from the task.
    pub(super) fn end(&self, result: Result<(), BusError>, missed_releases: u32) {
        self.is_running.store(false, Ordering::Relaxed);
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.missed_releases.fetch_add(u64::from(missed_releases), Ordering::Relaxed);
        let Err(error) = result else {
            self.errors_in_row.store(0, Ordering::Relaxed);
            return;
        };
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.errno_bits.store(error.errno.cast_unsigned(), Ordering::Relaxed);
        if self.errors_in_row.fetch_add(1, Ordering::Relaxed) + 1 == SPELL_ERRORS {
            // ORDER: pairs with the load in Watched::news: who counts this spell sees the errors
            // that made it, or the good run that ended it.
            self.spells.fetch_add(1, Ordering::Release);
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the bus thread has entered the task and not come back.
    pub(super) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    pub(super) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    pub(super) fn missed_releases(&self) -> u64 {
        self.missed_releases.load(Ordering::Relaxed)
    }

    /// All of it in one line.
    pub(super) fn summary(&self) -> String {
        format!(
            "bus task {}: {} runs, {} missed releases, {} errors",
            self.name,
            self.runs(),
            self.missed_releases(),
            self.errors.load(Ordering::Relaxed)
        )
    }
}

/// What of a task's spells of errors was told already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watched {
    spells: u64,
    is_failing: bool,
}

impl Watched {
    /// What there is to tell about the task since the last look; each spell's begin and end once.
    pub(super) fn news(&mut self, tally: &Tally) -> Vec<String> {
        let mut news = Vec::new();
        // ORDER: pairs with the addition in Tally::end.
        let spells = tally.spells.load(Ordering::Acquire);
        if spells > self.spells {
            self.spells = spells;
            self.is_failing = true;
            let errno = tally.errno_bits.load(Ordering::Relaxed).cast_signed();
            let error = BusError { errno };
            news.push(format!("bus task {} failed twice in a row: {error}", tally.name));
        }
        if self.is_failing && tally.errors_in_row.load(Ordering::Relaxed) == 0 {
            self.is_failing = false;
            news.push(format!("bus task {} answers again", tally.name));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Result<(), BusError> = Err(BusError { errno: 121 });
    const TOLD: &str =
        "bus task imu failed twice in a row: no good answer from the bus (errno 121)";

    #[test]
    fn one_error_is_counted_and_not_told() {
        let (tally, mut watched) = (Tally::new("imu"), Watched::default());
        for result in [Ok(()), LOST, Ok(()), LOST] {
            tally.end(result, 0);
            assert!(watched.news(&tally).is_empty());
        }
        assert_eq!(tally.summary(), "bus task imu: 4 runs, 0 missed releases, 2 errors");
    }

    #[test]
    fn two_errors_in_a_row_are_told_once_until_the_task_answers_again() {
        let (tally, mut watched) = (Tally::new("imu"), Watched::default());
        tally.end(LOST, 0);
        tally.end(LOST, 3);
        assert_eq!(watched.news(&tally), [TOLD]);
        tally.end(LOST, 0);
        assert!(watched.news(&tally).is_empty(), "told already");
        tally.end(Ok(()), 0);
        assert_eq!(watched.news(&tally), ["bus task imu answers again"]);
        assert!(watched.news(&tally).is_empty());
        assert_eq!(tally.summary(), "bus task imu: 4 runs, 3 missed releases, 3 errors");
    }

    #[test]
    fn spell_that_came_and_went_between_two_looks_is_told_all_the_same() {
        let (tally, mut watched) = (Tally::new("imu"), Watched::default());
        for result in [LOST, LOST, Ok(())] {
            tally.end(result, 0);
        }
        assert_eq!(watched.news(&tally), [TOLD, "bus task imu answers again"]);
    }

    #[test]
    fn task_is_running_from_its_begin_to_its_end() {
        let tally = Tally::new("imu");
        assert!(!tally.is_running());
        tally.begin();
        assert!(tally.is_running());
        tally.end(LOST, 0);
        assert!(!tally.is_running());
    }
}
