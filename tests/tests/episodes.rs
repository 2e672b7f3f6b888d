//! Real processes: the episodes of one run, begun and ended by arming, caps and people; every cycle of
//! a drive lies in exactly one of them, and each can be judged and replayed for itself.
//!
//! How long an episode lasts is decided on the clock of the records; no time of this machine is
//! asserted.

use nix::sys::signal::Signal;
use rlds::{Closing, Entry, EpisodeNote, RecordingReader};
use rt_config::{EpisodeBegins, RldsLogger};
use rt_wire::{Mode, OperatorKind, Raw, topics};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tests::real_robot::{ROBOT, Robot, Running, find, program, until};

/// A robot file that says something else of the recorder.
fn robot_file(folder: &Path, edit: impl Fn(&mut RldsLogger)) -> PathBuf {
    let robot = rt_config::Robot::resolve(ROBOT).expect("a built-in robot");
    let robot = robot.edited(|file| edit(&mut file.rlds_logger)).expect("a valid robot");
    let path = folder.join("robot.json");
    fs::write(&path, robot.json()).expect("written");
    path
}

/// A driven robot whose recorder is as `edit` says.
struct Run {
    _folder: tempfile::TempDir,
    robot: Robot,
}

impl Run {
    fn start(edit: impl Fn(&mut RldsLogger)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = robot_file(folder.path(), edit);
        let mut robot = Robot::of(file.to_str().expect("text"), &[]);
        robot.start_pilot();
        // As `continuon sim` does, so that its commands know the run.
        fs::copy(&file, robot.run_dir().join("robot.json")).expect("copied");
        Self { _folder: folder, robot }
    }

    fn logger(&self) -> Running {
        let logger = Running::start(&mut self.robot.command("rlds-logger"));
        let mut client = self.robot.client().expect("the loop serves");
        let place = rt_wire::HEARTBEAT_SOURCES.iter().position(|name| *name == topics::RLDS_LOGGER);
        let topic = &topics::HEARTBEATS[place.expect("it has one")];
        until("the recorder records", || {
            let beat = client.slot_reader::<rt_wire::Heartbeat>(topic).ok()?.peek()?;
            beat.flags.has(rt_wire::HeartbeatFlags::RECORDING).then_some(())
        });
        logger
    }

    fn episodes_dir(&self) -> PathBuf {
        self.robot.run_dir().join("rlds/episodes")
    }

    /// Arms, drives for so many cycles, and stops; the sequences from then on until it is disarmed. (A
    /// cycle's index skips the releases that were missed; a sequence skips nothing.)
    fn drive(&self, cycles: u64) -> (u64, u64) {
        let (_client, mut reader) = self.robot.drive();
        let begun = find(&mut reader, "a cycle", |_| true).sequence;
        find(&mut reader, "the end of the drive", |record| record.sequence >= begun + cycles);
        assert!(self.robot.ask(OperatorKind::Disarm));
        let over =
            find(&mut reader, "the stop", |record| record.outcome.mode == Raw::new(Mode::Disarmed));
        (begun, over.sequence)
    }

    fn record(&self, arguments: &[&str]) -> Command {
        let mut record = program("continuon");
        record.args(["record", "--json", "--run-dir"]).arg(self.robot.run_dir()).args(arguments);
        record
    }
}

struct Found {
    path: PathBuf,
    note: EpisodeNote,
    sequences: Vec<u64>,
    first_step: String,
}

fn found(folder: &Path) -> Vec<Found> {
    let read = |path: PathBuf| {
        let note = fs::read(path.join("episode.json")).expect("counts");
        let steps = fs::read_to_string(path.join("steps/000000.jsonl")).expect("steps");
        let recording = RecordingReader::open(&rlds::recording_path(&path)).expect("a recording");
        let sequences = recording.filter_map(|entry| match entry.expect("readable") {
            Entry::Telemetry(record) => Some(record.sequence),
            _ => None,
        });
        Found {
            note: serde_json::from_slice(&note).expect("counts"),
            sequences: sequences.collect(),
            first_step: steps.lines().next().unwrap_or_default().to_owned(),
            path,
        }
    };
    let entries = fs::read_dir(folder).expect("episodes").map(|entry| entry.expect("one").path());
    let mut all: Vec<Found> = entries.filter(|path| path.is_dir()).map(read).collect();
    all.sort_by_key(|found| found.sequences.first().copied());
    all
}

fn words(found: &[Found]) -> Vec<(&str, &str)> {
    found.iter().map(|found| (found.note.begun.as_str(), found.note.reason.as_str())).collect()
}

/// How often each sequence lies in an episode.
fn times(found: &[Found]) -> BTreeMap<u64, u32> {
    let mut times = BTreeMap::new();
    for sequence in found.iter().flat_map(|found| &found.sequences) {
        *times.entry(*sequence).or_default() += 1;
    }
    times
}

