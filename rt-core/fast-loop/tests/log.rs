//! The loop's log: nothing waits, nothing allocates, and every message is told or counted.
//!
//! This program is linked without the message table, so a frame's first two bytes mean nothing here;
//! its arguments are looked at. It runs under the sealed allocator.

use fast_loop::log::journal::Journal;
use fast_loop::log::{self, Forwarder};
use fast_loop::sealed_alloc::{self, SealedAllocator};
use rt_ring::sync::AtomicU64;
use rt_ring::{Identity, Read, RingReader, RingWriter, ring_words};
use rt_wire::{
    Fault, FaultSet, IntegrityFlags, LOG_FRAME_BYTES_MAX, LogFrame, Mode, MonoNs, Raw, Record,
    Source, Telemetry,
};
use std::thread;

#[global_allocator]
static ALLOCATOR: SealedAllocator = SealedAllocator;

/// Bytes of a frame before its arguments.
const NUMBER_BYTES: usize = 2;

/// A segment in this process's memory.
fn segment(depth: usize) -> (RingWriter<'static, LogFrame>, RingReader<'static, LogFrame>) {
    let words: Vec<AtomicU64> =
        (0..ring_words::<LogFrame>(depth)).map(|_| AtomicU64::new(0)).collect();
    let words: &'static [AtomicU64] = words.leak();
    let identity = Identity { layout_hash: LogFrame::LAYOUT_HASH, generation: 1 };
    let writer = RingWriter::create(words, depth, identity).expect("large enough");
    (writer, RingReader::attach_from_oldest(words, LogFrame::LAYOUT_HASH).expect("laid out"))
}

/// Gives this thread a log of so many places.
fn log_of(places: usize, depth: usize) -> (Forwarder, RingReader<'static, LogFrame>) {
    let (ring, reader) = segment(depth);
    let (writer, forwarder) = log::link(places, ring).expect("laid out");
    writer.install();
    (forwarder, reader)
}

fn told(reader: &mut RingReader<'static, LogFrame>) -> Vec<LogFrame> {
    std::iter::from_fn(|| match reader.read() {
        Read::Record { record, .. } => Some(record),
        Read::Empty => None,
        other => panic!("{other:?}"),
    })
    .collect()
}

/// The number that a message of these tests carries.
fn number(frame: &LogFrame) -> u64 {
    let bytes = frame.as_frame().get(NUMBER_BYTES..).expect("a frame");
    u64::from_le_bytes(bytes.try_into().expect("one number"))
}

#[test]
fn frames_come_in_their_order_with_the_cycle_that_they_were_logged_in() {
    let (mut forwarder, mut reader) = log_of(64, 64);
    for cycle in 1..=10 {
        log::set_cycle(cycle, MonoNs(cycle * 1000));
        defmt::info!("first {=u64}", cycle);
        defmt::warn!("second {=u64}", cycle + 100);
    }
    forwarder.forward();
    let frames = told(&mut reader);
    assert_eq!(frames.len(), 20);
    for (place, pair) in (1..).zip(frames.chunks(2)) {
        assert_eq!((number(&pair[0]), number(&pair[1])), (place, place + 100));
        for frame in pair {
            assert_eq!((frame.cycle_index, frame.mono_ns), (place, MonoNs(place * 1000)));
            assert_eq!((frame.lost, frame.refused), (0, 0));
            assert!(frame.frame[10..].iter().all(|byte| *byte == 0), "bytes of an older frame");
        }
    }
    assert!(frames.iter().map(|frame| frame.sequence).eq(1..=20));
}

#[test]
fn each_frame_that_does_not_fit_is_counted_and_the_count_is_told_though_nothing_follows() {
    let (mut forwarder, mut reader) = log_of(8, 64);
    (0..20).for_each(|n| defmt::info!("{=u64}", n));
    forwarder.forward();
    let frames = told(&mut reader);
    assert_eq!(frames[..8].iter().map(number).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    assert!(frames[..8].iter().all(|frame| frame.lost == 0), "told before it happened");
    let [count] = &frames[8..] else { panic!("{frames:?}") };
    assert_eq!((count.lost, count.as_frame().len()), (12, 0));
    // With the next frame it stands at its place, and is not told again.
    defmt::info!("{=u64}", 99);
    forwarder.forward();
    forwarder.forward();
    let frames = told(&mut reader);
    assert_eq!(
        frames.iter().map(|frame| (number(frame), frame.lost)).collect::<Vec<_>>(),
        [(99, 12)]
    );
}

#[test]
fn a_frame_longer_than_its_place_costs_itself_and_no_other() {
    let (mut forwarder, mut reader) = log_of(8, 64);
    let long = "x".repeat(LOG_FRAME_BYTES_MAX);
    defmt::info!("{=u64}", 1);
    defmt::info!("{=str} {=u64}", long.as_str(), 7);
    defmt::info!("{=u64}", 2);
    forwarder.forward();
    let frames = told(&mut reader);
    let found: Vec<_> = frames.iter().map(|frame| (number(frame), frame.lost)).collect();
    assert_eq!(found, [(1, 0), (2, 1)]);
}

/// Logs while it is logged.
struct Chatty;

impl defmt::Format for Chatty {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::info!("inner {=u64}", 5);
        defmt::write!(f, "{=u64}", 6);
    }
}

