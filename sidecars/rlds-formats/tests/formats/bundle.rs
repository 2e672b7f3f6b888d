//! A bundle keeps no word of a person's: secrets are planted in every text of the schema.

use crate::common::{episode, files, metadata, run, step, write_episode};
use rlds::schema::{
    Action, Annotation, Audio, Capabilities, Compute, ContentRating, DialogTurn, MaskRef,
    MediaBundle, MediaRef, Metadata, Observation, Owner, PlannerTrace, Provenance, Safety,
    Segmentation, Share, Step, ToolCall, UiAction, UiContext, WorldModel,
};
use rlds_formats::export::{Fate, Format, Options, export};
use serde_json::{Value, json};
use std::fs;

/// An episode in which every optional block is there.
fn everything() -> (Metadata, Step) {
    let text = || "x".to_owned();
    let map = || [("k".to_owned(), text())].into();
    let media = MediaRef { uri: text(), frame_id: text(), format: text(), units: text(), ..MediaRef::default() };
    let dialog =
        DialogTurn { speaker: text(), text: text(), turn_id: text(), conversation_id: text() };
    let plain = step(0, 1, false);
    let observation = Observation {
        audio: Some(Audio { uri: text(), format: text(), frame_id: text(), ..Audio::default() }),
        ui_context: Some(UiContext { active_panel: text(), layout: map(), focus_context: map() }),
        media: Some(MediaBundle {
            rgb: Some(media.clone()),
            depth: Some(media.clone()),
            audio: Some(media),
        }),
        dialog: Some(dialog.clone()),
        world_model: Some(WorldModel { belief_state_id: text(), ..WorldModel::default() }),
        segmentation: Some(Segmentation {
            model: text(),
            prompt: text(),
            masks: vec![MaskRef { uri: text(), frame_id: text(), format: text(), ..MaskRef::default() }],
            notes: text(),
            ..Segmentation::default()
        }),
        gaze: rlds::schema::Gaze { target_id: text(), ..rlds::schema::Gaze::ABSENT },
        ..plain.observation
    };
    let action = Action {
        annotation: Some(Annotation { kind: text(), fields: map() }),
        ui_action: Some(UiAction { action_type: text(), context: map() }),
        dialog: Some(dialog),
        planner: Some(PlannerTrace {
            intent: text(),
            plan_steps: vec![text(), text()],
            selected_skill: text(),
            confidence: 0.5,
        }),
        tool_calls: vec![ToolCall {
            tool: text(),
            name: text(),
            args_json: text(),
            result_json: text(),
            ok: true,
        }],
        ..plain.action
    };
    let rating = ContentRating { audience: text(), violence: text(), language: text() };
    let metadata = Metadata {
        capabilities: Some(Capabilities {
            compute: Some(Compute { device: text(), gpu: text(), dtype: text(), ..Compute::default() }),
            ..Capabilities::default()
        }),
        owner: Some(Owner {
            owner_id: text(),
            display_name: text(),
            preferred_name: text(),
            roles: vec![text()],
            preferences: map(),
        }),
        safety: Some(Safety { content_rating: Some(rating), ..Safety::default() }),
        share: Some(Share {
            slug: text(),
            title: text(),
            license: text(),
            tags: vec![text()],
            ..Share::default()
        }),
        provenance: Some(Provenance {
            origin: text(),
            source_commit: text(),
            source_host: text(),
            notes: text(),
        }),
        ..metadata("ep_1")
    };
    (metadata, Step { observation, action, ..plain })
}

/// Fields that the types hold to a closed list: no text of a person's can be there.
const CLOSED: [&str; 2] = ["xr_mode", "control_role"];

