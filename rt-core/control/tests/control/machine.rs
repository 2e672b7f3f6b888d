//! The transition table row by row, priorities, edges, and the authority rule, on the machine alone.

use Class::{Absent, Bad, Good, GoodAsking};
use Source::{Inference, Pilot, Teleop};
use rt_control::machine::{
    Count, Input, Level, Limits, Output, SelfTest, State, Timer, next_owner, step,
};
use rt_wire::{Class, Mode, Source};

const LIMITS: Limits = Limits { stale: [4, 5, 3], arming: 3, safe_stop: 6, late: 2 };
const QUIET: Input = Input {
    estop: false,
    reset: false,
    arm: false,
    disarm: false,
    fatal: false,
    degraded: false,
    late: false,
    self_test: SelfTest::Pending,
    classes: [Absent; 3],
    target: Level::NEUTRAL,
};

/// A state in which nothing is pressed and every source has just sent; the pilot owns where
/// somebody may.
fn at(mode: Mode) -> State {
    let owned = matches!(mode, Mode::Disarmed | Mode::Arming | Mode::Active);
    State {
        mode,
        reset_previous: false,
        arm_previous: false,
        owner: if owned { Pilot } else { Source::None },
        ages: [Count::from_raw(0); 3],
        level: Level::NEUTRAL,
        timer: Timer::from_raw(0),
        late: Count::from_raw(0),
    }
}

fn next(state: State, input: Input) -> State {
    step(state, input, &LIMITS).0
}

fn output(state: State, input: Input) -> Output {
    step(state, input, &LIMITS).1
}

fn heard(source: Source, class: Class) -> [Class; 3] {
    let mut classes = [Absent; 3];
    classes[source.index().unwrap()] = class;
    classes
}

fn stale(mut state: State) -> State {
    state.ages = LIMITS.stale.map(Count::from_raw);
    state
}

#[test]
fn every_row_of_the_transition_table() {
    use Mode::{Active, Arming, Boot, Disarmed, EStopLatched, Fault, SafeStop};
    let self_test = |result| Input { self_test: result, ..QUIET };
    let arm = Input { arm: true, ..QUIET };
    let reset = Input { reset: true, ..QUIET };
    let throttle = Input { target: Level::from_raw(2), ..QUIET };
    let released = Input { classes: heard(Pilot, Good), ..QUIET };
    let stops = [
        Input { disarm: true, ..QUIET },
        Input { degraded: true, ..QUIET },
        Input { late: true, ..QUIET },
    ];
    let late_once = |mode| State { late: Count::from_raw(1), ..at(mode) };
    let waiting = State { timer: Timer::from_raw(2), ..at(Arming) };
    let ramping = State { level: Level::from_raw(3), timer: Timer::from_raw(2), ..at(SafeStop) };

    let mut rows = vec![
        (at(Boot), QUIET, Mode::SelfTest),
        (at(Mode::SelfTest), QUIET, Mode::SelfTest),
        (at(Mode::SelfTest), self_test(SelfTest::Pass), Disarmed),
        (at(Mode::SelfTest), self_test(SelfTest::Fail), Fault),
        (at(Disarmed), QUIET, Disarmed),
        (at(Disarmed), self_test(SelfTest::Fail), Disarmed),
        (at(Disarmed), arm, Arming),
        (at(Disarmed), Input { arm: true, ..throttle }, Disarmed),
        (at(Disarmed), Input { arm: true, ..released }, Disarmed),
        (stale(at(Disarmed)), arm, Disarmed),
        (State { owner: Source::None, ..at(Disarmed) }, arm, Disarmed),
        (State { arm_previous: true, ..at(Disarmed) }, arm, Disarmed),
        (waiting, QUIET, Arming),
        (waiting, throttle, Disarmed),
        (waiting, released, Disarmed),
        (stale(waiting), QUIET, Disarmed),
        (at(Arming), QUIET, Active),
        (at(Active), QUIET, Active),
        (at(Active), throttle, Active),
        (at(Active), released, SafeStop),
        (stale(at(Active)), QUIET, SafeStop),
        (ramping, QUIET, SafeStop),
        (ramping, Input { arm: true, classes: heard(Pilot, GoodAsking), ..QUIET }, SafeStop),
        (State { level: Level::from_raw(0), ..ramping }, QUIET, Disarmed),
        (State { timer: Timer::from_raw(0), ..ramping }, QUIET, Disarmed),
        (at(EStopLatched), QUIET, EStopLatched),
        (at(EStopLatched), arm, EStopLatched),
        (at(EStopLatched), reset, Mode::SelfTest),
        (State { reset_previous: true, ..at(EStopLatched) }, reset, EStopLatched),
        (at(EStopLatched), Input { estop: true, ..reset }, EStopLatched),
        (at(EStopLatched), Input { fatal: true, ..reset }, Fault),
        (at(Fault), reset, Fault),
        (at(Fault), Input { estop: true, ..QUIET }, Fault),
        (at(Fault), self_test(SelfTest::Pass), Fault),
    ];
    for stop in stops {
        rows.push((late_once(Disarmed), Input { arm: true, ..stop }, Disarmed));
        rows.push((State { timer: Timer::from_raw(2), ..late_once(Arming) }, stop, Disarmed));
        rows.push((late_once(Active), stop, SafeStop));
    }
    for mode in Mode::ALL {
        rows.push((at(*mode), Input { fatal: true, ..QUIET }, Fault));
        if *mode != Fault {
            rows.push((at(*mode), Input { estop: true, ..QUIET }, EStopLatched));
        }
    }
    for (state, input, expected) in rows {
        assert_eq!(next(state, input).mode, expected, "{state:?} + {input:?}");
    }
}

