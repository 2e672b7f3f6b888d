//! What a shell sees: exit codes, what is on stdout, and what on stderr.

mod support;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use support::{Installed, stderr, stdout};

#[test]
fn help_gives_an_example_of_every_kind_and_names_the_exit_codes() {
    let output = Installed::new().run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = stdout(&output);
    for part in ["continuon sim --seconds 60", "continuon top", "2 misuse", "3 not possible here"] {
        assert!(help.contains(part), "{part} in {help}");
    }
    assert!(!help.contains("start-child"), "an inner step is nobody's business");
}

#[test]
fn every_command_teaches_by_example() {
    let installed = Installed::new();
    for command in [
        "sim", "arm", "disarm", "estop", "reset", "top", "why", "replay", "log", "record", "rlds",
        "config",
    ] {
        let help = stdout(&installed.run(&[command, "--help"]));
        assert!(help.contains(&format!("\n  continuon {command}")), "{command}: {help}");
    }
}

#[test]
fn a_wrong_option_is_misuse() {
    let installed = Installed::new();
    for args in [
        &["sim", "--secons", "3"][..],
        &["sim", "--seconds", "0"],
        &["sim", "--seconds", "-1"],
        &["sim", "--rate-hz", "1e3"],
        &["sim", "--scale", "-1"],
        &["sim", "--scale", "nan"],
        &["sim", "--spin-us", "often"],
        &["sim", "--rate-hz", "100000"],
        &["drive"],
        &["arm", "--robot", "a", "--run-dir", "b"],
        &["why", "soon"],
        &["why", "-1"],
        &["why", "--episode", "nowhere"],
        &["replay", "nowhere"],
        &["record", "--max-steps", "0"],
        &["record", "--xr-mode", "sleep_learning"],
        &["record", "--control-role", "human"],
        &["record", "--task", " "],
        &["log", "nowhere"],
        &["rlds", "validate", "nowhere"],
        &["rlds", "validate", "--profile", "lenient"],
        &["rlds", "export", "nowhere", "--to", "out", "--format", "tfds"],
        &["rlds", "export", "--to", "out", "--format", "zip"],
        &["rlds", "import", "nowhere", "--to", "out"],
        &["rlds", "import", "--to", "out"],
        &["log", "--level", "wran"],
        &["log", "somewhere", "--follow"],
    ] {
        assert_eq!(installed.run(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_wrong_number_is_told_with_what_was_expected() {
    let installed = Installed::new();
    for (option, value, expected) in [
        ("--seconds", "-1", "a whole number from 1 to 86400"),
        ("--rate-hz", "1e9", "a whole number from 50 to 4000"),
        ("--spin-us", "-5", "0 to 10000 (µs"),
        ("--scale", "-1", "a scale from 0.001 to 1000"),
    ] {
        let said = stderr(&installed.run(&["sim", option, value]));
        assert!(said.contains(expected) && said.contains(value), "{option} {value}: {said}");
    }
}

#[test]
fn with_json_even_arguments_that_name_no_command_are_one_object() {
    let installed = Installed::new();
    for args in [&["--json", "simm"][..], &["sim", "--seconds", "0", "--json"], &["--json"]] {
        let output = installed.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let told: Value = serde_json::from_str(&stdout(&output)).expect("one object");
        assert_eq!(told["exit_code"], 2);
        assert!(told["error"].as_str().is_some_and(|error| !error.is_empty()));
    }
}

#[test]
fn an_out_folder_that_is_not_text_is_refused_before_anything_is_made() {
    let installed = Installed::new();
    let output = installed
        .command(&["sim", "--out"])
        .arg(OsStr::from_bytes(b"runs\xff"))
        .output()
        .expect("started");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("UTF-8"), "{}", stderr(&output));
    assert!(!installed.path(OsStr::from_bytes(b"runs\xff")).exists());
}

#[test]
fn a_stderr_that_takes_nothing_changes_no_exit_code() {
    let full = || File::options().write(true).open("/dev/full").expect("every Linux has it");
    for (args, code) in [(&["arm", "--run-dir", "nowhere"][..], 2), (&["sim"], 3), (&["simm"], 2)] {
        let output = Installed::new().command(args).stderr(full()).output().expect("started");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn a_wrong_track_is_misuse_names_the_nearest_and_leaves_no_folder() {
    let installed = Installed::new();
    let output = installed.run(&["sim", "--track", "twistee"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("twisty"), "{}", stderr(&output));
    assert!(stdout(&output).is_empty());
    assert!(!installed.path("runs").exists());
}

#[test]
fn without_a_running_robot_it_is_not_possible_and_says_how_to_get_one() {
    let installed = Installed::new();
    for args in [&["arm"][..], &["disarm"], &["estop"], &["reset"], &["top", "--once"]] {
        let output = installed.run(args);
        // A robot of this machine's own may run in /run/continuon; then this says nothing.
        if stderr(&output).contains("no robot runs") {
            assert_eq!(output.status.code(), Some(3), "{args:?}");
            assert!(stderr(&output).contains("continuon sim"), "{}", stderr(&output));
        }
    }
    let output = installed.run(&["arm", "--run-dir", "nowhere"]);
    assert_eq!(output.status.code(), Some(2), "no folder of a run at all");
}

#[test]
fn with_json_an_error_is_one_object_too() {
    let output = Installed::new().run(&["--json", "arm", "--run-dir", "nowhere"]);
    let told: Value = serde_json::from_str(&stdout(&output)).expect("one object");
    assert_eq!(told["exit_code"], 2);
    assert!(told["error"].as_str().is_some_and(|error| error.contains("nowhere")));
}

#[test]
fn config_checks_explains_and_prints_a_schema() {
    let installed = Installed::new();
    let schema = installed.run(&["config", "schema"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).expect("a JSON schema");
    assert!(schema.get("properties").is_some());

    let wrong = installed.path("wrong.json");
    std::fs::write(&wrong, r#"{"name": "x", "board": "sim", "timimg": {}}"#).expect("written");
    let output = installed.run(&["config", "check", "wrong.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("timing"), "the nearest key: {}", stderr(&output));
    let output = installed.run(&["config", "check", "wrong.json", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let told: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(told["valid"], false);
    assert_eq!(told["errors"][0]["line"], 1);

    let right = installed.path("right.json");
    std::fs::write(&right, r#"{"name": "x", "board": "sim"}"#).expect("written");
    assert_eq!(installed.run(&["config", "check", "right.json"]).status.code(), Some(0));
    let output = installed.run(&["config", "explain", "right.json"]);
    assert!(stdout(&output).contains("period_us"), "{}", stdout(&output));
    assert_eq!(installed.run(&["config", "check", "none.json"]).status.code(), Some(2));
}

#[test]
fn of_several_robots_that_run_only_a_stop_may_take_the_newest() {
    let installed = Installed::new();
    let mut listeners = Vec::new();
    for run in ["runs/1-one", "runs/2-other"] {
        let dir = installed.path(run);
        std::fs::create_dir_all(&dir).expect("a folder");
        let robot = rt_config::Robot::resolve("sim-donkey").expect("built in");
        std::fs::write(dir.join("robot.json"), robot.json()).expect("written");
        let socket = dir.join(rt_shm::protocol::SEGMENTS_SOCKET);
        listeners.push(UnixListener::bind(socket).expect("bound"));
        // Without one it is a replay, which nobody can stop.
        std::fs::write(dir.join(rt_shm::protocol::OPERATOR_SOCKET), "").expect("written");
    }
    for args in [&["arm"][..], &["reset"], &["arm", "--robot", "sim-donkey"], &["top", "--once"]] {
        let output = installed.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        for part in ["1-one", "2-other", "--run-dir"] {
            assert!(stderr(&output).contains(part), "{part} in {}", stderr(&output));
        }
    }
    // Nobody answers there; but they were chosen, and asked.
    for stop in ["estop", "disarm"] {
        let output = installed.run(&[stop]);
        assert_eq!(output.status.code(), Some(3), "{stop}: {}", stderr(&output));
        assert!(stderr(&output).contains("untouched: sim-donkey in"), "{}", stderr(&output));
    }
    drop(listeners.pop());
    // A child that another test is just starting holds it open until it has become its program.
    let socket = installed.path("runs/2-other").join(rt_shm::protocol::SEGMENTS_SOCKET);
    while UnixStream::connect(&socket).is_ok() {
        std::thread::yield_now();
    }
    let output = installed.run(&["arm"]);
    assert_eq!(output.status.code(), Some(3), "the only one: {}", stderr(&output));
}
