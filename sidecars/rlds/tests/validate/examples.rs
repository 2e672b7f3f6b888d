//! An episode for each way to break a rule, and what is to be found of it.

use crate::episode::Episode;
use rlds::Frame;
use rlds::validate::Severity;
use serde_json::{Value, json};
use std::fs;

/// One way to break a rule: rule, whether it is an error, field, words of expected or found, how.
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) severity: Severity,
    pub(crate) field: &'static str,
    pub(crate) words: &'static str,
    pub(crate) episode: Episode,
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
pub(crate) fn step(pointer: &str, value: Value) -> Episode {
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

pub(crate) fn at_ns(pointer: &str, after_ns: i64) -> Episode {
    Episode::with(|step| {
        let now = step["observation"]["robot_state"]["timestamp_nanos"].as_i64().expect("a time");
        *step.pointer_mut(pointer).expect(pointer) = json!(now + after_ns);
    })
}

pub(crate) const ROBOT_NS: &str = "/observation/robot_state/timestamp_nanos";
const RGB: &str = "/observation/media/rgb";

pub(crate) fn shape_rules() -> Vec<Broken> {
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
            "trainer, workstation or observer, found `inference`",
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

pub(crate) fn value_rules() -> Vec<Broken> {
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
            "skew",
            "step_metadata.misaligned_ns",
            "`7000000`",
            step_key("/step_metadata", "misaligned_ns", json!("7000000")),
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

pub(crate) fn sequence_rules() -> Vec<Broken> {
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

pub(crate) fn media_rules() -> Vec<Broken> {
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

/// Step 7 shows picture 21.
pub(crate) fn recorded_rules() -> Vec<Broken> {
    let whole = || Episode::recorded(|_, _| {});
    let with = |pointer: &str, value: Value| {
        let mut episode = whole();
        *episode.steps[7].pointer_mut(pointer).expect(pointer) = value;
        episode
    };
    let uri = |uri: &str| with("/observation/media/rgb/uri", json!(uri));
    let spoilt = |sequence: u64, spoil: fn(&mut Frame)| {
        Episode::recorded(move |n, picture| {
            if n == sequence {
                spoil(picture);
            }
        })
    };
    let none = whole();
    none.record(&[]);
    // Another program's recording, or a piece of one.
    let cut = whole();
    let recording = cut.path.join("blobs/recording.mcap");
    let mut bytes = fs::read(&recording).expect("there");
    bytes[0] ^= 1;
    fs::write(&recording, &bytes).expect("written");
    let mut cut_in_one_step = cut;
    for step in (0..60).filter(|step| *step != 7) {
        let media = &mut cut_in_one_step.steps[step]["observation"]["media"]["rgb"];
        media["uri"] = json!("blobs/7.jpg");
    }
    let mut none_in_one_step = none;
    for step in (0..60).filter(|step| *step != 7) {
        let media = &mut none_in_one_step.steps[step]["observation"]["media"]["rgb"];
        media["uri"] = json!("blobs/7.jpg");
    }
    vec![
        broken(
            "missing_frame",
            "observation.media.rgb.uri",
            "no frame 999999 among 0 to 179",
            uri("blobs/recording.mcap#frames/999999"),
        ),
        broken("missing_frame", "observation.media.rgb.uri", "nor any other", none_in_one_step),
        broken("missing_frame", "observation.media.rgb.uri", "not an MCAP file", cut_in_one_step),
        broken(
            "frame_differs",
            "observation.media.rgb.frame_id",
            "`other`, as blobs/recording.mcap#frames/21, found `frame-21`",
            spoilt(21, |picture| picture.frame_id = "other".to_owned()),
        ),
        broken(
            "frame_differs",
            "observation.media.rgb.timestamp_ns",
            "as blobs/recording.mcap#frames/21",
            spoilt(21, |picture| picture.mono_ns.0 += 1),
        ),
        broken(
            "frame_differs",
            "observation.media.rgb.width",
            "3, as blobs/recording.mcap#frames/21, found 640",
            with("/observation/media/rgb/width", json!(640)),
        ),
        broken(
            "frame_differs",
            "observation.media.rgb.height",
            "found 480",
            with("/observation/media/rgb/height", json!(480)),
        ),
        broken(
            "jpeg",
            "observation.media.rgb.uri",
            "blobs/recording.mcap#frames/21: it has no end: it was cut off",
            spoilt(21, |picture| picture.jpeg.truncate(18)),
        ),
        broken(
            "jpeg",
            "frames/22",
            "it does not begin as a JPEG",
            spoilt(22, |picture| picture.jpeg.clear()),
        ),
        broken(
            "uri",
            "observation.media.rgb.uri",
            "#frames/<sequence>, found `frame/21`",
            uri("blobs/recording.mcap#frame/21"),
        ),
        broken(
            "uri",
            "observation.media.rgb.uri",
            "nothing after the file",
            uri("blobs/recording.mcap"),
        ),
    ]
}

pub(crate) fn metadata_rules() -> Vec<Broken> {
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
