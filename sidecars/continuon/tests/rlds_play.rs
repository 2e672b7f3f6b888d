//! `continuon rlds play`: every record again, bit for bit, and nothing that could pass for a car.

mod made;

use made::{Drive, START, cycle, keyframe, log_frame};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rt_config::Robot;
use rt_ring::Read;
use rt_shm::{Client, MappedRingReader, RunDir, ShmError};
use rt_wire::topics::{
    COMMANDS, CONTINUON, HEALTH, HEARTBEATS, KEYFRAME, LOG, PILOT, RLDS_LOGGER, TELEMETRY,
};
use rt_wire::{
    Command as DriveCommand, Health, HealthFlags, Heartbeat, KernelState, LogFrame, Record,
    Telemetry,
};
use serde_json::Value;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

fn play(cwd: &Path, arguments: &[&str], episode: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_continuon"));
    command.args(["--json", "rlds", "play"]).arg(episode).args(arguments).current_dir(cwd);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn answer(output: &Output, code: i32) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// Comes in as `process`, once the door is open.
fn come(run_dir: &Path, process: &str) -> Client {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match Client::connect(run_dir, "sim-donkey", process) {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        sleep(Duration::from_millis(5));
    }
}

/// Appends what is there; nothing may be lost.
fn drain<T: Record + rt_ring::Record>(ring: &mut MappedRingReader<T>, into: &mut Vec<T>) {
    loop {
        match ring.read() {
            Read::Record { record, .. } => into.push(record),
            Read::Empty => return,
            Read::Lapped { lost } => panic!("{lost} lost"),
            Read::Corrupt => panic!("corrupt"),
        }
    }
}

fn health(client: &mut Client) -> Option<Health> {
    client.slot_reader::<Health>(&HEALTH).expect("it is there").peek()
}

#[test]
fn every_record_is_played_bit_for_bit_and_none_is_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let episode = Drive { lost: Some((700, 707)), ..Drive::default() }.write(dir.path());
    let run_dir = dir.path().join("replay");
    let place = run_dir.display().to_string();
    let arguments =
        ["--run-dir", &place, "--speed", "2", "--wait-for", RLDS_LOGGER, "--wait-for", CONTINUON];
    let child = play(dir.path(), &arguments, &episode).spawn().expect("started");
    let mut logger = come(&run_dir, RLDS_LOGGER);
    let mut telemetry = logger.ring_reader_from_oldest::<Telemetry>(&TELEMETRY).expect("attached");
    let mut keyframes = logger.ring_reader_from_oldest::<KernelState>(&KEYFRAME).expect("attached");
    let mut log = logger.ring_reader_from_oldest::<LogFrame>(&LOG).expect("attached");
    // A sidecar's sign of life is taken, and judged by nobody.
    logger.slot_writer::<Heartbeat>(&HEARTBEATS[3]).expect("attached").write(&Heartbeat::default());
    let (mut found, mut states, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    let mut eyes = come(&run_dir, CONTINUON);
    let first = health(&mut eyes).expect("from the first word on");
    assert!(first.flags.has(HealthFlags::REPLAYED) && !first.flags.has(HealthFlags::ENDED));
    assert_eq!(first.build_id, 0xb01d);
    let begun = Instant::now();
    while eyes.is_open() {
        drain(&mut telemetry, &mut found);
        drain(&mut keyframes, &mut states);
        drain(&mut log, &mut frames);
        sleep(Duration::from_millis(1));
    }
    let expected: Vec<Telemetry> =
        (1..=2000).filter(|n| !(700..707).contains(n)).map(cycle).collect();
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "some record is another");
    assert!(
        states == [keyframe(1000), keyframe(2000)] && frames == [log_frame(1000), log_frame(2000)]
    );
    assert_eq!((telemetry.lost(), keyframes.lost(), log.lost()), (0, 0, 0));
    // Two seconds at twice the speed: never faster, however slow this machine is.
    assert!(begun.elapsed() >= Duration::from_millis(990), "{:?}", begun.elapsed());
    let told = answer(&child.wait_with_output().expect("ended"), 0);
    assert_eq!(told["telemetry_records"], 1993);
    assert_eq!((told["keyframes"].clone(), told["log_frames"].clone()), (2.into(), 2.into()));
    let robot = Robot::load(run_dir.join("robot.json")).expect("valid");
    assert_eq!(robot.json(), Robot::resolve("sim-donkey").expect("built in").json());
    let last = START + 1_999_000_000;
    assert_eq!(found.last().map(|record| record.mono_ns.0), Some(last), "its own stamps");
}

