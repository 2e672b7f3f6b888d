//! What a killed recorder or a damaged disk leaves is named, and put in order.

mod common;

use common::{ROBOT_JSON, about, cycle, keyframe};
use rlds::fsck::{self, FsckError, FsckReport};
use rlds::{Closing, Entry, EpisodeWriter, RecordingReader, Tail};
use std::fs;
use std::path::{Path, PathBuf};

/// An episode of 1000 cycles, a keyframe and a loss, that was closed.
fn closed(dir: &Path) -> PathBuf {
    let mut episode = EpisodeWriter::create(dir, about(), ROBOT_JSON).unwrap();
    for n in (1..=700).chain(711..=1000) {
        if n == 711 {
            episode.telemetry_lapped(10);
        }
        episode.telemetry(n, &cycle(n));
    }
    episode.keyframe(1, &keyframe(1000));
    episode.finish(Closing::Clean, "").path
}

/// One whose recorder was killed after so many cycles.
fn killed(dir: &Path, cycles: u64) -> PathBuf {
    let mut episode = EpisodeWriter::create(dir, about(), ROBOT_JSON).unwrap();
    for n in 1..=cycles {
        episode.telemetry(n, &cycle(n));
    }
    let path = episode.path().to_owned();
    // A killed process runs no destructor, but its files are closed for it.
    drop(episode);
    path
}

fn recording(path: &Path) -> PathBuf {
    rlds::recording_path(path)
}

fn telemetry(path: &Path) -> Vec<u64> {
    let mut reader = RecordingReader::open(&recording(path)).unwrap();
    let mut found = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        if let Entry::Telemetry(record) = entry {
            assert_eq!(record, cycle(record.sequence), "nothing that was not written");
            found.push(record.sequence);
        }
    }
    assert_eq!((reader.tail(), reader.damage()), (&Tail::Complete, &[][..]));
    found
}

fn everything(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let names = ["metadata.json", "episode.json", "steps/000000.jsonl", "blobs/recording.mcap"];
    let content = |name: &str| (name.into(), fs::read(path.join(name)).unwrap());
    names.iter().map(|name| content(name)).collect()
}

/// Puts it in order, which it must be then, down to nothing left to do.
fn repaired(path: &Path) -> FsckReport {
    let report = fsck::repair(path).unwrap();
    assert!(report.repaired);
    let again = fsck::check(path).unwrap();
    assert_eq!(again.findings, [], "after {:?}", report.findings);
    assert_eq!(again.note, report.note);
    let summary = mcap::Summary::read(&fs::read(recording(path)).unwrap()).unwrap();
    assert!(summary.is_some(), "any MCAP reader finds its index");
    report
}

#[test]
fn closed_episode_is_whole_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let before = everything(&path);
    let report = fsck::check(&path).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.lost, ["10 telemetry records that the ring overwrote"]);
    assert!(!fsck::repair(&path).unwrap().repaired);
    assert_eq!(everything(&path), before);
}

#[test]
fn killed_recorders_episode_is_closed_as_recovered_with_all_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = killed(dir.path(), 1100);
    let report = fsck::check(&path).unwrap();
    assert!(!report.is_whole());
    assert_eq!(fs::read(path.join("blobs/reserve")).unwrap().len(), 256 << 10, "nothing touched");
    let report = repaired(&path);
    assert_eq!(telemetry(&path), (1..=1000).collect::<Vec<_>>(), "the last chunk was in memory");
    assert_eq!(report.note.closing, Closing::Recovered);
    assert_eq!((report.note.telemetry_records, report.note.steps), (1000, 20));
    assert!(report.lost.iter().any(|lost| lost.contains("after record 1000")), "{report:?}");
    let metadata = fs::read_to_string(path.join("metadata.json")).unwrap();
    assert!(metadata.contains("continuon.closing:recovered"), "{metadata}");
    assert!(!path.join("blobs/reserve").exists());
}

