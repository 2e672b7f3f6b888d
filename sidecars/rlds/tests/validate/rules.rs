//! Each rule, broken alone: found with file, line, step and field, and nothing else is found.

use crate::episode::{Episode, findings_of, judge};
use rlds::validate::{Finding, Profile, RULES, Severity};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

/// One way to break a rule: rule, whether it is an error, field, words of expected or found, how.
struct Broken {
    rule: &'static str,
    severity: Severity,
    field: &'static str,
    words: &'static str,
    episode: Episode,
}

fn broken(
    rule: &'static str,
    field: &'static str,
    words: &'static str,
    episode: Episode,
) -> Broken {
    Broken { rule, severity: Severity::Error, field, words, episode }
}

fn warned(
    rule: &'static str,
    field: &'static str,
    words: &'static str,
    episode: Episode,
) -> Broken {
    Broken { severity: Severity::Warning, ..broken(rule, field, words, episode) }
}

/// Sets the value at a JSON pointer of step 7.
fn step(pointer: &str, value: Value) -> Episode {
    Episode::with(|step| *step.pointer_mut(pointer).expect(pointer) = value)
}

/// Puts a key that is not there into a block of step 7.
fn step_key(block: &str, key: &str, value: Value) -> Episode {
    Episode::with(|step| step.pointer_mut(block).expect(block)[key] = value)
}

fn metadata(pointer: &str, value: Value) -> Episode {
    Episode::with_metadata(|metadata| *metadata.pointer_mut(pointer).expect(pointer) = value)
}

fn without(block: &str, key: &str) -> Episode {
    Episode::with(|step| {
        step.pointer_mut(block).and_then(Value::as_object_mut).expect(block).remove(key);
    })
}

/// In every step.
fn all(change: impl Fn(&mut Value)) -> Episode {
    let mut episode = Episode::good();
    episode.steps.iter_mut().for_each(change);
    episode
}

fn at_ns(pointer: &str, after_ns: i64) -> Episode {
    Episode::with(|step| {
        let now = step["observation"]["robot_state"]["timestamp_nanos"].as_i64().expect("a time");
        *step.pointer_mut(pointer).expect(pointer) = json!(now + after_ns);
    })
}

const ROBOT_NS: &str = "/observation/robot_state/timestamp_nanos";
const RGB: &str = "/observation/media/rgb";

fn shape_rules() -> Vec<Broken> {
    vec![
        broken("missing_field", "observation.gaze", "a block", without("/observation", "gaze")),
        broken("missing_field", "action.source", "nothing", without("/action", "source")),
        broken(
            "unknown_field",
            "reward",
            "did you mean step_metadata.reward?",
            step_key("", "reward", json!(1.0)),
        ),
        broken(
            "unknown_field",
            "observation.headset_poze",
            "did you mean headset_pose?",
            step_key("/observation", "headset_poze", json!({})),
        ),
        broken(
            "unknown_field",
            "observation.robot_state.left_arm",
            "the flat robot_state",
            step_key("/observation/robot_state", "left_arm", json!({})),
        ),
        broken("type", "is_terminal", "true or false", step("/is_terminal", json!("no"))),
        broken(
            "type",
            "observation.diagnostics.glove_drops",
            "32 bits, found 3000000000",
            step("/observation/diagnostics/glove_drops", json!(3_000_000_000_u64)),
        ),
        broken(
            "type",
            "step_metadata.fast_loop_tick",
            "a text, found 7",
            step("/step_metadata/fast_loop_tick", json!(7)),
        ),
        broken("length", "action.command", "at least 1", step("/action/command", json!([]))),
        broken(
            "length",
            "observation.headset_pose.position",
            "3 numbers or none, found 2",
            step("/observation/headset_pose/position", json!([1, 2])),
        ),
        broken(
            "not_finite",
            "observation.diagnostics.latency_ms",
            "a finite number, found 1e39",
            step("/observation/diagnostics/latency_ms", json!(1e39)),
        ),
        broken(
            "enum",
            "action.source",
            "human_teleop_xr, human_dev_xr or human_supervisor, found `pilot`",
            step("/action/source", json!("pilot")),
        ),
        broken(
            "enum",
            "xr_mode",
            "trainer, workstation, observer or sleep_learning, found `inference`",
            Episode::with_metadata(|metadata| {
                metadata["xr_mode"] = json!("inference");
                metadata["tags"][0] = json!("continuon.xr_mode:inference");
            }),
        ),
        broken("enum", "control_role", "`robot`", metadata("/control_role", json!("robot"))),
        broken("enum", "schema_version", "1.0 or 1.1", metadata("/schema_version", json!("2.0"))),
        broken("enum", "frame_convention", "map", metadata("/frame_convention", json!("map"))),
        broken(
            "enum",
            "observation.dialog.speaker",
            "user, assistant or system",
            step("/observation/dialog/speaker", json!("robot")),
        ),
    ]
}

