//! Depth, sound and masks that a step refers to, carried with it.
//!
//! *What it decides.* That a file keeps its name, and that a reference to a file which is not at hand
//! becomes text, so that no episode refers to nothing. *What it must never do.* Follow a uri out of the
//! episode. Shown by: tests/formats/dir.rs, tests/formats/bad_input.rs.

use crate::blob;
use rlds::schema::Step;
use std::fs;
use std::path::Path;

/// Where the names of files stand that are not at hand.
const NAMES: &str = "import.media";

/// Copies every other file of `step` from the directory `from` into `to`.
///
/// # Errors
/// In words, with the field.
pub(super) fn others(step: &mut Step, from: &Path, to: &Path) -> Result<(), String> {
    let observation = &mut step.observation;
    let mut uris: Vec<(&str, &str)> = Vec::new();
    if let Some(media) = &observation.media {
        uris.extend(
            media.depth.iter().map(|one| ("observation.media.depth.uri", one.uri.as_str())),
        );
        uris.extend(
            media.audio.iter().map(|one| ("observation.media.audio.uri", one.uri.as_str())),
        );
    }
    uris.extend(observation.audio.iter().map(|one| ("observation.audio.uri", one.uri.as_str())));
    if let Some(segmentation) = &observation.segmentation {
        let masks = segmentation.masks.iter();
        uris.extend(masks.map(|one| ("observation.segmentation.masks.uri", one.uri.as_str())));
    }
    for (field, uri) in uris.into_iter().filter(|(_, uri)| !uri.is_empty()) {
        let wrong = |what: String| format!("{field}: {what}");
        let source = blob::resolve(from, uri).map_err(wrong)?;
        let target = to.join(uri);
        if target.exists() {
            continue;
        }
        let made = target.parent().map_or(Ok(()), fs::create_dir_all);
        let copied = made.and_then(|()| fs::copy(&source, &target));
        copied.map_err(|error| wrong(format!("`{uri}`: {error}")))?;
    }
    Ok(())
}

/// Lets references to files that are not at hand become text; the picture stays where it is there.
pub(super) fn names_only(step: &mut Step, has_picture: bool) {
    let observation = &mut step.observation;
    let mut names = serde_json::Map::new();
    let mut note = |name: &str, value: serde_json::Result<serde_json::Value>| {
        // What serde made of a block, serde can write again.
        names.insert(name.to_owned(), value.unwrap_or_default());
    };
    if let Some(mut media) = observation.media.take() {
        let rgb = media.rgb.take();
        if has_picture {
            let others = [media.depth.is_some(), media.audio.is_some()];
            if others.contains(&true) {
                note("media", serde_json::to_value(&media));
            }
            observation.media = Some(rlds::schema::MediaBundle { rgb, ..Default::default() });
        } else {
            media.rgb = rgb;
            note("media", serde_json::to_value(&media));
        }
    }
    if let Some(audio) = observation.audio.take() {
        note("audio", serde_json::to_value(&audio));
    }
    if let Some(segmentation) = &mut observation.segmentation
        && !segmentation.masks.is_empty()
    {
        note("masks", serde_json::to_value(std::mem::take(&mut segmentation.masks)));
    }
    if !names.is_empty() {
        let text = serde_json::Value::Object(names).to_string();
        step.step_metadata.insert(NAMES.to_owned(), text);
    }
}
