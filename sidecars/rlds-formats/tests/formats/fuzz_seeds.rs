//! Every seed of the fuzz targets, through the functions that libFuzzer drives; and how they are made.
//!
//! `cargo test -p rlds-formats --test formats -- --ignored make_seeds` makes them anew. What a target
//! found is a seed whose name begins with `found-`: made by nobody, and kept for ever.

#[allow(unreachable_pub, dead_code, reason = "a library of its own for libFuzzer")]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use crate::common::{episode, jpeg, run, step};
use crate::foreign_tables::foreign;
use crate::import::tub;
use crate::wrong_seeds as wrong;
use flate2::write::GzEncoder;
use fuzz::reading::{Memory, about, cycle};
use fuzz::{LONG, SEPARATOR, TARGETS};
use prost::Message;
use rlds::proto::rlds_v1;
use rlds::schema::{Metadata, Step};
use rlds::{Closing, EpisodeWriter, Event, Frame, Loss, RecordingWriter};
use rlds_formats::export::{Format, Options};
use rt_wire::{KernelState, LogFrame, Source};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn every_seed_passes_its_target() {
    for target in TARGETS {
        let seeds = files(&folder(target.name));
        assert!(!seeds.is_empty(), "{} has none", target.name);
        for seed in seeds {
            // So that a test which fails says which it was.
            eprintln!("{}", seed.display());
            fuzz::run(target.name, &fs::read(&seed).expect("a seed"));
        }
    }
}

/// A seed, cut and changed at many places: what libFuzzer does first.
#[test]
fn every_seed_that_is_cut_or_changed_passes_its_target() {
    for target in TARGETS {
        for seed in files(&folder(target.name)) {
            let seed = fs::read(&seed).expect("a seed");
            let stride = (seed.len() / 40).max(1);
            for at in (0..seed.len()).step_by(stride) {
                fuzz::run(target.name, &seed[..at]);
                let mut changed = seed.clone();
                changed[at] = changed[at].wrapping_add(0x80 | at as u8);
                fuzz::run(target.name, &changed);
            }
        }
    }
}

#[test]
fn every_target_has_its_program_its_sources_and_its_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).expect("a manifest");
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let stems = |folder: PathBuf| -> BTreeSet<String> {
        files(&folder).iter().map(|f| f.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(stems(root.join("fuzz/fuzz_targets")), names);
    assert_eq!(stems(root.join("fuzz/seeds")), names);
    for target in TARGETS {
        assert!(manifest.contains(&format!("name = \"{}\"\n", target.name)), "{}", target.name);
        for source in target.parser {
            assert!(root.join("..").join(source).is_file(), "{source} of {}", target.name);
        }
    }
}

/// The same recording with chunks that are not packed, so that a change of a byte stays one.
fn unpacked(recording: &[u8]) -> Vec<u8> {
    let mut plain = recording[..8].to_vec();
    let mut at = 8;
    while at + 9 <= recording.len() - 8 {
        let length = u64::from_le_bytes(*recording[at + 1..].first_chunk().expect("8 bytes"));
        let end = at + 9 + usize::try_from(length).expect("it fits");
        let body = &recording[at + 9..end];
        match recording[at] {
            6 => {
                let mut records = Vec::new();
                // Behind times, size, CRC, the name `lz4` and the length.
                let mut decoder = lz4_flex::frame::FrameDecoder::new(&body[28 + 7 + 8..]);
                decoder.read_to_end(&mut records).expect("we packed it");
                let mut body = body[..28].to_vec();
                body.extend_from_slice(&[0; 4]);
                body.extend_from_slice(&(records.len() as u64).to_le_bytes());
                body.extend_from_slice(&records);
                plain.push(6);
                plain.extend_from_slice(&(body.len() as u64).to_le_bytes());
                plain.extend_from_slice(&body);
            }
            // They say where packed chunks are.
            8 | 10 | 11 | 13 | 14 => {}
            _ => plain.extend_from_slice(&recording[at..end]),
        }
        at = end;
    }
    plain
}

fn small_jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, 30)
        .encode(&[120; 8 * 8 * 3], 8, 8, jpeg_encoder::ColorType::Rgb)
        .expect("memory never fails");
    bytes
}

