//! `dir`: the contract's directory, with each step's picture as a file.
//!
//! *What it decides.* Names: `blobs/<step>.jpg`. The JPEG is the camera's, byte for byte. It is also
//! what every import writes. *What it must never do.* Write into an episode that is there already.
//!
//! Shown by: tests/formats/dir.rs.

use super::{Fate, Names, Ticker, Told, carry};
use crate::atomic::Unfinished;
use crate::canonical::CanonicalSource;
use crate::problem::Problem;
use crate::sample::{Picture, Source};
use rlds::schema::{MediaBundle, MediaRef, Metadata, Step};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

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
    let mut wall_ms = 0;
    while let Some(mut sample) = source.next_sample()? {
        if let Some(picture) = &sample.picture {
            let name = format!("blobs/{:06}.jpg", sample.index);
            let blob = directory.join(&name);
            fs::write(&blob, &picture.jpeg).map_err(Problem::write(&blob))?;
            refer(&mut sample.step, name, picture);
        }
        let has_picture = sample.picture.is_some();
        match source.files() {
            Some(files) => carry::others(&mut sample.step, files, directory)
                .map_err(|what| Problem::input(path, format!(": step {}", sample.index), what))?,
            None => carry::names_only(&mut sample.step, has_picture),
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
        if wall_ms == 0 {
            wall_ms = sample.step.observation.robot_state.wall_time_millis;
        }
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
    if metadata.start_time_unix_ms <= 0 {
        tell_start(&mut metadata, wall_ms, path);
    }
    let text = serde_json::to_vec_pretty(&metadata)
        .map_err(|error| Problem::input(path, "", error.to_string()))?;
    crate::atomic::write_file(&directory.join("metadata.json"), &text)?;
    Ok(steps)
}

/// When an episode was, where its recorder did not say: what the steps say, else the file's own time.
fn tell_start(metadata: &mut Metadata, wall_ms: i64, path: &Path) {
    if wall_ms > 0 {
        metadata.start_time_unix_ms = wall_ms;
        return;
    }
    let modified = fs::metadata(path).and_then(|data| data.modified()).ok();
    let since_1970 = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let ms = since_1970.and_then(|since| i64::try_from(since.as_millis()).ok());
    metadata.start_time_unix_ms = ms.unwrap_or(0).max(1);
    metadata.tags.push("imported.start_time:of the file".to_owned());
}

/// Lets `step` refer to the picture as `uri`.
fn refer(step: &mut Step, uri: String, picture: &Picture) {
    let frame_id = step.observation.video_frame_id.clone();
    let timestamp_ns = step.observation.robot_state.timestamp_nanos;
    let pixels = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let media = step.observation.media.get_or_insert_with(MediaBundle::default);
    let rgb =
        media.rgb.get_or_insert_with(|| MediaRef { frame_id, timestamp_ns, ..MediaRef::default() });
    rgb.uri = uri;
    rgb.width = pixels(picture.size.width);
    rgb.height = pixels(picture.size.height);
    "jpeg".clone_into(&mut rgb.format);
}
