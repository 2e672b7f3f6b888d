//! LeRobot with a video: boxes and bytes. FFmpeg's view is in tests/readers/lerobot.py.

use crate::common::{episode, files, jpeg, run};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use rlds_formats::export::{Fate, Format, Options};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Boxes that hold boxes.
const NESTED: [&str; 5] = ["moov", "trak", "mdia", "minf", "stbl"];

/// Every box by its name, without its head: there is one track, so none is there twice.
fn boxes(mut bytes: &[u8], into: &mut BTreeMap<String, Vec<u8>>) {
    while let Some((head, _)) = bytes.split_first_chunk::<8>() {
        let name = String::from_utf8(head[4..].to_vec()).expect("a name");
        let (begin, length) = match u32::from_be_bytes(*head[..4].as_array().expect("four")) {
            1 => (16, u64::from_be_bytes(*bytes[8..16].as_array().expect("eight")) as usize),
            length => (8, length as usize),
        };
        let inside = &bytes[begin..length];
        if NESTED.contains(&name.as_str()) {
            boxes(inside, into);
        }
        assert!(into.insert(name, inside.to_vec()).is_none());
        bytes = &bytes[length..];
    }
    assert!(bytes.is_empty(), "{bytes:?}");
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|four| u32::from_be_bytes(*four.as_array().expect("four"))).collect()
}

/// The pictures of a video in order, by its own tables.
fn pictures(path: &Path, frames_per_s: u32) -> Vec<Vec<u8>> {
    let file = fs::read(path).expect("a file");
    let mut found = BTreeMap::new();
    boxes(&file, &mut found);
    let lengths = words(&found["stsz"])[3..].to_vec();
    let count = lengths.len() as u32;
    assert_eq!(words(&found["stsz"])[..3], [0, 0, count]);
    // Each is shown for one tick of a clock that ticks once a picture.
    assert_eq!(words(&found["mdhd"])[3..5], [frames_per_s, count]);
    assert_eq!(words(&found["mvhd"])[3..5], [frames_per_s, count]);
    assert_eq!(words(&found["stts"]), [0, 1, count, 1]);
    assert_eq!(words(&found["stsc"]), [0, 1, 1, count, 1]);
    assert!(!found.contains_key("stss"), "each can be begun at");
    let stsd = &found["stsd"];
    assert_eq!(&stsd[12..16], b"mp4v");
    assert_eq!(stsd[40..44], [0, 32, 0, 24], "pixels");
    assert!(stsd.windows(3).any(|three| three == [0x04, 13, 0x6c]), "JPEG");
    let co64 = words(&found["co64"]);
    assert_eq!(co64[..2], [0, 1]);
    let mut at = (u64::from(co64[2]) << 32 | u64::from(co64[3])) as usize;
    let mut pictures = Vec::new();
    for length in lengths {
        pictures.push(file[at..at + length as usize].to_vec());
        at += length as usize;
    }
    let all: usize = pictures.iter().map(Vec::len).sum();
    assert_eq!(found["mdat"].len(), all, "nothing else lies among them");
    pictures
}

/// Each line of `meta/episodes`, its numbers alone.
fn lines(data_set: &Path) -> Vec<BTreeMap<String, Value>> {
    let path = data_set.join("meta/episodes/chunk-000/file-000.parquet");
    let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("Parquet");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| {
        let row = row.expect("a row");
        let columns = row.get_column_iter().filter_map(|(name, field)| match field {
            Field::Long(value) => Some((name.clone(), json!(value))),
            Field::Double(value) => Some((name.clone(), json!(value))),
            _ => None,
        });
        columns.collect()
    })
    .collect()
}

#[test]
fn pictures_of_a_video_are_the_cameras_own_bytes_at_their_instants() {
    let temp = tempfile::tempdir().expect("a directory");
    let episodes: Vec<PathBuf> =
        (0..3).map(|n| episode(temp.path(), &format!("ep_{n}"), 4 + n, true)).collect();
    let to = temp.path().join("out");
    // The third is begun in a second file, the first two share one.
    let file_bytes = (0..4).chain(0..5).map(|n| jpeg(n).len() as u64).sum();
    let options = Options { video: true, file_bytes, ..Options::default() };
    let told = run(Format::Lerobot, &episodes, &to, &options);
    assert!(told.iter().all(|one| one.fate == Fate::Written), "{told:?}");
    let folder = "videos/observation.images.front/chunk-000";
    let videos: Vec<String> =
        files(&to).into_keys().filter(|name| name.starts_with("videos/")).collect();
    assert_eq!(videos, [format!("{folder}/file-000.mp4"), format!("{folder}/file-001.mp4")]);
    let expected: Vec<Vec<u8>> = (0..4).chain(0..5).map(jpeg).collect();
    assert_eq!(pictures(&to.join(&videos[0]), 20), expected);
    assert_eq!(pictures(&to.join(&videos[1]), 20), (0..6).map(jpeg).collect::<Vec<_>>());
    let places: Vec<Value> = lines(&to)
        .iter()
        .map(|line| {
            let of = |name: &str| line[&format!("videos/observation.images.front/{name}")].clone();
            json!([of("chunk_index"), of("file_index"), of("from_timestamp"), of("to_timestamp")])
        })
        .collect();
    assert_eq!(json!(places), json!([[0, 0, 0.0, 0.2], [0, 0, 0.2, 0.45], [0, 1, 0.0, 0.3]]));
    let info: Value = serde_json::from_slice(&fs::read(to.join("meta/info.json")).expect("a file"))
        .expect("JSON");
    let feature = &info["features"]["observation.images.front"];
    assert_eq!((&feature["dtype"], &feature["info"]["video.fps"]), (&json!("video"), &json!(20)));
    let table = to.join("data/chunk-000/file-000.parquet");
    let table = SerializedFileReader::new(File::open(table).expect("a file")).expect("Parquet");
    let schema = table.metadata().file_metadata().schema();
    assert!(schema.get_fields().iter().all(|field| !field.name().contains("images")), "{schema:?}");
}

#[test]
fn without_pictures_there_is_no_video() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 4, false);
    let to = temp.path().join("out");
    let told = run(Format::Lerobot, &[path], &to, &Options { video: true, ..Options::default() });
    assert_eq!(told[0].fate, Fate::Written, "{told:?}");
    assert!(files(&to).into_keys().all(|name| !name.starts_with("videos")));
}