/// One of everything that a recording holds.
fn recording() -> Vec<u8> {
    let disk = Memory::default();
    let mut writer = RecordingWriter::create(disk.clone(), &about(), b"{}").expect("memory");
    for n in 1..=4 {
        writer.telemetry(n, &cycle(n));
    }
    let state = KernelState { cycle_index: 4, mono_ns: cycle(4).mono_ns, ..KernelState::default() };
    writer.keyframe(1, &state);
    writer.log_frame(1, &LogFrame { sequence: 1, bytes: 2, ..LogFrame::default() });
    let loss = Loss { topic: "donkey.camera.frames".to_owned(), before_sequence: 9, lost: 4 };
    writer.loss(cycle(5).mono_ns, &loss).expect("texts and numbers");
    let event = Event::Closed { closing: Closing::Clean, reason: "told".to_owned() };
    writer.event(cycle(5).mono_ns, &event).expect("texts and numbers");
    writer.flush().expect("memory");
    let frame = Frame::new(7, cycle(6).mono_ns, "frame-7".to_owned(), small_jpeg());
    writer.frame(&frame.expect("a picture"));
    assert!(writer.finish().is_ok(), "memory takes all");
    disk.0.take()
}

/// An episode of the recorder: recording, note, metadata, steps.
fn recorded(root: &Path) -> [Vec<u8>; 4] {
    let mut about = about();
    about.frames_per_step = 1;
    let mut episode = EpisodeWriter::create(root, about, b"{}").expect("made");
    for n in 1..=120 {
        episode.telemetry(n, &cycle(n));
        if n % 40 == 0 {
            let frame = Frame::new(n, cycle(n - 9).mono_ns, format!("frame-{n}"), small_jpeg());
            episode.frame(&frame.expect("a picture"));
        }
    }
    let path = episode.finish(Closing::Clean, "").path;
    ["blobs/recording.mcap", "episode.json", "metadata.json", "steps/000000.jsonl"]
        .map(|name| fs::read(path.join(name)).expect("a file"))
}

/// As [`recorded`], with all that a recorder may have to tell: keyframes, logs, events, and every loss.
fn eventful(root: &Path, closing: Closing) -> [Vec<u8>; 4] {
    let mut about = about();
    about.frames_per_step = 1;
    let mut episode = EpisodeWriter::create(root, about, b"{}").expect("made");
    episode.telemetry_lapped(2);
    for n in 3..=20 {
        let mut record = cycle(n);
        record.outcome.owner = if n < 9 { Source::Teleop } else { Source::Pilot }.into();
        episode.telemetry(n, &record);
    }
    episode.keyframes_lapped(1);
    let mono_ns = cycle(20).mono_ns;
    episode.keyframe(2, &KernelState { cycle_index: 20, mono_ns, ..KernelState::default() });
    episode.log_lapped(3);
    episode.log_frame(4, &LogFrame { sequence: 4, mono_ns, bytes: 2, ..LogFrame::default() });
    episode.frames_lost(1);
    let frame = Frame::new(7, mono_ns, "frame-7".to_owned(), small_jpeg());
    episode.frame(&frame.expect("a picture"));
    episode.telemetry_lapped(5);
    let path = episode.finish(closing, "told").path;
    ["blobs/recording.mcap", "episode.json", "metadata.json", "steps/000000.jsonl"]
        .map(|name| fs::read(path.join(name)).expect("a file"))
}

fn join(files: &[&[u8]]) -> Vec<u8> {
    files.join(SEPARATOR)
}

