//! The safety kernel: what the car may do in this cycle, as one pure function.
//!
//! [`Kernel::step`] decides everything that moves: classify (floats and raw records become small
//! integers) → [`machine::step`] (integers only; the exhaustive checker calls this very function) →
//! limiter (range, slew, pulses). It must never read a clock, wait, allocate, panic or do I/O; time
//! comes in as an argument, faults go out as part of the result. Shown by: `tests/control/`.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::unreachable,
    clippy::unimplemented,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    clippy::std_instead_of_core,
    clippy::alloc_instead_of_core,
    clippy::large_types_passed_by_value,
    clippy::wildcard_enum_match_arm,
    clippy::missing_panics_doc
)]

mod classify;
mod heartbeat;
mod interlocks;
mod kernel;
mod limiter;
pub mod machine;
pub mod monitors;

pub use kernel::Kernel;
