//! Steps and metadata to protobuf and back, and to JSON and back: nothing is lost on the way.

mod common;

use common::full::{full_metadata, full_step};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use prost::Message;
use rlds::proto::{ProtoError, rlds_v1 as v1};
use rlds::schema::{
    Action, Annotation, Audio, BoxXyxy, DialogTurn, Gaze, Glove, MaskRef, MediaBundle, MediaRef,
    Metadata, Observation, PlannerTrace, Pose, RobotState, Segmentation, Step, ToolCall, UiAction,
    UiContext, WorldModel,
};
use std::collections::BTreeMap;

/// Through the wire and back.
fn there_and_back(step: &Step) -> Result<Step, ProtoError> {
    let bytes = v1::Step::from(step).encode_to_vec();
    v1::Step::decode(&bytes[..]).expect("our own bytes").try_into()
}

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        Just(0.0),
        Just(-0.5),
        -1e9_f32..1e9,
        any::<f32>().prop_filter("finite", |x| x.is_finite())
    ]
}

fn text() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\]{0,6}"
}

fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text(), text(), 0..4)
}

fn numbers<const N: usize>() -> impl Strategy<Value = Option<[f32; N]>> {
    option::of(vec(number(), N).prop_map(|list| list.try_into().expect("N numbers")))
}

fn pose() -> impl Strategy<Value = Pose> {
    (numbers(), numbers(), any::<bool>()).prop_map(|(position, orientation_quat, valid)| Pose {
        position,
        orientation_quat,
        valid,
    })
}

fn gaze() -> impl Strategy<Value = Gaze> {
    (any::<[i16; 3]>(), any::<[i16; 3]>(), number(), text()).prop_map(
        |(origin, direction, confidence, target_id)| Gaze {
            origin: origin.map(f32::from),
            direction: direction.map(f32::from),
            confidence,
            target_id,
        },
    )
}

fn robot() -> impl Strategy<Value = RobotState> {
    let lists = (vec(number(), 0..3), vec(number(), 0..3), vec(number(), 0..3), numbers());
    (any::<i64>(), lists, pose(), any::<bool>(), text(), any::<i64>()).prop_map(
        |(timestamp_nanos, lists, end_effector_pose, gripper_open, frame_id, wall_time_millis)| {
            let (joint_positions, joint_velocities, joint_efforts, end_effector_twist) = lists;
            RobotState {
                timestamp_nanos,
                joint_positions,
                end_effector_pose,
                gripper_open,
                frame_id,
                joint_velocities,
                joint_efforts,
                end_effector_twist,
                wall_time_millis,
            }
        },
    )
}

fn glove() -> impl Strategy<Value = Glove> {
    (any::<i64>(), numbers(), numbers(), numbers(), numbers(), any::<bool>()).prop_map(
        |(timestamp_nanos, flex, fsr, orientation_quat, accel, valid)| Glove {
            timestamp_nanos,
            flex,
            fsr,
            orientation_quat,
            accel,
            valid,
        },
    )
}

fn media() -> impl Strategy<Value = MediaRef> {
    (text(), text(), any::<i64>(), any::<[i32; 4]>(), text(), text()).prop_map(
        |(uri, frame_id, timestamp_ns, [width, height, rate, channels], format, units)| MediaRef {
            uri,
            frame_id,
            timestamp_ns,
            width,
            height,
            format,
            units,
            sample_rate_hz: rate,
            num_channels: channels,
        },
    )
}

fn dialog() -> impl Strategy<Value = DialogTurn> {
    (text(), text(), text(), text()).prop_map(|(speaker, text, turn_id, conversation_id)| {
        DialogTurn { speaker, text, turn_id, conversation_id }
    })
}

fn segmentation() -> impl Strategy<Value = Segmentation> {
    let mask = (text(), text(), text(), any::<i32>(), number()).prop_map(
        |(uri, frame_id, format, instance_id, score)| MaskRef {
            uri,
            frame_id,
            format,
            instance_id,
            score,
        },
    );
    let area = (vec(number(), 5), any::<i32>()).prop_map(|(n, instance_id)| BoxXyxy {
        x1: n[0],
        y1: n[1],
        x2: n[2],
        y2: n[3],
        instance_id,
        score: n[4],
    });
    (text(), text(), vec(mask, 0..3), vec(area, 0..3), text()).prop_map(
        |(model, prompt, masks, boxes_xyxy, notes)| Segmentation {
            model,
            prompt,
            masks,
            boxes_xyxy,
            notes,
        },
    )
}

