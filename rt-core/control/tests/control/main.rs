//! What the safety kernel promises, shown without a clock, a thread or a pin.
//!
//! `machine` walks the transition table, `exhaustive` tries every state with every input under small
//! limits, `kernel` and `monitors` drive a whole [`rt_control::Kernel`] by hand, `properties` feed it
//! garbage. Each oracle has planted bugs that it catches: the patches in `tests/sabotage/`.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should end")]

mod exhaustive;
mod invariants;
mod kernel;
mod machine;
mod monitors;
mod properties;
mod support;
