//! The system-call filter with the real programs: what the loop thread calls, and what becomes of a
//! call that nobody named.
//!
//! `strace` sees every call of every thread; without it that test says that it is skipped. The others
//! run `breaks-filter`, which is the fast loop with a board that breaks a promise.

use nix::sys::signal::Signal;
use rt_wire::{HealthFlags, Mode, OperatorKind, Raw, topics};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tests::real_robot::{ROBOT, Robot, next, until, within};

/// For a hang, not for a speed.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// What the loop thread of the `sim` board may call.
const ALLOWED: [&str; 2] = ["clock_nanosleep", "clock_gettime"];

/// Calls of the thread that entered a filter, from then on, each with its count; and the number of
/// threads that entered one.
fn calls_inside(trace: &str) -> (BTreeMap<String, u64>, usize) {
    let mut filtered = Vec::new();
    let mut calls = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if rest.starts_with("seccomp(SECCOMP_SET_MODE_FILTER") {
            filtered.push(thread);
        } else if filtered.contains(&thread) {
            // `<... name resumed>` ends a call that is counted already; `---` and `+++` are none.
            if let Some((name, _)) = rest.split_once('(')
                && !rest.starts_with(['<', '-', '+'])
            {
                *calls.entry(name.to_owned()).or_default() += 1;
            }
        }
    }
    (calls, filtered.len())
}

fn has_strace() -> bool {
    let mut strace = Command::new("strace");
    strace.arg("-V").stdout(Stdio::null()).stderr(Stdio::null());
    strace.status().is_ok_and(|status| status.success())
}

#[test]
fn loop_thread_of_a_car_that_drives_sleeps_and_does_nothing_else() {
    if !has_strace() {
        eprintln!(
            "SKIPPED: no program strace (Debian package strace) here: the loop's calls are not seen"
        );
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let traced = |fast_loop: &Command| {
        let mut strace = Command::new("strace");
        // The tracer is the child of its child: the fast loop is ours.
        strace.args(["-D", "-f", "-qq", "-o"]).arg(&trace).arg("--");
        strace.arg(fast_loop.get_program()).args(fast_loop.get_args());
        strace
    };
    let mut robot = Robot::around(traced);
    robot.start_pilot();
    let (mut client, mut telemetry) = robot.telemetry();
    // A traced loop may be too late to drive for long: that it was Active is enough.
    until("the car is Active", || {
        robot.ask(OperatorKind::Arm);
        next(&mut telemetry, |record| record.outcome.mode == Raw::new(Mode::Active))
    });
    let mut cycles = 0;
    until("a hundred cycles more", || {
        next(&mut telemetry, |_| {
            cycles += 1;
            cycles > 100
        })
    });
    let health = client.slot_reader::<rt_wire::Health>(&topics::HEALTH).expect("anyone may read");
    let health = until("the loop's health", || health.peek());
    assert!(health.flags.has(HealthFlags::FILTERED | HealthFlags::SEALED), "{:?}", health.flags);
    let fast_loop = robot.fast_loop.take().expect("it runs");
    fast_loop.signal(Signal::SIGTERM);
    assert!(fast_loop.end().0.success());
    // The tracer writes on for a moment after the traced has gone.
    let done = || fs::read_to_string(&trace).ok().filter(|text| text.contains("exit_group"));
    let (calls, threads) = calls_inside(&until("the trace", done));
    assert_eq!(threads, 1, "the loop thread alone enters a filter on a board without a bus");
    println!("the loop thread's calls after it entered its filter: {calls:?}");
    assert!(calls.get("clock_nanosleep").is_some_and(|count| *count > 100), "{calls:?}");
    let others: Vec<_> = calls.keys().filter(|name| !ALLOWED.contains(&name.as_str())).collect();
    assert!(others.is_empty(), "{calls:?}");
}

#[test]
fn call_that_nobody_named_ends_a_driving_loop_at_once_and_the_plant_cuts_the_power() {
    let mut robot = Robot::around(|fast_loop| breaks("call", fast_loop.get_args()));
    robot.start_pilot();
    let (_client, mut telemetry) = robot.telemetry();
    until("the car is Active", || {
        robot.ask(OperatorKind::Arm);
        next(&mut telemetry, |record| record.outcome.mode == Raw::new(Mode::Active))
    });
    let (status, _) = robot.fast_loop.take().expect("it runs").end();
    assert_eq!(status.signal(), Some(Signal::SIGSYS as i32), "{status}");
    let (status, told) = robot.plant.take().expect("it runs").end();
    assert!(status.success(), "{told}");
    let word: Value = serde_json::from_str(told.trim()).expect("one JSON line");
    println!("last edge to power off: {} ms", word["power_cut_after_ms"]);
    assert!(word["power_cut_at_ns"].is_u64(), "{told}");
}

/// A fast loop with a board that breaks the promise `what`.
fn breaks<'a>(what: &str, arguments: impl IntoIterator<Item = &'a std::ffi::OsStr>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breaks-filter"));
    command.arg(what).args(arguments);
    command
}

/// How it ends at rest, and what it says.
fn broken(what: &str) -> (ExitStatus, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let run_dir = folder.path().join("run");
    let what = format!("{what}-at-rest");
    let mut command = breaks(&what, ["--robot", ROBOT, "--run-dir"].map(std::ffi::OsStr::new));
    command.arg(&run_dir).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let status = within(ENDS_WITHIN, || child.try_wait().expect("our own child"));
    // A process that lost its loop thread alone lives on.
    child.kill().ok();
    let status = status.unwrap_or_else(|| panic!("{what}: it lives"));
    let mut told = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut told).expect("text");
    (status, told)
}

#[test]
fn write_of_the_loop_thread_ends_the_process_before_a_word_is_out() {
    let (status, told) = broken("write");
    assert_eq!(status.signal(), Some(Signal::SIGSYS as i32), "{status}: {told}");
    assert!(!told.contains("the loop speaks"), "{told}");
}

#[test]
fn loop_thread_that_may_not_speak_dies_with_its_last_words_all_the_same() {
    for (what, words) in [
        ("allocate", "a sealed thread allocated"),
        ("panic", "thread 'fast-loop' panicked at"),
        ("panic", "a board's defect in cycle "),
    ] {
        let (status, told) = broken(what);
        assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{what}: {status}: {told}");
        assert!(told.contains(words), "{what}: {told}");
    }
}

#[test]
fn calls_are_those_of_the_filtered_thread_after_its_filter_and_of_no_other() {
    let trace = "\
10 futex(0x1, FUTEX_WAIT) = 0
11 openat(AT_FDCWD, \"x\") = 3
11 seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=9}) = 0
11 clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME <unfinished ...>
10 write(2, \"x\", 1) = 1
11 <... clock_nanosleep resumed> = 0
11 --- SIGCONT {si_signo=SIGCONT} ---
11 getppid() = 1
10 exit_group(0) = ?
11 +++ exited with 0 +++
";
    let (calls, threads) = calls_inside(trace);
    let expected = [("clock_nanosleep".to_owned(), 1), ("getppid".to_owned(), 1)];
    assert_eq!((calls, threads), (expected.into(), 1));
}
