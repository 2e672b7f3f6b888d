//! The `sim` board: its pins and sensors are slots that are handed in, so that the plant is one more
//! process outside.
//!
//! The heartbeat pin travels as edge count and level, so that a plant that polls cannot alias. A
//! plant that stops speaking is a broken wire: its lines become unreadable, which the kernel takes
//! for an open e-stop loop. Shown by: `tests/sim.rs`.

use crate::{Board, DriveError, Opened};
use rt_ring::sync::AtomicU64;
use rt_ring::{Newest, SlotReader, SlotWriter};
use rt_wire::topics::{self, Topic};
use rt_wire::{
    Microseconds, MonoNs, Observation, PulseFlags, PulseFrame, Raw, Record, SimPins, Validity,
};

/// A plant that has not spoken for this long is gone. Longer than a virtual machine stalls.
const PLANT_SILENT_AFTER_NS: u64 = 250_000_000;

/// The simulated board.
#[derive(Debug)]
pub struct SimBoard {
    pins: SlotWriter<'static, SimPins>,
    observation: Option<SlotReader<'static, Observation>>,
    newest: Observation,
    heard_at: MonoNs,
    shown: SimPins,
    neutral: PulseFrame,
}

impl SimBoard {
    /// Opens the board on the slot of [`topics::SIM_PINS`]. `neutral` are the pulses at rest
    /// (steering, throttle).
    #[must_use]
    pub fn open(
        pins: SlotWriter<'static, SimPins>,
        neutral: (Microseconds, Microseconds),
    ) -> Opened<Self> {
        let (steering, throttle) = neutral;
        let neutral = PulseFrame { steering, throttle, flags: PulseFlags::EMPTY };
        let board = Self {
            pins,
            observation: None,
            newest: Observation::default(),
            heard_at: MonoNs(0),
            shown: SimPins { pulses: neutral, ..SimPins::default() },
            neutral,
        };
        Opened { board, bus_tasks: Vec::new(), watchdog: None }
    }

    fn show(&mut self, cycle_index: u64, now: MonoNs, frame: &PulseFrame) {
        if frame.flags.has(PulseFlags::PUMP) {
            self.shown.heartbeat_edges = self.shown.heartbeat_edges.wrapping_add(1);
            self.shown.heartbeat_level ^= 1;
        }
        self.shown.cycle_index = cycle_index;
        self.shown.mono_ns = now;
        self.shown.pulses = *frame;
        self.pins.write(&self.shown);
    }
}

impl Board for SimBoard {
    fn read(&mut self, now: MonoNs, observation: &mut Observation) {
        if let Some(reader) = &mut self.observation
            && let Newest::New { record, .. } = reader.read()
        {
            self.newest = record;
            self.heard_at = now;
        }
        let drive_error_count = observation.drive_error_count;
        *observation = self.newest;
        observation.drive_error_count = drive_error_count;
        let heard = self.heard_at != MonoNs(0);
        if heard && now.since(self.heard_at) > PLANT_SILENT_AFTER_NS {
            observation.lines.validity = Raw::new(Validity::Failed);
        }
    }

    fn drive(
        &mut self,
        cycle_index: u64,
        now: MonoNs,
        frame: &PulseFrame,
    ) -> Result<(), DriveError> {
        self.show(cycle_index, now, frame);
        Ok(())
    }

    fn safe(&mut self, now: MonoNs) -> Result<(), DriveError> {
        let neutral = self.neutral;
        self.show(self.shown.cycle_index, now, &neutral);
        Ok(())
    }

    fn attached(&mut self, topic: &'static Topic, words: &'static [AtomicU64]) {
        if topic.type_name == topics::SIM_OBSERVATION.type_name {
            // A plant of another build was refused when it attached; what is left is no news.
            self.observation = SlotReader::attach(words, Observation::LAYOUT_HASH).ok();
        }
    }
}
