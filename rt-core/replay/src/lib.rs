//! Replay: runs recorded cycles through the shipped kernel and demands the recorded outcome, bit for
//! bit.
//!
//! *What it decides.* Whether a recording is what the kernel would say again: identical, different
//! (with the first field), or not comparable (and why). *What it must never do.* Call two cycles
//! comparable between which something is missing, drive anything, read a clock, allocate.
//!
//! ```text
//! keyframe ─▶ Kernel::resume ─┐
//! record k  ─ release, observation, inbox ─▶ Kernel::step ─▶ outcome = recorded outcome?
//! keyframe k ──────────────────────────────▶ Kernel::state = recorded state?
//! record k+3: two are missing ─▶ not comparable, until the next keyframe
//! ```
//!
//! [`Replay`] is one kernel from one keyframe on; [`Tape`] is a whole recording with its gaps. Which
//! fields there are is told by the records' own layout: no list is kept here. What a recording does
//! not show is a changed input that changes no outcome: that is what the CRC of its chunk is for.
//!
//! Shown by: tests/replay.rs; `cargo xtask replay-arch` for another architecture.
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
    clippy::missing_panics_doc
)]

mod field;
mod replay;
mod tape;
mod value;

pub use field::FieldAt;
pub use replay::{Answer, Difference, Replay, Why};
pub use tape::{AtKeyframe, Tally, Tape};
pub use value::Value;
