//! Words for people, on stderr.
//!
//! Whoever reads them may be gone, and the disk behind them full: that must never stop a car. So
//! nothing here fails, and nothing else in this crate prints (`eprintln!` panics where it cannot).
//! Never called by the loop thread. Shown by: the tests crate's journey.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes one line, `fast-loop: …`, if anybody takes it.
pub fn say(words: impl Display) {
    io::stderr().write_all(format!("fast-loop: {words}\n").as_bytes()).ok();
}
