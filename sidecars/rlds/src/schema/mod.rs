//! The RLDS contract, version 1.1, as types: names and key sets as its strict validator wants them.
//!
//! *What it decides.* Which keys stand in `metadata.json` and in a line of `steps/000000.jsonl`;
//! unknown keys are refused when reading. *What it must never do.* Grow a key that the contract does
//! not know: our own counts go into `tags`, `step_metadata`, and `episode.json`; a reward stands in
//! `step_metadata.reward`, since the strict JSON refuses a key of that name.
//!
//! | Block | Required by the contract | Where the robot has none |
//! |---|---|---|
//! | headset, hands, glove | yes | there, with `valid: false` |
//! | gaze | yes | there, with confidence 0 |
//! | audio, media, dialog… | no | left out |
//!
//! An optional text, number or list that is empty is left out of the JSON, and one that is left out
//! is empty: as in the protobuf form, where the two are the same. Shown by: tests/schema.rs,
//! tests/steps.rs.

mod action;
mod media;
mod metadata;
mod observation;
mod or_empty;
mod step;

pub use action::{Action, Annotation, PlannerTrace, ToolCall, UiAction};
pub use media::{
    Audio, BoxXyxy, DialogTurn, MaskRef, MediaBundle, MediaRef, Segmentation, UiContext, WorldModel,
};
pub use metadata::{
    Actuators, Capabilities, Compute, ContentRating, ControlRole, Limits, Metadata, Owner,
    PiiAttestation, Provenance, Safety, Sensors, Share, Software, XrMode,
};
pub use observation::{Diagnostics, Gaze, Glove, Observation, Pose, RobotState};
pub use step::Step;

/// Version of the contract.
pub const SCHEMA_VERSION: &str = "1.1";

/// Whether an optional value is empty, and so left out of the JSON.
fn is_empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
