//! Steps on a fixed rate: at each instant the nearest one.
//!
//! *What it decides.* Which step stands for which instant; LeRobot wants a frame each 1/fps. The
//! step's own time goes beside it. *What it must never do.* Hold more than two steps, or make one up:
//! an instant in a gap gets the nearest step again, and that is counted.
//!
//! Shown by: the tests below, tests/formats/lerobot.rs.

use crate::sample::Sample;

const NS_PER_S: u64 = 1_000_000_000;

/// A fixed rate that begins with the first step.
pub(super) struct Grid {
    frames_per_s: u64,
    first_ns: Option<i64>,
    next: u64,
    held: Option<Sample>,
    held_was_used: bool,
    /// Instants that got a step which an instant before had already.
    pub(super) repeated: u64,
    /// Steps that no instant got.
    pub(super) unused: u64,
}

impl Grid {
    pub(super) fn new(frames_per_s: u32) -> Self {
        Self {
            frames_per_s: u64::from(frames_per_s.max(1)),
            first_ns: None,
            next: 0,
            held: None,
            held_was_used: false,
            repeated: 0,
            unused: 0,
        }
    }

    /// Takes the next step; hands over the one before for each instant that is nearer to it.
    pub(super) fn push<E>(
        &mut self,
        sample: Sample,
        mut frame: impl FnMut(&Sample) -> Result<(), E>,
    ) -> Result<(), E> {
        let now = at(&sample);
        let first = *self.first_ns.get_or_insert(now);
        if let Some(held) = self.held.take() {
            loop {
                let due = self.due(first);
                if now.abs_diff(due) < at(&held).abs_diff(due) || due > now {
                    break;
                }
                self.emit(&held, &mut frame)?;
            }
        }
        if !self.held_was_used && self.next > 0 {
            self.unused = self.unused.saturating_add(1);
        }
        self.held = Some(sample);
        self.held_was_used = false;
        Ok(())
    }

    /// Hands over the last step for the instant that is nearest to it.
    pub(super) fn finish<E>(
        &mut self,
        mut frame: impl FnMut(&Sample) -> Result<(), E>,
    ) -> Result<(), E> {
        let (Some(held), Some(first)) = (self.held.take(), self.first_ns) else {
            return Ok(());
        };
        let half_period = i64::try_from(NS_PER_S / self.frames_per_s / 2).unwrap_or(i64::MAX);
        while self.due(first) <= at(&held).saturating_add(half_period) && !self.held_was_used {
            self.emit(&held, &mut frame)?;
        }
        if !self.held_was_used {
            self.unused = self.unused.saturating_add(1);
        }
        Ok(())
    }

    fn emit<E>(
        &mut self,
        held: &Sample,
        frame: &mut impl FnMut(&Sample) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.held_was_used {
            self.repeated = self.repeated.saturating_add(1);
        }
        self.held_was_used = true;
        self.next = self.next.saturating_add(1);
        frame(held)
    }

    /// The next instant. Exact, so that the grid never drifts.
    fn due(&self, first: i64) -> i64 {
        let ns = u128::from(self.next) * u128::from(NS_PER_S) / u128::from(self.frames_per_s);
        first.saturating_add(i64::try_from(ns).unwrap_or(i64::MAX))
    }
}

/// The step's own time.
pub(super) fn at(sample: &Sample) -> i64 {
    sample.step.observation.robot_state.timestamp_nanos
}

#[cfg(test)]
mod tests {
    use super::{Grid, at};
    use crate::sample::Sample;
    use std::convert::Infallible;

    fn sample(index: u64, ms: i64) -> Sample {
        let mut step = crate::normalise::blank_step();
        step.observation.robot_state.timestamp_nanos = 5_000_000_000 + ms * 1_000_000;
        Sample { index, step, picture: None }
    }

    fn frames(rate: u32, times_ms: &[i64]) -> (Vec<i64>, u64, u64) {
        let mut grid = Grid::new(rate);
        let mut frames = Vec::new();
        let mut take = |sample: &Sample| -> Result<(), Infallible> {
            frames.push((at(sample) - 5_000_000_000) / 1_000_000);
            Ok(())
        };
        for (index, ms) in times_ms.iter().enumerate() {
            grid.push(sample(index as u64, *ms), &mut take).expect("never fails");
        }
        grid.finish(&mut take).expect("never fails");
        (frames, grid.repeated, grid.unused)
    }

    #[test]
    fn steps_on_the_rate_stay_as_they_are() {
        assert_eq!(frames(20, &[0, 50, 100, 150]), (vec![0, 50, 100, 150], 0, 0));
        assert_eq!(frames(20, &[0]), (vec![0], 0, 0));
    }

    #[test]
    fn each_instant_gets_the_nearest_step() {
        assert_eq!(frames(20, &[0, 48, 103, 149]), (vec![0, 48, 103, 149], 0, 0));
        // Twice as many steps as instants.
        assert_eq!(frames(10, &[0, 50, 100, 150, 200]), (vec![0, 100, 200], 0, 2));
    }

    #[test]
    fn instants_in_a_gap_get_the_nearest_step_again_and_are_counted() {
        assert_eq!(frames(20, &[0, 50, 200, 250]), (vec![0, 50, 50, 200, 200, 250], 2, 0));
    }
}
