//! `continuon rlds export` and `import` onto a real file system that is too small: exit code 2, the
//! file and the reason in words, nothing half-written left, the source as it was.

#[path = "../../rlds-logger/tests/common/small_disk.rs"]
mod small_disk;
mod support;

use rlds::{About, Closing, EpisodeWriter};
use rt_wire::{Mode, MonoNs, Source, Telemetry};
use small_disk::SmallDisk;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use support::{Installed, stderr, stdout};

const START: u64 = 5_000_000_000;

/// A minute at 1 kHz: a megabyte in every format.
fn record(episodes: &Path) -> PathBuf {
    let about = About {
        robot: "donkey".to_owned(),
        robot_model: "donkeycar".to_owned(),
        environment_id: "sim-twisty".to_owned(),
        frame_convention: "base_link".to_owned(),
        start_mono_ns: MonoNs(START),
        start_unix_ms: 1_795_000_000_123,
        step_rate_hz: 20,
        ..About::default()
    };
    let mut episode = EpisodeWriter::create(episodes, about, b"{}").expect("made");
    for n in 1..=60_000_u64 {
        let mut record = Telemetry {
            sequence: n,
            cycle_index: n,
            mono_ns: MonoNs(START + n * 1_000_000),
            ..Telemetry::default()
        };
        record.outcome.mode = Mode::Active.into();
        record.outcome.owner = Source::Pilot.into();
        let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        record.outcome.setpoint.steering = noise as f32 / (1 << 24) as f32;
        record.outcome.setpoint.throttle = (noise ^ 0x5555) as f32 / (1 << 24) as f32;
        episode.telemetry(n, &record);
    }
    episode.finish(Closing::Clean, "").path
}

/// Every file below `root` with what is in it.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn disk_that_is_full_during_an_export_leaves_nothing_half_written() {
    let installed = Installed::new();
    let episode = record(&installed.path("episodes"));
    let before = files(&episode);
    for format in ["tfds", "tfrecord", "lerobot", "dir", "mcap", "bundle"] {
        let Some(disk) = SmallDisk::mount(48) else { return };
        let to = disk.path().join("out");
        let (from, into) = (episode.display().to_string(), to.display().to_string());
        let output = installed.run(&["rlds", "export", &from, "--to", &into, "--format", format]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{format}: {}{said}", stdout(&output));
        assert!(said.contains("No space left"), "{format}: {said}");
        assert!(said.contains(&into), "{format}: {said}");
        let left: Vec<PathBuf> = files(&to).into_keys().collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{format}");
    }
    assert!(files(&episode) == before, "the source was touched");
}

#[test]
fn disk_that_is_full_during_an_import_leaves_nothing_half_written() {
    let Some(disk) = SmallDisk::mount(48) else { return };
    let installed = Installed::new();
    let episode = record(&installed.path("episodes"));
    let before = files(&episode);
    let to = disk.path().join("out");
    let (from, into) = (episode.display().to_string(), to.display().to_string());
    let output = installed.run(&["rlds", "import", &from, "--to", &into]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{}{said}", stdout(&output));
    assert!(said.contains("No space left"), "{said}");
    assert_eq!(files(&to).into_keys().collect::<Vec<_>>(), Vec::<PathBuf>::new());
    assert!(files(&episode) == before, "the source was touched");
}
