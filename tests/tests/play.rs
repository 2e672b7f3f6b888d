//! `continuon rlds play` before the real recorder: what is played is recorded again, record for record,
//! and still replays.

use rlds::{About, Entry, RecordingReader, RecordingWriter, recording_path};
use rt_wire::MonoNs;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tests::real_robot::{Running, program};
use tests::recorded::{Drive, drive};

/// Fewer than the ring holds: however slow this machine is, the recorder is never lapped.
const CYCLES: u64 = 3500;

fn record(folder: &Path, drive: &Drive) -> PathBuf {
    let path = recording_path(&folder.join("ep_1"));
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let about = About {
        robot: drive.robot.name().to_owned(),
        build_id: 7,
        start_mono_ns: MonoNs(1),
        start_unix_ms: 1_795_000_000_123,
        step_rate_hz: 20,
        ..About::default()
    };
    let file = File::create(&path).expect("a file");
    let json = drive.robot.json().as_bytes();
    let mut recording = RecordingWriter::create(file, &about, json).expect("begun");
    for entry in &drive.entries {
        match entry {
            Entry::Telemetry(record) => {
                if recording.is_due(record.mono_ns) {
                    recording.flush().expect("written");
                }
                recording.telemetry(record.sequence, record);
            }
            Entry::Keyframe(state) => recording.keyframe(1, state),
            _ => {}
        }
    }
    recording.finish().map_err(|(error, _)| error).expect("closed");
    path
}

/// Rings of one kind are in order; how two kinds lie among each other is the recorder's pace.
fn rings(entries: impl Iterator<Item = Entry>) -> (Vec<Entry>, Vec<Entry>) {
    let is_of_a_ring = |entry: &Entry| matches!(entry, Entry::Telemetry(_) | Entry::Keyframe(_));
    entries.filter(is_of_a_ring).partition(|entry| matches!(entry, Entry::Telemetry(_)))
}

#[test]
fn episode_that_is_played_and_recorded_again_is_the_same_and_replays_identical() {
    let folder = tempfile::tempdir().expect("a folder");
    let drive = drive(CYCLES);
    let original = record(folder.path(), &drive);
    let run_dir = folder.path().join("replay");
    let player = Running::start(
        program("continuon")
            .args(["--json", "rlds", "play"])
            .arg(&original)
            .args(["--speed", "4", "--wait-for", "rlds-logger", "--run-dir"])
            .arg(&run_dir)
            .current_dir(folder.path()),
    );
    let output = program("rlds-logger")
        .args(["--json", "--attach-timeout-s", "60", "--robot", "sim-donkey", "--run-dir"])
        .arg(&run_dir)
        .output()
        .expect("started");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    let (status, told) = player.end();
    assert!(status.success(), "{told}");
    let played: Value = serde_json::from_str(told.trim()).expect("one JSON object");
    let recorded: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(played["telemetry_records"], CYCLES);
    assert_eq!(recorded["telemetry_records"], CYCLES, "{words}");
    assert_eq!(recorded["telemetry_lost"], 0);
    assert_eq!(recorded["closing"], "clean", "a replay says its last word");
    let again = PathBuf::from(recorded["episode"].as_str().expect("a path"));
    let reader = RecordingReader::open(&recording_path(&again)).expect("opened");
    assert_eq!(reader.about().environment_id, "replay-of-sim");
    let found = rings(reader.map(|entry| entry.expect("whole")));
    assert!(found == rings(drive.entries.iter().cloned()), "some record is another");

    let replay = program("continuon").args(["--json", "replay"]).arg(&again).output();
    let verdict: Value =
        serde_json::from_slice(&replay.expect("started").stdout).expect("one JSON object");
    assert_eq!(verdict["verdict"], "identical", "{verdict:#}");
}
