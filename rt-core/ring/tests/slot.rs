//! The newest-value slot, step by step: only whole records, only forward, only of this life.

#![cfg(not(loom))]

mod support;

use rt_ring::sync::Ordering;
use rt_ring::{AttachError, Identity, Newest, SlotReader, SlotWriter, slot_words};
use support::{IDENTITY, LAYOUT, memory, numbered, restore, snapshot};

type Words = [u64; 5];

/// Words of the region (see src/header.rs).
const STAMP: usize = 16;
const CHECKSUM: usize = 17;
const RECORD: usize = 18;
/// What a stamp's number is multiplied by; odd numbers say "being written".
const STAMP_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[test]
fn slot_that_was_never_written_says_so() {
    let mem = memory(slot_words::<Words>());
    let writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
    assert_eq!(reader.read(), Newest::Never);
    assert_eq!((reader.peek(), reader.sequence(), writer.sequence()), (None, 0, 0));
}

#[test]
fn newest_record_is_new_once() {
    let mem = memory(slot_words::<Words>());
    let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
    for number in 1..=50 {
        writer.write(&numbered(0));
        writer.write(&numbered(number));
        let expected = Newest::New { sequence: 2 * number, record: numbered(number) };
        assert_eq!(reader.read(), expected);
        assert_eq!(reader.read(), Newest::Unchanged);
        assert_eq!(reader.peek(), Some(numbered(number)));
        assert_eq!((reader.sequence(), writer.sequence()), (2 * number, 2 * number));
    }
    assert_eq!(reader.generation(), IDENTITY.generation);
}

#[test]
fn peek_takes_no_news_away() {
    let mem = memory(slot_words::<Words>());
    let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
    writer.write(&numbered(1));
    assert_eq!(reader.peek(), Some(numbered(1)));
    assert_eq!(reader.read(), Newest::New { sequence: 1, record: numbered(1) });
}

#[test]
fn writer_that_died_halfway_is_torn_and_its_successor_heals_the_slot() {
    let mem = memory(slot_words::<Words>());
    let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
    writer.write(&numbered(1));
    assert!(matches!(reader.read(), Newest::New { sequence: 1, .. }));
    mem[STAMP].store(STAMP_FACTOR.wrapping_mul(3), Ordering::Relaxed); // Record 2 has begun,
    mem[RECORD].store(77, Ordering::Relaxed); // and got no further.
    assert_eq!((reader.read(), reader.peek()), (Newest::Torn, None));
    assert_eq!(reader.read(), Newest::Torn);

    let mut successor = SlotWriter::<Words>::attach(&mem, LAYOUT).unwrap();
    assert_eq!(successor.sequence(), 2);
    successor.write(&numbered(3));
    assert_eq!(reader.read(), Newest::New { sequence: 3, record: numbered(3) });
}

#[test]
fn half_written_record_under_a_whole_stamp_is_corrupt() {
    let mem = memory(slot_words::<Words>());
    let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
    writer.write(&numbered(1));
    let first = snapshot(&mem);
    writer.write(&numbered(2));
    let second = snapshot(&mem);
    // Every mixture of the words of two writes, under either stamp.
    let words = CHECKSUM..RECORD + 5;
    for stamp in [first[STAMP], second[STAMP]] {
        for mixture in 0..1_u32 << words.len() {
            restore(&mem, &second);
            mem[STAMP].store(stamp, Ordering::Relaxed);
            for (bit, word) in words.clone().enumerate() {
                let from = if mixture >> bit & 1 == 0 { &first } else { &second };
                mem[word].store(from[word], Ordering::Relaxed);
            }
            let now = snapshot(&mem);
            let expected = if now == first {
                Some(numbered(1))
            } else if now == second {
                Some(numbered(2))
            } else {
                None
            };
            assert_eq!(reader.peek(), expected, "stamp {stamp}, mixture {mixture:#b}");
        }
    }
    assert_eq!(reader.read(), Newest::New { sequence: 2, record: numbered(2) });
}

#[test]
fn sequence_only_moves_forward() {
    let mem = memory(slot_words::<Words>());
    let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
    let never = snapshot(&mem);
    writer.write(&numbered(1));
    let first = snapshot(&mem);
    writer.write(&numbered(2));
    let second = snapshot(&mem);
    assert!(matches!(reader.read(), Newest::New { sequence: 2, .. }));
    for earlier in [never, first] {
        restore(&mem, &earlier); // A peer that plays an old record again.
        assert_eq!((reader.read(), reader.peek()), (Newest::Corrupt, None));
    }
    restore(&mem, &second);
    assert_eq!(reader.read(), Newest::Unchanged);
}

#[test]
fn record_of_another_life_is_corrupt() {
    let mem = memory(slot_words::<Words>());
    SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
    let next_life = Identity { generation: 6, ..IDENTITY };
    let mut writer = SlotWriter::<Words>::create(&mem, next_life).unwrap();
    writer.write(&numbered(1));
    assert_eq!((reader.read(), reader.peek()), (Newest::Corrupt, None));
}

#[test]
fn writer_goes_on_after_the_sequence_that_it_finds() {
    let mem = memory(slot_words::<Words>());
    SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
    for number in 1..=5 {
        let mut peer = SlotWriter::<Words>::attach(&mem, LAYOUT).unwrap();
        peer.write(&numbered(number));
        assert_eq!(reader.read(), Newest::New { sequence: number, record: numbered(number) });
    }
}

#[test]
fn writer_refuses_a_sequence_that_no_writer_reaches() {
    let mem = memory(slot_words::<Words>());
    SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    mem[STAMP].store(STAMP_FACTOR.wrapping_mul(u64::MAX), Ordering::Relaxed);
    let error = SlotWriter::<Words>::attach(&mem, LAYOUT).unwrap_err();
    assert_eq!(error, AttachError::Sequence { found: 1 << 63 });
}
