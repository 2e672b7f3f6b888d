//! Rules about `metadata.json`, and what the rest of the episode is held against.
//!
//! *What it decides.* Who must say who it is, that the mode is also a tag, and that nothing is listed
//! for everybody before somebody has looked. Shown by: tests/validate.

use super::finding::Findings;
use super::json::{Json, shown};
use super::shape;
use super::table::METADATA;

/// Tag of the record of an adapter's promotion.
pub(crate) const PROMOTION_TAG: &str = "adapter_promotion";
/// Mode of such a record.
pub(crate) const PROMOTION_MODE: &str = "sleep_learning";
/// Ways to say that there is no glove.
const NO_GLOVE: [&str; 4] = ["", "none", "n/a", "unknown"];

/// What the metadata says that the rest must bear out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) duration_ms: Option<i64>,
    pub(crate) episode_id: Option<String>,
    pub(crate) steps: Option<u64>,
    pub(crate) telemetry_lost: Option<u64>,
    pub(crate) has_glove: bool,
    pub(crate) is_promotion: bool,
}

impl Said {
    pub(crate) fn by(metadata: &Json) -> Self {
        let tag = |name: &str| metadata.texts("tags").find_map(|tag| tag.strip_prefix(name));
        let firmware = metadata.get("software").and_then(|block| block.text("glove_firmware"));
        let sensors = metadata.get("capabilities").and_then(|block| block.get("sensors"));
        Self {
            duration_ms: metadata.int("duration_ms"),
            episode_id: metadata.text("episode_id").map(str::to_owned),
            steps: tag("continuon.steps:").and_then(|count| count.parse().ok()),
            telemetry_lost: tag("continuon.telemetry_lost:").and_then(|count| count.parse().ok()),
            has_glove: sensors
                .and_then(|sensors| sensors.bool("glove"))
                .unwrap_or_else(|| firmware.is_some_and(|version| !NO_GLOVE.contains(&version))),
            is_promotion: metadata.texts("tags").any(|tag| tag == PROMOTION_TAG)
                || metadata.text("xr_mode") == Some(PROMOTION_MODE),
        }
    }
}

/// Of an ordinary episode. `has_recording`: a robot wrote it.
pub(crate) fn check(metadata: &Json, has_recording: bool, findings: &mut Findings<'_>) {
    findings.faults(shape::check(&METADATA, metadata));
    if let Some(mode) = metadata.text("xr_mode") {
        mode_tag(metadata, mode, findings);
    }
    if metadata.text("environment_id") == Some("") {
        findings.error("empty", "environment_id", "a name", "an empty text");
    }
    identity(metadata, has_recording, findings);
    sharing(metadata, findings);
}

fn mode_tag(metadata: &Json, mode: &str, findings: &mut Findings<'_>) {
    const TAG: &str = "continuon.xr_mode:";
    match metadata.texts("tags").find_map(|tag| tag.strip_prefix(TAG)) {
        Some(tagged) if tagged == mode => {}
        Some(tagged) => {
            let found = shown(&format!("{TAG}{tagged}"));
            findings.error("mode_tag", "tags", shown(&format!("{TAG}{mode}")), found);
        }
        None => {
            findings.warning("mode_tag", "tags", shown(&format!("{TAG}{mode}")), "no such tag");
        }
    }
}

/// A robot must say which it is, and when it was; an episode of version 1.0 that no robot wrote may
/// not.
fn identity(metadata: &Json, has_recording: bool, findings: &mut Findings<'_>) {
    let version = metadata.text("schema_version").unwrap_or_default();
    let is_due = has_recording || !matches!(version, "" | "1.0");
    let mut missing = |field: &str, found: &str| {
        let expected = "told, as each robot must";
        if is_due {
            findings.error("robot_identity", field, expected, found);
        } else {
            findings.warning("robot_identity", field, expected, found);
        }
    };
    for key in ["robot_id", "robot_model", "frame_convention"] {
        match metadata.get(key) {
            None => missing(key, "nothing"),
            Some(Json::Text(text)) if text.is_empty() => missing(key, "an empty text"),
            Some(_) => {}
        }
    }
    for key in ["start_time_unix_ms", "duration_ms"] {
        if metadata.get(key).is_none() {
            missing(key, "nothing");
        }
    }
    for (key, least) in [("start_time_unix_ms", 1), ("duration_ms", 0)] {
        if let Some(found) = metadata.int(key)
            && found < least
        {
            findings.error("range", key, format!("at least {least}"), found.to_string());
        }
    }
}

/// Nothing is for everybody before somebody has looked at what of people is in it.
fn sharing(metadata: &Json, findings: &mut Findings<'_>) {
    let safety = metadata.get("safety");
    let says = |key| safety.and_then(|safety| safety.bool(key)) == Some(true);
    let is_public = metadata.get("share").and_then(|share| share.bool("public")) == Some(true);
    if is_public && (!says("pii_cleared") || says("pending_review")) {
        let expected = "false, or safety.pii_cleared without pending_review";
        findings.error("public_pii", "share.public", expected, "true");
    }
    let pii = safety.and_then(|safety| safety.get("pii_attestation"));
    let attests = |key| pii.and_then(|pii| pii.bool(key)) == Some(true);
    if !attests("pii_present") && (attests("faces_present") || attests("name_present")) {
        let field = "safety.pii_attestation.pii_present";
        findings.error("public_pii", field, "true, since faces or names are present", "false");
    }
}

/// Of the record of an adapter's promotion.
pub(crate) fn check_promotion(metadata: &Json, findings: &mut Findings<'_>) {
    let mut faults = shape::check(&METADATA, metadata);
    // Its words are held against those of a promotion below.
    faults.retain(|fault| (fault.rule, fault.field.as_str()) != ("enum", "xr_mode"));
    findings.faults(faults);
    for (key, expected) in [("xr_mode", PROMOTION_MODE), ("control_role", "human_supervisor")] {
        if let Some(found) = metadata.text(key)
            && found != expected
        {
            findings.error("promotion", key, shown(expected), shown(found));
        }
    }
    let tag = |name: &str| metadata.texts("tags").find_map(|tag| tag.strip_prefix(name));
    if !metadata.texts("tags").any(|tag| tag == PROMOTION_TAG) {
        findings.error("promotion", "tags", shown(PROMOTION_TAG), "no such tag");
    }
    match tag("promoted:") {
        Some("true" | "false" | "True" | "False") => {}
        found => {
            let found = found.map_or_else(|| "no such tag".to_owned(), shown);
            findings.error("promotion", "tags", "`promoted:true` or `promoted:false`", found);
        }
    }
    if tag("reason:").is_none_or(str::is_empty) {
        findings.error("promotion", "tags", "`reason:` and the reason", "no such tag");
    }
}
