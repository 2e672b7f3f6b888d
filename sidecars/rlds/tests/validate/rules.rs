//! Each rule, broken alone: found with file, line, step and field, and nothing else is found.

use crate::episode::{Episode, findings_of, judge};
use crate::examples::{
    Broken, ROBOT_NS, at_ns, media_rules, metadata_rules, recorded_rules, sequence_rules,
    shape_rules, step, value_rules,
};
use rlds::validate::{Finding, Profile, RULES};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;

/// Found alone, with its place.
fn check(broken: &Broken) -> Option<String> {
    let findings = broken.episode.findings();
    let told = || findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n    ");
    let [finding] = &findings[..] else {
        return Some(format!(
            "{} of {}: found {}:\n    {}",
            broken.rule,
            broken.field,
            findings.len(),
            told()
        ));
    };
    let is_right = finding.rule == broken.rule
        && finding.severity == broken.severity
        && finding.field == broken.field
        && format!("{}, found {}", finding.expected, finding.found).contains(broken.words);
    let placed = if finding.file.ends_with(".jsonl") {
        finding.line == finding.step.map(|step| step + 1)
    } else {
        finding.line.is_none() && finding.step.is_none()
    };
    (!is_right || !placed).then(|| format!("{} of {}: {}", broken.rule, broken.field, told()))
}

fn check_all(rules: &[Broken]) {
    let wrong: Vec<String> = rules.iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn good_episode_has_no_finding() {
    let episode = Episode::good();
    let (verdict, findings) = judge(episode.write(), Profile::Recognised);
    assert_eq!(findings, []);
    assert_eq!((verdict.steps, verdict.errors, verdict.warnings), (60, 0, 0));
    assert_eq!((verdict.duration_ns, verdict.lost), (2_950_000_000, None));
}

#[test]
fn keys_types_and_words_that_the_contract_does_not_know_are_found() {
    check_all(&shape_rules());
}

#[test]
fn values_that_a_step_must_not_have_are_found() {
    check_all(&value_rules());
}

#[test]
fn steps_that_do_not_follow_each_other_are_found() {
    check_all(&sequence_rules());
}

#[test]
fn media_that_are_not_there_or_not_whole_are_found() {
    check_all(&media_rules());
}

#[test]
fn pictures_that_are_not_in_the_recording_as_a_step_says_are_found() {
    check_all(&recorded_rules());
}

#[test]
fn metadata_that_the_contract_does_not_allow_are_found() {
    check_all(&metadata_rules());
}

#[test]
fn limits_themselves_are_allowed() {
    for episode in [
        at_ns("/observation/media/rgb/timestamp_ns", 5_000_000),
        at_ns("/observation/glove/timestamp_nanos", -5_000_000),
        step("/observation/gaze/direction", json!([0, 0, 1.0009])),
        step("/action/command", json!([-1, 1])),
        step(
            "/observation/headset_pose",
            json!({"position": [], "orientation_quat": [0, 0, 0, 0], "valid": false}),
        ),
        step(
            "/observation/glove",
            json!({"timestamp_nanos": 0, "flex": [], "fsr": [], "orientation_quat": [], "accel": [], "valid": false}),
        ),
        step("/observation/audio/uri", json!("anonymized://00ff")),
        Episode::with_metadata(|metadata| {
            metadata["share"]["public"] = json!(true);
            metadata["safety"]["pii_cleared"] = json!(true);
            metadata["safety"]["pending_review"] = json!(false);
        }),
    ] {
        assert_eq!(episode.findings(), []);
    }
}

#[test]
fn every_fault_of_a_step_is_told_and_not_the_first_alone() {
    let episode = Episode::with(|step| {
        step["reward"] = json!(0.0);
        step["action"]["command"] = json!([2, -3]);
        step["observation"]["gaze"]["direction"] = json!([0, 0, 2]);
    });
    let rules: Vec<&str> = episode.findings().iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["unknown_field", "action_range", "action_range", "gaze_norm"]);
}

#[test]
fn link_out_of_the_episode_is_no_way_out() {
    let episode = step("/observation/media/rgb/uri", json!("blobs/out/secret.jpg"));
    let outside = episode.path.parent().expect("a folder").join("outside");
    fs::create_dir(&outside).expect("made");
    fs::write(outside.join("secret.jpg"), crate::episode::JPEG).expect("written");
    std::os::unix::fs::symlink(&outside, episode.path.join("blobs/out")).expect("linked");
    let findings = episode.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].rule, "uri");
}

fn promotion() -> Episode {
    let mut episode = Episode::good();
    episode.steps.truncate(1);
    episode.metadata["xr_mode"] = json!("sleep_learning");
    episode.metadata["control_role"] = json!("human_supervisor");
    episode.metadata["tags"] = json!(["adapter_promotion", "promoted:true", "reason:better"]);
    episode
}

