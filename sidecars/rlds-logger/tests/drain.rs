//! The recorder's core against a ring in this process, with a writer that laps it: what it counts
//! is what an independent reader counts, and what is on the disk is what was published.

mod common;

use common::{LOG_DEPTH, Rings, TestDisk, about, cycle, keyframe, log_frame};
use rlds::{Closing, Entry, EpisodeWriter, RecordingReader, Summary};
use rlds_logger::{Drain, Drained, Ended, Progress, record_until};
use rt_ring::Read;
use rt_wire::{LogFrame, MonoNs, Telemetry};
use std::collections::BTreeSet;
use std::sync::mpsc;
use zerocopy::IntoBytes;

const ALL: u32 = u32::MAX;
/// A chunk of 200 of these cycles, packed, with its index: not less than this.
const CHUNK_BYTES: usize = 10_000;

fn episode(dir: &tempfile::TempDir) -> EpisodeWriter {
    EpisodeWriter::create(dir.path(), about(), b"{}").unwrap()
}

fn recorded(summary: &Summary) -> Vec<Entry> {
    let recording = summary.path.join("blobs/recording.mcap");
    let entries = RecordingReader::open(&recording).unwrap().map(|entry| entry.unwrap());
    // Events are told by the telemetry as well.
    entries.filter(|entry| !matches!(entry, Entry::Event(_))).collect()
}

fn sequences(entries: &[Entry]) -> Vec<u64> {
    let sequence = |entry: &Entry| match entry {
        Entry::Telemetry(record) => Some(record.sequence),
        Entry::Keyframe(_)
        | Entry::Log(_)
        | Entry::Loss(_)
        | Entry::Event(_)
        | Entry::Frame(_) => None,
    };
    entries.iter().filter_map(sequence).collect()
}

#[test]
fn reader_that_keeps_up_records_every_record_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 4);
    let (mut telemetry, _keyframes) = rings.writers();
    let mut drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    let mut episode = episode(&dir);
    for n in 1..=1000 {
        telemetry.publish(&cycle(n));
        if n % 40 == 0 {
            assert_eq!(drain.drain(&mut episode, ALL), Drained::Empty);
        }
    }
    drain.finish(&mut episode);
    let summary = episode.finish(Closing::Clean, "");
    assert_eq!((summary.note.telemetry_records, summary.telemetry_lost()), (1000, 0));
    for (n, entry) in (1..).zip(recorded(&summary)) {
        let Entry::Telemetry(record) = entry else { panic!("{entry:?}") };
        assert_eq!(record.as_bytes(), cycle(n).as_bytes());
    }
}

#[test]
fn counts_agree_with_an_independent_reader_however_often_it_is_lapped() {
    // The recorder looks at different moments: sometimes in time, sometimes laps behind.
    for pauses in [[3, 70, 1, 500], [64, 64, 64, 64], [1, 1, 1, 4000], [65, 63, 128, 129]] {
        let dir = tempfile::tempdir().unwrap();
        let rings = Rings::new(64, 4);
        let (mut telemetry, _keyframes) = rings.writers();
        let mut drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
        let mut independent = rings.telemetry();
        let mut episode = episode(&dir);
        let (mut published, mut seen, mut lost) = (0, BTreeSet::new(), 0);
        for pause in pauses.into_iter().cycle().take(40) {
            for _ in 0..pause {
                published += 1;
                telemetry.publish(&cycle(published));
            }
            drain.drain(&mut episode, ALL);
            loop {
                match independent.read() {
                    Read::Record { sequence, .. } => {
                        seen.insert(sequence);
                    }
                    Read::Lapped { lost: more } => lost += more,
                    Read::Empty => break,
                    Read::Corrupt => panic!("corrupt"),
                }
            }
        }
        let summary = episode.finish(Closing::Clean, "");
        let note = &summary.note;
        assert_eq!(note.telemetry_lost_ring, lost);
        assert_eq!(note.telemetry_records + note.telemetry_lost_ring, published);
        assert_eq!(note.telemetry_lost_disk, 0);
        let entries = recorded(&summary);
        assert_eq!(sequences(&entries), seen.into_iter().collect::<Vec<_>>());
        let told: u64 = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Loss(loss) => Some(loss.lost),
                _ => None,
            })
            .sum();
        assert_eq!(told, lost, "each loss stands in the recording");
    }
}

