//! The broadcast ring, step by step: order, laps, exact losses, and a reader that stays dead.

#![cfg(not(loom))]

mod support;

use rt_ring::sync::Ordering;
use rt_ring::{Read, RingReader, RingWriter, ring_words};
use support::{IDENTITY, LAYOUT, memory, numbered};

type Words = [u64; 3];

const DEPTH: usize = 8;
/// Word of the writer's count (see src/header.rs).
const NEWEST: usize = 16;

#[test]
fn records_come_in_order_and_whole() {
    let mem = memory(ring_words::<Words>(DEPTH));
    let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
    let mut reader = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
    assert_eq!(reader.read(), Read::Empty);
    for number in 1..=100 {
        writer.publish(&numbered(number));
        assert_eq!(reader.lag(), 1);
        assert_eq!(reader.read(), Read::Record { sequence: number, record: numbered(number) });
        assert_eq!(reader.read(), Read::Empty);
        assert_eq!((reader.lag(), reader.lost()), (0, 0));
        assert_eq!(reader.next_sequence(), number + 1);
    }
    assert_eq!(writer.published(), 100);
    assert_eq!(reader.generation(), IDENTITY.generation);
}

#[test]
fn reader_that_attaches_at_the_newest_end_gets_only_what_comes_after() {
    let mem = memory(ring_words::<Words>(DEPTH));
    let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
    for before in 0..20 {
        let mut reader = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
        assert_eq!(reader.read(), Read::Empty);
        writer.publish(&numbered(before));
        assert_eq!(reader.read(), Read::Record { sequence: before + 1, record: numbered(before) });
    }
}

#[test]
fn reader_that_attaches_at_the_oldest_end_gets_all_that_is_still_there() {
    for published in 0..=20_u64 {
        let mem = memory(ring_words::<Words>(DEPTH));
        let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
        for number in 1..=published {
            writer.publish(&numbered(number));
        }
        let mut reader = RingReader::<Words>::attach_from_oldest(&mem, LAYOUT).unwrap();
        assert_eq!(reader.lag(), published.min(DEPTH as u64));
        for number in published.saturating_sub(DEPTH as u64) + 1..=published {
            assert_eq!(reader.read(), Read::Record { sequence: number, record: numbered(number) });
        }
        assert_eq!(reader.read(), Read::Empty);
        assert_eq!(reader.lost(), 0);
    }
}

#[test]
fn lapped_reader_learns_how_many_records_it_missed() {
    for depth in if cfg!(miri) { [2, 4].as_slice() } else { &[2, 4, 8, 16] } {
        let depth = *depth;
        for ahead in 0..5 * depth as u64 {
            let mem = memory(ring_words::<Words>(depth));
            let mut writer = RingWriter::<Words>::create(&mem, depth, IDENTITY).unwrap();
            let mut reader = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
            for number in 1..=ahead {
                writer.publish(&numbered(number));
            }
            let (mut read, mut lost, mut last) = (0, 0, 0);
            loop {
                match reader.read() {
                    Read::Record { sequence, record } => {
                        assert!(sequence > last, "{sequence} after {last}");
                        assert_eq!(record, numbered(sequence));
                        (read, last) = (read + 1, sequence);
                    }
                    Read::Lapped { lost: skipped } => {
                        assert!(skipped > 0);
                        lost += skipped;
                    }
                    Read::Empty => break,
                    Read::Corrupt => panic!("depth {depth}, {ahead} published"),
                }
            }
            assert_eq!(read + lost, ahead, "depth {depth}");
            assert_eq!(reader.lost(), lost);
            assert_eq!(lost > 0, ahead > depth as u64, "depth {depth}, {ahead} published");
        }
    }
}

#[test]
fn lapped_reader_resumes_a_quarter_of_the_depth_before_the_writer() {
    let mem = memory(ring_words::<Words>(DEPTH));
    let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
    let mut reader = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
    for number in 1..=100 {
        writer.publish(&numbered(number));
    }
    // 93 is the oldest there; the writer takes its place next, then that of 94.
    assert_eq!(reader.read(), Read::Lapped { lost: 94 });
    writer.publish(&numbered(101));
    writer.publish(&numbered(102));
    assert_eq!(reader.read(), Read::Record { sequence: 95, record: numbered(95) });
}

#[test]
fn readers_do_not_disturb_each_other_or_the_writer() {
    let mem = memory(ring_words::<Words>(DEPTH));
    let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
    let mut quick = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
    let mut slow = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
    for number in 1..=50 {
        writer.publish(&numbered(number));
        assert_eq!(quick.read(), Read::Record { sequence: number, record: numbered(number) });
    }
    assert!(matches!(slow.read(), Read::Lapped { .. }));
    assert_eq!((quick.lost(), writer.published()), (0, 50));
}

