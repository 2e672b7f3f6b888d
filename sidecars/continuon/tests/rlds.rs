//! `continuon rlds validate` as a shell sees it: exit codes, one line a finding, one JSON object.

mod support;

use nix::pty::{OpenptyResult, Winsize, openpty};
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use support::{Installed, stderr, stdout};

const STEP: &str = include_str!("../../rlds/tests/golden/step.json");
const METADATA: &str = include_str!("../../rlds/tests/golden/metadata.json");

/// An episode of `count` steps as a recorder without its own counts writes it, with an instruction.
fn episode(path: &Path, count: i64, change: impl Fn(i64, &mut Value)) -> PathBuf {
    fs::create_dir_all(path.join("steps")).expect("made");
    let step: Value = serde_json::from_str(STEP).expect("golden");
    let lines: String = (0..count)
        .map(|index| {
            let mut step = step.clone();
            for block in ["robot_state", "glove"] {
                step["observation"][block]["timestamp_nanos"] = json!(1 + index * 50_000_000);
            }
            step["step_metadata"]["fast_loop_tick"] = json!((1 + index * 50).to_string());
            step["step_metadata"]["language_instruction"] = json!("drive");
            change(index, &mut step);
            format!("{step}\n")
        })
        .collect();
    fs::write(path.join("steps/000000.jsonl"), lines).expect("written");
    let mut metadata: Value = serde_json::from_str(METADATA).expect("golden");
    metadata["duration_ms"] = json!((count - 1) * 50);
    metadata["tags"] = json!(["continuon.xr_mode:workstation"]);
    fs::write(path.join("metadata.json"), metadata.to_string()).expect("written");
    path.to_owned()
}

fn validate(installed: &Installed, args: &[&str]) -> Output {
    installed.run(&[&["rlds", "validate"], args].concat())
}

#[test]
fn valid_episode_is_one_line_and_exit_0() {
    let installed = Installed::new();
    episode(&installed.path("ep"), 60, |_, _| {});
    let output = validate(&installed, &["ep", "--strict"]);
    let told = "ep: valid, what is lost is not told; 60 steps in 2.95 s\n";
    assert_eq!((stdout(&output).as_str(), output.status.code()), (told, Some(0)));
}

/// All that our program writes to a terminal of so many columns.
fn on_a_terminal(installed: &Installed, columns: u16, args: &[&str]) -> String {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(&size, None).expect("a terminal");
    let ends = || Stdio::from(slave.try_clone().expect("a descriptor"));
    let mut command = installed.command(args);
    let mut child = command.stdin(ends()).stdout(ends()).stderr(ends()).spawn().expect("started");
    drop((command, slave));
    let mut written = Vec::new();
    let mut master = fs::File::from(master);
    let mut piece = [0; 4096];
    // Linux answers EIO, not an end, once nobody has the other side open.
    while let Ok(bytes) = master.read(&mut piece) {
        written.extend_from_slice(&piece[..bytes]);
    }
    assert!(child.wait().expect("it ends").success());
    String::from_utf8(written).expect("text")
}

#[test]
fn nothing_is_taken_back_from_a_terminal_once_the_answer_stands_there() {
    let installed = Installed::new();
    let name = "an_episode_whose_name_is_longer_than_the_terminal_is_wide";
    episode(&installed.path(name), 60, |_, _| {});
    let written = on_a_terminal(&installed, 40, &["rlds", "validate", name]);
    let (moving, answer) = written.split_once(&format!("{name}: valid")).expect("an answer");
    assert!(moving.contains("validating an_episode"), "{written:?}");
    assert!(!moving.contains(name), "a line that wraps: {written:?}");
    // It begins on a line that was taken away, and what comes below takes away its own line alone.
    assert!(moving.ends_with("\r\u{1b}[2K"), "{written:?}");
    let (rest, below) = answer.split_once("\r\n").expect("a whole line");
    assert!(!rest.contains('\u{1b}'), "{written:?}");
    assert!(below.split('\u{1b}').skip(1).all(|escape| escape.starts_with("[2K")), "{written:?}");
}