#[test]
#[ignore = "writes seeds: cargo test --release -p rlds-formats --test formats -- --ignored make_seeds"]
fn make_seeds() {
    let temp = tempfile::tempdir().expect("a folder");
    let root = temp.path();
    let put = |target: &str, name: &str, content: &[u8]| {
        fs::create_dir_all(folder(target)).expect("a folder");
        fs::write(folder(target).join(name), content).expect("a seed");
    };
    let small = recording();
    put("recording", "plain", &unpacked(&small));
    put("recording", "packed", &small);
    let mut packed = lz4_flex::frame::FrameEncoder::with_frame_info(
        lz4_flex::frame::FrameInfo::new().block_checksums(true),
        Vec::new(),
    );
    packed.write_all(&b"what repeats itself, ".repeat(40)).expect("memory");
    put("lz4", "text", &packed.finish().expect("memory"));

    let [recording, note, metadata, steps] = recorded(&root.join("recorded"));
    put("fsck", "whole", &join(&[&recording, &note, &metadata, &steps]));
    // Short, so that libFuzzer tries many in a second.
    let [all, note_of_all, ..] = eventful(&root.join("eventful"), Closing::LoopLost);
    put("fsck", "eventful", &join(&[&all, &note_of_all]));
    put("fsck", "plain", &unpacked(&all));
    put("fsck", "torn", &recording[..recording.len() * 2 / 3]);
    put("note", "whole", &join(&[&note, &metadata, &steps]));

    let full_step =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../rlds/tests/golden/step-full.json"));
    let full_step: Step = serde_json::from_slice(&full_step.expect("golden")).expect("golden");
    let full = fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../rlds/tests/golden/metadata-full.json"),
    );
    let full: Metadata = serde_json::from_slice(&full.expect("golden")).expect("golden");
    let line = |step: &Step| serde_json::to_vec(step).expect("plain data");
    let mut next = full_step.clone();
    next.observation.robot_state.timestamp_nanos += 1_000_000;
    let lines = [line(&full_step), line(&next)].join(&b"\n"[..]);
    let full_text = serde_json::to_vec(&full).expect("plain data");
    put("validate", "full", &join(&[&full_text, &lines, b"", &small_jpeg(), b""]));
    put("validate", "recorded", &join(&[&metadata, &steps, &note, b"", &recording]));
    put(
        "validate",
        "words",
        &join(&[
            b"{\"a\":[NaN,-Infinity,1e999],\"a\":\"\\u00e9\\ud83d\\ude00\"}",
            b"[null]\n{}\n\xff",
        ]),
    );
    let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
    let wrong_steps = wrong::steps(&value(&line(&full_step)));
    let wrong_note = wrong::note(&value(&note));
    put(
        "validate",
        "wrong",
        &join(&[
            wrong::metadata(&value(&full_text)).as_bytes(),
            wrong_steps.as_bytes(),
            wrong_note.as_bytes(),
            &small_jpeg()[..40],
            &recording,
        ]),
    );
    put("validate", "no-metadata", &join(&[b"", &line(&full_step)]));
    put("validate", "no-steps", &full_text);
    put("validate", "long-line", &join(&[&full_text, LONG]));
    let [promotion, no_promotion] = wrong::promotions(&value(&full_text));
    put("validate", "promotion", &join(&[promotion.as_bytes(), &line(&full_step)]));
    put("validate", "no-promotion", &join(&[no_promotion.as_bytes(), wrong::texts().as_bytes()]));
    put("note", "wrong", &join(&[wrong_note.as_bytes(), &metadata, &steps[..steps.len() / 2]]));
    put("proto", "step", &rlds_v1::Step::from(&full_step).encode_to_vec());
    put("proto", "metadata", &rlds_v1::EpisodeMetadata::from(&full).encode_to_vec());
    put("jpeg", "colour", &jpeg(1));
    put("jpeg", "small", &small_jpeg());

    let tub = tub(root);
    let read =
        |path: PathBuf| fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let manifest = String::from_utf8(read(tub.join("manifest.json"))).expect("text");
    let manifest = manifest.replace(",\"catalog_1.catalog\"", "");
    let catalog = read(tub.join("catalog_0.catalog"));
    put("import_tub", "two", &join(&[manifest.as_bytes(), &catalog, &small_jpeg()]));

    let with_pictures = episode(root, "ep_1", 3, true);
    let set = root.join("set");
    let options = Options::default();
    run(Format::Lerobot, std::slice::from_ref(&with_pictures), &set, &options);
    let names = [
        "meta/info.json",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/tasks.parquet",
        "data/chunk-000/file-000.parquet",
    ];
    let parts = names.map(|name| read(set.join(name)));
    put("import_lerobot", "three", &join(&parts.each_ref().map(Vec::as_slice)));

    let parts = foreign();
    put("import_lerobot", "foreign", &join(&parts.each_ref().map(Vec::as_slice)));

    let out = root.join("records");
    run(Format::Tfrecord, std::slice::from_ref(&with_pictures), &out, &options);
    let records = read(out.join("ep_1.tfrecord"));
    put("tfrecord", "three", &records);
    put("import_tfrecord", "plain", &records);
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&records).expect("memory");
    put("import_tfrecord", "gzip", &gzip.finish().expect("memory"));

    let canonical: Vec<Vec<u8>> = (0..2).map(|index| line(&step(index, 2, true))).collect();
    let canonical = canonical.join(&b"\n"[..]);
    let metadata = read(with_pictures.join("metadata.json"));
    put("import_directory", "two", &join(&[&metadata, &canonical, &jpeg(0)]));
    put("import_lines", "canonical", &canonical);
    put("import_lines", "long", LONG);
    put("import_object", "long", LONG);
    let shown = |uri: &str| String::from_utf8_lossy(&canonical).replace("blobs/000000.jpg", uri);
    let frames = shown("blobs/recording.mcap#frames/7");
    put("import_directory", "recorded", &join(&[&metadata, frames.as_bytes(), b"", &small]));
    let no_frame = shown("blobs/recording.mcap#frames/x");
    put("import_directory", "no-frame", &join(&[&metadata, no_frame.as_bytes(), b"", &small]));
    let logged = json!({ "observation": { "robot_state": { "timestamp_nanos": 10 } },
        "action": { "steering": 0.5, "throttle": 0.25 }, "reward": 1, "done": true });
    put("import_lines", "logged", logged.to_string().as_bytes());
    let hope =
        json!({ "steps": [{ "obs": [0.5, 1.5], "action": [0.1], "reward": 2.5, "done": true }] });
    put("import_object", "hope", hope.to_string().as_bytes());
    let second = json!({ "metadata": { "schema_version": "2.0", "environment_id": "lab" },
        "steps": [{ "step_idx": 0, "timestamp_us": 5, "observation": {}, "action": { "command": [0.0] },
                    "info": { "a": 1 }, "context": { "b": "c" }, "tool_schema": [] }] });
    put("import_object", "second", second.to_string().as_bytes());
    put("import_object", "foreign", wrong::foreign().to_string().as_bytes());
    put("import_arm", "foreign", wrong::foreign().to_string().as_bytes());
    for (name, refused) in wrong::refused() {
        put("import_object", &format!("refused-{name}"), refused.to_string().as_bytes());
    }
    let arm = json!({ "episode_id": "arm_1", "xr_mode": "trainer", "control_role": "human_teleop",
        "robot_type": "so100", "steps": [{ "step_index": 0, "timestamp_ns": 1000,
            "language_instruction": "pick it up",
            "observation": { "joint_positions": [0.1, 0.2], "rgb": "step_0000_rgb.npy" },
            "action": { "command": [0.5, -0.5, 0.25], "source": "human_dev_xr" }, "reward": 0.5 }] });
    put("import_arm", "one", arm.to_string().as_bytes());
}
