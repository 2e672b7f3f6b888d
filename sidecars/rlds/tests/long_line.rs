//! A line of 2 GiB is read over in bounded memory, and the steps around it are judged.
//!
//! A test binary of its own, since it looks at the peak memory of the process.

mod common;
#[path = "validate/episode.rs"]
mod episode;

use episode::{Episode, findings_of};
use rlds::{EpisodeError, EpisodeReader};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};

const GIB: u64 = 1 << 30;
const PEAK_KIB_MAX: u64 = 128 << 10;

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn line_of_2_gib_is_one_finding_and_costs_no_memory() {
    let mut episode = Episode::good();
    let last = episode.steps.pop().unwrap();
    let path = episode.write().to_owned();
    // A hole in the file: it takes no room on the disk.
    let mut file =
        File::options().append(false).write(true).open(path.join("steps/000000.jsonl")).unwrap();
    let end = file.seek(SeekFrom::End(0)).unwrap();
    file.seek(SeekFrom::Start(end + 2 * GIB)).unwrap();
    // The line of 2 GiB was step 59: the last step is one later than it says.
    let last = last.to_string().replace("\"step_index\":\"59\"", "\"step_index\":\"60\"");
    file.write_all(format!("\n{last}\n").as_bytes()).unwrap();

    let findings = findings_of(&path);
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.rule, finding.line, finding.step), ("too_long", Some(60), Some(59)));
    assert_eq!(finding.found, format!("{} bytes", 2 * GIB));

    let mut reader = EpisodeReader::open(&path).unwrap();
    let mut read = 0;
    let refused = loop {
        match reader.next_step() {
            Ok(step) => read += u64::from(step.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(read, 59);
    assert!(matches!(refused, EpisodeError::Content { line: 60, .. }), "{refused}");
    assert_eq!(reader.next_step().unwrap().map(|(index, _)| index), Some(60), "it goes on");
    assert!(reader.next_step().unwrap().is_none());
    let peak = peak_kib();
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
}
