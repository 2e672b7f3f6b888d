//! Real threads at full speed: what loom checks for a few steps, for many.

#![cfg(not(loom))]

mod support;

use std::thread;

use rt_ring::sync::{AtomicBool, AtomicU64, Ordering};
use rt_ring::{
    Newest, Read, RingReader, RingWriter, SlotReader, SlotWriter, ring_words, slot_words,
};
use support::{IDENTITY, LAYOUT, memory, numbered};

/// 256 bytes, as a telemetry record has.
type Words = [u64; 32];

const WRITES: u64 = if cfg!(miri) { 60 } else { 20_000 };

fn read_all(mem: &[AtomicU64], reader: &mut RingReader<'_, Words>) {
    assert_eq!(mem.len(), ring_words::<Words>(8));
    let (mut read, mut lost) = (0, 0);
    while read + lost < WRITES {
        match reader.read() {
            Read::Record { sequence, record } => {
                read += 1;
                assert_eq!(sequence, read + lost, "each record in its place");
                assert_eq!(record, numbered(sequence), "record {sequence} is torn");
            }
            Read::Lapped { lost: skipped } => lost += skipped,
            Read::Empty => thread::yield_now(),
            Read::Corrupt => panic!("corrupt after {read} read and {lost} lost"),
        }
    }
    assert_eq!((read + lost, reader.lost()), (WRITES, lost));
    assert_eq!(reader.read(), Read::Empty);
}

#[test]
fn each_reader_of_a_ring_accounts_for_every_record() {
    let mem = memory(ring_words::<Words>(8));
    let mut writer = RingWriter::<Words>::create(&mem, 8, IDENTITY).unwrap();
    let mut readers = [(); 2].map(|()| RingReader::<Words>::attach(&mem, LAYOUT).unwrap());
    thread::scope(|scope| {
        for reader in &mut readers {
            scope.spawn(|| read_all(&mem, reader));
        }
        for number in 1..=WRITES {
            writer.publish(&numbered(number));
            if number % 16 == 0 {
                thread::yield_now(); // On one core the readers get a turn, too.
            }
        }
    });
}

#[test]
fn reader_of_a_slot_sees_whole_records_that_move_forward() {
    let mem = memory(slot_words::<Words>());
    let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
    let is_written = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = 0;
            while last < WRITES {
                let was_written = is_written.load(Ordering::Acquire);
                match reader.read() {
                    Newest::New { sequence, record } => {
                        assert!(sequence > last, "{sequence} after {last}");
                        assert_eq!(record, numbered(sequence), "record {sequence} is torn");
                        last = sequence;
                    }
                    Newest::Corrupt => panic!("corrupt after {last}"),
                    Newest::Unchanged | Newest::Torn | Newest::Never => {
                        assert!(!was_written, "the last record is whole and new");
                        thread::yield_now();
                    }
                }
            }
        });
        for number in 1..=WRITES {
            writer.write(&numbered(number));
            if number % 16 == 0 {
                thread::yield_now();
            }
        }
        is_written.store(true, Ordering::Release);
    });
}
