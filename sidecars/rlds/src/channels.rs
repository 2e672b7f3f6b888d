//! The channels of a recording: their numbers, topics and schemas.
//!
//! *What it decides.* The first chunk, which holds nothing else, so that a reader knows all channels
//! at once. *What it must never do.* Give a number to something else: they are fixed, and a file
//! that was damaged is read by them. Shown by: tests/recording.rs.

use rt_wire::topics::{KEYFRAME, LOG, RLDS_LOGGER, TELEMETRY, Topic};
use rt_wire::{KernelState, LogFrame, Record, Telemetry};

use crate::container::chunk::ChunkBuilder;
use crate::frame;
use crate::layout::{MESSAGE_ENCODING, SCHEMA_ENCODING, layout_json};

pub(crate) const TELEMETRY_ID: u16 = 1;
pub(crate) const KEYFRAME_ID: u16 = 2;
pub(crate) const LOG_ID: u16 = 3;
pub(crate) const LOSS_ID: u16 = 4;
pub(crate) const BATCH_ID: u16 = 5;
pub(crate) const EVENT_ID: u16 = 6;
pub(crate) const FRAME_ID: u16 = 7;

/// Schema names of what is ours alone.
pub(crate) const LOSS_SCHEMA: &str = "Loss";
pub(crate) const BATCH_SCHEMA: &str = "Batch";
pub(crate) const EVENT_SCHEMA: &str = "Event";
pub(crate) const JSON_SCHEMA: &str = "jsonschema";

const LOSS_JSON_SCHEMA: &str = r#"{"title":"Loss","type":"object","properties":{"topic":{"type":"string","description":"segment whose records are missing"},"before_sequence":{"type":"integer","description":"first record that is there again"},"lost":{"type":"integer","description":"records missing before it"}},"required":["topic","before_sequence","lost"]}"#;
const BATCH_JSON_SCHEMA: &str = r#"{"title":"Batch","type":"object","properties":{"index":{"type":"integer","description":"number of the chunk, from 0"},"recording":{"type":"string","description":"CRC-32 of what stands before the first chunk: whose chunk it is"},"about":{"type":"object","description":"in the first chunk: the metadata record once more"}},"required":["index","recording"]}"#;
const EVENT_JSON_SCHEMA: &str = r#"{"title":"Event","type":"object","properties":{"kind":{"type":"string","enum":["mode","authority","causes","closed"],"description":"what happened"},"cycle_index":{"type":"integer","description":"cycle in which it happened"},"from":{"type":"string"},"to":{"type":"string"},"causes":{"type":"array","items":{"type":"string"},"description":"causes that are new in this cycle"},"closing":{"type":"string"},"reason":{"type":"string"}},"required":["kind"]}"#;

/// Schemas and channels of every recording of `robot`.
pub(crate) fn put_all(chunk: &mut ChunkBuilder, robot: &str) -> Result<(), serde_json::Error> {
    wire::<Telemetry>(chunk, TELEMETRY_ID, &TELEMETRY, robot)?;
    wire::<KernelState>(chunk, KEYFRAME_ID, &KEYFRAME, robot)?;
    wire::<LogFrame>(chunk, LOG_ID, &LOG, robot)?;
    for (id, schema, text, name) in [
        (LOSS_ID, LOSS_SCHEMA, LOSS_JSON_SCHEMA, "loss"),
        (BATCH_ID, BATCH_SCHEMA, BATCH_JSON_SCHEMA, "batch"),
        (EVENT_ID, EVENT_SCHEMA, EVENT_JSON_SCHEMA, "events"),
    ] {
        chunk.schema(id, schema, JSON_SCHEMA, text.as_bytes());
        chunk.channel(id, &format!("{robot}.{RLDS_LOGGER}.{name}"), "json");
    }
    chunk.schema(FRAME_ID, frame::SCHEMA, frame::ENCODING, &frame::descriptor_set());
    chunk.channel(FRAME_ID, &frames_topic(robot), frame::ENCODING);
    Ok(())
}

/// Topic of the camera's frames.
pub(crate) fn frames_topic(robot: &str) -> String {
    format!("{robot}.camera.frames")
}

fn wire<T: Record>(
    chunk: &mut ChunkBuilder,
    id: u16,
    topic: &Topic,
    robot: &str,
) -> Result<(), serde_json::Error> {
    chunk.schema(id, T::NAME, SCHEMA_ENCODING, &layout_json::<T>()?);
    chunk.channel(id, &topic_name(topic, robot), MESSAGE_ENCODING);
    Ok(())
}

/// The segment's name.
pub(crate) fn topic_name(topic: &Topic, robot: &str) -> String {
    let mut name = String::new();
    // Writing to a String cannot fail; were it to, the name would be short and still unique.
    topic.write_name(robot, &mut name).unwrap_or_default();
    name
}
