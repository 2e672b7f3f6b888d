//! RLDS for TensorFlow: what is in the records, splits, resuming, parts. The stock reader's view is in
//! tests/readers/tfds.py.

use crate::common::{episode, files, jpeg, run, step};
use prost::Message;
use rlds_formats::example::{Example, Kind};
use rlds_formats::export::{Fate, Format, Options};
use rlds_formats::framing::RecordReader;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tfds_features.json");

fn examples(path: &Path) -> Vec<Example> {
    let file = fs::read(path).expect("a file");
    let mut reader = RecordReader::new(file.as_slice(), 1 << 30);
    let (mut all, mut record) = (Vec::new(), Vec::new());
    while reader.read(&mut record).expect("whole") {
        all.push(Example::decode(record.as_slice()).expect("an Example"));
    }
    all
}

fn all_in_train() -> Options {
    Options { validation_percent: 0, ..Options::default() }
}

fn texts(example: &Example, name: &str) -> Vec<String> {
    let Some(Kind::Bytes(list)) = example.kind(name) else {
        panic!("{name} is no list of bytes");
    };
    list.value.iter().map(|value| String::from_utf8(value.clone()).expect("UTF-8")).collect()
}

#[test]
fn record_holds_every_step_in_its_columns() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 4, true);
    let to = temp.path().join("out");
    let told = run(Format::Tfds, &[path], &to, &all_in_train());
    assert_eq!((told[0].fate, told[0].steps), (Fate::Written, 4));
    let found = examples(&to.join("continuon-train.tfrecord-00000-of-00001"));
    let [example] = &found[..] else {
        panic!("{} records", found.len());
    };
    let Some(Kind::Bytes(pictures)) = example.kind("steps/observation/image") else {
        panic!("no pictures");
    };
    assert_eq!(pictures.value, (0..4).map(jpeg).collect::<Vec<_>>());
    let states = example.floats("steps/observation/state");
    assert_eq!(states.len(), 4 * 15);
    assert_eq!(
        states[15..30],
        [0.1, 2.5, 1.0, -1.0, 0.0, 0.0, 0.0, 0.6, 0.8, 2.5, 0.0, 0.0, 0.0, 0.0, 0.25]
    );
    let actions: Vec<f32> = (0..4).flat_map(|n| step(n, 4, true).action.command).collect();
    assert_eq!(example.floats("steps/action"), actions);
    assert_eq!(example.floats("steps/reward"), [0.0, 0.5, 1.0, 1.5]);
    assert_eq!(example.floats("steps/discount"), [1.0, 1.0, 1.0, 0.0]);
    assert_eq!(example.ints("steps/is_first"), [1, 0, 0, 0]);
    assert_eq!(example.ints("steps/is_last"), [0, 0, 0, 1]);
    assert_eq!(example.ints("steps/is_terminal"), [0, 0, 0, 1]);
    assert_eq!(texts(example, "steps/language_instruction"), ["drive a lap"; 4]);
    assert_eq!(texts(example, "episode_metadata/episode_id"), ["ep_1"]);
    let observation: Value =
        serde_json::from_str(&texts(example, "steps/observation/json")[2]).expect("JSON");
    let whole = serde_json::to_string(&step(2, 4, true).observation).expect("plain data");
    assert_eq!(observation, serde_json::from_str::<Value>(&whole).expect("JSON"));
}

#[test]
fn features_are_those_of_the_snapshot() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 2, true);
    let to = temp.path().join("out");
    run(Format::Tfds, &[path], &to, &all_in_train());
    let found = fs::read_to_string(to.join("features.json")).expect("a file")
        + &fs::read_to_string(to.join("dataset_info.json")).expect("a file");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(SNAPSHOT, &found).expect("a file");
    }
    let expected = fs::read_to_string(SNAPSHOT).expect("the snapshot");
    assert_eq!(found, expected, "if this is meant: UPDATE_SNAPSHOTS=1");
}

#[test]
fn split_hangs_on_the_id_alone_and_is_about_as_large_as_asked() {
    let temp = tempfile::tempdir().expect("a directory");
    let episodes: Vec<PathBuf> =
        (0..60).map(|n| episode(temp.path(), &format!("ep_{n:03}"), 1, false)).collect();
    let options = Options { validation_percent: 30, ..Options::default() };
    let of = |episodes: &[PathBuf], name: &str| -> BTreeMap<String, &str> {
        let to = temp.path().join(name);
        run(Format::Tfds, episodes, &to, &options);
        let ids = |split| {
            let file = to.join(format!("continuon-{split}.tfrecord-00000-of-00001"));
            let examples = if file.exists() { examples(&file) } else { Vec::new() };
            examples
                .into_iter()
                .map(move |one| (texts(&one, "episode_metadata/episode_id").remove(0), split))
        };
        ids("train").chain(ids("val")).collect()
    };
    let all = of(&episodes, "all");
    assert_eq!(all.len(), 60);
    let held_out = all.values().filter(|split| **split == "val").count();
    assert!((9..=27).contains(&held_out), "{held_out} of 60");
    let mut some: Vec<PathBuf> = episodes.iter().skip(20).cloned().collect();
    some.reverse();
    for (id, split) in of(&some, "some") {
        assert_eq!(all[&id], split, "{id} wandered");
    }
}

