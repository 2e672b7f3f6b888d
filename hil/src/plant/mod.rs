//! The plant: a simulated 1:10 Donkey Car, from pulse widths and the heartbeat pin to sensors.
//!
//! Decides where the car is, what its sensors read and whether its motor has power. It must never
//! read a clock, touch shared memory, or draw a random number that its seed does not fix: the same
//! parameters, track, seed and calls give the same bits, on every architecture (all arithmetic is
//! IEEE `f64`; sine, cosine and logarithm come from `libm`).
//!
//! ```text
//!  pulse widths ──▶ servo ─────────────▶ ┌─────────┐ ──▶ sensors ──▶ SensorSample
//!              └──▶ ESC ──▶ motor ─────▶ │ vehicle │
//!  heartbeat ──▶ monostable ─┐    ▲      └─────────┘ ──▶ judge ────▶ laps, off-track
//!  relay ────────────────────┴▶ relay ◀── mushroom, battery
//! ```
//!
//! Axes: x forward, y left, yaw counter-clockwise; SI units. Tests: `tests/plant/`.

pub mod actuators;
mod hash;
mod interface;
pub mod judge;
pub mod params;
mod params_file;
pub mod power;
mod random;
pub mod sensors;
pub mod track;
pub mod vehicle;
mod world;

pub use interface::{Faults, Inputs, Lines, PlantStatus};
pub use params::PlantParams;
pub use params_file::ParamsError;
pub use sensors::{Cuts, Imu, LineLevels, Pose, Sampled, SensorSample};
pub use track::{Track, TrackError, TrackPoint};
pub use world::{Plant, STEP_NS};
