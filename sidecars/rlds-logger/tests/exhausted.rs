//! The real recorder where the system gives no more: no room on a real file system, no descriptors.
//!
//! It says so in its heartbeat, keeps what it has, counts the rest, and closes the episode; a check and
//! the validator then find nothing wrong with it.

mod common;
#[path = "common/small_disk.rs"]
mod small_disk;

use common::{ROBOT, TestLoop, cycle};
use rlds::fsck;
use rlds::validate::{Finding, Profile, Severity, validate};
use rlds::{Closing, EpisodeNote};
use rt_wire::{Heartbeat, HeartbeatFlags, Telemetry};
use serde_json::Value;
use small_disk::SmallDisk;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Records between two looks at the recorder: an eighth of what the ring holds.
const BURST: u64 = 500;

fn logger(run_dir: &Path, episodes_dir: &Path) -> Command {
    logger_of(Path::new(ROBOT), run_dir, episodes_dir)
}

/// One that fills the disk to its last byte, where others stop in time.
fn logger_without_guard(run_dir: &Path, episodes_dir: &Path) -> Command {
    let robot = rt_config::Robot::resolve(ROBOT).unwrap();
    let mut robot: Value = serde_json::from_str(robot.json()).unwrap();
    robot["rlds_logger"]["free_min_mb"] = 0.into();
    let path = run_dir.join("without-guard.json");
    fs::write(&path, robot.to_string()).unwrap();
    logger_of(&path, run_dir, episodes_dir)
}

fn logger_of(robot: &Path, run_dir: &Path, episodes_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rlds-logger"));
    command.arg("--robot").arg(robot);
    command.args(["--json", "--attach-timeout-s", "20", "--run-dir"]);
    command.arg(run_dir).arg("--episodes-dir").arg(episodes_dir);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn is_recording(child: &Child) -> impl Fn(&Heartbeat) -> bool + use<> {
    let pid = child.id();
    move |beat| beat.pid == pid && beat.flags.has(HeartbeatFlags::RECORDING)
}

/// A record that does not pack well.
fn noisy(n: u64) -> Telemetry {
    let mut record = cycle(n);
    let noise = |salt: u64| (n ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    record.outcome.asked.steering = noise(1) as f32 / (1 << 24) as f32;
    record.outcome.asked.throttle = noise(2) as f32 / (1 << 24) as f32;
    record.observation.pose.x_m = noise(3) as f32;
    record.observation.pose.y_m = noise(4) as f32;
    record.observation.imu.gyro_rad_per_s = [noise(5) as f32, noise(6) as f32, noise(7) as f32];
    record
}

/// Publishes records and waits until the recorder has read them.
fn publish(the_loop: &mut TestLoop, from: u64, to: u64) {
    (from..=to).for_each(|n| the_loop.telemetry.publish(&noisy(n)));
    the_loop.wait_for_heartbeat(|beat| beat.last_sequence_read >= to);
}

fn result(output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(stdout.lines().last().unwrap_or_default()).unwrap_or_else(|error| {
        panic!("{error}: {stdout}\n{}", String::from_utf8_lossy(&output.stderr))
    })
}

fn note(episode: &Path) -> EpisodeNote {
    serde_json::from_slice(&fs::read(episode.join("episode.json")).unwrap()).unwrap()
}

fn errors(episode: &Path) -> Vec<Finding> {
    let mut errors = Vec::new();
    let mut tell = |finding: Finding| {
        if finding.severity == Severity::Error {
            errors.push(finding);
        }
    };
    validate(episode, Profile::Normal, &mut tell).unwrap();
    errors
}

#[test]
fn full_file_system_is_told_counted_and_leaves_a_closed_episode() {
    let Some(disk) = SmallDisk::mount(2048) else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut the_loop = TestLoop::start(dir.path());
    let child = logger_without_guard(dir.path(), disk.path()).spawn().unwrap();
    the_loop.wait_for_heartbeat(is_recording(&child));
    let (mut n, mut was_full_at) = (0, None);
    // Until it is full, and two seconds of records more.
    while was_full_at.is_none_or(|at| n < at + 2000) {
        publish(&mut the_loop, n + 1, n + BURST);
        n += BURST;
        assert!(n < 1_000_000, "it is never full");
        let beat = the_loop.wait_for_heartbeat(|_| true);
        if was_full_at.is_none() && beat.flags.has(HeartbeatFlags::LOG_DEGRADED) {
            was_full_at = Some(n);
        }
    }
    let full_at = was_full_at.unwrap();
    let beat = the_loop.wait_for_heartbeat(|beat| beat.lost_records >= 2000);
    assert!(beat.flags.has(HeartbeatFlags::LOG_DEGRADED));
    assert!(!beat.flags.has(HeartbeatFlags::RECORDING), "it must not claim to record");
    the_loop.say_ended();
    let output = child.wait_with_output().unwrap();
    the_loop.end();

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("make room"), "{said}");
    let episode = PathBuf::from(result(&output)["episode"].as_str().unwrap());
    let note = note(&episode);
    assert_eq!(note.closing, Closing::DiskFailed);
    assert!(note.reason.contains("No space left"), "{}", note.reason);
    assert_eq!(note.telemetry_records + note.telemetry_lost_disk, n, "{note:?}");
    assert_eq!(note.telemetry_lost_ring, 0);
    assert!(note.telemetry_records + 2 * BURST > full_at - BURST, "the last good batch is kept");
    assert!(!episode.join("blobs/reserve").exists(), "the reserve is for the end");
    assert_eq!(errors(&episode), [], "as it is, on the full disk");
    // Steps that found no room, and the one held back for the next, follow from the recording.
    let findings = fsck::check(&episode).unwrap().findings;
    let is_derived = |finding: &fsck::Finding| !finding.file.ends_with("recording.mcap");
    assert!(findings.iter().all(is_derived), "{findings:?}");
    disk.make_room(16 << 10);
    fsck::repair(&episode).unwrap();
    assert_eq!(fsck::check(&episode).unwrap().findings, []);
    assert_eq!(errors(&episode), []);
    let again = self::note(&episode);
    assert_eq!((again.closing, again.telemetry_records), (note.closing, note.telemetry_records));
    assert_eq!(again.telemetry_lost_disk, note.telemetry_lost_disk);
}

#[test]
fn file_system_that_is_full_from_the_beginning_is_named() {
    let Some(disk) = SmallDisk::mount(256) else { return };
    fs::write(disk.path().join("full"), vec![1; 200 << 10]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    let output = logger_without_guard(dir.path(), disk.path()).output().unwrap();
    the_loop.end();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("No space left"), "{said}");
    assert!(said.contains(&disk.path().display().to_string()), "{said}");
    let left: Vec<_> = fs::read_dir(disk.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["full"], "nothing half-made is left");
}

#[test]
fn file_system_below_the_guard_is_refused_by_name_and_left_alone() {
    let Some(disk) = SmallDisk::mount(2048) else { return };
    let dir = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    let output = logger(dir.path(), disk.path()).output().unwrap();
    the_loop.end();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("less than 256 MB (rlds_logger.free_min_mb) are free in "), "{said}");
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0, "no episode was begun");
}

