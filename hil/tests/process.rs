//! The `plant` process from outside: what it refuses, and with which exit code.

use std::path::Path;
use std::process::{Command, Output};

fn plant(run_dir: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plant"))
        .args(["--attach-timeout-s", "0", "--run-dir"])
        .arg(run_dir)
        .args(more)
        .output()
        .expect("the program starts")
}

fn refused(more: &[&str], code: i32, words: &[&str]) {
    let dir = tempfile::tempdir().expect("a folder");
    let output = plant(dir.path(), more);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty(), "no last word of a car that never was");
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[test]
fn what_is_written_wrong_is_misuse_and_names_the_nearest() {
    refused(&["--robot", "sim-donkey", "--track", "twsity"], 2, &["twsity", "twisty"]);
    refused(&["--robot", "sim-donky"], 2, &["sim-donkey"]);
    refused(&["--robot", "sim-donkey", "--scale", "NaN"], 2, &["scale"]);
    refused(&["--robot", "sim-donkey", "--params", "no-such.json"], 2, &["no-such.json"]);
    refused(&["--robot", "sim-donkey", "--sed", "3"], 2, &["--seed"]);
}

#[test]
fn a_robot_that_moves_something_real_gets_no_simulated_world() {
    refused(&["--robot", "pi5-donkey"], 2, &["board", "sim"]);
}

#[test]
fn without_a_loop_it_is_not_possible_and_says_so() {
    refused(&["--robot", "sim-donkey"], 3, &["no fast-loop runs", "sim-donkey"]);
}
