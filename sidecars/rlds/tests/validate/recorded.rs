//! An episode of our own recorder, valid as it is; one whose counts do not agree; and one with pictures.

use crate::common::chunks::{chunks, with_first_chunk_changed};
use crate::common::{ROBOT_JSON, about, cycle, keyframe};
use crate::episode::{Episode, findings_of, judge};
use rlds::validate::{Finding, Profile, Severity};
use rlds::{Closing, EpisodeWriter, RecordingReader};
use rt_wire::{Record, Telemetry};
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

#[test]
fn pictures_that_are_as_the_steps_say_have_no_finding() {
    assert_eq!(Episode::recorded(|_, _| {}).findings(), []);
}

#[test]
fn one_picture_that_is_not_there_hides_none_of_those_after_it() {
    let mut episode = Episode::recorded(|_, _| {});
    for (step, sequence) in [(7, 5_000_000_000_u64), (8, 180), (30, 181)] {
        let uri = format!("blobs/recording.mcap#frames/{sequence}");
        episode.steps[step]["observation"]["media"]["rgb"]["uri"] = json!(uri);
    }
    let found: Vec<_> = episode.findings().into_iter().map(|f| (f.rule, f.step)).collect();
    let missing = |step| ("missing_frame", Some(step));
    assert_eq!(found, [missing(7), missing(8), missing(30)]);
}

#[test]
fn camera_that_counts_from_0_again_is_told_apart_by_time() {
    let episode = Episode::recorded(|sequence, picture| {
        if sequence >= 30 {
            picture.sequence -= 30;
            picture.frame_id = format!("frame-{}", picture.sequence);
        }
    });
    let mut restarted = episode;
    for (index, step) in restarted.steps.iter_mut().enumerate().skip(10) {
        let sequence = (index - 10) * 3;
        let seen = &mut step["observation"];
        seen["media"]["rgb"]["uri"] = json!(format!("blobs/recording.mcap#frames/{sequence}"));
        let named = ["/video_frame_id", "/depth_frame_id", "/robot_state/frame_id"];
        for name in named.into_iter().chain(["/media/rgb/frame_id", "/media/depth/frame_id"]) {
            *seen.pointer_mut(name).expect(name) = json!(format!("frame-{sequence}"));
        }
    }
    assert_eq!(restarted.findings(), []);
}

#[test]
fn pictures_in_a_chunk_that_cannot_be_believed_are_missing_and_it_is_said_why() {
    let mut episode = Episode::recorded(|_, _| {});
    let recording = episode.path.join("blobs/recording.mcap");
    let mut bytes = fs::read(&recording).unwrap();
    let chunk = chunks(&bytes)[7].clone();
    bytes[chunk.end - 30] ^= 0x20;
    fs::write(&recording, &bytes).unwrap();
    let findings = episode.findings();
    assert!(!findings.is_empty() && findings.len() < 10, "one chunk of 200 ms: {findings:?}");
    assert!(findings.iter().all(|finding| finding.rule == "missing_frame"), "{findings:?}");
    // A step that asks for more than is there comes to the end, where the damage is known.
    let uri = json!("blobs/recording.mcap#frames/180");
    episode.steps[59]["observation"]["media"]["rgb"]["uri"] = uri;
    let last = episode.findings().pop().unwrap();
    assert!(last.found.contains(" (byte "), "{last}");
}

#[test]
fn recording_of_another_build_still_shows_its_pictures() {
    let episode = Episode::recorded(|_, _| {});
    let recording = episode.path.join("blobs/recording.mcap");
    let hash = format!("{:#018x}", Telemetry::LAYOUT_HASH);
    let other = b"0x00000000000051c2";
    let bytes = with_first_chunk_changed(&fs::read(&recording).unwrap(), hash.as_bytes(), other);
    fs::write(&recording, bytes).unwrap();
    assert!(RecordingReader::open(&recording).is_err(), "its records cannot be read");
    assert_eq!(episode.findings(), []);
}
