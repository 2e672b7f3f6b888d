//! Episodes of our own recorder: pictures come out of the recording as they went in.

use crate::common::{faults, files, jpeg, run, steps_of};
use rlds::{About, Closing, EpisodeWriter, Frame, RecordingReader, Tail};
use rlds_formats::export::{Fate, Format, Options};
use rt_wire::{Mode, MonoNs, Source, Telemetry};
use std::fs;
use std::path::{Path, PathBuf};

const MS: u64 = 1_000_000;
const START: u64 = 5_000 * MS;

/// A drive of `frames` / 20 s with a camera; without `closing` as if its recorder had been killed.
fn recorded(root: &Path, frames: u64, closing: Option<Closing>) -> PathBuf {
    let about = About {
        robot: "donkey".to_owned(),
        robot_model: "donkeycar".to_owned(),
        environment_id: "sim-twisty".to_owned(),
        frame_convention: "base_link".to_owned(),
        start_mono_ns: MonoNs(START),
        start_unix_ms: 1_795_000_000_123,
        step_rate_hz: 20,
        frames_per_step: 1,
        ..About::default()
    };
    let mut writer = EpisodeWriter::create(root, about, b"{}").expect("a disk with room");
    for n in 0..frames * 50 + 10 {
        let at = MonoNs(START + n * MS);
        let mut record =
            Telemetry { sequence: n + 1, cycle_index: n + 1, mono_ns: at, ..Telemetry::default() };
        record.release.woke_at = at;
        record.outcome.mode = Mode::Active.into();
        record.outcome.owner = Source::Pilot.into();
        record.outcome.setpoint.steering = 0.25;
        writer.telemetry(n + 1, &record);
        if n % 50 == 2 {
            let number = n / 50;
            let frame = Frame::new(number + 7, at, format!("camera-{number}"), jpeg(number));
            writer.frame(&frame.expect("a JPEG"));
        }
        writer.flush_if_due(at);
    }
    let path = writer.path().to_owned();
    match closing {
        Some(closing) => {
            writer.finish(closing, "");
        }
        None => drop(writer),
    }
    path
}

#[test]
fn each_step_gets_its_frame_of_the_recording() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = recorded(&temp.path().join("in"), 60, Some(Closing::Clean));
    assert_eq!(faults(&path), [""; 0]);
    let steps = steps_of(&path);
    assert!(steps.len() >= 59, "{} steps", steps.len());
    let to = temp.path().join("out");
    let told = run(Format::Dir, std::slice::from_ref(&path), &to, &Options::default());
    assert_eq!((told[0].fate, told[0].steps), (Fate::Written, steps.len() as u64), "{told:?}");
    let copy = to.join(&told[0].episode_id);
    for (index, step) in steps.iter().enumerate() {
        let number: u64 = step
            .observation
            .video_frame_id
            .strip_prefix("camera-")
            .expect("a frame")
            .parse()
            .expect("a number");
        let picture = fs::read(copy.join(format!("blobs/{index:06}.jpg"))).expect("a picture");
        assert_eq!(picture, jpeg(number), "step {index}");
    }
    for format in [Format::Tfds, Format::Lerobot] {
        let told = run(
            format,
            std::slice::from_ref(&path),
            &temp.path().join(format!("{format:?}")),
            &Options::default(),
        );
        assert_eq!(told[0].fate, Fate::Written, "{format:?}: {told:?}");
    }
}

#[test]
fn copy_of_a_killed_recorders_recording_has_its_end_and_the_source_stays() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = recorded(&temp.path().join("in"), 20, None);
    let before = files(&path);
    let to = temp.path().join("out");
    let told = run(Format::Mcap, std::slice::from_ref(&path), &to, &Options::default());
    assert_eq!(told[0].fate, Fate::Written, "{told:?}");
    assert_eq!(files(&path), before, "the source was touched");
    let found: Vec<String> = files(&to).into_keys().collect();
    assert_eq!(found, [format!("{}.mcap", told[0].episode_id)]);
    let mut reader = RecordingReader::open(&to.join(&found[0])).expect("a recording");
    while reader.next_entry().expect("whole").is_some() {}
    assert_eq!(reader.tail(), &Tail::Complete);
    assert!(told[0].left_out.iter().any(|(what, _)| what.contains("was closed")), "{told:?}");
}
