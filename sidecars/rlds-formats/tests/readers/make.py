"""Makes small episodes with pictures: numbers that no two steps share."""

import json
import pathlib
import sys

import numpy as np
from PIL import Image

WIDTH, HEIGHT, STEPS = 160, 120, 60
ABSENT = {"position": [0.0] * 3, "orientation_quat": [0.0, 0.0, 0.0, 1.0], "valid": False}


def step(episode, index, random):
    at = 7_000_000_000 + index * 50_000_000
    name = f"frame-{episode}-{index}"
    numbers = [float(np.float32(value)) for value in random.uniform(-1, 1, 12)]
    metadata = {"mode": "Active", "safety_violations": "none", "reward": str(index * 0.25)}
    if index == 0:
        metadata["language_instruction"] = f"lap {episode}"
    return {
        "observation": {
            "headset_pose": ABSENT, "right_hand_pose": ABSENT, "left_hand_pose": ABSENT,
            "gaze": {"origin": [0.0] * 3, "direction": [0.0, 0.0, 1.0], "confidence": 0.0},
            "robot_state": {
                "timestamp_nanos": at, "joint_positions": numbers[:1],
                "end_effector_pose": {"position": numbers[1:4], "orientation_quat": [0.0, 0.0, 0.6, 0.8], "valid": True},
                "gripper_open": False, "frame_id": name, "joint_velocities": numbers[4:5],
                "end_effector_twist": numbers[5:11], "wall_time_millis": 1_795_000_000_000 + index * 50,
            },
            "glove": {"timestamp_nanos": at, "flex": [0.0] * 5, "fsr": [0.0] * 8,
                      "orientation_quat": [0.0, 0.0, 0.0, 1.0], "accel": [0.0] * 3, "valid": False},
            "video_frame_id": name, "depth_frame_id": name,
            "diagnostics": {"latency_ms": 0.5, "glove_drops": 0, "ble_rssi": 0, "glove_sample_rate_hz": 0.0},
            "media": {"rgb": {"uri": f"blobs/{index:06}.jpg", "frame_id": name, "timestamp_ns": at,
                              "width": WIDTH, "height": HEIGHT, "format": "jpeg"}},
        },
        "action": {"command": [numbers[11], 0.25], "source": "human_supervisor"},
        "is_terminal": index + 1 == STEPS,
        "step_metadata": metadata,
    }


def main(root):
    for episode in range(7):
        random = np.random.default_rng(episode)
        path = pathlib.Path(root) / f"ep_{episode}"
        (path / "steps").mkdir(parents=True)
        (path / "blobs").mkdir()
        metadata = {
            "xr_mode": "workstation", "control_role": "human_supervisor", "environment_id": "sim-twisty",
            "tags": ["continuon.xr_mode:workstation"],
            "software": {"xr_app": "none", "continuonbrain_os": "0.1.0", "glove_firmware": "none"},
            "schema_version": "1.1", "episode_id": f"ep_{episode}", "robot_id": "donkey",
            "robot_model": "donkey-1-10", "frame_convention": "base_link",
            "start_time_unix_ms": 1_795_000_000_000, "duration_ms": (STEPS - 1) * 50,
        }
        (path / "metadata.json").write_text(json.dumps(metadata))
        with open(path / "steps/000000.jsonl", "w") as lines:
            for index in range(STEPS):
                lines.write(json.dumps(step(episode, index, random)) + "\n")
                base = np.linspace(0, 255, WIDTH, dtype=np.uint8)
                pixels = np.stack([np.tile(base, (HEIGHT, 1))] * 3, axis=-1).copy()
                pixels[..., 2] = (episode * 40 + index * 3) % 256
                Image.fromarray(pixels).save(path / f"blobs/{index:06}.jpg", quality=85)


if __name__ == "__main__":
    main(sys.argv[1])
