//! What people and broken programs put into an episode: each is one clear finding, with its place.

mod common;
#[path = "validate/episode.rs"]
mod episode;

use episode::{Episode, JPEG, findings_of};
use rlds::{EpisodeError, EpisodeReader};
use serde_json::json;
use std::fs;

/// A bad line in the place of step 7's, and what is said of it. The rest of the episode is read on.
fn said_of_line(line: &[u8]) -> Vec<String> {
    let episode = Episode::good();
    let path = episode.write_lines(&episode.lines_with(line)).to_owned();
    let prefix = format!("{}/steps/000000.jsonl:8: error: step 7: ", path.display());
    findings_of(&path)
        .iter()
        .map(ToString::to_string)
        .map(|said| said.strip_prefix(&prefix).map(str::to_owned).unwrap_or(said))
        .collect()
}

fn good_line() -> String {
    Episode::good().steps[7].to_string()
}

/// Step 7's line with one piece of its text replaced.
fn line_with(from: &str, to: &str) -> Vec<u8> {
    let line = good_line();
    assert_eq!(line.matches(from).count(), 1, "{from}");
    line.replacen(from, to, 1).into_bytes()
}

#[test]
fn unknown_field() {
    let said = said_of_line(&line_with("\"source\":", "\"sauce\":1,\"source\":"));
    assert_eq!(
        said,
        [
            "action.sauce: expected a key of the contract (did you mean source?), found an unknown one [unknown_field]"
        ]
    );
}

#[test]
fn wrong_enum() {
    let said = said_of_line(&line_with("\"human_teleop_xr\"", "\"autopilot\""));
    assert_eq!(
        said,
        [
            "action.source: expected human_teleop_xr, human_dev_xr or human_supervisor, found `autopilot` [enum]"
        ]
    );
}

#[test]
fn action_that_is_no_number() {
    for word in ["NaN", "Infinity", "-Infinity", "1e999"] {
        let said = said_of_line(&line_with(
            "\"command\":[0.25,-0.5]",
            &format!("\"command\":[0.25,{word}]"),
        ));
        assert_eq!(
            said,
            [format!("action.command[1]: expected a finite number, found {word} [not_finite]")]
        );
    }
}

#[test]
fn blocks_half_a_second_apart() {
    let mut episode = Episode::good();
    let stamp = &mut episode.steps[7]["observation"]["media"]["rgb"]["timestamp_ns"];
    *stamp = json!(stamp.as_i64().unwrap() + 499_000_000);
    let said = said_of_line(episode.steps[7].to_string().as_bytes());
    assert_eq!(
        said,
        ["observation.media.rgb.timestamp_ns: expected within ±5 ms of \
          robot_state.timestamp_nanos (5350000000), found 5850000000, 500.000 ms away [skew]"]
    );
}

#[test]
fn frame_of_another_step() {
    let mut episode = Episode::good();
    episode.steps[7]["observation"]["depth_frame_id"] = json!("frame-6");
    let said = said_of_line(episode.steps[7].to_string().as_bytes());
    assert_eq!(
        said,
        [
            "observation.depth_frame_id: expected `frame-7`, as video_frame_id, found `frame-6` [frame_id]"
        ]
    );
}

#[test]
fn text_that_is_not_utf_8() {
    let said = said_of_line(b"{\"observation\": \"\xff\"}");
    assert_eq!(said, ["the line: expected UTF-8, found byte 0xff at byte 17 [not_utf8]"]);
}

#[test]
fn line_that_is_cut_off_empty_or_no_block() {
    let half = &good_line()[..100];
    let said = said_of_line(half.as_bytes());
    assert_eq!(
        said,
        [
            "the line: expected JSON: `\"` at the end of a text at column 101, found the end [not_json]"
        ]
    );
    assert!(said_of_line(b"")[0].contains("[not_json]"));
    assert_eq!(said_of_line(b"7"), ["the whole: expected a block, found 7 [type]"]);
    assert_eq!(said_of_line("[".repeat(1000).as_bytes()).len(), 1, "deep, and no crash");
}

#[test]
fn key_that_is_there_twice() {
    let said = said_of_line(&line_with("\"source\":", "\"source\":\"x\",\"source\":"));
    assert!(
        said.iter()
            .any(|said| said.ends_with("expected each key once, found it twice [duplicate_key]")),
        "{said:?}"
    );
    let said = said_of_line(&line_with("\"reward\":", "\"reward\":\"7\",\"reward\":"));
    assert_eq!(
        said,
        ["step_metadata.reward: expected each key once, found it twice [duplicate_key]"]
    );
}

#[test]
fn text_that_would_garble_a_terminal_is_shown_without_it() {
    let said = said_of_line(&line_with("\"human_teleop_xr\"", "\"\\u001b[2J\""));
    assert!(said[0].contains("\\u{1b}") && !said[0].contains('\u{1b}'), "{said:?}");
}

