//! `continuon replay` and `continuon why` over recordings of a virtual drive: whole, changed, with a
//! hole, and of another robot.

use rlds::{About, Entry, RecordingWriter, recording_path};
use rt_wire::{MonoNs, Telemetry};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tests::real_robot::program;
use tests::recorded::{Drive, drive};

/// Cycles of the drive that is replayed: past the second arming.
const CYCLES: u64 = 11_000;

fn recorded() -> &'static Drive {
    static DRIVE: OnceLock<Drive> = OnceLock::new();
    DRIVE.get_or_init(|| drive(CYCLES))
}

/// A recording of these entries in an episode's place.
fn record(folder: &Path, robot_json: &str, entries: impl Iterator<Item = Entry>) -> PathBuf {
    let episode = folder.join("rlds/episodes/ep_20261120T100000Z_sim-donkey");
    let path = recording_path(&episode);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let about = About {
        robot: "sim-donkey".to_owned(),
        start_mono_ns: MonoNs(1_000_000_000),
        start_unix_ms: 1_795_168_800_000,
        step_rate_hz: 20,
        ..About::default()
    };
    let file = File::create(path).expect("a file");
    let mut recording =
        RecordingWriter::create(file, &about, robot_json.as_bytes()).expect("begun");
    let mut keyframes = 0;
    for entry in entries {
        match entry {
            Entry::Telemetry(record) => {
                if recording.is_due(record.mono_ns) {
                    recording.flush().expect("written");
                }
                recording.telemetry(record.sequence, &record);
            }
            Entry::Keyframe(state) => {
                keyframes += 1;
                recording.keyframe(keyframes, &state);
            }
            Entry::Log(frame) => recording.log_frame(frame.sequence, &frame),
            Entry::Loss(loss) => recording.loss(MonoNs(1), &loss).expect("written"),
            Entry::Event(_) | Entry::Frame(_) => {}
        }
    }
    recording.finish().expect("whole");
    episode
}

/// A recording of the drive, with some entries changed or left out.
fn recording(edit: impl Fn(Entry) -> Option<Entry>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let drive = recorded();
    let entries = drive.entries.iter().cloned().filter_map(edit);
    let episode = record(folder.path(), drive.robot.json(), entries);
    (folder, episode)
}

/// As above, with one telemetry record changed.
fn changed(cycle: u64, edit: impl Fn(&mut Telemetry)) -> (tempfile::TempDir, PathBuf) {
    recording(|entry| match entry {
        Entry::Telemetry(mut record) if record.cycle_index == cycle => {
            edit(&mut record);
            Some(Entry::Telemetry(record))
        }
        other => Some(other),
    })
}

/// Exit code and what a command of `continuon` told as JSON.
fn told(command: &str, episode: &Path, arguments: &[&str]) -> (i32, Value) {
    let mut continuon = program("continuon");
    continuon.args([command, "--json"]).args(arguments);
    if command == "why" {
        continuon.arg("--episode");
    }
    let output = continuon.arg(episode).output().expect("the program starts");
    let told = serde_json::from_slice(&output.stdout).expect("one JSON object");
    (output.status.code().expect("an exit code"), told)
}

