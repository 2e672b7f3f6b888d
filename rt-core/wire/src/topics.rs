//! The one table of every segment: who creates it, who writes it, who reads it, what it holds.
//!
//! All names come from here; nobody formats one by hand. `continuon top` prints this table live,
//! and `cargo xtask tidy` checks that each topic has a writer. Shown by: tests/layout.rs.

use crate::record::{Field, FieldType, Record};
use crate::{
    Command, Health, Heartbeat, KernelState, LogFrame, Observation, PlantStatus, SimPins, Telemetry,
};

/// How a segment holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every record until it is overwritten; a reader that is lapped knows it.
    Ring,
    /// The newest record only; one peer writes.
    Slot,
}

impl Kind {
    /// The last part of a segment's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Slot => "slot",
        }
    }
}

/// One segment.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// Process that writes it (exactly one).
    pub writer: &'static str,
    /// Name of the record in a segment's name.
    pub record: &'static str,
    /// Ring or slot.
    pub kind: Kind,
    /// Process that creates its memory.
    pub creator: &'static str,
    /// Processes that read it.
    pub readers: &'static [&'static str],
    /// Records a second, nominally.
    pub rate_hz: u32,
    /// Records held: a power of two for a ring, 1 for a slot.
    pub depth: u32,
    /// Whether rlds-logger records it.
    pub logged: bool,
    /// Whether it exists on the `sim` board only.
    pub sim_only: bool,
    /// Layout hash of the record.
    pub layout_hash: u64,
    /// Bytes of a record.
    pub record_bytes: usize,
    /// Name of the record's type.
    pub type_name: &'static str,
    /// Fields of the record.
    pub fields: &'static [Field],
}

impl Topic {
    /// Whether the process that creates the memory is also the one that writes it.
    #[must_use]
    pub fn creator_writes(&self) -> bool {
        self.writer == self.creator
    }

    /// Writes `<robot>.<writer>.<record>.<kind>`, the segment's name.
    ///
    /// # Errors
    /// Passes on what `out` says.
    pub fn write_name(&self, robot: &str, out: &mut dyn core::fmt::Write) -> core::fmt::Result {
        write!(out, "{robot}.{}.{}.{}", self.writer, self.record, self.kind.name())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "depths are written below as small literals")]
const fn topic<T: Record>(
    writer: &'static str,
    record: &'static str,
    kind: Kind,
    readers: &'static [&'static str],
    rate_hz: u32,
    depth: usize,
    logged: bool,
) -> Topic {
    Topic {
        writer,
        record,
        kind,
        creator: FAST_LOOP,
        readers,
        rate_hz,
        depth: depth as u32,
        logged,
        sim_only: false,
        layout_hash: T::LAYOUT_HASH,
        record_bytes: core::mem::size_of::<T>(),
        type_name: T::TYPE_NAME,
        fields: <T as FieldType>::TYPE_FIELDS,
    }
}

const fn sim(mut topic: Topic) -> Topic {
    topic.sim_only = true;
    topic
}

/// The process that owns the pins.
pub const FAST_LOOP: &str = "fast-loop";
/// The simulated car.
pub const PLANT: &str = "plant";
/// The operator's command.
pub const CONTINUON: &str = "continuon";
/// The recorder.
pub const RLDS_LOGGER: &str = "rlds-logger";
/// Classic control.
pub const PILOT: &str = "pilot";
/// A person.
pub const TELEOP: &str = "teleop";
/// The learnt policy.
pub const INFERENCE: &str = "inference";
/// The camera.
pub const CAMERA: &str = "camera";
/// The mid and slow learning loops.
pub const TRAINER: &str = "trainer";

/// Every cycle, whole.
pub const TELEMETRY: Topic = topic::<Telemetry>(
    FAST_LOOP,
    "telemetry",
    Kind::Ring,
    &[RLDS_LOGGER, PILOT, TELEOP, INFERENCE, TRAINER, CONTINUON],
    1000,
    4096,
    true,
);
/// The kernel's memory, once a second and at each change of mode.
pub const KEYFRAME: Topic = topic::<KernelState>(
    FAST_LOOP,
    "kernel-state",
    Kind::Ring,
    &[RLDS_LOGGER, CONTINUON],
    1,
    64,
    true,
);
/// What the loop logs: one message a record. Few a second, and room for four seconds of 1000.
pub const LOG: Topic =
    topic::<LogFrame>(FAST_LOOP, "log", Kind::Ring, &[RLDS_LOGGER, CONTINUON], 10, 4096, true);
/// The loop thread's counters.
pub const HEALTH: Topic =
    topic::<Health>(FAST_LOOP, "health", Kind::Slot, &[RLDS_LOGGER, CONTINUON], 10, 1, false);
/// The `sim` board's pins.
pub const SIM_PINS: Topic =
    sim(topic::<SimPins>(FAST_LOOP, "pins", Kind::Slot, &[PLANT, CONTINUON], 1000, 1, false));
/// The `sim` board's sensors.
pub const SIM_OBSERVATION: Topic = sim(topic::<Observation>(
    PLANT,
    "observation",
    Kind::Slot,
    &[FAST_LOOP, CONTINUON],
    1000,
    1,
    false,
));
/// The truth about the simulated car.
pub const SIM_STATUS: Topic =
    sim(topic::<PlantStatus>(PLANT, "status", Kind::Slot, &[CONTINUON], 100, 1, false));

const fn command(writer: &'static str, rate_hz: u32) -> Topic {
    topic::<Command>(writer, "command", Kind::Slot, &[FAST_LOOP], rate_hz, 1, false)
}

const fn heartbeat(writer: &'static str) -> Topic {
    topic::<Heartbeat>(writer, "heartbeat", Kind::Slot, &[FAST_LOOP, CONTINUON], 10, 1, false)
}

/// Commands, in the order of [`crate::SOURCES`].
pub const COMMANDS: [Topic; crate::SOURCES.len()] =
    [command(TELEOP, 50), command(INFERENCE, 30), command(PILOT, 50)];
/// Heartbeats, in the order of [`crate::HEARTBEAT_SOURCES`].
pub const HEARTBEATS: [Topic; crate::HEARTBEAT_SOURCES.len()] = [
    heartbeat(TELEOP),
    heartbeat(INFERENCE),
    heartbeat(PILOT),
    heartbeat(RLDS_LOGGER),
    heartbeat(CAMERA),
    heartbeat(TRAINER),
];

/// Every topic.
pub fn all() -> impl Iterator<Item = &'static Topic> {
    static SINGLE: [Topic; 7] =
        [TELEMETRY, KEYFRAME, LOG, HEALTH, SIM_PINS, SIM_OBSERVATION, SIM_STATUS];
    static COMMAND: [Topic; crate::SOURCES.len()] = COMMANDS;
    static HEARTBEAT: [Topic; crate::HEARTBEAT_SOURCES.len()] = HEARTBEATS;
    SINGLE.iter().chain(COMMAND.iter()).chain(HEARTBEAT.iter())
}
