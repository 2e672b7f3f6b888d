//! `episode.json`: how the recording ended, and what is missing from it.
//!
//! *What it decides.* Whether the counts there agree with the steps and the metadata. Every count with
//! `lost` in its name counts. Shown by: tests/validate.

use std::collections::BTreeMap;

use super::finding::Findings;
use super::json::{Json, shown};
use super::metadata::Said;
use super::sequence::Sequence;
use crate::note::EpisodeNote;

/// What it says is missing, by name; only what is not 0.
pub(crate) fn lost(note: &Json) -> BTreeMap<String, u64> {
    let Json::Block(keys) = note else {
        return BTreeMap::new();
    };
    keys.iter()
        .filter(|(name, _)| name.contains("lost"))
        .filter_map(|(name, value)| match value {
            Json::Int(count) => Some((name.clone(), u64::try_from(*count).ok()?)),
            _ => None,
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

pub(crate) fn check(
    text: &str,
    note: &Json,
    said: &Said,
    sequence: &Sequence,
    findings: &mut Findings<'_>,
) {
    if let Err(error) = serde_json::from_str::<EpisodeNote>(text) {
        findings.error("note", "the whole", "an episode's counts", error.to_string());
    }
    match note.text("closing") {
        Some("open") => {
            let expected = "a closed episode (`continuon rlds fsck --repair` closes it)";
            findings.error("not_closed", "closing", expected, "open");
            // Its counts are from its beginning.
            return;
        }
        Some(closing @ ("loop_lost" | "disk_failed" | "recovered")) => {
            let reason = note.text("reason").unwrap_or_default();
            findings.warning("cut_short", "closing", "clean", format!("{closing}: {reason}"));
        }
        _ => {}
    }
    for (name, count) in lost(note) {
        findings.warning("lost", name, "0", count.to_string());
    }
    let count = |key: &str| note.int(key).and_then(|count| u64::try_from(count).ok());
    let telemetry_lost = count("telemetry_lost_ring")
        .zip(count("telemetry_lost_disk"))
        .map(|(ring, disk)| ring.saturating_add(disk));
    let mut agree = |field: &str, note: Option<u64>, other: Option<u64>, whose: &str| {
        if let Some((note, other)) = note.zip(other)
            && note != other
        {
            findings.error("counts", field, format!("{other}, as {whose}"), note.to_string());
        }
    };
    agree("steps", count("steps"), Some(sequence.count), "there are steps");
    agree("steps", count("steps"), said.steps, "the metadata's tag says");
    agree("telemetry_lost", telemetry_lost, said.telemetry_lost, "the metadata's tag says");
    if let Some(lost) = telemetry_lost
        && lost < sequence.lost()
    {
        let expected = format!("at least {}, as the steps say", sequence.lost());
        findings.error("counts", "telemetry_lost", expected, lost.to_string());
    }
    if let Some((ours, theirs)) = note.text("episode_id").zip(said.episode_id.as_deref())
        && ours != theirs
    {
        let expected = format!("{}, as in metadata.json", shown(theirs));
        findings.error("counts", "episode_id", expected, shown(ours));
    }
}