/// What a command tells people.
fn words(command: &str, episode: &Path) -> String {
    let mut continuon = program("continuon");
    continuon.arg(command);
    if command == "why" {
        continuon.arg("--episode");
    }
    let output = continuon.arg(episode).output().expect("the program starts");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_recorded_drive_replays_identical_with_its_keyframes() {
    let (folder, episode) = recording(Some);
    for given in [episode.as_path(), folder.path(), &recording_path(&episode)] {
        let (code, told) = told("replay", given, &[]);
        assert_eq!((code, told["verdict"].as_str()), (0, Some("identical")), "{told:#}");
        // The first cycle is the one that the first keyframe was taken after.
        assert_eq!(told["cycles_identical"], CYCLES - 1);
        assert_eq!(told["cycles_not_covered"], 1);
        assert!(told["keyframes_identical"].as_u64() > Some(10), "{told:#}");
    }
    let words = words("replay", &episode);
    assert!(words.starts_with("identical: 10 999 cycles"), "{words}");
}

#[test]
fn one_changed_value_is_found_with_its_cycle_and_field() {
    let (_folder, episode) = changed(5000, |record| record.outcome.pulses.throttle.0 += 1);
    let (code, found) = told("replay", &episode, &[]);
    assert_eq!((code, found["verdict"].as_str()), (1, Some("different")));
    assert_eq!(found["difference"]["cycle_index"], 5000);
    assert_eq!(found["difference"]["field"], "outcome.pulses.throttle");
    let words = words("replay", &episode);
    assert!(
        words.starts_with("different: cycle 5000 (5.000 s), outcome.pulses.throttle"),
        "{words}"
    );
    // A changed input shows in what it changes.
    let (_folder, episode) = changed(5000, |record| record.inbox.estop.sequence += 1);
    let (code, found) = told("replay", &episode, &[]);
    assert_eq!((code, &found["difference"]["field"]), (1, &Value::from("outcome.mode")));
    assert_eq!(found["difference"]["recorded"], "Active");
    assert_eq!(found["difference"]["replayed"], "EStopLatched");
}

#[test]
fn a_changed_keyframe_is_found_where_it_stands() {
    let (_folder, episode) = recording(|entry| match entry {
        Entry::Keyframe(mut state) if state.cycle_index == 5000 => {
            state.steering_micro += 1;
            Some(Entry::Keyframe(state))
        }
        other => Some(other),
    });
    let (code, told) = told("replay", &episode, &[]);
    assert_eq!(code, 1);
    assert_eq!(told["difference"]["field"], "keyframe.steering_micro");
    assert_eq!(told["difference"]["cycle_index"], 5000);
}

#[test]
fn a_hole_is_never_called_identical_and_replay_goes_on_at_the_next_keyframe() {
    let (_folder, episode) = recording(|entry| match entry {
        Entry::Telemetry(record) if (5200..5203).contains(&record.cycle_index) => None,
        other => Some(other),
    });
    let (code, told) = told("replay", &episode, &[]);
    assert_eq!((code, told["verdict"].as_str()), (1, Some("not_comparable")), "{told:#}");
    assert_eq!(told["records_missing"], 3);
    // Up to the keyframe of cycle 6000.
    assert_eq!(told["cycles_not_comparable"], 6001 - 5203);
    assert_eq!(told["cycles_identical"], CYCLES - 1 - 3 - (6001 - 5203));
    assert_eq!(told["gaps"][0]["after_cycle"], 5199);
    assert_eq!(told["gaps"][0]["before_cycle"], 5203);
    let words = words("replay", &episode);
    assert!(
        words.starts_with(
            "not comparable in 798 cycles, identical in 10 198 cycles; missing: 3 records"
        ),
        "{words}"
    );
}

#[test]
fn a_recording_under_other_limits_has_nothing_to_compare() {
    let folder = tempfile::tempdir().expect("a folder");
    let drive = recorded();
    let other = drive.robot.edited(|file| file.limits.throttle_max = 0.5).expect("valid");
    let episode = record(folder.path(), other.json(), drive.entries.iter().cloned());
    let (code, told) = told("replay", &episode, &[]);
    assert_eq!((code, told["verdict"].as_str()), (1, Some("not_comparable")));
    assert_eq!(told["cycles_identical"], 0);
    let notes = told["notes"].to_string();
    assert!(notes.contains("other limits"), "{notes}");
}

#[test]
fn why_names_the_killed_pilot_its_age_and_the_limit() {
    let (_folder, episode) = recording(Some);
    let (code, why) = told("why", &episode, &[]);
    assert_eq!(code, 0);
    assert_eq!(why["stop"]["cycle_index"], recorded().pilot_stop);
    assert_eq!((&why["stop"]["from"], &why["stop"]["to"]), (&"Active".into(), &"SafeStop".into()));
    assert_eq!(why["stop"]["owner_before"], "pilot");
    assert_eq!(why["stop"]["causes"][0]["name"], "OwnerStale");
    let found = why["stop"]["causes"][0]["found"].as_str().expect("a figure");
    assert!(found.starts_with("pilot: last good command "), "{found}");
    assert!(found.contains("limit 90 ms"), "{found}");
    assert!(why["stop"]["neutral_after_s"].as_f64() < Some(0.6), "{why:#}");
    assert!(why["stop"]["standstill_after_s"].is_f64(), "{why:#}");
    let timeline = why["timeline"].to_string();
    for part in ["mode: Active to SafeStop", "owner: pilot to none", "cause: OwnerStale"] {
        assert!(timeline.contains(part), "{part}: {timeline}");
    }
    let told_words = words("why", &episode);
    for part in
        ["SafeStop at ", "OwnerStale", "pilot: last good command", "rule ramp", "To mend it:"]
    {
        assert!(told_words.contains(part), "{part} in {told_words}");
    }
    assert!(told_words.lines().all(|line| line.chars().count() <= 100 || line.contains("/ep_")));
}

#[test]
fn why_at_a_moment_tells_what_was_asked_chosen_changed_and_driven() {
    let (_folder, episode) = recording(Some);
    let (code, why) = told("why", &episode, &["5.0s"]);
    assert_eq!((code, &why["cycle"]["cycle_index"]), (0, &5000.into()));
    assert_eq!(
        (&why["cycle"]["mode"], &why["cycle"]["owner"]),
        (&"Active".into(), &"pilot".into())
    );
    assert!(why["stop"].is_null() && why["arming"].is_null(), "{why:#}");
    let Some(Entry::Telemetry(record)) = recorded()
        .entries
        .iter()
        .find(|entry| matches!(entry, Entry::Telemetry(record) if record.cycle_index == 5000))
    else {
        panic!("recorded");
    };
    assert_eq!(why["cycle"]["driven"]["throttle_us"], record.outcome.pulses.throttle.0);
    assert_eq!(why["cycle"]["sources"][2]["source"], "pilot");
    assert!(why["cycle"]["sources"][0]["command"].is_null(), "teleop never spoke");
    // While it does not drive, every interlock is told.
    let (_, why) = told("why", &episode, &["#8000"]);
    assert_eq!(why["cycle"]["mode"], "Disarmed");
    let interlocks = why["arming"]["interlocks"].as_array().expect("a list");
    assert!(!interlocks.is_empty() && interlocks.iter().all(|one| one["mend"].is_string()));
}

#[test]
fn bad_input_of_both_is_named() {
    let (folder, episode) = recording(Some);
    let text = folder.path().join("notes.txt");
    fs::write(&text, "no recording").expect("written");
    let cases: [(&str, &Path, &[&str], &str); 6] = [
        ("why", &episode, &["11.5"], "from 0 to 10.999 s"),
        ("why", &episode, &["#11000"], "from #0 to #10999"),
        ("why", &episode, &["soon"], "12.5s"),
        ("why", &text, &[], "not an MCAP file"),
        ("replay", &text, &[], "not an MCAP file"),
        ("replay", &folder.path().join("none"), &[], "expected an episode"),
    ];
    for (command, episode, arguments, named) in cases {
        let (code, told) = told(command, episode, arguments);
        assert_eq!(code, 2, "{command} {arguments:?}: {told}");
        let error = told["error"].as_str().expect("an error");
        assert!(error.contains(named), "{command} {arguments:?}: {error}");
    }
}

#[test]
fn an_episode_without_a_stop_says_so() {
    let (_folder, episode) = recording(|entry| match entry {
        Entry::Telemetry(record) if record.cycle_index >= 5000 => None,
        Entry::Keyframe(state) if state.cycle_index >= 5000 => None,
        other => Some(other),
    });
    let (code, why) = told("why", &episode, &[]);
    assert_eq!((code, &why["stop"], &why["cycle"]), (0, &Value::Null, &Value::Null));
    let answer = why["answer"].as_str().expect("a sentence");
    assert!(answer.contains("did not stop") && answer.contains("Active"), "{answer}");
}
