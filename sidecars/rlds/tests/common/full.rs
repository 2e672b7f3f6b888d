//! A step and metadata in which every key of the contract is there and holds something of its own.

#![allow(dead_code, reason = "each test file uses its part")]

use rlds::schema::{
    Action, Actuators, Annotation, Audio, BoxXyxy, Capabilities, Compute, ContentRating,
    ControlRole, Diagnostics, DialogTurn, Gaze, Glove, Limits, MaskRef, MediaBundle, MediaRef,
    Metadata, Observation, Owner, PiiAttestation, PlannerTrace, Pose, Provenance, RobotState,
    Safety, Segmentation, Sensors, Share, Software, Step, ToolCall, UiAction, UiContext,
    WorldModel, XrMode,
};
use std::collections::BTreeMap;

const AT_NS: i64 = 5_000_000_000;
const FRAME: &str = "frame-7";

fn map(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

fn pose(x: f32) -> Pose {
    Pose {
        position: Some([x, 0.5, 1.5]),
        orientation_quat: Some([0.0, 0.6, 0.0, 0.8]),
        valid: true,
    }
}

fn turn(speaker: &str, text: &str) -> DialogTurn {
    DialogTurn {
        speaker: speaker.to_owned(),
        text: text.to_owned(),
        turn_id: "t1".to_owned(),
        conversation_id: "c1".to_owned(),
    }
}

fn media(name: &str, after_ns: i64) -> MediaRef {
    MediaRef {
        uri: format!("blobs/{name}"),
        frame_id: FRAME.to_owned(),
        timestamp_ns: AT_NS + after_ns,
        ..MediaRef::default()
    }
}

pub(crate) fn full_step() -> Step {
    Step {
        observation: observation(),
        action: Action {
            command: vec![0.25, -0.5],
            source: "human_teleop_xr".to_owned(),
            annotation: Some(Annotation {
                kind: "language_instruction".to_owned(),
                fields: map("text", "drive to the door"),
            }),
            ui_action: Some(UiAction {
                action_type: "press".to_owned(),
                context: map("button", "arm"),
            }),
            dialog: Some(turn("assistant", "I drive.")),
            planner: Some(PlannerTrace {
                intent: "reach the door".to_owned(),
                plan_steps: vec!["turn".to_owned(), "go".to_owned()],
                selected_skill: "go".to_owned(),
                confidence: 0.75,
            }),
            tool_calls: vec![ToolCall {
                tool: "map".to_owned(),
                name: "find".to_owned(),
                args_json: "{}".to_owned(),
                result_json: "[]".to_owned(),
                ok: true,
            }],
        },
        is_terminal: true,
        step_metadata: BTreeMap::from([
            ("discount".to_owned(), "0.5".to_owned()),
            ("reward".to_owned(), "1.25".to_owned()),
            ("safety_violations".to_owned(), "none".to_owned()),
        ]),
    }
}

fn observation() -> Observation {
    Observation {
        headset_pose: pose(1.0),
        right_hand_pose: pose(2.0),
        left_hand_pose: pose(3.0),
        gaze: Gaze {
            origin: [0.0, 1.0, 2.0],
            direction: [0.6, 0.0, 0.8],
            confidence: 0.5,
            target_id: "door".to_owned(),
        },
        robot_state: RobotState {
            timestamp_nanos: AT_NS,
            joint_positions: vec![0.25],
            end_effector_pose: pose(4.0),
            gripper_open: true,
            frame_id: FRAME.to_owned(),
            joint_velocities: vec![1.5],
            joint_efforts: vec![0.125],
            end_effector_twist: Some([1.5, 0.0, 0.0, 0.0, 0.0, 0.25]),
            wall_time_millis: 1_795_000_000_123,
        },
        glove: Glove {
            timestamp_nanos: AT_NS + 4_000_000,
            flex: Some([0.0, 0.25, 0.5, 0.75, 1.0]),
            fsr: Some([0.125; 8]),
            orientation_quat: Some([0.0, 0.0, 0.0, 1.0]),
            accel: Some([0.0, 0.0, 9.75]),
            valid: true,
        },
        video_frame_id: FRAME.to_owned(),
        depth_frame_id: FRAME.to_owned(),
        diagnostics: Diagnostics {
            latency_ms: 0.0625,
            glove_drops: 1,
            ble_rssi: -60,
            glove_sample_rate_hz: 100.0,
        },
        audio: Some(Audio {
            uri: "blobs/mic.wav".to_owned(),
            sample_rate_hz: 16_000,
            num_channels: 1,
            format: "wav_pcm16".to_owned(),
            frame_id: FRAME.to_owned(),
        }),
        ui_context: Some(UiContext {
            active_panel: "map".to_owned(),
            layout: map("map", "left"),
            focus_context: map("object", "door"),
        }),
        media: Some(MediaBundle {
            rgb: Some(MediaRef {
                width: 3,
                height: 2,
                format: "jpeg".to_owned(),
                ..media("7.jpg", 1_000_000)
            }),
            depth: Some(MediaRef { units: "mm".to_owned(), ..media("7.png", -5_000_000) }),
            audio: Some(MediaRef {
                sample_rate_hz: 16_000,
                num_channels: 1,
                ..media("mic.wav", 5_000_000)
            }),
        }),
        dialog: Some(turn("user", "Drive to the door.")),
        world_model: Some(WorldModel {
            latent_tokens: vec![1, -2],
            surprise: 0.25,
            belief_state_id: "b1".to_owned(),
        }),
        command: vec![0.5, 0.25, 0.125],
        segmentation: Some(Segmentation {
            model: "m".to_owned(),
            prompt: "the door".to_owned(),
            masks: vec![MaskRef {
                uri: "blobs/mask.png".to_owned(),
                frame_id: FRAME.to_owned(),
                format: "png".to_owned(),
                instance_id: 1,
                score: 0.875,
            }],
            boxes_xyxy: vec![BoxXyxy {
                x1: 1.0,
                y1: 2.0,
                x2: 3.0,
                y2: 4.0,
                instance_id: 1,
                score: 0.875,
            }],
            notes: "near".to_owned(),
        }),
    }
}

pub(crate) fn full_metadata() -> Metadata {
    Metadata {
        xr_mode: XrMode::Trainer,
        control_role: ControlRole::HumanTeleop,
        environment_id: "lab-mock".to_owned(),
        tags: vec!["continuon.xr_mode:trainer".to_owned(), "door".to_owned()],
        software: Software {
            xr_app: "1.2".to_owned(),
            continuonbrain_os: "continuon 0.1".to_owned(),
            glove_firmware: "3".to_owned(),
        },
        schema_version: "1.1".to_owned(),
        episode_id: "ep_1".to_owned(),
        robot_id: "donkey".to_owned(),
        robot_model: "donkeycar".to_owned(),
        frame_convention: "base_link".to_owned(),
        start_time_unix_ms: 1_795_000_000_123,
        duration_ms: 3000,
        capabilities: Some(Capabilities {
            compute: Some(Compute {
                device: "pi5".to_owned(),
                ram_gb: 8.0,
                gpu: "hailo".to_owned(),
                dtype: "fp32".to_owned(),
            }),
            sensors: Some(Sensors { rgb: true, depth: true, audio: true, imu: true, glove: true }),
            actuators: Some(Actuators { drive: true, arm: false, gripper: false }),
            limits: Some(Limits { allow_motion: true, max_speed_mps: 2.5 }),
        }),
        owner: Some(Owner {
            owner_id: "o1".to_owned(),
            display_name: "Ada L.".to_owned(),
            preferred_name: "Ada".to_owned(),
            roles: vec!["owner".to_owned()],
            preferences: map("voice", "low"),
        }),
        safety: Some(Safety {
            content_rating: Some(ContentRating {
                audience: "general".to_owned(),
                violence: "none".to_owned(),
                language: "clean".to_owned(),
            }),
            pii_attestation: Some(PiiAttestation {
                pii_present: true,
                faces_present: true,
                name_present: false,
                consent: true,
            }),
            pii_cleared: false,
            pii_redacted: false,
            pending_review: true,
        }),
        share: Some(Share {
            public: false,
            slug: "door".to_owned(),
            title: "To the door".to_owned(),
            license: "CC-BY-4.0".to_owned(),
            tags: vec!["door".to_owned()],
        }),
        provenance: Some(Provenance {
            origin: "lab".to_owned(),
            source_commit: "abc".to_owned(),
            source_host: "pi".to_owned(),
            notes: "first".to_owned(),
        }),
    }
}
