//! The contract's JSON as one table: each key of each block, its type, and whether it must be there.
//!
//! *What it decides.* Which keys and types are allowed, and what a wrong key most likely means. The
//! types of [`schema`](crate::schema) say the same, and stop at the first fault; this table names all
//! of them. Shown by: agreement.rs (both refuse the same).

/// How many numbers a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Any,
    AtLeastOne,
    Exactly(usize),
    /// As many, or none.
    AllOrNone(usize),
}

/// What may stand under a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// One of these texts, or an empty one.
    ChoiceOrEmpty(&'static [&'static str]),
    Bool,
    Int32,
    Int64,
    Number,
    Numbers(Length),
    Int32s,
    Texts,
    /// Texts under any keys.
    TextMap,
    Block(&'static Block),
    Blocks(&'static Block),
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
}

/// The keys that may stand in one block; no other may.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) keys: &'static [Key],
}

const fn must(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, is_required: true }
}

const fn may(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, is_required: false }
}

use Kind::{
    Bool, Choice, ChoiceOrEmpty, Int32, Int32s, Int64, Number, Numbers, Text, TextMap, Texts,
};
use Length::{AllOrNone, Any, AtLeastOne, Exactly};

/// Of an ordinary episode; a promotion record's is another.
const XR_MODES: &[&str] = &["trainer", "workstation", "observer"];
const CONTROL_ROLES: &[&str] = &["human_teleop", "human_supervisor", "human_dev_xr"];
/// Who may have acted.
const SOURCES: &[&str] = &["human_teleop_xr", "human_dev_xr", "human_supervisor"];
/// Frames that poses may be told in.
const FRAME_CONVENTIONS: &[&str] = &["base_link", "camera_link"];
/// Versions of the contract.
const VERSIONS: &[&str] = &["1.0", "1.1"];
const AUDIENCES: &[&str] = &["general", "teen", "adult"];
const VIOLENCE: &[&str] = &["none", "mild", "graphic"];
const LANGUAGE: &[&str] = &["clean", "some", "strong"];
const SPEAKERS: &[&str] = &["user", "assistant", "system"];

pub(crate) static METADATA: Block = Block {
    keys: &[
        must("xr_mode", Choice(XR_MODES)),
        must("control_role", Choice(CONTROL_ROLES)),
        must("environment_id", Text),
        must("tags", Texts),
        must("software", Kind::Block(&SOFTWARE)),
        may("schema_version", ChoiceOrEmpty(VERSIONS)),
        may("episode_id", Text),
        may("robot_id", Text),
        may("robot_model", Text),
        may("frame_convention", ChoiceOrEmpty(FRAME_CONVENTIONS)),
        may("start_time_unix_ms", Int64),
        may("duration_ms", Int64),
        may("capabilities", Kind::Block(&CAPABILITIES)),
        may("owner", Kind::Block(&OWNER)),
        may("safety", Kind::Block(&SAFETY)),
        may("share", Kind::Block(&SHARE)),
        may("provenance", Kind::Block(&PROVENANCE)),
    ],
};

static SOFTWARE: Block = Block {
    keys: &[must("xr_app", Text), must("continuonbrain_os", Text), must("glove_firmware", Text)],
};

static CAPABILITIES: Block = Block {
    keys: &[
        may("compute", Kind::Block(&COMPUTE)),
        may("sensors", Kind::Block(&SENSORS)),
        may("actuators", Kind::Block(&ACTUATORS)),
        may("limits", Kind::Block(&LIMITS)),
    ],
};

static COMPUTE: Block = Block {
    keys: &[may("device", Text), may("ram_gb", Number), may("gpu", Text), may("dtype", Text)],
};

static SENSORS: Block = Block {
    keys: &[
        may("rgb", Bool),
        may("depth", Bool),
        may("audio", Bool),
        may("imu", Bool),
        may("glove", Bool),
    ],
};

static ACTUATORS: Block =
    Block { keys: &[may("drive", Bool), may("arm", Bool), may("gripper", Bool)] };

static LIMITS: Block = Block { keys: &[may("allow_motion", Bool), may("max_speed_mps", Number)] };

