//! The run directory: one loop at a time, and clear words where there is none.

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process;

use common::{ROBOT, TestLoop, client, run_dir};
use rt_shm::{Client, OperatorServer, RunDir, SegmentServer, Segments, ShmError};
use rt_wire::topics::{self, TELEMETRY};
use rt_wire::{Command, Telemetry};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn connect(dir: &Path) -> ShmError {
    Client::connect(dir, ROBOT, topics::PILOT).expect_err("nobody serves there")
}

#[test]
fn two_loops_in_one_directory_are_refused_with_the_pid_of_the_first() {
    let dir = run_dir();
    let _first = TestLoop::start(dir.path());
    let error = RunDir::create(dir.path()).expect("a directory").lock().expect_err("taken");
    assert_eq!(
        error.to_string(),
        format!(
            "another fast-loop serves this robot (pid {}, {}): stop it first",
            process::id(),
            dir.path().display()
        )
    );
    client(dir.path(), topics::PILOT).ring_reader::<Telemetry>(&TELEMETRY).expect("undisturbed");
}

#[test]
fn the_lock_lasts_until_the_last_server_has_ended() {
    let dir = run_dir();
    let run_dir = RunDir::create(dir.path()).expect("a directory");
    let lock = run_dir.lock().expect("free");
    let operator = OperatorServer::bind(&lock, &[]).expect("bind");
    drop(lock);
    assert!(matches!(run_dir.lock(), Err(ShmError::AnotherLoop { .. })));
    drop(operator);
    run_dir.lock().expect("free again");
}

#[test]
fn sockets_left_by_a_dead_loop_are_replaced() {
    let dir = run_dir();
    for name in ["segments.sock", "operator.sock"] {
        // Bound once and closed without unlinking, as after kill -9.
        drop(std::os::unix::net::UnixListener::bind(dir.path().join(name)).expect("bind"));
    }
    let error = connect(dir.path()).to_string();
    assert!(error.contains("a dead one left its segments.sock"), "{error}");
    fs::write(dir.path().join("fast-loop.lock"), "4194304\n").expect("a dead pid");

    let _loop = TestLoop::start(dir.path());
    client(dir.path(), topics::PILOT).ring_reader::<Telemetry>(&TELEMETRY).expect("it serves");
    let written = fs::read_to_string(dir.path().join("fast-loop.lock")).expect("the lock file");
    assert_eq!(written, format!("{}\n", process::id()));
}

#[test]
fn a_file_that_is_no_socket_is_never_removed() {
    let dir = run_dir();
    let path = dir.path().join("segments.sock");
    fs::write(&path, "precious").expect("write");
    let lock = RunDir::create(dir.path()).expect("a directory").lock().expect("free");
    let segments = Segments::create(ROBOT, false, false).expect("segments");
    let error = SegmentServer::bind(&lock, segments).expect_err("in the way");
    assert!(error.to_string().contains("is there and is no socket: remove it"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
}

#[test]
fn without_a_loop_the_client_says_what_to_start() {
    let dir = run_dir();
    assert_eq!(
        connect(dir.path()).to_string(),
        format!(
            "no fast-loop runs for robot sim-donkey in {} (no segments.sock): start one with \
             `continuon sim`",
            dir.path().display()
        )
    );
    let missing = dir.path().join("not-here");
    assert_eq!(
        connect(&missing).to_string(),
        format!(
            "no fast-loop runs for robot sim-donkey in {} (no such directory): start one with \
             `continuon sim`",
            missing.display()
        )
    );
}

#[test]
fn an_ended_loop_leaves_no_socket() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let path = dir.path().join("segments.sock");
    assert!(fs::metadata(&path).expect("it is there").file_type().is_socket());
    test_loop.end();
    assert!(!path.exists());
}

#[test]
fn modes_let_all_stop_the_car_and_only_the_group_attach() {
    let dir = run_dir();
    let path = dir.path().join("robot");
    let run_dir = RunDir::create(&path).expect("made");
    let lock = run_dir.lock().expect("free");
    let segments = Segments::create(ROBOT, false, false).expect("segments");
    let _segments = SegmentServer::bind(&lock, segments).expect("bind");
    let _operator = OperatorServer::bind(&lock, &[]).expect("bind");
    assert_eq!(mode(&path), 0o751);
    assert_eq!(mode(&path.join("segments.sock")), 0o660);
    assert_eq!(mode(&path.join("operator.sock")), 0o666);
}

#[test]
fn a_directory_that_everybody_may_write_is_refused() {
    let dir = run_dir();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
    let error = RunDir::create(dir.path()).expect_err("anybody could put sockets there");
    assert_eq!(
        error.to_string(),
        format!(
            "run directory {}: mode 0777: everybody could put sockets there: chmod o-w",
            dir.path().display()
        )
    );
    let file = dir.path().join("file");
    fs::write(&file, "").expect("write");
    let error = RunDir::create(&file).expect_err("no directory").to_string();
    assert!(error.ends_with("not a directory"), "{error}");
}

#[test]
fn a_path_too_long_for_a_socket_still_serves() {
    let dir = run_dir();
    let path = dir.path().join("a-long-name-".repeat(12)).join("robot");
    assert!(path.as_os_str().len() > 108);
    let test_loop = TestLoop::start(&path);
    let mut pilot = client(&path, topics::PILOT);
    pilot.slot_writer::<Command>(&topics::COMMANDS[2]).expect("attach");
    assert_eq!(test_loop.world.lock().unwrap().installed.len(), 1);
}

#[test]
fn a_robot_without_a_name_is_refused() {
    assert!(Segments::create("", false, false).is_err());
    let error = Segments::create(&"x".repeat(48), false, false).expect_err("too long");
    let named = format!("robot `{}`: 48 bytes, expected 1 to 47", "x".repeat(48));
    assert!(error.to_string().starts_with(&named), "{error}");
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let error = Client::connect(dir.path(), ROBOT, "a-process-without-end").expect_err("no room");
    let named = "process `a-process-without-end`: 21 bytes, expected 1 to 15";
    assert!(error.to_string().starts_with(named), "{error}");
}
