"""What people write RLDS steps with in Python, as a peer that answers turn by turn.

Reads a line a turn from stdin, and prints what it took as one JSON object:
  framing COUNT BYTES PATH   records of so many bytes, tf.io.TFRecordWriter
  steps COUNT PATH           tf.train.Example (three floats, a list of 64), SerializeToString, written
The clock runs from the open file to the flushed one.
"""

import json
import platform
import sys
import time

import tensorflow as tf


def framing(count, size, path):
    record = b"\x07" * size
    with tf.io.TFRecordWriter(path) as writer:
        begin = time.perf_counter()
        for _ in range(count):
            writer.write(record)
        writer.flush()
        return time.perf_counter() - begin


def floats(values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def steps(count, path):
    values = [0.5] * 64
    with tf.io.TFRecordWriter(path) as writer:
        begin = time.perf_counter()
        for number in range(count):
            values[0] = float(number)
            example = tf.train.Example(features=tf.train.Features(feature={
                "reward": floats([float(number)]), "discount": floats([1.0]),
                "steering": floats([float(number)]), "observation": floats(values),
            }))
            writer.write(example.SerializeToString())
        writer.flush()
        return time.perf_counter() - begin


def tell(value):
    print(json.dumps(value), flush=True)


tell({"name": f"Python {platform.python_version()}, tensorflow {tf.__version__}"})
for line in sys.stdin:
    words = line.rstrip("\n").split(" ")
    if words[0] == "framing":
        seconds = framing(int(words[1]), int(words[2]), " ".join(words[3:]))
    else:
        seconds = steps(int(words[1]), " ".join(words[2:]))
    tell({"seconds": seconds})
