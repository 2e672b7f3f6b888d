//! The records by name: what the topic table says in words, said in types.
//!
//! The server creates and checks slots of which it knows only the topic; this table has one row per
//! record type that stands in `rt_wire::topics`. Shown by: the test below.

use rt_ring::sync::AtomicU64;
use rt_ring::{AttachError, Identity, SlotReader, SlotWriter, ring_words, slot_words};
use rt_wire::topics::{Kind, Topic};
use rt_wire::{
    Command, Health, Heartbeat, KernelState, LogFrame, Observation, PlantStatus, Record, SimPins,
    Telemetry,
};

/// How to lay out segments of one record type.
pub(crate) struct Shape {
    type_name: &'static str,
    ring_words: fn(usize) -> usize,
    slot_words: usize,
    /// Writes the header of a slot.
    pub(crate) create_slot: fn(&[AtomicU64], Identity) -> Result<(), AttachError>,
    /// Checks the header of a slot.
    pub(crate) check_slot: fn(&[AtomicU64], u64) -> Result<(), AttachError>,
}

static SHAPES: [Shape; 9] = [
    shape::<Telemetry>(),
    shape::<KernelState>(),
    shape::<LogFrame>(),
    shape::<Health>(),
    shape::<SimPins>(),
    shape::<Observation>(),
    shape::<PlantStatus>(),
    shape::<Command>(),
    shape::<Heartbeat>(),
];

const fn shape<T: Record>() -> Shape {
    Shape {
        type_name: T::TYPE_NAME,
        ring_words: |depth| ring_words::<T>(depth),
        slot_words: slot_words::<T>(),
        create_slot: |mem, identity| SlotWriter::<T>::create(mem, identity).map(drop),
        check_slot: |mem, layout_hash| SlotReader::<T>::attach(mem, layout_hash).map(drop),
    }
}

/// The row of a topic's record.
pub(crate) fn of(topic: &Topic) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.type_name == topic.type_name)
}

impl Shape {
    /// Words that a segment of this topic takes.
    pub(crate) fn words(&self, topic: &Topic) -> usize {
        match topic.kind {
            Kind::Ring => (self.ring_words)(topic.depth as usize),
            Kind::Slot => self.slot_words,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rt_wire::topics;

    #[test]
    fn every_topic_has_a_shape_with_room_for_its_records() {
        for topic in topics::all() {
            let shape = of(topic).unwrap_or_else(|| panic!("no shape for {}", topic.type_name));
            let record_words = topic.record_bytes / 8;
            assert!(shape.words(topic) > record_words * topic.depth as usize, "{}", topic.record);
        }
    }

    #[test]
    fn no_two_records_share_a_name() {
        for (i, a) in SHAPES.iter().enumerate() {
            assert!(SHAPES.iter().skip(i + 1).all(|b| a.type_name != b.type_name));
        }
    }
}