static OWNER: Block = Block {
    keys: &[
        may("owner_id", Text),
        may("display_name", Text),
        may("preferred_name", Text),
        may("roles", Texts),
        may("preferences", TextMap),
    ],
};

static SAFETY: Block = Block {
    keys: &[
        may("content_rating", Kind::Block(&CONTENT_RATING)),
        may("pii_attestation", Kind::Block(&PII_ATTESTATION)),
        may("pii_cleared", Bool),
        may("pii_redacted", Bool),
        may("pending_review", Bool),
    ],
};

static CONTENT_RATING: Block = Block {
    keys: &[
        may("audience", ChoiceOrEmpty(AUDIENCES)),
        may("violence", ChoiceOrEmpty(VIOLENCE)),
        may("language", ChoiceOrEmpty(LANGUAGE)),
    ],
};

static PII_ATTESTATION: Block = Block {
    keys: &[
        may("pii_present", Bool),
        may("faces_present", Bool),
        may("name_present", Bool),
        may("consent", Bool),
    ],
};

static SHARE: Block = Block {
    keys: &[
        may("public", Bool),
        may("slug", Text),
        may("title", Text),
        may("license", Text),
        may("tags", Texts),
    ],
};

static PROVENANCE: Block = Block {
    keys: &[
        may("origin", Text),
        may("source_commit", Text),
        may("source_host", Text),
        may("notes", Text),
    ],
};

pub(crate) static STEP: Block = Block {
    keys: &[
        must("observation", Kind::Block(&OBSERVATION)),
        must("action", Kind::Block(&ACTION)),
        may("is_terminal", Bool),
        may("step_metadata", TextMap),
    ],
};

static OBSERVATION: Block = Block {
    keys: &[
        must("headset_pose", Kind::Block(&POSE)),
        must("right_hand_pose", Kind::Block(&POSE)),
        must("left_hand_pose", Kind::Block(&POSE)),
        must("gaze", Kind::Block(&GAZE)),
        must("robot_state", Kind::Block(&ROBOT_STATE)),
        must("glove", Kind::Block(&GLOVE)),
        must("video_frame_id", Text),
        must("depth_frame_id", Text),
        must("diagnostics", Kind::Block(&DIAGNOSTICS)),
        may("audio", Kind::Block(&AUDIO)),
        may("ui_context", Kind::Block(&UI_CONTEXT)),
        may("media", Kind::Block(&MEDIA)),
        may("dialog", Kind::Block(&DIALOG)),
        may("world_model", Kind::Block(&WORLD_MODEL)),
        may("command", Numbers(Any)),
        may("segmentation", Kind::Block(&SEGMENTATION)),
    ],
};

static POSE: Block = Block {
    keys: &[
        must("position", Numbers(AllOrNone(3))),
        must("orientation_quat", Numbers(AllOrNone(4))),
        must("valid", Bool),
    ],
};

static GAZE: Block = Block {
    keys: &[
        must("origin", Numbers(Exactly(3))),
        must("direction", Numbers(Exactly(3))),
        must("confidence", Number),
        may("target_id", Text),
    ],
};

static ROBOT_STATE: Block = Block {
    keys: &[
        must("timestamp_nanos", Int64),
        must("joint_positions", Numbers(Any)),
        must("end_effector_pose", Kind::Block(&POSE)),
        must("gripper_open", Bool),
        must("frame_id", Text),
        must("joint_velocities", Numbers(Any)),
        may("joint_efforts", Numbers(Any)),
        must("end_effector_twist", Numbers(AllOrNone(6))),
        must("wall_time_millis", Int64),
    ],
};

static GLOVE: Block = Block {
    keys: &[
        must("timestamp_nanos", Int64),
        must("flex", Numbers(AllOrNone(5))),
        must("fsr", Numbers(AllOrNone(8))),
        must("orientation_quat", Numbers(AllOrNone(4))),
        must("accel", Numbers(AllOrNone(3))),
        must("valid", Bool),
    ],
};

static DIAGNOSTICS: Block = Block {
    keys: &[
        must("latency_ms", Number),
        must("glove_drops", Int32),
        must("ble_rssi", Int32),
        must("glove_sample_rate_hz", Number),
    ],
};

