//! Rules that look back over time or judge a sensor: one module each, each over its own piece of
//! [`rt_wire::Monitors`], each proved alone.
//!
//! A monitor is a plain function of its memory, of one cycle's readings and of `now`. None reads a
//! clock, none decides a mode (that is the machine's), none knows of another: their bits are OR-ed
//! into e-stop, fatal or degraded, with the cause beside them. Numbers: rt-core/README.md, section
//! "Monitors". Shown by: `tests/control/monitors.rs`.

pub mod battery;
pub mod burst;
pub mod dead;
pub mod dwell;
pub mod estop;
pub mod housekeeping;
pub mod imu;
pub mod late;
pub mod output;
pub mod owner_age;
pub mod paging;
pub mod reset;
pub mod runaway;
pub mod stall;
pub mod supply;
pub mod temperature;
pub mod wheel;

/// Thousandths of a reading as an integer. A reading that is no number is as low as can be, so that
/// a battery of NaN volts is empty; infinities are as far as can be.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, for infinities too, which is what a threshold wants"
)]
pub(crate) fn to_milli(value: f32) -> i64 {
    if value.is_nan() { i64::MIN } else { (f64::from(value) * 1000.0) as i64 }
}
