//! What a step refers to: is it inside the episode, there, and whole?
//!
//! *What it decides.* Which uris are allowed, and whether a file can be what it is said to be; of a
//! picture in the recording, recorded.rs says it. *What it must never do.* Open anything outside the
//! episode, or read a file whole. Shown by: tests/validate, tests/bad_input.rs.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::finding::Findings;
use super::jpeg;
use super::json::{Json, shown};
use super::recorded::RecordedPictures;
use crate::place::RECORDING;

/// A uri whose file was taken away to protect somebody; the rest is a hash.
const ANONYMIZED: &str = "anonymized://";
const FRAMES: &str = "frames/";
/// Folders inside `blobs/` that are looked through.
const DEPTH_MAX: u32 = 8;

/// Judges the uris of an episode's steps.
pub(crate) struct Media {
    root: PathBuf,
    /// With every link resolved; `None` if the episode cannot be entered.
    real_root: Option<PathBuf>,
    recorded: RecordedPictures,
}

/// What is wrong with a reference: rule, expected, found.
type Wrong = (&'static str, String, String);

impl Media {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            real_root: root.canonicalize().ok(),
            recorded: RecordedPictures::new(root),
        }
    }

    /// Every reference of one step.
    pub(crate) fn step(&mut self, step: &Json, findings: &mut Findings<'_>) {
        let Some(seen) = step.get("observation") else {
            return;
        };
        for kind in ["rgb", "depth", "audio"] {
            if let Some(media) = seen.get("media").and_then(|media| media.get(kind)) {
                self.reference(media, &format!("observation.media.{kind}"), findings);
            }
        }
        if let Some(audio) = seen.get("audio") {
            self.reference(audio, "observation.audio", findings);
        }
        let masks = seen.get("segmentation").and_then(|block| block.list("masks"));
        for (index, mask) in masks.unwrap_or_default().iter().enumerate() {
            self.reference(mask, &format!("observation.segmentation.masks[{index}]"), findings);
        }
    }

    fn reference(&mut self, media: &Json, field: &str, findings: &mut Findings<'_>) {
        let Some(uri) = media.text("uri") else {
            return;
        };
        match self.check(uri, media) {
            Ok(None) => {}
            Ok(Some(sequence)) => self.recorded.check(sequence, media, field, findings),
            Err((rule, expected, found)) => {
                findings.error(rule, format!("{field}.uri"), expected, found);
            }
        }
    }

    /// Looks through what was recorded after the last picture that a step refers to.
    pub(crate) fn finish(self, findings: &mut Findings<'_>) {
        self.recorded.finish(findings);
    }

    /// Judges a reference to a file; of one into the recording, the number of the picture.
    fn check(&self, uri: &str, media: &Json) -> Result<Option<u64>, Wrong> {
        if let Some(hash) = uri.strip_prefix(ANONYMIZED) {
            let is_hash = !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            return if is_hash { Ok(None) } else { Err(outside(uri)) };
        }
        let (path, fragment) = uri.split_once('#').map_or((uri, None), |(p, f)| (p, Some(f)));
        let file = self.inside(path).ok_or_else(|| outside(uri))?;
        let missing = |found: String| ("missing_blob", "a file of the episode".to_owned(), found);
        let metadata = fs::metadata(&file).map_err(|error| missing(format!("{path}: {error}")))?;
        if !metadata.is_file() {
            return Err(missing(format!("{path}: no file")));
        }
        if metadata.len() == 0 {
            return Err(zero_bytes(path));
        }
        if path.ends_with(".mcap") {
            return picture_number(path, fragment).map(Some);
        }
        let is_jpeg = matches!(media.text("format"), Some("jpeg" | "jpg"))
            || path.ends_with(".jpg")
            || path.ends_with(".jpeg");
        if is_jpeg {
            whole_jpeg(&file, path, media)?;
        }
        Ok(None)
    }

    /// The file that `path` names, if it is inside the episode, also through links.
    fn inside(&self, path: &str) -> Option<PathBuf> {
        let is_plain =
            Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if path.is_empty() || !is_plain || path.contains(['\\', '\0', ':']) {
            return None;
        }
        let file = self.root.join(path);
        match (file.canonicalize(), &self.real_root) {
            (Ok(real), Some(root)) => real.starts_with(root).then_some(file),
            // It is not there, which is for the caller to say.
            _ => Some(file),
        }
    }
}

fn outside(uri: &str) -> Wrong {
    ("uri", "a relative path inside the episode".to_owned(), shown(uri))
}

fn zero_bytes(path: &str) -> Wrong {
    ("zero_byte_blob", "a file that holds something".to_owned(), format!("{path}: 0 bytes"))
}

fn picture_number(path: &str, fragment: Option<&str>) -> Result<u64, Wrong> {
    let expected = || format!("{RECORDING}#{FRAMES}<sequence>");
    if Path::new(path) != Path::new(RECORDING) {
        return Err(("uri", expected(), shown(path)));
    }
    let sequence = fragment.and_then(|fragment| fragment.strip_prefix(FRAMES));
    sequence.and_then(|sequence| sequence.parse().ok()).ok_or_else(|| {
        let found = fragment.map_or_else(|| "nothing after the file".to_owned(), shown);
        ("uri", expected(), found)
    })
}

fn whole_jpeg(file: &Path, path: &str, media: &Json) -> Result<(), Wrong> {
    let wrong = |found: String| ("jpeg", "a whole JPEG".to_owned(), format!("{path}: {found}"));
    let (head, tail) = ends(file).map_err(|error| wrong(error.to_string()))?;
    let (width, height) = jpeg::size(&head, &tail).map_err(|found| wrong(found.to_owned()))?;
    for (key, real) in [("width", width), ("height", height)] {
        let said = media.int(key).unwrap_or_default();
        if said != 0 && said != i64::from(real) {
            return Err(("jpeg", format!("{key} {real}, as in {path}"), said.to_string()));
        }
    }
    Ok(())
}

/// The beginning and the end of a file, as much as a JPEG's headers need.
fn ends(path: &Path) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut file = File::open(path)?;
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    file.by_ref().take(jpeg::HEAD_BYTES).read_to_end(&mut head)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(jpeg::TAIL_BYTES)))?;
    file.take(jpeg::TAIL_BYTES).read_to_end(&mut tail)?;
    Ok((head, tail))
}

/// Finds files without content in `blobs/`, also those that no step refers to.
pub(crate) fn zero_byte_blobs(episode: &Path, findings: &mut Findings<'_>) -> io::Result<()> {
    look_through(&episode.join("blobs"), "blobs", DEPTH_MAX, findings)
}

fn look_through(
    folder: &Path,
    name: &str,
    depth: u32,
    findings: &mut Findings<'_>,
) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        let metadata = entry.metadata()?;
        if metadata.is_dir() && depth > 0 {
            look_through(&entry.path(), &name, depth.saturating_sub(1), findings)?;
        } else if metadata.is_file() && metadata.len() == 0 {
            let (rule, expected, found) = zero_bytes(&name);
            findings.error(rule, "blobs", expected, found);
        }
    }
    Ok(())
}
