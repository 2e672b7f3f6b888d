//! An episode on disk, and what is left of it when the disk runs full.

mod common;

use common::{Disk, ROBOT_JSON, SmallDisks, about, cycle, keyframe};
use rlds::schema::{ControlRole, Metadata, Step};
use rlds::{
    Closing, Commit, Committer, Ending, Entry, EpisodeNote, EpisodeWriter, Portion,
    RecordingReader, Standing, Steps, Summary, Tail, episode_id,
};
use rt_wire::{MonoNs, Source};
use std::fs;
use std::io::Cursor;
use std::path::Path;

fn note_of(path: &Path) -> EpisodeNote {
    serde_json::from_slice(&fs::read(path.join("episode.json")).unwrap()).unwrap()
}

fn metadata_of(path: &Path) -> Metadata {
    serde_json::from_slice(&fs::read(path.join("metadata.json")).unwrap()).unwrap()
}

/// Every step that the recording's telemetry makes.
fn derived(recording: &[u8], is_terminal: bool) -> Vec<Step> {
    let mut reader = RecordingReader::new("r", Cursor::new(recording.to_vec())).unwrap();
    let mut steps = Steps::new(reader.about().clone()).unwrap();
    let mut made = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        match entry {
            Entry::Telemetry(record) => steps.push(&record, |step| made.push(step.clone())),
            Entry::Loss(loss) if loss.topic.contains("telemetry") => steps.lost(loss.lost),
            Entry::Loss(_)
            | Entry::Log(_)
            | Entry::Keyframe(_)
            | Entry::Event(_)
            | Entry::Frame(_) => {}
        }
    }
    steps.finish(is_terminal, |step| made.push(step.clone()));
    made
}

fn lines(steps: &[u8]) -> Vec<Step> {
    let text = std::str::from_utf8(steps).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "whole lines only");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn record_on_file(dir: &Path, cycles: u64) -> Summary {
    let mut episode = EpisodeWriter::create(dir, about(), ROBOT_JSON).unwrap();
    for n in 1..=cycles {
        episode.telemetry(n, &cycle(n));
    }
    episode.keyframe(1, &keyframe(cycles));
    episode.finish(Closing::Clean, "")
}

#[test]
fn clean_episode_has_all_its_files_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let summary = record_on_file(dir.path(), 1000);
    let note = &summary.note;
    assert_eq!(note.closing, Closing::Clean);
    assert_eq!((note.telemetry_records, summary.telemetry_lost()), (1000, 0));
    assert_eq!((note.keyframes, note.keyframes_lost), (1, 0));
    assert_eq!((note.steps, note.steps_skipped), (20, 0));
    assert_eq!(note_of(&summary.path), *note);
    assert_eq!(fs::read_dir(summary.path.join("blobs")).unwrap().count(), 1, "no reserve is left");
    assert_eq!(fs::read_dir(&summary.path).unwrap().count(), 4);
}

#[test]
fn steps_written_live_are_those_that_the_recording_makes() {
    let dir = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(dir.path(), about(), ROBOT_JSON).unwrap();
    for n in (1..=700).chain(1001..=1500) {
        if n == 1001 {
            episode.telemetry_lapped(300);
        }
        episode.telemetry(n, &cycle(n));
    }
    let summary = episode.finish(Closing::Clean, "");
    let recording = fs::read(summary.path.join("blobs/recording.mcap")).unwrap();
    let steps = lines(&fs::read(summary.path.join("steps/000000.jsonl")).unwrap());
    assert_eq!(steps, derived(&recording, true));
    assert_eq!(steps.len() as u64, summary.note.steps);
    let told = steps.iter().find_map(|step| step.step_metadata.get("telemetry_lost"));
    assert_eq!(told.map(String::as_str), Some("300"));
    assert_eq!(summary.telemetry_lost(), 300);
}

#[test]
fn metadata_keeps_to_the_contract_and_tells_the_losses_in_its_tags() {
    let dir = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(dir.path(), about(), ROBOT_JSON).unwrap();
    episode.telemetry(1, &cycle(1));
    episode.telemetry_lapped(7);
    episode.telemetry(501, &cycle(501));
    let summary = episode.finish(Closing::Clean, "");
    let metadata = metadata_of(&summary.path);
    assert_eq!(metadata.episode_id, summary.path.file_name().unwrap().to_str().unwrap());
    assert_eq!(metadata.robot_id, "donkey");
    assert_eq!(metadata.start_time_unix_ms, about().start_unix_ms);
    assert_eq!(metadata.duration_ms, 500);
    assert_eq!(metadata.control_role, ControlRole::HumanSupervisor);
    for tag in [
        "continuon.xr_mode:workstation",
        "continuon.closing:clean",
        "continuon.telemetry_records:2",
        "continuon.telemetry_lost:7",
    ] {
        assert!(metadata.tags.iter().any(|found| found == tag), "{tag}");
    }
}

