//! Readers of our own: recording, check and repair, validator, protobuf, TFRecord frames, JPEG.

use super::{folder, put, repair, sections};
use prost::Message;
use rlds::proto::rlds_v1;
use rlds::schema::{Metadata, Step};
use rlds::validate::{Profile, Severity};
use rlds::{Entry, EpisodeReader, Frame, RecordingReader, RecordingWriter, Storage, fsck};
use rlds_formats::example::Example;
use rlds_formats::framing::{RecordReader, RecordWriter};
use rt_wire::MonoNs;
use std::cell::RefCell;
use std::fs;
use std::io::{self, Cursor, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::OnceLock;
use zerocopy::IntoBytes;

/// A disk in memory.
#[derive(Clone, Default)]
pub struct Memory(pub Rc<RefCell<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for Memory {
    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.0.borrow_mut().truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Entries that can be compared: of records the bytes, since a float may be no number.
#[derive(Debug, PartialEq)]
enum Told {
    Telemetry(Vec<u8>),
    Keyframe(Vec<u8>),
    Log(Vec<u8>),
    Other(Box<Entry>),
}

/// What a recording holds, as far as it can be read.
fn entries(reader: &mut RecordingReader<Cursor<&[u8]>>) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Ok(Some(entry)) = reader.next_entry() {
        entries.push(entry);
    }
    assert_eq!(reader.next_entry().ok().flatten(), None, "the end is the end");
    entries
}

fn told(entry: Entry) -> Told {
    match entry {
        Entry::Telemetry(record) => Told::Telemetry(record.as_bytes().to_vec()),
        Entry::Keyframe(state) => Told::Keyframe(state.as_bytes().to_vec()),
        Entry::Log(frame) => Told::Log(frame.as_bytes().to_vec()),
        other => Told::Other(Box::new(other)),
    }
}

/// What is read, recorded again, is read the same.
pub fn recording(data: &[u8]) {
    let bytes = repair::recording(data);
    let mut reader = match RecordingReader::new("input.mcap", Cursor::new(&bytes[..])) {
        Ok(reader) => reader,
        Err(error) => return drop(error.to_string()),
    };
    let found = entries(&mut reader);
    let about = reader.about().clone();
    let disk = Memory::default();
    let again = RecordingWriter::create(disk.clone(), &about, reader.robot_json());
    let mut again = again.expect("memory takes all");
    for entry in &found {
        match entry {
            Entry::Telemetry(record) => again.telemetry(record.sequence, record),
            Entry::Keyframe(state) => again.keyframe(1, state),
            Entry::Log(frame) => again.log_frame(frame.sequence, frame),
            Entry::Loss(loss) => again.loss(MonoNs(1), loss).expect("texts and numbers"),
            Entry::Event(event) => again.event(MonoNs(1), event).expect("texts and numbers"),
            Entry::Frame(frame) => again.frame(frame),
        }
        if again.is_due(MonoNs(0)) {
            again.flush().expect("memory takes all");
        }
    }
    assert!(again.finish().is_ok(), "memory takes all");
    let bytes = disk.0.borrow();
    let reader = RecordingReader::new("again.mcap", Cursor::new(&bytes[..]));
    let mut reader = reader.expect("we wrote it");
    assert_eq!(reader.about(), &about);
    let again = entries(&mut reader);
    assert_eq!(*reader.tail(), rlds::Tail::Complete);
    let found: Vec<Told> = found.into_iter().map(told).collect();
    assert_eq!(again.into_iter().map(told).collect::<Vec<_>>(), found);
}

/// A chunk packed so: it is unpacked, or refused.
pub fn lz4(data: &[u8]) {
    const NAME: &[u8] = b"lz4";
    let whole = closed_recording();
    // The first chunk of a recording with the input in its place.
    let mut bytes = whole[..first_chunk_at(whole)].to_vec();
    let mut packed = data.to_vec();
    repair::lz4(&mut packed);
    let mut body = vec![0; 28];
    body.extend_from_slice(&(NAME.len() as u32).to_le_bytes());
    body.extend_from_slice(NAME);
    body.extend_from_slice(&(packed.len() as u64).to_le_bytes());
    body.extend_from_slice(&packed);
    bytes.push(6);
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&body);
    let bytes = repair::recording(&bytes);
    if let Ok(mut reader) = RecordingReader::new("input.mcap", Cursor::new(&bytes[..])) {
        drop(entries(&mut reader));
    }
}

fn first_chunk_at(bytes: &[u8]) -> usize {
    let mut at = 8;
    while bytes[at] != 6 {
        let length = bytes[at + 1..].first_chunk().map(|length| u64::from_le_bytes(*length));
        at += 9 + usize::try_from(length.unwrap_or_default()).unwrap_or_default();
    }
    at
}

/// A small recording that was closed.
pub fn closed_recording() -> &'static [u8] {
    static RECORDING: OnceLock<Vec<u8>> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let disk = Memory::default();
        let about = about();
        let mut writer = RecordingWriter::create(disk.clone(), &about, b"{}").expect("memory");
        for n in 1..=40 {
            writer.telemetry(n, &cycle(n));
        }
        assert!(writer.finish().is_ok(), "memory takes all");
        disk.0.take()
    })
}

