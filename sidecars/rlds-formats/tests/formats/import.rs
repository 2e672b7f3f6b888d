//! What other recorders write, made here by hand in their own shapes.

use crate::common::{episode, faults, jpeg, run, steps_of};
use rlds::schema::{ControlRole, XrMode};
use rlds_formats::export::{Fate, Format, Options};
use rlds_formats::import::{Found, Imported, discover, import};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn import_one(path: &Path, to: &Path) -> Imported {
    import(&[path.to_owned()], to, &mut |_| {}).expect("a disk with room")
}

/// A Donkeycar tub of two sessions, with records that users complain about.
pub(crate) fn tub(root: &Path) -> PathBuf {
    let tub = root.join("tub");
    fs::create_dir_all(tub.join("images")).expect("a directory");
    let mut catalogs = [String::new(), String::new()];
    for index in 0..8_u64 {
        let name = format!("{index}_cam_image_array_.jpg");
        let picture = if index == 2 { Vec::new() } else { jpeg(index) };
        fs::write(tub.join("images").join(&name), picture).expect("a file");
        let record = json!({
            "_index": index,
            "_session_id": if index < 5 { "26-01-01_0" } else { "26-01-01_1" },
            "_timestamp_ms": 1_767_225_600_000_i64 + index as i64 * 50,
            "cam/image_array": name,
            "user/angle": 0.25 * index as f64 - 0.5,
            "user/throttle": 0.3,
            "user/mode": if index < 5 { "user" } else { "local" },
            "pilot/angle": 0.125, "pilot/throttle": 0.5,
        });
        catalogs[(index / 4) as usize] += &format!("{record}\r\n");
    }
    // A record that was being written when the power went.
    catalogs[1] += "{\"_index\": 8, \"cam/im";
    for (number, text) in catalogs.iter().enumerate() {
        fs::write(tub.join(format!("catalog_{number}.catalog")), text).expect("a file");
    }
    let manifest = [
        json!(["cam/image_array", "user/angle", "user/throttle", "user/mode"]).to_string(),
        json!(["image_array", "float", "float", "str"]).to_string(),
        json!({}).to_string(),
        json!({ "created_at": 1_767_225_600.0 }).to_string(),
        json!({ "paths": ["catalog_0.catalog", "catalog_1.catalog"], "current_index": 9,
                "max_len": 4, "deleted_indexes": [1] })
        .to_string(),
    ];
    fs::write(tub.join("manifest.json"), manifest.join("\r\n") + "\r\n").expect("a file");
    tub
}

#[test]
fn each_session_of_a_tub_is_an_episode_and_broken_records_are_named() {
    let temp = tempfile::tempdir().expect("a directory");
    let tub = tub(temp.path());
    let to = temp.path().join("out");
    let imported = import_one(&tub, &to);
    assert!(imported.told.iter().all(|one| one.fate == Fate::Written), "{:?}", imported.told);
    let first = steps_of(&to.join("tub_26-01-01_0"));
    let indexes: Vec<&str> =
        first.iter().map(|step| step.step_metadata["_index"].as_str()).collect();
    assert_eq!(indexes, ["0", "3", "4"], "1 was deleted, 2 has an empty picture");
    assert_eq!(first[0].action.command, [0.5, 0.3], "a donkey's angle is positive to the right");
    assert_eq!(first[0].action.source, "human_teleop_xr");
    assert!(!first[0].step_metadata.contains_key("frame_drop"));
    assert_eq!(first[1].step_metadata["frame_drop"], "true");
    assert_eq!(first[1].observation.robot_state.timestamp_nanos, 1_767_225_600_150_000_000);
    assert_eq!(fs::read(to.join("tub_26-01-01_0/blobs/000001.jpg")).expect("a picture"), jpeg(3));
    let second = steps_of(&to.join("tub_26-01-01_1"));
    assert_eq!(second[0].action.command, [-0.125, 0.5], "the pilot drove");
    assert_eq!(second[0].action.source, "human_supervisor");
    let metadata =
        rlds::EpisodeReader::open(&to.join("tub_26-01-01_1")).expect("one").metadata().clone();
    assert_eq!(metadata.control_role, ControlRole::HumanSupervisor);
    assert_eq!((metadata.start_time_unix_ms, metadata.duration_ms), (1_767_225_600_250, 100));
    for one in &imported.told {
        assert_eq!(faults(&to.join(&one.episode_id)), [""; 0]);
    }
    let broken = imported.broken.join("\n");
    assert!(broken.contains("catalog_0.catalog:3") && broken.contains("0 bytes"), "{broken}");
    assert!(broken.contains("catalog_1.catalog:5"), "{broken}");
}

