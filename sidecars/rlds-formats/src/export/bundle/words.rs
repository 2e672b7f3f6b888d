//! The words that may stand in a bundle as they are: those of the contract and of the loop.
//!
//! *What it decides.* Which texts say nothing of a person or a place, because they come from a closed
//! list or are a number, a yes or a no. *What it must never do.* Let a text pass because its field is
//! harmless: only the text itself can be.
//!
//! Shown by: tests/formats/bundle.rs.

use rt_wire::{Fault, Mode, RuleSet, Source};

/// Fields whose texts come from a list, by the path of the field.
const LISTS: [(&str, &[&str]); 17] = [
    ("metadata.xr_mode", &["trainer", "workstation", "observer", "sleep_learning"]),
    ("metadata.control_role", &["human_teleop", "human_supervisor", "human_dev_xr"]),
    ("metadata.schema_version", &["1.0", "1.1"]),
    ("metadata.frame_convention", &["base_link", "camera_link"]),
    ("metadata.software.xr_app", &["none", "n/a"]),
    ("metadata.software.continuonbrain_os", &["none", "n/a", "dev"]),
    ("metadata.software.glove_firmware", &["none", "n/a"]),
    ("metadata.capabilities.compute.dtype", &["bf16", "fp16", "fp32", "fp64", "int8"]),
    ("metadata.safety.content_rating.audience", &["general", "teen", "adult"]),
    ("metadata.safety.content_rating.violence", &["none", "mild", "graphic"]),
    ("metadata.safety.content_rating.language", &["clean", "some", "strong"]),
    ("metadata.share.license", &["CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "MIT", "Apache-2.0"]),
    ("observation.media.rgb.format", &["jpeg", "png"]),
    ("observation.media.depth.format", &["png"]),
    ("observation.media.audio.format", &["wav_pcm16"]),
    ("observation.media.depth.units", &["mm", "m"]),
    ("action.source", &["human_teleop_xr", "human_dev_xr", "human_supervisor"]),
];

/// Who speaks in a dialog.
const SPEAKERS: [&str; 3] = ["user", "assistant", "system"];
/// Keys of `step_metadata` whose value is a yes or a no.
const YES_OR_NO: [&str; 4] = ["safety_clamped", "safety_violation", "frame_drop", "ball_reached"];
/// Keys of `step_metadata` whose value is a number.
const NUMBERS: [&str; 11] = [
    "fast_loop_tick",
    "asked_steering",
    "asked_throttle",
    "steering_pulse_us",
    "throttle_pulse_us",
    "telemetry_lost",
    "steps_skipped",
    "reward",
    "discount",
    "surprise",
    "mid_loop_train_id",
];
/// Keys of `step_metadata` whose value is a list of the loop's own words.
const LOOP_WORDS: [&str; 5] = ["mode", "authority", "cause", "safety_violations", "rules"];

/// Whether `text` may stand in the field `path` as it is.
pub(super) fn may_stand(path: &str, text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    if path.ends_with(".dialog.speaker") {
        return SPEAKERS.contains(&text);
    }
    if path.starts_with("metadata.software.") && is_version(text) {
        return true;
    }
    LISTS.iter().any(|(field, texts)| *field == path && texts.contains(&text))
}

/// Whether `key` of `step_metadata` may stand as it is.
pub(super) fn key_may_stand(key: &str) -> bool {
    YES_OR_NO.contains(&key)
        || NUMBERS.contains(&key)
        || LOOP_WORDS.contains(&key)
        || key == crate::sample::LANGUAGE
}

/// Whether `value` of `step_metadata[key]` may stand as it is.
pub(super) fn value_may_stand(key: &str, value: &str) -> bool {
    if YES_OR_NO.contains(&key) {
        return matches!(value, "true" | "false");
    }
    if NUMBERS.contains(&key) {
        let is_of_a_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e');
        return value.len() <= 24
            && value.chars().all(is_of_a_number)
            && value.parse::<f64>().is_ok_and(f64::is_finite);
    }
    LOOP_WORDS.contains(&key) && value.split(',').all(is_word_of_the_loop)
}

/// Whether a tag may stand as it is.
pub(super) fn tag_may_stand(tag: &str) -> bool {
    let Some((name, value)) = tag.split_once(':') else {
        return false;
    };
    match name {
        "continuon.xr_mode" => may_stand("metadata.xr_mode", value),
        "continuon.control_role" => may_stand("metadata.control_role", value),
        "continuon.closing" => {
            matches!(value, "open" | "clean" | "cut" | "loop_lost" | "disk_failed" | "recovered")
        }
        "continuon.steps" | "continuon.telemetry_records" | "continuon.telemetry_lost" => {
            value.len() <= 20 && value.chars().all(|c| c.is_ascii_digit())
        }
        _ => false,
    }
}

fn is_word_of_the_loop(word: &str) -> bool {
    let is_rule = || RuleSet(u32::MAX).names().any(|name| name.to_lowercase() == word);
    word == "none"
        || Mode::ALL.iter().any(|mode| mode.name() == word)
        || Source::ALL.iter().any(|source| source.name() == word)
        || Fault::ALL.iter().any(|fault| fault.name() == word)
        || is_rule()
}

/// `1.2.3`, or ours with its name before it.
fn is_version(text: &str) -> bool {
    let number = text.strip_prefix("continuon ").unwrap_or(text);
    let is_number = |part: &str| part.len() <= 5 && part.parse::<u32>().is_ok();
    number.split('.').count() <= 4 && number.split('.').all(is_number)
}
