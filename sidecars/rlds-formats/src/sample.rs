//! A step with the picture that belongs to it, and where such steps come from.
//!
//! *What it decides.* What RLDS's `reward`, `discount` and `language_instruction` are for a step of
//! the contract, which has no keys for them: they stand in `step_metadata`. *What it must never do.*
//! Invent: a reward that nobody gave is 0, as the contract's own exports have it.
//!
//! Shown by: tests/formats/round_trip.rs.

use crate::jpeg::{self, JpegSize};
use crate::problem::Problem;
use rlds::schema::{Metadata, Step};
use std::path::Path;

/// A JPEG that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// As the camera made it.
    pub jpeg: Vec<u8>,
    /// Its size.
    pub size: JpegSize,
}

impl Picture {
    /// Takes `jpeg` if it is a whole picture.
    ///
    /// # Errors
    /// In words: what it is instead.
    pub fn new(jpeg: Vec<u8>) -> Result<Self, String> {
        let size = jpeg::size(&jpeg)?;
        Ok(Self { jpeg, size })
    }
}

/// A step and its picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// From 0, counted where it comes from.
    pub index: u64,
    /// As the contract has it.
    pub step: Step,
    /// What the camera saw; `None` where the step refers to no picture.
    pub picture: Option<Picture>,
}

/// An episode that is read one step at a time.
pub trait Source {
    /// What reports call it: its path.
    fn name(&self) -> String;

    /// The contract's metadata.
    fn metadata(&self) -> &Metadata;

    /// The next step, or `None` after the last.
    ///
    /// # Errors
    /// [`Problem`], with file, place and field.
    fn next_sample(&mut self) -> Result<Option<Sample>, Problem>;

    /// Where the files are that a step refers to; `None` where they are not at hand.
    fn files(&self) -> Option<&Path> {
        None
    }

    /// What was left out, or filled in, so far: in words, each with how often.
    fn remarks(&self) -> Vec<(String, u64)> {
        Vec::new()
    }

    /// What inside it was broken and therefore skipped, by name.
    fn broken(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Key of `step_metadata` for RLDS's reward.
pub const REWARD: &str = "reward";
/// Key of `step_metadata` for RLDS's discount.
pub const DISCOUNT: &str = "discount";
/// Key of `step_metadata` for what the robot was told.
pub const LANGUAGE: &str = "language_instruction";

/// RLDS's reward.
#[must_use]
pub fn reward(step: &Step) -> f32 {
    step.number(REWARD).unwrap_or(0.0)
}

/// RLDS's discount: 0 where the episode ended on its own terms, else 1.
#[must_use]
pub fn discount(step: &Step) -> f32 {
    step.number(DISCOUNT).unwrap_or(if step.is_terminal { 0.0 } else { 1.0 })
}

/// What the robot was told, if this step says it.
#[must_use]
pub fn language(step: &Step) -> Option<&str> {
    step.step_metadata.get(LANGUAGE).map(String::as_str)
}