#[test]
fn the_higher_of_two_events_wins() {
    let active = State { level: Level::from_raw(3), ..at(Mode::Active) };
    let all = Input { fatal: true, estop: true, disarm: true, degraded: true, ..QUIET };
    assert_eq!(next(active, all).mode, Mode::Fault);
    assert_eq!(next(active, Input { fatal: false, ..all }).mode, Mode::EStopLatched);
    let estop = Input { fatal: false, ..all };
    assert_eq!(next(active, estop).level, Level::from_raw(0), "an e-stop does not ramp");
    // A stop above a claim: the claim gains nothing.
    let disarm = Input { disarm: true, classes: heard(Teleop, GoodAsking), ..QUIET };
    assert_eq!(next(active, disarm).mode, Mode::SafeStop);
    assert_eq!(next(active, disarm).owner, Source::None);
    // Reset and e-stop in one cycle: the edge is spent, the latch stays.
    let both = Input { reset: true, estop: true, ..QUIET };
    let latched = next(at(Mode::EStopLatched), both);
    let held = next(latched, Input { reset: true, ..QUIET });
    assert_eq!((latched.mode, held.mode), (Mode::EStopLatched, Mode::EStopLatched));
    // Disarm above arm.
    let arm_and_disarm = Input { arm: true, disarm: true, ..QUIET };
    assert_eq!(next(at(Mode::Disarmed), arm_and_disarm).mode, Mode::Disarmed);
}

#[test]
fn buttons_stuck_from_power_up_never_fire() {
    let boot = State::boot(&LIMITS);
    assert!(boot.reset_previous && boot.arm_previous);
    let stuck = Input {
        reset: true,
        arm: true,
        self_test: SelfTest::Pass,
        classes: heard(Pilot, GoodAsking),
        ..QUIET
    };
    let mut state = boot;
    for _ in 0..20 {
        state = next(state, stuck);
        assert!(!state.mode.relay_allowed(), "{state:?}");
    }
    state = next(state, Input { estop: true, ..stuck });
    for _ in 0..20 {
        state = next(state, stuck);
        assert_eq!(state.mode, Mode::EStopLatched);
    }
}

#[test]
fn boot_knows_nobody_and_drives_nothing() {
    let boot = State::boot(&LIMITS);
    assert_eq!(boot.ages, LIMITS.stale.map(Count::from_raw));
    assert_eq!((boot.timer, boot.late), (Timer::from_raw(0), Count::from_raw(0)));
    assert_eq!((boot.owner, boot.level, boot.mode), (Source::None, Level::from_raw(0), Mode::Boot));
}

#[test]
fn arming_waits_its_whole_timer_with_the_relay_on() {
    let arm = Input { arm: true, classes: heard(Pilot, GoodAsking), ..QUIET };
    let mut state = next(at(Mode::Disarmed), arm);
    let mut cycles = 0;
    while state.mode == Mode::Arming && cycles < 99 {
        let waiting = step(state, Input { classes: heard(Pilot, GoodAsking), ..QUIET }, &LIMITS);
        assert!(waiting.1.relay && waiting.1.pump);
        state = waiting.0;
        cycles += 1;
    }
    assert_eq!((state.mode, cycles), (Mode::Active, LIMITS.arming + 1));
}