fn value_rules() -> Vec<Broken> {
    vec![
        broken(
            "action_range",
            "action.command[1]",
            "-1.001",
            step("/action/command/1", json!(-1.001)),
        ),
        broken(
            "range",
            "observation.gaze.confidence",
            "1.5",
            step("/observation/gaze/confidence", json!(1.5)),
        ),
        broken(
            "range",
            "observation.glove.flex[4]",
            "[0, 1]",
            step("/observation/glove/flex/4", json!(1.01)),
        ),
        broken(
            "gaze_norm",
            "observation.gaze.direction",
            "norm 0.0000",
            step("/observation/gaze/direction", json!([0, 0, 0])),
        ),
        broken(
            "gaze_norm",
            "observation.gaze.direction",
            "norm 1.0020",
            step("/observation/gaze/direction", json!([0, 0, 1.002])),
        ),
        broken(
            "quat_norm",
            "observation.robot_state.end_effector_pose.orientation_quat",
            "norm 2.0000",
            step(
                "/observation/robot_state/end_effector_pose/orientation_quat",
                json!([0, 2, 0, 0]),
            ),
        ),
        broken(
            "quat_norm",
            "observation.glove.orientation_quat",
            "norm 0.0000",
            step("/observation/glove/orientation_quat", json!([0, 0, 0, 0])),
        ),
        broken(
            "valid_block",
            "observation.headset_pose.position",
            "since valid is true",
            step("/observation/headset_pose/position", json!([])),
        ),
        broken(
            "frame_id",
            "observation.depth_frame_id",
            "`other`",
            step("/observation/depth_frame_id", json!("other")),
        ),
        broken(
            "frame_id",
            "observation.robot_state.frame_id",
            "`frame-7`, as video_frame_id",
            step("/observation/robot_state/frame_id", json!("frame-8")),
        ),
        broken(
            "frame_id",
            "observation.media.rgb.frame_id",
            "`foreign`",
            step("/observation/media/rgb/frame_id", json!("foreign")),
        ),
        broken(
            "skew",
            "observation.glove.timestamp_nanos",
            "5.000 ms away",
            at_ns("/observation/glove/timestamp_nanos", 5_000_001),
        ),
        broken(
            "skew",
            "observation.media.rgb.timestamp_ns",
            "500.000 ms away",
            at_ns("/observation/media/rgb/timestamp_ns", -500_000_000),
        ),
        broken(
            "skew",
            "observation.media.depth.timestamp_ns",
            "±5 ms",
            at_ns("/observation/media/depth/timestamp_ns", 6_000_000),
        ),
        broken(
            "skew",
            "observation.media.audio.timestamp_ns",
            "±5 ms",
            at_ns("/observation/media/audio/timestamp_ns", 6_000_000),
        ),
        broken(
            "skew",
            "observation.media.rgb.timestamp_ns",
            "found 0",
            without(RGB, "timestamp_ns"),
        ),
        broken(
            "audio",
            "observation.audio.sample_rate_hz",
            "nothing",
            without("/observation/audio", "sample_rate_hz"),
        ),
        broken(
            "audio",
            "observation.media.audio.num_channels",
            "above 0",
            step("/observation/media/audio/num_channels", json!(0)),
        ),
        warned(
            "wall_time",
            "observation.robot_state.wall_time_millis",
            "since 1970",
            step("/observation/robot_state/wall_time_millis", json!(0)),
        ),
    ]
}

