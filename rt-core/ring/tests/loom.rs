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

/// Publishes `before` records, then `during` while a reader, attached at the oldest end in the
/// meantime, looks `looks` times.
fn ring(before: u64, during: u64, looks: usize) {
    loom::model(move || {
        let mem: Arc<Vec<AtomicU64>> = Arc::new(memory(ring_words::<Words>(DEPTH)));
        let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
        for number in 1..=before {
            writer.publish(&numbered(number));
        }
        let shared = Arc::clone(&mem);
        let reading = thread::spawn(move || {
            let mut reader = RingReader::<Words>::attach_from_oldest(&shared, LAYOUT).unwrap();
            let first = reader.next_sequence();
            let mut read = 0;
            for _ in 0..looks {
                read += look(&mut reader, first, read);
            }
            assert_eq!(first + read + reader.lost(), reader.next_sequence());
            assert!(reader.next_sequence() <= before + during + 1);
        });
        for number in before + 1..=before + during {
            writer.publish(&numbered(number));
        }
        reading.join().unwrap();
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
fn records_come_in_order_while_they_are_published() {
    ring(0, 2, 3);
}

#[test]
fn reader_is_lapped_while_it_looks_for_its_first_record() {
    ring(0, 3, 2);
}

#[test]
fn reader_of_a_full_ring_is_lapped_or_reads_whole_records() {
    ring(2, 1, 3);
}

#[test]
fn reader_is_lapped_once_and_reads_on() {
    ring(1, 2, 2);
}

#[test]
fn reader_of_a_full_ring_is_lapped_by_a_whole_ring() {
    ring(2, 2, 1);
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
fn slot_is_looked_at_three_times_while_two_records_are_written() {
    slot(2, 3);
}

#[test]
fn slot_is_looked_at_once_while_three_records_are_written() {
    slot(3, 1);
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