#[test]
fn promotion_record_is_valid_with_one_step_and_recognised_by_its_tag() {
    let (verdict, findings) = judge(promotion().write(), Profile::Recognised);
    assert!(verdict.is_promotion);
    assert_eq!(findings, []);
}

#[test]
fn promotion_record_has_its_mode_its_role_its_tags_and_one_step() {
    let spoil = |change: fn(&mut Episode)| {
        let mut episode = promotion();
        change(&mut episode);
        episode
            .findings()
            .into_iter()
            .map(|finding| (finding.rule, finding.field))
            .collect::<Vec<_>>()
    };
    let wrong = |field: &str| vec![("promotion", field.to_owned())];
    assert_eq!(spoil(|e| e.metadata["xr_mode"] = json!("trainer")), wrong("xr_mode"));
    assert_eq!(
        spoil(|e| e.metadata["control_role"] = json!("human_teleop")),
        wrong("control_role")
    );
    assert_eq!(spoil(|e| e.metadata["tags"][1] = json!("promoted:maybe")), wrong("tags"));
    assert_eq!(spoil(|e| e.metadata["tags"][2] = json!("reason:")), wrong("tags"));
    assert_eq!(spoil(|e| e.metadata["tags"][0] = json!("other")), wrong("tags"));
    assert_eq!(spoil(|e| e.steps.clear()), wrong("steps"));
    assert_eq!(
        spoil(|e| *e = {
            let mut two = promotion();
            two.steps = Episode::good().steps[..2].to_vec();
            two
        }),
        wrong("steps")
    );
}

#[test]
fn promotion_loosens_nothing_for_an_ordinary_episode() {
    // A drive that calls itself a promotion is judged as one, and is none.
    let mut drive = Episode::good();
    drive.metadata["tags"] = json!(["continuon.xr_mode:trainer", "adapter_promotion"]);
    let rules: BTreeSet<&str> = drive.findings().iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, BTreeSet::from(["promotion"]));
    // And a promotion record is no drive.
    let (verdict, findings) = judge(promotion().write(), Profile::Normal);
    assert!(!verdict.is_promotion);
    let rules: BTreeSet<&str> = findings.iter().map(|finding| finding.rule).collect();
    for rule in ["enum", "min_steps", "duration"] {
        assert!(rules.contains(rule), "{rules:?}");
    }
    // What holds for a step holds for its step too.
    let mut skewed = promotion();
    skewed.steps[0]["observation"]["media"]["rgb"]["timestamp_ns"] = json!(1);
    assert_eq!(skewed.findings()[0].rule, "skew");
}

#[test]
fn every_rule_has_an_example_that_breaks_it() {
    let here: BTreeSet<&str> =
        [shape_rules(), value_rules(), sequence_rules(), media_rules(), metadata_rules()]
            .iter()
            .flatten()
            .chain(&recorded_rules())
            .map(|broken| broken.rule)
            .collect();
    // Whole files, lines that are none, and what only a recorder writes: bad_input.rs, recorded.rs.
    let elsewhere = [
        "missing_file",
        "not_utf8",
        "not_json",
        "too_long",
        "duplicate_key",
        "promotion",
        "note",
        "not_closed",
        "cut_short",
        "lost",
        "counts",
    ];
    let known: BTreeSet<&str> = RULES.iter().map(|(name, _)| *name).collect();
    let shown: BTreeSet<&str> = here.iter().copied().chain(elsewhere).collect();
    assert_eq!(known, shown);
    assert_eq!(known.len(), RULES.len(), "a rule is named twice");
}

#[test]
fn validating_changes_nothing() {
    let episode = step("/action/source", json!("pilot"));
    let path = episode.write();
    let before = fs::read(path.join("steps/000000.jsonl")).expect("read");
    let modified =
        || fs::metadata(path.join("metadata.json")).and_then(|m| m.modified()).expect("a time");
    let at = modified();
    assert_eq!(findings_of(path).len(), 1);
    assert_eq!(fs::read(path.join("steps/000000.jsonl")).expect("read"), before);
    assert_eq!(modified(), at);
}

/// Compared as a whole: it is what people read.
#[test]
fn finding_says_file_line_step_field_expected_and_found() {
    let episode = step("/action/source", json!("pilot"));
    let finding: Finding = episode.findings().remove(0);
    let expected = format!(
        "{}/steps/000000.jsonl:8: error: step 7: action.source: expected human_teleop_xr, \
         human_dev_xr or human_supervisor, found `pilot` [enum]",
        episode.path.display()
    );
    assert_eq!(finding.to_string(), expected);
}

#[test]
fn time_of_a_step_that_went_back_is_held_against_the_latest_so_far() {
    let mut episode = Episode::good();
    *episode.steps[8].pointer_mut(ROBOT_NS).expect("a time") = json!(1);
    let backwards = episode.findings().into_iter().filter(|f| f.rule == "time_backwards").count();
    assert_eq!(backwards, 1, "the step after it is fine");
}
