//! `mcap`: the recording alone, as Foxglove and Rerun open it.
//!
//! *What it decides.* That what is handed on has its end: without index and footer other readers find
//! nothing, or guess; so of a recorder that was killed, the copy is put in order. *What it must never
//! do.* Mend the source; `continuon rlds fsck --repair` does.
//!
//! Shown by: tests/formats/dir.rs, tests/formats/recording.rs.

use super::{Fate, Names, Told};
use crate::atomic::{self, Unfinished};
use crate::problem::Problem;
use rlds::{EpisodeReader, recording_path};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What an MCAP file begins and ends with.
const MAGIC: [u8; 8] = [0x89, b'M', b'C', b'A', b'P', b'0', b'\r', b'\n'];

/// Copies the recording of the episode in `path` into `to`.
pub(super) fn write(path: &Path, to: &Path, names: &mut Names) -> Result<Told, Problem> {
    // A recorder that was killed may have left no metadata; the directory has the name too.
    let id = EpisodeReader::open(path).map(|reader| reader.metadata().episode_id.clone());
    let id = names.take(path, &id.unwrap_or_default())?;
    let target = to.join(format!("{id}.mcap"));
    if target.exists() {
        return Ok(Told::new(path, &id, Fate::Kept, 0));
    }
    let recording = recording_path(path);
    let mut input = File::open(&recording).map_err(Problem::read(&recording))?;
    if !is_closed(&mut input).map_err(Problem::read(&recording))? {
        return repaired_copy(path, &recording, &target, &id);
    }
    let (unfinished, mut output) = Unfinished::file(&target)?;
    std::io::copy(&mut input, &mut output).map_err(Problem::write(&target))?;
    unfinished.finish()?;
    Ok(Told::new(path, &id, Fate::Written, 0))
}

/// Copies a recording without an end, and gives the copy one.
fn repaired_copy(path: &Path, recording: &Path, target: &Path, id: &str) -> Result<Told, Problem> {
    let beside = Unfinished::directory(&target.with_extension("episode"))?;
    let copy = recording_path(beside.beside());
    if let Some(blobs) = copy.parent() {
        atomic::make_directory(blobs)?;
    }
    fs::copy(recording, &copy).map_err(Problem::write(&copy))?;
    let report = rlds::fsck::repair(beside.beside())
        .map_err(|error| Problem::input(path, "", error.to_string()))?;
    fs::rename(&copy, target).map_err(Problem::write(target))?;
    let lost = report.lost.iter().map(|what| (what.clone(), 1));
    let closed = ("the copy was closed: its recorder did not".to_owned(), 1);
    let left_out = std::iter::once(closed).chain(lost).collect();
    Ok(Told { left_out, ..Told::new(path, id, Fate::Written, 0) })
}

/// Whether the file has its first and its last magic; it stands at its beginning then.
fn is_closed(file: &mut File) -> std::io::Result<bool> {
    let bytes = file.metadata()?.len();
    if bytes < (MAGIC.len() * 2) as u64 {
        return Ok(false);
    }
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic)?;
    let begins = magic == MAGIC;
    file.seek(SeekFrom::End(-(MAGIC.len() as i64)))?;
    file.read_exact(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(begins && magic == MAGIC)
}
