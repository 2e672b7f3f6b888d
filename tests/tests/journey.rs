//! The real programs against each other: what one process's death or misuse does to the others.
//!
//! No time is asserted here: this machine may stall. The times on the record's own clock are proved
//! in virtual time (module `virtual_sim`) and printed here for people (`--nocapture`).

use nix::sys::signal::Signal;
use rt_shm::Client;
use rt_wire::{Fault, Mode, OperatorKind, Raw, Source, topics};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tests::real_robot::{Robot, Running, find, program, until};

fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn killed_pilot_means_a_controlled_stop_that_names_the_stale_owner() {
    let robot = Robot::start();
    let logger = Running::start(&mut robot.command("rlds-logger"));
    let (_client, mut reader) = robot.drive();
    robot.pilot.as_ref().expect("it runs").signal(Signal::SIGKILL);
    let stop =
        find(&mut reader, "a stop", |record| record.outcome.mode == Raw::new(Mode::SafeStop));
    let pilot = Source::Pilot.index().expect("the pilot is a source");
    let last_command = stop.inbox.commands[pilot].command;
    println!(
        "last command to SafeStop: {} ms on the record's clock",
        stop.mono_ns.since(last_command.mono_ns) / 1_000_000
    );
    assert!(stop.outcome.causes.contains(Fault::OwnerStale), "{:?}", stop.outcome.causes);
    let rest = find(&mut reader, "the car at rest", |record| {
        record.observation.wheel.speed_m_per_s.abs() < 0.05
            && record.outcome.mode == Raw::new(Mode::Disarmed)
    });
    println!("SafeStop to rest: {} ms", rest.mono_ns.since(stop.mono_ns) / 1_000_000);
    assert!(!robot.ask(OperatorKind::Arm), "nobody owns: no arming");
    logger.signal(Signal::SIGTERM);
    assert!(logger.end().0.success());
    the_recording_says_why_and_replays(&robot.run_dir(), stop.cycle_index);
}

/// What `continuon why` and `continuon replay` make of the run in which the pilot was killed.
fn the_recording_says_why_and_replays(run_dir: &Path, stop_cycle: u64) {
    let ask = |arguments: &[&str]| -> Value {
        let output = run(program("continuon").arg("--json").args(arguments).arg(run_dir));
        serde_json::from_slice(&output.stdout).expect("one JSON object")
    };
    let why = ask(&["why", "--episode"]);
    assert_eq!(why["stop"]["cycle_index"], stop_cycle, "{why:#}");
    assert_eq!(why["stop"]["owner_before"], "pilot");
    assert_eq!(why["stop"]["causes"][0]["name"], "OwnerStale");
    let found = why["stop"]["causes"][0]["found"].as_str().expect("a figure");
    assert!(found.starts_with("pilot: last good command "), "{found}");
    assert!(found.contains(" ms old, limit 90 ms"), "{found}");
    println!("why: {found}");

    let replayed = ask(&["replay"]);
    assert!(replayed["difference"].is_null(), "{replayed:#}");
    assert!(replayed["cycles_identical"].as_u64() > Some(1000), "{replayed:#}");
    // A machine that stalls for seconds may cost records: then it must not say identical.
    let is_whole = replayed["records_missing"] == 0;
    assert_eq!(is_whole, replayed["verdict"] == "identical", "{replayed:#}");
    println!("replay: {} cycles {}", replayed["cycles_identical"], replayed["verdict"]);
}

#[test]
fn killed_fast_loop_means_that_the_monostable_cuts_the_power() {
    let mut robot = Robot::start();
    let attached = robot.drive();
    robot.fast_loop.as_ref().expect("it runs").signal(Signal::SIGKILL);
    let (status, told) = robot.plant.take().expect("it runs").end();
    assert!(status.success(), "{told}");
    let word: Value = serde_json::from_str(told.trim()).expect("one JSON line");
    println!(
        "last edge to power off: {} ms, then {} ms until the car stood",
        word["power_cut_after_ms"], word["stopped_after_ms"]
    );
    assert!(word["power_cut_at_ns"].is_u64(), "{told}");
    assert!(word["stopped_after_ms"].is_number(), "{told}");
    drop(attached);
}

#[test]
fn sigterm_in_mid_drive_is_a_controlled_stop_and_a_clean_exit() {
    let mut robot = Robot::start();
    let (_client, mut reader) = robot.drive();
    let fast_loop = robot.fast_loop.take().expect("it runs");
    fast_loop.signal(Signal::SIGTERM);
    let stop =
        find(&mut reader, "a stop", |record| record.outcome.mode == Raw::new(Mode::SafeStop));
    assert!(stop.outcome.causes.contains(Fault::Shutdown), "{:?}", stop.outcome.causes);
    assert!(stop.outcome.level > 0, "it ramps, it does not jump");
    assert!(fast_loop.end().0.success());
}