#[test]
fn loss_stands_right_before_the_first_record_that_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(8, 4);
    let (mut telemetry, _keyframes) = rings.writers();
    let mut drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    let mut episode = episode(&dir);
    telemetry.publish(&cycle(1));
    drain.drain(&mut episode, ALL);
    (2..=30).for_each(|n| telemetry.publish(&cycle(n)));
    drain.drain(&mut episode, ALL);
    let summary = episode.finish(Closing::Clean, "");
    let entries = recorded(&summary);
    let Entry::Loss(loss) = &entries[1] else { panic!("{:?}", entries[1]) };
    assert_eq!(loss.topic, "sim-donkey.fast-loop.telemetry.ring");
    assert_eq!(loss.before_sequence, 2 + loss.lost);
    assert_eq!(sequences(&entries)[1], loss.before_sequence);
    assert_eq!(summary.note.telemetry_lost_ring, loss.lost);
}

#[test]
fn keyframe_stands_between_its_cycle_and_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let (mut telemetry, mut keyframes) = rings.writers();
    let mut drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    let mut episode = episode(&dir);
    for n in 1..=50 {
        telemetry.publish(&cycle(n));
        // The recorder may look between a record and its keyframe.
        if n % 7 == 0 {
            drain.drain(&mut episode, ALL);
        }
        if n % 10 == 0 {
            keyframes.publish(&keyframe(n));
        }
    }
    drain.drain(&mut episode, ALL);
    drain.finish(&mut episode);
    let summary = episode.finish(Closing::Clean, "");
    assert_eq!((summary.note.keyframes, summary.note.keyframes_lost), (5, 0));
    let mut last_cycle = 0;
    for entry in recorded(&summary) {
        match entry {
            Entry::Telemetry(record) => {
                assert_eq!(record.cycle_index, last_cycle + 1);
                last_cycle += 1;
            }
            Entry::Keyframe(state) => assert_eq!(state.cycle_index, last_cycle),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn limit_of_a_batch_leaves_the_rest_for_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 4);
    let (mut telemetry, _keyframes) = rings.writers();
    let mut drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    let mut episode = episode(&dir);
    (1..=25).for_each(|n| telemetry.publish(&cycle(n)));
    assert_eq!(drain.drain(&mut episode, 10), Drained::More);
    assert_eq!(drain.drain(&mut episode, 10), Drained::More);
    assert_eq!(drain.drain(&mut episode, 10), Drained::Empty);
    assert_eq!(episode.note().last_sequence, 25);
}

#[test]
fn ring_that_is_made_anew_ends_the_episode_with_what_came_before() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 4);
    let (mut telemetry, _keyframes) = rings.writers();
    let drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    (1..=25).for_each(|n| telemetry.publish(&cycle(n)));
    let (_end, ended) = mpsc::channel();
    let mut looks = 0;
    // The loop comes back while the recorder still holds the old ring.
    let anew = |_: Progress| {
        looks += 1;
        if looks == 1 {
            rings.make_telemetry_anew();
        }
    };
    let summary = record_until(drain, episode(&dir), &ended, || MonoNs(0), anew);
    assert_eq!(summary.note.closing, Closing::LoopLost);
    assert!(summary.note.reason.contains("ring"), "{}", summary.note.reason);
    assert_eq!(sequences(&recorded(&summary)), (1..=25).collect::<Vec<_>>());
}

#[test]
fn recorder_that_is_told_to_end_drains_the_ring_first() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(4096, 4);
    let (mut telemetry, mut keyframes) = rings.writers();
    let drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    (1..=3000).for_each(|n| telemetry.publish(&cycle(n)));
    keyframes.publish(&keyframe(3000));
    let (end, ended) = mpsc::channel();
    end.send(Ended::LoopEnded).unwrap();
    let mut newest = Progress::default();
    let summary =
        record_until(drain, episode(&dir), &ended, || MonoNs(7), |progress| newest = progress);
    assert_eq!(summary.note.closing, Closing::Clean);
    assert_eq!((summary.note.telemetry_records, summary.note.keyframes), (3000, 1));
    assert_eq!((newest.last_sequence, newest.looked_at), (3000, MonoNs(7)));
    assert!(newest.is_whole);
}

#[test]
fn records_between_the_last_look_and_the_end_are_in_the_episode() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 4);
    let (mut telemetry, _keyframes) = rings.writers();
    let drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    let (end, ended) = mpsc::channel();
    end.send(Ended::LoopEnded).unwrap();
    // The loop's last words come after the recorder looked, and before it hears of the end.
    let last_words = |_: Progress| (1..=25).for_each(|n| telemetry.publish(&cycle(n)));
    let summary = record_until(drain, episode(&dir), &ended, || MonoNs(0), last_words);
    assert_eq!(sequences(&recorded(&summary)), (1..=25).collect::<Vec<_>>());
    assert_eq!(summary.note.closing, Closing::Clean);
}

