//! One cycle of the machine under check, and what is plain to see about it.
//!
//! Everything here is said in words of its own and calls nothing of the machine, so that a wrong
//! machine cannot agree with itself.

use super::space::{CROWDS, only};
use rt_control::machine::{Input, Limits, Output, SelfTest, State};
use rt_wire::{Class, Mode, Source};

/// What follows from a state and the sources' commands alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Ages after this cycle.
    pub(super) ages: [u32; 3],
    /// Whom the authority rule names.
    pub(super) rightful: Source,
    /// That is somebody, and not stale.
    pub(super) fit: bool,
    /// The crowd in which only the owner and the winner of a claim are heard.
    pub(super) heard: usize,
}

/// One cycle: (state, input) → (next, output).
pub(super) struct Case<'a> {
    pub(super) limits: &'a Limits,
    pub(super) state: &'a State,
    pub(super) input: &'a Input,
    pub(super) next: &'a State,
    pub(super) output: &'a Output,
    pub(super) facts: &'a Facts,
    pub(super) overload: bool,
    /// Disarm, degraded or overload.
    pub(super) stop: bool,
    /// Neither e-stop nor fatal pre-empts this cycle.
    pub(super) ordinary: bool,
    pub(super) arm_edge: bool,
    pub(super) reset_edge: bool,
}

impl<'a> Case<'a> {
    #[inline(always)]
    pub(super) fn new(
        limits: &'a Limits,
        (state, input): (&'a State, &'a Input),
        (next, output): (&'a State, &'a Output),
        facts: &'a Facts,
    ) -> Self {
        let overload = input.late & (state.late.raw() + 1 >= limits.late);
        Self {
            limits,
            state,
            input,
            next,
            output,
            facts,
            overload,
            stop: input.disarm | input.degraded | overload,
            ordinary: !input.estop & !input.fatal,
            arm_edge: input.arm & !state.arm_previous,
            reset_edge: input.reset & !state.reset_previous,
        }
    }

    #[inline(always)]
    pub(super) fn from(&self, mode: Mode) -> bool {
        self.state.mode == mode
    }

    #[inline(always)]
    pub(super) fn to(&self, mode: Mode) -> bool {
        self.next.mode == mode
    }

    /// The table of transitions: which modes may follow, and for what alone the two grave ones may. To
    /// stay is always allowed; that what must happen does is the invariants'.
    #[inline(always)]
    pub(super) fn is_in_the_table(&self) -> bool {
        let from = self.state.mode;
        from == self.next.mode
            || match self.next.mode {
                Mode::Boot => false,
                Mode::SelfTest => matches!(from, Mode::Boot | Mode::EStopLatched),
                Mode::Disarmed => {
                    let passes = self.input.self_test == SelfTest::Pass;
                    (from == Mode::SelfTest && passes)
                        || matches!(from, Mode::Arming | Mode::SafeStop)
                }
                Mode::Arming => from == Mode::Disarmed,
                Mode::Active => from == Mode::Arming,
                Mode::SafeStop => from == Mode::Active,
                Mode::EStopLatched => from != Mode::Fault && self.input.estop,
                Mode::Fault => {
                    let fails = self.input.self_test == SelfTest::Fail;
                    self.input.fatal || (from == Mode::SelfTest && fails)
                }
            }
    }
}

impl Facts {
    pub(super) fn of(state: &State, crowd: usize, classes: [Class; 3], limits: &Limits) -> Self {
        let age = |index: usize| match classes[index] {
            Class::Good | Class::GoodAsking => 0,
            Class::Absent | Class::Bad => limits.stale[index].min(state.ages[index].raw() + 1),
        };
        let ages = [age(0), age(1), age(2)];
        let fresh = |source: Source| match source {
            Source::None => false,
            Source::Teleop => ages[0] < limits.stale[0],
            Source::Inference => ages[1] < limits.stale[1],
            Source::Pilot => ages[2] < limits.stale[2],
        };
        let rightful = rightful(state, classes, fresh);
        let counts = |source: Source| state.owner == source || rightful == source;
        let heard = [Source::Teleop, Source::Inference, Source::Pilot].map(counts);
        Self { ages, rightful, fit: fresh(rightful), heard: only(crowd, heard) }
    }

    /// Those of one state, for each crowd.
    pub(super) fn of_all(
        state: &State,
        crowds: &[[Class; 3]; CROWDS],
        limits: &Limits,
    ) -> [Self; CROWDS] {
        std::array::from_fn(|crowd| Self::of(state, crowd, crowds[crowd], limits))
    }
}

const fn rank(source: Source) -> u8 {
    match source {
        Source::None => 0,
        Source::Inference => 1,
        Source::Pilot => 2,
        Source::Teleop => 3,
    }
}

/// The authority rule, in other words than the machine's.
fn rightful(state: &State, classes: [Class; 3], fresh: impl Fn(Source) -> bool) -> Source {
    let [teleop, inference, pilot] = classes;
    let gives_up = match state.owner {
        Source::None => false,
        Source::Teleop => teleop == Class::Good,
        Source::Inference => inference == Class::Good,
        Source::Pilot => pilot == Class::Good,
    };
    let kept = if gives_up { Source::None } else { state.owner };
    let best = if teleop == Class::GoodAsking {
        Source::Teleop
    } else if pilot == Class::GoodAsking {
        Source::Pilot
    } else if inference == Class::GoodAsking {
        Source::Inference
    } else {
        return kept;
    };
    let outranks = rank(best) > rank(kept);
    match state.mode {
        Mode::Disarmed if kept == Source::None || outranks || !fresh(kept) => best,
        Mode::Active if kept != Source::None && outranks && fresh(kept) => best,
        _ => kept,
    }
}
