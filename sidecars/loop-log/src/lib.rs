//! The loop's deferred log in words.
//!
//! *What it decides.* Which message a frame is, what it says, and where in the source it stands; and
//! what of an executable must be kept so that its frames can be read when it is gone. *What it must
//! never do.* Guess: a frame of another build is refused, not misread.
//!
//! ```text
//! fast-loop (ELF: .defmt, .symtab, DWARF) ─▶ MessageTable ─▶ saved: a small ELF, in the episode
//!                                                 │
//!                              LogFrame ─▶ level, text, file:line
//! ```
//!
//! Shown by: tests/table.rs; with the real program in the tests crate (log).

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod saved;
mod table;

pub use table::{Level, Message, MessageTable, Place, TableError};
