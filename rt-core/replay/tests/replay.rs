//! What replay must never do: miss a bit, or call a recording with a hole in it identical.

use rt_config::Robot;
use rt_control::Kernel;
use rt_replay::{Answer, AtKeyframe, Replay, Tally, Tape, Why};
use rt_wire::{
    Arrival, Command, CommandFlags, Field, HousekeepingFlags, KernelState, Limits, Mode, MonoNs,
    OperatorKind, Outcome, Raw, Record, Telemetry, Validity,
};

const PERIOD_NS: u64 = 1_000_000;
const PILOT: usize = 2;
const BUILD: u64 = 0xb01d;

/// A cycle and the kernel's memory after it.
type Recorded = (Telemetry, KernelState);

fn limits() -> Limits {
    let robot = Robot::resolve("sim-donkey").expect("a built-in robot");
    robot.edited(|file| file.limits.arming_ms = 100).expect("valid").limits()
}

/// The command that a pilot sends at a cycle: it swerves, and is silent from 900 on.
fn command(cycle: u64, now: MonoNs) -> Option<Command> {
    let speaks = cycle.is_multiple_of(20) && cycle < 900;
    let throttle = if cycle < 200 { 0.0 } else { 0.5 };
    let steering = ((cycle % 400) as f32 - 200.0) / 200.0;
    let mut command = Command::plain(cycle + 1, now, now.plus(80 * PERIOD_NS), steering, throttle);
    command.flags = CommandFlags::ASKS_AUTHORITY;
    speaks.then_some(command)
}

/// A drive: self-test, arming at 60, Active, a late cycle that skips two releases, and a stop when
/// the pilot falls silent.
fn drive() -> (Limits, Vec<Recorded>) {
    let limits = limits();
    let mut kernel = Kernel::new(&limits, BUILD);
    let mut record = Telemetry::default();
    let mut tape = Vec::new();
    let mut index = 0;
    while index < 1500 {
        let missed = if index == 500 { 2 } else { 0 };
        index += u64::from(missed);
        let due = MonoNs(5_000_000_000 + index * PERIOD_NS);
        let previous_woke_at = record.release.woke_at;
        record.release.cycle_index = index;
        record.release.release_time = due;
        record.release.woke_at = due.plus(30_000);
        record.release.previous_woke_at = previous_woke_at;
        record.release.previous_finished_at = previous_woke_at.plus(100_000);
        record.release.missed_releases = missed;
        record.observation.lines.validity = Raw::new(Validity::Valid);
        record.observation.wheel.speed_m_per_s = index as f32 * 0.001;
        let inbox = &mut record.inbox;
        inbox.housekeeping.flags = HousekeepingFlags::SEALED;
        inbox.commands[PILOT].arrival = Raw::new(Arrival::Absent);
        if let Some(command) = command(index, due) {
            inbox.commands[PILOT].arrival = Raw::new(Arrival::New);
            inbox.commands[PILOT].command = command;
            inbox.commands[PILOT].generation = 1;
            inbox.heartbeats[PILOT].sequence += 1;
        }
        if index == 60 {
            inbox.operator.sequence += 1;
            inbox.operator.mono_ns = due;
            inbox.operator.kind = Raw::new(OperatorKind::Arm);
        }
        record.outcome = kernel.step(&record.release, &record.observation, &record.inbox);
        record.sequence += 1;
        record.cycle_index = index;
        record.mono_ns = record.release.woke_at;
        tape.push((record, *kernel.state()));
        index += 1;
    }
    let modes = |mode: Mode| tape.iter().any(|(record, _)| record.outcome.mode == Raw::new(mode));
    assert!(modes(Mode::Active) && modes(Mode::SafeStop), "a drive and its stop");
    (limits, tape)
}

