//! `dir`: the contract's directory, with each step's picture as a file.
//!
//! *What it decides.* Names: `blobs/<step>.jpg`. The JPEG is the camera's, byte for byte. It is also
//! what every import writes. *What it must never do.* Write into an episode that is there already.
//!
//! Shown by: tests/formats/dir.rs.

use super::{Fate, Names, Ticker, Told};
use crate::atomic::Unfinished;
use crate::canonical::CanonicalSource;
use crate::problem::Problem;
use crate::sample::{Picture, Source};
use rlds::schema::{MediaBundle, MediaRef, Step};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Copies the episode in `path` into a directory in `to`.
pub(super) fn write_episode(
    path: &Path,
    to: &Path,
    names: &mut Names,
    ticker: &mut Ticker<'_>,
) -> Result<Told, Problem> {
    let mut source = CanonicalSource::open(path, true)?;
    write(&mut source, path, to, names, ticker)
}

/// Writes what `source` has into a directory in `to`; `path` is what problems are told of.
pub(crate) fn write(
    source: &mut dyn Source,
    path: &Path,
    to: &Path,
    names: &mut Names,
    ticker: &mut Ticker<'_>,
) -> Result<Told, Problem> {
    let id = names.take(path, &source.metadata().episode_id)?;
    let target = to.join(&id);
    if target.exists() {
        return Ok(Told::new(path, &id, Fate::Kept, 0));
    }
    let unfinished = Unfinished::directory(&target)?;
    let steps = write_into(source, path, unfinished.beside(), &id, ticker)?;
    unfinished.finish()?;
    Ok(Told { left_out: source.remarks(), ..Told::new(path, &id, Fate::Written, steps) })
}

fn write_into(
    source: &mut dyn Source,
    path: &Path,
    directory: &Path,
    id: &str,
    ticker: &mut Ticker<'_>,
) -> Result<u64, Problem> {
    for part in ["steps", "blobs"] {
        let part = directory.join(part);
        fs::create_dir(&part).map_err(Problem::write(&part))?;
    }
    let lines_path = directory.join("steps/000000.jsonl");
    let file = File::create_new(&lines_path).map_err(Problem::write(&lines_path))?;
    let mut lines = BufWriter::with_capacity(1 << 16, file);
    let mut steps = 0_u64;
    let mut last_ns = 0_i64;
    let mut first_ns = None;
    while let Some(mut sample) = source.next_sample()? {
        if let Some(picture) = &sample.picture {
            let name = format!("blobs/{:06}.jpg", sample.index);
            let blob = directory.join(&name);
            fs::write(&blob, &picture.jpeg).map_err(Problem::write(&blob))?;
            refer(&mut sample.step, name, picture);
        }
        let line = serde_json::to_vec(&sample.step).map_err(|error| {
            Problem::input(path, format!(": step {}", sample.index), error.to_string())
        })?;
        lines
            .write_all(&line)
            .and_then(|()| lines.write_all(b"\n"))
            .map_err(Problem::write(&lines_path))?;
        last_ns = sample.step.observation.robot_state.timestamp_nanos;
        first_ns.get_or_insert(last_ns);
        steps = steps.saturating_add(1);
        ticker.step();
    }
    if steps == 0 {
        return Err(Problem::input(path, "", "expected at least one step, found none"));
    }
    lines
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(|file| file.sync_data())
        .map_err(Problem::write(&lines_path))?;
    let mut metadata = source.metadata().clone();
    id.clone_into(&mut metadata.episode_id);
    if metadata.duration_ms == 0 {
        metadata.duration_ms = last_ns.saturating_sub(first_ns.unwrap_or(last_ns)) / 1_000_000;
    }
    let text = serde_json::to_vec_pretty(&metadata)
        .map_err(|error| Problem::input(path, "", error.to_string()))?;
    crate::atomic::write_file(&directory.join("metadata.json"), &text)?;
    Ok(steps)
}

/// Lets `step` refer to the picture as `uri`.
fn refer(step: &mut Step, uri: String, picture: &Picture) {
    let frame_id = step.observation.video_frame_id.clone();
    let timestamp_ns = step.observation.robot_state.timestamp_nanos;
    let pixels = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let media = step.observation.media.get_or_insert_with(MediaBundle::default);
    let rgb = media.rgb.get_or_insert_with(|| MediaRef {
        frame_id,
        timestamp_ns,
        ..MediaRef::default()
    });
    rgb.uri = uri;
    rgb.width = pixels(picture.size.width);
    rgb.height = pixels(picture.size.height);
    "jpeg".clone_into(&mut rgb.format);
}