fn sequence_rules() -> Vec<Broken> {
    let mut back = Episode::good();
    // Step 8 is at the time of step 6, and so is all that belongs to it.
    back.steps[8]["observation"] = back.steps[6]["observation"].clone();
    let mut again = Episode::good();
    again.steps[8]["observation"] = again.steps[7]["observation"].clone();
    let mut twice = Episode::good();
    twice.steps[8]["step_metadata"]["step_index"] = json!("7");
    let mut tick = Episode::good();
    tick.steps[8]["step_metadata"]["fast_loop_tick"] = json!("351");
    let mut few = Episode::good();
    few.steps.truncate(49);
    few.metadata["duration_ms"] = json!(48 * 50);
    let mut none = Episode::good();
    none.steps.clear();
    let mut silent = Episode::good();
    silent.steps[0]["action"].as_object_mut().expect("a block").remove("annotation");
    vec![
        broken(
            "time_backwards",
            "observation.robot_state.timestamp_nanos",
            "50.000 ms before it",
            back,
        ),
        broken("time_repeats", "observation.robot_state.timestamp_nanos", "the same again", again),
        broken("step_index", "step_metadata.step_index", "8, found `7`", twice),
        broken("step_index", "step_metadata.fast_loop_tick", "above 351", tick),
        broken("terminal", "is_terminal", "in step 7", step("/is_terminal", json!(true))),
        broken(
            "shape_changes",
            "action.command",
            "2 numbers",
            step("/action/command", json!([0.5])),
        ),
        broken(
            "shape_changes",
            "observation.robot_state.joint_positions",
            "1 numbers",
            step("/observation/robot_state/joint_positions", json!([0, 1])),
        ),
        warned("min_steps", "steps", "at least 50 steps, found 49", few),
        broken("min_steps", "steps", "at least 1 step, found none", none),
        broken("duration", "duration_ms", "found 9000 ms", metadata("/duration_ms", json!(9000))),
        broken("duration", "duration_ms", "2950.000 ms", metadata("/duration_ms", json!(0))),
        warned("language_instruction", "steps", "in step 0", silent),
        warned(
            "safety_events",
            "steps",
            "none in any step",
            all(|step| {
                for word in ["safety_violations", "safety_clamped"] {
                    step["step_metadata"].as_object_mut().expect("a block").remove(word);
                }
            }),
        ),
        warned(
            "glove_coverage",
            "observation.glove.valid",
            "0 of 60",
            all(|step| step["observation"]["glove"]["valid"] = json!(false)),
        ),
        warned(
            "flag",
            "step_metadata.safety_clamped",
            "`maybe`",
            step("/step_metadata/safety_clamped", json!("maybe")),
        ),
    ]
}

