//! `mcap`: the recording alone, as Foxglove and Rerun open it.
//!
//! *What it decides.* That only a recording with its end is handed on: without index and footer other
//! readers find nothing, or guess. *What it must never do.* Mend the source; `continuon rlds fsck
//! --repair` does.
//!
//! Shown by: tests/formats/dir.rs.

use super::{Fate, Names, Told};
use crate::atomic::Unfinished;
use crate::problem::Problem;
use rlds::EpisodeReader;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What an MCAP file begins and ends with.
const MAGIC: [u8; 8] = [0x89, b'M', b'C', b'A', b'P', b'0', b'\r', b'\n'];

/// Copies the recording of the episode in `path` into `to`.
pub(super) fn write(path: &Path, to: &Path, names: &mut Names) -> Result<Told, Problem> {
    let reader = EpisodeReader::open(path)?;
    let id = names.take(path, &reader.metadata().episode_id)?;
    let target = to.join(format!("{id}.mcap"));
    if target.exists() {
        return Ok(Told::new(path, &id, Fate::Kept, 0));
    }
    let recording = rlds::recording_path(path);
    let mut input = File::open(&recording).map_err(Problem::read(&recording))?;
    if !is_closed(&mut input).map_err(Problem::read(&recording))? {
        let what = "expected an MCAP file with its end, found none: `continuon rlds fsck --repair` \
                    closes it";
        return Err(Problem::input(&recording, "", what));
    }
    let (unfinished, mut output) = Unfinished::file(&target)?;
    std::io::copy(&mut input, &mut output).map_err(Problem::write(&target))?;
    unfinished.finish()?;
    Ok(Told::new(path, &id, Fate::Written, 0))
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