fn ask(arguments: &[&str], of: &Path) -> Output {
    program("continuon").args(arguments).arg(of).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn each_drive_is_an_episode_of_its_own_and_a_cap_loses_no_cycle() {
    let run = Run::start(|logger| {
        logger.episode_begins = EpisodeBegins::Arm;
        logger.episode_max_s = Some(2);
    });
    let logger = run.logger();
    let drives = [run.drive(4000), run.drive(500)];
    logger.signal(Signal::SIGTERM);
    assert!(logger.end().0.success());
    let found = found(&run.episodes_dir());
    let times = times(&found);
    for (begun, over) in drives {
        let wrong = (begun..=over).find(|sequence| times.get(sequence) != Some(&1));
        assert_eq!(wrong, None, "every cycle from {begun} to {over} once");
    }
    assert!(times.values().all(|times| *times == 1));
    let words = words(&found);
    assert_eq!(words[0].0, "arm", "{words:?}");
    assert!(words.contains(&("episode_max_s", "episode_max_s")), "{words:?}");
    assert_eq!(words.iter().filter(|(begun, _)| *begun == "arm").count(), 2, "{words:?}");
    assert_eq!(words.last().map(|(_, reason)| *reason), Some("disarmed"), "{words:?}");
    let not_covered: u64 = found
        .iter()
        .map(|found| {
            let whole = ask(&["rlds", "fsck"], &found.path);
            assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stdout));
            let replay = ask(&["replay", "--json"], &found.path);
            assert_eq!(replay.status.code(), Some(0), "{}", text(&replay.stdout));
            let replay: Value = serde_json::from_slice(&replay.stdout).expect("JSON");
            replay["cycles_not_covered"].as_u64().expect("a count")
        })
        .sum();
    // Each begins with the keyframe right before its first cycle; but a car that is armed again while
    // the tail still ran leaves the cycles since that keyframe in the episode before.
    assert!(not_covered <= 1, "{not_covered}");
}

#[test]
fn person_cuts_an_episode_out_of_a_run_that_is_recorded_already() {
    let run = Run::start(|_| {});
    let logger = run.logger();
    let (_client, _reader) = run.robot.drive();
    let recorded = run
        .record(&["--max-steps", "60", "--task", "a bend", "--xr-mode", "trainer"])
        .output()
        .expect("the program starts");
    assert_eq!(recorded.status.code(), Some(0), "{}", text(&recorded.stderr));
    let answer: Value = serde_json::from_slice(&recorded.stdout).expect("one JSON object");
    assert_eq!(answer["recorder"], "running");
    assert_eq!(answer["episodes"][0]["steps"], 60);
    assert_eq!(answer["episodes"][0]["valid"], true, "{answer:#}");
    logger.signal(Signal::SIGTERM);
    assert!(logger.end().0.success());
    let found = found(&run.episodes_dir());
    let expected = [("start", "command"), ("command", "max_steps"), ("after_command", "")];
    assert_eq!(words(&found), expected);
    let times = times(&found);
    let (first, last) = (found[0].sequences[0], found[2].note.last_sequence);
    let wrong = (first..=last).find(|sequence| times.get(sequence) != Some(&1));
    assert_eq!(wrong, None, "every cycle from {first} to {last} once");
    assert_eq!(times.len() as u64, last - first + 1);
    assert!(found[1].first_step.contains(r#""language_instruction":"a bend""#));
    assert!(found[2].first_step.contains(r#""language_instruction":"drive laps of the track""#));
    let strict = ask(&["rlds", "validate", "--strict"], &found[1].path);
    assert_eq!(strict.status.code(), Some(0), "{}", text(&strict.stdout));
}

#[test]
fn wish_of_a_killed_person_ends_and_two_at_once_are_refused() {
    let run = Run::start(|_| {});
    let logger = run.logger();
    let begun = |word: &str| {
        let entries = fs::read_dir(run.episodes_dir()).into_iter().flatten().flatten();
        let told = entries.filter_map(|entry| fs::read(entry.path().join("episode.json")).ok());
        let mut notes = told.filter_map(|text| serde_json::from_slice::<EpisodeNote>(&text).ok());
        notes.any(|note| note.begun == word).then_some(())
    };
    let first = Running::start(&mut run.record(&[]));
    until("its episode begins", || begun("command"));
    let second = run.record(&[]).output().expect("the program starts");
    assert_eq!(second.status.code(), Some(3));
    assert!(text(&second.stderr).contains("already"), "{}", text(&second.stderr));
    first.signal(Signal::SIGKILL);
    until("the recorder goes on without it", || begun("after_command"));
    logger.signal(Signal::SIGTERM);
    assert!(logger.end().0.success());
    let found = found(&run.episodes_dir());
    assert_eq!(
        words(&found),
        [("start", "command"), ("command", "command"), ("after_command", "")]
    );
}

#[test]
fn where_nobody_records_a_recorder_is_started_and_ctrl_c_ends_it_with_its_episode() {
    let run = Run::start(|logger| logger.episode_begins = EpisodeBegins::Arm);
    let recording = Running::start(&mut run.record(&["--task", "stand still"]));
    until("its episode has steps", || {
        let mut entries = fs::read_dir(run.episodes_dir()).ok()?.flatten();
        let steps = entries.next()?.path().join("steps/000000.jsonl");
        (fs::read_to_string(steps).ok()?.lines().count() >= 60).then_some(())
    });
    recording.signal(Signal::SIGINT);
    let (status, told) = recording.end();
    assert_eq!(status.code(), Some(0), "{told}");
    let answer: Value = serde_json::from_str(&told).expect("one JSON object");
    assert_eq!(
        (&answer["recorder"], &answer["episodes"][0]["valid"]),
        (&"own".into(), &true.into())
    );
    let found = found(&run.episodes_dir());
    assert_eq!((found.len(), found[0].note.closing), (1, Closing::Clean));
    assert_eq!(found[0].note.begun, "command");
    assert!(found[0].first_step.contains("stand still"));
}