fn media_rules() -> Vec<Broken> {
    let empty = Episode::good();
    fs::write(empty.path.join("blobs/left-over.jpg"), "").expect("written");
    let cut = Episode::good();
    fs::write(cut.path.join("blobs/7b.jpg"), &crate::episode::JPEG[..18]).expect("written");
    let mut cut = cut;
    cut.steps[7]["observation"]["media"]["rgb"]["uri"] = json!("blobs/7b.jpg");
    vec![
        broken(
            "uri",
            "observation.media.rgb.uri",
            "`../secret.jpg`",
            step("/observation/media/rgb/uri", json!("../secret.jpg")),
        ),
        broken(
            "uri",
            "observation.audio.uri",
            "`/etc/passwd`",
            step("/observation/audio/uri", json!("/etc/passwd")),
        ),
        broken(
            "uri",
            "observation.segmentation.masks[0].uri",
            "inside the episode",
            step("/observation/segmentation/masks/0/uri", json!("https://x/y.png")),
        ),
        broken(
            "missing_blob",
            "observation.media.rgb.uri",
            "blobs/8.jpg",
            step("/observation/media/rgb/uri", json!("blobs/8.jpg")),
        ),
        broken(
            "missing_blob",
            "observation.media.depth.uri",
            "no file",
            step("/observation/media/depth/uri", json!("steps")),
        ),
        broken("zero_byte_blob", "blobs", "blobs/left-over.jpg: 0 bytes", empty),
        broken(
            "jpeg",
            "observation.media.rgb.uri",
            "blobs/7b.jpg: it has no end: it was cut off",
            cut,
        ),
        broken(
            "jpeg",
            "observation.media.rgb.uri",
            "width 3",
            step("/observation/media/rgb/width", json!(640)),
        ),
    ]
}

fn metadata_rules() -> Vec<Broken> {
    let remove = |key: &str| {
        Episode::with_metadata(|metadata| {
            metadata.as_object_mut().expect("a block").remove(key);
        })
    };
    vec![
        broken(
            "missing_field",
            "software.xr_app",
            "a text",
            Episode::with_metadata(|metadata| {
                metadata["software"].as_object_mut().expect("a block").remove("xr_app");
            }),
        ),
        broken(
            "unknown_field",
            "robot_type",
            "did you mean robot_id?",
            Episode::with_metadata(|metadata| metadata["robot_type"] = json!("x")),
        ),
        broken(
            "mode_tag",
            "tags",
            "`continuon.xr_mode:observer`",
            metadata("/tags/0", json!("continuon.xr_mode:observer")),
        ),
        warned("mode_tag", "tags", "no such tag", metadata("/tags", json!([]))),
        broken("empty", "environment_id", "a name", metadata("/environment_id", json!(""))),
        broken("robot_identity", "robot_id", "nothing", remove("robot_id")),
        broken(
            "robot_identity",
            "robot_model",
            "an empty text",
            metadata("/robot_model", json!("")),
        ),
        warned(
            "robot_identity",
            "robot_model",
            "nothing",
            Episode::with_metadata(|metadata| {
                metadata["schema_version"] = json!("1.0");
                metadata.as_object_mut().expect("a block").remove("robot_model");
            }),
        ),
        broken("range", "start_time_unix_ms", "-5", metadata("/start_time_unix_ms", json!(-5))),
        broken("public_pii", "share.public", "pii_cleared", metadata("/share/public", json!(true))),
        broken(
            "public_pii",
            "safety.pii_attestation.pii_present",
            "since faces",
            metadata("/safety/pii_attestation/pii_present", json!(false)),
        ),
    ]
}

/// Found alone, with its place.
fn check(broken: &Broken) -> Option<String> {
    let findings = broken.episode.findings();
    let told = || findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n    ");
    let [finding] = &findings[..] else {
        return Some(format!(
            "{} of {}: found {}:\n    {}",
            broken.rule,
            broken.field,
            findings.len(),
            told()
        ));
    };
    let is_right = finding.rule == broken.rule
        && finding.severity == broken.severity
        && finding.field == broken.field
        && format!("{}, found {}", finding.expected, finding.found).contains(broken.words);
    let placed = if finding.file.ends_with(".jsonl") {
        finding.line == finding.step.map(|step| step + 1)
    } else {
        finding.line.is_none() && finding.step.is_none()
    };
    (!is_right || !placed).then(|| format!("{} of {}: {}", broken.rule, broken.field, told()))
}

