//! Putting an episode in order: what can be believed is copied beside, closed, and takes its place.
//!
//! *What it decides.* The order: recording, steps, metadata, and last `episode.json`, which alone says
//! that the episode is closed; if it is cut off in the middle it is done again from the start. *What it
//! must never do.* Write into a file that is there, or copy what cannot be believed.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::container::chunk;
use crate::container::index::{Fact, Index};
use crate::container::FRAME_BYTES;
use crate::fsck::derive::Derived;
use crate::fsck::scan::{Part, Scan};
use crate::fsck::{FsckError, Looked};
use crate::place::{METADATA, NOTE, RECORDING, RESERVE, STEPS, beside, json_text, replace};
use crate::recording::{Attached, RecordingBuilder};
use crate::repair_mark;
use crate::storage::{FileSystem, Storage};

/// Steps are written in pieces of about this size.
const STEPS_BYTES: usize = 1 << 20;

pub(crate) fn put_in_order<F: FileSystem>(
    files: &F,
    path: &Path,
    looked: &mut Looked<F>,
) -> Result<(), FsckError> {
    for folder in ["steps", "blobs"] {
        match files.make_dir(&path.join(folder)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
    }
    let is_recording_wrong = !looked.scan.findings.is_empty();
    let derived = rewrite(files, path, looked, is_recording_wrong)?;
    debug_assert_eq!(derived.stored.telemetry, looked.report.note.telemetry_records);
    files.sync_dir(&path.join("steps"))?;
    files.sync_dir(&path.join("blobs"))?;
    replace(files, &path.join(METADATA), &json_text(&looked.metadata)?)?;
    files.sync_dir(path)?;
    match files.remove(&path.join(RESERVE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => files.sync_dir(&path.join("blobs"))?,
    }
    replace(files, &path.join(NOTE), &json_text(&looked.report.note)?)?;
    files.sync_dir(path)?;
    Ok(())
}

/// Makes the steps anew, and the recording too if `with_recording`.
fn rewrite<F: FileSystem>(
    files: &F,
    path: &Path,
    looked: &mut Looked<F>,
    with_recording: bool,
) -> Result<Derived, FsckError> {
    let scan = &looked.scan;
    let steps_path = path.join(STEPS);
    let mut steps = files.create(&beside(&steps_path))?;
    let recording_path = path.join(RECORDING);
    let mut copy = match with_recording {
        true => Some(Copy::begin(files.create(&beside(&recording_path))?, scan, &mut looked.recording)?),
        false => None,
    };
    let mut derived = Derived::new(&scan.about)?;
    let mut plain = Vec::new();
    for part in &scan.parts {
        let bytes = read(&mut looked.recording, part.at, part.chunk_bytes)?;
        // It was believed a moment ago; a disk may have other thoughts.
        let at = part.at;
        chunk::open(&bytes[FRAME_BYTES..], &mut plain)
            .and_then(|_head| derived.chunk(&plain))
            .map_err(|found| FsckError::Content { at, found })?;
        if let Some(copy) = &mut copy {
            copy.part(part, bytes, &mut looked.recording)?;
        }
        if derived.lines.len() >= STEPS_BYTES {
            steps.write_all(&std::mem::take(&mut derived.lines))?;
        }
    }
    derived.finish(looked.report.note.closing);
    steps.write_all(&std::mem::take(&mut derived.lines))?;
    steps.sync()?;
    drop(steps);
    if let Some(copy) = copy {
        copy.finish()?;
        files.rename(&beside(&recording_path), &recording_path)?;
        files.sync_dir(&path.join("blobs"))?;
    }
    files.rename(&beside(&steps_path), &steps_path)?;
    Ok(derived)
}

/// A recording that is being made of the good parts of another.
struct Copy<S> {
    file: S,
    index: Index,
}

impl<S: Storage> Copy<S> {
    fn begin<R: Read + Seek>(file: S, scan: &Scan, input: &mut R) -> Result<Self, FsckError> {
        let mut copy = Self { file, index: Index::default() };
        match &scan.beginning {
            Some((bytes, facts)) => {
                let bytes = read(input, 0, *bytes)?;
                copy.write(&bytes, facts)?;
            }
            None => {
                let attached = Attached {
                    robot_json: &scan.robot_json,
                    log_table: scan.log_table.as_deref(),
                };
                let (_, piece) = RecordingBuilder::begin(&scan.about, attached)?;
                copy.write(&piece.bytes, &piece.facts)?;
            }
        }
        Ok(copy)
    }

    fn part<R: Read + Seek>(
        &mut self,
        part: &Part,
        mut bytes: Vec<u8>,
        input: &mut R,
    ) -> Result<(), FsckError> {
        if let Some(found) = &part.taken_out {
            let mut mark = Vec::new();
            repair_mark::put(&mut mark, part.index, found);
            let bytes = mark.len() as u64;
            let fact = Fact::Metadata { name: repair_mark::NAME.to_owned(), bytes };
            self.write(&mark, &[(0, fact)])?;
        }
        match &part.indexes {
            Some(indexes) => bytes.extend_from_slice(indexes),
            None => {
                let at = part.at + part.chunk_bytes;
                bytes.extend_from_slice(&read(input, at, part.facts.index_bytes)?);
            }
        }
        self.write(&bytes, &[(0, Fact::Chunk(part.facts.clone()))])
    }

    fn write(&mut self, bytes: &[u8], facts: &[(u64, Fact)]) -> Result<(), FsckError> {
        self.file.write_all(bytes)?;
        self.index.absorb(bytes, facts);
        Ok(())
    }

    fn finish(mut self) -> Result<(), FsckError> {
        self.file.write_all(&self.index.closing())?;
        self.file.flush()?;
        self.file.sync()?;
        Ok(())
    }
}

fn read<R: Read + Seek>(input: &mut R, at: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut found = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
    input.seek(SeekFrom::Start(at))?;
    input.by_ref().take(bytes).read_to_end(&mut found)?;
    if found.len() as u64 == bytes {
        Ok(found)
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the recording became shorter"))
    }
}