/// Replays `records` after the keyframe of `from`.
fn replay(limits: &Limits, from: &KernelState, records: &[Recorded]) -> Vec<Answer> {
    let mut replay = Replay::from_keyframe(limits, from).expect("the same limits");
    let mut answers = Vec::new();
    for (record, state) in records {
        answers.push(replay.cycle(record));
        answers.push(replay.keyframe(state));
    }
    answers
}

/// The record with one bit of one byte turned over.
fn flipped<T: Record>(record: &T, byte: usize, bit: usize) -> T {
    let mut bytes = record.as_bytes().to_vec();
    bytes[byte] ^= 1 << bit;
    T::read_from_bytes(&bytes).expect("any bytes are a record")
}

/// Path of the scalar over a byte, by a walk of our own.
fn path_of(root: &str, fields: &[Field], byte: usize) -> String {
    let field = fields.iter().rfind(|field| field.offset <= byte).expect("no byte without a field");
    let element = field.size / field.count;
    let (index, inside) = ((byte - field.offset) / element, (byte - field.offset) % element);
    let mut path = format!("{root}.{}", field.name);
    if field.count > 1 {
        path.push_str(&format!("[{index}]"));
    }
    if field.fields.is_empty() { path } else { path_of(&path, field.fields, inside) }
}

#[test]
fn a_recorded_drive_is_identical_from_any_keyframe() {
    let (limits, tape) = drive();
    for from in (0..tape.len() - 1).step_by(173) {
        let answers = replay(&limits, &tape[from].1, &tape[from + 1..]);
        assert_eq!(answers.iter().position(|answer| *answer != Answer::Identical), None);
    }
}

#[test]
fn any_changed_bit_of_an_outcome_is_found_and_its_field_named() {
    let (limits, tape) = drive();
    let at = 700;
    for byte in 0..size_of::<Outcome>() {
        let mut changed = tape[at].0;
        changed.outcome = flipped(&changed.outcome, byte, byte % 8);
        let mut replay = Replay::from_keyframe(&limits, &tape[at - 1].1).expect("same limits");
        let Answer::Different(found) = replay.cycle(&changed) else {
            panic!("byte {byte} of the outcome is not looked at");
        };
        assert_eq!(found.field.to_string(), path_of("outcome", Outcome::FIELDS, byte));
        assert_eq!((found.cycle_index, found.more), (changed.cycle_index, 0));
        assert_ne!(found.recorded, found.replayed);
    }
}

#[test]
fn any_changed_bit_of_a_keyframe_is_found_or_makes_it_another_states() {
    let (limits, tape) = drive();
    let at = 700;
    let mut replay = Replay::from_keyframe(&limits, &tape[at - 1].1).expect("same limits");
    assert_eq!(replay.cycle(&tape[at].0), Answer::Identical);
    for byte in 0..size_of::<KernelState>() {
        let changed = flipped(&tape[at].1, byte, byte % 8);
        let path = path_of("keyframe", KernelState::FIELDS, byte);
        match replay.keyframe(&changed) {
            Answer::Identical => panic!("byte {byte} ({path}) is not looked at"),
            Answer::Different(found) => assert_eq!(found.field.to_string(), path),
            Answer::NotComparable(_) => assert!(
                ["keyframe.config_hash", "keyframe.build_id", "keyframe.cycle_index"]
                    .contains(&path.as_str()),
                "{path}"
            ),
        }
    }
}

#[test]
fn a_record_that_does_not_say_what_its_release_says_is_different() {
    let (limits, tape) = drive();
    let at = 700;
    let mut begun = Replay::from_keyframe(&limits, &tape[at - 2].1).expect("same limits");
    begun.cycle(&tape[at - 1].0);
    for (changed, named) in [
        (Telemetry { cycle_index: 1, ..tape[at].0 }, "telemetry.cycle_index"),
        (Telemetry { mono_ns: MonoNs(1), ..tape[at].0 }, "telemetry.mono_ns"),
        (
            Telemetry {
                release: rt_wire::Release { previous_woke_at: MonoNs(1), ..tape[at].0.release },
                ..tape[at].0
            },
            "release.previous_woke_at",
        ),
    ] {
        match begun.clone().cycle(&changed) {
            Answer::Different(found) => assert_eq!(found.field.to_string(), named),
            other => panic!("{named}: {other:?}"),
        }
    }
}

