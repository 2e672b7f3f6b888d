//! Damage: every single bit of a slot and of a ring's control words, and whole regions of garbage.
//!
//! Oracle: never a panic, never memory outside the region (a panic, too, or Miri's), never a value
//! from a slot that was not written there under that sequence, and in a ring never a record under a
//! sequence other than its own, never fewer or more lost than were.

#![cfg(not(loom))]
#![expect(clippy::disallowed_macros, reason = "a test says which bit it was")]

mod support;

use rt_ring::sync::AtomicU64;
use rt_ring::{
    AttachError, Newest, Read, RingReader, RingWriter, SlotReader, SlotWriter, ring_words,
    slot_words,
};
use support::{Garbage, IDENTITY, LAYOUT, flip, memory, numbered, restore, snapshot};

type Words = [u64; 6];

const DEPTH: usize = 4;
/// The first line of either region, and a ring's count.
const HEADER: core::ops::Range<usize> = 0..16;
const NEWEST: usize = 16;
/// The stamps of a ring of `DEPTH`.
const STAMPS: [usize; DEPTH] = [32, 40, 48, 56];

/// All bits; Miri, which is a thousand times slower, takes one in 67.
fn bits_of(words: impl Iterator<Item = usize>) -> impl Iterator<Item = (usize, u32)> {
    let step = if cfg!(miri) { 67 } else { 1 };
    words.flat_map(|word| (0..64).map(move |bit| (word, bit))).step_by(step)
}

/// Reads as every reader there is, and holds each against what was written.
fn slot_tells_only_what_was_written(
    mem: &[AtomicU64],
    old: &mut SlotReader<'_, Words>,
    what: &str,
) {
    let written =
        |sequence: u64, record: Words| (1..=4).contains(&sequence) && record == numbered(sequence);
    for _ in 0..2 {
        let before = old.sequence();
        if let Some(record) = old.peek() {
            assert!((1..=4).any(|sequence| written(sequence, record)), "{what}: {record:?}");
        }
        if let Newest::New { sequence, record } = old.read() {
            assert!(written(sequence, record), "{what}: {sequence} {record:?}");
            assert!(sequence > before, "{what}: {sequence} after {before}");
        }
    }
    let Ok(mut fresh) = SlotReader::<Words>::attach(mem, LAYOUT) else { return };
    if let Newest::New { sequence, record } = fresh.read() {
        assert!(written(sequence, record), "{what}: {sequence} {record:?}");
    }
}

#[test]
fn no_flipped_bit_of_a_slot_makes_it_tell_what_was_not_written() {
    let mem = memory(slot_words::<Words>());
    for (word, bit) in bits_of(0..mem.len()) {
        for reads_before in [false, true] {
            let what = format!("word {word}, bit {bit}");
            let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
            let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
            for sequence in 1..=3 {
                writer.write(&numbered(sequence));
                if reads_before && sequence < 3 {
                    assert!(matches!(reader.read(), Newest::New { .. }), "{what}");
                }
            }
            flip(&mem, word, bit);
            slot_tells_only_what_was_written(&mem, &mut reader, &what);
            // Damage heals with the next write, but for the header, which nobody looks at again.
            writer.write(&numbered(4));
            slot_tells_only_what_was_written(&mem, &mut reader, &what);
            assert_eq!(reader.sequence(), 4, "{what}");
            assert_eq!(reader.peek(), Some(numbered(4)), "{what}");
        }
    }
}

#[test]
fn every_flipped_bit_that_a_reader_depends_on_is_seen() {
    let mem = memory(slot_words::<Words>());
    let mut writer = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
    writer.write(&numbered(1));
    let whole = snapshot(&mem);
    // Magic, layout, record words; then stamp, checksum and the record.
    for (word, bit) in bits_of((0..3).chain(16..18 + 6)) {
        restore(&mem, &whole);
        flip(&mem, word, bit);
        let refused = match SlotReader::<Words>::attach(&mem, LAYOUT) {
            Ok(mut reader) => !matches!(reader.read(), Newest::New { .. } | Newest::Unchanged),
            Err(_) => true,
        };
        assert!(refused, "word {word}, bit {bit}");
    }
}

#[test]
fn slot_writer_that_attaches_to_damage_never_panics() {
    let mem = memory(slot_words::<Words>());
    for (word, bit) in bits_of(0..mem.len()) {
        let mut first = SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
        first.write(&numbered(1));
        flip(&mem, word, bit);
        let Ok(mut writer) = SlotWriter::<Words>::attach(&mem, LAYOUT) else { continue };
        writer.write(&numbered(2));
        let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
        let sequence = writer.sequence();
        let is_last = sequence > 1 << 62; // One past the highest: nobody goes on from there.
        let expected =
            if is_last { Newest::Corrupt } else { Newest::New { sequence, record: numbered(2) } };
        assert_eq!(reader.read(), expected, "word {word}, bit {bit}");
    }
}

