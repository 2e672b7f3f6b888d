//! Whatever is fed in: a clear word with its place, nothing half-made left, the source as it was.

use crate::common::{episode, files, run, step, steps_of, write_episode};
use crate::import::{import_one, tub};
use flate2::Compression;
use flate2::write::GzEncoder;
use rlds_formats::export::{Fate, Format, Options, export};
use rlds_formats::framing::RecordWriter;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

const ALL: [Format; 4] = [Format::Tfds, Format::Tfrecord, Format::Lerobot, Format::Dir];

/// Exports the episode in each format; the words that it was refused with.
fn refused(path: &Path, root: &Path) -> Vec<String> {
    let before = files(path);
    let words = ALL
        .iter()
        .map(|format| {
            let to = root.join(format!("out_{format:?}"));
            let told = run(*format, &[path.to_owned()], &to, &Options::default());
            assert_eq!(told[0].fate, Fate::Skipped, "{format:?}: {told:?}");
            let left = files(&to);
            assert!(left.is_empty(), "{format:?} left {:?}", left.keys());
            told[0].why.clone()
        })
        .collect();
    assert_eq!(files(path), before, "the source was touched");
    words
}

fn spoilt(root: &Path, spoil: impl FnOnce(&Path)) -> PathBuf {
    let path = episode(root, "ep_1", 3, true);
    spoil(&path);
    path
}

fn replace(path: &Path, from: &str, to: &str) {
    let file = path.join("steps/000000.jsonl");
    let text = fs::read_to_string(&file).expect("a file");
    assert!(text.contains(from), "{from}");
    fs::write(&file, text.replacen(from, to, 1)).expect("a file");
}

#[test]
fn broken_episode_is_refused_in_every_format_with_file_and_place() {
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil, &[&str]); 9] = [
        (
            "unknown field",
            |path| replace(path, "\"headset_pose\"", "\"tail\":1,\"headset_pose\""),
            &["000000.jsonl:1", "tail"],
        ),
        ("NaN", |path| replace(path, "[-0.5,0.25]", "[NaN,0.25]"), &["000000.jsonl:1"]),
        (
            "foreign frame",
            |path| {
                replace(path, "\"depth_frame_id\":\"frame-0\"", "\"depth_frame_id\":\"frame-9\"")
            },
            &["frame-9"],
        ),
        (
            "time goes back",
            |path| {
                replace(path, "\"timestamp_nanos\":7100000000", "\"timestamp_nanos\":7000000000")
            },
            &["timestamp_nanos"],
        ),
        (
            "not UTF-8",
            |path| fs::write(path.join("steps/000000.jsonl"), b"\xff\xfe\n").expect("a file"),
            &["000000.jsonl:1"],
        ),
        (
            "no step",
            |path| fs::write(path.join("steps/000000.jsonl"), b"").expect("a file"),
            &["step"],
        ),
        (
            "truncated picture",
            |path| {
                let picture = path.join("blobs/000001.jpg");
                let bytes = fs::read(&picture).expect("a picture");
                fs::write(picture, &bytes[..bytes.len() / 2]).expect("a file");
            },
            &["000001.jpg"],
        ),
        (
            "empty picture",
            |path| fs::write(path.join("blobs/000001.jpg"), b"").expect("a file"),
            &["000001.jpg"],
        ),
        (
            "way out",
            |path| replace(path, "blobs/000001.jpg", "../ep_1/blobs/000001.jpg"),
            &["uri", "../ep_1"],
        ),
    ];
    for (name, spoil, expected) in cases {
        let temp = tempfile::tempdir().expect("a directory");
        let path = spoilt(temp.path(), spoil);
        for words in refused(&path, temp.path()) {
            for word in expected {
                assert!(words.contains(word), "{name}: {words}");
            }
        }
    }
}

#[test]
fn no_import_follows_a_path_out_of_its_input() {
    let temp = tempfile::tempdir().expect("a directory");
    let secret = temp.path().join("secret.jpg");
    fs::write(&secret, crate::common::jpeg(1)).expect("a file");
    let ways = [
        "../secret.jpg",
        "../../secret.jpg",
        secret.to_str().expect("UTF-8"),
        "file:///etc/passwd",
        "blobs/link.jpg",
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let name = format!("ep_{number}");
        let mut one = step(0, 1, true);
        one.observation.media.as_mut().and_then(|media| media.rgb.as_mut()).expect("one").uri =
            way.to_owned();
        let path = temp.path().join(&name);
        write_episode(&path, &crate::common::metadata(&name), &[one]);
        std::os::unix::fs::symlink(&secret, path.join("blobs/link.jpg")).expect("a link");
        let to = temp.path().join(format!("out_{number}"));
        let imported = import_one(&path, &to);
        assert_eq!(imported.told[0].fate, Fate::Skipped, "{way}");
        assert!(
            imported.told[0].why.contains("inside the episode"),
            "{way}: {}",
            imported.told[0].why
        );
        assert!(files(&to).is_empty(), "{way}");
    }
    let tub = tub(temp.path());
    let manifest = tub.join("manifest.json");
    let text = fs::read_to_string(&manifest).expect("a file");
    fs::write(&manifest, text.replace("catalog_0.catalog", "../secret.jpg")).expect("a file");
    let imported = import_one(&tub, &temp.path().join("out_tub"));
    assert!(imported.told.iter().all(|one| one.fate == Fate::Skipped), "{:?}", imported.told);
}

