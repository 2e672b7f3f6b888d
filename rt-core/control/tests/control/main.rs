//! What the safety kernel promises, shown without a clock, a thread or a pin.
//!
//! `machine` walks the transition table (every state with every input is tried elsewhere, by
//! `tests::machine_check`), `kernel` and `monitors` drive a whole [`rt_control::Kernel`] by hand, `properties` feed it
//! garbage. Each oracle has planted bugs that it catches: the patches in `tests/sabotage/`.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should end")]

mod kernel;
mod machine;
mod monitors;
mod properties;
mod support;
