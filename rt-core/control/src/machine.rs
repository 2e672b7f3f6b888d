//! The safety state machine: may the car move, and how much.
//!
//! Everything that decides whether the car may move is in [`step`]. It knows integers only, has no
//! memory but [`State`] and no input but [`Input`], so that it can be checked over every state and
//! input with small [`Limits`]; the argument from small limits to large ones rests on the numbers of
//! `machine/counters.rs`, which can only count by one and be compared with their limit. It must never
//! read a clock or a float. Source of the rules: rt-core/README.md, section "The state machine".
//!
//! ```text
//!  Boot → SelfTest → Disarmed ⇄ Arming → Active → SafeStop → Disarmed
//!            ↑           any: e-stop → EStopLatched (reset edge → SelfTest)
//!            └────────── any: fatal → Fault (for ever)
//! ```
//!
//! Shown by: `tests/control/machine.rs`, and over every state and input by `tests::machine_check`.

mod counters;

pub use counters::{Count, Level, Timer};
use rt_wire::{Class, Mode, SOURCES, Source};

/// Result of the self-test in this cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelfTest {
    /// Not known yet.
    Pending,
    /// Every check passed.
    Pass,
    /// A check failed.
    Fail,
}

/// The limits of the machine; small ones in the exhaustive check, a robot's in the loop.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Cycles after which a source's last good command is stale, in the order of [`SOURCES`].
    pub stale: [u32; SOURCES.len()],
    /// Cycles in Arming.
    pub arming: u32,
    /// Cycles in SafeStop at most.
    pub safe_stop: u32,
    /// Late events in a row that are an overload.
    pub late: u32,
}

/// The machine's whole memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Mode.
    pub mode: Mode,
    /// Reset level of the cycle before; starts as pressed, so that a stuck button never fires.
    pub reset_previous: bool,
    /// Arm level of the cycle before; starts as pressed.
    pub arm_previous: bool,
    /// Who owns authority.
    pub owner: Source,
    /// Cycles since each source's last good command, held at its limit.
    pub ages: [Count; SOURCES.len()],
    /// Throttle magnitude.
    pub level: Level,
    /// Cycles left in Arming or SafeStop.
    pub timer: Timer,
    /// Late events in a row, held at the limit.
    pub late: Count,
}

impl State {
    /// The state at power-up: nothing is fresh, no button counts as released.
    #[must_use]
    pub fn boot(limits: &Limits) -> Self {
        Self {
            mode: Mode::Boot,
            reset_previous: true,
            arm_previous: true,
            owner: Source::None,
            ages: limits.stale.map(Count::full),
            level: Level::NEUTRAL,
            timer: Timer::STOPPED,
            late: Count::ZERO,
        }
    }
}

/// What one cycle brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Input {
    /// E-stop line open, software e-stop, or a monitor that demands one.
    pub estop: bool,
    /// Reset level.
    pub reset: bool,
    /// Arm level.
    pub arm: bool,
    /// Disarm level.
    pub disarm: bool,
    /// A fatal fault.
    pub fatal: bool,
    /// A condition under which the car may not drive.
    pub degraded: bool,
    /// This cycle was a late event.
    pub late: bool,
    /// Result of the self-test.
    pub self_test: SelfTest,
    /// What became of each source's command, in the order of [`SOURCES`].
    pub classes: [Class; SOURCES.len()],
    /// What the owner of [`next_owner`] asks for.
    pub target: Level,
}

/// What the cycle leads to, beside the new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Output {
    /// Motor relay.
    pub relay: bool,
    /// The heartbeat pin toggles in this cycle.
    pub pump: bool,
    /// The late-event ladder has tripped.
    pub overload: bool,
    /// The owner's last good command is too old.
    pub owner_stale: bool,
    /// Nobody owns authority where somebody must.
    pub owner_none: bool,
    /// The output was held because the cycle was late.
    pub held_late: bool,
}

fn aged(age: Count, class: Class, limit: u32) -> Count {
    match class {
        Class::Good | Class::GoodAsking => Count::ZERO,
        Class::Absent | Class::Bad => age.up_to(limit),
    }
}

pub(crate) fn class_of(input: &Input, source: Source) -> Class {
    source.index().and_then(|index| input.classes.get(index)).copied().unwrap_or(Class::Absent)
}

fn is_fresh(state: &State, input: &Input, limits: &Limits, source: Source) -> bool {
    let mut ages = state.ages.iter().zip(&input.classes).zip(&limits.stale).zip(SOURCES);
    ages.any(|(((age, class), limit), candidate)| {
        candidate == source && aged(*age, *class, *limit).below(*limit)
    })
}

