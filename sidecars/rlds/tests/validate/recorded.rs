//! An episode of our own recorder, valid as it is; and one whose counts do not agree.

use crate::common::{ROBOT_JSON, about, cycle, keyframe};
use crate::episode::{findings_of, judge};
use rlds::validate::{Finding, Profile, Severity};
use rlds::{Closing, EpisodeWriter};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn record(cycles: u64, lose: bool) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(folder.path(), about(), ROBOT_JSON).unwrap();
    for n in 1..=cycles {
        if lose && (2000..2010).contains(&n) {
            continue;
        }
        if lose && n == 2010 {
            episode.telemetry_lapped(10);
        }
        episode.telemetry(n, &cycle(n));
    }
    episode.keyframe(1, &keyframe(cycles));
    let path = episode.finish(Closing::Clean, "").path;
    (folder, path)
}

/// All but the one finding that every drive without an instruction has.
fn findings_but_instruction(path: &Path) -> Vec<Finding> {
    let mut findings = findings_of(path);
    findings.retain(|finding| finding.rule != "language_instruction");
    findings
}

fn edit(path: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let file = path.join(name);
    let mut value: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    change(&mut value);
    fs::write(&file, value.to_string()).unwrap();
}

#[test]
fn clean_recording_is_valid_with_0_lost() {
    let (_folder, path) = record(3000, false);
    let (verdict, _) = judge(&path, Profile::Recognised);
    assert_eq!(findings_but_instruction(&path), []);
    assert_eq!(verdict.errors, 0);
    assert!(verdict.lost.expect("it counts").is_empty());
    assert_eq!(verdict.steps, 60);
}

#[test]
fn loss_is_a_warning_with_its_count() {
    let (_folder, path) = record(3000, true);
    let findings = findings_but_instruction(&path);
    let [lost] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((lost.rule, lost.severity), ("lost", Severity::Warning));
    assert_eq!((lost.field.as_str(), lost.found.as_str()), ("telemetry_lost_ring", "10"));
    let (verdict, _) = judge(&path, Profile::Recognised);
    assert_eq!(verdict.lost.expect("it counts")["telemetry_lost_ring"], 10);
}

#[test]
fn episode_that_was_never_closed_is_not_valid_and_says_how_to_close_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(folder.path(), about(), ROBOT_JSON).unwrap();
    for n in 1..=3000 {
        episode.telemetry(n, &cycle(n));
    }
    let path = episode.path().to_owned();
    drop(episode);
    let findings = findings_of(&path);
    let open = findings.iter().find(|finding| finding.rule == "not_closed").expect("found");
    assert_eq!(open.severity, Severity::Error);
    assert!(open.expected.contains("continuon rlds fsck --repair"), "{open}");
}

#[test]
fn recording_that_ended_early_says_so() {
    let (_folder, path) = record(3000, false);
    edit(&path, "episode.json", |note| {
        note["closing"] = json!("disk_failed");
        note["reason"] = json!("no space");
    });
    let findings = findings_but_instruction(&path);
    assert_eq!(
        (findings[0].rule, findings[0].found.as_str()),
        ("cut_short", "disk_failed: no space")
    );
}

#[test]
fn counts_that_do_not_agree_are_found() {
    for (field, found, change) in [
        (
            "steps",
            "59",
            (|path| edit(path, "episode.json", |note| note["steps"] = json!(59))) as fn(&Path),
        ),
        ("steps", "60", |path| {
            edit(path, "metadata.json", |metadata| {
                let tags = metadata["tags"].as_array_mut().unwrap();
                tags.retain(|tag| !tag.as_str().unwrap().starts_with("continuon.steps:"));
                tags.push(json!("continuon.steps:61"));
            })
        }),
        ("telemetry_lost", "0", |path| {
            edit(path, "metadata.json", |metadata| {
                let tags = metadata["tags"].as_array_mut().unwrap();
                tags.retain(|tag| !tag.as_str().unwrap().starts_with("continuon.telemetry_lost:"));
                tags.push(json!("continuon.telemetry_lost:3"));
            })
        }),
        ("episode_id", "`ep_other`", |path| {
            edit(path, "episode.json", |note| note["episode_id"] = json!("ep_other"))
        }),
    ] {
        let (_folder, path) = record(3000, false);
        change(&path);
        let findings = findings_but_instruction(&path);
        assert!(!findings.is_empty(), "{field}");
        assert_eq!(
            (findings[0].rule, findings[0].field.as_str()),
            ("counts", field),
            "{findings:?}"
        );
        assert_eq!(findings[0].found, found);
    }
}

#[test]
fn loss_that_a_step_tells_and_the_episode_does_not_is_found() {
    let (_folder, path) = record(3000, true);
    edit(&path, "episode.json", |note| note["telemetry_lost_ring"] = json!(4));
    let findings = findings_but_instruction(&path);
    let told: Vec<_> = findings.iter().filter(|finding| finding.rule == "counts").collect();
    assert!(
        told.iter().any(|finding| finding.expected == "at least 10, as the steps say"),
        "{findings:?}"
    );
}

#[test]
fn note_of_another_shape_is_found() {
    let (_folder, path) = record(3000, false);
    edit(&path, "episode.json", |note| note["mood"] = json!("good"));
    assert_eq!(findings_but_instruction(&path)[0].rule, "note");
}
