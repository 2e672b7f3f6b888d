//! The files as they stand on disk: golden files of each schema, and strictness when reading.
//!
//! After a wanted change: `cargo xtask fix`, and read the difference.

#[path = "../examples/golden.rs"]
mod golden;

use rlds::schema::{Glove, Metadata, Pose, Step};
use serde_json::{Value, json};

fn compare(name: &str, golden: &str) {
    assert_eq!(golden::text(name).unwrap(), golden, "changed? `cargo xtask fix`");
}

#[test]
fn step_as_the_recorder_makes_it_is_the_golden_one() {
    compare("step", include_str!("golden/step.json"));
}

#[test]
fn step_with_every_key_of_the_contract_is_the_golden_one() {
    compare("step-full", include_str!("golden/step-full.json"));
}

#[test]
fn metadata_as_the_recorder_makes_it_is_the_golden_one() {
    compare("metadata", include_str!("golden/metadata.json"));
}

#[test]
fn metadata_with_every_key_of_the_contract_is_the_golden_one() {
    compare("metadata-full", include_str!("golden/metadata-full.json"));
}

#[test]
fn counts_as_the_recorder_makes_them_are_the_golden_ones() {
    compare("episode", include_str!("golden/episode.json"));
}

#[test]
fn what_is_optional_is_left_out_and_read_as_absent() {
    let text = include_str!("golden/step.json");
    for key in ["media", "audio", "dialog", "joint_efforts", "target_id", "tool_calls", "planner"] {
        assert!(!text.contains(&format!("\"{key}\"")), "{key}");
    }
    let step: Step = serde_json::from_str(text).unwrap();
    assert!(step.observation.media.is_none() && step.action.tool_calls.is_empty());
}

#[test]
fn metadata_of_version_1_0_needs_five_keys_only() {
    let mut full: Value = serde_json::from_str(include_str!("golden/metadata-full.json")).unwrap();
    let required = ["xr_mode", "control_role", "environment_id", "tags", "software"];
    full.as_object_mut().unwrap().retain(|key, _| required.contains(&key.as_str()));
    let metadata: Metadata = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(metadata.schema_version, "");
    for key in required {
        let mut without = full.clone();
        without.as_object_mut().unwrap().remove(key);
        assert!(serde_json::from_value::<Metadata>(without).is_err(), "{key}");
    }
}

#[test]
fn list_of_a_pose_has_all_its_numbers_or_none() {
    let pose = |position: &Value, quat: &Value| {
        let value = json!({"position": position, "orientation_quat": quat, "valid": false});
        serde_json::from_value::<Pose>(value)
    };
    let none = pose(&json!([]), &json!([])).unwrap();
    assert_eq!((none.position, none.orientation_quat), (None, None));
    assert_eq!(serde_json::to_value(&none).unwrap()["position"], json!([]));
    assert_eq!(pose(&json!([1, 2, 3]), &json!([])).unwrap().position, Some([1.0, 2.0, 3.0]));
    for position in [json!([1]), json!([1, 2]), json!([1, 2, 3, 4])] {
        let refused = pose(&position, &json!([])).unwrap_err().to_string();
        assert!(refused.contains("3 numbers or none"), "{refused}");
    }
}

#[test]
fn glove_that_is_not_there_is_a_block_that_is_not_valid() {
    let glove = serde_json::to_value(Glove::absent(7)).unwrap();
    assert_eq!((&glove["valid"], &glove["timestamp_nanos"]), (&json!(false), &json!(7)));
    assert_eq!(glove["fsr"].as_array().unwrap().len(), 8);
}
