//! Limits that are reached: an error with a name, at the start and while serving, and no signal.
//!
//! These tests lower the limits of the whole process, so they take turns.

mod common;

use std::sync::Mutex;

use common::{ROBOT, TestLoop, client, run_dir};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rt_shm::{Segments, ShmError};
use rt_wire::topics::{self, COMMANDS, TELEMETRY};
use rt_wire::{Command, Telemetry};

/// Whose turn it is.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `act` under a lower soft limit.
fn under<T>(resource: Resource, limit: u64, act: impl FnOnce() -> T) -> T {
    let (soft, hard) = getrlimit(resource).expect("the limit");
    setrlimit(resource, limit.min(hard), hard).expect("a lower one");
    let result = act();
    setrlimit(resource, soft, hard).expect("the old one");
    result
}

fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").expect("proc").count() as u64
}

#[test]
fn a_limit_that_is_reached_is_an_error_that_names_it() {
    let _turn = TURN.lock();
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let mut pilot = client(dir.path(), topics::PILOT);

    let create = || Segments::create(ROBOT, true, false).expect_err("too little");
    let error = under(Resource::RLIMIT_FSIZE, 4096, create);
    assert!(matches!(error, ShmError::NoMemory { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("segment sim-donkey.fast-loop.telemetry.ring: no memory"), "{text}");
    assert!(text.contains("RLIMIT_FSIZE is 4096 bytes: raise it with `ulimit -f`"), "{text}");

    // The lowest free descriptor is the first above the limit.
    let files = open_files();
    let error = under(Resource::RLIMIT_NOFILE, files - 1, create);
    let text = error.to_string();
    let named = format!("RLIMIT_NOFILE is {} open files: raise it with `ulimit -n`", files - 1);
    assert!(text.contains(": no descriptor: EMFILE") && text.contains(&named), "{text}");

    // A peer that attaches when there is nothing left hears of it, and the server lives on.
    let attach = || pilot.slot_writer::<Command>(&COMMANDS[2]).expect_err("too little");
    let error = under(Resource::RLIMIT_FSIZE, 8, attach);
    assert!(matches!(error, ShmError::NoMemory { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("segment sim-donkey.pilot.command.slot: no memory for"), "{text}");
    assert!(text.contains("RLIMIT_FSIZE is 8 bytes"), "{text}");
    // The limit that was met is the loop's: this side may have another.
    pilot.slot_writer::<Command>(&COMMANDS[2]).expect("there is room again");
    pilot.ring_reader::<Telemetry>(&TELEMETRY).expect("undisturbed");
    assert_eq!(test_loop.world.lock().unwrap().installed.len(), 1);

    // Nothing of a failed attempt is left open.
    let files = open_files();
    for _ in 0..3 {
        under(Resource::RLIMIT_FSIZE, 4096, create);
    }
    assert_eq!(open_files(), files);
}

#[test]
fn locking_is_done_or_refused_with_the_name_of_its_limit() {
    let _turn = TURN.lock();
    match Segments::create(ROBOT, true, true) {
        Ok(_) => {
            let status = std::fs::read_to_string("/proc/self/status").expect("proc");
            let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
            let kib = locked.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
            assert!(kib.expect("VmLck") >= 1024, "the telemetry ring alone is larger: {locked:?}");
        }
        Err(error) => assert!(error.to_string().contains("RLIMIT_MEMLOCK"), "{error}"),
    }
}