#[test]
fn a_timer_that_nothing_waits_for_is_stopped() {
    let running = |mode| State { timer: Timer::from_raw(2), ..at(mode) };
    let throttle = Input { target: Level::from_raw(2), ..QUIET };
    let estop = Input { estop: true, ..QUIET };
    for (state, input, mode) in [
        (running(Mode::Arming), throttle, Mode::Disarmed),
        (running(Mode::Arming), estop, Mode::EStopLatched),
        (running(Mode::SafeStop), QUIET, Mode::Disarmed),
        (running(Mode::SafeStop), estop, Mode::EStopLatched),
        (running(Mode::Active), QUIET, Mode::Active),
    ] {
        let after = next(state, input);
        assert_eq!((after.mode, after.timer), (mode, Timer::STOPPED), "from {}", state.mode);
    }
}

#[test]
fn output_moves_one_step_a_cycle_towards_its_target() {
    let mut state = at(Mode::Active);
    let mut levels = Vec::new();
    for target in [2, 2, 2, 0, 0, 0] {
        let input =
            Input { classes: heard(Pilot, GoodAsking), target: Level::from_raw(target), ..QUIET };
        state = next(state, input);
        levels.push(state.level.raw());
    }
    assert_eq!(levels, [1, 2, 2, 1, 0, 0]);
}

#[test]
fn stop_ramps_by_one_step_from_the_cycle_that_demands_it() {
    let active = State { level: Level::from_raw(4), ..at(Mode::Active) };
    let mut state = next(active, Input { disarm: true, ..QUIET });
    let mut trace = vec![(state.mode, state.level.raw())];
    while state.mode == Mode::SafeStop && trace.len() < 99 {
        assert!(output(state, QUIET).relay || state.level.raw() == 0);
        // What sources ask for does not matter any more.
        let asks =
            Input { classes: [GoodAsking; 3], target: Level::from_raw(9), arm: true, ..QUIET };
        state = next(state, asks);
        trace.push((state.mode, state.level.raw()));
    }
    let ramp = [3, 2, 1, 0].map(|level| (Mode::SafeStop, level));
    assert_eq!(trace, [ramp.as_slice(), &[(Mode::Disarmed, 0)]].concat());
}

#[test]
fn stop_ends_when_its_timer_is_out_however_fast_the_car_is() {
    let active = State { level: Level::from_raw(100), ..at(Mode::Active) };
    let mut state = next(active, Input { disarm: true, ..QUIET });
    let mut cycles = 0;
    while state.mode == Mode::SafeStop && cycles < 99 {
        state = next(state, QUIET);
        cycles += 1;
    }
    assert_eq!(
        (cycles, state.mode, state.level),
        (LIMITS.safe_stop + 1, Mode::Disarmed, Level::from_raw(0))
    );
}

#[test]
fn one_late_cycle_holds_the_output_and_the_second_stops() {
    let active = State { level: Level::from_raw(3), ..at(Mode::Active) };
    let late = Input { late: true, target: Level::from_raw(9), ..QUIET };
    let (held, told) = step(active, late, &LIMITS);
    assert_eq!((held.mode, held.level), (Mode::Active, Level::from_raw(3)));
    assert!(told.held_late && told.pump && !told.overload);
    let (stopped, told) = step(held, late, &LIMITS);
    assert_eq!((stopped.mode, stopped.level), (Mode::SafeStop, Level::from_raw(2)));
    assert!(told.overload && told.relay && !told.pump, "the pump rests in an overload");
    // A clean cycle between two late ones clears the count.
    let cleared = next(held, Input { classes: heard(Pilot, GoodAsking), ..QUIET });
    assert_eq!(cleared.late, Count::from_raw(0));
    assert_eq!(next(cleared, late).mode, Mode::Active);
}

#[test]
fn age_counts_cycles_without_a_good_command_and_holds_at_the_limit() {
    let mut state = at(Mode::Disarmed);
    let mut ages = Vec::new();
    for class in [Good, Absent, Bad, Absent, Absent, Absent, GoodAsking] {
        state = next(state, Input { classes: heard(Teleop, class), ..QUIET });
        ages.push(state.ages[0].raw());
    }
    assert_eq!(ages, [0, 1, 2, 3, 4, 4, 0]);
}

#[test]
fn owner_is_stale_exactly_at_its_limit() {
    for (owner, limit) in [(Teleop, 4), (Inference, 5), (Pilot, 3)] {
        let mut state = State { owner, ..at(Mode::Active) };
        for cycle in 1..=limit {
            assert_eq!(state.mode, Mode::Active, "{owner} in cycle {cycle}");
            let (after, told) = step(state, QUIET, &LIMITS);
            assert_eq!(told.owner_stale, cycle == limit);
            state = after;
        }
        assert_eq!(state.mode, Mode::SafeStop, "{owner}");
    }
}

/// Mode, owner before, what was heard, are ages at their limit, owner after.
type Claim = (Mode, Source, [Class; 3], bool, Source);

