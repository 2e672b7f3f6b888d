//! What was driven, and what led to it. Shown by: tests/schema.rs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DialogTurn, is_empty};

/// What was driven.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The setpoint that was driven, each number in [-1, 1]; never empty. Of a car: steering
    /// (positive left) and throttle (positive forward).
    pub command: Vec<f32>,
    /// A source that the contract knows; the true one is `step_metadata.authority`.
    pub source: String,
    /// A person's remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<Annotation>,
    /// What a person did on a screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_action: Option<UiAction>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog: Option<DialogTurn>,
    /// What a planner thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planner: Option<PlannerTrace>,
    /// Tools that were called.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub tool_calls: Vec<ToolCall>,
}

/// A person's remark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Annotation {
    /// Of which kind.
    pub kind: String,
    /// What it says.
    pub fields: BTreeMap<String, String>,
}

/// What a person did on a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UiAction {
    /// What.
    pub action_type: String,
    /// Where, and with what.
    pub context: BTreeMap<String, String>,
}

/// What a planner thought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlannerTrace {
    /// What it was about.
    pub intent: String,
    /// How it would go about it.
    pub plan_steps: Vec<String>,
    /// What it chose.
    pub selected_skill: String,
    /// 0 to 1.
    pub confidence: f32,
}

/// A tool that was called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolCall {
    /// Family of tools.
    pub tool: String,
    /// Which of them.
    pub name: String,
    /// What it was given, as JSON text.
    pub args_json: String,
    /// What it gave back, as JSON text.
    pub result_json: String,
    /// Whether it did what it was asked.
    pub ok: bool,
}