#[test]
fn export_that_was_broken_off_goes_on_and_writes_no_finished_file_again() {
    let temp = tempfile::tempdir().expect("a directory");
    let episodes: Vec<PathBuf> =
        (0..6).map(|n| episode(temp.path(), &format!("ep_{n}"), 3, true)).collect();
    let options = Options { file_bytes: 30_000, ..all_in_train() };
    let to = temp.path().join("out");
    run(Format::Tfds, &episodes, &to, &options);
    let whole = files(&to);
    let shards: Vec<&String> = whole.keys().filter(|name| name.contains("tfrecord")).collect();
    assert!(shards.len() > 1, "{shards:?}");
    // As if it had been killed while it wrote the last file.
    let last = to.join(shards[shards.len() - 1]);
    let first = to.join(shards[0]);
    fs::remove_file(&last).expect("there");
    fs::write(last.with_extension("tfrecord-x.part"), b"half").expect("a file");
    fs::remove_file(to.join("dataset_info.json")).expect("there");
    let before = fs::metadata(&first).and_then(|data| data.modified()).expect("a time");
    let told = run(Format::Tfds, &episodes, &to, &options);
    assert_eq!(fs::metadata(&first).and_then(|data| data.modified()).expect("a time"), before);
    assert!(told.iter().any(|one| one.fate == Fate::Kept), "{told:?}");
    assert!(told.iter().any(|one| one.fate == Fate::Written), "{told:?}");
    for (name, bytes) in &whole {
        // The state lists files in the order in which they were finished.
        if name != "continuon_export.json" {
            assert_eq!(&fs::read(to.join(name)).expect("a file"), bytes, "{name}");
        }
    }
    let other = Options { file_bytes: 60_000, ..options };
    let refused = rlds_formats::export::export(Format::Tfds, &episodes, &to, &other, &mut |_| {});
    let error = refused.expect_err("another export").to_string();
    assert!(error.contains("another export"), "{error}");
}

#[test]
fn long_episode_comes_in_parts_that_say_which_they_are() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 20, true);
    let options = Options { part_bytes: 15_000, ..all_in_train() };
    let to = temp.path().join("out");
    let told = run(Format::Tfds, &[path], &to, &options);
    assert_eq!(told[0].steps, 20);
    let parts = examples(&to.join("continuon-train.tfrecord-00000-of-00001"));
    assert!(parts.len() > 1);
    let mut steps = 0;
    for (number, part) in parts.iter().enumerate() {
        let is_first = part.ints("steps/is_first");
        let is_last = part.ints("steps/is_last");
        assert_eq!(part.ints("episode_metadata/part"), [number as i64]);
        assert_eq!(part.ints("episode_metadata/first_step"), [steps]);
        assert_eq!(is_first.iter().sum::<i64>(), 1);
        assert_eq!((is_first.first(), is_last.last()), (Some(&1), Some(&1)));
        assert_eq!(is_last.iter().sum::<i64>(), 1);
        let is_at_its_end = number + 1 == parts.len();
        let terminal = part.ints("steps/is_terminal").iter().sum::<i64>();
        assert_eq!(terminal, i64::from(is_at_its_end), "a cut is no end");
        steps += is_first.len() as i64;
    }
    assert_eq!(steps, 20);
}

#[test]
fn episode_that_breaks_off_leaves_nothing_and_the_others_are_whole() {
    let temp = tempfile::tempdir().expect("a directory");
    let good = episode(temp.path(), "ep_1", 20, true);
    let bad = episode(temp.path(), "ep_2", 20, true);
    let picture = bad.join("blobs/000019.jpg");
    fs::write(&picture, &jpeg(19)[..200]).expect("a file");
    // In parts too: no part of it may be there.
    for part_bytes in [15_000, 1 << 30] {
        let to = temp.path().join(format!("out{part_bytes}"));
        let options = Options { part_bytes, ..all_in_train() };
        let told = run(Format::Tfds, &[good.clone(), bad.clone()], &to, &options);
        let skipped = told.iter().find(|one| one.fate == Fate::Skipped).expect("one");
        assert!(skipped.why.contains("step 19") && skipped.why.contains("cut off"), "{skipped:?}");
        let found = examples(&to.join("continuon-train.tfrecord-00000-of-00001"));
        let ids: Vec<String> =
            found.iter().flat_map(|one| texts(one, "episode_metadata/episode_id")).collect();
        assert!(!ids.is_empty() && ids.iter().all(|id| id == "ep_1"), "{ids:?}");
    }
}