/// What a recording says of itself.
pub fn about() -> rlds::About {
    rlds::About {
        robot: "donkey".to_owned(),
        robot_model: "donkeycar".to_owned(),
        environment_id: "sim-twisty".to_owned(),
        frame_convention: "base_link".to_owned(),
        build_id: 0xabcd,
        start_mono_ns: MonoNs(5_000_000_000),
        start_unix_ms: 1_795_000_000_123,
        kernel: "6.12.0-rt".to_owned(),
        step_rate_hz: 20,
        ..rlds::About::default()
    }
}

/// Cycle `n` (from 1) of a drive at 1 kHz.
pub fn cycle(n: u64) -> rt_wire::Telemetry {
    let mut record = rt_wire::Telemetry {
        sequence: n,
        cycle_index: n,
        mono_ns: MonoNs(5_000_000_000 + (n - 1) * 1_000_000),
        ..rt_wire::Telemetry::default()
    };
    record.outcome.mode = rt_wire::Mode::Active.into();
    record.outcome.owner = rt_wire::Source::Pilot.into();
    record.outcome.setpoint.throttle = 0.25;
    record
}

/// Writes an episode: recording, note, metadata, steps; what is empty is not there.
fn write_episode(path: &Path, files: [&[u8]; 4]) {
    for folder in ["blobs", "steps"] {
        fs::create_dir_all(path.join(folder)).expect("a folder");
    }
    let names = ["blobs/recording.mcap", "episode.json", "metadata.json", "steps/000000.jsonl"];
    for (name, content) in names.into_iter().zip(files) {
        if !content.is_empty() {
            put(&path.join(name), content);
        }
    }
}

/// An episode that was put in order is in order, and what is read of it is valid JSON.
fn check_and_repair(path: &Path) {
    let before = fs::read(path.join("blobs/recording.mcap")).unwrap_or_default();
    let Ok(checked) = fsck::check(path) else {
        let now = fs::read(path.join("blobs/recording.mcap")).unwrap_or_default();
        assert!(now == before, "a check changed it");
        return;
    };
    assert!(checked.findings.iter().all(|finding| !finding.to_string().is_empty()));
    let repaired = fsck::repair(path).unwrap_or_else(|error| panic!("{checked:?}: {error}"));
    assert_eq!(repaired.findings, checked.findings);
    let again = fsck::check(path).unwrap_or_else(|error| panic!("{repaired:?}: {error}"));
    assert!(again.is_whole(), "{:?} after {:?}", again.findings, repaired.findings);
    assert_eq!(again.note, repaired.note);
    let mut reader = EpisodeReader::open(path).expect("it was put in order");
    let mut steps = 0;
    while let Some((index, _)) = reader.next_step().expect("it was put in order") {
        assert_eq!(index, steps);
        steps += 1;
    }
    assert_eq!(steps, again.note.steps);
}

/// Check and repair of any recording.
pub fn fsck(data: &[u8]) {
    let folder = folder();
    let [recording, note, metadata, steps] = sections(data);
    let recording = repair::recording(recording);
    write_episode(folder.path(), [&recording, note, metadata, steps]);
    check_and_repair(folder.path());
}

