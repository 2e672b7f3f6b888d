//! Importers: whatever becomes an episode can be read as one, and nothing is half-written.

use super::{folder, put, repair, sections};
use rlds::EpisodeReader;
use rlds_formats::export::Fate;
use std::fs;
use std::path::Path;

/// Lays these files into a folder called `name`, and imports it.
fn import(name: &str, files: &[(&str, &[u8])]) {
    let folder = folder();
    let from = folder.path().join(name);
    for (name, content) in files {
        let path = from.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        put(&path, content);
    }
    let to = folder.path().join("episodes");
    let imported = rlds_formats::import::import(&[from], &to, &mut |_| {});
    let imported = imported.unwrap_or_else(|problem| panic!("the output: {problem}"));
    let mut written = 0;
    for told in imported.told {
        if told.fate == Fate::Written {
            written += 1;
            read(&to.join(&told.episode_id), told.steps);
        } else {
            assert!(!told.why.is_empty(), "skipped without a word: {told:?}");
        }
    }
    let there = fs::read_dir(&to).expect("a folder").count();
    assert_eq!(there, written, "something is half-written");
}

fn read(path: &Path, expected: u64) {
    let mut reader = EpisodeReader::open(path).unwrap_or_else(|error| panic!("{error}"));
    let mut steps = 0;
    while reader.next_step().unwrap_or_else(|error| panic!("{error}")).is_some() {
        steps += 1;
    }
    assert_eq!(steps, expected);
}

/// A Donkeycar tub: manifest, catalog, picture.
pub fn tub(data: &[u8]) {
    let [manifest, catalog, picture] = sections(data);
    let files = [
        ("manifest.json", manifest),
        ("catalog_0.catalog", catalog),
        ("images/0_cam_image_array_.jpg", picture),
    ];
    import("tub", &files);
}

/// A LeRobot data set: info, episodes, tasks, data.
pub fn lerobot(data: &[u8]) {
    let [info, episodes, tasks, rows] = sections(data);
    let files = [
        ("meta/info.json", info),
        ("meta/episodes/chunk-000/file-000.parquet", episodes),
        ("meta/tasks.parquet", tasks),
        ("data/chunk-000/file-000.parquet", rows),
    ];
    import("set", &files);
}

/// The contract's TFRecord, packed or not.
pub fn tfrecord(data: &[u8]) {
    if data.starts_with(&[0x1f, 0x8b]) {
        import("records", &[("ep_1.tfrecord.gz", data)]);
    } else {
        import("records", &[("ep_1.tfrecord", &repair::tfrecord(data))]);
    }
}

/// A step a line.
pub fn lines(data: &[u8]) {
    import("logs", &[("ep_1.jsonl", data)]);
}

/// An episode in one object.
pub fn object(data: &[u8]) {
    import("objects", &[("ep_1.json", data)]);
}

/// What the arm recorder writes.
pub fn arm(data: &[u8]) {
    import("arm", &[("episode.json", data), ("step_0_rgb.npy", b"NUMPY")]);
}

/// The contract's directory: metadata, steps, picture, recording.
pub fn directory(data: &[u8]) {
    let [metadata, steps, picture, recording] = sections(data);
    let recording = repair::recording(recording);
    let files = [
        ("metadata.json", metadata),
        ("steps/000000.jsonl", steps),
        ("blobs/000000.jpg", picture),
        ("blobs/recording.mcap", &recording),
    ];
    import("ep_1", &files);
}
