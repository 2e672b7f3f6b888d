//! Behaviour across crates: one crate, a module for each subject.

mod bad_input;
mod episodes;
mod exhaustive;
mod filter;
mod journey;
mod log;
mod loop_deaths;
mod play;
mod replay;
mod seal;
mod swarm;
mod teleop;
mod virtual_sim;
