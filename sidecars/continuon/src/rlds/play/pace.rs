//! When a record is due: as long after the first as it was recorded, divided by the speed.
//!
//! *What it decides.* That a replay which was kept waiting goes on later, instead of catching up: a
//! burst would overwrite what readers have not read yet. *What it must never do.* Read a clock; go
//! backwards. Shown by: the tests below.

use rt_wire::MonoNs;
use std::time::{Duration, Instant};

/// A replay that is later than this stays so much later.
const LATE_MAX: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    begun: Instant,
    first: MonoNs,
    speed: f64,
    last_due: Instant,
}

impl Pace {
    /// Begins `now` with a record of `first`.
    pub(super) fn new(now: Instant, first: MonoNs, speed: f64) -> Self {
        Self { begun: now, first, speed, last_due: now }
    }

    /// When a record of `at` is due. Records of one ring are in order; those of two rings may not be.
    pub(super) fn due(&mut self, at: MonoNs, now: Instant) -> Instant {
        let since = Duration::from_nanos(at.since(self.first)).div_f64(self.speed);
        // A clock that ends in a recording that is damaged must not end the replay by a panic.
        let due = self.begun.checked_add(since).unwrap_or(self.last_due).max(self.last_due);
        let late = now.saturating_duration_since(due);
        let due = if late > LATE_MAX {
            self.begun += late;
            due + late
        } else {
            due
        };
        self.last_due = due;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use rt_wire::MonoNs;
    use std::time::{Duration, Instant};

    const MS: u64 = 1_000_000;
    const FIRST: MonoNs = MonoNs(500 * MS);

    fn after(now: Instant, ms: u64) -> Instant {
        now + Duration::from_millis(ms)
    }

    #[test]
    fn records_are_due_at_their_own_intervals_divided_by_the_speed() {
        let now = Instant::now();
        for (speed, divided) in [(1.0, 1), (4.0, 4)] {
            let mut pace = Pace::new(now, FIRST, speed);
            for ms in [0, 4, 40, 400, 4000] {
                assert_eq!(pace.due(FIRST.plus(ms * MS), now), after(now, ms / divided));
            }
            assert_eq!(pace.due(FIRST, now), after(now, 4000 / divided), "never backwards");
        }
    }

    #[test]
    fn a_replay_that_was_kept_waiting_goes_on_later_and_never_in_a_burst() {
        let now = Instant::now();
        let mut pace = Pace::new(now, FIRST, 1.0);
        pace.due(FIRST.plus(10 * MS), now);
        // A second is gone: what was due meanwhile keeps its intervals from here on.
        let late = after(now, 1000);
        assert_eq!(pace.due(FIRST.plus(11 * MS), late), late);
        assert_eq!(pace.due(FIRST.plus(12 * MS), late), after(late, 1));
        assert_eq!(pace.due(FIRST.plus(111 * MS), late), after(late, 100));
    }

    #[test]
    fn a_stamp_at_the_end_of_time_is_no_panic() {
        let now = Instant::now();
        let mut pace = Pace::new(now, MonoNs(0), 0.01);
        pace.due(MonoNs(u64::MAX), now);
    }
}
