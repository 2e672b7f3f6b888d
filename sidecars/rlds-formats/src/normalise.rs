//! What other programs wrote, brought into the contract's form.
//!
//! *What it decides.* What a foreign step means: what the contract knows is taken block by block; what
//! it does not know goes as text into `step_metadata`, so that nothing is lost; what it demands and the
//! step lacks is filled with "absent", and said in `step_metadata["import.filled"]`. *What it must never
//! do.* Guess silently, or take a number for another: a car's `{steering, throttle}` is its command,
//! and a step without any command says so.
//!
//! Shown by: tests/formats/import.rs, and the tests below.

use rlds::schema::{
    Action, ControlRole, Metadata, Observation, RobotState, SCHEMA_VERSION, Software, Step, XrMode,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Of a value that becomes a tag.
const TAG_LETTERS: usize = 200;
/// Says what was filled in.
const FILLED: &str = "import.filled";

/// Brings the steps of one episode into the contract's form.
#[derive(Default)]
pub(crate) struct Normaliser {
    filled: BTreeMap<String, u64>,
}

impl Normaliser {
    /// What was filled in so far, and how often.
    pub(crate) fn remarks(&self) -> Vec<(String, u64)> {
        self.filled.iter().map(|(what, count)| (format!("{what} (filled in)"), *count)).collect()
    }

    /// The step that `value` means; `index` names it where it has no name.
    ///
    /// # Errors
    /// In words, which field is wrong.
    pub(crate) fn step(&mut self, index: u64, value: Value) -> Result<Step, String> {
        // What is right already stays to the letter.
        if let Ok(step) = serde_json::from_value::<Step>(value.clone()) {
            return Ok(step);
        }
        let Value::Object(mut found) = value else {
            return Err(format!("expected an object, found {}", kind(&value)));
        };
        let mut step = blank_step();
        let mut filled = Vec::new();
        let observation = found.remove("observation").or_else(|| found.remove("obs"));
        let action = found.remove("action").or_else(|| found.remove("actions"));
        step.is_terminal = take_bool(&mut found, &["is_terminal", "terminal", "done"])?;
        let time_ns = take_time(&mut found)?;
        if let Some(metadata) = found.remove("step_metadata").or_else(|| found.remove("metadata")) {
            texts("", metadata, &mut step.step_metadata);
        }
        found.remove("step_index");
        found.remove("step_idx");
        for (key, value) in found {
            step.step_metadata.insert(key, text(value));
        }
        take_observation(observation, &mut step, &mut filled)?;
        take_action(action, &mut step, &mut filled)?;
        if let Some(ns) = time_ns {
            let state = &mut step.observation.robot_state;
            if state.timestamp_nanos == 0 {
                state.timestamp_nanos = ns;
                filled.retain(|what| *what != "observation.robot_state.timestamp_nanos");
            }
        }
        name_frames(&mut step, index);
        if !filled.is_empty() {
            step.step_metadata.insert(FILLED.to_owned(), filled.join(","));
        }
        for what in filled {
            let count = self.filled.entry(what).or_default();
            *count = count.saturating_add(1);
        }
        Ok(step)
    }
}

/// A step in which nothing is known.
pub(crate) fn blank_step() -> Step {
    Step {
        observation: Observation::absent(0),
        action: Action::default(),
        is_terminal: false,
        step_metadata: BTreeMap::new(),
    }
}

/// Metadata in which nothing is known but the name.
pub(crate) fn blank_metadata(episode_id: &str, from: &str) -> Metadata {
    Metadata {
        xr_mode: XrMode::Observer,
        control_role: ControlRole::HumanSupervisor,
        environment_id: "unknown".to_owned(),
        tags: vec!["continuon.xr_mode:observer".to_owned(), format!("imported.from:{from}")],
        software: Software {
            xr_app: "none".to_owned(),
            continuonbrain_os: "unknown".to_owned(),
            glove_firmware: "none".to_owned(),
        },
        schema_version: SCHEMA_VERSION.to_owned(),
        episode_id: fit_name(episode_id),
        robot_id: "unknown".to_owned(),
        robot_model: "unknown".to_owned(),
        frame_convention: "base_link".to_owned(),
        start_time_unix_ms: 0,
        duration_ms: 0,
        capabilities: None,
        owner: None,
        safety: None,
        share: None,
        provenance: None,
    }
}

/// The metadata that `found` means; what the contract does not know becomes a tag.
pub(crate) fn metadata(found: Value, name: &str, from: &str) -> Metadata {
    if let Ok(mut metadata) = serde_json::from_value::<Metadata>(found.clone()) {
        if metadata.episode_id.is_empty() {
            name.clone_into(&mut metadata.episode_id);
        }
        metadata.episode_id = fit_name(&metadata.episode_id);
        return metadata;
    }
    let mut metadata = blank_metadata(name, from);
    let Value::Object(found) = found else {
        return metadata;
    };
    metadata.tags.clear();
    let mut tags = Vec::new();
    for (key, value) in found {
        if let Some(tag) = take_metadata(&mut metadata, &key, value) {
            tags.push(tag);
        }
    }
    let mode = format!("continuon.xr_mode:{}", metadata.xr_mode.name());
    if !metadata.tags.contains(&mode) {
        metadata.tags.push(mode);
    }
    metadata.tags.push(format!("imported.from:{from}"));
    metadata.tags.extend(tags);
    metadata
}

/// Takes one key; a tag that says it, where the contract has no place for it.
fn take_metadata(metadata: &mut Metadata, key: &str, value: Value) -> Option<String> {
    fn set<T: DeserializeOwned>(place: &mut T, value: &Value) -> bool {
        serde_json::from_value(value.clone()).map(|known| *place = known).is_ok()
    }
    let is_taken = match key {
        "xr_mode" => set(&mut metadata.xr_mode, &value),
        "control_role" => set(&mut metadata.control_role, &value),
        "environment_id" => set(&mut metadata.environment_id, &value),
        "tags" => set(&mut metadata.tags, &value),
        "software" => set(&mut metadata.software, &value),
        // The steps become this version's; another's is told as a tag.
        "schema_version" => value == SCHEMA_VERSION,
        "episode_id" => set(&mut metadata.episode_id, &value),
        "robot_id" => set(&mut metadata.robot_id, &value),
        "robot_model" | "robot_type" => set(&mut metadata.robot_model, &value),
        "frame_convention" => set(&mut metadata.frame_convention, &value),
        "start_time_unix_ms" => set(&mut metadata.start_time_unix_ms, &value),
        "duration_ms" => set(&mut metadata.duration_ms, &value),
        "capabilities" => set(&mut metadata.capabilities, &value),
        "owner" => set(&mut metadata.owner, &value),
        "safety" => set(&mut metadata.safety, &value),
        "share" => set(&mut metadata.share, &value),
        "provenance" => set(&mut metadata.provenance, &value),
        _ => false,
    };
    if key == "episode_id" {
        metadata.episode_id = fit_name(&metadata.episode_id);
    }
    if is_taken {
        return None;
    }
    let mut tag = format!("imported.{key}:{}", text(value));
    if let Some((end, _)) = tag.char_indices().nth(TAG_LETTERS) {
        tag.truncate(end);
    }
    Some(tag)
}

/// A name that can be a directory's.
pub(crate) fn fit_name(name: &str) -> String {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let fit: String = name.chars().map(|c| if is_fit(c) { c } else { '_' }).take(200).collect();
    let fit = fit.trim_start_matches('.');
    if fit.is_empty() { "episode".to_owned() } else { fit.to_owned() }
}

fn take_observation(
    found: Option<Value>,
    step: &mut Step,
    filled: &mut Vec<String>,
) -> Result<(), String> {
    let mut found = match found {
        Some(Value::Object(map)) => map,
        Some(Value::Array(numbers)) => {
            step.observation.command = floats("observation", &Value::Array(numbers))?;
            Map::new()
        }
        Some(Value::Null) | None => Map::new(),
        Some(other) => {
            return Err(format!("observation: expected an object, found {}", kind(&other)));
        }
    };
    let observation = &mut step.observation;
    let metadata = &mut step.step_metadata;
    let mut blocks = Blocks { found: &mut found, metadata, filled };
    blocks.required("headset_pose", &mut observation.headset_pose);
    blocks.required("right_hand_pose", &mut observation.right_hand_pose);
    blocks.required("left_hand_pose", &mut observation.left_hand_pose);
    blocks.required("gaze", &mut observation.gaze);
    blocks.robot_state(&mut observation.robot_state);
    blocks.required("glove", &mut observation.glove);
    blocks.required("video_frame_id", &mut observation.video_frame_id);
    blocks.required("depth_frame_id", &mut observation.depth_frame_id);
    blocks.required("diagnostics", &mut observation.diagnostics);
    blocks.optional("audio", &mut observation.audio);
    blocks.optional("ui_context", &mut observation.ui_context);
    blocks.optional("media", &mut observation.media);
    blocks.optional("dialog", &mut observation.dialog);
    blocks.optional("world_model", &mut observation.world_model);
    blocks.optional("command", &mut observation.command);
    blocks.optional("segmentation", &mut observation.segmentation);
    for (key, value) in found {
        metadata.insert(format!("observation.{key}"), text(value));
    }
    Ok(())
}

/// Blocks of an observation, taken one by one.
struct Blocks<'a> {
    found: &'a mut Map<String, Value>,
    metadata: &'a mut BTreeMap<String, String>,
    filled: &'a mut Vec<String>,
}

