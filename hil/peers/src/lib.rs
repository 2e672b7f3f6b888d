//! Our figures, each beside its peer in the same run: what `cargo xtask bench` and `bench rlds` run.
//!
//! *What it decides.* How each figure of the project's table is taken, and against whom. A figure and
//! its peer are measured in turns (ours, peer, ours, peer, …), so that whatever else the machine does
//! falls on both; what counts is the ratio within a turn, and its median over all turns.
//!
//! *What it must never do.* Assert a time: a goal that is missed is told, and the exit code stays 0.
//! Print a figure without its conditions. Be a dependency of anything: peers are heavy, and live in a
//! workspace of their own.
//!
//! Shown by: the tests in stats.rs, report.rs and cyclictest.rs, and by running it.

#![warn(missing_docs)]

pub mod car;
pub mod cyclictest;
pub mod exchange;
pub mod figures;
pub mod machine;
pub mod partner;
pub mod report;
pub mod rlds;
pub mod running_loop;
pub mod shared;
pub mod stats;
