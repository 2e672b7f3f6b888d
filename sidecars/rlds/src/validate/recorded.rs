//! The pictures of the recording that steps refer to: are they there, and what the step says?
//!
//! *What it decides.* Which picture of the recording a step means, and how the two differ. The
//! recording is read once, beside the steps, as far as they ask; pictures that no step asked for are
//! looked at too. *What it must never do.* Hold a picture, or more than [`AHEAD`] of their stamps;
//! go on so far for one that is not there that the next is behind it. Shown by: tests/validate.

use std::collections::VecDeque;
use std::mem::take;
use std::path::{Path, PathBuf};

use super::finding::Findings;
use super::jpeg;
use super::json::{Json, shown};
use crate::place::{RECORDING, recording_path};
use crate::reader::{Picture, RecordingReader};

/// Pictures that are looked through after the one of the step before: half an hour of them.
const AHEAD: u64 = 1 << 16;
/// Pictures before that one that may still be meant: a step may have a second picture.
const BEHIND: u64 = 64;
/// Bytes of a name that are kept, and so compared.
const NAME_BYTES_MAX: usize = 128;

/// What is kept of a picture.
struct Seen {
    sequence: u32,
    at_ns: u64,
    frame_id: String,
    /// Width and height, or what is wrong with it.
    size: Result<(u16, u16), String>,
    /// Whether somebody was told what is wrong.
    is_told: bool,
}

impl Seen {
    fn of(picture: Picture) -> Self {
        let whole = |jpeg: Vec<u8>| jpeg::size(&jpeg, &jpeg).map_err(str::to_owned);
        Self {
            sequence: picture.sequence,
            at_ns: picture.mono_ns.0,
            frame_id: cut(&picture.frame_id).to_owned(),
            size: picture.jpeg.and_then(whole),
            is_told: false,
        }
    }
}

/// The recording of an episode, as far as it was read.
pub(crate) struct RecordedPictures {
    path: PathBuf,
    /// `None` before the first step asks, and after the end.
    reader: Option<RecordingReader>,
    has_begun: bool,
    /// Why it ended, if that was not its end.
    trouble: Option<String>,
    /// The last of what was read.
    window: VecDeque<Seen>,
    /// Pictures read, and how many of them stood before the one that was asked for last.
    read: u64,
    asked: u64,
}

impl RecordedPictures {
    pub(crate) fn new(episode: &Path) -> Self {
        Self {
            path: recording_path(episode),
            reader: None,
            has_begun: false,
            trouble: None,
            window: VecDeque::new(),
            read: 0,
            asked: 0,
        }
    }

    /// Holds what a step says (`media`, which stands at `field`) against picture `sequence`.
    pub(crate) fn check(
        &mut self,
        sequence: u64,
        media: &Json,
        field: &str,
        findings: &mut Findings<'_>,
    ) {
        let at_ns = media.int("timestamp_ns").and_then(|ns| u64::try_from(ns).ok());
        let Some(index) = self.find(sequence, at_ns, findings) else {
            let expected = format!("a picture of {RECORDING}");
            let found = self.why_not(sequence);
            findings.error("missing_frame", format!("{field}.uri"), expected, found);
            return;
        };
        let name = format!("{RECORDING}#frames/{sequence}");
        let mut differs = |key: &str, told: String, real: String| {
            let expected = format!("{real}, as {name}");
            findings.error("frame_differs", format!("{field}.{key}"), expected, told);
        };
        let Some(seen) = self.window.get_mut(index) else {
            return;
        };
        if let Some(told) = media.text("frame_id")
            && cut(told) != seen.frame_id
        {
            differs("frame_id", shown(told), shown(&seen.frame_id));
        }
        if let Some(told) = media.int("timestamp_ns")
            && u64::try_from(told) != Ok(seen.at_ns)
        {
            differs("timestamp_ns", told.to_string(), seen.at_ns.to_string());
        }
        match &seen.size {
            Ok((width, height)) => {
                for (key, real) in [("width", *width), ("height", *height)] {
                    let told = media.int(key).unwrap_or_default();
                    if told != 0 && told != i64::from(real) {
                        differs(key, told.to_string(), real.to_string());
                    }
                }
            }
            Err(wrong) => {
                seen.is_told = true;
                let found = format!("{name}: {wrong}");
                findings.error("jpeg", format!("{field}.uri"), "a whole JPEG", found);
            }
        }
    }