impl Blocks<'_> {
    fn take<T: DeserializeOwned>(&mut self, key: &str, place: &mut T) -> bool {
        let Some(value) = self.found.get(key) else {
            return false;
        };
        // What is not as the contract wants it stays in `found`, and becomes text.
        let Ok(known) = serde_json::from_value(value.clone()) else {
            return false;
        };
        *place = known;
        self.found.remove(key);
        true
    }

    fn optional<T: DeserializeOwned>(&mut self, key: &str, place: &mut T) {
        self.take(key, place);
    }

    fn required<T: DeserializeOwned>(&mut self, key: &str, place: &mut T) {
        if !self.take(key, place) {
            self.filled.push(format!("observation.{key}"));
        }
    }

    /// Recorders leave out parts of this one; each part that is there is taken.
    fn robot_state(&mut self, state: &mut RobotState) {
        if self.take("robot_state", state) {
            return;
        }
        let mut parts = match self.found.remove("robot_state") {
            Some(Value::Object(parts)) => parts,
            Some(other) => {
                self.metadata.insert("observation.robot_state".to_owned(), text(other));
                Map::new()
            }
            None => Map::new(),
        };
        // Some write the joints beside the block instead of in it.
        for key in ["joint_positions", "joint_velocities", "joint_efforts"] {
            if let Some(value) = self.found.remove(key) {
                parts.entry(key).or_insert(value);
            }
        }
        let mut inner = Blocks { found: &mut parts, metadata: self.metadata, filled: self.filled };
        let missing = [
            ("timestamp_nanos", inner.take("timestamp_nanos", &mut state.timestamp_nanos)),
            ("joint_positions", inner.take("joint_positions", &mut state.joint_positions)),
            ("end_effector_pose", inner.take("end_effector_pose", &mut state.end_effector_pose)),
            ("gripper_open", inner.take("gripper_open", &mut state.gripper_open)),
            ("frame_id", inner.take("frame_id", &mut state.frame_id)),
            ("joint_velocities", inner.take("joint_velocities", &mut state.joint_velocities)),
            ("end_effector_twist", inner.twist(&mut state.end_effector_twist)),
            ("wall_time_millis", inner.take("wall_time_millis", &mut state.wall_time_millis)),
        ];
        inner.optional("joint_efforts", &mut state.joint_efforts);
        for (key, value) in parts {
            self.metadata.insert(format!("observation.robot_state.{key}"), text(value));
        }
        let missing = missing.iter().filter(|(_, is_there)| !is_there);
        self.filled.extend(missing.map(|(key, _)| format!("observation.robot_state.{key}")));
    }

    fn twist(&mut self, place: &mut Option<[f32; 6]>) -> bool {
        let mut numbers: Vec<f32> = Vec::new();
        if !self.found.get("end_effector_twist").is_some_and(|value| {
            serde_json::from_value(value.clone()).map(|known| numbers = known).is_ok()
        }) {
            return false;
        }
        *place = numbers.first_chunk::<6>().copied().filter(|_| numbers.len() == 6);
        let is_known = numbers.is_empty() || place.is_some();
        if is_known {
            self.found.remove("end_effector_twist");
        }
        is_known
    }
}