#[test]
fn operator_estop_latches_until_reset_and_reset_moves_nothing() {
    let robot = Robot::start();
    let (_client, mut reader) = robot.drive();
    assert!(robot.ask(OperatorKind::Estop));
    let stop = find(&mut reader, "the latch", |record| {
        record.outcome.mode == Raw::new(Mode::EStopLatched)
    });
    assert_eq!((stop.outcome.level, stop.outcome.pulses.flags.0), (0, 0));
    assert!(!robot.ask(OperatorKind::Arm), "latched");
    assert!(robot.ask(OperatorKind::Reset));
    let after = find(&mut reader, "the self-test passed", |record| {
        record.outcome.mode == Raw::new(Mode::Disarmed)
    });
    assert_eq!(after.outcome.level, 0);
}

#[test]
fn restarted_pilot_attaches_again_and_may_drive_after_a_new_arming() {
    let mut robot = Robot::start();
    let (_client, mut reader) = robot.drive();
    robot.pilot.take().expect("it runs").signal(Signal::SIGKILL);
    find(&mut reader, "disarmed", |record| record.outcome.mode == Raw::new(Mode::Disarmed));
    robot.start_pilot();
    robot.drive();
}

#[test]
fn plant_that_is_started_anew_at_once_waits_until_the_one_before_is_forgotten() {
    let mut robot = Robot::without_driver();
    let tells = |robot: &Robot| {
        let slot = robot.client().ok()?.slot_reader::<rt_wire::PlantStatus>(&topics::SIM_STATUS);
        slot.ok()?.peek()
    };
    until("the plant tells", || tells(&robot));
    drop(robot.plant.take());
    let plant = Running::start(&mut robot.plant_command());
    let old = tells(&robot).map_or(rt_wire::MonoNs(0), |status| status.mono_ns);
    until("the new plant tells", || tells(&robot).filter(|status| status.mono_ns > old));
    plant.signal(Signal::SIGTERM);
    let (status, told) = plant.end();
    assert!(status.success(), "{told}");
}

#[test]
fn second_loop_for_one_robot_is_refused_and_names_the_first() {
    let robot = Robot::start();
    let output = run(&mut robot.command("fast-loop"));
    let told = text(&output.stderr);
    let first = robot.fast_loop.as_ref().expect("it runs").pid();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains(&format!("pid {first}")), "{told}");
}

#[test]
fn loop_that_was_killed_leaves_nothing_that_a_new_one_trips_over() {
    let mut robot = Robot::start();
    robot.fast_loop.take().expect("it runs").signal(Signal::SIGKILL);
    robot.fast_loop = Some(Running::start(&mut robot.command("fast-loop")));
    until("the new loop serves", || robot.client().ok());
}

#[test]
fn no_process_ends_because_nobody_takes_its_log() {
    let full = || fs::File::options().write(true).open("/dev/full").expect("every Linux has it");
    let folder = tempfile::tempdir().expect("a folder");
    let run_dir = folder.path().join("run");
    let start = |name: &str| {
        let mut command = program(name);
        command.args(["--robot", "sim-donkey", "--run-dir"]).arg(&run_dir);
        Running::with_outputs(command.stdout(full()).stderr(full()))
    };
    let fast_loop = start("fast-loop");
    let connect = || Client::connect(&run_dir, "sim-donkey", topics::CONTINUON);
    until("the loop serves", || connect().ok());
    let guests = ["plant", "pilot", "rlds-logger"].map(start);
    until("the plant tells", || {
        let mut client = connect().ok()?;
        client.slot_reader::<rt_wire::PlantStatus>(&topics::SIM_STATUS).ok()
    });
    for guest in guests {
        guest.signal(Signal::SIGTERM);
        // The loop logs that it has gone; a panic there would take the car's control with it.
        assert!(guest.end().0.code().is_some_and(|code| code <= 3), "it panicked");
    }
    assert!(connect().is_ok(), "the loop still serves");
    fast_loop.signal(Signal::SIGTERM);
    assert!(fast_loop.end().0.success());
}

#[test]
fn misuse_ends_with_2_names_the_key_and_leaves_no_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("robot.json");
    let cases = [
        (r#"{"name":"a","board":"sim","timing":{"perod_us":1000}}"#, "period_us"),
        (r#"{"name":"a","board":"simm"}"#, "sim"),
        (r#"{"name":"a","board":"sim","timing":{"period_us":1}}"#, "timing.period_us"),
        ("{", "robot.json"),
    ];
    for (json, named) in cases {
        fs::write(&file, json).expect("written");
        let run_dir = folder.path().join("run");
        let output =
            run(program("fast-loop").arg("--robot").arg(&file).arg("--run-dir").arg(&run_dir));
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{json}: {told}");
        assert!(told.contains(named), "{json}: {told}");
        assert!(!run_dir.exists(), "{json}: something was started");
    }
    for arguments in [
        &["--robto", "x"][..],
        &["--robot"],
        &["--run-dir", "x"],
        &["--robot", "sim-donky", "--run-dir", "x"],
    ] {
        let output = run(program("fast-loop").args(arguments).current_dir(folder.path()));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_real_board_is_not_driven_by_a_build_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(program("fast-loop")
        .args(["--robot", "pi5-donkey", "--run-dir"])
        .arg(folder.path().join("run")));
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(!folder.path().join("run").exists(), "something was started");
}
