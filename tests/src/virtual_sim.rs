//! Kernel, pilot and plant in one process and virtual time: the whole robot without threads, clocks
//! or shared memory, as fast as the machine goes.
//!
//! Decides only what in a real run the processes and the operator between them decide: when a cycle
//! begins, when a command arrives, when to arm and to disarm. The code that judges, drives and
//! simulates is the shipped one. It must never read a clock that reaches the record: two runs of
//! the same seed are equal to the last bit.
//!
//! ```text
//!  k−1            release k                                          k+1
//!   | plant moves | observation ─▶ Kernel::step ─▶ pins ─▶ telemetry | …
//!                        ▲ inbox                             │
//!                        └── command, `command_delay_cycles` later ◀─ pilot, each 20 ms
//! ```
//!
//! Tests: tests/main.rs, module `virtual_sim`.

mod hash;
mod run;
mod world;

pub use hash::WordHash;
pub use run::{PlantReport, Report, Stopped, run};
pub use world::{Options, VirtualRobot};
