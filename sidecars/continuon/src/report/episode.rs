//! The episodes of a run, read back from disk and held against our own reader's count.
//!
//! The logger says what it wrote; whether that is all there was, only somebody who counted too can
//! tell. Tests: below.

use crate::observe::trace::Trace;
use crate::report::Episode;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The recorder's own counts, in the episode's folder.
const NOTE: &str = "episode.json";

/// What one episode says of itself.
struct Told {
    steps: u64,
    records: u64,
    lost: u64,
    first: u64,
    last: u64,
    closing: String,
}

impl Told {
    fn by(folder: &Path) -> Option<Self> {
        let note = fs::read_to_string(folder.join(NOTE)).ok()?;
        let note: Value = serde_json::from_str(&note).ok()?;
        let count = |key: &str| note.get(key).and_then(Value::as_u64);
        Some(Self {
            steps: count("steps")?,
            records: count("telemetry_records")?,
            lost: count("telemetry_lost_ring")?.checked_add(count("telemetry_lost_disk")?)?,
            first: count("first_sequence")?,
            last: count("last_sequence")?,
            closing: note.get("closing").and_then(Value::as_str).unwrap_or("unknown").to_owned(),
        })
    }

    /// Whether its end is one that was meant.
    fn is_ended_well(&self) -> bool {
        matches!(self.closing.as_str(), "clean" | "cut")
    }
}

/// The episodes in `episodes_dir`, as far as there are counts in them; `None` if there are none.
#[must_use]
pub fn read(episodes_dir: &Path, logger: Option<Value>) -> Option<Episode> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(episodes_dir).ok()?.flatten().map(|entry| entry.path()).collect();
    folders.sort_by_cached_key(|folder| rlds::episode_order(folder));
    let mut told: Vec<(PathBuf, Told)> =
        folders.into_iter().filter_map(|path| Told::by(&path).map(|told| (path, told))).collect();
    let (newest, last_told) = told.last()?;
    let path = newest.display().to_string();
    let closing = match told.iter().find(|(_, told)| !told.is_ended_well()) {
        Some((_, told)) => told.closing.clone(),
        None => last_told.closing.clone(),
    };
    // Spans join in the order of what they hold.
    told.sort_by_key(|(_, told)| told.first);
    let sum = |count: fn(&Told) -> u64| {
        told.iter().fold(0_u64, |sum, (_, told)| sum.saturating_add(count(told)))
    };
    Some(Episode {
        path,
        episodes: told.len(),
        steps: sum(|told| told.steps),
        telemetry_records: sum(|told| told.records),
        telemetry_lost: sum(|told| told.lost),
        first_sequence: told.first().map_or(0, |(_, told)| told.first),
        last_sequence: told.last().map_or(0, |(_, told)| told.last),
        spans: spans(told.iter().map(|(_, told)| (told.first, told.last))),
        closing,
        logger,
    })
}

/// Joins what follows on each other; in the order of their first sequences.
fn spans(of_each: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for (first, last) in of_each.filter(|(first, _)| *first > 0) {
        match spans.last_mut() {
            Some(span) if span.1.saturating_add(1) == first => span.1 = last,
            _ => spans.push((first, last)),
        }
    }
    spans
}

/// What is wrong with the episodes, in sentences; none if they hold the whole drive.
#[must_use]
pub fn wrongs(episode: &Episode, trace: &Trace) -> Vec<String> {
    let mut wrongs = Vec::new();
    if episode.closing == "open" {
        // Counts are written when it is closed: those in the folder are from its beginning.
        return vec![format!(
            "the episode was never closed, and holds no counts; what was written lies in {}/blobs",
            episode.path
        )];
    }
    if !matches!(episode.closing.as_str(), "clean" | "cut") {
        wrongs.push(format!("the episode was not closed cleanly: {}", episode.closing));
    }
    if episode.telemetry_lost > 0 {
        wrongs.push(format!("the logger lost {} telemetry records", episode.telemetry_lost));
    }
    let (first, last) = (episode.first_sequence, episode.last_sequence);
    let published = episode.spans.iter().fold(0_u64, |sum, (first, last)| {
        sum.saturating_add(last.saturating_add(1).saturating_sub(*first))
    });
    let accounted = episode.telemetry_records.saturating_add(episode.telemetry_lost);
    if published != accounted {
        wrongs.push(format!(
            "the logger accounts for {accounted} records from sequence {first} to {last}, expected {published}"
        ));
    }
    if last > trace.newest.sequence {
        wrongs.push(format!(
            "the logger names sequence {last}; our own reader saw none after {}",
            trace.newest.sequence
        ));
    }
    let (Some(begin), Some(end)) = (trace.mode_changes.first(), trace.mode_changes.last()) else {
        return wrongs;
    };
    // The first changes are those of the start, before anybody can have attached.
    let drive_begins = trace
        .mode_changes
        .iter()
        .find(|change| change.to == Some(rt_wire::Mode::Arming))
        .unwrap_or(begin);
    let drive_ends = end.sequence.min(last_of_drive(trace));
    let holds = |(first, last): &(u64, u64)| *first <= drive_begins.sequence && *last >= drive_ends;
    if !episode.spans.iter().any(holds) {
        let held: Vec<String> =
            episode.spans.iter().map(|(first, last)| format!("{first} to {last}")).collect();
        wrongs.push(format!(
            "the episode holds sequences {}, the drive {} to {}",
            held.join(", "),
            drive_begins.sequence,
            last_of_drive(trace)
        ));
    }
    wrongs
}

