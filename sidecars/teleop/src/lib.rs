//! `teleop`: a person drives, with a gamepad, a keyboard or a script.
//!
//! *What it decides.* What a person may be said to want: who holds the dead-man switch, for how
//! long a key counts, when a source is gone. *What it must never do.* Keep a car going that nobody
//! holds; let an e-stop wait for anything; decide whether the car may move, which is the kernel's.
//!
//! ```text
//!  gamepad ──▶ Pad ──────┐
//!  terminal ─▶ Keyboard ─┼─▶ Intent ─▶ Driver::command ─▶ command slot
//!  file ─────▶ Script ───┘     │             ▲
//!      e-stop key ─▶ EstopLine │          telemetry
//!                  (operator socket)
//! ```
//!
//! [`Driver`], [`Pad`], [`Keyboard`] and [`Script`] read no clock and no device. Tests: in each
//! module; with the real loop in the tests crate (`teleop`).

#![forbid(unsafe_code)]

mod driver;
mod estop;
mod intent;
mod keyboard;
mod pad;
mod pad_reader;
mod screen;
mod script;
mod session;
mod shape;
mod sources;

pub use driver::Driver;
pub use estop::EstopLine;
pub use intent::Intent;
pub use keyboard::{Does, Keyboard, meaning};
pub use pad::Pad;
pub use pad_reader::PadSeen;
pub use screen::{Hands, Status};
pub use script::{Script, ScriptError};
pub use session::{Args, drive};
pub use shape::Shape;