#[test]
fn an_episodes_name_can_be_no_path() {
    let temp = tempfile::tempdir().expect("a directory");
    for (number, name) in ["../up", "/abs", ".hidden", "a/b", "ep\n1"].into_iter().enumerate() {
        let path = temp.path().join(format!("in_{number}"));
        write_episode(&path, &crate::common::metadata(name), &[step(0, 1, false)]);
        for words in refused(&path, &temp.path().join(format!("{number}"))) {
            assert!(words.contains("episode_id: expected letters"), "{name}: {words}");
        }
    }
    let twice = [
        episode(&temp.path().join("x"), "ep_1", 1, false),
        episode(&temp.path().join("y"), "ep_1", 1, false),
    ];
    for format in ALL {
        let to = temp.path().join(format!("twice_{format:?}"));
        let told = run(format, &twice, &to, &Options::default());
        let skipped: Vec<_> = told.iter().filter(|one| one.fate == Fate::Skipped).collect();
        assert!(
            skipped.len() == 1 && skipped[0].why.contains("another episode"),
            "{format:?}: {told:?}"
        );
    }
}

fn tfrecord(path: &Path, records: &[Vec<u8>], gzip: bool) {
    let file = File::create(path).expect("a file");
    let mut writer = RecordWriter::new(Vec::new());
    for record in records {
        writer.write(record).expect("memory");
    }
    let bytes = writer.finish().expect("memory");
    if gzip {
        let mut encoder = GzEncoder::new(file, Compression::best());
        encoder.write_all(&bytes).and_then(|()| encoder.finish().map(|_| ())).expect("a disk");
    } else {
        { file }.write_all(&bytes).expect("a disk");
    }
}

#[test]
fn damaged_tfrecord_is_named_with_record_and_byte() {
    let temp = tempfile::tempdir().expect("a directory");
    let good = episode(temp.path(), "ep_1", 3, false);
    run(Format::Tfrecord, &[good], &temp.path().join("out"), &Options::default());
    let whole = fs::read(temp.path().join("out/ep_1.tfrecord")).expect("a file");
    let first = u64::from_le_bytes(whole[..8].try_into().expect("8")) as usize + 16;
    let damaged = temp.path().join("damaged.tfrecord");
    let told = |bytes: &[u8]| {
        fs::write(&damaged, bytes).expect("a file");
        let imported = import_one(&damaged, &temp.path().join("back"));
        assert_eq!(imported.told[0].fate, Fate::Skipped);
        imported.told[0].why.clone()
    };
    let mut flipped = whole.clone();
    flipped[first + 40] ^= 1;
    let words = told(&flipped);
    assert!(words.contains(&format!("record 1 at byte {first}: CRC of its data")), "{words}");
    let words = told(&whole[..whole.len() - 1]);
    assert!(words.contains("record 2") && words.contains("the file ends"), "{words}");
    assert!(told(b"not a record at all").contains("record 0 at byte 0: CRC of its length"));
    assert!(told(b"").contains("at least one step"));
    tfrecord(&damaged, &[b"\x0a\xff\xff".to_vec()], false);
    let words = told(&fs::read(&damaged).expect("a file"));
    assert!(words.contains("record 0") && words.contains("tf.train.Example"), "{words}");
}

#[test]
fn small_file_that_unpacks_into_a_huge_record_is_refused() {
    let temp = tempfile::tempdir().expect("a directory");
    let bomb = temp.path().join("bomb.tfrecord.gz");
    tfrecord(&bomb, &[vec![0; 48 << 20]], true);
    assert!(fs::metadata(&bomb).expect("there").len() < 1 << 20);
    let imported = import_one(&bomb, &temp.path().join("out"));
    let why = &imported.told[0].why;
    assert!(why.contains("expected at most 33554432"), "{why}");
}

#[test]
fn line_without_an_end_is_refused_and_not_held() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = temp.path().join("long.jsonl");
    // Sparse: two GiB that take no room.
    File::create(&path).and_then(|file| file.set_len(2 << 30)).expect("a file");
    let imported = import_one(&path, &temp.path().join("out"));
    assert!(
        imported.told[0].why.contains("long.jsonl:1: expected a line of at most"),
        "{:?}",
        imported.told
    );
}

#[test]
fn foreign_tables_that_are_damaged_are_named() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 3, true);
    for victim in [
        "meta/info.json",
        "meta/tasks.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "data/chunk-000/file-000.parquet",
    ] {
        let to = temp.path().join(format!("set_{}", victim.replace('/', "_")));
        run(Format::Lerobot, std::slice::from_ref(&path), &to, &Options::default());
        let file = to.join(victim);
        let bytes = fs::read(&file).expect("a file");
        fs::write(&file, &bytes[..bytes.len() / 2]).expect("a file");
        let imported = import_one(&to, &temp.path().join("out"));
        assert!(imported.told.iter().all(|one| one.fate == Fate::Skipped), "{victim}");
        assert!(imported.told[0].why.contains(victim), "{victim}: {:?}", imported.told);
    }
}

#[test]
fn full_disk_ends_the_export_and_leaves_nothing_that_looks_finished() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 3, true);
    let to = temp.path().join("out");
    fs::create_dir(&to).expect("a directory");
    // What is always full.
    for name in ["continuon-train.tfrecord-00000-of-00001.part", "ep_1.tfrecord.part"] {
        std::os::unix::fs::symlink("/dev/full", to.join(name)).expect("a link");
    }
    for format in [Format::Tfds, Format::Tfrecord] {
        let options = Options { validation_percent: 0, ..Options::default() };
        let failed = export(format, std::slice::from_ref(&path), &to, &options, &mut |_| {});
        let problem = failed.expect_err("no room");
        assert!(problem.is_of_the_output(), "{problem}");
        assert!(problem.to_string().contains("No space left"), "{problem}");
    }
    let left: Vec<_> = fs::read_dir(&to).expect("a directory").collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(steps_of(&path).len(), 3);
}