fn take_action(
    found: Option<Value>,
    step: &mut Step,
    filled: &mut Vec<String>,
) -> Result<(), String> {
    let mut found = match found {
        Some(Value::Object(map)) => map,
        Some(list @ Value::Array(_)) => [("command".to_owned(), list)].into_iter().collect(),
        Some(Value::Null) | None => Map::new(),
        Some(other) => return Err(format!("action: expected an object, found {}", kind(&other))),
    };
    let action = &mut step.action;
    if let Some(command) = found.remove("command") {
        action.command = floats("action.command", &command)?;
    } else if let (Some(steering), Some(throttle)) =
        (number(&found, "steering"), number(&found, "throttle"))
    {
        found.remove("steering");
        found.remove("throttle");
        action.command = vec![steering?, throttle?];
    }
    if action.command.is_empty() {
        action.command = vec![0.0, 0.0];
        filled.push("action.command".to_owned());
    }
    if let Some(Value::String(source)) = found.get("source") {
        action.source.clone_from(source);
        found.remove("source");
    } else {
        "human_supervisor".clone_into(&mut action.source);
        filled.push("action.source".to_owned());
    }
    let mut blocks = Blocks { found: &mut found, metadata: &mut step.step_metadata, filled };
    blocks.optional("annotation", &mut action.annotation);
    blocks.optional("ui_action", &mut action.ui_action);
    blocks.optional("dialog", &mut action.dialog);
    blocks.optional("planner", &mut action.planner);
    blocks.optional("tool_calls", &mut action.tool_calls);
    for (key, value) in found {
        step.step_metadata.insert(format!("action.{key}"), text(value));
    }
    Ok(())
}

