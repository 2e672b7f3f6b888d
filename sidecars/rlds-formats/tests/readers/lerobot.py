"""Reads a LeRobot export with pyarrow and pandas, and compares it with the episodes."""

import io
import json
import pathlib
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image


def main(root, directory):
    directory = pathlib.Path(directory)
    info = json.loads((directory / "meta/info.json").read_text())
    stats = json.loads((directory / "meta/stats.json").read_text())
    assert info["codebase_version"] == "v3.0"
    # As LeRobot opens it: the tasks are named by the rows' index.
    tasks = pd.read_parquet(directory / "meta/tasks.parquet")
    assert tasks.index.name == "task" and list(tasks.columns) == ["task_index"], tasks
    lines = pq.read_table(sorted((directory / "meta/episodes").glob("*/*.parquet"))[0]).to_pylist()
    assert len(lines) == info["total_episodes"]
    sources = []
    for path in sorted(pathlib.Path(root).iterdir()):
        steps = [json.loads(line) for line in (path / "steps/000000.jsonl").read_text().splitlines()]
        sources.append((path, steps))
    assert len(sources) == len(lines)
    actions, frames = [], 0
    for line, (path, steps) in zip(lines, sources):
        name = info["data_path"].format(
            chunk_index=line["data/chunk_index"], file_index=line["data/file_index"]
        )
        table = pq.read_table(directory / name)
        assert set(table.column_names) == set(info["features"]), table.column_names
        rows = [row for row in table.to_pylist() if row["episode_index"] == line["episode_index"]]
        assert len(rows) == line["length"] == len(steps)
        assert line["dataset_to_index"] - line["dataset_from_index"] == line["length"]
        task = steps[0]["step_metadata"].get("language_instruction", "drive")
        assert line["tasks"] == [task]
        for index, (row, step) in enumerate(zip(rows, steps)):
            assert row["frame_index"] == index
            assert row["index"] == line["dataset_from_index"] + index
            assert abs(row["timestamp"] - index / info["fps"]) < 1e-4
            robot = step["observation"]["robot_state"]
            assert row["original_timestamp_ns"] == robot["timestamp_nanos"]
            np.testing.assert_array_equal(
                np.array(row["action"], np.float32), np.array(step["action"]["command"], np.float32)
            )
            joints = len(robot["joint_positions"])
            np.testing.assert_array_equal(
                np.array(row["observation.state"][:joints], np.float32),
                np.array(robot["joint_positions"], np.float32),
            )
            assert tasks.iloc[row["task_index"]].name == task
            if "observation.images.front" in row:
                picture = row["observation.images.front"]
                uri = step["observation"]["media"]["rgb"]["uri"]
                if not uri.startswith("blobs/recording"):
                    assert picture["bytes"] == (path / uri).read_bytes()
                shape = np.array(Image.open(io.BytesIO(picture["bytes"]))).shape
                assert list(shape) == info["features"]["observation.images.front"]["shape"]
            actions.append(row["action"])
            frames += 1
    assert frames == info["total_frames"]
    for name, of in (("mean", np.mean), ("std", np.std), ("min", np.min), ("max", np.max)):
        np.testing.assert_allclose(stats["action"][name], of(np.array(actions, np.float64), axis=0), atol=1e-6)
    print(f"lerobot: {len(lines)} episodes, {frames} frames, every value as in the episodes")


if __name__ == "__main__":
    main(*sys.argv[1:])
