//! Episodes to export: small, with pictures, each number of its own.

use rlds::schema::{
    Action, ControlRole, Diagnostics, MediaBundle, MediaRef, Metadata, Observation, Pose,
    RobotState, Software, Step, XrMode,
};
use rlds::validate::{Profile, Severity};
use rlds_formats::export::{Format, Options, Told, export};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const WIDTH: u16 = 32;
pub(crate) const HEIGHT: u16 = 24;
/// 20 steps a second.
pub(crate) const PERIOD_NS: i64 = 50_000_000;
pub(crate) const START_NS: i64 = 7_000_000_000;

/// A picture that no other number makes.
pub(crate) fn jpeg(number: u64) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..u64::from(HEIGHT) {
        for x in 0..u64::from(WIDTH) {
            pixels.extend([(x * 8) as u8, (y * 10) as u8, (number * 37 % 256) as u8]);
        }
    }
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, 90)
        .encode(&pixels, WIDTH, HEIGHT, jpeg_encoder::ColorType::Rgb)
        .expect("memory never fails");
    bytes
}

pub(crate) fn metadata(id: &str) -> Metadata {
    Metadata {
        xr_mode: XrMode::Workstation,
        control_role: ControlRole::HumanSupervisor,
        environment_id: "sim-twisty".to_owned(),
        tags: vec!["continuon.xr_mode:workstation".to_owned()],
        software: Software {
            xr_app: "none".to_owned(),
            continuonbrain_os: "continuon 0.1.0".to_owned(),
            glove_firmware: "none".to_owned(),
        },
        schema_version: "1.1".to_owned(),
        episode_id: id.to_owned(),
        robot_id: "donkey".to_owned(),
        robot_model: "donkey-1-10".to_owned(),
        frame_convention: "base_link".to_owned(),
        start_time_unix_ms: 1_795_000_000_000,
        duration_ms: 0,
        capabilities: None,
        owner: None,
        safety: None,
        share: None,
        provenance: None,
    }
}

pub(crate) fn step(index: u64, of: u64, picture: bool) -> Step {
    let timestamp_ns = START_NS + index as i64 * PERIOD_NS;
    let frame_id = format!("frame-{index}");
    let number = index as f32;
    let media = picture.then(|| MediaBundle {
        rgb: Some(MediaRef {
            uri: format!("blobs/{index:06}.jpg"),
            frame_id: frame_id.clone(),
            timestamp_ns,
            width: i32::from(WIDTH),
            height: i32::from(HEIGHT),
            format: "jpeg".to_owned(),
            ..MediaRef::default()
        }),
        ..MediaBundle::default()
    });
    let metadata = [
        ("mode", "Active".to_owned()),
        ("fast_loop_tick", (index * 50).to_string()),
        ("reward", (number * 0.5).to_string()),
    ];
    let mut step_metadata: BTreeMap<String, String> =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    if index == 0 {
        step_metadata.insert("language_instruction".to_owned(), "drive a lap".to_owned());
    }
    Step {
        observation: Observation {
            robot_state: RobotState {
                joint_positions: vec![0.1 * number],
                end_effector_pose: Pose {
                    position: Some([number, -number, 0.0]),
                    orientation_quat: Some([0.0, 0.0, 0.6, 0.8]),
                    valid: true,
                },
                frame_id: frame_id.clone(),
                joint_velocities: vec![1.5 + number],
                end_effector_twist: Some([1.5 + number, 0.0, 0.0, 0.0, 0.0, 0.25]),
                wall_time_millis: 1_795_000_000_000 + index as i64 * 50,
                ..RobotState::absent(timestamp_ns)
            },
            video_frame_id: frame_id.clone(),
            depth_frame_id: frame_id,
            diagnostics: Diagnostics { latency_ms: 0.02, ..Diagnostics::default() },
            media,
            ..Observation::absent(timestamp_ns)
        },
        action: Action {
            command: vec![0.01 * number - 0.5, 0.25],
            source: "human_supervisor".to_owned(),
            ..Action::default()
        },
        is_terminal: index + 1 == of,
        step_metadata,
    }
}

/// Writes an episode of `steps` steps into `root` and returns its directory.
pub(crate) fn episode(root: &Path, id: &str, steps: u64, pictures: bool) -> PathBuf {
    let all: Vec<Step> = (0..steps).map(|index| step(index, steps, pictures)).collect();
    let path = root.join(id);
    let duration_ms = (steps as i64 - 1) * PERIOD_NS / 1_000_000;
    write_episode(&path, &Metadata { duration_ms, ..metadata(id) }, &all);
    if pictures {
        for index in 0..steps {
            fs::write(path.join(format!("blobs/{index:06}.jpg")), jpeg(index)).expect("a file");
        }
    }
    path
}

pub(crate) fn write_episode(path: &Path, metadata: &Metadata, steps: &[Step]) {
    for part in ["steps", "blobs"] {
        fs::create_dir_all(path.join(part)).expect("a directory");
    }
    let text = serde_json::to_vec(metadata).expect("plain data");
    fs::write(path.join("metadata.json"), text).expect("a file");
    let lines: Vec<String> =
        steps.iter().map(|step| serde_json::to_string(step).expect("plain data") + "\n").collect();
    fs::write(path.join("steps/000000.jsonl"), lines.concat()).expect("a file");
}

pub(crate) fn run(format: Format, episodes: &[PathBuf], to: &Path, options: &Options) -> Vec<Told> {
    export(format, episodes, to, options, &mut |_| {}).expect("a disk with room")
}

pub(crate) fn steps_of(path: &Path) -> Vec<Step> {
    let mut reader = rlds::EpisodeReader::open(path).expect("an episode");
    let mut steps = Vec::new();
    while let Some((_, step)) = reader.next_step().expect("a step") {
        steps.push(step);
    }
    steps
}

/// Every file below `root`, by its path from there.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below").display().to_string();
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

/// What the validator says against an episode.
pub(crate) fn faults(path: &Path) -> Vec<String> {
    let mut errors = Vec::new();
    rlds::validate::validate(path, Profile::Recognised, &mut |finding| {
        if finding.severity == Severity::Error {
            errors.push(finding.to_string());
        }
    })
    .expect("readable");
    errors
}
