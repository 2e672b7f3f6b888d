//! Which bus task runs next: each has a release grid of its own, and the earliest release goes first.
//!
//! Releases that passed while any task ran are skipped and counted, never made up for, so that a slow
//! device costs the others at most the run that is under way. It never reads a clock: `clock` comes
//! in. Shown by the tests below.

use super::tally::Tally;
use crate::grid::{Due, Grid};
use rt_board::BusTask;
use rt_wire::MonoNs;

/// All bus tasks, each with its next release.
pub(super) struct Schedule {
    entries: Vec<Entry>,
}

struct Entry {
    task: Box<dyn BusTask>,
    grid: Grid,
    due: Due,
}

impl Schedule {
    /// Every task's grid begins at `origin`.
    pub(super) fn new(tasks: Vec<Box<dyn BusTask>>, origin: MonoNs) -> Self {
        let entry = |task: Box<dyn BusTask>| {
            let mut grid = Grid::new(origin.0, u64::from(task.period_us()) * 1000);
            let due = grid.next(origin.0);
            Entry { task, grid, due }
        };
        Self { entries: tasks.into_iter().map(entry).collect() }
    }

    /// When the next task is due, and its place.
    pub(super) fn next(&self) -> Option<(MonoNs, usize)> {
        let dues = self.entries.iter().map(|entry| MonoNs(entry.due.release_ns)).zip(0..);
        dues.min_by_key(|(release, _place)| *release)
    }

    /// Runs the task at `place` and finds its next release on its grid.
    pub(super) fn run(&mut self, place: usize, clock: impl Fn() -> MonoNs, tallies: &[Tally]) {
        let (Some(entry), Some(tally)) = (self.entries.get_mut(place), tallies.get(place)) else {
            return;
        };
        tally.begin();
        let result = entry.task.run(clock());
        entry.due = entry.grid.next(clock().0);
        tally.end(result, entry.due.missed);
    }

    /// Runs every task once, due or not.
    pub(super) fn run_all(&mut self, clock: impl Fn() -> MonoNs, tallies: &[Tally]) {
        for place in 0..self.entries.len() {
            self.run(place, &clock, tallies);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rt_board::BusError;
    use std::cell::Cell;
    use std::sync::{Arc, Mutex};

    /// Notes when it ran.
    struct Noted {
        name: &'static str,
        period_us: u32,
        ran_at: Arc<Mutex<Vec<(&'static str, u64)>>>,
    }

    impl BusTask for Noted {
        fn name(&self) -> &'static str {
            self.name
        }
        fn period_us(&self) -> u32 {
            self.period_us
        }
        fn run(&mut self, now: MonoNs) -> Result<(), BusError> {
            self.ran_at.lock().expect("whole").push((self.name, now.0 / 1_000_000));
            Ok(())
        }
    }

    /// Runs tasks (name, period in ms) for `end_ms`; `took_ms` says how long a run that begins at a
    /// time takes. Gives what ran when, in ms, and each task's runs and missed releases.
    #[expect(clippy::type_complexity, reason = "three lists that a test takes apart at once")]
    fn trace(
        tasks: &[(&'static str, u32)],
        end_ms: u64,
        took_ms: fn(&'static str, u64) -> u64,
    ) -> (Vec<(&'static str, u64)>, Vec<(u64, u64)>) {
        let ran_at = Arc::new(Mutex::new(Vec::new()));
        let task = |(name, period_ms): &(&'static str, u32)| -> Box<dyn BusTask> {
            let period_us = period_ms * 1000;
            Box::new(Noted { name, period_us, ran_at: Arc::clone(&ran_at) })
        };
        let tallies: Vec<Tally> = tasks.iter().map(|(name, _)| Tally::new(name)).collect();
        let mut schedule = Schedule::new(tasks.iter().map(task).collect(), MonoNs(0));
        let now = Cell::new(0_u64);
        while let Some((release, place)) = schedule.next()
            && release.0 < end_ms * 1_000_000
        {
            let begin = now.get().max(release.0);
            let end = begin + took_ms(tasks[place].0, begin / 1_000_000) * 1_000_000;
            // The first look at the clock is when the task begins, the second when it has ended.
            now.set(begin);
            let clock = || MonoNs(now.replace(end));
            schedule.run(place, clock, &tallies);
            now.set(end);
        }
        let counts = tallies.iter().map(|tally| (tally.runs(), tally.missed_releases())).collect();
        (ran_at.lock().expect("whole").clone(), counts)
    }

    #[test]
    fn each_task_runs_at_its_own_period() {
        let (ran_at, counts) = trace(&[("imu", 10), ("battery", 25)], 50, |_, _| 0);
        let expected = [
            ("imu", 0),
            ("battery", 0),
            ("imu", 10),
            ("imu", 20),
            ("battery", 25),
            ("imu", 30),
            ("imu", 40),
        ];
        assert_eq!(ran_at, expected);
        assert_eq!(counts, [(5, 0), (2, 0)]);
    }

    #[test]
    fn stalled_run_skips_its_releases_counts_them_and_leaves_the_grid_alone() {
        let stall = |_, at| if at == 20 { 34 } else { 1 };
        let (ran_at, counts) = trace(&[("imu", 10)], 90, stall);
        let at: Vec<u64> = ran_at.iter().map(|(_, at)| *at).collect();
        // 30, 40 and 50 passed while the run of 20 was under way until 54.
        assert_eq!(at, [0, 10, 20, 60, 70, 80]);
        assert_eq!(counts, [(6, 3)]);
    }

    #[test]
    fn task_that_is_always_too_slow_does_not_starve_the_other() {
        let slow = |name, _| if name == "gps" { 15 } else { 1 };
        let (ran_at, counts) = trace(&[("gps", 10), ("imu", 20)], 200, slow);
        assert_eq!(counts[1], (10, 0), "every release of the fast one: {ran_at:?}");
        let (runs, missed) = counts[0];
        assert_eq!((runs, missed), (10, 10));
    }

    #[test]
    fn last_pass_runs_every_task_once_whether_due_or_not() {
        let ran_at = Arc::new(Mutex::new(Vec::new()));
        let task = |name: &'static str| -> Box<dyn BusTask> {
            Box::new(Noted { name, period_us: 1_000_000, ran_at: Arc::clone(&ran_at) })
        };
        let tallies = [Tally::new("imu"), Tally::new("battery")];
        let mut schedule = Schedule::new(vec![task("imu"), task("battery")], MonoNs(1 << 40));
        schedule.run_all(|| MonoNs(5_000_000), &tallies);
        assert_eq!(*ran_at.lock().expect("whole"), [("imu", 5), ("battery", 5)]);
    }
}
