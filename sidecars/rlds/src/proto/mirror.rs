//! Blocks whose fields are the same in both forms: a row each.
//!
//! A field that is in one of the two types only, or in neither row, does not compile. Shown by:
//! tests/proto.rs.

use super::rlds_v1 as v1;
use crate::schema;

/// `same`: equal types; `maybe`: a block that may be absent; `many`: a list of blocks.
macro_rules! mirror {
    ($ours:ident, $theirs:ident,
     same [$($same:ident),*], maybe [$($maybe:ident),*], many [$($many:ident),*]) => {
        impl From<&schema::$ours> for v1::$theirs {
            fn from(ours: &schema::$ours) -> Self {
                Self {
                    $($same: Clone::clone(&ours.$same),)*
                    $($maybe: ours.$maybe.as_ref().map(Into::into),)*
                    $($many: ours.$many.iter().map(Into::into).collect(),)*
                }
            }
        }
        impl From<v1::$theirs> for schema::$ours {
            fn from(theirs: v1::$theirs) -> Self {
                Self {
                    $($same: theirs.$same,)*
                    $($maybe: theirs.$maybe.map(Into::into),)*
                    $($many: theirs.$many.into_iter().map(Into::into).collect(),)*
                }
            }
        }
    };
}

mirror!(Software, SoftwareVersions,
    same [xr_app, continuonbrain_os, glove_firmware], maybe [], many []);
mirror!(Owner, OwnerProfile,
    same [owner_id, display_name, preferred_name, roles, preferences], maybe [], many []);
mirror!(Safety, SafetyMetadata,
    same [pii_cleared, pii_redacted, pending_review],
    maybe [content_rating, pii_attestation], many []);
mirror!(ContentRating, ContentRating, same [audience, violence, language], maybe [], many []);
mirror!(PiiAttestation, PiiAttestation,
    same [pii_present, faces_present, name_present, consent], maybe [], many []);
mirror!(Share, ShareMetadata, same [public, slug, title, license, tags], maybe [], many []);
mirror!(Provenance, Provenance,
    same [origin, source_commit, source_host, notes], maybe [], many []);
mirror!(Capabilities, Capabilities,
    same [], maybe [compute, sensors, actuators, limits], many []);
mirror!(Compute, ComputeCapabilities, same [device, ram_gb, gpu, dtype], maybe [], many []);
mirror!(Sensors, SensorCapabilities, same [rgb, depth, audio, imu, glove], maybe [], many []);
mirror!(Actuators, ActuatorCapabilities, same [drive, arm, gripper], maybe [], many []);
mirror!(Limits, SafetyLimits, same [allow_motion, max_speed_mps], maybe [], many []);

mirror!(Action, Action,
    same [command, source], maybe [annotation, ui_action, dialog, planner], many [tool_calls]);
mirror!(Annotation, Annotation, same [kind, fields], maybe [], many []);
mirror!(UiAction, UiAction, same [action_type, context], maybe [], many []);
mirror!(PlannerTrace, PlannerTrace,
    same [intent, plan_steps, selected_skill, confidence], maybe [], many []);
mirror!(ToolCall, ToolCall, same [tool, name, args_json, result_json, ok], maybe [], many []);

mirror!(Diagnostics, Diagnostics,
    same [latency_ms, glove_drops, ble_rssi, glove_sample_rate_hz], maybe [], many []);
mirror!(Audio, Audio,
    same [uri, sample_rate_hz, num_channels, format, frame_id], maybe [], many []);
mirror!(UiContext, UiContext, same [active_panel, layout, focus_context], maybe [], many []);
mirror!(MediaBundle, MediaBundle, same [], maybe [rgb, depth, audio], many []);
mirror!(MediaRef, MediaRef,
    same [uri, frame_id, timestamp_ns, width, height, format, units, sample_rate_hz, num_channels],
    maybe [], many []);
mirror!(DialogTurn, DialogTurn,
    same [speaker, text, turn_id, conversation_id], maybe [], many []);
mirror!(WorldModel, WorldModelSignals,
    same [latent_tokens, surprise, belief_state_id], maybe [], many []);
mirror!(Segmentation, SegmentationBundle,
    same [model, prompt, notes], maybe [], many [masks, boxes_xyxy]);
mirror!(MaskRef, MaskRef, same [uri, frame_id, format, instance_id, score], maybe [], many []);
mirror!(BoxXyxy, BoxXyxy, same [x1, y1, x2, y2, instance_id, score], maybe [], many []);