/// Check and repair of a whole recording with any files beside it.
pub fn note(data: &[u8]) {
    let folder = folder();
    let [note, metadata, steps] = sections(data);
    write_episode(folder.path(), [closed_recording(), note, metadata, steps]);
    let _counted = judge(folder.path());
    check_and_repair(folder.path());
}

/// What the validator finds: every one of them in words, and how many are errors.
fn judge(path: &Path) -> u64 {
    let mut errors = 0;
    let verdict = rlds::validate::validate(path, Profile::Recognised, &mut |finding| {
        errors += u64::from(finding.severity == Severity::Error);
        assert!(!finding.to_string().is_empty());
    });
    assert_eq!(verdict.expect("it can be read").errors, errors);
    errors
}

/// What the validator calls valid can be read to its end.
pub fn validate(data: &[u8]) {
    let folder = folder();
    let path = folder.path().join("ep_1");
    let [metadata, steps, note, picture, recording] = sections(data);
    let recording = repair::recording(recording);
    let recording = if recording.is_empty() { &[][..] } else { &recording };
    write_episode(&path, [recording, note, metadata, steps]);
    if !picture.is_empty() {
        fs::write(path.join("blobs/7.jpg"), picture).expect("a file");
    }
    let is_valid = judge(&path) == 0;
    let mut reader = match EpisodeReader::open(&path) {
        Ok(reader) => reader,
        Err(error) => {
            let error = error.to_string();
            assert!(!is_valid, "valid, and not to be opened: {error}");
            return;
        }
    };
    loop {
        match reader.next_step() {
            Ok(None) => break,
            Ok(Some(_)) => {}
            Err(error) => {
                let error = error.to_string();
                assert!(!is_valid, "valid, and not to be read: {error}");
            }
        }
    }
    if let Ok(pictures) = reader.frames() {
        pictures.for_each(drop);
    }
}

/// What is read from protobuf and written again is read the same.
pub fn proto(data: &[u8]) {
    if let Ok(step) = rlds_v1::Step::decode(data)
        && let Ok(step) = Step::try_from(step)
    {
        let bytes = rlds_v1::Step::from(&step).encode_to_vec();
        let again = rlds_v1::Step::decode(&bytes[..]).expect("we wrote it");
        let again = Step::try_from(again).expect("we wrote it");
        assert_eq!(rlds_v1::Step::from(&again).encode_to_vec(), bytes);
    }
    if let Ok(metadata) = rlds_v1::EpisodeMetadata::decode(data)
        && let Ok(metadata) = Metadata::try_from(metadata)
    {
        let bytes = rlds_v1::EpisodeMetadata::from(&metadata).encode_to_vec();
        let again = rlds_v1::EpisodeMetadata::decode(&bytes[..]).expect("we wrote it");
        assert_eq!(Metadata::try_from(again).expect("we wrote it"), metadata);
    }
}

/// Records that are read and framed again are the same bytes; so are Examples.
pub fn tfrecord(data: &[u8]) {
    // As it comes, and with its checksums right.
    for bytes in [data.to_vec(), repair::tfrecord(data)] {
        let mut reader = RecordReader::new(&bytes[..], 1 << 20);
        let (mut record, mut again) = (Vec::new(), RecordWriter::new(Vec::new()));
        loop {
            match reader.read(&mut record) {
                Ok(true) => again.write(&record).expect("memory takes all"),
                Ok(false) => break,
                Err(error) => {
                    drop(error.to_string());
                    break;
                }
            }
            if let Ok(example) = Example::decode(&record[..]) {
                let bytes = example.encode_to_vec();
                let again = Example::decode(&bytes[..]).expect("we wrote it");
                assert_eq!(again.encode_to_vec(), bytes);
            }
        }
        assert_eq!(again.records(), reader.records());
        let again = again.finish().expect("memory takes all");
        assert!(bytes.starts_with(&again));
    }
}

/// Both of our readers of a JPEG's size say the same, where they say something.
pub fn jpeg(data: &[u8]) {
    let size = rlds_formats::jpeg::size(data);
    let frame = Frame::new(1, MonoNs(1), "frame-1".to_owned(), data.to_vec());
    if let (Ok(size), Some(frame)) = (&size, &frame) {
        assert_eq!((size.width, size.height), (frame.width, frame.height));
    }
}
