//! Behaviour across crates and processes, no hardware needed: what tests and programs share.
//!
//! The tests themselves stand in `tests/`, one crate with a module for each subject.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod virtual_sim;