#[test]
fn uris_that_lead_out() {
    for uri in [
        "../x.jpg",
        "/etc/passwd",
        "blobs/../../x",
        "./x",
        "",
        "file:///etc/passwd",
        "c:\\x",
        "a\\..\\b",
        "blobs/\u{0}",
        "anonymized://",
        "anonymized://../x",
    ] {
        let mut episode = Episode::good();
        episode.steps[7]["observation"]["media"]["rgb"]["uri"] = json!(uri);
        let said = said_of_line(episode.steps[7].to_string().as_bytes());
        assert_eq!(said.len(), 1, "{uri}: {said:?}");
        assert!(
            said[0].starts_with(
                "observation.media.rgb.uri: expected a relative path inside the episode"
            ),
            "{uri}: {said:?}"
        );
    }
}

#[test]
fn picture_that_was_cut_off_or_is_none() {
    for (bytes, words) in [
        (&JPEG[..10], "it has no end: it was cut off"),
        (&b""[..], "0 bytes"),
        (&b"GIF89a"[..], "it does not begin as a JPEG"),
        (&[0xff, 0xd8, 0xff, 0xd9][..], "its headers are broken"),
    ] {
        let mut episode = Episode::good();
        fs::write(episode.path.join("blobs/x.jpg"), bytes).unwrap();
        episode.steps[7]["observation"]["media"]["rgb"]["uri"] = json!("blobs/x.jpg");
        let said = said_of_path(&episode);
        assert!(
            said.iter().any(|said| said.contains(words) && said.contains("step 7")),
            "{said:?}"
        );
    }
}

fn said_of_path(episode: &Episode) -> Vec<String> {
    episode.findings().iter().map(ToString::to_string).collect()
}

#[test]
fn frame_of_the_recording_has_a_number_and_is_looked_up() {
    for (uri, rule) in [
        // No recording at all: nothing is found in it.
        ("blobs/recording.mcap#frames/7", "missing_frame"),
        ("blobs/recording.mcap", "uri"),
        ("blobs/recording.mcap#frames/seven", "uri"),
        ("blobs/recording.mcap#7", "uri"),
    ] {
        let mut episode = Episode::good();
        fs::write(episode.path.join("blobs/recording.mcap"), "a recording").unwrap();
        episode.steps[7]["observation"]["media"]["rgb"]["uri"] = json!(uri);
        let rules: Vec<_> = episode.findings().iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, [rule], "{uri}");
    }
}

#[test]
fn folder_that_is_empty_or_half_an_episode() {
    let folder = tempfile::tempdir().unwrap();
    let rules = |path| findings_of(path).into_iter().map(|f| (f.rule, f.field)).collect::<Vec<_>>();
    let missing = |name: &str| ("missing_file", name.to_owned());
    let found = rules(folder.path());
    assert_eq!(found[..2], [missing("metadata.json"), missing("steps/000000.jsonl")]);
    assert!(matches!(EpisodeReader::open(folder.path()), Err(EpisodeError::NotAnEpisode { .. })));
    let mut episode = Episode::good();
    episode.steps.clear();
    let found = rules(episode.write());
    assert_eq!(found, [("min_steps", "steps".to_owned())]);
}

#[test]
fn metadata_that_is_no_json_not_utf_8_or_too_long() {
    for (bytes, rule, words) in [
        (b"{\n\"xr_mode\": }".to_vec(), "not_json", "a value at line 2, column 12"),
        (b"\xff".to_vec(), "not_utf8", "byte 0xff at byte 0"),
        (vec![b' '; rlds::LINE_BYTES_MAX + 1], "too_long", "more than 16777216 bytes"),
    ] {
        let episode = Episode::good();
        let path = episode.write();
        fs::write(path.join("metadata.json"), bytes).unwrap();
        let findings = findings_of(path);
        assert_eq!((findings.len(), findings[0].rule), (1, rule), "{findings:?}");
        assert!(
            format!("{} {}", findings[0].expected, findings[0].found).contains(words),
            "{findings:?}"
        );
        assert!(findings[0].file.ends_with("metadata.json"));
    }
}

#[test]
fn any_byte_of_a_line_may_be_any_other_and_nothing_panics() {
    let line = good_line().into_bytes();
    let episode = Episode::good();
    for (at, new) in (0..line.len())
        .step_by(37)
        .zip([0, b'"', b'{', b'}', b',', b'\\', 0xff, b'9', b'-'].into_iter().cycle())
    {
        let mut changed = line.clone();
        changed[at] = new;
        findings_of(episode.write_lines(&changed));
        let mut reader = EpisodeReader::open(&episode.path).unwrap();
        drop(reader.next_step());
    }
}