#[test]
fn loop_that_went_without_a_word_is_told_and_nothing_of_it_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 4);
    let (mut telemetry, _keyframes) = rings.writers();
    let drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    (1..=50).for_each(|n| telemetry.publish(&cycle(n)));
    let (end, ended) = mpsc::channel();
    end.send(Ended::LoopGone).unwrap();
    let summary = record_until(drain, episode(&dir), &ended, || MonoNs(0), |_| ());
    assert_eq!(summary.note.closing, Closing::LoopLost);
    assert_eq!((summary.note.telemetry_records, summary.telemetry_lost()), (50, 0));
}

#[test]
fn record_of_a_cycle_fits_the_layout_that_the_ring_was_made_for() {
    // Guards the tests themselves: a record that is all zero would make "byte for byte" hollow.
    assert_ne!(cycle(1).as_bytes(), Telemetry::default().as_bytes());
    assert_ne!(cycle(1).as_bytes(), cycle(2).as_bytes());
}

#[test]
fn full_disk_never_stops_the_recorder_and_each_record_it_costs_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 4);
    let (mut telemetry, _keyframes) = rings.writers();
    let drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    // Room for what stands before the first record, and for 5 chunks or so of the 10.
    let disk = TestDisk::new(usize::MAX);
    drop(EpisodeWriter::create_in(disk.clone(), dir.path(), about(), b"{}").unwrap());
    let begin = *disk.bytes.lock().unwrap();
    let disk = TestDisk::new(begin + 5 * CHUNK_BYTES);
    let episode = EpisodeWriter::create_in(disk, dir.path(), about(), b"{}").unwrap();
    let (end, ended) = mpsc::channel();
    let (mut published, mut degraded_at, mut last) = (0, None, Progress::default());
    // Each look at the ring finds 40 more records, until 2000 are published.
    let publish = |progress: Progress| {
        last = progress;
        if !progress.is_whole && degraded_at.is_none() {
            degraded_at = Some(progress.last_sequence);
        }
        if published == 2000 {
            end.send(Ended::Told).unwrap();
        } else {
            (0..40).for_each(|_| {
                published += 1;
                telemetry.publish(&cycle(published));
            });
        }
    };
    let summary = record_until(drain, episode, &ended, || MonoNs(0), publish);
    let note = &summary.note;
    assert_eq!(note.closing, Closing::DiskFailed);
    assert_eq!(note.telemetry_records + note.telemetry_lost_disk, 2000);
    assert_eq!(note.telemetry_lost_ring, 0);
    assert!(note.telemetry_records >= 400, "what fits is kept: {}", note.telemetry_records);
    assert!(degraded_at.is_some_and(|at| at < 1000), "told while it happens: {degraded_at:?}");
    assert_eq!((last.last_sequence, last.is_whole), (2000, false));
    assert_eq!(last.lost_disk, note.telemetry_lost_disk);
}

#[test]
fn log_frames_are_recorded_in_order_and_what_was_overwritten_is_told_before_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 4);
    let mut log = rings.log_writer();
    let mut drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    let mut episode = episode(&dir);
    (1..=5).for_each(|n| log.publish(&log_frame(n)));
    assert_eq!(drain.drain(&mut episode, ALL), Drained::Empty);
    // More than the ring holds, and a loss that the loop itself tells.
    (6..=45).for_each(|n| log.publish(&log_frame(n)));
    log.publish(&LogFrame { lost: 3, ..log_frame(46) });
    drain.finish(&mut episode);
    let summary = episode.finish(Closing::Clean, "");
    let (mut expected, mut lost) = (1, 0);
    for entry in recorded(&summary) {
        match entry {
            Entry::Log(frame) => {
                assert_eq!(frame.sequence, expected);
                expected += 1;
            }
            Entry::Loss(loss) => {
                assert_eq!(loss.topic, "sim-donkey.fast-loop.log.ring");
                expected += loss.lost;
                lost += loss.lost;
                assert_eq!(loss.before_sequence, expected);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(expected, 47);
    assert!(lost > 0, "40 frames went through a ring of {LOG_DEPTH}");
    let note = &summary.note;
    assert_eq!((note.log_frames, note.log_frames_lost), (46 - lost, lost + 3));
}