#[test]
fn torn_tail_of_any_length_costs_its_chunk_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = killed(dir.path(), 1100);
    let whole = fs::read(recording(&path)).unwrap();
    for torn in [1, 9, 100, 3000] {
        let dir = tempfile::tempdir().unwrap();
        let path = killed(dir.path(), 1100);
        fs::write(recording(&path), &whole[..whole.len() - torn]).unwrap();
        let report = repaired(&path);
        let found = telemetry(&path);
        assert!(found.len() == 1000 || found.len() == 800, "{torn}: {}", found.len());
        assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>());
        assert!(!report.lost.is_empty());
    }
}

#[test]
fn chunk_that_was_damaged_in_the_middle_is_taken_out_and_its_records_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let mut bytes = fs::read(recording(&path)).unwrap();
    let chunks = mcap::Summary::read(&bytes).unwrap().unwrap().chunk_indexes;
    let second = usize::try_from(chunks[2].chunk_start_offset).unwrap();
    // Its length is nonsense: what follows must be found again.
    bytes[second + 5] ^= 0x40;
    fs::write(recording(&path), &bytes).unwrap();
    let report = repaired(&path);
    assert_eq!(report.findings[0].at_byte, Some(second as u64));
    let expected: Vec<u64> = (1..=200).chain(401..=700).chain(711..=1000).collect();
    assert_eq!(telemetry(&path), expected);
    assert_eq!(report.note.telemetry_lost_disk, 200);
    assert_eq!(report.note.telemetry_lost_ring, 10);
    assert_eq!(report.note.closing, Closing::Recovered);
    let steps = fs::read_to_string(path.join("steps/000000.jsonl")).unwrap();
    assert!(steps.contains(r#""telemetry_lost":"200""#), "the loss stands in the step after it");
}

#[test]
fn steps_and_metadata_that_are_gone_are_derived_anew_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let before = everything(&path);
    for name in ["metadata.json", "episode.json", "steps/000000.jsonl"] {
        fs::remove_file(path.join(name)).unwrap();
        let report = repaired(&path);
        assert_eq!(report.findings[0].file, name);
    }
    assert_eq!(everything(&path), before);
}

#[test]
fn what_people_wrote_into_the_metadata_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let file = path.join("metadata.json");
    let mut metadata: rlds::schema::Metadata =
        serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    metadata.tags.push("rainy".to_owned());
    fs::write(&file, serde_json::to_vec(&metadata).unwrap()).unwrap();
    assert_eq!(fsck::check(&path).unwrap().findings, []);
    fs::remove_file(path.join("episode.json")).unwrap();
    repaired(&path);
    assert!(fs::read_to_string(&file).unwrap().contains("rainy"));
}

#[test]
fn episode_that_is_being_written_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(dir.path(), about(), ROBOT_JSON).unwrap();
    (1..=500).for_each(|n| episode.telemetry(n, &cycle(n)));
    let path = episode.path().to_owned();
    let before = everything(&path);
    assert!(matches!(fsck::check(&path), Err(FsckError::InUse)));
    assert!(matches!(fsck::repair(&path), Err(FsckError::InUse)));
    assert_eq!(everything(&path), before);
    (501..=600).for_each(|n| episode.telemetry(n, &cycle(n)));
    let summary = episode.finish(Closing::Clean, "");
    assert_eq!(summary.note.telemetry_records, 600);
    assert_eq!(fsck::check(&path).unwrap().findings, []);
}

#[test]
fn something_else_is_no_episode_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(fsck::repair(dir.path()), Err(FsckError::NoRecording)));
    fs::create_dir(dir.path().join("blobs")).unwrap();
    for content in [&b""[..], b"hello, this is a note", &[0; 4096]] {
        fs::write(recording(dir.path()), content).unwrap();
        assert!(matches!(fsck::repair(dir.path()), Err(FsckError::NothingRecorded)));
        assert_eq!(fs::read(recording(dir.path())).unwrap(), content);
    }
}
