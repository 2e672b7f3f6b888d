//! Behaviour across crates: one crate, a module for each subject.

mod journey;
mod seal;
mod virtual_sim;
