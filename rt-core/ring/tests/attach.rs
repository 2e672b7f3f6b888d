//! Attaching: each way in which memory can be the wrong memory has its own words.

#![cfg(not(loom))]

mod support;

use rt_ring::sync::Ordering;
use rt_ring::{
    AttachError, RingReader, RingWriter, SlotReader, SlotWriter, ring_words, slot_words,
};
use support::{IDENTITY, LAYOUT, memory, snapshot};

type Words = [u64; 4];

/// Words of the header (see src/header.rs).
const MAGIC: usize = 0;
const RECORD_WORDS: usize = 2;
const DEPTH: usize = 3;

fn ring_error(mem: &[rt_ring::sync::AtomicU64]) -> AttachError {
    let error = RingReader::<Words>::attach(mem, LAYOUT).unwrap_err();
    assert_eq!(RingReader::<Words>::attach_from_oldest(mem, LAYOUT).unwrap_err(), error);
    error
}

#[test]
fn memory_that_nobody_initialised_is_refused() {
    let mem = memory(ring_words::<Words>(4));
    assert_eq!(ring_error(&mem), AttachError::Uninitialised);
    assert_eq!(
        ring_error(&mem).to_string(),
        "not initialised (its creator has not started, or died while starting)"
    );
    let mem = memory(slot_words::<Words>());
    assert_eq!(SlotReader::<Words>::attach(&mem, 1).unwrap_err(), AttachError::Uninitialised);
    assert_eq!(SlotWriter::<Words>::attach(&mem, 1).unwrap_err(), AttachError::Uninitialised);
}

#[test]
fn ring_and_slot_are_not_taken_for_each_other() {
    let mem = memory(ring_words::<Words>(4));
    RingWriter::<Words>::create(&mem, 4, IDENTITY).unwrap();
    let error = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap_err();
    assert_eq!(error.to_string(), "a ring, expected a slot");
    SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    assert_eq!(ring_error(&mem).to_string(), "a slot, expected a ring");
    mem[MAGIC].store(0xdead, Ordering::Relaxed);
    assert_eq!(ring_error(&mem), AttachError::Magic { found: 0xdead });
    assert_eq!(
        ring_error(&mem).to_string(),
        "neither ring nor slot: starts with 0x000000000000dead"
    );
}

#[test]
fn records_of_another_layout_or_size_are_refused() {
    let mem = memory(ring_words::<Words>(4));
    RingWriter::<Words>::create(&mem, 4, IDENTITY).unwrap();
    let error = RingReader::<Words>::attach(&mem, 0x51c2).unwrap_err();
    assert_eq!(error, AttachError::Layout { expected: 0x51c2, found: LAYOUT });
    assert_eq!(error.to_string(), "layout 0x77aa, expected 0x51c2 (rebuild the older side)");
    mem[RECORD_WORDS].store(9, Ordering::Relaxed);
    assert_eq!(ring_error(&mem), AttachError::RecordWords { expected: 4, found: 9 });
}

#[test]
fn depth_is_a_power_of_two_from_two_up() {
    let mem = memory(ring_words::<Words>(16));
    for depth in [0, 1, 3, 6, 12, 15] {
        let error = RingWriter::<Words>::create(&mem, depth, IDENTITY).unwrap_err();
        assert_eq!(error, AttachError::Depth { found: depth as u64 });
    }
    assert!(snapshot(&mem).iter().all(|word| *word == 0), "a refused create writes nothing");
    RingWriter::<Words>::create(&mem, 16, IDENTITY).unwrap();
    for depth in [0, 1, 3, 15, u64::MAX] {
        mem[DEPTH].store(depth, Ordering::Relaxed);
        assert_eq!(ring_error(&mem), AttachError::Depth { found: depth });
    }
}

#[test]
fn memory_shorter_than_its_depth_says_is_refused() {
    let words = ring_words::<Words>(16);
    let mem = memory(words);
    for found_words in 0..words {
        let error = RingWriter::<Words>::create(&mem[..found_words], 16, IDENTITY).unwrap_err();
        assert_eq!(error, AttachError::TooSmall { expected_words: words, found_words });
    }
    assert!(snapshot(&mem).iter().all(|word| *word == 0), "a refused create writes nothing");
    RingWriter::<Words>::create(&mem, 16, IDENTITY).unwrap();
    for found_words in 0..words {
        let error = ring_error(&mem[..found_words]);
        assert!(
            matches!(error, AttachError::TooSmall { found_words: found, .. } if found == found_words)
        );
    }
    for depth in [32, 1 << 62, 1 << 63] {
        mem[DEPTH].store(depth, Ordering::Relaxed);
        assert!(
            matches!(ring_error(&mem), AttachError::TooSmall { found_words, .. } if found_words == words)
        );
    }
    let mem = memory(slot_words::<Words>());
    SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    for found_words in 0..mem.len() {
        let expected = AttachError::TooSmall { expected_words: mem.len(), found_words };
        let short = &mem[..found_words];
        assert_eq!(SlotReader::<Words>::attach(short, LAYOUT).unwrap_err(), expected);
        assert_eq!(SlotWriter::<Words>::attach(short, LAYOUT).unwrap_err(), expected);
        assert_eq!(SlotWriter::<Words>::create(short, IDENTITY).unwrap_err(), expected);
    }
}

#[test]
fn memory_may_be_longer_than_the_region_and_is_left_alone_there() {
    let words = ring_words::<Words>(4);
    let mem = memory(words + 100);
    mem[words].store(7, Ordering::Relaxed);
    RingWriter::<Words>::create(&mem, 4, IDENTITY).unwrap();
    assert_eq!(mem[words].load(Ordering::Relaxed), 7);
    RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
}
