//! A wheel speed as stall and runaway see it: a magnitude, or none.

use super::to_milli;
use rt_wire::{Validity, WheelSpeed};

/// What the encoder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wheel {
    /// There is no encoder, or it does not answer: nothing can be said.
    Unknown,
    /// It answers with what is no number: the wheel cannot be shown to turn, nor to be still.
    Garbage,
    /// The wheel turns at this speed, in either direction.
    MmPerS(u32),
}

/// Reads the encoder.
#[must_use]
pub fn read(wheel: &WheelSpeed) -> Wheel {
    if wheel.validity.get() != Some(Validity::Valid) {
        Wheel::Unknown
    } else if wheel.speed_m_per_s.is_finite() {
        let mm_per_s = to_milli(wheel.speed_m_per_s).unsigned_abs();
        Wheel::MmPerS(u32::try_from(mm_per_s).unwrap_or(u32::MAX))
    } else {
        Wheel::Garbage
    }
}
