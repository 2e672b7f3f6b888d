//! Behaviour across crates: one crate, a module for each subject.

mod virtual_sim;