#[test]
fn a_changed_input_shows_as_a_changed_outcome() {
    let (limits, tape) = drive();
    let at = 700;
    let mut changed = tape[at].0;
    changed.inbox.estop.sequence += 1;
    let mut replay = Replay::from_keyframe(&limits, &tape[at - 1].1).expect("same limits");
    let Answer::Different(found) = replay.cycle(&changed) else { panic!("an e-stop unnoticed") };
    assert_eq!(found.field.to_string(), "outcome.mode");
    assert_eq!(
        (found.recorded.to_string(), found.replayed.to_string()),
        ("Active".to_owned(), "EStopLatched".to_owned())
    );
    assert!(found.more > 3, "causes, level, pulses too: {found:?}");
}

#[test]
fn values_are_told_in_words() {
    let (limits, tape) = drive();
    let record = tape[700].0;
    let words = |changed: Outcome| {
        let mut replay = Replay::from_keyframe(&limits, &tape[699].1).expect("same limits");
        match replay.cycle(&Telemetry { outcome: changed, ..record }) {
            Answer::Different(found) => format!("{} {}", found.field, found.recorded),
            other => panic!("{other:?}"),
        }
    };
    let outcome = record.outcome;
    let mut changed = outcome;
    changed.pulses.throttle.0 = 1234;
    assert_eq!(words(changed), "outcome.pulses.throttle 1234 µs");
    changed = outcome;
    changed.classes[1] = Raw::from_bits(77);
    assert_eq!(words(changed), "outcome.classes[1] Class 77 (means nothing)");
    changed = outcome;
    changed.causes =
        rt_wire::FaultSet::of(rt_wire::Fault::OwnerStale).and(rt_wire::Fault::BatteryLow, true);
    assert_eq!(words(changed), "outcome.causes OwnerStale + BatteryLow");
    changed = outcome;
    changed.pulses.flags = rt_wire::PulseFlags(1 << 1 | 1 << 31);
    assert_eq!(words(changed), "outcome.pulses.flags PUMP + bit 31");
    changed = outcome;
    changed.asked.throttle = -0.0;
    assert_eq!(words(changed), "outcome.asked.throttle -0 (0x80000000)");
}

#[test]
fn a_missing_record_is_not_comparable_and_nothing_is_until_the_next_keyframe() {
    let (limits, tape) = drive();
    let mut whole = Tape::new(&limits);
    whole.keyframe(&tape[99].1);
    let mut answers = Vec::new();
    for (record, state) in tape[100..1000].iter().filter(|(record, _)| record.sequence != 301) {
        answers.push(whole.cycle(record));
        if record.sequence == 401 {
            assert_eq!(whole.keyframe(state), AtKeyframe::Begins);
        }
    }
    let gap = Why::Gap { expected_sequence: 301, found_sequence: 302 };
    assert_eq!(answers[200], Answer::NotComparable(gap));
    assert_eq!(answers[201], Answer::NotComparable(Why::AfterGap));
    let expected = Tally {
        identical: 200 + 599,
        not_comparable: 100,
        missing: 1,
        gaps: 1,
        keyframes_begun: 2,
        ..Tally::default()
    };
    assert_eq!(*whole.tally(), expected);
}

#[test]
fn a_replay_does_not_step_over_a_missing_record() {
    let (limits, tape) = drive();
    let mut replay = Replay::from_keyframe(&limits, &tape[99].1).expect("same limits");
    let unconnected = Why::Unconnected { after_cycle: 99, cycle_index: 101 };
    assert_eq!(replay.cycle(&tape[101].0), Answer::NotComparable(unconnected));
    assert_eq!(replay.cycle(&tape[100].0), Answer::Identical);
    let gap = Why::Gap { expected_sequence: 102, found_sequence: 103 };
    assert_eq!(replay.cycle(&tape[102].0), Answer::NotComparable(gap));
    // Nothing was run: the one that is due still follows.
    assert_eq!(replay.cycle(&tape[101].0), Answer::Identical);
}

