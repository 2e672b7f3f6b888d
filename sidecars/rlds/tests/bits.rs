//! Every single flipped bit of a small episode is found, and at the record that it is in.

mod common;

use common::{ROBOT_JSON, about, cycle, keyframe};
use rlds::fsck;
use rlds::{Closing, EpisodeWriter};
use std::fs;
use std::path::Path;

fn small(dir: &Path) -> std::path::PathBuf {
    let mut episode = EpisodeWriter::create(dir, about(), ROBOT_JSON).unwrap();
    for n in [1, 2, 3, 300, 301] {
        if n == 300 {
            episode.telemetry_lapped(296);
        }
        episode.telemetry(n, &cycle(n));
    }
    episode.keyframe(1, &keyframe(301));
    episode.finish(Closing::Clean, "").path
}

/// Where each record of the file begins.
fn records(bytes: &[u8]) -> Vec<usize> {
    let (mut begins, mut at) = (Vec::new(), mcap::MAGIC.len());
    while at + 9 <= bytes.len() {
        begins.push(at);
        let length = u64::from_le_bytes(bytes[at + 1..at + 9].try_into().unwrap());
        at += 9 + usize::try_from(length).unwrap();
    }
    begins
}

#[test]
fn every_flipped_bit_of_the_recording_is_found_at_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = small(dir.path());
    let recording = rlds::recording_path(&path);
    let whole = fs::read(&recording).unwrap();
    let begins = records(&whole);
    assert_eq!(fsck::check(&path).unwrap().findings, []);
    // The magic at the end belongs to the end: what is not there is found at the footer or there.
    let data_end = begins.iter().position(|at| whole[*at] == mcap::records::op::DATA_END).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&recording, &flipped).unwrap();
        let report = match fsck::check(&path) {
            Ok(report) => report,
            Err(error) => panic!("bit {bit} of byte {}: {error}", bit / 8),
        };
        let found = report.findings.iter().find_map(|finding| finding.at_byte);
        let index = begins.iter().rposition(|begin| *begin <= bit / 8);
        let begin = index.map_or(0, |index| begins[index]) as u64;
        assert_eq!(found, Some(begin), "byte {}: {:?}", bit / 8, report.findings);
        if index.is_none_or(|index| index < data_end) {
            continue;
        }
        assert_eq!(report.findings.len(), 1, "byte {}: {:?}", bit / 8, report.findings);
    }
    fs::write(&recording, &whole).unwrap();
    assert_eq!(fsck::check(&path).unwrap().findings, []);
}

#[test]
fn every_flipped_bit_of_the_other_files_is_found_at_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = small(dir.path());
    for name in ["metadata.json", "episode.json", "steps/000000.jsonl"] {
        let file = path.join(name);
        let whole = fs::read(&file).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, &flipped).unwrap();
            let report = fsck::check(&path).unwrap();
            let finding = report.findings.first();
            let finding = finding.unwrap_or_else(|| panic!("{name}: bit {bit} is not found"));
            assert_eq!(finding.file, name);
            if name.ends_with("jsonl") {
                let line = whole[..bit / 8].iter().filter(|byte| **byte == b'\n').count() as u64;
                assert_eq!(finding.line, Some(line + 1), "{finding}");
            }
        }
        fs::write(&file, &whole).unwrap();
    }
}