/// Whatever the limit, it either says that it cannot begin, or records everything to its end.
#[test]
fn every_limit_of_descriptors_is_enough_or_named() {
    let (mut enough, mut refused) = (0, 0);
    for limit in 4..40 {
        let dir = tempfile::tempdir().unwrap();
        let episodes = dir.path().join("episodes");
        let mut the_loop = TestLoop::start(dir.path());
        publish_all(&mut the_loop, 1000);
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={limit}:{limit}")).arg("--");
        let plain = logger(dir.path(), &episodes);
        command.arg(plain.get_program()).args(plain.get_args());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn();
        let Ok(child) = child else {
            eprintln!("SKIPPED: no prlimit here");
            return;
        };
        the_loop.say_ended();
        let output = child.wait_with_output().unwrap();
        the_loop.end();
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => {
                enough += 1;
                let result = result(&output);
                assert_eq!(result["telemetry_records"], 1000, "{limit}: {said}");
                let episode = PathBuf::from(result["episode"].as_str().unwrap());
                assert_eq!(fsck::check(&episode).unwrap().findings, [], "{limit}");
                assert_eq!(errors(&episode), [], "{limit}");
            }
            Some(3) => {
                refused += 1;
                assert!(said.contains("Too many open files"), "{limit}: {said}");
                let left = fs::read_dir(&episodes).into_iter().flatten().count();
                assert_eq!(left, 0, "{limit}: nothing half-made is left");
            }
            other => panic!("{limit}: {other:?}: {said}"),
        }
    }
    assert!(enough > 5 && refused > 5, "{enough} were enough, {refused} not: this shows nothing");
}

fn publish_all(the_loop: &mut TestLoop, to: u64) {
    (1..=to).for_each(|n| the_loop.telemetry.publish(&noisy(n)));
}

/// None is left that it could open while it records: what it gives back is enough for its last word.
#[test]
fn descriptors_that_run_out_while_it_records_cost_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let episodes = dir.path().join("episodes");
    let mut the_loop = TestLoop::start(dir.path());
    let child = logger(dir.path(), &episodes).spawn().unwrap();
    the_loop.wait_for_heartbeat(is_recording(&child));
    publish(&mut the_loop, 1, 1000);
    let open: Vec<u32> = fs::read_dir(format!("/proc/{}/fd", child.id()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    let free = (0..).find(|fd| !open.contains(fd)).unwrap();
    let limited = Command::new("prlimit")
        .arg(format!("--pid={}", child.id()))
        .arg(format!("--nofile={free}:{free}"))
        .status();
    let is_limited = limited.is_ok_and(|status| status.success());
    publish(&mut the_loop, 1001, 3000);
    the_loop.say_ended();
    let output = child.wait_with_output().unwrap();
    the_loop.end();
    if !is_limited {
        eprintln!("SKIPPED: no prlimit here");
        return;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let result = result(&output);
    assert_eq!(
        (&result["telemetry_records"], &result["telemetry_lost"]),
        (&3000.into(), &0.into())
    );
    let episode = PathBuf::from(result["episode"].as_str().unwrap());
    assert_eq!(note(&episode).closing, Closing::Clean);
    assert_eq!(fsck::check(&episode).unwrap().findings, []);
    assert_eq!(errors(&episode), []);
}
