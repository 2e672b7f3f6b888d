//! How a run treats its processes, shown with shell scripts in their places: nothing is left behind,
//! and whoever fails is named with its last words. The real ones drive in the workspace's `tests`.

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{Installed, stderr, stdout};

/// A program that says where it is and then stays.
const STAYS: &str = "echo $$ > \"$0.pid\"; echo starting >&2; exec sleep 600";

/// Puts a shell script beside our program.
fn with(installed: Installed, name: &str, script: &str) -> Installed {
    let path = installed.path(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    installed
}

fn pid_in(path: &Path) -> Option<Pid> {
    let text = fs::read_to_string(path).ok()?;
    text.trim().parse().ok().map(Pid::from_raw)
}

fn is_gone(pid: Pid) -> bool {
    // A child of a dead parent may wait a moment for init to bury it: a zombie has no command line.
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.is_empty()
}

/// Waits for something that must come, however slow the machine is.
fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn all_four(fast_loop: &str) -> Installed {
    let programs =
        [("fast-loop", fast_loop), ("plant", STAYS), ("pilot", STAYS), ("rlds-logger", STAYS)];
    programs
        .into_iter()
        .fold(Installed::new(), |installed, (name, script)| with(installed, name, script))
}

#[test]
fn a_missing_program_is_not_possible_and_is_named() {
    let output = Installed::new().run(&["sim"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("fast-loop: no such program"), "{}", stderr(&output));
}

#[test]
fn a_loop_that_ends_at_once_hands_its_exit_class_up_with_its_last_words() {
    for (code, expected) in [(2, 2), (3, 3), (101, 1), (0, 1)] {
        let installed = all_four(&format!("echo 'no memfd for us' >&2; exit {code}"));
        let output = installed.run(&["sim"]);
        assert_eq!(output.status.code(), Some(expected), "{}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains(&format!("exit {code}")), "{said}");
        assert!(said.contains("no memfd for us"), "{said}");
    }
}

#[test]
fn an_interrupted_start_leaves_no_process_behind() {
    let installed = all_four(STAYS);
    let mut child = installed.command(&["sim"]).stderr(Stdio::piped()).spawn().expect("started");
    let pid_file = installed.path("fast-loop.pid");
    until("the loop starts", || pid_in(&pid_file).is_some());
    let us = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(us, Signal::SIGINT).expect("still there");
    let status = child.wait().expect("ended");
    assert_eq!(status.code(), Some(1));
    assert!(is_gone(pid_in(&pid_file).expect("written")));
}

#[test]
fn what_was_started_ends_when_its_starter_is_killed() {
    let installed = all_four(STAYS);
    let mut child = installed.command(&["sim"]).stderr(Stdio::null()).spawn().expect("started");
    let pid_file = installed.path("fast-loop.pid");
    until("the loop starts", || pid_in(&pid_file).is_some());
    child.kill().expect("SIGKILL");
    child.wait().expect("ended");
    let pid = pid_in(&pid_file).expect("written");
    until("the kernel ends the child", || is_gone(pid));
}

#[test]
fn a_virtual_run_hands_everything_over_and_tells_what_it_was_told() {
    let installed = with(
        Installed::new(),
        "virtual-sim",
        r#"echo "$@" > "$0.args"; echo noise
echo '{"cycles": 5, "mode_final": "Disarmed", "plant": {"laps": 2, "lap_time_s": 13.5}}'"#,
    );
    let output = installed.run(&["sim", "--virtual", "--json", "--seconds", "7", "--seed", "9"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told: Value = serde_json::from_str(&stdout(&output)).expect("exactly one object");
    assert_eq!(told["plant"]["laps"], 2);
    assert_eq!(told["virtual"], true);
    assert!(told["conditions"]["machine"]["kernel"].is_string());
    let args = fs::read_to_string(installed.path("virtual-sim.args")).expect("written");
    for part in ["--seconds 7", "--seed 9", "--track twisty", "--scale 1", "--json", "robot.json"] {
        assert!(args.contains(part), "{part} in {args}");
    }
    let text = stdout(&installed.run(&["sim", "--virtual"]));
    assert!(text.contains("plant.laps") && text.contains("13.500"), "{text}");
}

#[test]
fn a_virtual_run_that_fails_hands_its_exit_code_up() {
    let installed = with(Installed::new(), "virtual-sim", "echo 'no such track' >&2; exit 2");
    let output = installed.run(&["sim", "--virtual", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let told: Value = serde_json::from_str(&stdout(&output)).expect("one object");
    assert!(told["error"].as_str().is_some_and(|error| error.contains("no such track")));
}