#[test]
fn a_replay_takes_no_command_cannot_be_armed_and_is_no_robot_that_estop_could_mean() {
    let dir = tempfile::tempdir().expect("a folder");
    let episode = Drive::default().write(dir.path());
    // Among the runs, where `continuon estop` looks.
    let run_dir = dir.path().join("runs/replay");
    let child = play(dir.path(), &["--run-dir", "runs/replay", "--loop"], &episode).spawn();
    let child = child.expect("started");
    let mut pilot = come(&run_dir, PILOT);
    let refused = pilot.slot_writer::<DriveCommand>(&COMMANDS[2]).expect_err("no command slot");
    assert!(matches!(refused, ShmError::Busy { .. }), "{refused}");
    assert!(!run_dir.join("operator.sock").exists());
    let mut estop = Command::new(env!("CARGO_BIN_EXE_continuon"));
    let output = estop.arg("estop").current_dir(dir.path()).output().expect("started");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("no robot runs"), "{stderr}");
    let mut top = Command::new(env!("CARGO_BIN_EXE_continuon"));
    top.args(["top", "--once", "--run-dir", "runs/replay"]).current_dir(dir.path());
    let output = top.output().expect("started");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.starts_with("sim-donkey (a REPLAY, no car): "), "{table}");
    // It goes on until it is told to end.
    let mut ring = pilot.ring_reader::<Telemetry>(&TELEMETRY).expect("attached");
    let end = Instant::now() + Duration::from_secs(60);
    let mut last = 0;
    loop {
        let mut found = Vec::new();
        drain(&mut ring, &mut found);
        let went_back = found.iter().any(|record| {
            let before = std::mem::replace(&mut last, record.sequence);
            record.sequence < before
        });
        if went_back {
            break;
        }
        assert!(Instant::now() < end, "it never began again");
        sleep(Duration::from_millis(1));
    }
    end_of(child);
}

fn end_of(child: Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(pid, Signal::SIGTERM).expect("it runs");
    let output = child.wait_with_output().expect("ended");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("pilot asked for its command slot: refused"), "{stderr}");
    let told = answer(&output, 0);
    assert!(told["rounds"].as_u64() >= Some(2), "{told}");
    assert_eq!(told["commands_refused"], 1, "{told}");
}

#[test]
fn a_replay_never_stands_beside_a_loop_or_in_the_folder_of_a_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let episode = Drive { cycles: 300, ..Drive::default() }.write(dir.path());
    let refused = |arguments: &[&str], word: &str| {
        let output = play(dir.path(), arguments, &episode).output().expect("started");
        let told = answer(&output, 3);
        let error = told["error"].as_str().expect("a sentence").to_owned();
        assert!(error.contains(word), "{error}");
    };
    // A loop serves the folder.
    let served = dir.path().join("served");
    let lock = RunDir::create(&served).expect("made").lock().expect("locked");
    refused(&["--run-dir", "served"], "served");
    drop(lock);
    // A run was there.
    let robot = Robot::resolve("sim-donkey").expect("built in");
    let run = dir.path().join("runs/1-sim");
    fs::create_dir_all(&run).expect("made");
    fs::write(run.join("robot.json"), robot.json()).expect("written");
    refused(&["--run-dir", "runs/1-sim"], "found that of a run");
    assert!(!run.join("segments.sock").exists() && !run.join("replay.json").exists());
    // A robot runs here, whatever the folder.
    let _door = UnixListener::bind(run.join("segments.sock")).expect("bound");
    let _operator = UnixListener::bind(run.join("operator.sock")).expect("bound");
    refused(&["--run-dir", "elsewhere"], "sim-donkey runs in ");
    refused(&[], "beside a live loop");
    assert!(!dir.path().join("elsewhere").exists() && !dir.path().join("replays").exists());
}

#[test]
fn torn_recording_is_played_as_far_as_it_goes_and_a_folder_can_be_used_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let episode = Drive::default().write(dir.path());
    let recording = rlds::recording_path(&episode);
    let bytes = fs::read(&recording).expect("read");
    fs::write(&recording, &bytes[..bytes.len() / 2]).expect("written");
    for _ in 0..2 {
        let arguments = ["--run-dir", "again", "--speed", "100"];
        let output = play(dir.path(), &arguments, &episode).output().expect("started");
        let told = answer(&output, 1);
        let records = told["telemetry_records"].as_u64().expect("a count");
        assert!((200..2000).contains(&records), "{records}");
        assert!(told["problems"][0].as_str().expect("a sentence").contains("torn"), "{told}");
        assert!(!dir.path().join("again/replay.json").exists(), "it has ended");
    }
}