    /// Looks at the rest of the recording, if a step asked for any of it.
    pub(crate) fn finish(mut self, findings: &mut Findings<'_>) {
        self.asked = u64::MAX;
        while self.read_one(findings) {}
        while let Some(seen) = self.window.pop_front() {
            self.leave(&seen, findings);
        }
    }

    /// Where in the window the picture stands; of two with its number the one of its time.
    fn find(
        &mut self,
        sequence: u64,
        at_ns: Option<u64>,
        findings: &mut Findings<'_>,
    ) -> Option<usize> {
        // MCAP keeps 32 bits of it.
        let is_it = |seen: &Seen| u64::from(seen.sequence) == sequence & u64::from(u32::MAX);
        self.begin();
        let numbered: Vec<usize> =
            (0..).zip(&self.window).filter(|(_, s)| is_it(s)).map(|(i, _)| i).collect();
        let timed = |index: &&usize| self.window.get(**index).map(|seen| seen.at_ns) == at_ns;
        // Its number may stand behind it as well, from before the camera began to count anew.
        let first = self.read.saturating_sub(self.window.len() as u64);
        let is_next = |index: &&usize| first.saturating_add(**index as u64) > self.asked;
        let untimed = || numbered.last().filter(|_| at_ns.is_none());
        let timed = numbered.iter().find(timed);
        let mut found = timed.or_else(untimed).or(numbered.iter().find(is_next)).copied();
        while found.is_none() && self.read.saturating_sub(self.asked) < AHEAD {
            if !self.read_one(findings) {
                break;
            }
            found =
                self.window.back().is_some_and(is_it).then(|| self.window.len().saturating_sub(1));
        }
        let found = found.or_else(|| self.window.iter().rposition(is_it));
        let behind = self.window.len().saturating_sub(found?);
        self.asked = self.read.saturating_sub(behind as u64);
        found
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            match RecordingReader::open_for_pictures(&self.path) {
                Ok(reader) => self.reader = Some(reader),
                Err(error) => self.trouble = Some(error.to_string()),
            }
        }
    }

    /// Reads the next picture, and forgets those that no step can mean any more.
    fn read_one(&mut self, findings: &mut Findings<'_>) -> bool {
        let Some(reader) = &mut self.reader else {
            return false;
        };
        match reader.next_picture() {
            Ok(Some(picture)) => {
                self.window.push_back(Seen::of(picture));
                self.read = self.read.saturating_add(1);
            }
            ended => {
                self.trouble = match ended {
                    Err(error) => Some(error.to_string()),
                    Ok(_) => reader
                        .damage()
                        .first()
                        .map(|damage| format!("byte {}: {}", damage.at_byte, damage.found)),
                };
                self.reader = None;
                return false;
            }
        }
        let first = self.read.saturating_sub(self.window.len() as u64);
        if first.saturating_add(BEHIND) < self.asked
            && let Some(left) = self.window.pop_front()
        {
            self.leave(&left, findings);
        }
        true
    }

    /// Tells what is wrong with a picture that no step asked for.
    fn leave(&self, seen: &Seen, findings: &mut Findings<'_>) {
        if let (Err(wrong), false) = (&seen.size, seen.is_told) {
            let place = (take(&mut findings.file), findings.line, findings.step);
            findings.look_at(self.path.display().to_string());
            let field = format!("frames/{}", seen.sequence);
            findings.error("jpeg", field, "a whole JPEG", wrong.as_str());
            (findings.file, findings.line, findings.step) = place;
        }
    }

    fn why_not(&self, sequence: u64) -> String {
        let read = match (self.window.front(), self.window.back()) {
            (Some(first), Some(last)) => {
                format!("no frame {sequence} among {} to {}", first.sequence, last.sequence)
            }
            _ => format!("no frame {sequence}, nor any other"),
        };
        match &self.trouble {
            Some(trouble) => format!("{read} ({trouble})"),
            None => read,
        }
    }
}

/// As much of a name as is kept.
fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default()
}
