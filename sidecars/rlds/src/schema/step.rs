//! One step. Shown by: tests/schema.rs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, Observation};

/// One line of `steps/000000.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What was seen.
    pub observation: Observation,
    /// What was driven.
    pub action: Action,
    /// Whether the episode ended here on its own terms (a cut is no end).
    #[serde(default)]
    pub is_terminal: bool,
    /// Everything else, as text.
    #[serde(default)]
    pub step_metadata: BTreeMap<String, String>,
}

impl Step {
    /// The number that `step_metadata` holds under `key`, if it is one.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<f32> {
        self.step_metadata.get(key)?.parse().ok()
    }
}
