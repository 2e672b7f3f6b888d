//! Each rule of the validator: an episode that breaks it, and next to it one that does not.

#[path = "../common/mod.rs"]
mod common;
mod episode;
mod examples;
mod recorded;
mod rules;