#[test]
fn a_gap_that_ends_at_a_keyframe_is_still_a_gap() {
    let (limits, tape) = drive();
    let mut whole = Tape::new(&limits);
    whole.keyframe(&tape[99].1);
    for (record, _) in &tape[100..300] {
        whole.cycle(record);
    }
    whole.keyframe(&tape[399].1);
    for (record, _) in &tape[400..500] {
        assert_eq!(whole.cycle(record), Answer::Identical);
    }
    let expected =
        Tally { identical: 300, missing: 100, gaps: 1, keyframes_begun: 2, ..Tally::default() };
    assert_eq!(*whole.tally(), expected);
}

#[test]
fn records_before_the_first_keyframe_are_counted_apart() {
    let (limits, tape) = drive();
    let mut whole = Tape::new(&limits);
    // One from long before, which the first record does not follow on.
    whole.keyframe(&tape[10].1);
    for (record, state) in &tape[50..80] {
        whole.cycle(record);
        if record.sequence == 61 {
            whole.keyframe(state);
        }
    }
    // The last keyframe of a recording may be of a cycle whose record is not in it.
    whole.keyframe(&tape[90].1);
    let expected = Tally { identical: 19, not_covered: 11, keyframes_begun: 3, ..Tally::default() };
    assert_eq!(*whole.tally(), expected);
}

#[test]
fn another_loops_keyframe_in_the_middle_is_a_gap_and_a_new_beginning() {
    let (limits, tape) = drive();
    let mut whole = Tape::new(&limits);
    whole.keyframe(&tape[99].1);
    whole.cycle(&tape[100].0);
    let others = KernelState { build_id: 1, ..tape[100].1 };
    whole.keyframe(&others);
    whole.cycle(&tape[101].0);
    assert_eq!((whole.tally().identical, whole.tally().gaps), (2, 1));
    let edited = KernelState { config_hash: 1, ..tape[101].1 };
    let other_config = matches!(
        whole.keyframe(&edited),
        AtKeyframe::Held(Answer::NotComparable(Why::OtherConfig { .. }))
    );
    assert!(other_config);
    assert!(matches!(whole.cycle(&tape[102].0), Answer::NotComparable(_)));
    assert_eq!((whole.tally().not_comparable, whole.tally().gaps), (1, 2));
    assert_eq!((whole.tally().keyframes_begun, whole.tally().keyframes_not_comparable), (2, 1));
}

#[test]
fn a_keyframe_is_identical_only_where_it_was_compared_with_a_state_that_was_reached() {
    let (limits, tape) = drive();
    let mut whole = Tape::new(&limits);
    assert_eq!(whole.keyframe(&tape[99].1), AtKeyframe::Begins);
    assert_eq!(whole.keyframe(&tape[100].1), AtKeyframe::Begins, "no cycle leads to it");
    whole.cycle(&tape[101].0);
    assert_eq!(whole.keyframe(&tape[101].1), AtKeyframe::Held(Answer::Identical));
    let changed = KernelState { steering_micro: 1, ..tape[101].1 };
    let AtKeyframe::Held(Answer::Different(found)) = whole.keyframe(&changed) else {
        panic!("a changed keyframe unnoticed")
    };
    assert_eq!(found.field.to_string(), "keyframe.steering_micro");
    assert_eq!(whole.keyframe(&tape[300].1), AtKeyframe::Begins, "something is missing before it");
    let expected = Tally {
        identical: 1,
        keyframes_identical: 1,
        keyframes_different: 1,
        keyframes_begun: 3,
        ..Tally::default()
    };
    assert_eq!(*whole.tally(), expected);
}
