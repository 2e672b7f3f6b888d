//! The real recorder, killed again and again while it records: the next one puts in order what it
//! left, and nothing that was acknowledged is missing.
//!
//! A step is written once the disk has the records that it was made of: what stands in the steps file
//! when the recorder is killed was acknowledged. A thousand of these are `cargo xtask rel rlds`.

mod common;

use common::{ROBOT, TestLoop, cycle};
use rlds::{Closing, Entry, EpisodeNote, RecordingReader, Tail};
use rt_wire::HeartbeatFlags;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Cycles that the loop publishes between two looks at the recorder.
const BURST: u64 = 50;

#[test]
fn fifty_kills_lose_nothing_that_was_acknowledged() {
    kill_often(50);
}

#[test]
#[ignore = "a thousand kills take minutes: cargo xtask rel rlds"]
fn thousand_kills_lose_nothing_that_was_acknowledged() {
    kill_often(1000);
}

fn kill_often(kills: u64) {
    let dir = tempfile::tempdir().unwrap();
    let episodes_dir = dir.path().join("rlds/episodes");
    let mut the_loop = TestLoop::start(dir.path());
    let (mut n, mut acknowledged_records) = (0, 0);
    let mut known: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for kill in 0..kills {
        let mut child = logger(dir.path());
        let pid = child.id();
        // It begins with what the ring still holds: what came before it must not be overwritten.
        the_loop.wait_for_heartbeat(|beat| {
            beat.pid == pid
                && beat.flags.has(HeartbeatFlags::RECORDING)
                && beat.last_sequence_read >= n
        });
        let episode = newest(&episodes_dir);
        // Each is killed at another point of its chunk, and after another time.
        for _ in 0..3 + kill % 17 {
            (0..BURST).for_each(|_| {
                n += 1;
                the_loop.telemetry.publish(&cycle(n));
            });
            let read = n;
            the_loop.wait_for_heartbeat(|beat| beat.last_sequence_read >= read);
        }
        let steps = fs::read(episode.join("steps/000000.jsonl")).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        known.push((episode, steps));
    }
    // The last has no successor that would have put it in order.
    rlds_logger::recover_all(&episodes_dir);
    for (episode, steps) in known {
        let report = rlds::fsck::check(&episode).unwrap();
        assert_eq!(report.findings, [], "{}", episode.display());
        let note: EpisodeNote =
            serde_json::from_slice(&fs::read(episode.join("episode.json")).unwrap()).unwrap();
        assert_eq!(note.closing, Closing::Recovered);
        let whole_lines = steps.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let after = fs::read(episode.join("steps/000000.jsonl")).unwrap();
        assert!(after.starts_with(&steps[..whole_lines]), "an acknowledged step is lost");
        acknowledged_records += whole_lines;
        let mut reader = RecordingReader::open(&rlds::recording_path(&episode)).unwrap();
        let mut expected = None;
        while let Some(entry) = reader.next_entry().unwrap() {
            if let Entry::Telemetry(record) = entry {
                assert_eq!(record, cycle(record.sequence), "nothing that was not written");
                assert_eq!(record.sequence, *expected.get_or_insert(record.sequence));
                expected = Some(record.sequence + 1);
            }
        }
        assert_eq!(*reader.tail(), Tail::Complete);
    }
    assert!(acknowledged_records > 0, "no step was ever acknowledged: this shows nothing");
    the_loop.end();
}

fn logger(run_dir: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rlds-logger"));
    command.args(["--robot", ROBOT, "--attach-timeout-s", "20", "--run-dir"]).arg(run_dir);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Of several within a second, the newest has the highest number behind its name.
fn newest(episodes_dir: &Path) -> PathBuf {
    let entries = fs::read_dir(episodes_dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .max_by_key(|path| (fs::metadata(path).unwrap().created().unwrap(), path.clone()))
        .unwrap()
}
