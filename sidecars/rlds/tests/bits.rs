//! Every single flipped bit of a small episode is found, and at the record that it is in.

mod common;
#[allow(dead_code, reason = "the disk in memory is of use here, the images are not")]
mod crash;

use common::{ROBOT_JSON, about, cycle, keyframe};
use crash::model::Model;
use rlds::fsck::check_in;
use rlds::{Closing, EpisodeWriter};
use std::path::{Path, PathBuf};

fn small() -> (Model, PathBuf) {
    let model = Model::new(Path::new("/"));
    let mut episode =
        EpisodeWriter::create_in(model.clone(), Path::new("/e"), about(), ROBOT_JSON).unwrap();
    for n in [1, 2, 3, 300, 301] {
        if n == 300 {
            episode.telemetry_lapped(296);
        }
        episode.telemetry(n, &cycle(n));
    }
    episode.keyframe(1, &keyframe(301));
    let path = episode.finish(Closing::Clean, "").path;
    (model, path)
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
    const THREADS: usize = 4;
    let shares: Vec<_> = (0..THREADS)
        .map(|thread| std::thread::spawn(move || flip_bits_of_the_recording(thread, THREADS)))
        .collect();
    shares.into_iter().for_each(|share| share.join().unwrap());
}

/// Each `step`-th bit, from `first` on.
fn flip_bits_of_the_recording(first: usize, step: usize) {
    let (disk, path) = small();
    let recording = rlds::recording_path(&path);
    let whole = disk.read(&recording).unwrap();
    let mut begins = records(&whole);
    // The file ends with its magic.
    begins.push(whole.len() - mcap::MAGIC.len());
    assert_eq!(check_in(&disk, &path).unwrap().findings, []);
    let data_end = begins.iter().position(|at| whole[*at] == mcap::records::op::DATA_END).unwrap();
    for bit in (first..whole.len() * 8).step_by(step) {
        // The end is compared as it is: one bit of each byte stands for the others.
        if bit / 8 > begins[data_end] + 16 && bit % 8 != bit / 8 % 8 {
            continue;
        }
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        disk.put(&recording, flipped);
        let report = match check_in(&disk, &path) {
            Ok(report) => report,
            Err(error) => panic!("bit {bit} of byte {}: {error}", bit / 8),
        };
        let found = report.findings.iter().find_map(|finding| finding.at_byte);
        let index = begins.iter().rposition(|begin| *begin <= bit / 8);
        let begin = index.map_or(0, |index| begins[index]) as u64;
        assert_eq!(found, Some(begin), "byte {}: {:?}", bit / 8, report.findings);
        // At the end nothing follows that it could hurt: the finding is the only one.
        if index.is_some_and(|index| index >= data_end) {
            assert_eq!(report.findings.len(), 1, "byte {}: {:?}", bit / 8, report.findings);
        }
    }
}

#[test]
fn every_flipped_bit_of_the_other_files_is_found_at_its_line() {
    let (disk, path) = small();
    for name in ["metadata.json", "episode.json", "steps/000000.jsonl"] {
        let file = path.join(name);
        let whole = disk.read(&file).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            disk.put(&file, flipped);
            let report = check_in(&disk, &path).unwrap();
            let finding = report.findings.first();
            let finding = finding.unwrap_or_else(|| panic!("{name}: bit {bit} is not found"));
            assert_eq!(finding.file, name);
            if name.ends_with("jsonl") {
                let line = whole[..bit / 8].iter().filter(|byte| **byte == b'\n').count() as u64;
                assert_eq!(finding.line, Some(line + 1), "{finding}");
            }
        }
        disk.put(&file, whole);
    }
}