#[test]
fn episode_that_a_person_drove_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(dir.path(), about(), ROBOT_JSON).unwrap();
    let mut record = cycle(1);
    record.outcome.owner = Source::Teleop.into();
    episode.telemetry(1, &record);
    let summary = episode.finish(Closing::Clean, "");
    assert_eq!(metadata_of(&summary.path).control_role, ControlRole::HumanTeleop);
}

#[test]
fn episode_whose_recorder_was_killed_says_that_it_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(dir.path(), about(), ROBOT_JSON).unwrap();
    for n in 1..=500 {
        episode.telemetry(n, &cycle(n));
    }
    let path = episode.path().to_owned();
    // A killed process runs no destructor.
    std::mem::forget(episode);
    assert_eq!(note_of(&path).closing, Closing::Open);
    let mut reader = RecordingReader::open(&path.join("blobs/recording.mcap")).unwrap();
    let mut found = 0;
    while let Some(entry) = reader.next_entry().unwrap() {
        if let Entry::Telemetry(record) = entry {
            found += 1;
            assert_eq!(record, cycle(found));
        }
    }
    assert_eq!(found, 400, "two chunks of 200 ms; the third was in memory");
    assert_eq!(*reader.tail(), Tail::Open);
}

#[test]
fn two_episodes_within_a_second_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let first = record_on_file(dir.path(), 10);
    let second = record_on_file(dir.path(), 20);
    assert_ne!(first.path, second.path);
    assert_eq!(note_of(&first.path).telemetry_records, 10);
    assert_eq!(note_of(&second.path).telemetry_records, 20);
}

#[test]
fn episode_id_is_sortable_utc() {
    assert_eq!(episode_id(1_795_000_000_123, "donkey"), "ep_20261118T110640Z_donkey");
}

#[test]
fn place_that_cannot_be_written_is_refused_by_name_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("episodes");
    fs::write(&file, "a file, not a directory").unwrap();
    let error = EpisodeWriter::create(&file, about(), ROBOT_JSON).err().unwrap();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

