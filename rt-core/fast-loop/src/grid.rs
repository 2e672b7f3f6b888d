//! The release grid: when the next cycle is due.
//!
//! The grid is absolute: one late wake-up never moves the next release, and releases that were
//! missed are skipped and counted, never replayed in a burst. It never reads a clock. Shown by the
//! tests below.

use core::num::NonZeroU64;

/// One release on the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Number of the grid point, from 0.
    pub cycle_index: u64,
    /// Its instant on `CLOCK_MONOTONIC`, in ns.
    pub release_ns: u64,
    /// Grid points skipped since the release before.
    pub missed: u32,
}

/// An absolute grid of releases.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    origin_ns: u64,
    period_ns: NonZeroU64,
    next_index: u64,
}

impl Grid {
    /// A grid whose point 0 is at `origin_ns`. `period_ns` is at least 1.
    #[must_use]
    pub fn new(origin_ns: u64, period_ns: u64) -> Self {
        let period_ns = NonZeroU64::new(period_ns).unwrap_or(NonZeroU64::MIN);
        Self { origin_ns, period_ns, next_index: 0 }
    }

    /// The first release not before `now_ns` that has not been given yet.
    pub fn next(&mut self, now_ns: u64) -> Due {
        let passed = now_ns.saturating_sub(self.origin_ns).div_ceil(self.period_ns.get());
        let cycle_index = self.next_index.max(passed);
        let missed = u32::try_from(cycle_index.saturating_sub(self.next_index)).unwrap_or(u32::MAX);
        // Saturating throughout: the clock's last instant is 584 years away, and a panic is a stop.
        self.next_index = cycle_index.saturating_add(1);
        let since_origin = cycle_index.saturating_mul(self.period_ns.get());
        let release_ns = self.origin_ns.saturating_add(since_origin);
        Due { cycle_index, release_ns, missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_wakeup_does_not_move_the_next_release() {
        let mut grid = Grid::new(1000, 100);
        assert_eq!(grid.next(900), Due { cycle_index: 0, release_ns: 1000, missed: 0 });
        // Woke 60 late and finished at 1080: the next is still on the grid.
        assert_eq!(grid.next(1080), Due { cycle_index: 1, release_ns: 1100, missed: 0 });
    }

    #[test]
    fn releases_that_passed_are_skipped_and_counted_once() {
        let mut grid = Grid::new(1000, 100);
        grid.next(0);
        assert_eq!(grid.next(1450), Due { cycle_index: 5, release_ns: 1500, missed: 4 });
        assert_eq!(grid.next(1510), Due { cycle_index: 6, release_ns: 1600, missed: 0 });
    }

    #[test]
    fn a_cycle_that_ends_on_a_grid_point_does_not_miss_it() {
        let mut grid = Grid::new(1000, 100);
        grid.next(0);
        assert_eq!(grid.next(1100), Due { cycle_index: 1, release_ns: 1100, missed: 0 });
    }

    #[test]
    fn a_release_is_never_given_twice_even_if_time_stands_still() {
        let mut grid = Grid::new(1000, 100);
        let first = grid.next(1000);
        let second = grid.next(1000);
        assert_eq!((first.cycle_index, second.cycle_index), (0, 1));
        assert_eq!(second.missed, 0);
    }

    #[test]
    fn given_and_missed_releases_add_up_to_the_grid() {
        let mut grid = Grid::new(7, 13);
        let (mut now, mut given, mut missed, mut last) = (0_u64, 0_u64, 0_u64, 0);
        for step in 0..10_000_u64 {
            // A deterministic mixture of short and long cycles.
            now += (step * step) % 41;
            let due = grid.next(now);
            assert!(due.release_ns >= now);
            given += 1;
            missed += u64::from(due.missed);
            last = due.cycle_index;
            now = due.release_ns;
        }
        assert_eq!(given + missed, last + 1);
    }
}