/// Gives the step's frame a name where it has none.
fn name_frames(step: &mut Step, index: u64) {
    let observation = &mut step.observation;
    let known = [
        &observation.video_frame_id,
        &observation.robot_state.frame_id,
        &observation.depth_frame_id,
    ];
    let name = known
        .into_iter()
        .find(|name| !name.is_empty())
        .cloned()
        .unwrap_or_else(|| format!("step-{index}"));
    for place in [
        &mut observation.video_frame_id,
        &mut observation.depth_frame_id,
        &mut observation.robot_state.frame_id,
    ] {
        if place.is_empty() {
            place.clone_from(&name);
        }
    }
    if observation.glove.timestamp_nanos == 0 && !observation.glove.valid {
        observation.glove.timestamp_nanos = observation.robot_state.timestamp_nanos;
    }
}

fn take_bool(found: &mut Map<String, Value>, keys: &[&str]) -> Result<bool, String> {
    for key in keys {
        match found.remove(*key) {
            None | Some(Value::Null) => {}
            Some(Value::Bool(value)) => return Ok(value),
            Some(Value::Number(number)) => return Ok(number.as_f64() != Some(0.0)),
            Some(other) => {
                return Err(format!("{key}: expected true or false, found {}", kind(&other)));
            }
        }
    }
    Ok(false)
}

/// The step's time in ns, from whatever it is called.
fn take_time(found: &mut Map<String, Value>) -> Result<Option<i64>, String> {
    for (key, ns) in [("timestamp_ns", 1), ("timestamp_us", 1_000), ("timestamp_ms", 1_000_000)] {
        let Some(value) = found.remove(key) else {
            continue;
        };
        let number = value
            .as_i64()
            .and_then(|number| number.checked_mul(ns))
            .ok_or_else(|| format!("{key}: expected a whole number, found {}", kind(&value)))?;
        return Ok(Some(number));
    }
    Ok(None)
}

