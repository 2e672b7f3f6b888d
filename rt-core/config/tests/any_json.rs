//! Whatever stands in a file, reading it ends in a robot or in errors, never in a panic.

use proptest::prelude::*;
use rt_config::{Robot, Track};
use serde_json::Value;

const SIM: &str = include_str!("../../../configs/robots/sim-donkey.json");
const PI5: &str = include_str!("../../../configs/robots/pi5-donkey.json");
const OVAL: &str = include_str!("../../../configs/tracks/oval.csv");

/// A value that does not belong where it is put.
fn stranger() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..3000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0.0..3.0).prop_map(Value::from),
        "[a-z0-9-]{0,8}".prop_map(Value::from),
        Just(Value::Array(vec![Value::from(1), Value::from("pilot")])),
        Just(serde_json::json!({"period_us": 1000})),
    ]
}

/// The leaves and blocks of a robot file, each reachable by a path of keys.
fn paths(value: &Value, at: &[String], all: &mut Vec<Vec<String>>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        let path: Vec<String> = at.iter().chain([key]).cloned().collect();
        paths(inner, &path, all);
        all.push(path);
    }
}

fn put(root: &mut Value, path: &[String], stranger: Value) {
    let mut place = root;
    for key in path {
        // An earlier change may have replaced the block.
        if !place.is_object() {
            return;
        }
        place = &mut place[key];
    }
    *place = stranger;
}

proptest! {
    #[test]
    fn changed_values_give_a_robot_or_errors(
        is_real in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), stranger()), 1..4),
    ) {
        let mut root: Value = serde_json::from_str(if is_real { PI5 } else { SIM }).expect("JSON");
        let mut all = Vec::new();
        paths(&root, &[], &mut all);
        for (index, stranger) in changes {
            put(&mut root, &all[index.index(all.len())], stranger);
        }
        let text = format!("{root:#}");
        match Robot::from_json(&text, "changed.json") {
            // What was let in is what the kernel can live with.
            Ok(robot) => {
                let limits = robot.limits();
                prop_assert!(limits.period_ns > 0 && limits.level_max > 0);
                prop_assert!(limits.level_max <= 32_767);
                prop_assert!(limits.level_forward_max <= limits.level_max);
                prop_assert!(limits.level_reverse_max <= limits.level_max);
                prop_assert!(limits.stale_cycles.iter().all(|cycles| *cycles > 0));
                prop_assert!(limits.throttle_min <= limits.throttle_max);
            }
            Err(errors) => {
                let told = errors.to_string();
                prop_assert!(errors.iter().count() > 0);
                prop_assert!(told.starts_with("changed.json:"), "{}", told);
            }
        }
    }

    #[test]
    fn damaged_text_gives_a_robot_or_errors(
        at in any::<prop::sample::Index>(),
        removed in 0_usize..40,
        inserted in any::<String>(),
    ) {
        let letters: Vec<char> = SIM.chars().collect();
        let at = at.index(letters.len());
        let rest = letters.len().min(at + removed);
        let text: String = letters[..at]
            .iter()
            .copied()
            .chain(inserted.chars())
            .chain(letters[rest..].iter().copied())
            .collect();
        if let Err(errors) = Robot::from_json(&text, "damaged.json") {
            prop_assert!(errors.iter().all(|error| error.line > 0), "{}", errors);
        }
    }

    #[test]
    fn any_text_is_no_panic(text in any::<String>()) {
        prop_assert!(Robot::from_json(&text, "any.json").is_err());
        prop_assert!(Track::from_csv(&text, "any.csv", 1.0).is_err());
    }

    #[test]
    fn damaged_track_gives_a_track_or_errors(
        line in any::<prop::sample::Index>(),
        inserted in "[-0-9.,eNaif \n#]{0,30}",
    ) {
        let mut lines: Vec<&str> = OVAL.lines().collect();
        let line = line.index(lines.len());
        lines[line] = &inserted;
        let text = lines.join("\n");
        if let Ok(track) = Track::from_csv(&text, "damaged.csv", 1.0) {
            prop_assert!(track.length_m().is_finite());
            prop_assert!(track.curvature_per_m().iter().all(|k| k.is_finite()));
            prop_assert!(track.project(0.1, 0.2).lateral_m.is_finite());
        }
    }
}
