"""Reads recordings with the `mcap` package of Python, as somebody without our source does.

Every CRC is checked, every message is counted against the file's own statistics, the steps and pictures
are decoded by the schemas in the file, and telemetry is taken apart by the layout in the file.
"""

import json
import struct
import sys

from mcap.reader import NonSeekingReader, make_reader
from mcap.stream_reader import StreamReader
from mcap_protobuf.decoder import DecoderFactory


def field(layout, *names):
    """Offset of a field of a layout, by its names from the outside in."""
    offset = 0
    for name in names:
        found = next(one for one in layout["fields"] if one["name"] == name)
        offset += found["offset"]
        layout = found
    return offset


def check(path):
    # From end to end, with every CRC.
    with open(path, "rb") as file:
        records = sum(1 for _ in StreamReader(file, validate_crcs=True).records)
    with open(path, "rb") as file:
        unsought = sum(1 for _ in NonSeekingReader(file, validate_crcs=True).iter_messages())
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        statistics = summary.statistics
        assert unsought == statistics.message_count, (unsought, statistics.message_count)
        told = {summary.channels[at].topic: count for at, count in statistics.channel_message_counts.items()}
        found, ticks, last = {}, [], 0
        for schema, channel, message in reader.iter_messages():
            found[channel.topic] = found.get(channel.topic, 0) + 1
            if schema.name == "Telemetry":
                layout = json.loads(schema.data)
                assert len(message.data) == layout["bytes"], (len(message.data), layout["bytes"])
                (cycle,) = struct.unpack_from("<Q", message.data, field(layout, "cycle_index"))
                ticks.append(cycle)
                assert message.log_time >= last
                last = message.log_time
            elif channel.message_encoding == "json":
                json.loads(message.data)
        assert found == told, (found, told)
        assert ticks == sorted(ticks) and len(set(ticks)) == len(ticks)
        steps = 0
        for schema, _channel, message, decoded in reader.iter_decoded_messages(
            topics=[topic for topic in told if topic.endswith((".steps", ".frames"))]
        ):
            if schema.name == "foxglove.CompressedImage":
                assert decoded.format == "jpeg" and decoded.data.startswith(b"\xff\xd8")
            else:
                steps += 1
                assert len(decoded.action.command) == 2
                assert decoded.step_metadata["mode"]
        spans = [(one.message_end_time - one.message_start_time) / 1e6 for one in summary.chunk_indexes]
        assert {one.name for one in reader.iter_attachments()} >= {"robot.json"}
        assert {one.name for one in reader.iter_metadata()} == {"continuon"}
    print(
        f"{path}: {records} records, {len(ticks)} cycles, {steps} steps, {len(spans)} chunks of at most "
        f"{max(spans):.0f} ms, {sum(one.chunk_length for one in summary.chunk_indexes)} bytes of chunks"
    )


if len(sys.argv) < 2:
    sys.exit("expected recordings")
for path in sys.argv[1:]:
    check(path)