#[test]
fn five_shapes_of_the_contracts_recorders_are_read() {
    let temp = tempfile::tempdir().expect("a directory");
    let root = temp.path().join("in");
    fs::create_dir_all(root.join("arm")).expect("a directory");
    let write = |name: &str, text: String| fs::write(root.join(name), text).expect("a file");
    let arm_step = |n: i64| {
        json!({ "step_index": n, "timestamp_ns": 1_000 + n, "language_instruction": "pick it up",
                "observation": { "joint_positions": [0.1, 0.2], "rgb": format!("step_{n:04}_rgb.npy") },
                "action": { "command": [0.5, -0.5, 0.25], "source": "human_dev_xr" }, "reward": 0.5 })
    };
    let arm = json!({ "episode_id": "arm_1", "xr_mode": "trainer", "control_role": "human_teleop",
                      "robot_type": "so100", "steps": [arm_step(0), arm_step(1)] });
    write("arm/episode.json", arm.to_string());
    write("arm/step_0000_rgb.npy", "raw".to_owned());
    let line = |n: i64| {
        json!({ "observation": { "robot_state": { "timestamp_nanos": n * 10 } },
                "action": { "steering": 0.5, "throttle": 0.25 }, "reward": 1, "done": n == 1 })
        .to_string()
    };
    write("logged.jsonl", format!("{}\n\n{}", line(0), line(1)));
    let hope =
        json!({ "steps": [{ "obs": [0.5, 1.5], "action": [0.1], "reward": 2.5, "done": true }] });
    write("hope.json", hope.to_string());
    let second = json!({ "metadata": { "schema_version": "2.0", "environment_id": "lab" },
        "steps": [{ "step_idx": 0, "timestamp_us": 5, "observation": {}, "action": { "command": [0.0] },
                    "info": { "a": 1 }, "context": { "b": "c" }, "tool_schema": [] }] });
    write("second.json", second.to_string());
    fs::create_dir_all(root.join("adapter_promotion_1/steps")).expect("a directory");
    write(
        "adapter_promotion_1/metadata.json",
        json!({ "xr_mode": "sleep_learning",
        "control_role": "human_supervisor", "environment_id": "pi5", "tags": ["adapter_promotion"],
        "software": { "xr_app": "n/a", "continuonbrain_os": "dev", "glove_firmware": "n/a" } })
        .to_string(),
    );
    write(
        "adapter_promotion_1/steps/000000.jsonl",
        json!({ "observation": {}, "action": { "promoted": true } }).to_string(),
    );
    let to = temp.path().join("out");
    let imported = import_one(&root, &to);
    assert_eq!(imported.told.len(), 5);
    assert!(imported.told.iter().all(|one| one.fate == Fate::Written), "{:?}", imported.told);
    let arm = steps_of(&to.join("arm_1"));
    assert_eq!(arm[1].action.command, [0.5, -0.5, 0.25]);
    assert_eq!(arm[1].observation.robot_state.joint_positions, [0.1, 0.2]);
    assert_eq!(arm[1].observation.robot_state.timestamp_nanos, 1_001);
    assert_eq!(arm[0].step_metadata["language_instruction"], "pick it up");
    assert_eq!(arm[0].number("reward"), Some(0.5));
    let told = imported.told.iter().find(|one| one.episode_id == "arm_1").expect("one");
    assert!(told.left_out.contains(&("pictures as raw arrays (.npy)".to_owned(), 1)), "{told:?}");
    let logged = steps_of(&to.join("logged"));
    assert_eq!(logged[1].action.command, [0.5, 0.25]);
    assert!(logged[1].is_terminal && !logged[0].is_terminal);
    let hope = steps_of(&to.join("hope"));
    assert_eq!(hope[0].observation.command, [0.5, 1.5]);
    assert_eq!(
        (hope[0].action.command.as_slice(), hope[0].number("reward")),
        (&[0.1][..], Some(2.5))
    );
    let second = steps_of(&to.join("second"));
    assert_eq!(second[0].step_metadata["info"], r#"{"a":1}"#);
    assert_eq!(second[0].observation.robot_state.timestamp_nanos, 5_000);
    let promotion = rlds::EpisodeReader::open(&to.join("adapter_promotion_1")).expect("one");
    assert_eq!(promotion.metadata().xr_mode, XrMode::SleepLearning);
}

#[test]
fn what_a_path_is_is_told_by_what_lies_in_it() {
    let temp = tempfile::tempdir().expect("a directory");
    let canonical = episode(temp.path(), "ep_1", 2, false);
    assert_eq!(discover(&canonical).expect("one"), [Found::Directory(canonical.clone())]);
    let tub = tub(temp.path());
    assert_eq!(discover(&tub).expect("two").len(), 2);
    let out = temp.path().join("lerobot");
    run(Format::Lerobot, std::slice::from_ref(&canonical), &out, &Options::default());
    assert_eq!(discover(&out).expect("one"), [Found::Lerobot { data_set: out, episode: 0 }]);
    assert!(discover(&temp.path().join("nowhere")).is_err());
    fs::create_dir(temp.path().join("empty")).expect("a directory");
    let nothing = discover(&temp.path().join("empty")).expect_err("nothing").to_string();
    assert!(nothing.contains("expected episodes"), "{nothing}");
}

#[test]
fn one_broken_input_is_named_and_the_others_are_imported() {
    let temp = tempfile::tempdir().expect("a directory");
    let root = temp.path().join("in");
    fs::create_dir(&root).expect("a directory");
    let good = json!({ "steps": [{ "obs": [], "action": [0.5] }] }).to_string();
    fs::write(root.join("good.json"), good).expect("a file");
    let line = |value: Value| format!("{value}\n");
    let wrong =
        line(json!({ "action": [0.5] })) + &line(json!({ "action": { "command": ["left"] } }));
    fs::write(root.join("wrong.jsonl"), wrong).expect("a file");
    let to = temp.path().join("out");
    let imported = import_one(&root, &to);
    let fates: Vec<Fate> = imported.told.iter().map(|one| one.fate).collect();
    assert_eq!(fates, [Fate::Written, Fate::Skipped]);
    let why = &imported.told[1].why;
    assert!(why.contains("wrong.jsonl:2: action.command: expected numbers, found a text"), "{why}");
    let left: Vec<_> =
        fs::read_dir(&to).expect("a directory").map(|one| one.expect("one").file_name()).collect();
    assert_eq!(left, ["good"], "half an episode is there");
}
