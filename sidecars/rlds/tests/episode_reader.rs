//! Steps and metadata read back, one at a time; and errors that say file, line and field.

mod common;
#[path = "validate/episode.rs"]
mod episode;

use common::full::{full_metadata, full_step};
use episode::Episode;
use rlds::schema::Step;
use rlds::{EpisodeError, EpisodeReader};
use std::fs;

fn steps_of(reader: &mut EpisodeReader) -> Vec<(u64, Step)> {
    std::iter::from_fn(|| reader.next_step().unwrap()).collect()
}

#[test]
fn every_step_and_the_metadata_come_back_in_order() {
    let episode = Episode::good();
    let mut reader = EpisodeReader::open(episode.write()).unwrap();
    assert_eq!(reader.path(), episode.path);
    let expected = rlds::schema::Metadata { duration_ms: 2950, ..full_metadata() };
    assert_eq!(*reader.metadata(), expected);
    let steps = steps_of(&mut reader);
    assert_eq!(steps.len(), 60);
    assert!(steps.iter().enumerate().all(|(at, (index, _))| *index == at as u64));
    assert_eq!(steps[0].1.action, full_step().action);
    assert_eq!(steps[7].1.number("step_index"), Some(7.0));
}

#[test]
fn steps_go_on_over_several_files_and_the_last_line_may_lack_its_newline() {
    let episode = Episode::good();
    let path = episode.write();
    let lines: Vec<String> = episode.steps.iter().map(ToString::to_string).collect();
    fs::write(path.join("steps/000000.jsonl"), lines[..40].join("\n")).unwrap();
    fs::write(path.join("steps/000001.jsonl"), lines[40..].join("\n")).unwrap();
    fs::write(path.join("steps/notes.txt"), "no steps").unwrap();
    let steps = steps_of(&mut EpisodeReader::open(path).unwrap());
    assert_eq!(steps.len(), 60);
    assert_eq!(steps[40].1.number("step_index"), Some(40.0));
    assert_eq!(episode::findings_of(path), []);
}

#[test]
fn line_that_is_wrong_says_where_and_the_next_one_is_read() {
    let episode = Episode::with(|step| {
        step["action"]["command"] = serde_json::json!("left");
    });
    let path = episode.write();
    let mut reader = EpisodeReader::open(path).unwrap();
    for _ in 0..7 {
        reader.next_step().unwrap().unwrap();
    }
    let refused = reader.next_step().unwrap_err();
    let expected = format!(
        "{}/steps/000000.jsonl:8: action.command: expected at least 1 number, found `left`",
        path.display()
    );
    assert_eq!(refused.to_string(), expected);
    assert_eq!(reader.next_step().unwrap().unwrap().0, 8);
}

#[test]
fn metadata_that_is_wrong_says_the_key() {
    let episode = Episode::with_metadata(|metadata| metadata["xr_mode"] = "alone".into());
    let refused = EpisodeReader::open(episode.write()).unwrap_err();
    let EpisodeError::Content { line, field, found, .. } = refused else { panic!("{refused}") };
    assert_eq!((line, field.as_str(), found.as_str()), (0, "xr_mode", "`alone`"));
}

#[test]
fn folder_without_steps_is_no_episode() {
    let episode = Episode::good();
    let path = episode.write();
    fs::remove_dir_all(path.join("steps")).unwrap();
    let refused = EpisodeReader::open(path).unwrap_err().to_string();
    assert!(refused.ends_with("no episode: it has no steps/000000.jsonl"), "{refused}");
}