/// Reads until nothing more comes; each record must be the one of its sequence.
/// Gives the number read, or `None` if the ring was found corrupt.
fn drain(reader: &mut RingReader<'_, Words>, what: &str) -> Option<u64> {
    let (mut read, mut last) = (0, 0);
    // A damaged ring may lap its reader again, but every call moves it forward.
    for _ in 0..4 * DEPTH {
        let lost_before = reader.lost();
        match reader.read() {
            Read::Record { sequence, record } => {
                assert!(sequence > last, "{what}: {sequence} after {last}");
                assert_eq!(record, numbered(sequence), "{what}: record {sequence}");
                (read, last) = (read + 1, sequence);
            }
            Read::Lapped { lost } => assert_eq!(reader.lost(), lost_before + lost, "{what}"),
            Read::Empty => return Some(read),
            Read::Corrupt => {
                assert_eq!(reader.read(), Read::Corrupt, "{what}: dead once, dead for ever");
                return None;
            }
        }
    }
    panic!("{what}: still not at the end");
}

#[test]
fn no_flipped_bit_of_a_rings_control_words_misleads_a_reader() {
    let mem = memory(ring_words::<Words>(DEPTH));
    for (word, bit) in bits_of(HEADER.chain([NEWEST]).chain(STAMPS)) {
        for published in [0, 1, 3, 4, 5, 11_u64] {
            let what = format!("word {word}, bit {bit}, {published} published");
            let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
            let mut behind = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
            for sequence in 1..=published {
                writer.publish(&numbered(sequence));
            }
            let mut abreast = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
            flip(&mem, word, bit);
            for from_oldest in [false, true] {
                let fresh = if from_oldest {
                    RingReader::<Words>::attach_from_oldest(&mem, LAYOUT)
                } else {
                    RingReader::<Words>::attach(&mem, LAYOUT)
                };
                match fresh {
                    Ok(mut fresh) => {
                        drain(&mut fresh, &what);
                    }
                    Err(AttachError::TooSmall { found_words, .. }) => {
                        assert_eq!(found_words, mem.len(), "{what}");
                    }
                    Err(_) => {}
                }
            }
            // Whoever is not found dead accounts for every record, none twice, none invented.
            let mut early = drain(&mut behind, &what);
            let mut late = drain(&mut abreast, &what);
            for sequence in published + 1..=published + 9 {
                writer.publish(&numbered(sequence));
            }
            early = early.and_then(|read| Some(read + drain(&mut behind, &what)?));
            late = late.and_then(|read| Some(read + drain(&mut abreast, &what)?));
            if let Some(read) = early {
                assert_eq!(read + behind.lost(), published + 9, "{what}");
            }
            if let Some(read) = late {
                assert_eq!(read + abreast.lost(), 9, "{what}");
            }
        }
    }
}

#[test]
fn garbage_never_panics_and_no_slot_of_garbage_is_believed() {
    let mut garbage = Garbage(1);
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    let mem = memory(ring_words::<Words>(DEPTH));
    for round in 0..rounds {
        // A good header over garbage, with small numbers now and then so that checks are passed.
        let narrow = [0, 40, 56, 61][round % 4];
        RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
        let mut old = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
        for word in &mem[16..] {
            word.store(garbage.word() >> narrow, rt_ring::sync::Ordering::Relaxed);
        }
        let fresh = RingReader::<Words>::attach_from_oldest(&mem, LAYOUT);
        for reader in [Some(&mut old), fresh.ok().as_mut()].into_iter().flatten() {
            for _ in 0..3 * DEPTH {
                let (next, lost) = (reader.next_sequence(), reader.lost());
                assert!(!matches!(reader.read(), Read::Lapped { lost: 0 }));
                assert!(reader.next_sequence() >= next && reader.lost() >= lost);
            }
        }
        SlotWriter::<Words>::create(&mem, IDENTITY).unwrap();
        for word in &mem[16..] {
            word.store(garbage.word() >> narrow, rt_ring::sync::Ordering::Relaxed);
        }
        let mut reader = SlotReader::<Words>::attach(&mem, LAYOUT).unwrap();
        assert_eq!(reader.peek(), None);
        assert!(!matches!(reader.read(), Newest::New { .. } | Newest::Unchanged));
    }
}
