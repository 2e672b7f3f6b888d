//! A secret in every text of the schema, whether the validator allows it there or not: none comes out.

use super::anonymous::Anonymizer;
use crate::normalise::{blank_metadata, blank_step};
use rlds::schema::{
    Action, Annotation, Audio, Capabilities, Compute, ContentRating, DialogTurn, Gaze, MaskRef,
    MediaBundle, MediaRef, Metadata, Observation, Owner, PlannerTrace, Provenance, Safety,
    Segmentation, Share, Step, ToolCall, UiAction, UiContext, WorldModel,
};
use serde_json::Value;

/// An episode in which every optional block is there.
fn everything() -> (Metadata, Step) {
    let text = || "x".to_owned();
    let map = || [("k".to_owned(), text())].into();
    let media = MediaRef {
        uri: text(),
        frame_id: text(),
        format: text(),
        units: text(),
        ..MediaRef::default()
    };
    let dialog =
        DialogTurn { speaker: text(), text: text(), turn_id: text(), conversation_id: text() };
    let mut plain = blank_step();
    plain.step_metadata = [("mode", "Active"), ("note", "x"), ("reward", "1.5")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    plain.action.source = text();
    for name in [
        &mut plain.observation.video_frame_id,
        &mut plain.observation.depth_frame_id,
        &mut plain.observation.robot_state.frame_id,
    ] {
        *name = text();
    }
    let observation = Observation {
        audio: Some(Audio { uri: text(), format: text(), frame_id: text(), ..Audio::default() }),
        ui_context: Some(UiContext { active_panel: text(), layout: map(), focus_context: map() }),
        media: Some(MediaBundle {
            rgb: Some(media.clone()),
            depth: Some(media.clone()),
            audio: Some(media),
        }),
        dialog: Some(dialog.clone()),
        world_model: Some(WorldModel { belief_state_id: text(), ..WorldModel::default() }),
        segmentation: Some(Segmentation {
            model: text(),
            prompt: text(),
            masks: vec![MaskRef {
                uri: text(),
                frame_id: text(),
                format: text(),
                ..MaskRef::default()
            }],
            notes: text(),
            ..Segmentation::default()
        }),
        gaze: Gaze { target_id: text(), ..Gaze::ABSENT },
        ..plain.observation
    };
    let action = Action {
        annotation: Some(Annotation { kind: text(), fields: map() }),
        ui_action: Some(UiAction { action_type: text(), context: map() }),
        dialog: Some(dialog),
        planner: Some(PlannerTrace {
            intent: text(),
            plan_steps: vec![text(), text()],
            selected_skill: text(),
            confidence: 0.5,
        }),
        tool_calls: vec![ToolCall {
            tool: text(),
            name: text(),
            args_json: text(),
            result_json: text(),
            ok: true,
        }],
        ..plain.action
    };
    let rating = ContentRating { audience: text(), violence: text(), language: text() };
    let metadata = Metadata {
        capabilities: Some(Capabilities {
            compute: Some(Compute {
                device: text(),
                gpu: text(),
                dtype: text(),
                ..Compute::default()
            }),
            ..Capabilities::default()
        }),
        owner: Some(Owner {
            owner_id: text(),
            display_name: text(),
            preferred_name: text(),
            roles: vec![text()],
            preferences: map(),
        }),
        safety: Some(Safety { content_rating: Some(rating), ..Safety::default() }),
        share: Some(Share {
            slug: text(),
            title: text(),
            license: text(),
            tags: vec![text()],
            ..Share::default()
        }),
        provenance: Some(Provenance {
            origin: text(),
            source_commit: text(),
            source_host: text(),
            notes: text(),
        }),
        ..blank_metadata("ep_1", "test")
    };
    (metadata, Step { observation, action, ..plain })
}

/// Fields that the types hold to a closed list: no text of a person's can be there.
const CLOSED: [&str; 2] = ["xr_mode", "control_role"];

/// Puts a secret of its own into every text, and into every key that people choose.
fn plant(value: &mut Value, key: &str, planted: &mut Vec<String>) {
    match value {
        Value::String(text) if !CLOSED.contains(&key) => {
            let secret = format!("secret{:04}", planted.len());
            // Names of files must stay what a name may be; all others look like what people write.
            *text =
                if key == "episode_id" { secret.clone() } else { format!("{text} {secret} @ 12") };
            planted.push(secret);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| plant(item, key, planted)),
        Value::Object(map) => {
            let free =
                ["preferences", "layout", "focus_context", "fields", "context", "step_metadata"];
            let is_free = free.contains(&key);
            for (key, mut value) in std::mem::take(map) {
                plant(&mut value, &key, planted);
                if is_free {
                    let secret = format!("secret{:04}", planted.len());
                    map.insert(format!("{key}{secret}"), value);
                    planted.push(secret);
                } else {
                    map.insert(key, value);
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn no_planted_secret_comes_out() {
    let (metadata, step) = everything();
    let mut planted = Vec::new();
    let mut metadata = serde_json::to_value(&metadata).expect("plain data");
    let mut step = serde_json::to_value(&step).expect("plain data");
    plant(&mut metadata, "", &mut planted);
    plant(&mut step, "", &mut planted);
    assert!(planted.len() > 70, "only {} texts were found", planted.len());
    // They are the contract's still, so that no block was missed.
    serde_json::from_value::<Metadata>(metadata.clone()).expect("metadata");
    serde_json::from_value::<Step>(step.clone()).expect("a step");
    let anonymizer = Anonymizer::new("salt".to_owned());
    let out = format!("{}{}", anonymizer.metadata(metadata), anonymizer.step(step));
    let leaked: Vec<&String> =
        planted.iter().filter(|secret| out.contains(secret.as_str())).collect();
    assert!(leaked.is_empty(), "{leaked:?} in {out}");
}