#[test]
fn a_message_logged_inside_another_is_counted_and_leaves_the_outer_whole() {
    let (mut forwarder, mut reader) = log_of(8, 64);
    defmt::info!("{}", Chatty);
    defmt::info!("{=u64}", 2);
    forwarder.forward();
    let frames = told(&mut reader);
    assert_eq!(frames.len(), 2);
    assert!(frames[0].as_frame().windows(8).any(|bytes| bytes == 6_u64.to_le_bytes()));
    assert!(!frames[0].as_frame().windows(8).any(|bytes| bytes == 5_u64.to_le_bytes()));
    assert_eq!((number(&frames[1]), frames[1].lost), (2, 1));
}

#[test]
fn a_sealed_thread_logs_and_every_message_is_told_or_counted_however_small_the_queue() {
    const MESSAGES: u64 = 100_000;
    for places in [1, 2, 64, 4096] {
        let (ring, mut reader) = segment(1 << 18);
        let (writer, mut forwarder) = log::link(places, ring).expect("laid out");
        let logger = thread::spawn(move || {
            writer.install();
            sealed_alloc::seal();
            // The allocator ends this program if one of these allocates.
            (1..=MESSAGES).for_each(|n| defmt::info!("{=u64}", n));
            sealed_alloc::unseal();
        });
        while !logger.is_finished() {
            forwarder.forward();
        }
        logger.join().expect("it logged");
        forwarder.forward();
        let (mut messages, mut lost, mut last) = (0, 0, 0);
        for frame in told(&mut reader) {
            if !frame.as_frame().is_empty() {
                messages += 1;
                // What is missing between two frames is exactly what the count says.
                assert_eq!(number(&frame) - last - 1, frame.lost - lost, "{places} places");
                last = number(&frame);
                lost = frame.lost;
            }
            assert!(frame.lost >= lost);
            if frame.as_frame().is_empty() && frame.lost > lost {
                last += frame.lost - lost;
                lost = frame.lost;
            }
        }
        assert_eq!((messages + lost, last), (MESSAGES, MESSAGES), "{places} places");
    }
}

/// Frames that the journal writes for one record.
fn journal_of(
    journal: &mut Journal,
    record: &Telemetry,
    log: &mut (Forwarder, RingReader<'static, LogFrame>),
) -> Vec<LogFrame> {
    journal.tell(record);
    log.0.forward();
    told(&mut log.1)
}

fn says(frame: &LogFrame, words: &str) -> bool {
    frame.as_frame().windows(words.len()).any(|bytes| bytes == words.as_bytes())
}

#[test]
fn a_change_is_told_once_and_a_cycle_without_one_says_nothing() {
    let mut log = log_of(64, 64);
    let mut journal = Journal::default();
    let mut record = Telemetry::default();
    record.outcome.mode = Raw::new(Mode::Active);
    record.outcome.previous_mode = Raw::new(Mode::Active);
    assert!(journal_of(&mut journal, &record, &mut log).is_empty(), "nothing has happened");

    record.outcome.owner = Raw::new(Source::Pilot);
    let frames = journal_of(&mut journal, &record, &mut log);
    assert!(frames.len() == 1 && says(&frames[0], "pilot"), "{frames:?}");
    assert!(journal_of(&mut journal, &record, &mut log).is_empty(), "told once");

    record.outcome.mode = Raw::new(Mode::SafeStop);
    record.outcome.causes = FaultSet::of(Fault::OwnerStale);
    let frames = journal_of(&mut journal, &record, &mut log);
    let [mode] = &frames[..] else { panic!("{frames:?}") };
    assert!(says(mode, "Active") && says(mode, "SafeStop"));
    let causes = FaultSet::of(Fault::OwnerStale).0.to_le_bytes();
    assert!(mode.as_frame().windows(8).any(|bytes| bytes == causes));

    record.outcome.previous_mode = Raw::new(Mode::SafeStop);
    assert!(journal_of(&mut journal, &record, &mut log).is_empty());
    record.outcome.causes = record.outcome.causes.and(Fault::BatteryWarn, true);
    assert_eq!(journal_of(&mut journal, &record, &mut log).len(), 1, "a cause began");
}

#[test]
fn lateness_drive_errors_and_the_mirror_each_have_a_message() {
    let mut log = log_of(64, 64);
    let mut journal = Journal::default();
    let calm = Telemetry::default();
    let mut late = calm;
    late.outcome.late = 1;
    late.release.missed_releases = 3;
    assert_eq!(journal_of(&mut journal, &late, &mut log).len(), 2, "late, and releases missed");
    assert_eq!(journal_of(&mut journal, &late, &mut log).len(), 2, "each late cycle is an event");
    assert!(journal_of(&mut journal, &calm, &mut log).is_empty());

    let mut failing = calm;
    failing.observation.drive_error_count = 1;
    assert_eq!(journal_of(&mut journal, &failing, &mut log).len(), 1);
    failing.observation.drive_error_count = 2;
    assert!(journal_of(&mut journal, &failing, &mut log).is_empty(), "the same trouble");
    assert_eq!(journal_of(&mut journal, &calm, &mut log).len(), 1, "works again");

    let mut flipped = calm;
    flipped.observation.integrity = IntegrityFlags::MIRROR_MISMATCH;
    assert_eq!(journal_of(&mut journal, &flipped, &mut log).len(), 1);
}