#[test]
fn count_that_jumps_ahead_is_not_believed() {
    let mem = memory(ring_words::<Words>(DEPTH));
    let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
    for number in 1..=20 {
        writer.publish(&numbered(number));
    }
    for jump in [21, 28, 1 << 40, 1 << 62, (1 << 62) + 20, u64::MAX - 40] {
        let mut lapped = RingReader::<Words>::attach_from_oldest(&mem, LAYOUT).unwrap();
        for number in 21..=40 {
            writer.publish(&numbered(number));
        }
        mem[NEWEST].store(40 + jump, Ordering::Relaxed);
        assert_eq!(lapped.read(), Read::Corrupt, "by {jump}");
        assert_eq!(lapped.lost(), 0);
        assert!(RingReader::<Words>::attach(&mem, LAYOUT).is_err(), "by {jump}");
        writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
        for number in 1..=20 {
            writer.publish(&numbered(number));
        }
    }
}

#[test]
fn count_that_goes_backwards_is_not_believed() {
    let mem = memory(ring_words::<Words>(DEPTH));
    let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
    let mut lapped = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
    for number in 1..=20 {
        writer.publish(&numbered(number));
    }
    mem[NEWEST].store(3, Ordering::Relaxed);
    assert_eq!(lapped.read(), Read::Corrupt);
    assert_eq!(lapped.lag(), 3);
}

#[test]
fn corrupt_ring_stays_corrupt_for_this_reader_and_not_for_one_that_attaches_again() {
    let mem = memory(ring_words::<Words>(DEPTH));
    let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
    let mut reader = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
    let whole = support::snapshot(&mem);
    support::flip(&mem, 32, 7); // The stamp where record 1 belongs.
    assert_eq!(reader.read(), Read::Corrupt);
    support::restore(&mem, &whole);
    writer.publish(&numbered(1));
    assert_eq!(reader.read(), Read::Corrupt);
    let mut again = RingReader::<Words>::attach_from_oldest(&mem, LAYOUT).unwrap();
    assert_eq!(again.read(), Read::Record { sequence: 1, record: numbered(1) });
}

#[test]
fn region_made_anew_is_corrupt_for_readers_of_its_earlier_life() {
    for published in [0, 3, 30_u64] {
        let mem = memory(ring_words::<Words>(DEPTH));
        let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
        for number in 1..=published {
            writer.publish(&numbered(number));
        }
        let mut reader = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
        let next_life = rt_ring::Identity { generation: 6, ..IDENTITY };
        let mut writer = RingWriter::<Words>::create(&mem, DEPTH, next_life).unwrap();
        assert_eq!(reader.read(), Read::Corrupt);
        writer.publish(&numbered(1));
        let again = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
        assert_eq!((again.generation(), again.next_sequence()), (6, 2));
    }
}

#[test]
fn stamp_of_another_lap_or_place_is_corrupt() {
    let mem = memory(ring_words::<Words>(DEPTH));
    // Stamps stand a cache line apart; record n has the place (n - 1) modulo the depth.
    let stamp = |sequence: usize| &mem[32 + (sequence - 1) % DEPTH * 8];
    let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
    for number in 1..=20 {
        writer.publish(&numbered(number));
    }
    let of_13 = stamp(13).load(Ordering::Relaxed);
    let of_18 = stamp(18).load(Ordering::Relaxed);
    for number in 21..=28 {
        writer.publish(&numbered(number));
    }

    // Where 29 is awaited, and 21 stands, that of 13: two laps before.
    let mut abreast = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
    assert_eq!(abreast.next_sequence(), 29);
    stamp(29).store(of_13, Ordering::Relaxed);
    assert_eq!(abreast.read(), Read::Corrupt);

    // Where 17 was missed, and 25 stands, a later one that belongs elsewhere.
    let mut writer = RingWriter::<Words>::create(&mem, DEPTH, IDENTITY).unwrap();
    for number in 1..=16 {
        writer.publish(&numbered(number));
    }
    let mut behind = RingReader::<Words>::attach(&mem, LAYOUT).unwrap();
    for number in 17..=28 {
        writer.publish(&numbered(number));
    }
    stamp(17).store(of_18, Ordering::Relaxed);
    assert_eq!((behind.read(), behind.lost()), (Read::Corrupt, 0));
}
