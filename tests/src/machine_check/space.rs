//! The states and inputs within some limits, and their numbers.
//!
//! A state's number is a mixed-radix one, so that a set of states is a bitmap. Nothing here knows what
//! the machine may do. Tests: at the end.

use rt_control::machine::{Count, Input, Level, Limits, SelfTest, State, Timer};
use rt_wire::{Class, Mode, Source};

const SELF_TESTS: [SelfTest; 3] = [SelfTest::Pending, SelfTest::Pass, SelfTest::Fail];
/// Combinations of what can become of three sources' commands.
pub(super) const CROWDS: usize = 64;
const DIGITS: usize = 10;

/// Limits under which the machine is checked, and the numbers of all states within them.
#[derive(Clone, Debug)]
pub struct Space {
    /// What the machine is given.
    pub limits: Limits,
    /// Levels are `0..=level_max`.
    pub level_max: i16,
    /// What an owner may ask for.
    pub targets: Vec<i16>,
    radices: [usize; DIGITS],
    strides: [usize; DIGITS],
}

impl Space {
    /// The space of `limits`; an owner asks for neutral or for `level_max`.
    #[must_use]
    pub fn new(limits: Limits, level_max: i16) -> Self {
        let held = |limit: u32| limit as usize + 1;
        let [teleop, inference, pilot] = limits.stale.map(held);
        let levels = usize::from(level_max.unsigned_abs()) + 1;
        let timer = held(limits.arming.max(limits.safe_stop));
        let radices = [8, 2, 2, 4, teleop, inference, pilot, levels, timer, held(limits.late)];
        let mut strides = [1; DIGITS];
        for digit in (0..DIGITS - 1).rev() {
            strides[digit] = strides[digit + 1] * radices[digit + 1];
        }
        Self { limits, level_max, targets: vec![0, level_max], radices, strides }
    }

    /// The same, but an owner may ask for every level.
    #[must_use]
    pub fn with_every_target(mut self) -> Self {
        self.targets = (0..=self.level_max).collect();
        self
    }

    /// States in the product, reachable or not.
    #[must_use]
    pub fn product(&self) -> usize {
        self.radices.iter().product()
    }

    /// The number of a state; `None` if it lies outside.
    #[inline]
    pub(super) fn index(&self, state: &State) -> Option<usize> {
        let [teleop, inference, pilot] = state.ages.map(|age| age.raw() as usize);
        // A negative level becomes a large number, which is outside.
        let level = state.level.raw() as usize;
        let counted = [teleop, inference, pilot, level, state.timer.raw() as usize, {
            state.late.raw() as usize
        }];
        let mut inside = true;
        let mut index = state.mode as usize * self.strides[0]
            + usize::from(state.reset_previous) * self.strides[1]
            + usize::from(state.arm_previous) * self.strides[2]
            + state.owner as usize * self.strides[3];
        for (digit, value) in counted.into_iter().enumerate() {
            inside &= value < self.radices[4 + digit];
            index = index.wrapping_add(value.wrapping_mul(self.strides[4 + digit]));
        }
        inside.then_some(index)
    }

    /// The state of a number; the inverse of [`Space::index`].
    pub(super) fn state(&self, index: usize) -> State {
        let digit = |digit: usize| index / self.strides[digit] % self.radices[digit];
        let small = |at: usize| digit(at) as u32;
        State {
            mode: Mode::ALL[digit(0)],
            reset_previous: digit(1) == 1,
            arm_previous: digit(2) == 1,
            owner: Source::ALL[digit(3)],
            ages: [4, 5, 6].map(|at| Count::from_raw(small(at))),
            level: Level::from_raw(digit(7) as i16),
            timer: Timer::from_raw(small(8)),
            late: Count::from_raw(small(9)),
        }
    }

    /// Every input but for what became of the sources' commands: each is to be tried with each of
    /// [`crowds`].
    pub(super) fn rests(&self) -> Vec<Input> {
        let mut rests = Vec::new();
        for bits in 0..1_u32 << 7 {
            let bit = |place: u32| bits >> place & 1 == 1;
            for self_test in SELF_TESTS {
                for target in &self.targets {
                    rests.push(Input {
                        estop: bit(0),
                        reset: bit(1),
                        arm: bit(2),
                        disarm: bit(3),
                        fatal: bit(4),
                        degraded: bit(5),
                        late: bit(6),
                        self_test,
                        classes: [Class::Absent; 3],
                        target: Level::from_raw(*target),
                    });
                }
            }
        }
        rests
    }
}

/// Every combination of what can become of the sources' commands; source `k` is digit `k`, base 4.
pub(super) fn crowds() -> [[Class; 3]; CROWDS] {
    std::array::from_fn(|crowd| [0, 2, 4].map(|shift| Class::ALL[crowd >> shift & 3]))
}

/// The crowd in which every source is absent but those of `heard`.
pub(super) fn only(crowd: usize, heard: [bool; 3]) -> usize {
    let kept = |source: usize| if heard[source] { 3 << (2 * source) } else { 0 };
    crowd & (kept(0) | kept(1) | kept(2))
}

#[cfg(test)]
mod tests {
    use super::{CROWDS, Space, crowds, only};
    use rt_control::machine::Limits;
    use rt_wire::Class;

    #[test]
    fn number_of_a_state_and_back_is_that_state() {
        let limits = Limits { stale: [4, 3, 2], arming: 3, safe_stop: 1, late: 2 };
        let space = Space::new(limits, 3);
        assert_eq!(space.product(), 368_640);
        for index in 0..space.product() {
            assert_eq!(space.index(&space.state(index)), Some(index));
        }
    }

    #[test]
    fn state_beyond_a_limit_has_no_number() {
        let limits = Limits { stale: [4, 3, 2], arming: 3, safe_stop: 1, late: 2 };
        let wide = Space::new(Limits { stale: [5, 4, 3], arming: 4, late: 3, ..limits }, 4);
        let space = Space::new(limits, 3);
        let inside = (0..wide.product()).filter(|index| space.index(&wide.state(*index)).is_some());
        assert_eq!(inside.count(), space.product());
    }

    #[test]
    fn every_crowd_is_another_and_silencing_keeps_the_heard() {
        let all = crowds();
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), CROWDS);
        for (crowd, classes) in all.iter().enumerate() {
            let [teleop, _, pilot] = *classes;
            assert_eq!(all[only(crowd, [true, false, true])], [teleop, Class::Absent, pilot]);
        }
    }
}
