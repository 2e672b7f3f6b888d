"""speed.py PROGRAM [ALTERNATIONS]: our writer beside TensorFlow's, in turns on the same machine.

PROGRAM is `target/release/examples/speed` (cargo build --release -p rlds-formats --example speed).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import tensorflow as tf


def peer(directory, record_bytes):
    path = os.path.join(directory, "peer.tfrecord")
    record = b"\x07" * record_bytes
    with tf.io.TFRecordWriter(path) as writer:
        begin = time.perf_counter()
        for _ in range(100_000):
            writer.write(record)
        writer.flush()
        framing = 100_000 / (time.perf_counter() - begin)
    values = [0.5] * 64
    with tf.io.TFRecordWriter(path) as writer:
        begin = time.perf_counter()
        for number in range(5_000):
            values[0] = float(number)
            floats = lambda items: tf.train.Feature(float_list=tf.train.FloatList(value=items))
            example = tf.train.Example(features=tf.train.Features(feature={
                "reward": floats([float(number)]), "discount": floats([1.0]),
                "steering": floats([float(number)]), "observation": floats(values),
            }))
            writer.write(example.SerializeToString())
        writer.flush()
        steps = 5_000 / (time.perf_counter() - begin)
    return framing, steps


def main(program, alternations=5):
    framing, steps = [], []
    with tempfile.TemporaryDirectory() as directory:
        peer(directory, 64)
        for _ in range(int(alternations)):
            ours = json.loads(subprocess.check_output([program, directory, "1"]))
            theirs = peer(directory, ours["record_bytes"])
            framing.append((ours["records_per_s"], theirs[0]))
            steps.append((ours["steps_per_s"], theirs[1]))
    load = os.getloadavg()
    print(f"load {load[0]:.2f} {load[1]:.2f}, {os.cpu_count()} cores, {alternations} alternations, medians")
    for name, pairs in (("records of 64 bytes", framing), ("steps, 3 floats and 64", steps)):
        ours, theirs = (statistics.median(column) for column in zip(*pairs))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{name}: {ours / 1e6:.2f} M/s, tf.io.TFRecordWriter {theirs / 1e6:.3f} M/s, {ratio:.1f} times")


if __name__ == "__main__":
    main(*sys.argv[1:])
