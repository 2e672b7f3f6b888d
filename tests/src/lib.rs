//! Behaviour across crates and processes, no hardware needed: what tests and programs share.
//!
//! The tests themselves stand in `tests/`, one crate with a module for each subject.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod loop_deaths;
pub mod machine_check;
pub mod real_robot;
pub mod recorded;
pub mod swarm;
pub mod virtual_sim;