#[test]
fn authority_goes_to_whom_the_rule_names() {
    let none = Source::None;
    let both = [Absent, GoodAsking, GoodAsking];
    let claims: &[Claim] = &[
        // Nobody owns: the claim of the highest rank.
        (Mode::Disarmed, none, heard(Inference, GoodAsking), false, Inference),
        (Mode::Disarmed, none, both, false, Pilot),
        (Mode::Disarmed, none, [GoodAsking; 3], false, Teleop),
        (Mode::Disarmed, none, [Good; 3], false, none),
        (Mode::Disarmed, none, [Bad; 3], false, none),
        // Somebody owns: only a higher rank, or anybody if the owner is stale.
        (Mode::Disarmed, Pilot, heard(Inference, GoodAsking), false, Pilot),
        (Mode::Disarmed, Pilot, heard(Teleop, GoodAsking), false, Teleop),
        (Mode::Disarmed, Pilot, heard(Inference, GoodAsking), true, Inference),
        (Mode::Disarmed, Pilot, heard(Pilot, Bad), false, Pilot),
        // The owner gives up; in Disarmed the next claim follows at once.
        (Mode::Disarmed, Pilot, heard(Pilot, Good), false, none),
        (Mode::Disarmed, Pilot, [Absent, GoodAsking, Good], false, Inference),
        // Another's command that does not ask takes nothing away.
        (Mode::Active, Pilot, heard(Teleop, Good), false, Pilot),
        (Mode::Active, Pilot, heard(Teleop, GoodAsking), false, Teleop),
        (Mode::Active, Teleop, both, false, Teleop),
        (Mode::Active, Inference, heard(Pilot, GoodAsking), false, Pilot),
        // Stale or released in Active is a stop, never a change of hands.
        (Mode::Active, Pilot, heard(Teleop, GoodAsking), true, Pilot),
        (Mode::Active, Pilot, heard(Inference, GoodAsking), true, Pilot),
        (Mode::Active, Pilot, [GoodAsking, Absent, Good], false, none),
        // Gained in Disarmed and Active only; kept through Arming.
        (Mode::Arming, Pilot, heard(Teleop, GoodAsking), false, Pilot),
        (Mode::Arming, Pilot, heard(Pilot, Good), false, none),
        (Mode::Boot, none, [GoodAsking; 3], false, none),
        (Mode::SelfTest, none, [GoodAsking; 3], false, none),
        (Mode::SafeStop, none, [GoodAsking; 3], false, none),
        (Mode::EStopLatched, none, [GoodAsking; 3], false, none),
        (Mode::Fault, none, [GoodAsking; 3], false, none),
    ];
    for (mode, owner, classes, old, expected) in claims {
        let fresh = State { owner: *owner, ..at(*mode) };
        let state = if *old { stale(fresh) } else { fresh };
        let input = Input { classes: *classes, ..QUIET };
        assert_eq!(next_owner(&state, &input, &LIMITS), *expected, "{state:?} {classes:?}");
    }
}

#[test]
fn a_stop_takes_authority_away() {
    let stops = [
        (Input { disarm: true, ..QUIET }, Mode::SafeStop),
        (Input { estop: true, ..QUIET }, Mode::EStopLatched),
        (Input { fatal: true, ..QUIET }, Mode::Fault),
    ];
    for (input, mode) in stops {
        let after = next(at(Mode::Active), Input { classes: [GoodAsking; 3], ..input });
        assert_eq!((after.mode, after.owner), (mode, Source::None));
    }
}

#[test]
fn a_source_without_authority_changes_nothing() {
    // The owner is teleop and fresh: whatever the others send, the same follows.
    for mode in [Mode::Disarmed, Mode::Arming, Mode::Active] {
        let state = State { owner: Teleop, level: Level::from_raw(0), ..at(mode) };
        let input =
            Input { classes: heard(Teleop, GoodAsking), target: Level::from_raw(2), ..QUIET };
        let (alone, told) = step(state, input, &LIMITS);
        for other in [Absent, Bad, Good, GoodAsking] {
            let crowd = Input { classes: [GoodAsking, other, other], ..input };
            let (after, told_in_crowd) = step(state, crowd, &LIMITS);
            assert_eq!(
                (after.mode, after.level, after.owner, told_in_crowd),
                (alone.mode, alone.level, alone.owner, told),
                "{mode} {other}"
            );
        }
    }
}

#[test]
fn machine_does_nothing_with_its_numbers_but_what_their_types_allow() {
    // The argument from small limits to large ones rests on it; the compiler keeps the fields private.
    let machine = include_str!("../../src/machine.rs");
    for way_round in [".raw()", "::raw", "from_raw"] {
        assert!(!machine.contains(way_round), "machine.rs calls {way_round}");
    }
}
