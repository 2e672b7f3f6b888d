//! Every state that can be reached, with every input, under small limits, calling the shipped
//! [`rt_control::machine::step`]. Larger limits are a matter of time only: [`explore`] takes them.

use crate::invariants::{Case, NAMES, broken};
use rt_control::machine::{Count, Input, Level, Limits, SelfTest, State, Timer};
use rt_wire::{Class, Mode, SOURCES, Source};
use std::collections::BTreeSet;

const BOOLS: [bool; 2] = [false, true];
const SELF_TESTS: [SelfTest; 3] = [SelfTest::Pending, SelfTest::Pass, SelfTest::Fail];

/// What an exploration found.
struct Report {
    states: usize,
    inputs: usize,
    transitions: u64,
    violations: BTreeSet<String>,
    modes: BTreeSet<Mode>,
}

/// The states within some limits, numbered by mixed radix.
struct Space {
    limits: Limits,
    level_max: i16,
    radices: [usize; 10],
}

impl Space {
    fn new(limits: Limits, level_max: i16) -> Self {
        let held = |limit: u32| limit as usize + 1;
        let [teleop, inference, pilot] = limits.stale.map(held);
        let timer = held(limits.arming.max(limits.safe_stop));
        let levels = level_max as usize + 1;
        let radices = [8, 2, 2, 4, teleop, inference, pilot, levels, timer, held(limits.late)];
        Self { limits, level_max, radices }
    }

    fn len(&self) -> usize {
        self.radices.iter().product()
    }

    fn index(&self, state: &State) -> usize {
        let [teleop, inference, pilot] = state.ages.map(|age| age.0 as usize);
        let digits = [
            state.mode as usize,
            usize::from(state.reset_previous),
            usize::from(state.arm_previous),
            state.owner as usize,
            teleop,
            inference,
            pilot,
            state.level.0 as usize,
            state.timer.0 as usize,
            state.late.0 as usize,
        ];
        digits.iter().zip(self.radices).fold(0, |index, (digit, radix)| {
            debug_assert!(*digit < radix);
            index * radix + digit
        })
    }

    /// The state of a number; the inverse of [`Space::index`].
    fn state(&self, mut index: usize) -> State {
        let mut digits = [0; 10];
        for (digit, radix) in digits.iter_mut().zip(self.radices).rev() {
            *digit = index % radix;
            index /= radix;
        }
        let [mode, reset, arm, owner, teleop, inference, pilot, level, timer, late] = digits;
        State {
            mode: Mode::ALL[mode],
            reset_previous: reset == 1,
            arm_previous: arm == 1,
            owner: Source::ALL[owner],
            ages: [teleop, inference, pilot].map(|age| Count(age as u32)),
            level: Level(level as i16),
            timer: Timer(timer as u32),
            late: Count(late as u32),
        }
    }
}

/// Every input: eight facts, the self-test, a class for each source, a target at either end.
fn inputs(level_max: i16) -> Vec<Input> {
    let mut inputs = Vec::new();
    for bits in 0..1_u32 << 8 {
        let [estop, reset, arm, disarm, fatal, degraded, late, full] =
            [0, 1, 2, 3, 4, 5, 6, 7].map(|bit| BOOLS[(bits >> bit & 1) as usize]);
        for self_test in SELF_TESTS {
            for classes in 0..Class::ALL.len().pow(3) {
                let class = |source: u32| Class::ALL[classes / 4_usize.pow(source) % 4];
                inputs.push(Input {
                    estop,
                    reset,
                    arm,
                    disarm,
                    fatal,
                    degraded,
                    late,
                    self_test,
                    classes: [class(0), class(1), class(2)],
                    target: Level(if full { level_max } else { 0 }),
                });
            }
        }
    }
    inputs
}

/// Breadth first from power-up, with `threads` workers on each frontier.
fn explore(limits: Limits, level_max: i16, threads: usize) -> Report {
    let space = Space::new(limits, level_max);
    let inputs = inputs(level_max);
    let mut seen = vec![false; space.len()];
    let boot = space.index(&State::boot(&limits));
    seen[boot] = true;
    let mut frontier = vec![boot];
    let mut report = Report {
        states: 1,
        inputs: inputs.len(),
        transitions: 0,
        violations: BTreeSet::new(),
        modes: BTreeSet::new(),
    };
    while !frontier.is_empty() {
        let share = frontier.len().div_ceil(threads);
        let found: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = frontier
                .chunks(share)
                .map(|states| scope.spawn(|| expand(&space, states, &inputs, &seen)))
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        report.transitions += (frontier.len() * inputs.len()) as u64;
        report.modes.extend(frontier.iter().map(|index| space.state(*index).mode));
        frontier = Vec::new();
        for (reached, violations) in found {
            report.violations.extend(violations);
            for index in reached {
                if !seen[index] {
                    seen[index] = true;
                    report.states += 1;
                    frontier.push(index);
                }
            }
        }
        if report.violations.len() > 20 {
            break;
        }
    }
    report
}

/// Every input on each of `states`: what is new, and what is wrong.
fn expand(
    space: &Space,
    states: &[usize],
    inputs: &[Input],
    seen: &[bool],
) -> (Vec<usize>, BTreeSet<String>) {
    let mut mine = seen.to_vec();
    let mut reached = Vec::new();
    let mut violations = BTreeSet::new();
    for index in states {
        let state = space.state(*index);
        for input in inputs {
            let case = Case::of(state, *input, space.limits);
            let next = case.next;
            if let Some(name) = broken(&case) {
                if violations.len() < 3 {
                    violations.insert(format!(
                        "{name}: {state:?} + {input:?} → {next:?} {:?}",
                        case.output
                    ));
                }
                continue;
            }
            let out_of_space = next.level.0 > space.level_max;
            assert!(!out_of_space, "{state:?} + {input:?} → {next:?}");
            let next = space.index(&next);
            if !mine[next] {
                mine[next] = true;
                reached.push(next);
            }
        }
    }
    (reached, violations)
}

/// Small, but with three levels and one cycle of SafeStop: a ramp has a middle, and its timer may be
/// out before it is neutral.
const LIMITS: Limits = Limits { stale: [2, 2, 2], arming: 2, safe_stop: 1, late: 2 };
const LEVEL_MAX: i16 = 3;

#[test]
fn every_reachable_state_keeps_every_invariant_under_every_input() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let report = explore(LIMITS, LEVEL_MAX, threads);
    println!(
        "states {} inputs {} transitions {} violations {}",
        report.states,
        report.inputs,
        report.transitions,
        report.violations.len()
    );
    for violation in &report.violations {
        println!("{violation}");
    }
    assert!(
        report.violations.is_empty(),
        "{} of {} invariants",
        report.violations.len(),
        NAMES.len()
    );
    // An exploration that never got anywhere would find nothing wrong.
    assert_eq!(report.modes.len(), Mode::ALL.len(), "{:?}", report.modes);
    assert_eq!(report.inputs, 49_152);
}

#[test]
fn number_of_a_state_and_back_is_that_state() {
    let space = Space::new(Limits { stale: [4, 3, 2], arming: 3, safe_stop: 2, late: 2 }, 3);
    for index in 0..space.len() {
        assert_eq!(space.index(&space.state(index)), index);
    }
    assert_eq!(SOURCES.len(), 3);
}