fn check_all(rules: &[Broken]) {
    let wrong: Vec<String> = rules.iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn good_episode_has_no_finding() {
    let episode = Episode::good();
    let (verdict, findings) = judge(episode.write(), Profile::Recognised);
    assert_eq!(findings, []);
    assert_eq!((verdict.steps, verdict.errors, verdict.warnings), (60, 0, 0));
    assert_eq!((verdict.duration_ns, verdict.lost), (2_950_000_000, None));
}

#[test]
fn keys_types_and_words_that_the_contract_does_not_know_are_found() {
    check_all(&shape_rules());
}

#[test]
fn values_that_a_step_must_not_have_are_found() {
    check_all(&value_rules());
}

#[test]
fn steps_that_do_not_follow_each_other_are_found() {
    check_all(&sequence_rules());
}

#[test]
fn media_that_are_not_there_or_not_whole_are_found() {
    check_all(&media_rules());
}

#[test]
fn metadata_that_the_contract_does_not_allow_are_found() {
    check_all(&metadata_rules());
}

#[test]
fn limits_themselves_are_allowed() {
    for episode in [
        at_ns("/observation/media/rgb/timestamp_ns", 5_000_000),
        at_ns("/observation/glove/timestamp_nanos", -5_000_000),
        step("/observation/gaze/direction", json!([0, 0, 1.0009])),
        step("/action/command", json!([-1, 1])),
        step(
            "/observation/headset_pose",
            json!({"position": [], "orientation_quat": [0, 0, 0, 0], "valid": false}),
        ),
        step(
            "/observation/glove",
            json!({"timestamp_nanos": 0, "flex": [], "fsr": [], "orientation_quat": [], "accel": [], "valid": false}),
        ),
        step("/observation/audio/uri", json!("anonymized://00ff")),
        Episode::with_metadata(|metadata| {
            metadata["share"]["public"] = json!(true);
            metadata["safety"]["pii_cleared"] = json!(true);
            metadata["safety"]["pending_review"] = json!(false);
        }),
    ] {
        assert_eq!(episode.findings(), []);
    }
}

#[test]
fn every_fault_of_a_step_is_told_and_not_the_first_alone() {
    let episode = Episode::with(|step| {
        step["reward"] = json!(0.0);
        step["action"]["command"] = json!([2, -3]);
        step["observation"]["gaze"]["direction"] = json!([0, 0, 2]);
    });
    let rules: Vec<&str> = episode.findings().iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["unknown_field", "action_range", "action_range", "gaze_norm"]);
}

#[test]
fn link_out_of_the_episode_is_no_way_out() {
    let episode = step("/observation/media/rgb/uri", json!("blobs/out/secret.jpg"));
    let outside = episode.path.parent().expect("a folder").join("outside");
    fs::create_dir(&outside).expect("made");
    fs::write(outside.join("secret.jpg"), crate::episode::JPEG).expect("written");
    std::os::unix::fs::symlink(&outside, episode.path.join("blobs/out")).expect("linked");
    let findings = episode.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].rule, "uri");
}

fn promotion() -> Episode {
    let mut episode = Episode::good();
    episode.steps.truncate(1);
    episode.metadata["xr_mode"] = json!("sleep_learning");
    episode.metadata["control_role"] = json!("human_supervisor");
    episode.metadata["tags"] = json!(["adapter_promotion", "promoted:true", "reason:better"]);
    episode
}

#[test]
fn promotion_record_is_valid_with_one_step_and_recognised_by_its_tag() {
    let (verdict, findings) = judge(promotion().write(), Profile::Recognised);
    assert!(verdict.is_promotion);
    assert_eq!(findings, []);
}

#[test]
fn promotion_record_has_its_mode_its_role_its_tags_and_one_step() {
    let spoil = |change: fn(&mut Episode)| {
        let mut episode = promotion();
        change(&mut episode);
        episode
            .findings()
            .into_iter()
            .map(|finding| (finding.rule, finding.field))
            .collect::<Vec<_>>()
    };
    let wrong = |field: &str| vec![("promotion", field.to_owned())];
    assert_eq!(spoil(|e| e.metadata["xr_mode"] = json!("trainer")), wrong("xr_mode"));
    assert_eq!(
        spoil(|e| e.metadata["control_role"] = json!("human_teleop")),
        wrong("control_role")
    );
    assert_eq!(spoil(|e| e.metadata["tags"][1] = json!("promoted:maybe")), wrong("tags"));
    assert_eq!(spoil(|e| e.metadata["tags"][2] = json!("reason:")), wrong("tags"));
    assert_eq!(spoil(|e| e.metadata["tags"][0] = json!("other")), wrong("tags"));
    assert_eq!(spoil(|e| e.steps.clear()), wrong("steps"));
    assert_eq!(
        spoil(|e| *e = {
            let mut two = promotion();
            two.steps = Episode::good().steps[..2].to_vec();
            two
        }),
        wrong("steps")
    );
}

