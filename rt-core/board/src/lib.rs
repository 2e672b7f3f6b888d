//! Boards: what drives the pins and reads the sensors, one module a board.
//!
//! It decides how a [`PulseFrame`] reaches a wire and how a wire becomes an [`Observation`]. It must
//! never judge: whether the car may move is the kernel's. `sim` is a board like any other: nothing
//! in the loop knows that its pins are slots in shared memory. Slow buses never run in the loop; a
//! board that has one returns a [`BusTask`] for each device, and exchanges newest values with it
//! through slots ([`reading_slot`]). Shown by: `tests/sim.rs`, `tests/reading.rs`.
#![deny(missing_docs)]

mod bus;
mod calls;
mod reading;
mod sim;

pub use bus::{BUS_PERIOD_US_MIN, BusError, BusTask};
pub use calls::{Call, Syscall};
pub use reading::{Reading, ReadingReader, ReadingWriter, process_slot, reading_slot};
pub use sim::SimBoard;

use core::fmt;
use rt_ring::sync::AtomicU64;
use rt_wire::{MonoNs, Observation, PulseFrame};

/// What drives the pins. The loop is generic over it: no `dyn` in the loop.
///
/// It is never dropped: the loop thread does not return. [`safe`](Self::safe) is its end.
pub trait Board {
    /// Reads every pin and the newest value of every sensor. Never waits. A sensor that has not
    /// spoken is absent, one that failed keeps its last value and says so.
    fn read(&mut self, now: MonoNs, observation: &mut Observation);

    /// Drives pulses, relay and heartbeat pin (toggled where the frame's `PUMP` is set). Never waits.
    ///
    /// # Errors
    /// The pulses could not be written. Twice in a row is a fatal fault of the kernel's.
    fn drive(
        &mut self,
        cycle_index: u64,
        now: MonoNs,
        frame: &PulseFrame,
    ) -> Result<(), DriveError>;

    /// Neutral pulses, relay off, heartbeat pin still: before the first cycle and after the last.
    ///
    /// # Errors
    /// The pulses could not be written.
    fn safe(&mut self, now: MonoNs) -> Result<(), DriveError>;

    /// The system calls that [`read`](Self::read), [`drive`](Self::drive), [`safe`](Self::safe) and
    /// [`attached`](Self::attached) make, each with its reason. Any other ends the process. None for
    /// pins that are mapped memory. Asked once, before the seal.
    fn calls(&self) -> &'static [Call] {
        &[]
    }

    /// A peer attached memory that this board reads (only `sim` has such a peer).
    fn attached(&mut self, topic: &'static rt_wire::topics::Topic, words: &'static [AtomicU64]) {
        let _ = (topic, words);
    }
}

/// The pulses could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriveError {
    /// `errno` of the device, 0 where there is none.
    pub errno: i32,
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pulses could not be written (errno {})", self.errno)
    }
}

impl core::error::Error for DriveError {}

/// The hardware timer that reboots the computer when housekeeping stops feeding it.
pub trait Watchdog: Send {
    /// Puts the reboot off once more.
    ///
    /// # Errors
    /// The device refused.
    fn feed(&mut self) -> Result<(), DriveError>;
}

/// What opening a board gives: the board for the loop thread, and what other threads run for it.
pub struct Opened<B> {
    /// For the loop thread.
    pub board: B,
    /// For the bus thread; empty where the board has no slow bus.
    pub bus_tasks: Vec<Box<dyn BusTask>>,
    /// For the housekeeping thread.
    pub watchdog: Option<Box<dyn Watchdog>>,
}
