//! A bundle keeps no word of a person's. A secret in every text of the schema: beside the code, in
//! src/export/bundle/planted.rs.

use crate::common::{episode, files, metadata, run, step, write_episode};
use rlds::schema::{Annotation, DialogTurn, Metadata, Owner, Provenance};
use rlds_formats::export::{Fate, Format, Options, export};
use serde_json::{Value, json};
use std::fs;

#[test]
fn nothing_of_a_person_or_a_place_is_in_a_bundle() {
    let temp = tempfile::tempdir().expect("a directory");
    let secret = |name: &str| format!("secret {name}");
    let owner = Owner { display_name: secret("owner"), ..Owner::default() };
    let provenance =
        Provenance { source_host: secret("host"), notes: secret("notes"), ..Provenance::default() };
    let metadata = Metadata {
        robot_id: secret("robot"),
        environment_id: secret("place"),
        tags: vec![
            "continuon.xr_mode:workstation".to_owned(),
            secret("tag"),
            "user:secret".to_owned(),
        ],
        owner: Some(owner),
        provenance: Some(provenance),
        ..metadata("secret_id")
    };
    let mut one = step(0, 1, false);
    one.observation.dialog = Some(DialogTurn {
        speaker: "user".to_owned(),
        text: secret("words"),
        ..DialogTurn::default()
    });
    one.action.annotation = Some(Annotation {
        kind: secret("kind"),
        fields: [(secret("key"), secret("value"))].into(),
    });
    one.step_metadata.insert(secret("key"), secret("value"));
    one.step_metadata.insert("email".to_owned(), secret("address"));
    one.step_metadata.insert("language_instruction".to_owned(), secret("task"));
    let path = temp.path().join("secret_directory");
    write_episode(&path, &metadata, &[one]);
    let to = temp.path().join("out");
    let told = run(Format::Bundle, &[path], &to, &Options::default());
    assert_eq!(told[0].fate, Fate::Written, "{told:?}");
    for (name, bytes) in files(&to) {
        let text = String::from_utf8(bytes).expect("JSON");
        assert!(!text.contains("secret") && !name.contains("secret"), "{name}: {text}");
        assert!(!text.contains("\"email\":"), "{name}: {text}");
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
    assert_eq!(manifest["generated_at"], "2026-11-18T11:06:40Z");
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
    let expected = json!(["continuon.xr_mode:workstation", "anonymization:hash:sha256:salted"]);
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
        run(Format::Bundle, std::slice::from_ref(&path), &to, &options);
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
    let refused = export(
        Format::Bundle,
        std::slice::from_ref(&path),
        &temp.path().join("e"),
        &inside,
        &mut |_| {},
    );
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
