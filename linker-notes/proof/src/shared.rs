//! Rings and slots, with the records that the loop moves through them.

use rt_ring::sync::AtomicU64;
use rt_ring::{Newest, Read, RingReader, RingWriter, SlotReader, SlotWriter};
use rt_wire::{
    Command, EstopRequest, Heartbeat, Housekeeping, KernelState, Observation, Record, SimPins,
    Telemetry,
};

/// The loop's ends of its segments, and the records at them.
pub(crate) struct Shared {
    telemetry: RingWriter<'static, Telemetry>,
    keyframes: RingWriter<'static, KernelState>,
    replayed: RingReader<'static, Telemetry>,
    pins: SlotWriter<'static, SimPins>,
    observation: Inlet<Observation>,
    command: Inlet<Command>,
    heartbeat: Inlet<Heartbeat>,
    estop: Inlet<EstopRequest>,
    housekeeping: Inlet<Housekeeping>,
    cycle: Telemetry,
    keyframe: KernelState,
    shown: SimPins,
    read: Option<Read<Telemetry>>,
}

/// One slot that somebody else writes.
struct Inlet<T> {
    words: &'static [AtomicU64],
    reader: Option<SlotReader<'static, T>>,
    newest: Newest<T>,
}

impl<T: Record> Inlet<T> {
    /// What `Inlets` and the `sim` board do with a slot: attach, and copy what is new.
    fn pass(&mut self) {
        if let Some(reader) = &mut self.reader {
            self.newest = reader.read();
        } else {
            self.reader = SlotReader::attach(self.words, T::LAYOUT_HASH).ok();
        }
    }
}

impl Shared {
    /// Everything once.
    pub(crate) fn pass(&mut self) {
        self.publish();
        self.read_ring();
        self.write_slot();
        self.read_slots();
    }

    #[inline(never)]
    fn publish(&mut self) {
        self.cycle.sequence = self.telemetry.published().wrapping_add(1);
        self.telemetry.publish(&self.cycle);
        self.keyframes.publish(&self.keyframe);
    }

    #[inline(never)]
    fn read_ring(&mut self) {
        self.read = Some(self.replayed.read());
    }

    #[inline(never)]
    fn write_slot(&mut self) {
        self.pins.write(&self.shown);
    }

    #[inline(never)]
    fn read_slots(&mut self) {
        self.observation.pass();
        self.command.pass();
        self.heartbeat.pass();
        self.estop.pass();
        self.housekeeping.pass();
    }
}
