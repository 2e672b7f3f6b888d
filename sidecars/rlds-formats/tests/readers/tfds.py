"""Reads a tfds export and a tfrecord export with TensorFlow alone, and compares them with the episodes."""

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds


def episodes(root):
    found = {}
    for path in sorted(pathlib.Path(root).iterdir()):
        metadata = json.loads((path / "metadata.json").read_text())
        lines = (path / "steps/000000.jsonl").read_text().splitlines()
        found[metadata["episode_id"]] = (path, metadata, [json.loads(line) for line in lines])
    return found


def state(step):
    robot = step["observation"]["robot_state"]
    pose = robot["end_effector_pose"]
    return (
        robot["joint_positions"]
        + robot["joint_velocities"]
        + (pose["position"] or [0.0] * 3)
        + (pose["orientation_quat"] or [0.0, 0.0, 0.0, 1.0])
        + (robot["end_effector_twist"] or [0.0] * 6)
    )


def same(found, expected):
    """Equal, a number as the 32-bit float that the contract has."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float):
        return np.float32(found) == np.float32(expected)
    return found == expected


def check_tfds(directory, expected):
    builder = tfds.builder_from_directory(directory)
    print("splits", {name: split.num_examples for name, split in builder.info.splits.items()})
    seen = set()
    steps_read = 0
    for split in builder.info.splits:
        for episode in builder.as_dataset(split=split):
            name = episode["episode_metadata"]["episode_id"].numpy().decode()
            path, metadata, steps = expected[name]
            told = json.loads(episode["episode_metadata"]["json"].numpy())
            assert told == {key: value for key, value in metadata.items() if key != "owner"}, name
            index = int(episode["episode_metadata"]["first_step"])
            assert (name, index) not in seen, f"{name} from step {index} twice"
            seen.add((name, index))
            task = steps[0]["step_metadata"].get("language_instruction", "drive")
            for place, step in enumerate(episode["steps"]):
                want = steps[index]
                got = {key: value.numpy() for key, value in step["observation"].items()}
                np.testing.assert_array_equal(got["state"], np.array(state(want), np.float32))
                np.testing.assert_array_equal(
                    step["action"].numpy(), np.array(want["action"]["command"], np.float32)
                )
                assert got["timestamp_ns"] == want["observation"]["robot_state"]["timestamp_nanos"]
                assert got["frame_id"].decode() == want["observation"]["video_frame_id"]
                assert same(json.loads(got["json"]), want["observation"])
                assert json.loads(step["step_metadata"].numpy()) == want["step_metadata"]
                assert step["language_instruction"].numpy().decode() == task
                assert bool(step["is_first"]) == (place == 0)
                assert bool(step["is_terminal"]) == want["is_terminal"]
                reward = np.float32(want["step_metadata"].get("reward", 0.0))
                assert step["reward"].numpy() == reward, (step["reward"].numpy(), reward)
                assert step["discount"].numpy() == (0.0 if want["is_terminal"] else 1.0)
                media = want["observation"].get("media")
                if media and not media["rgb"]["uri"].startswith("blobs/recording"):
                    jpeg = (path / media["rgb"]["uri"]).read_bytes()
                    np.testing.assert_array_equal(got["image"], tf.io.decode_jpeg(jpeg).numpy())
                last = bool(step["is_last"])
                index += 1
                steps_read += 1
            assert last, f"{name}: the last step does not say so"
    assert {name for name, _ in seen} == set(expected), "an episode is missing"
    assert steps_read == sum(len(steps) for _, _, steps in expected.values())
    print(f"tfds: {len(seen)} episodes, {steps_read} steps, every value as in the episodes")


def check_tfrecord(directory, expected):
    spec = {
        "episode_id": tf.io.FixedLenFeature([], tf.string),
        "step_index": tf.io.FixedLenFeature([], tf.int64),
        "reward": tf.io.FixedLenFeature([], tf.float32),
        "is_terminal": tf.io.FixedLenFeature([], tf.int64),
        "observation": tf.io.FixedLenFeature([], tf.string),
        "action": tf.io.FixedLenFeature([], tf.string),
        "observation_command": tf.io.VarLenFeature(tf.float32),
        "action_command": tf.io.VarLenFeature(tf.float32),
    }
    count = 0
    for name, (_, _, steps) in expected.items():
        for extension, compression in ((".tfrecord", ""), (".tfrecord.gz", "GZIP")):
            path = pathlib.Path(directory) / (name + extension)
            records = tf.data.TFRecordDataset(str(path), compression_type=compression)
            read = [tf.io.parse_single_example(record, spec) for record in records]
            assert len(read) == len(steps), path
            for index, (got, want) in enumerate(zip(read, steps)):
                assert got["episode_id"].numpy().decode() == name
                assert got["step_index"].numpy() == index
                assert bool(got["is_terminal"].numpy()) == want["is_terminal"]
                text = got["observation"].numpy().decode()
                assert same(json.loads(text), want["observation"])
                assert list(json.loads(text)) == sorted(want["observation"]), "keys are not sorted"
                np.testing.assert_array_equal(
                    tf.sparse.to_dense(got["action_command"]).numpy(),
                    np.array(want["action"]["command"], np.float32),
                )
                count += 1
    print(f"tfrecord: {count} records, plain and gzip, every value as in the episodes")


if __name__ == "__main__":
    root, tfds_directory, tfrecord_directory = sys.argv[1:]
    wanted = episodes(root)
    check_tfds(tfds_directory, wanted)
    check_tfrecord(tfrecord_directory, wanted)