#[test]
fn promotion_loosens_nothing_for_an_ordinary_episode() {
    // A drive that calls itself a promotion is judged as one, and is none.
    let mut drive = Episode::good();
    drive.metadata["tags"] = json!(["continuon.xr_mode:trainer", "adapter_promotion"]);
    let rules: BTreeSet<&str> = drive.findings().iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, BTreeSet::from(["promotion"]));
    // And a promotion record is no drive.
    let (verdict, findings) = judge(promotion().write(), Profile::Normal);
    assert!(!verdict.is_promotion);
    let rules: BTreeSet<&str> = findings.iter().map(|finding| finding.rule).collect();
    for rule in ["enum", "min_steps", "duration"] {
        assert!(rules.contains(rule), "{rules:?}");
    }
    // What holds for a step holds for its step too.
    let mut skewed = promotion();
    skewed.steps[0]["observation"]["media"]["rgb"]["timestamp_ns"] = json!(1);
    assert_eq!(skewed.findings()[0].rule, "skew");
}

#[test]
fn every_rule_has_an_example_that_breaks_it() {
    let here: BTreeSet<&str> =
        [shape_rules(), value_rules(), sequence_rules(), media_rules(), metadata_rules()]
            .iter()
            .flatten()
            .map(|broken| broken.rule)
            .collect();
    // Whole files, lines that are none, and what only a recorder writes: bad_input.rs, recorded.rs.
    let elsewhere = [
        "missing_file",
        "not_utf8",
        "not_json",
        "too_long",
        "duplicate_key",
        "promotion",
        "note",
        "not_closed",
        "cut_short",
        "lost",
        "counts",
    ];
    let known: BTreeSet<&str> = RULES.iter().map(|(name, _)| *name).collect();
    let shown: BTreeSet<&str> = here.iter().copied().chain(elsewhere).collect();
    assert_eq!(known, shown);
    assert_eq!(known.len(), RULES.len(), "a rule is named twice");
}

#[test]
fn validating_changes_nothing() {
    let episode = step("/action/source", json!("pilot"));
    let path = episode.write();
    let before = fs::read(path.join("steps/000000.jsonl")).expect("read");
    let modified =
        || fs::metadata(path.join("metadata.json")).and_then(|m| m.modified()).expect("a time");
    let at = modified();
    assert_eq!(findings_of(path).len(), 1);
    assert_eq!(fs::read(path.join("steps/000000.jsonl")).expect("read"), before);
    assert_eq!(modified(), at);
}

/// Compared as a whole: it is what people read.
#[test]
fn finding_says_file_line_step_field_expected_and_found() {
    let episode = step("/action/source", json!("pilot"));
    let finding: Finding = episode.findings().remove(0);
    let expected = format!(
        "{}/steps/000000.jsonl:8: error: step 7: action.source: expected human_teleop_xr, \
         human_dev_xr or human_supervisor, found `pilot` [enum]",
        episode.path.display()
    );
    assert_eq!(finding.to_string(), expected);
}

#[test]
fn time_of_a_step_that_went_back_is_held_against_the_latest_so_far() {
    let mut episode = Episode::good();
    *episode.steps[8].pointer_mut(ROBOT_NS).expect("a time") = json!(1);
    let backwards = episode.findings().into_iter().filter(|f| f.rule == "time_backwards").count();
    assert_eq!(backwards, 1, "the step after it is fine");
}
