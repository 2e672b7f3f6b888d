//! Records between processes, without locks: a broadcast ring and a newest-value slot over borrowed
//! memory.
//!
//! *What it decides.* Whether what stands in shared memory is a record that was written there, whole,
//! in this life, and where a reader goes on when it was too slow. [`RingWriter`] and [`RingReader`]
//! carry every record in order until the reader is lapped, and then say how many were lost.
//! [`SlotWriter`] and [`SlotReader`] carry the newest record only, guarded by a checksum.
//!
//! *What it must never do.* Wait, retry, allocate, read a clock, make a system call or panic; index
//! by a number that another process can write; look at shared memory through anything but atomics,
//! or at the same word of a record twice; know what a record means.
//!
//! Memory is a `&[sync::AtomicU64]`; whoever maps it (`rt-shm`) answers for its staying mapped. All
//! atomics are named in [`sync`], so that loom checks the very code that ships.
//!
//! A reader that finds its ring [`Read::Corrupt`] is dead for this generation and must attach again;
//! a slot that is [`Newest::Corrupt`] heals with its next valid write.
//!
//! Shown by: tests/ring.rs, tests/slot.rs, tests/attach.rs, tests/sweep.rs (every single bit),
//! tests/threads.rs, tests/loom.rs (every interleaving of a small ring and slot), and Miri on all
//! but the last.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    missing_docs,
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::float_cmp,
    clippy::indexing_slicing,
    clippy::large_types_passed_by_value,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::disallowed_types,
        clippy::indexing_slicing,
        reason = "the tests of a module have std and may panic"
    )
)]

#[cfg(test)]
extern crate std;

mod checksum;
mod error;
mod header;
mod record;
mod ring;
mod slot;
pub mod sync;

pub use error::AttachError;
pub use header::Identity;
pub use record::Record;
pub use ring::{Read, RingReader, RingWriter, ring_words};
pub use slot::{Newest, SlotReader, SlotWriter, slot_words};
