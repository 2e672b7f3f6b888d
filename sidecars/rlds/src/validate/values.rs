//! Rules about the values of one step: ranges, norms, one frame, one instant.
//!
//! *What it decides.* What the contract demands of a step by itself. *What it must never do.* Depend
//! on another step, or on whether the rest of the step is right: a rule whose fields are there is
//! applied. Shown by: tests/validate.

use super::finding::Findings;
use super::json::{Json, shown};

/// Blocks of a step lie within this.
pub(crate) const SKEW_NS_MAX: u64 = 5_000_000;
/// A unit vector's length may differ from 1 by this.
const NORM_TOLERANCE: f64 = 1e-3;

pub(crate) fn check(step: &Json, findings: &mut Findings<'_>) {
    if let Some(action) = step.get("action") {
        command(action, findings);
    }
    let Some(seen) = step.get("observation") else {
        return;
    };
    frame_ids(seen, findings);
    if !skew(seen, findings) {
        marked(step, findings);
    }
    gaze(seen, findings);
    for hand in ["headset_pose", "right_hand_pose", "left_hand_pose"] {
        if let Some(block) = seen.get(hand) {
            pose(block, &format!("observation.{hand}"), findings);
        }
    }
    if let Some(block) = seen.get("robot_state").and_then(|robot| robot.get("end_effector_pose")) {
        pose(block, "observation.robot_state.end_effector_pose", findings);
    }
    glove(seen, findings);
    sound(seen.get("audio"), "observation.audio", findings);
    let media = seen.get("media");
    sound(media.and_then(|media| media.get("audio")), "observation.media.audio", findings);
    if let Some(robot) = seen.get("robot_state")
        && robot.int("wall_time_millis") == Some(0)
    {
        let field = "observation.robot_state.wall_time_millis";
        findings.warning("wall_time", field, "ms since 1970", "0");
    }
}

fn command(action: &Json, findings: &mut Findings<'_>) {
    for (index, value) in action.list("command").unwrap_or_default().iter().enumerate() {
        if let Some(number) = value.as_number()
            && !(-1.0..=1.0).contains(&number)
        {
            let field = format!("action.command[{index}]");
            findings.error("action_range", field, "a number in [-1, 1]", value.to_string());
        }
    }
}

/// All of a step is about one sample.
fn frame_ids(seen: &Json, findings: &mut Findings<'_>) {
    let Some(video) = seen.text("video_frame_id") else {
        return;
    };
    if video.is_empty() {
        let field = "observation.video_frame_id";
        findings.error("frame_id", field, "the name of a frame", "an empty text");
    }
    let block = |name| seen.get(name);
    let media = |name| block("media").and_then(|media| media.get(name));
    let others = [
        ("depth_frame_id", seen.text("depth_frame_id")),
        ("robot_state.frame_id", block("robot_state").and_then(|robot| robot.text("frame_id"))),
        ("media.rgb.frame_id", media("rgb").and_then(|rgb| rgb.text("frame_id"))),
        ("media.depth.frame_id", media("depth").and_then(|depth| depth.text("frame_id"))),
    ];
    for (name, found) in others {
        if let Some(found) = found
            && found != video
        {
            let expected = format!("{}, as video_frame_id", shown(video));
            findings.error("frame_id", format!("observation.{name}"), expected, shown(found));
        }
    }
}

/// All of a step is of one instant; says whether it is not.
fn skew(seen: &Json, findings: &mut Findings<'_>) -> bool {
    let Some(robot) = seen.get("robot_state").and_then(|robot| robot.int("timestamp_nanos")) else {
        return false;
    };
    let before = findings.errors;
    // Of a glove that is not there nothing was sampled.
    let glove = seen.get("glove").filter(|glove| glove.bool("valid") == Some(true));
    let media = |name| seen.get("media").and_then(|media| media.get(name));
    let stamps = [
        ("glove.timestamp_nanos", glove.and_then(|glove| glove.int("timestamp_nanos"))),
        ("media.rgb.timestamp_ns", media("rgb").map(stamp)),
        ("media.depth.timestamp_ns", media("depth").map(stamp)),
        ("media.audio.timestamp_ns", media("audio").map(stamp)),
    ];
    for (name, found) in stamps {
        if let Some(found) = found
            && found.abs_diff(robot) > SKEW_NS_MAX
        {
            let expected = format!("within ±5 ms of robot_state.timestamp_nanos ({robot})");
            let found = format!("{found}, {} ms away", millis(found.abs_diff(robot)));
            findings.error("skew", format!("observation.{name}"), expected, found);
        }
    }
    findings.errors > before
}

