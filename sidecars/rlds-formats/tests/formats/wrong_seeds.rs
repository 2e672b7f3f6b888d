//! Seeds that are wrong in every way that a reader tells apart: libFuzzer alone finds bytes, not
//! contracts. Written by `make_seeds` of fuzz_seeds.rs.

use serde_json::{Value, json};

/// The step with each of these values at its JSON pointer; `null` takes the key away.
fn changed(step: &Value, changes: Value) -> Value {
    let mut step = step.clone();
    for (pointer, value) in changes.as_object().expect("pointers") {
        let (block, key) = pointer.rsplit_once('/').expect("a pointer");
        match step.pointer_mut(block).expect(pointer) {
            Value::Object(map) if value.is_null() => drop(map.remove(key)),
            block if block.is_array() => block[key.parse::<usize>().expect(key)] = value.clone(),
            block => block[key] = value.clone(),
        }
    }
    step
}

fn joined(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Steps for the validator, each wrong in several ways. `full` has every block of the contract.
pub(crate) fn steps(full: &Value) -> String {
    let shape = json!({ "/observation/gaze": null, "/action/source": null, "/reward": 1.0,
        "/observation/headset_poze": {}, "/observation/robot_state/left_arm": {},
        "/is_terminal": "no", "/observation/diagnostics/glove_drops": 3_000_000_000_u64,
        "/step_metadata/fast_loop_tick": 7, "/action/command": [], "/observation/media": [],
        "/observation/headset_pose/position": [1, 2], "/observation/audio": 5 });
    let values = json!({ "/observation/diagnostics/latency_ms": 1e39, "/action/source": "pilot",
        "/observation/dialog/speaker": "robot", "/action/command/1": -1.5,
        "/observation/gaze/confidence": 1.5, "/observation/glove/flex/4": 1.25,
        "/observation/glove/orientation_quat": [0, 0, 0, 0], "/observation/gaze/direction": [0, 0, 0],
        "/observation/headset_pose/position": [], "/observation/world_model/latent_tokens": [1.5],
        "/observation/robot_state/end_effector_pose/orientation_quat": [0, 2, 0, 0],
        "/observation/segmentation/masks/0/score": -1, "/observation/media/rgb/width": -3 });
    let frames = json!({ "/observation/depth_frame_id": "other",
        "/observation/robot_state/frame_id": "frame-8", "/observation/media/rgb/frame_id": "foreign",
        "/observation/glove/timestamp_nanos": 5_505_000_001_u64,
        "/observation/media/rgb/timestamp_ns": null, "/observation/media/audio/num_channels": 0,
        "/observation/media/depth/timestamp_ns": 4_000_000_000_u64,
        "/observation/audio/sample_rate_hz": null, "/observation/robot_state/wall_time_millis": 0,
        "/step_metadata/misaligned_ns": "7000000", "/step_metadata/step_index": "1",
        "/step_metadata/fast_loop_tick": "351", "/step_metadata/telemetry_lost": "3" });
    let media = json!({ "/observation/robot_state/timestamp_nanos": 4_000_000_000_u64,
        "/observation/media/rgb/uri": "../secret.jpg", "/observation/audio/uri": "/etc/passwd",
        "/observation/segmentation/masks/0/uri": "https://x/y.png", "/action/command": [0.5],
        "/observation/media/depth/uri": "steps", "/observation/media/audio/uri": "blobs/8.wav",
        "/step_metadata/fast_loop_tick": "351", "/step_metadata/safety_clamped": "maybe",
        "/observation/glove/valid": false, "/is_terminal": true });
    let recorded = |uri: &str, width: u32| {
        json!({ "/observation/media/rgb/uri": uri, "/observation/media/rgb/width": width,
            "/is_terminal": false })
    };
    joined(&[
        full.clone(),
        changed(full, shape),
        changed(full, values),
        changed(full, frames),
        changed(full, media),
        changed(full, json!({ "/observation/media/rgb/width": 640 })),
        changed(full, recorded("blobs/recording.mcap#frames/40", 8)),
        changed(full, recorded("blobs/recording.mcap#frames/999999", 8)),
        changed(full, recorded("blobs/recording.mcap#frame/40", 8)),
        changed(full, recorded("blobs/recording.mcap", 8)),
    ])
}

/// Metadata for the validator, wrong in several ways.
pub(crate) fn metadata(full: &Value) -> String {
    let changes = json!({ "/xr_mode": "inference", "/tags": ["continuon.xr_mode:observer",
            "continuon.steps:7", "continuon.telemetry_lost:9"], "/robot_type": "x",
        "/environment_id": "", "/robot_id": null, "/robot_model": "", "/start_time_unix_ms": -5,
        "/duration_ms": 9000, "/share/public": true, "/safety/pii_attestation/pii_present": false,
        "/schema_version": "2.0", "/frame_convention": "map", "/software/xr_app": null });
    changed(full, changes).to_string()
}

/// The record of an adapter's promotion, and one that is none.
pub(crate) fn promotions(full: &Value) -> [String; 2] {
    let whole = json!({ "/xr_mode": "sleep_learning", "/control_role": "human_supervisor",
        "/tags": ["adapter_promotion", "promoted:true", "reason:better"] });
    let none = json!({ "/xr_mode": "trainer", "/tags": ["adapter_promotion", "promoted:maybe"] });
    [changed(full, whole).to_string(), changed(full, none).to_string()]
}

/// What a recorder says, and nothing else agrees with.
pub(crate) fn note(note: &Value) -> String {
    let changes = json!({ "/closing": "recovered", "/reason": "torn", "/steps": 99,
        "/telemetry_lost_ring": 2, "/telemetry_lost_disk": 1, "/episode_id": "other" });
    changed(note, changes).to_string()
}

/// Texts that are no JSON, or are read in another way by others.
pub(crate) fn texts() -> String {
    let deep = "[".repeat(120);
    let escapes = r#"{"\b\f\n\r\t\/\\\"":"\u00e9\ud83d\ude00","b":[0,-0.5e-3,1E+2,123456789012345678901234567890]}"#;
    let lines = [
        escapes,
        &deep,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":1e}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\ud83dx"}"#,
        r#"{"a":"\ud83d\u0041"}"#,
        r#"{"a":"\u00g0"}"#,
        r#"{"a":"\u1"}"#,
        "{\"a\":\"\u{1}\"}",
        r#"{"a" 1}"#,
        r#"{a:1}"#,
        "[1 2]",
        "[1,",
        "-",
        "{}x",
        "tru",
        r#"{"a":{"b":1},"a":2}"#,
    ];
    lines.map(|line| format!("{line}\n")).concat()
}

