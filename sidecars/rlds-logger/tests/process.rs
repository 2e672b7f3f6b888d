//! The binary against a loop's run directory: it records what the loop publishes, ends for each
//! reason there is, and says what came of it.

mod common;

use common::{ROBOT, TestLoop, cycle, keyframe};
use rlds::{Closing, Entry, EpisodeNote, RecordingReader};
use rt_wire::{HeartbeatFlags, SidecarState};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn logger(run_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rlds-logger"));
    command.args(["--robot", ROBOT, "--json", "--attach-timeout-s", "20", "--run-dir"]);
    command.arg(run_dir).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

fn result(output: &Output) -> serde_json::Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let last = stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| {
        panic!("{error}: {stdout}\n{}", String::from_utf8_lossy(&output.stderr))
    })
}

fn note(episode: &Path) -> EpisodeNote {
    serde_json::from_slice(&std::fs::read(episode.join("episode.json")).unwrap()).unwrap()
}

#[test]
fn run_is_recorded_from_its_first_record_to_its_last() {
    let dir = tempfile::tempdir().unwrap();
    let mut the_loop = TestLoop::start(dir.path());
    // Before the logger is there, while it starts, and after.
    (1..=2000).for_each(|n| the_loop.telemetry.publish(&cycle(n)));
    the_loop.keyframes.publish(&keyframe(2000));
    let child = logger(dir.path()).spawn().unwrap();
    the_loop.wait_for_heartbeat(|beat| beat.last_sequence_read == 2000);
    (2001..=3000).for_each(|n| the_loop.telemetry.publish(&cycle(n)));
    the_loop.say_ended();
    let output = output(child);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let result = result(&output);
    assert_eq!(result["telemetry_records"], 3000);
    assert_eq!(result["telemetry_lost"], 0);
    assert_eq!(result["keyframes"], 1);
    assert_eq!(result["steps"], 60);
    let episode = PathBuf::from(result["episode"].as_str().unwrap());
    assert!(episode.starts_with(dir.path().join("rlds/episodes")), "{}", episode.display());
    assert_eq!(note(&episode).closing, Closing::Clean);
    let mut reader = RecordingReader::open(&episode.join("blobs/recording.mcap")).unwrap();
    assert_eq!(reader.about().build_id, common::BUILD_ID);
    assert!(String::from_utf8_lossy(reader.robot_json()).contains(ROBOT));
    let mut n = 0;
    while let Some(entry) = reader.next_entry().unwrap() {
        if let Entry::Telemetry(record) = entry {
            n += 1;
            assert_eq!(record, cycle(n));
        }
    }
    assert_eq!(n, 3000);
    the_loop.end();
}

#[test]
fn episode_of_a_replay_says_that_it_is_none_of_a_drive() {
    let dir = tempfile::tempdir().unwrap();
    for (is_replay, environment) in [(true, "replay-of-sim"), (false, "sim")] {
        let dir = dir.path().join(environment);
        let mut the_loop = TestLoop::start(&dir);
        if is_replay {
            the_loop.say_replayed();
        }
        (1..=100).for_each(|n| the_loop.telemetry.publish(&cycle(n)));
        let child = logger(&dir).spawn().unwrap();
        the_loop.wait_for_heartbeat(|beat| beat.last_sequence_read == 100);
        the_loop.say_ended();
        let output = output(child);
        let episode = PathBuf::from(result(&output)["episode"].as_str().unwrap());
        let reader = rlds::EpisodeReader::open(&episode).unwrap();
        assert_eq!(reader.metadata().environment_id, environment);
        the_loop.end();
    }
}

#[test]
fn heartbeat_says_that_an_episode_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    let mut child = logger(dir.path()).spawn().unwrap();
    let beat = the_loop.wait_for_heartbeat(|beat| beat.flags.has(HeartbeatFlags::RECORDING));
    assert_eq!(beat.state.get(), Some(SidecarState::Running));
    assert_eq!(beat.pid, child.id());
    the_loop.say_ended();
    assert!(child.wait().unwrap().success());
    the_loop.end();
}

#[test]
fn sigterm_closes_the_episode_with_everything_that_was_published() {
    let dir = tempfile::tempdir().unwrap();
    let mut the_loop = TestLoop::start(dir.path());
    let child = logger(dir.path()).spawn().unwrap();
    the_loop.wait_for_heartbeat(|beat| beat.flags.has(HeartbeatFlags::RECORDING));
    (1..=1500).for_each(|n| the_loop.telemetry.publish(&cycle(n)));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let output = output(child);
    assert_eq!(output.status.code(), Some(0));
    let result = result(&output);
    assert_eq!((&result["telemetry_records"], &result["closing"]), (&1500.into(), &"clean".into()));
    the_loop.end();
}

#[test]
fn loop_that_dies_leaves_a_closed_episode_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut the_loop = TestLoop::start(dir.path());
    let child = logger(dir.path()).spawn().unwrap();
    the_loop.wait_for_heartbeat(|beat| beat.flags.has(HeartbeatFlags::RECORDING));
    (1..=100).for_each(|n| the_loop.telemetry.publish(&cycle(n)));
    the_loop.end();
    let output = output(child);
    assert_eq!(output.status.code(), Some(0));
    let result = result(&output);
    assert_eq!(result["telemetry_records"], 100);
    assert_eq!(result["closing"], "loop_lost");
}

#[test]
fn episodes_may_go_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    the_loop.say_ended();
    let child = logger(dir.path()).arg("--episodes-dir").arg(elsewhere.path()).spawn().unwrap();
    let result = result(&output(child));
    assert!(Path::new(result["episode"].as_str().unwrap()).starts_with(elsewhere.path()));
    the_loop.end();
}

#[test]
fn place_that_cannot_be_written_is_not_possible_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let the_loop = TestLoop::start(dir.path());
    let child = logger(dir.path()).arg("--episodes-dir").arg(&file).spawn().unwrap();
    let output = output(child);
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(&file.display().to_string()), "{stderr}");
    the_loop.end();
}

#[test]
fn wrong_argument_is_misuse() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rlds-logger"));
    let output = command.args(["--robt", ROBOT]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--robot"));
}