/// A recorder that could not put a step's blocks together says so.
fn marked(step: &Json, findings: &mut Findings<'_>) {
    const MARK: &str = "misaligned_ns";
    if let Some(apart) = step.get("step_metadata").and_then(|words| words.text(MARK)) {
        let field = format!("step_metadata.{MARK}");
        findings.error("skew", field, "blocks within ±5 ms, and no such mark", shown(apart));
    }
}

/// The sensor's own stamp; one that is not there is as wrong as 0.
fn stamp(media: &Json) -> i64 {
    media.int("timestamp_ns").unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn millis(ns: u64) -> String {
    format!("{:.3}", ns as f64 / 1e6)
}

fn gaze(seen: &Json, findings: &mut Findings<'_>) {
    let Some(gaze) = seen.get("gaze") else {
        return;
    };
    unit_vector(gaze, "direction", 3, "observation.gaze", "gaze_norm", findings);
    if let Some(confidence) = gaze.number("confidence")
        && !(0.0..=1.0).contains(&confidence)
    {
        let field = "observation.gaze.confidence";
        findings.error("range", field, "a number in [0, 1]", confidence.to_string());
    }
}

fn pose(pose: &Json, field: &str, findings: &mut Findings<'_>) {
    if pose.bool("valid") != Some(true) {
        return;
    }
    for key in ["position", "orientation_quat"] {
        if pose.list(key).is_some_and(<[Json]>::is_empty) {
            let field = format!("{field}.{key}");
            findings.error("valid_block", field, "numbers, since valid is true", "none");
        }
    }
    unit_vector(pose, "orientation_quat", 4, field, "quat_norm", findings);
}

fn glove(seen: &Json, findings: &mut Findings<'_>) {
    let Some(glove) = seen.get("glove").filter(|glove| glove.bool("valid") == Some(true)) else {
        return;
    };
    for key in ["flex", "fsr", "orientation_quat", "accel"] {
        if glove.list(key).is_some_and(<[Json]>::is_empty) {
            let field = format!("observation.glove.{key}");
            findings.error("valid_block", field, "numbers, since valid is true", "none");
        }
    }
    for key in ["flex", "fsr"] {
        for (index, value) in glove.list(key).unwrap_or_default().iter().enumerate() {
            if let Some(number) = value.as_number()
                && !(0.0..=1.0).contains(&number)
            {
                let field = format!("observation.glove.{key}[{index}]");
                findings.error("range", field, "a number in [0, 1]", value.to_string());
            }
        }
    }
    unit_vector(glove, "orientation_quat", 4, "observation.glove", "quat_norm", findings);
}

/// A list of another length is the shape's fault, not one of the norm.
fn unit_vector(
    block: &Json,
    key: &str,
    length: usize,
    parent: &str,
    rule: &'static str,
    findings: &mut Findings<'_>,
) {
    let Some(numbers) = block.numbers(key).filter(|numbers| numbers.len() == length) else {
        return;
    };
    let norm = numbers.iter().map(|number| number * number).sum::<f64>().sqrt();
    if (norm - 1.0).abs() > NORM_TOLERANCE {
        let expected = format!("a norm of 1 ± {NORM_TOLERANCE}");
        findings.error(rule, format!("{parent}.{key}"), expected, format!("norm {norm:.4}"));
    }
}

/// Sound without its rate cannot be played.
fn sound(audio: Option<&Json>, field: &str, findings: &mut Findings<'_>) {
    let Some(audio) = audio else {
        return;
    };
    for key in ["sample_rate_hz", "num_channels"] {
        let found = audio.get(key).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        if audio.int(key).unwrap_or_default() <= 0 {
            findings.error("audio", format!("{field}.{key}"), "a number above 0", found);
        }
    }
}
