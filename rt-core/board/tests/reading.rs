//! Readings between a bus task and the board: newest only, each with its own time, never older than
//! it may be.

use rt_board::{Reading as _, ReadingReader, ReadingWriter, process_slot, reading_slot};
use rt_ring::Newest;
use rt_wire::{Battery, Microseconds, MonoNs, PulseFrame, Raw, Validity};

const STALE_AFTER_NS: u64 = 300;

fn slot() -> (ReadingWriter<Battery>, ReadingReader<Battery>) {
    reading_slot(STALE_AFTER_NS)
}

fn volts(mono_ns: u64, volts: f32) -> Battery {
    Battery { mono_ns: MonoNs(mono_ns), volts, validity: Raw::new(Validity::Valid) }
}

#[test]
fn sensor_is_absent_until_its_task_has_spoken() {
    let (mut task, mut board) = slot();
    assert_eq!(board.at(MonoNs(1_000_000)).validity.get(), Some(Validity::Absent));
    task.tell(&volts(1_000_000, 7.4));
    assert_eq!(board.at(MonoNs(1_000_001)), volts(1_000_000, 7.4));
}

#[test]
fn board_sees_the_newest_reading_with_the_time_at_which_it_was_taken() {
    let (mut task, mut board) = slot();
    task.tell(&volts(1000, 7.4));
    task.tell(&volts(1100, 7.3));
    assert_eq!(board.at(MonoNs(1150)), volts(1100, 7.3));
    assert_eq!(board.at(MonoNs(1200)), volts(1100, 7.3), "the last one stands");
    // The task may stamp it after the loop has taken its own time.
    task.tell(&volts(1300, 7.2));
    assert_eq!(board.at(MonoNs(1250)), volts(1300, 7.2));
}

#[test]
fn reading_of_a_silent_task_fails_once_it_is_too_old_and_keeps_its_value_and_time() {
    let (mut task, mut board) = slot();
    task.tell(&volts(1000, 7.4));
    assert_eq!(board.at(MonoNs(1000 + STALE_AFTER_NS)), volts(1000, 7.4));
    let stale = volts(1000, 7.4).with_validity(Validity::Failed);
    assert_eq!(board.at(MonoNs(1001 + STALE_AFTER_NS)), stale);
    assert_eq!(board.at(MonoNs(u64::MAX)), stale);
    task.tell(&volts(2000, 7.1));
    assert_eq!(board.at(MonoNs(2001)), volts(2000, 7.1), "it speaks again");
}

#[test]
fn reading_from_far_ahead_is_not_fresh_until_then() {
    let (mut task, mut board) = slot();
    task.tell(&volts(9000, 7.4));
    assert_eq!(board.at(MonoNs(1000)).validity.get(), Some(Validity::Failed));
}

#[test]
fn failed_sensor_keeps_its_last_value_and_the_time_of_that() {
    let (mut task, mut board) = slot();
    task.fail();
    assert_eq!(board.at(MonoNs(10)).validity.get(), Some(Validity::Failed), "it never answered");
    task.tell(&volts(1000, 7.4));
    task.fail();
    task.fail();
    assert_eq!(board.at(MonoNs(1001)), volts(1000, 7.4).with_validity(Validity::Failed));
    task.tell(&volts(1200, 7.3));
    assert_eq!(board.at(MonoNs(1201)), volts(1200, 7.3), "it answers again");
}

#[test]
fn slot_carries_the_newest_pulses_the_other_way() {
    let (mut board, mut task) = process_slot::<PulseFrame>();
    assert_eq!(task.read(), Newest::Never);
    let frame = |us| PulseFrame { steering: Microseconds(us), ..PulseFrame::default() };
    board.write(&frame(1500));
    board.write(&frame(1600));
    assert_eq!(task.read(), Newest::New { sequence: 2, record: frame(1600) });
    assert_eq!(task.read(), Newest::Unchanged);
}
