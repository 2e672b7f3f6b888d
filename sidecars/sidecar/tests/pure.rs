//! What needs neither loop nor runtime: exit codes, patience, what a heartbeat says, arguments.

use clap::Parser;
use rt_config::Robot;
use rt_shm::ShmError;
use rt_wire::{HeartbeatFlags, MonoNs, SidecarState};
use sidecar::{CommonArgs, Failure, Patience, ReportState, mono_now};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    common: CommonArgs,
}

fn not_served() -> ShmError {
    ShmError::NotServed { place: "for robot donkey in /run/there".to_owned() }
}

#[test]
fn arguments_name_robot_and_run_directory() {
    let typed = ["x", "--robot", "sim-donkey", "--run-dir", "run/there"];
    let args = Args::try_parse_from(typed).map_err(|error| error.to_string()).unwrap().common;
    assert_eq!((&*args.robot, args.run_dir), ("sim-donkey", PathBuf::from("run/there")));
    assert_eq!(args.attach_timeout_s, 10);
}

#[test]
fn missing_argument_is_misuse() {
    let error = Args::try_parse_from(["x", "--robot", "sim-donkey"]).err().unwrap();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--run-dir"));
}

#[test]
fn patience_pauses_longer_and_longer_and_ends_at_its_limit() {
    let mut patience = Patience::new(Duration::from_secs(2));
    let mut pauses = Vec::new();
    while let Some(pause) = patience.after(&not_served()) {
        pauses.push(pause.as_millis());
    }
    assert_eq!(pauses, [20, 40, 80, 160, 320, 500, 500, 380]);
}

#[test]
fn refusal_that_waiting_cannot_mend_is_final() {
    let mut patience = Patience::new(Duration::from_secs(60));
    let layout = ShmError::Layout {
        segment: "donkey.pilot.command.slot".to_owned(),
        expected: 1,
        found: 2,
        process: "pilot".to_owned(),
    };
    assert_eq!(patience.after(&layout), None);
    let uid = ShmError::Uid { process: "pilot".to_owned(), uid: 7 };
    assert_eq!(patience.after(&uid), None);
}

#[test]
fn slot_that_the_life_before_still_holds_is_waited_for() {
    let mut patience = Patience::new(Duration::from_secs(1));
    let segment = "donkey.pilot.heartbeat.slot".to_owned();
    assert!(
        patience.after(&ShmError::AlreadyWritten { segment: segment.clone(), pid: 7 }).is_some()
    );
    assert!(patience.after(&ShmError::Busy { segment, process: "pilot".to_owned() }).is_some());
}

#[test]
fn exit_code_says_whether_typing_or_the_place_was_wrong() {
    let config = Robot::resolve("sim-donky").unwrap_err();
    let failure = Failure::from(config);
    assert_eq!(failure.code(), 2);
    assert!(failure.to_string().contains("sim-donkey"), "the nearest name: {failure}");
    let robot = ShmError::Robot { dir: "run".into(), robot: "donkey".to_owned() };
    assert_eq!(Failure::from(robot).code(), 2);
    assert_eq!(Failure::from(not_served()).code(), 3);
    assert_eq!(Failure::no("no").code(), 1);
}

#[test]
fn heartbeat_says_what_the_report_says() {
    let report = ReportState {
        state: SidecarState::Degraded,
        flags: HeartbeatFlags::LOG_DEGRADED | HeartbeatFlags::RECORDING,
        last_sequence_read: 42,
        lost_records: 3,
    };
    let heartbeat = report.heartbeat(9, MonoNs(1234), 77);
    assert_eq!(heartbeat.state.get(), Some(SidecarState::Degraded));
    assert!(heartbeat.flags.has(HeartbeatFlags::LOG_DEGRADED));
    assert_eq!((heartbeat.sequence, heartbeat.mono_ns, heartbeat.pid), (9, MonoNs(1234), 77));
    assert_eq!((heartbeat.last_sequence_read, heartbeat.lost_records), (42, 3));
}

#[test]
fn sidecar_begins_as_starting() {
    assert_eq!(ReportState::default().state, SidecarState::Starting);
}

#[test]
fn monotonic_clock_never_goes_back() {
    let earlier = mono_now();
    assert!(earlier > MonoNs(0));
    assert!(mono_now() >= earlier);
}
