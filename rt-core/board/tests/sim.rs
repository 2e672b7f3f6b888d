//! The sim board: pulses and heartbeat edges come out, observations come in, silence is a fault.

use rt_board::{Board, SimBoard};
use rt_ring::sync::AtomicU64;
use rt_ring::{Identity, Newest, SlotReader, SlotWriter, slot_words};
use rt_wire::{
    LineSet, Microseconds, MonoNs, Observation, PulseFlags, PulseFrame, Raw, Record, SimPins,
    Validity, topics,
};

fn memory<T: Record>() -> (&'static [AtomicU64], SlotWriter<'static, T>) {
    let words: Vec<AtomicU64> = (0..slot_words::<T>()).map(|_| AtomicU64::new(0)).collect();
    let words: &'static [AtomicU64] = words.leak();
    let identity = Identity { layout_hash: T::LAYOUT_HASH, generation: 1 };
    (words, SlotWriter::create(words, identity).expect("the memory is large enough"))
}

fn board() -> (SimBoard, SlotReader<'static, SimPins>) {
    let (words, pins) = memory::<SimPins>();
    let neutral = (Microseconds(1500), Microseconds(1490));
    let opened = SimBoard::open(pins, neutral);
    (opened.board, SlotReader::attach(words, SimPins::LAYOUT_HASH).expect("the same slot"))
}

fn pins(reader: &mut SlotReader<'static, SimPins>) -> SimPins {
    match reader.read() {
        Newest::New { record, .. } => record,
        other => panic!("the board drove nothing: {other:?}"),
    }
}

#[test]
fn heartbeat_pin_toggles_only_where_the_frame_says_so() {
    let (mut board, mut reader) = board();
    let frame = |pump| PulseFrame {
        steering: Microseconds(1600),
        throttle: Microseconds(1550),
        flags: PulseFlags::RELAY.with(PulseFlags::PUMP, pump),
    };
    let mut edges = 0;
    for (cycle, pump) in [true, true, false, true, false].into_iter().enumerate() {
        board.drive(cycle as u64, MonoNs(cycle as u64), &frame(pump)).expect("slots never refuse");
        edges += u64::from(pump);
        let shown = pins(&mut reader);
        assert_eq!(shown.heartbeat_edges, edges);
        assert_eq!(u64::from(shown.heartbeat_level), edges % 2);
        assert_eq!(shown.pulses, frame(pump));
    }
}

#[test]
fn safe_drives_neutral_without_relay_and_without_an_edge() {
    let (mut board, mut reader) = board();
    let full = PulseFrame {
        steering: Microseconds(1900),
        throttle: Microseconds(1900),
        flags: PulseFlags::RELAY | PulseFlags::PUMP,
    };
    board.drive(1, MonoNs(1), &full).expect("slots never refuse");
    let before = pins(&mut reader).heartbeat_edges;
    board.safe(MonoNs(2)).expect("slots never refuse");
    let after = pins(&mut reader);
    assert_eq!(after.heartbeat_edges, before);
    assert_eq!(after.pulses.steering, Microseconds(1500));
    assert_eq!(after.pulses.throttle, Microseconds(1490));
    assert_eq!(after.pulses.flags, PulseFlags::EMPTY);
}

#[test]
fn lines_are_absent_before_the_plant_speaks_and_failed_when_it_falls_silent() {
    let (mut board, _pins) = board();
    let mut seen = Observation::default();
    board.read(MonoNs(1), &mut seen);
    assert_eq!(seen.lines.validity.get(), Some(Validity::Absent));

    let (words, mut plant) = memory::<Observation>();
    board.attached(&topics::SIM_OBSERVATION, words);
    let mut told = Observation::default();
    told.lines.validity = Raw::new(Validity::Valid);
    told.lines.set = LineSet::RESET_PRESSED;
    plant.write(&told);
    let heard_at = 1_000_000_000;
    board.read(MonoNs(heard_at), &mut seen);
    assert_eq!(seen.lines, told.lines);
    board.read(MonoNs(heard_at + 250_000_000), &mut seen);
    assert_eq!(seen.lines.validity.get(), Some(Validity::Valid));
    board.read(MonoNs(heard_at + 250_000_001), &mut seen);
    assert_eq!(seen.lines.validity.get(), Some(Validity::Failed));
}

#[test]
fn what_the_plant_says_of_drive_errors_counts_for_nothing() {
    let (mut board, _pins) = board();
    let (words, mut plant) = memory::<Observation>();
    board.attached(&topics::SIM_OBSERVATION, words);
    plant.write(&Observation { drive_error_count: 9, ..Observation::default() });
    let mut seen = Observation { drive_error_count: 1, ..Observation::default() };
    board.read(MonoNs(5), &mut seen);
    assert_eq!(seen.drive_error_count, 1);
}