#[test]
fn each_fault_is_one_line_with_its_place_and_exit_2() {
    let installed = Installed::new();
    episode(&installed.path("ep"), 60, |index, step| {
        if index == 7 {
            step["action"]["source"] = json!("pilot");
        }
    });
    let output = validate(&installed, &["ep"]);
    let told = "\
ep/steps/000000.jsonl:8: error: step 7: action.source: expected human_teleop_xr, human_dev_xr or human_supervisor, found `pilot` [enum]
ep: NOT valid, what is lost is not told, 1 error; 60 steps in 2.95 s
";
    assert_eq!((stdout(&output).as_str(), output.status.code()), (told, Some(2)));
}

#[test]
fn warning_is_valid_and_with_strict_the_answer_is_no() {
    let installed = Installed::new();
    episode(&installed.path("ep"), 20, |_, _| {});
    let lenient = validate(&installed, &["ep"]);
    assert_eq!(lenient.status.code(), Some(0));
    assert!(stdout(&lenient).contains("ep: valid, what is lost is not told, 1 warning; 20 steps"));
    let strict = validate(&installed, &["ep", "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(stdout(&strict).contains("ep: NOT valid"));
}

#[test]
fn same_fault_in_every_step_is_told_twenty_times_and_counted() {
    let installed = Installed::new();
    episode(&installed.path("ep"), 60, |_, step| step["action"]["source"] = json!("pilot"));
    let told = stdout(&validate(&installed, &["ep"]));
    assert_eq!(told.lines().count(), 22, "{told}");
    assert!(told.contains("… and 40 more findings of [enum] (--all tells each)"), "{told}");
    let all = stdout(&validate(&installed, &["ep", "--all"]));
    assert_eq!(all.lines().count(), 61, "{all}");
}

#[test]
fn folder_of_episodes_is_judged_one_by_one_and_json_is_one_object() {
    let installed = Installed::new();
    let folder = installed.path("run/rlds/episodes");
    episode(&folder.join("a"), 60, |_, _| {});
    episode(&folder.join("b"), 60, |_, step| step["reward"] = json!(1));
    fs::create_dir(folder.join("c")).expect("made");
    let output = validate(&installed, &["run", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let told: Value = serde_json::from_str(&stdout(&output)).expect("one object");
    assert_eq!(told["valid"], false);
    let valid: Vec<_> =
        told["episodes"].as_array().expect("a list").iter().map(|e| &e["valid"]).collect();
    assert_eq!(valid, [&json!(true), &json!(false)]);
    let second = &told["episodes"][1];
    assert_eq!((&second["rules"]["unknown_field"], &second["errors"]), (&json!(60), &json!(60)));
    let finding = &second["findings"][0];
    assert_eq!(
        (&finding["field"], &finding["line"], &finding["step"]),
        (&json!("reward"), &json!(1), &json!(0))
    );
    assert!(told["left_out"][0].as_str().expect("a path").ends_with("episodes/c"));
    let text = stdout(&validate(&installed, &["run"]));
    assert!(text.contains("2 episodes: 1 valid, 1 not, 60 errors\n"), "{text}");
}

#[test]
fn number_is_a_number_in_this_executable_too() {
    // A crate of it turns on `arbitrary_precision` of serde_json, which changes how numbers come out.
    let installed = Installed::new();
    episode(&installed.path("ep"), 60, |_, step| step["action"]["command"] = json!([0.5, -1]));
    assert_eq!(validate(&installed, &["ep", "--strict"]).status.code(), Some(0));
    episode(&installed.path("ep"), 60, |_, step| step["action"]["command"] = json!([0.5, 1.5]));
    assert!(
        stdout(&validate(&installed, &["ep"])).contains("in [-1, 1], found 1.5 [action_range]")
    );
}

#[test]
fn folder_without_an_episode_is_misuse_and_a_file_that_cannot_be_read_is_not_possible() {
    let installed = Installed::new();
    fs::create_dir(installed.path("empty")).expect("made");
    let output = validate(&installed, &["empty"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("empty: expected an episode"), "{}", stderr(&output));
    let path = episode(&installed.path("ep"), 60, |_, _| {});
    fs::create_dir(path.join("episode.json")).expect("made");
    let output = validate(&installed, &["ep"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("ep/episode.json: "), "{}", stderr(&output));
}
