//! The contract's TFRecord layout, field by field.

use crate::common::{episode, run, step};
use flate2::read::GzDecoder;
use prost::Message;
use rlds_formats::example::{Example, Kind};
use rlds_formats::export::tfrecord::StepEncoder;
use rlds_formats::export::{Fate, Format, Options};
use rlds_formats::framing::RecordReader;
use std::fs::{self, File};
use std::io::Read;

#[test]
fn step_has_the_contracts_features_and_no_other() {
    let mut encoder = StepEncoder::new("ep_1".to_owned());
    let mut step = step(3, 4, true);
    step.observation.command = vec![1.0, 2.0];
    let bytes = encoder.encode(3, &step).expect("plain data").concat();
    let example = Example::decode(bytes.as_slice()).expect("an Example");
    let features = &example.features.as_ref().expect("features").feature;
    let kinds: Vec<(&str, &str)> = features
        .iter()
        .map(|(name, feature)| {
            let kind = match feature.kind.as_ref().expect("a kind") {
                Kind::Bytes(_) => "bytes",
                Kind::Floats(_) => "float",
                Kind::Ints(_) => "int64",
            };
            (name.as_str(), kind)
        })
        .collect();
    let expected = [
        ("action", "bytes"),
        ("action_command", "float"),
        ("episode_id", "bytes"),
        ("is_terminal", "int64"),
        ("observation", "bytes"),
        ("observation_command", "float"),
        ("reward", "float"),
        ("step_index", "int64"),
        ("step_metadata", "bytes"),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(example.bytes("episode_id"), Some(&b"ep_1"[..]));
    assert_eq!(example.ints("step_index"), [3]);
    assert_eq!(example.ints("is_terminal"), [1]);
    assert_eq!(example.floats("reward"), [1.5]);
    assert_eq!(example.floats("observation_command"), [1.0, 2.0]);
    assert_eq!(example.floats("action_command"), step.action.command);
    let observation: serde_json::Value =
        serde_json::from_slice(example.bytes("observation").expect("JSON")).expect("JSON");
    let keys: Vec<&String> = observation.as_object().expect("an object").keys().collect();
    assert!(keys.is_sorted() && keys.len() >= 9, "{keys:?}");
    let action = std::str::from_utf8(example.bytes("action").expect("JSON")).expect("UTF-8");
    assert_eq!(action, r#"{"command":[-0.47,0.25],"source":"human_supervisor"}"#);
}

#[test]
fn gzip_holds_the_same_records_and_a_finished_file_stays() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 5, false);
    let to = temp.path().join("out");
    let plain = run(Format::Tfrecord, std::slice::from_ref(&path), &to, &Options::default());
    assert_eq!((plain[0].fate, plain[0].steps), (Fate::Written, 5));
    let gzip = Options { gzip: true, ..Options::default() };
    run(Format::Tfrecord, std::slice::from_ref(&path), &to, &gzip);
    let mut unpacked = Vec::new();
    let packed = File::open(to.join("ep_1.tfrecord.gz")).expect("a file");
    GzDecoder::new(packed).read_to_end(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, fs::read(to.join("ep_1.tfrecord")).expect("a file"));
    let mut reader = RecordReader::new(unpacked.as_slice(), 1 << 20);
    let mut record = Vec::new();
    while reader.read(&mut record).expect("whole") {}
    assert_eq!(reader.records(), 5);
    let again = run(Format::Tfrecord, &[path], &to, &Options::default());
    assert_eq!(again[0].fate, Fate::Kept);
}

#[test]
fn pictures_that_are_left_out_are_counted() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 3, true);
    let told = run(Format::Tfrecord, &[path], &temp.path().join("out"), &Options::default());
    assert_eq!(told[0].left_out, [("pictures".to_owned(), 3)]);
}