static AUDIO: Block = Block {
    keys: &[
        may("uri", Text),
        may("sample_rate_hz", Int32),
        may("num_channels", Int32),
        may("format", Text),
        may("frame_id", Text),
    ],
};

static UI_CONTEXT: Block = Block {
    keys: &[may("active_panel", Text), may("layout", TextMap), may("focus_context", TextMap)],
};

static MEDIA: Block = Block {
    keys: &[
        may("rgb", Kind::Block(&MEDIA_REF)),
        may("depth", Kind::Block(&MEDIA_REF)),
        may("audio", Kind::Block(&MEDIA_REF)),
    ],
};

static MEDIA_REF: Block = Block {
    keys: &[
        must("uri", Text),
        may("frame_id", Text),
        may("timestamp_ns", Int64),
        may("width", Int32),
        may("height", Int32),
        may("format", Text),
        may("units", Text),
        may("sample_rate_hz", Int32),
        may("num_channels", Int32),
    ],
};

static DIALOG: Block = Block {
    keys: &[
        may("speaker", ChoiceOrEmpty(SPEAKERS)),
        may("text", Text),
        may("turn_id", Text),
        may("conversation_id", Text),
    ],
};

static WORLD_MODEL: Block = Block {
    keys: &[may("latent_tokens", Int32s), may("surprise", Number), may("belief_state_id", Text)],
};

static SEGMENTATION: Block = Block {
    keys: &[
        may("model", Text),
        may("prompt", Text),
        may("masks", Kind::Blocks(&MASK)),
        may("boxes_xyxy", Kind::Blocks(&BOX)),
        may("notes", Text),
    ],
};

static MASK: Block = Block {
    keys: &[
        may("uri", Text),
        may("frame_id", Text),
        may("format", Text),
        may("instance_id", Int32),
        may("score", Number),
    ],
};

static BOX: Block = Block {
    keys: &[
        may("x1", Number),
        may("y1", Number),
        may("x2", Number),
        may("y2", Number),
        may("instance_id", Int32),
        may("score", Number),
    ],
};

static ACTION: Block = Block {
    keys: &[
        must("command", Numbers(AtLeastOne)),
        must("source", Choice(SOURCES)),
        may("annotation", Kind::Block(&ANNOTATION)),
        may("ui_action", Kind::Block(&UI_ACTION)),
        may("dialog", Kind::Block(&DIALOG)),
        may("planner", Kind::Block(&PLANNER)),
        may("tool_calls", Kind::Blocks(&TOOL_CALL)),
    ],
};

static ANNOTATION: Block = Block { keys: &[may("kind", Text), may("fields", TextMap)] };

static UI_ACTION: Block = Block { keys: &[may("action_type", Text), may("context", TextMap)] };

static PLANNER: Block = Block {
    keys: &[
        may("intent", Text),
        may("plan_steps", Texts),
        may("selected_skill", Text),
        may("confidence", Number),
    ],
};

static TOOL_CALL: Block = Block {
    keys: &[
        may("tool", Text),
        may("name", Text),
        may("args_json", Text),
        may("result_json", Text),
        may("ok", Bool),
    ],
};

/// Names that other programs and the contract's own prose use, and what they are here.
pub(crate) const KNOWN_ELSEWHERE: &[(&str, &str)] = &[
    ("reward", "step_metadata.reward"),
    ("discount", "step_metadata.discount"),
    ("language_instruction", "step_metadata.language_instruction"),
    ("step_index", "step_metadata.step_index"),
    ("obs", "observation"),
    ("info", "step_metadata"),
    ("xr_headset_pose", "headset_pose"),
    ("xr_hand_right_pose", "right_hand_pose"),
    ("xr_hand_left_pose", "left_hand_pose"),
    ("egocentric_video", "video_frame_id"),
    ("egocentric_depth", "depth_frame_id"),
    ("left_arm", "the flat robot_state"),
    ("right_arm", "the flat robot_state"),
    ("steering", "command[0]"),
    ("throttle", "command[1]"),
];