/// Steps of other programs, each read by another branch; and metadata of theirs.
pub(crate) fn foreign() -> Value {
    json!({
        "metadata": { "xr_mode": "autonomous", "control_role": "human_teleop", "environment_id": "lab",
            "tags": ["a"], "software": { "xr_app": "1" }, "schema_version": "2.0", "episode_id": "../a b",
            "robot_id": "r", "robot_type": "so100", "frame_convention": "base_link",
            "start_time_unix_ms": 5, "duration_ms": "long", "capabilities": {}, "owner": {},
            "safety": {}, "share": {}, "provenance": {}, "note": "x".repeat(300) },
        "steps": [
            { "obs": [0.5, 1.5], "actions": [0.1, 0.2], "done": 0, "timestamp_ms": 1 },
            { "observation": { "robot_state": { "timestamp_nanos": 2_000_000, "joint_positions": [1],
                "end_effector_twist": [1, 2, 3, 4, 5, 6], "gripper_open": true, "x": 1 },
                "joint_velocities": [0.5], "gaze": 7, "media": {}, "glove": {}, "lidar": [1] },
              "action": { "steering": 0.5, "throttle": 0.25, "source": "human_dev_xr", "kind": "k" },
              "terminal": false, "metadata": { "a": { "b": 1 }, "c": "d" } },
            { "observation": { "robot_state": 7, "end_effector_twist": [], "depth_frame_id": "f-3" },
              "action": { "source": 5 }, "timestamp_us": 3000, "step_metadata": "words" },
            { "observation": { "robot_state": { "end_effector_twist": [1], "frame_id": "f" } },
              "action": null, "timestamp_ns": 4_000_000 },
            { "observation": null, "timestamp_ns": 5_000_000 },
        ],
    })
}

/// Objects that are refused, each for another reason.
pub(crate) fn refused() -> [(&'static str, Value); 13] {
    let step = |step: Value| json!({ "steps": [step] });
    [
        ("no-steps", json!({ "episode_metadata": {} })),
        ("steps-are-text", json!({ "steps": "none" })),
        ("a-number", json!(7)),
        ("a-list", json!([{ "action": [0.5], "timestamp_ns": 1 }, 7])),
        ("command-of-text", step(json!({ "action": { "command": ["left"] } }))),
        ("command-is-text", step(json!({ "action": { "command": "left" } }))),
        ("command-too-large", step(json!({ "action": [1e300] }))),
        ("action-is-text", step(json!({ "action": "left" }))),
        ("observation-is-text", step(json!({ "observation": "none" }))),
        ("end-is-text", step(json!({ "done": "yes" }))),
        ("time-is-text", step(json!({ "timestamp_ns": "now" }))),
        ("number-repeats", json!({ "steps": [{ "step_index": 4 }, { "step_idx": 4 }] })),
        ("time-goes-back", json!({ "steps": [{ "timestamp_ns": 4 }, { "timestamp_ns": 3 }] })),
    ]
}
