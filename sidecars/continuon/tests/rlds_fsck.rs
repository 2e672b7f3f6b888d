//! `continuon rlds fsck`: what a killed recorder left is told, put in order, and then whole.

use rlds::{About, EpisodeWriter};
use rt_wire::{MonoNs, Telemetry};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An episode of a second, whose recorder was killed.
fn killed(dir: &Path) -> PathBuf {
    let about = About { robot: "sim-donkey".to_owned(), step_rate_hz: 20, ..About::default() };
    let mut episode = EpisodeWriter::create(dir, about, b"{}").expect("begun");
    for n in 1..=1000 {
        let mono_ns = MonoNs(n * 1_000_000);
        episode.telemetry(n, &Telemetry { sequence: n, mono_ns, ..Telemetry::default() });
    }
    episode.path().to_owned()
}

fn fsck(arguments: &[&str], path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_continuon"));
    command.args(["rlds", "fsck"]).args(arguments).arg(path).output().expect("it runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn killed_recorders_episode_is_a_no_until_it_is_repaired_and_the_loss_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = killed(dir.path());
    let looked = fsck(&[], &path);
    assert_eq!(looked.status.code(), Some(1));
    let told = stdout(&looked);
    assert!(told.contains("blobs/recording.mcap, byte"), "{told}");
    assert!(told.contains("NOT whole") && told.contains("--repair"), "{told}");
    let repaired = fsck(&["--repair"], &path);
    assert_eq!(repaired.status.code(), Some(0));
    let told = stdout(&repaired);
    assert!(told.contains("repaired, 800 records") && told.contains("after record 800"), "{told}");
    let again = fsck(&["--json"], dir.path());
    assert_eq!(again.status.code(), Some(0));
    let answer: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(answer["whole"], true);
    assert_eq!(answer["episodes"][0]["closing"], "recovered");
    assert_eq!(answer["episodes"][0]["telemetry_records"], 800);
}

#[test]
fn what_is_no_episode_is_misuse() {
    let dir = tempfile::tempdir().expect("a folder");
    let looked = fsck(&["--repair"], dir.path());
    assert_eq!(looked.status.code(), Some(2));
    let told = String::from_utf8_lossy(&looked.stderr).into_owned();
    assert!(told.contains(&dir.path().display().to_string()), "{told}");
}