/// Puts a secret of its own into every text, and into every key that people choose.
fn plant(value: &mut Value, key: &str, is_free: bool, planted: &mut Vec<String>) {
    match value {
        Value::String(text) if !CLOSED.contains(&key) => {
            let secret = format!("secret{:04}", planted.len());
            // Names of files must stay what a name may be; all others look like what people write.
            *text = if key == "episode_id" { secret.clone() } else { format!("{text} {secret} @ 12") };
            planted.push(secret);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| plant(item, key, is_free, planted)),
        Value::Object(map) => {
            let free = ["preferences", "layout", "focus_context", "fields", "context", "step_metadata"];
            let is_free = free.contains(&key);
            for (key, mut value) in std::mem::take(map) {
                plant(&mut value, &key, is_free, planted);
                if is_free {
                    let secret = format!("secret{:04}", planted.len());
                    map.insert(format!("{key}{secret}"), value);
                    planted.push(secret);
                } else {
                    map.insert(key, value);
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn no_planted_secret_is_in_a_bundle() {
    let temp = tempfile::tempdir().expect("a directory");
    let (metadata, step) = everything();
    let mut planted = Vec::new();
    let mut metadata_json = serde_json::to_value(&metadata).expect("plain data");
    let mut step_json = serde_json::to_value(&step).expect("plain data");
    plant(&mut metadata_json, "", false, &mut planted);
    plant(&mut step_json, "", false, &mut planted);
    assert!(planted.len() > 70, "only {} texts were found", planted.len());
    let metadata: Metadata = serde_json::from_value(metadata_json).expect("the contract's");
    let step: Step = serde_json::from_value(step_json).expect("the contract's");
    let path = temp.path().join("secret_directory");
    write_episode(&path, &metadata, &[step]);
    let to = temp.path().join("out");
    let told = run(Format::Bundle, &[path], &to, &Options::default());
    assert_eq!(told[0].fate, Fate::Written, "{told:?}");
    for (name, bytes) in files(&to) {
        let text = String::from_utf8(bytes).expect("JSON");
        assert!(!text.contains("secret") && !name.contains("secret"), "{name}: {text}");
    }
}

#[test]
fn words_of_the_contract_stay_and_frames_still_agree() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 3, true);
    let to = temp.path().join("out");
    let options = Options { now_unix_ms: 1_795_000_000_000, ..Options::default() };
    let told = run(Format::Bundle, &[path], &to, &options);
    assert_eq!(told[0].left_out, [("pictures and sounds".to_owned(), 3)]);
    let manifest: Value =
        serde_json::from_slice(&fs::read(to.join("manifest.json")).expect("a file")).expect("JSON");
    assert_eq!(manifest["generated_at"], "2026-11-18T10:40:00Z");
    assert_eq!(manifest["anonymization"]["hash"], "sha256");
    let entry = &manifest["episodes"][0];
    let read = |key: &str| -> Value {
        let name = entry[key].as_str().expect("a path");
        serde_json::from_slice(&fs::read(to.join(name)).expect("a file")).expect("JSON")
    };
    assert_eq!(read("validation_report")["ok"], true);
    let episode = read("anonymized_path");
    assert_eq!(episode["metadata"]["xr_mode"], "workstation");
    assert_eq!(episode["metadata"]["software"]["continuonbrain_os"], "continuon 0.1.0");
    let expected =
        json!(["continuon.xr_mode:workstation", "anonymization:hash:sha256:salted"]);
    assert_eq!(episode["metadata"]["tags"], expected);
    assert_eq!(entry["metadata_tags"], expected);
    let step = &episode["steps"][2];
    assert_eq!(step["step_metadata"]["mode"], "Active");
    assert_eq!(step["step_metadata"]["fast_loop_tick"], "100");
    assert_eq!(step["action"]["source"], "human_supervisor");
    let observation = &step["observation"];
    assert_eq!(observation["video_frame_id"], observation["robot_state"]["frame_id"]);
    assert_eq!(observation["video_frame_id"], observation["media"]["rgb"]["frame_id"]);
    assert_ne!(observation["video_frame_id"], episode["steps"][1]["observation"]["video_frame_id"]);
    let uri = observation["media"]["rgb"]["uri"].as_str().expect("a uri");
    assert!(uri.starts_with("anonymized://") && uri.len() == 77, "{uri}");
}

#[test]
fn salt_is_new_each_time_never_in_the_bundle_and_the_same_from_a_file() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 1, false);
    let salt_file = temp.path().join("salt");
    let names = |out: &str, salt_file| {
        let options = Options { salt_file, ..Options::default() };
        let to = temp.path().join(out);
        run(Format::Bundle, &[path.clone()], &to, &options);
        let found = files(&to);
        found.into_iter().collect::<Vec<_>>()
    };
    let first = names("a", None);
    assert_ne!(first[0].0, names("b", None)[0].0, "a salt that everybody knows");
    let kept = names("c", Some(salt_file.clone()));
    assert_eq!(kept[0].0, names("d", Some(salt_file.clone()))[0].0);
    let salt = fs::read_to_string(&salt_file).expect("a salt");
    assert_eq!(salt.len(), 64);
    for (name, bytes) in kept {
        let text = String::from_utf8(bytes).expect("JSON");
        assert!(!text.contains(&salt), "{name} holds the salt");
        assert_eq!(text.contains("not in this bundle"), name == "manifest.json");
    }
    let inside = Options { salt_file: Some(temp.path().join("e/salt")), ..Options::default() };
    let refused = export(Format::Bundle, &[path.clone()], &temp.path().join("e"), &inside, &mut |_| {});
    assert!(refused.expect_err("inside").to_string().contains("outside the bundle"));
    assert!(!temp.path().join("e/salt").exists());
}

#[test]
fn episode_that_the_contract_does_not_allow_is_reported_without_its_words() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 2, false);
    fs::write(path.join("steps/000000.jsonl"), r#"{"secret": "word"}"#).expect("a file");
    let to = temp.path().join("out");
    let told = run(Format::Bundle, &[path], &to, &Options::default());
    assert_eq!(told[0].fate, Fate::Skipped);
    let found = files(&to);
    assert!(!found.keys().any(|name| name.starts_with("episodes/")), "{:?}", found.keys());
    let (_, report) = found.iter().find(|(name, _)| name.starts_with("reports/")).expect("one");
    let report: Value = serde_json::from_slice(report).expect("JSON");
    assert_eq!(report["ok"], false);
    assert!(!report.to_string().contains("secret"), "{report}");
}
