//! Every interleaving, and every value that the memory model allows each load, of a small ring and a
//! small slot. Run with:
//! `RUSTFLAGS="--cfg loom" cargo test --release -p rt-ring --target-dir target/loom --test loom`
//!
//! Oracle: only written values, whole, in order; records read and lost add up to those published; a
//! writer that keeps to the rules is never called corrupt.

#![cfg(loom)]

mod support;

use loom::sync::Arc;
use loom::thread;
use rt_ring::sync::AtomicU64;
use rt_ring::{
    Newest, Read, RingReader, RingWriter, SlotReader, SlotWriter, ring_words, slot_words,
};
use support::{IDENTITY, LAYOUT, memory, numbered};

type Words = [u64; 2];

const DEPTH: usize = 2;

/// Reads `looks` times while `writes` records are published, then everything that is left.
fn ring(writes: u64, looks: usize, attach_late: bool) {
    loom::model(move || {
        let mem: Arc<Vec<AtomicU64>> = Arc::new(memory(ring_words::<Words>(DEPTH)));
        let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
        let shared = Arc::clone(&mem);
        let reading = thread::spawn(move || {
            let attach = if attach_late {
                RingReader::<Words>::attach_from_oldest
            } else {
                RingReader::<Words>::attach
            };
            let mut reader = attach(&shared, LAYOUT).unwrap();
            let first = reader.next_sequence();
            let mut read = 0;
            for _ in 0..looks {
                read += look(&mut reader, first, read);
            }
            (first, reader.next_sequence(), read, reader.lost())
        });
        for number in 1..=writes {
            writer.publish(&numbered(number));
        }
        let (first, next, read, lost) = reading.join().unwrap();
        assert_eq!(first + read + lost, next);
        assert!(next <= writes + 1);
    });
}

/// One look; gives the number of records read, 0 or 1.
fn look(reader: &mut RingReader<'_, Words>, first: u64, read: u64) -> u64 {
    let lost = reader.lost();
    match reader.read() {
        Read::Record { sequence, record } => {
            assert_eq!(sequence, first + read + lost);
            assert_eq!(record, numbered(sequence));
            1
        }
        Read::Lapped { lost: skipped } => {
            assert!(skipped > 0);
            assert_eq!(reader.lost(), lost + skipped);
            0
        }
        Read::Empty => 0,
        Read::Corrupt => panic!("an honest writer was called corrupt"),
    }
}

#[test]
fn ring_of_two_is_read_in_order_while_three_are_published() {
    ring(3, 3, false);
}

#[test]
fn ring_of_two_laps_its_reader_with_four() {
    ring(4, 2, false);
}

#[test]
fn reader_attaches_at_the_oldest_end_while_four_are_published() {
    ring(4, 2, true);
}

#[test]
fn reader_that_stands_behind_is_lapped_and_told_exactly() {
    loom::model(|| {
        let mem: Arc<Vec<AtomicU64>> = Arc::new(memory(ring_words::<Words>(DEPTH)));
        let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
        writer.publish(&numbered(1));
        let shared = Arc::clone(&mem);
        let reading = thread::spawn(move || {
            let mut reader = RingReader::<Words>::attach_from_oldest(&shared, LAYOUT).unwrap();
            let first = reader.next_sequence();
            let mut read = 0;
            for _ in 0..3 {
                read += look(&mut reader, first, read);
            }
            assert_eq!(first + read + reader.lost(), reader.next_sequence());
        });
        for number in 2..=4 {
            writer.publish(&numbered(number));
        }
        reading.join().unwrap();
    });
}

/// Looks `looks` times while `writes` records are written.
fn slot(writes: u64, looks: usize) {
    loom::model(move || {
        let mem: Arc<Vec<AtomicU64>> = Arc::new(memory(slot_words::<Words>()));
        let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
        let shared = Arc::clone(&mem);
        let reading = thread::spawn(move || {
            let mut reader = SlotReader::<Words>::attach(&shared, LAYOUT).unwrap();
            for _ in 0..looks {
                let last = reader.sequence();
                match reader.read() {
                    Newest::New { sequence, record } => {
                        assert!(sequence > last && sequence <= writes);
                        assert_eq!(record, numbered(sequence));
                    }
                    Newest::Unchanged => assert!(last > 0),
                    Newest::Never => assert_eq!(last, 0),
                    Newest::Torn => {}
                    Newest::Corrupt => panic!("an honest writer was called corrupt"),
                }
                assert!(reader.sequence() >= last);
            }
        });
        for number in 1..=writes {
            writer.write(&numbered(number));
        }
        reading.join().unwrap();
    });
}

#[test]
fn slot_is_read_while_two_are_written() {
    slot(2, 3);
}

#[test]
fn slot_is_read_while_three_are_written() {
    slot(3, 2);
}

#[test]
fn nothing_is_read_before_its_creator_is_done() {
    loom::model(|| {
        let mem: Arc<Vec<AtomicU64>> = Arc::new(memory(slot_words::<Words>()));
        let shared = Arc::clone(&mem);
        let reading = thread::spawn(move || {
            if let Ok(mut reader) = SlotReader::<Words>::attach(&shared, LAYOUT) {
                assert_eq!(reader.generation(), IDENTITY.generation);
                let found = reader.read();
                let first = Newest::New { sequence: 1, record: numbered(1) };
                assert!(matches!(found, Newest::Never | Newest::Torn) || found == first);
            }
        });
        let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
        writer.write(&numbered(1));
        reading.join().unwrap();
    });
}
