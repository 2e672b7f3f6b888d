//! Disks that stall, run full and fail: the ring is read on, what waits is told, and every record that
//! is not stored is counted.

mod common;

use common::{Rings, TestDisk, about, cycle};
use rlds::{Closing, EpisodeWriter, Summary};
use rlds_logger::{DiskThread, Drain, Ended, Observed, Progress, judge, record_until};
use rt_wire::{HeartbeatFlags, MonoNs};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};

/// Time stands still: no test here asks how long something takes.
fn now() -> MonoNs {
    MonoNs(1_000_000_000)
}

/// A door before each sync.
#[derive(Default)]
struct Door {
    is_shut: Mutex<bool>,
    changed: Condvar,
}

impl Door {
    fn set(&self, is_shut: bool) {
        *self.is_shut.lock().unwrap() = is_shut;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let shut = self.is_shut.lock().unwrap();
        drop(self.changed.wait_while(shut, |is_shut| *is_shut).unwrap());
    }
}

fn stalling(door: &Arc<Door>) -> TestDisk {
    let door = Arc::clone(door);
    let at_sync = move || {
        door.pass();
        Ok(())
    };
    TestDisk { at_sync: Arc::new(at_sync), ..TestDisk::new(usize::MAX) }
}

/// Records `cycles` cycles, ten at each look, with so much room in memory; `at_look` sees each look.
fn record(
    disk: TestDisk,
    room_bytes: usize,
    cycles: u64,
    mut at_look: impl FnMut(u64, Progress),
) -> Summary {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 4);
    let (mut telemetry, _keyframes) = rings.writers();
    let drain = Drain::new(rings.telemetry(), rings.keyframes(), rings.log());
    let episode = EpisodeWriter::create_in(disk, dir.path(), about(), b"{}").unwrap();
    let episode =
        episode.try_map_commit(|committer| DiskThread::start(committer, room_bytes, now)).unwrap();
    let (end, ended) = mpsc::channel();
    let mut published = 0;
    let look = |progress: Progress| {
        at_look(published, progress);
        if published == cycles {
            end.send(Ended::Told).unwrap();
        } else {
            (0..10).for_each(|_| {
                published += 1;
                telemetry.publish(&cycle(published));
            });
        }
    };
    record_until(drain, episode, &ended, now, look)
}

#[test]
fn stall_that_memory_can_bear_costs_nothing_and_is_told_while_it_lasts() {
    let door = Arc::new(Door::default());
    let (mut observed, mut looks, mut degraded, mut stored) = (Observed::default(), 0, 0, None);
    let summary = record(stalling(&door), 16 << 20, 6000, |published, progress| {
        // Five seconds of records come while the disk stands still.
        if published == 500 {
            door.set(true);
        }
        if (1000..5500).contains(&published) {
            // Nothing counts as stored that no sync has answered for.
            assert_eq!(progress.stored, *stored.get_or_insert(progress.stored));
            let later = MonoNs(now().0 + 2_000_000_000);
            let said = judge(&mut observed, &Progress { looked_at: later, ..progress }, later);
            looks += 1;
            degraded += u32::from(said.flags.has(HeartbeatFlags::LOG_DEGRADED));
        }
        if published == 5500 {
            door.set(false);
        }
    });
    assert!(stored.is_some_and(|stored| stored <= 600), "{stored:?}");
    assert_eq!(degraded, looks, "told at each look");
    assert_eq!((summary.note.telemetry_records, summary.telemetry_lost()), (6000, 0));
}

#[test]
fn stall_beyond_memory_is_counted_by_the_ring_to_the_record() {
    let door = Arc::new(Door::default());
    let summary = record(stalling(&door), 20_000, 6000, |published, _| {
        if published == 500 {
            door.set(true);
        }
        if published == 5500 {
            door.set(false);
        }
    });
    let note = &summary.note;
    assert!(note.telemetry_lost_ring > 1000, "{}", note.telemetry_lost_ring);
    assert_eq!(note.telemetry_lost_disk, 0);
    assert_eq!(note.telemetry_records + note.telemetry_lost_ring, 6000);
}

#[test]
fn sync_that_fails_is_final_and_costs_what_no_sync_had_answered_for() {
    let fails = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&fails);
    // ORDER: a flag alone.
    let at_sync = move || match told.load(Ordering::Relaxed) {
        // EIO.
        true => Err(io::Error::from_raw_os_error(5)),
        false => Ok(()),
    };
    let disk = TestDisk { at_sync: Arc::new(at_sync), ..TestDisk::new(usize::MAX) };
    let mut stored = 0;
    let summary = record(disk, 16 << 20, 3000, |published, progress| {
        if published == 1500 {
            stored = progress.stored;
        }
        // The disk answers again at the end: what it says of the past is not believed.
        // ORDER: a flag alone.
        fails.store((1500..2900).contains(&published), Ordering::Relaxed);
        if published == 2900 {
            assert!(!progress.is_whole);
        }
    });
    let note = &summary.note;
    assert_eq!(note.closing, Closing::DiskFailed);
    assert!(note.reason.contains("recording"), "{}", note.reason);
    assert!((stored..2900).contains(&note.telemetry_records), "{note:?}");
    assert_eq!(note.telemetry_records + note.telemetry_lost_disk, 3000);
}

#[test]
fn thread_that_writes_has_room_until_what_waits_fills_it() {
    let door = Arc::new(Door::default());
    let dir = tempfile::tempdir().unwrap();
    let episode = EpisodeWriter::create_in(stalling(&door), dir.path(), about(), b"{}").unwrap();
    let mut episode =
        episode.try_map_commit(|committer| DiskThread::start(committer, 30_000, now)).unwrap();
    door.set(true);
    let mut n = 0;
    while episode.has_room() {
        n += 1;
        episode.telemetry(n, &cycle(n));
        assert!(n < 100_000, "it never fills");
    }
    assert!(episode.standing().waiting_since.is_some());
    door.set(false);
    let summary = episode.finish(Closing::Clean, "");
    assert_eq!(summary.note.telemetry_records, n);
}