#[test]
fn step_rate_that_makes_no_grid_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let about = rlds::About { step_rate_hz: 0, ..about() };
    let error = EpisodeWriter::create(dir.path(), about, ROBOT_JSON).err().unwrap();
    assert!(error.to_string().contains("step_rate_hz 0"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Records 1 to 2000 on disks of these sizes, and returns what is on them.
fn record_on_disks(recording_bytes: usize, steps_bytes: usize) -> (Summary, Vec<u8>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let (recording, steps) = (Disk::new(recording_bytes), Disk::new(steps_bytes));
    let disks = SmallDisks { recording: recording.clone(), steps: steps.clone() };
    let mut episode = EpisodeWriter::create_in(disks, dir.path(), about(), ROBOT_JSON).unwrap();
    for n in 1..=2000 {
        episode.telemetry(n, &cycle(n));
        if n % 500 == 0 {
            episode.keyframe(n / 500, &keyframe(n));
        }
    }
    let was_whole = episode.is_whole();
    let summary = episode.finish(Closing::Clean, "");
    assert!(was_whole || summary.note.closing == Closing::DiskFailed);
    assert_eq!(note_of(&summary.path), summary.note);
    (summary, recording.content(), steps.content())
}

#[test]
fn full_disk_keeps_every_whole_chunk_and_counts_every_record_after_it() {
    let (_, whole, _) = record_on_disks(usize::MAX, usize::MAX);
    // From a disk that takes hardly more than the beginning to one that lacks room for the last chunk.
    for percent in [30, 45, 60, 75, 88] {
        let recording_bytes = whole.len() * percent / 100;
        let (summary, recording, steps) = record_on_disks(recording_bytes, usize::MAX);
        let note = &summary.note;
        assert_eq!(note.closing, Closing::DiskFailed, "{recording_bytes}");
        assert!(note.reason.contains("storage"), "{}", note.reason);
        assert_eq!(note.telemetry_records + note.telemetry_lost_disk, 2000);
        assert_eq!(note.keyframes + note.keyframes_lost, 4);
        assert_eq!(note.telemetry_lost_ring, 0);

        let mut reader = RecordingReader::new("full", Cursor::new(recording.clone())).unwrap();
        let mut found = 0;
        while let Some(entry) = reader.next_entry().unwrap() {
            if let Entry::Telemetry(record) = entry {
                found += 1;
                assert_eq!(record, cycle(found));
            }
        }
        assert_eq!(found, note.telemetry_records, "counted is what is there");
        assert_eq!(*reader.tail(), Tail::Complete, "any MCAP reader opens it");
        assert!(reader.damage().is_empty());
        mcap::MessageStream::new(&recording).unwrap().for_each(|message| drop(message.unwrap()));

        let steps = lines(&steps);
        assert_eq!(steps.len() as u64, note.steps);
        // If only the summary had no room, the drive still ended on its own terms.
        let is_terminal = note.telemetry_records == 2000;
        let derived = derived(&recording, is_terminal);
        assert!(steps == derived[..steps.len()], "no step without its records");
    }
}

/// A disk that stalled until the end: everything comes to it in one breath.
struct AtOnce {
    inner: Committer<SmallDisks>,
    held: Vec<Portion>,
}

impl Commit for AtOnce {
    fn has_room(&self) -> bool {
        true
    }

    fn commit(&mut self, portion: Portion) {
        self.held.push(portion);
    }

    fn standing(&self) -> Standing {
        self.inner.standing()
    }

    fn finish(mut self, last: Option<Portion>, ending: Ending) -> Summary {
        self.held.extend(last);
        self.inner.commit_all(self.held);
        self.inner.finish(None, ending)
    }
}

#[test]
fn disk_that_fills_in_one_breath_keeps_the_steps_of_what_it_stored() {
    let (_, whole, _) = record_on_disks(usize::MAX, usize::MAX);
    let dir = tempfile::tempdir().unwrap();
    let recording = Disk::new(whole.len() * 6 / 10);
    let disks = SmallDisks { recording: recording.clone(), steps: Disk::new(usize::MAX) };
    let steps = disks.steps.clone();
    let episode = EpisodeWriter::create_in(disks, dir.path(), about(), ROBOT_JSON).unwrap();
    let at_once = |inner| Ok::<_, std::convert::Infallible>(AtOnce { inner, held: Vec::new() });
    let mut episode = episode.try_map_commit(at_once).unwrap();
    (1..=2000).for_each(|n| episode.telemetry(n, &cycle(n)));
    let summary = episode.finish(Closing::Clean, "");
    assert_eq!(summary.note.closing, Closing::DiskFailed);
    assert!(summary.note.telemetry_records > 500, "{:?}", summary.note);
    let steps = lines(&steps.content());
    let derived = derived(&recording.content(), false);
    // The last is held back until it is known whether another follows.
    assert_eq!(steps, derived[..derived.len() - 1]);
    assert_eq!(summary.note.steps, steps.len() as u64);
    let duration_ms = i64::try_from(summary.note.telemetry_records).unwrap() - 1;
    assert_eq!(metadata_of(&summary.path).duration_ms, duration_ms, "of what is stored");
}

#[test]
fn disk_full_for_steps_only_keeps_the_recording_and_whole_lines() {
    let (summary, recording, steps) = record_on_disks(usize::MAX, 20_000);
    assert_eq!(summary.note.closing, Closing::DiskFailed);
    assert!(summary.note.reason.starts_with("steps:"), "{}", summary.note.reason);
    assert_eq!((summary.note.telemetry_records, summary.telemetry_lost()), (2000, 0));
    let steps = lines(&steps);
    assert_eq!(steps.len() as u64, summary.note.steps);
    assert!(steps.len() > 1);
    assert_eq!(steps, derived(&recording, false)[..steps.len()]);
}

#[test]
fn first_failure_of_the_disk_is_the_reason_that_is_told() {
    let (_, whole, _) = record_on_disks(usize::MAX, usize::MAX);
    let (summary, _, _) = record_on_disks(whole.len() * 8 / 10, 20_000);
    assert!(summary.note.telemetry_lost_disk > 0, "the recording failed too, after the steps");
    assert!(summary.note.reason.starts_with("steps:"), "{}", summary.note.reason);
}

#[test]
fn disk_that_is_large_enough_loses_nothing() {
    let (summary, recording, steps) = record_on_disks(usize::MAX, usize::MAX);
    assert_eq!(summary.note.closing, Closing::Clean);
    assert_eq!((summary.note.telemetry_records, summary.telemetry_lost()), (2000, 0));
    assert_eq!(lines(&steps), derived(&recording, true));
}

#[test]
fn loss_at_the_very_end_is_still_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(dir.path(), about(), ROBOT_JSON).unwrap();
    episode.telemetry(1, &cycle(1));
    episode.telemetry_lapped(4);
    let summary = episode.finish(Closing::LoopLost, "the ring broke off");
    assert_eq!(summary.note.closing, Closing::LoopLost);
    assert_eq!(summary.note.reason, "the ring broke off");
    let recording = summary.path.join("blobs/recording.mcap");
    let entries: Vec<Entry> =
        RecordingReader::open(&recording).unwrap().map(|entry| entry.unwrap()).collect();
    let after = entries.iter().skip_while(|entry| !matches!(entry, Entry::Telemetry(_))).nth(1);
    let Some(Entry::Loss(loss)) = after else { panic!("{entries:?}") };
    assert_eq!((loss.before_sequence, loss.lost), (6, 4));
}

#[test]
fn chunk_goes_out_by_time_even_when_nothing_more_comes() {
    let dir = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(dir.path(), about(), ROBOT_JSON).unwrap();
    episode.telemetry(1, &cycle(1));
    assert_eq!(episode.note().telemetry_records, 0);
    episode.flush_if_due(MonoNs(common::START + 300 * common::MS));
    assert_eq!(episode.note().telemetry_records, 1);
}