fn observation() -> impl Strategy<Value = Observation> {
    let audio = (text(), any::<[i32; 2]>(), text(), text()).prop_map(
        |(uri, [sample_rate_hz, num_channels], format, frame_id)| Audio {
            uri,
            sample_rate_hz,
            num_channels,
            format,
            frame_id,
        },
    );
    let ui_context = (text(), map(), map()).prop_map(|(active_panel, layout, focus_context)| {
        UiContext { active_panel, layout, focus_context }
    });
    let bundle = (option::of(media()), option::of(media()), option::of(media()))
        .prop_map(|(rgb, depth, audio)| MediaBundle { rgb, depth, audio });
    let world_model = (vec(any::<i32>(), 0..4), number(), text()).prop_map(
        |(latent_tokens, surprise, belief_state_id)| WorldModel {
            latent_tokens,
            surprise,
            belief_state_id,
        },
    );
    let required = (pose(), pose(), pose(), gaze(), robot(), glove(), text(), text());
    let optional = (
        option::of(audio),
        option::of(ui_context),
        option::of(bundle),
        option::of(dialog()),
        option::of(world_model),
        vec(number(), 0..4),
        option::of(segmentation()),
    );
    (required, optional).prop_map(|(required, optional)| {
        let (headset_pose, right_hand_pose, left_hand_pose, gaze, robot_state, ..) =
            required.clone();
        let (.., glove, video_frame_id, depth_frame_id) = required;
        let (audio, ui_context, media, dialog, world_model, command, segmentation) = optional;
        Observation {
            headset_pose,
            right_hand_pose,
            left_hand_pose,
            gaze,
            robot_state,
            glove,
            video_frame_id,
            depth_frame_id,
            diagnostics: full_step().observation.diagnostics,
            audio,
            ui_context,
            media,
            dialog,
            world_model,
            command,
            segmentation,
        }
    })
}

fn action() -> impl Strategy<Value = Action> {
    let annotation = (text(), map()).prop_map(|(kind, fields)| Annotation { kind, fields });
    let ui_action =
        (text(), map()).prop_map(|(action_type, context)| UiAction { action_type, context });
    let planner = (text(), vec(text(), 0..3), text(), number()).prop_map(
        |(intent, plan_steps, selected_skill, confidence)| PlannerTrace {
            intent,
            plan_steps,
            selected_skill,
            confidence,
        },
    );
    let call = (text(), text(), text(), text(), any::<bool>()).prop_map(
        |(tool, name, args_json, result_json, ok)| ToolCall {
            tool,
            name,
            args_json,
            result_json,
            ok,
        },
    );
    let optional =
        (option::of(annotation), option::of(ui_action), option::of(dialog()), option::of(planner));
    (vec(number(), 1..4), text(), optional, vec(call, 0..3)).prop_map(
        |(command, source, (annotation, ui_action, dialog, planner), tool_calls)| Action {
            command,
            source,
            annotation,
            ui_action,
            dialog,
            planner,
            tool_calls,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let words = (map(), option::of(number())).prop_map(|(mut words, reward)| {
        if let Some(reward) = reward {
            words.insert("reward".to_owned(), reward.to_string());
        }
        words
    });
    (observation(), action(), any::<bool>(), words).prop_map(
        |(observation, action, is_terminal, step_metadata)| Step {
            observation,
            action,
            is_terminal,
            step_metadata,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_step_comes_back_whole_from_protobuf_and_from_json(step in step()) {
        prop_assert_eq!(&there_and_back(&step).expect("our own step"), &step);
        let json = serde_json::to_string(&step).expect("plain data");
        prop_assert_eq!(&serde_json::from_str::<Step>(&json).expect("our own line"), &step);
    }

    #[test]
    fn any_bytes_are_a_step_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(step) = v1::Step::decode(&bytes[..]) {
            drop(Step::try_from(step));
        }
    }
}

#[test]
fn step_and_metadata_with_every_key_come_back_whole() {
    assert_eq!(there_and_back(&full_step()).unwrap(), full_step());
    let bytes = v1::EpisodeMetadata::from(&full_metadata()).encode_to_vec();
    let back = Metadata::try_from(v1::EpisodeMetadata::decode(&bytes[..]).unwrap()).unwrap();
    assert_eq!(back, full_metadata());
}

#[test]
fn reward_is_a_number_in_protobuf_and_a_word_in_json() {
    let mut proto = v1::Step::from(&full_step());
    assert_eq!((proto.reward, proto.discount), (Some(1.25), Some(0.5)));
    // From a program that knows the number and not the word.
    proto.step_metadata.remove("reward");
    assert_eq!(Step::try_from(proto).unwrap().step_metadata["reward"], "1.25");
}

#[test]
fn protobuf_that_the_contract_does_not_allow_is_refused_with_its_field() {
    let refused = |change: fn(&mut v1::Step)| {
        let mut step = v1::Step::from(&full_step());
        change(&mut step);
        Step::try_from(step).unwrap_err().to_string()
    };
    assert_eq!(refused(|step| step.action = None), "action: expected a block, found none");
    assert_eq!(
        refused(|step| step.observation.as_mut().unwrap().gaze.as_mut().unwrap().direction.clear()),
        "observation.gaze.direction: expected 3 numbers, found 0 of them"
    );
    let mut metadata = v1::EpisodeMetadata::from(&full_metadata());
    metadata.xr_mode = "inference".to_owned();
    assert_eq!(
        Metadata::try_from(metadata).unwrap_err().to_string(),
        "xr_mode: expected trainer, workstation or observer, found `inference`"
    );
}
