"""Reads a LeRobot export with pyarrow, pandas and PyAV, and compares it with the episodes."""

import io
import json
import pathlib
import sys

import av
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image


PICTURE = "observation.images.front"


def video_of(directory, info, line):
    """The pictures of an episode: their bytes as they lie in the video, and as FFmpeg decodes them."""
    key = f"videos/{PICTURE}/"
    name = info["video_path"].format(
        video_key=PICTURE, chunk_index=line[key + "chunk_index"], file_index=line[key + "file_index"]
    )
    begin, end = line[key + "from_timestamp"], line[key + "to_timestamp"]
    with av.open(str(directory / name)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "mjpeg", stream.codec_context.name
        assert stream.average_rate == info["fps"], stream.average_rate
        # As a reader that wants this episode alone: it seeks.
        container.seek(round(begin / stream.time_base), stream=stream)
        found = []
        for packet in container.demux(stream):
            if packet.pts is None or float(packet.pts * stream.time_base) >= end - 1e-9:
                continue
            at = float(packet.pts * stream.time_base) - begin
            assert packet.is_keyframe
            found += [(at, bytes(packet), frame.to_ndarray(format="rgb24")) for frame in packet.decode()]
    assert len(found) == line["length"], (len(found), line["length"])
    return found


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
        videos = {name for name, feature in info["features"].items() if feature["dtype"] == "video"}
        assert set(table.column_names) == set(info["features"]) - videos, table.column_names
        film = video_of(directory, info, line) if videos else None
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
            if PICTURE in info["features"]:
                picture = film[index][1] if film else row[PICTURE]["bytes"]
                uri = step["observation"]["media"]["rgb"]["uri"]
                if not uri.startswith("blobs/recording"):
                    assert picture == (path / uri).read_bytes()
                pixels = np.array(Image.open(io.BytesIO(picture)))
                assert list(pixels.shape) == info["features"][PICTURE]["shape"]
                if film:
                    # As LeRobot asks for it: within 0.1 ms of the row's time.
                    assert abs(film[index][0] - row["timestamp"]) < 1e-4, (film[index][0], row["timestamp"])
                    # Two decoders agree but for rounding and how they enlarge colours.
                    assert np.abs(pixels.astype(int) - film[index][2].astype(int)).mean() < 3
            actions.append(row["action"])
            frames += 1
    assert frames == info["total_frames"]
    for name, of in (("mean", np.mean), ("std", np.std), ("min", np.min), ("max", np.max)):
        np.testing.assert_allclose(stats["action"][name], of(np.array(actions, np.float64), axis=0), atol=1e-6)
    how = "in a video" if info["video_path"] else "in the rows"
    print(f"lerobot: {len(lines)} episodes, {frames} frames, pictures {how}, every value as in the episodes")


if __name__ == "__main__":
    main(*sys.argv[1:])
