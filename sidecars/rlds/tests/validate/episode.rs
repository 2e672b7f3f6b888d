//! A whole and valid episode on disk, and ways to spoil it.

#![allow(dead_code, reason = "each test file uses its part")]

use crate::common::full::{full_metadata, full_step};
use crate::common::{Disk, ROBOT_JSON, about};
use rlds::validate::{Finding, Profile, Verdict, validate};
use rlds::{Frame, RecordingWriter};
use rt_wire::MonoNs;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Steps of a good episode, 50 ms apart.
pub(crate) const STEPS: usize = 60;
const STEP_NS: i64 = 50_000_000;
/// A JPEG of 3 x 2 pixels, as far as its markers go.
pub(crate) const JPEG: [u8; 20] =
    [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 8, 8, 0, 2, 0, 3, 0, 0xff, 0xd9];

/// An episode as another program may write it: with every block, its pictures as files.
pub(crate) struct Episode {
    _folder: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) metadata: Value,
    pub(crate) steps: Vec<Value>,
}

impl Episode {
    pub(crate) fn good() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ep_1");
        fs::create_dir_all(path.join("blobs")).unwrap();
        fs::create_dir(path.join("steps")).unwrap();
        for (name, content) in
            [("7.jpg", &JPEG[..]), ("7.png", b"png"), ("mic.wav", b"wav"), ("mask.png", b"png")]
        {
            fs::write(path.join("blobs").join(name), content).unwrap();
        }
        let mut metadata = serde_json::to_value(full_metadata()).unwrap();
        metadata["duration_ms"] = json!((STEPS as i64 - 1) * STEP_NS / 1_000_000);
        let steps = (0..STEPS).map(good_step).collect();
        Self { _folder: folder, path, metadata, steps }
    }

    /// The same, but the pictures of its steps are in a recording, two others after each of them.
    pub(crate) fn recorded(spoil: impl Fn(u64, &mut Frame)) -> Self {
        let mut episode = Self::good();
        let mut pictures = Vec::new();
        for (index, step) in (0_u64..).zip(&mut episode.steps) {
            let sequence = index * 3;
            let frame_id = format!("frame-{sequence}");
            let seen = &mut step["observation"];
            seen["media"]["rgb"]["uri"] = json!(format!("blobs/recording.mcap#frames/{sequence}"));
            let named = ["/video_frame_id", "/depth_frame_id", "/robot_state/frame_id"];
            for name in named.into_iter().chain(["/media/rgb/frame_id", "/media/depth/frame_id"]) {
                *seen.pointer_mut(name).expect(name) = json!(frame_id);
            }
            let at_ns = seen["media"]["rgb"]["timestamp_ns"].as_u64().unwrap();
            pictures.extend((0..3).map(|n| picture(sequence + n, at_ns + n * 16_000_000)));
        }
        for picture in &mut pictures {
            spoil(picture.sequence, picture);
        }
        episode.record(&pictures);
        episode
    }

    /// Puts these pictures into its recording.
    pub(crate) fn record(&self, pictures: &[Frame]) {
        let disk = Disk::new(usize::MAX);
        let mut recording = RecordingWriter::create(disk.clone(), &about(), ROBOT_JSON).unwrap();
        for picture in pictures {
            if recording.is_due(picture.mono_ns) {
                recording.flush().unwrap();
            }
            recording.frame(picture);
        }
        recording.finish().map_err(|(error, _)| error).unwrap();
        fs::write(self.path.join("blobs/recording.mcap"), disk.content()).unwrap();
    }

    /// The same with one thing changed in step 7.
    pub(crate) fn with(change: impl FnOnce(&mut Value)) -> Self {
        let mut episode = Self::good();
        change(&mut episode.steps[7]);
        episode
    }

    pub(crate) fn with_metadata(change: impl FnOnce(&mut Value)) -> Self {
        let mut episode = Self::good();
        change(&mut episode.metadata);
        episode
    }

    /// Writes it out.
    pub(crate) fn write(&self) -> &Path {
        let lines: String = self.steps.iter().map(|step| format!("{step}\n")).collect();
        self.write_lines(lines.as_bytes())
    }

    /// Writes it out with these steps, whatever they are.
    pub(crate) fn write_lines(&self, lines: &[u8]) -> &Path {
        fs::write(self.path.join("metadata.json"), self.metadata.to_string()).unwrap();
        fs::write(self.path.join("steps/000000.jsonl"), lines).unwrap();
        &self.path
    }

    /// All lines but that of step 7, which is `line`.
    pub(crate) fn lines_with(&self, line: &[u8]) -> Vec<u8> {
        let mut lines = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            match index {
                7 => lines.extend_from_slice(line),
                _ => lines.extend_from_slice(step.to_string().as_bytes()),
            }
            lines.push(b'\n');
        }
        lines
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        findings_of(self.write())
    }
}

/// Picture `sequence` as a camera gives it.
pub(crate) fn picture(sequence: u64, at_ns: u64) -> Frame {
    let frame_id = format!("frame-{sequence}");
    Frame::new(sequence, MonoNs(at_ns), frame_id, JPEG.to_vec()).unwrap()
}

fn good_step(index: usize) -> Value {
    let mut step = full_step();
    let later_ns = index as i64 * STEP_NS;
    step.is_terminal = index + 1 == STEPS;
    step.observation.robot_state.timestamp_nanos += later_ns;
    step.observation.robot_state.wall_time_millis += later_ns / 1_000_000;
    step.observation.glove.timestamp_nanos += later_ns;
    let media = step.observation.media.as_mut().unwrap();
    for media in [&mut media.rgb, &mut media.depth, &mut media.audio] {
        media.as_mut().unwrap().timestamp_ns += later_ns;
    }
    step.step_metadata.insert("step_index".to_owned(), index.to_string());
    step.step_metadata.insert("fast_loop_tick".to_owned(), (index * 50 + 1).to_string());
    step.step_metadata.insert("safety_clamped".to_owned(), "false".to_owned());
    serde_json::to_value(&step).unwrap()
}

pub(crate) fn findings_of(path: &Path) -> Vec<Finding> {
    judge(path, Profile::Recognised).1
}

pub(crate) fn judge(path: &Path, profile: Profile) -> (Verdict, Vec<Finding>) {
    let mut findings = Vec::new();
    let verdict = validate(path, profile, &mut |finding| findings.push(finding)).unwrap();
    (verdict, findings)
}
