//! Hardware in the loop: the simulated car, and what judges a robot from outside.
//!
//! Decides nothing about the robot: it stands where the world stands, on the far side of the pins.
//! It must never use the robot's own judgement (`rt-control`): what it measures, it measures itself.
//! Tests: `tests/`.

pub mod bridge;
pub mod plant;
pub mod process;
