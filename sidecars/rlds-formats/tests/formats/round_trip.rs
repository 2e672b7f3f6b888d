//! There and back: what a format says that it keeps comes back to the letter.

use crate::common::{episode, faults, jpeg, run, steps_of};
use crate::import::import_one;
use rlds::schema::Step;
use rlds_formats::export::{Fate, Format, Options};
use rlds_formats::{LANGUAGE, REWARD};
use std::fs;
use std::path::{Path, PathBuf};

/// Exports `path` as `format`, imports that, and returns the episode.
fn there_and_back(path: &Path, format: Format, root: &Path) -> PathBuf {
    let there = root.join(format!("{format:?}"));
    let told = run(format, &[path.to_owned()], &there, &Options::default());
    assert_eq!(told[0].fate, Fate::Written, "{told:?}");
    let back = root.join(format!("{format:?}_back"));
    let imported = import_one(&there, &back);
    assert_eq!(imported.told[0].fate, Fate::Written, "{:?}", imported.told);
    assert!(imported.broken.is_empty(), "{:?}", imported.broken);
    let back = back.join(&imported.told[0].episode_id);
    assert_eq!(faults(&back), [""; 0], "{format:?}");
    back
}

fn without_pictures(mut steps: Vec<Step>) -> Vec<Step> {
    steps.iter_mut().for_each(|step| step.observation.media = None);
    steps
}

/// Steps of an episode whose numbers hang on `seed`.
fn seeded(root: &Path, seed: u64, pictures: bool) -> PathBuf {
    let count = 3 + seed % 5;
    let path = episode(root, &format!("ep_{seed}"), count, pictures);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 24) as f32
    };
    let mut steps = steps_of(&path);
    for step in &mut steps {
        step.action.command = vec![next() * 2.0 - 1.0, next()];
        step.observation.robot_state.joint_positions = vec![next()];
        step.observation.robot_state.joint_velocities = vec![next() * 1e3];
        step.observation.robot_state.end_effector_pose.position =
            Some([next(), -next(), next() / 1e6]);
        step.step_metadata.insert("note".to_owned(), format!("„{}“ \\ \"", next()));
        step.step_metadata.insert(REWARD.to_owned(), next().to_string());
    }
    let lines: Vec<String> =
        steps.iter().map(|step| serde_json::to_string(step).expect("plain data") + "\n").collect();
    fs::write(path.join("steps/000000.jsonl"), lines.concat()).expect("a file");
    path
}

#[test]
fn directory_comes_back_to_the_letter() {
    for seed in 0..6 {
        let temp = tempfile::tempdir().expect("a directory");
        let path = seeded(temp.path(), seed, true);
        let back = there_and_back(&path, Format::Dir, temp.path());
        assert_eq!(steps_of(&back), steps_of(&path), "seed {seed}");
        assert_eq!(fs::read(back.join("blobs/000001.jpg")).expect("a picture"), jpeg(1));
        let of = |path: &Path| rlds::EpisodeReader::open(path).expect("one").metadata().clone();
        assert_eq!(of(&back), of(&path));
    }
}

#[test]
fn tfrecord_comes_back_to_the_letter_but_for_pictures() {
    for seed in 0..6 {
        let temp = tempfile::tempdir().expect("a directory");
        let path = seeded(temp.path(), seed, false);
        let back = there_and_back(&path, Format::Tfrecord, temp.path());
        assert_eq!(steps_of(&back), steps_of(&path), "seed {seed}");
    }
}

#[test]
fn lerobot_comes_back_with_time_state_action_reward_task_and_pictures() {
    for seed in 0..6 {
        let temp = tempfile::tempdir().expect("a directory");
        let path = seeded(temp.path(), seed, true);
        let back = there_and_back(&path, Format::Lerobot, temp.path());
        let (found, expected) = (steps_of(&back), steps_of(&path));
        assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let (robot, of) = (&found.observation.robot_state, &expected.observation.robot_state);
            assert_eq!(found.action.command, expected.action.command, "seed {seed} step {index}");
            assert_eq!(robot.timestamp_nanos, of.timestamp_nanos);
            assert_eq!(robot.joint_positions, of.joint_positions);
            assert_eq!(robot.joint_velocities, of.joint_velocities);
            assert_eq!(robot.end_effector_pose, of.end_effector_pose);
            assert_eq!(robot.end_effector_twist, of.end_effector_twist);
            assert_eq!(found.number(REWARD).unwrap_or(0.0), expected.number(REWARD).unwrap_or(0.0));
            assert_eq!(found.step_metadata.get(LANGUAGE), expected.step_metadata.get(LANGUAGE));
            assert_eq!(found.is_terminal, expected.is_terminal);
            let picture = fs::read(back.join(format!("blobs/{index:06}.jpg"))).expect("a picture");
            assert_eq!(picture, jpeg(index as u64));
        }
    }
}

#[test]
fn through_all_formats_in_a_row_what_all_keep_is_kept() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = seeded(temp.path(), 3, true);
    let through = there_and_back(&path, Format::Dir, &temp.path().join("1"));
    let through = there_and_back(&through, Format::Lerobot, &temp.path().join("2"));
    let through = there_and_back(&through, Format::Tfrecord, &temp.path().join("3"));
    let (found, expected) = (steps_of(&through), without_pictures(steps_of(&path)));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.action.command, expected.action.command);
        let at = |step: &Step| step.observation.robot_state.timestamp_nanos;
        assert_eq!(at(found), at(expected));
    }
    assert_eq!(found.len(), expected.len());
}