/// Sequence of the record in which the relay went off after the first drive.
fn last_of_drive(trace: &Trace) -> u64 {
    let over = |mode: Option<rt_wire::Mode>| mode.is_some_and(|mode| !mode.relay_allowed());
    let active = trace.active_at.unwrap_or_default();
    trace
        .mode_changes
        .iter()
        .find(|change| change.at > active && over(change.to))
        .map_or(trace.newest.sequence, |change| change.sequence)
}

#[cfg(test)]
mod tests {
    use super::{read, wrongs};
    use crate::observe::trace::Trace;
    use rt_wire::{Mode, MonoNs, Telemetry};
    use serde_json::{Value, json};

    fn note(folder: &str, note: &Value) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join(folder);
        std::fs::create_dir(&path).expect("a folder");
        std::fs::write(path.join("episode.json"), note.to_string()).expect("written");
        root
    }

    fn counts(records: u64, lost: u64, first: u64, last: u64) -> Value {
        json!({
            "closing": "clean", "steps": 40, "telemetry_records": records,
            "telemetry_lost_ring": lost, "telemetry_lost_disk": 0,
            "first_sequence": first, "last_sequence": last,
        })
    }

    /// 2000 cycles: Arming at 500, Active at 800, SafeStop at 1500, Disarmed at 1600.
    fn trace() -> Trace {
        let mut trace = Trace::new(1_000_000);
        let mut previous = Mode::Disarmed;
        for n in 1..=2000 {
            let mode = match n {
                500..800 => Mode::Arming,
                800..1500 => Mode::Active,
                1500..1600 => Mode::SafeStop,
                _ => Mode::Disarmed,
            };
            let mut record = Telemetry { sequence: n, cycle_index: n, ..Telemetry::default() };
            record.mono_ns = MonoNs(n * 1_000_000);
            record.outcome.mode = mode.into();
            record.outcome.previous_mode = previous.into();
            previous = mode;
            trace.add(&record);
        }
        trace
    }

    fn wrongs_of(note_json: &Value) -> Vec<String> {
        let root = note("2026-ep", note_json);
        wrongs(&read(root.path(), None).expect("an episode"), &trace())
    }

    #[test]
    fn a_whole_episode_has_nothing_wrong() {
        assert_eq!(wrongs_of(&counts(1501, 0, 200, 1700)), Vec::<String>::new());
    }

    #[test]
    fn a_record_that_nobody_accounts_for_is_found() {
        assert!(wrongs_of(&counts(1500, 0, 200, 1700))[0].contains("expected 1501"));
        assert!(wrongs_of(&counts(1500, 1, 200, 1700))[0].contains("lost 1"));
    }

    #[test]
    fn an_episode_that_begins_late_or_ends_early_does_not_hold_the_drive() {
        assert!(wrongs_of(&counts(1100, 0, 601, 1700))[0].contains("the drive 500 to 1600"));
        assert!(wrongs_of(&counts(1300, 0, 200, 1499))[0].contains("the drive 500 to 1600"));
    }

    #[test]
    fn a_sequence_that_was_never_published_is_found() {
        assert!(wrongs_of(&counts(1901, 0, 200, 2100))[0].contains("saw none after 2000"));
    }

    #[test]
    fn a_drive_in_several_episodes_is_whole_if_they_follow_on_each_other_to_the_record() {
        for (next, expected) in
            [(1001, None), (1002, Some("1002 to 1700")), (1000, Some("1000 to 1700"))]
        {
            let root = note("1", &counts(801, 0, 200, 1000));
            std::fs::create_dir(root.path().join("2")).expect("a folder");
            let mut second = counts(1701 - next, 0, next, 1700);
            second["closing"] = "cut".into();
            std::fs::write(root.path().join("2/episode.json"), second.to_string())
                .expect("written");
            let episode = read(root.path(), None).expect("two episodes");
            assert_eq!((episode.episodes, episode.steps), (2, 80));
            let found = wrongs(&episode, &trace());
            match expected {
                None => assert_eq!(found, Vec::<String>::new()),
                Some(words) => {
                    assert!(found.iter().any(|found| found.contains(words)), "{found:?}")
                }
            }
        }
    }

    #[test]
    fn the_newest_episode_is_read_and_one_without_counts_is_none() {
        let root = note("1", &counts(1, 0, 1, 1));
        std::fs::create_dir(root.path().join("2")).expect("a folder");
        let found = read(root.path(), None).expect("an episode");
        assert!(found.path.ends_with('1'));
        assert_eq!(read(&root.path().join("2"), None), None);
        assert_eq!(read(note("1", &json!({"steps": 1})).path(), None), None);
    }
}