/// Each entry of an object as text; a nested one as JSON.
fn texts(prefix: &str, value: Value, into: &mut BTreeMap<String, String>) {
    if let Value::Object(map) = value {
        for (key, value) in map {
            into.insert(format!("{prefix}{key}"), text(value));
        }
    } else if !value.is_null() {
        into.insert("step_metadata".to_owned(), text(value));
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A number under that name, if there is one.
fn number(map: &Map<String, Value>, key: &str) -> Option<Result<f32, String>> {
    let value = map.get(key).filter(|value| value.is_number())?;
    Some(float(&format!("action.{key}"), value))
}

fn floats(field: &str, value: &Value) -> Result<Vec<f32>, String> {
    let list = value
        .as_array()
        .ok_or_else(|| format!("{field}: expected numbers, found {}", kind(value)))?;
    list.iter().map(|item| float(field, item)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "the contract's numbers are floats")]
fn float(field: &str, value: &Value) -> Result<f32, String> {
    let number = value
        .as_f64()
        .ok_or_else(|| format!("{field}: expected numbers, found {}", kind(value)))?;
    let number = number as f32;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(format!("{field}: expected numbers, found {value}"))
    }
}

/// What a value is, in a word.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::{Normaliser, blank_step, fit_name, metadata};
    use rlds::schema::{SCHEMA_VERSION, XrMode};
    use serde_json::json;

    #[test]
    fn step_that_is_right_stays_to_the_letter() {
        let mut step = blank_step();
        step.action.command = vec![0.5, -0.25];
        let value = serde_json::to_value(&step).expect("plain data");
        assert_eq!(Normaliser::default().step(7, value), Ok(step));
    }

    #[test]
    fn what_the_contract_has_no_place_for_becomes_text_and_what_is_missing_is_named() {
        let mut normaliser = Normaliser::default();
        let found = json!({
            "obs": { "robot_state": { "joint_positions": [1, 2] }, "learning": { "n": 3 } },
            "action": { "steering": 0.25, "throttle": -0.5, "kind": "tick" },
            "reward": 1.5, "done": true, "timestamp_us": 7, "step_idx": 4,
        });
        let step = normaliser.step(4, found).expect("a step");
        assert_eq!(step.action.command, [0.25, -0.5]);
        assert!(step.is_terminal);
        assert_eq!(step.observation.robot_state.timestamp_nanos, 7_000);
        assert_eq!(step.observation.robot_state.joint_positions, [1.0, 2.0]);
        assert_eq!(step.observation.depth_frame_id, "step-4");
        assert_eq!(step.step_metadata["observation.learning"], r#"{"n":3}"#);
        assert_eq!(step.step_metadata["action.kind"], "tick");
        assert_eq!(step.number("reward"), Some(1.5));
        assert!(step.step_metadata["import.filled"].contains("observation.gaze"));
        assert!(!step.step_metadata["import.filled"].contains("action.command"));
        assert!(
            normaliser.remarks().iter().any(|(what, count)| what.contains("gaze") && *count == 1)
        );
    }

    #[test]
    fn step_without_a_command_says_so_and_wrong_numbers_are_refused() {
        let mut normaliser = Normaliser::default();
        let step = normaliser.step(0, json!({ "action": { "kind": "tick" } })).expect("a step");
        assert_eq!(step.action.command, [0.0, 0.0]);
        assert!(step.step_metadata["import.filled"].contains("action.command"));
        let wrong = normaliser.step(0, json!({ "action": { "command": ["left"] } }));
        assert_eq!(wrong, Err("action.command: expected numbers, found a text".to_owned()));
        // More than a float holds is no throttle, and a source that is no name is kept as text.
        let huge = normaliser.step(0, json!({ "action": { "steering": 0, "throttle": 1e300 } }));
        assert!(huge.is_err_and(|wrong| wrong.starts_with("action.throttle: expected numbers")));
        let step = normaliser.step(0, json!({ "action": { "source": 7 } })).expect("a step");
        assert_eq!(step.step_metadata["action.source"], "7");
        assert!(step.step_metadata["import.filled"].contains("action.source"));
        assert!(normaliser.step(0, json!([1])).is_err());
    }

    #[test]
    fn foreign_mode_becomes_a_tag_and_a_foreign_name_a_fit_one() {
        let found = json!({ "xr_mode": "autonomous", "control_role": "human_supervisor",
            "environment_id": "pi5", "tags": ["a"], "start_time_unix_ms": 5, "schema_version": "0.9" });
        let metadata = metadata(found, "my run/1", "test");
        assert_eq!(metadata.xr_mode, XrMode::Observer);
        assert!(metadata.tags.contains(&"imported.xr_mode:autonomous".to_owned()));
        assert_eq!((metadata.episode_id.as_str(), metadata.start_time_unix_ms), ("my_run_1", 5));
        assert_eq!(metadata.schema_version, SCHEMA_VERSION);
        assert!(metadata.tags.contains(&"imported.schema_version:0.9".to_owned()));
        assert_eq!(fit_name("../../etc"), "_.._etc");
    }
}