/// The authority rule: who owns after this cycle, before any change of mode takes it away.
///
/// A claim is a good command that asks for authority. It owns if nobody does, if it ranks above the
/// owner, or, in Disarmed, if the owner is stale. The owner's own good command that does not ask
/// gives authority up. Authority is gained in Disarmed and Active only, and a stale owner in Active
/// is never replaced: that is a stop.
#[must_use]
pub fn next_owner(state: &State, input: &Input, limits: &Limits) -> Source {
    let held = match class_of(input, state.owner) {
        Class::Good => Source::None,
        Class::Absent | Class::Bad | Class::GoodAsking => state.owner,
    };
    let owner_fresh = is_fresh(state, input, limits, held);
    let may_gain = match state.mode {
        Mode::Disarmed => true,
        // Staleness and release stand above a change of authority.
        Mode::Active => owner_fresh,
        Mode::Boot
        | Mode::SelfTest
        | Mode::Arming
        | Mode::SafeStop
        | Mode::EStopLatched
        | Mode::Fault => false,
    };
    if !may_gain {
        return held;
    }
    // Whoever claims competes by its rank, with the owner as long as that is fresh.
    SOURCES
        .into_iter()
        .filter(|source| {
            class_of(input, *source) == Class::GoodAsking || (owner_fresh && *source == held)
        })
        .max_by_key(|source| source.rank())
        .unwrap_or(held)
}

/// One cycle of the machine: total, pure, integers only.
#[must_use]
pub fn step(state: State, input: Input, limits: &Limits) -> (State, Output) {
    let reset_edge = input.reset && !state.reset_previous;
    let arm_edge = input.arm && !state.arm_previous;
    let late = if input.late { state.late.up_to(limits.late) } else { Count::ZERO };
    let overload = !late.below(limits.late);
    let owner = next_owner(&state, &input, limits);
    let owner_none = owner == Source::None;
    let owner_stale = !owner_none && !is_fresh(&state, &input, limits, owner);
    let stop = input.disarm || input.degraded || overload;

    let mut next = State {
        reset_previous: input.reset,
        arm_previous: input.arm,
        owner,
        late,
        level: Level::NEUTRAL,
        timer: Timer::STOPPED,
        ..state
    };
    for (((age, before), class), limit) in
        next.ages.iter_mut().zip(&state.ages).zip(&input.classes).zip(&limits.stale)
    {
        *age = aged(*before, *class, *limit);
    }
    let mut held_late = false;

    next.mode = if input.fatal {
        Mode::Fault
    } else if input.estop && state.mode != Mode::Fault {
        Mode::EStopLatched
    } else {
        match state.mode {
            Mode::Boot => Mode::SelfTest,
            Mode::SelfTest => match input.self_test {
                SelfTest::Pending => Mode::SelfTest,
                SelfTest::Pass => Mode::Disarmed,
                SelfTest::Fail => Mode::Fault,
            },
            Mode::Disarmed => {
                let ready = !owner_none && !owner_stale && input.target.is_neutral();
                if arm_edge && !stop && ready {
                    next.timer = Timer::started(limits.arming);
                    Mode::Arming
                } else {
                    Mode::Disarmed
                }
            }
            Mode::Arming => {
                if stop || owner_none || owner_stale || !input.target.is_neutral() {
                    Mode::Disarmed
                } else if state.timer.is_out() {
                    Mode::Active
                } else {
                    next.timer = state.timer.down();
                    Mode::Arming
                }
            }
            Mode::Active => {
                if stop || owner_none || owner_stale {
                    // The ramp begins in the very cycle that demands it.
                    next.level = state.level.down();
                    next.timer = Timer::started(limits.safe_stop);
                    Mode::SafeStop
                } else {
                    // A single late event holds the output: what was asked is already old.
                    held_late = input.late;
                    next.level =
                        if held_late { state.level } else { state.level.towards(input.target) };
                    Mode::Active
                }
            }
            Mode::SafeStop => {
                if state.level.is_neutral() || state.timer.is_out() {
                    Mode::Disarmed
                } else {
                    next.level = state.level.down();
                    next.timer = state.timer.down();
                    Mode::SafeStop
                }
            }
            Mode::EStopLatched => {
                if reset_edge {
                    Mode::SelfTest
                } else {
                    Mode::EStopLatched
                }
            }
            Mode::Fault => Mode::Fault,
        }
    };
    if !matches!(next.mode, Mode::Disarmed | Mode::Arming | Mode::Active) {
        next.owner = Source::None;
    }
    let relay = next.mode.relay_allowed();
    let output =
        Output { relay, pump: relay && !overload, overload, owner_stale, owner_none, held_late };
    (next, output)
}
