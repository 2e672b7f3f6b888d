//! `continuon rlds keep`: the mark is put and taken away, and the answer says what changed.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn keep(arguments: &[&str], path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_continuon"));
    command.args(["rlds", "keep", "--json"]).args(arguments).arg(path).output().expect("it runs")
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn mark_is_put_on_every_episode_of_a_folder_and_taken_away_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let marks: Vec<_> = ["a", "b"].map(|name| dir.path().join(name).join(rlds::KEEP)).into();
    for name in ["a", "b"] {
        fs::create_dir_all(dir.path().join(name).join("steps")).expect("an episode");
    }
    for changed in [2, 0] {
        let output = keep(&[], dir.path());
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(answer(&output)["changed"], changed);
        assert!(marks.iter().all(|mark| mark.is_file()));
    }
    for changed in [2, 0] {
        let output = keep(&["--undo"], dir.path());
        assert_eq!(answer(&output)["changed"], changed);
        assert!(!marks.iter().any(|mark| mark.exists()));
    }
}

#[test]
fn folder_without_an_episode_is_misuse_and_gets_no_mark() {
    let dir = tempfile::tempdir().expect("a folder");
    let output = keep(&[], dir.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(!dir.path().join(rlds::KEEP).exists());
}
