//! A recording as it lies on the disk, looked at byte by byte.
//!
//! *What it decides.* Which of it can be believed, where each thing that cannot begins, and where
//! after it something can be believed again. *What it must never do.* Write, believe a chunk of
//! another recording, or hold more of a file than a chunk and its index.
//!
//! ```text
//! beginning  header, metadata, attachments, chunk 0: can be made again from what chunk 0 repeats
//! chunk n    believed if its CRC, its batch message and its times agree; its indexes follow from it
//! end        compared byte for byte with the end that the chunks make
//! ```

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use crate::about::About;
use crate::batch::{Batch, Sequence};
use crate::container::chunk::{self, ChunkFacts};
use crate::container::index::{Fact, Index, record_at};
use crate::container::{FRAME_BYTES, RECORD_BYTES_MAX, lz4, op, take};
use crate::fsck::{Finding, FsckError};
use crate::place::RECORDING;
use crate::recording::{
    ABOUT_NAME, Attached, LOG_TABLE_NAME, ROBOT_FILE_NAME, RecordingBuilder, channel_facts,
    is_our_header,
};
use crate::repair_mark;

/// Bytes searched at a time for a chunk after a damaged one.
const SEARCH_BYTES: usize = 1 << 20;
/// Of a chunk's frame and header, up to the name of its compression.
const SIGNATURE_BYTES: usize = FRAME_BYTES + 28 + 4 + lz4::NAME.len();

/// A chunk that is believed, with its indexes.
pub(crate) struct Part {
    pub(crate) at: u64,
    pub(crate) chunk_bytes: u64,
    pub(crate) facts: ChunkFacts,
    /// In place of those in the file, which are damaged or missing.
    pub(crate) indexes: Option<Vec<u8>>,
    /// Something was taken out before it: this is what was found.
    pub(crate) taken_out: Option<String>,
    /// Its number.
    pub(crate) index: u64,
}

/// What a scan came to.
pub(crate) struct Scan {
    pub(crate) findings: Vec<Finding>,
    pub(crate) about: About,
    pub(crate) robot_json: Vec<u8>,
    pub(crate) log_table: Option<Vec<u8>>,
    /// What stands before chunk 1, if all of it can be believed: its length, and what is in it.
    pub(crate) beginning: Option<(u64, Vec<(u64, Fact)>)>,
    /// Chunks from 1 on.
    pub(crate) parts: Vec<Part>,
    /// Bytes behind what is believed, where there is no end.
    pub(crate) torn_bytes: u64,
    pub(crate) file_bytes: u64,
    pub(crate) has_end: bool,
}

/// Scans `input`; `each` gets the records of every believed chunk but the first, and whose they are.
///
/// # Errors
/// [`FsckError`] if the file cannot be read, is something else, or is of another build.
pub(crate) fn scan<R: Read + Seek>(
    input: &mut R,
    each: &mut dyn FnMut(&[u8], &About) -> Result<(), String>,
) -> Result<Scan, FsckError> {
    let file_bytes = input.seek(SeekFrom::End(0))?;
    let mut scanner = Scanner {
        input,
        each,
        file_bytes,
        at: 0,
        plain: Vec::new(),
        sequence: Sequence::default(),
        index: Index::default(),
        header: None,
        about: None,
        told: None,
        has_channels: false,
        facts: Vec::new(),
        taken_out: None,
        scan: Scan {
            findings: Vec::new(),
            about: About::default(),
            robot_json: Vec::new(),
            log_table: None,
            beginning: None,
            parts: Vec::new(),
            torn_bytes: 0,
            file_bytes,
            has_end: false,
        },
    };
    scanner.run()?;
    scanner.judge_beginning()?;
    Ok(scanner.scan)
}

struct Scanner<'a, R> {
    input: &'a mut R,
    each: &'a mut dyn FnMut(&[u8], &About) -> Result<(), String>,
    file_bytes: u64,
    at: u64,
    plain: Vec<u8>,
    sequence: Sequence,
    index: Index,
    /// Where the header and the metadata begin, and whether what was read of it is ours.
    header: Option<(u64, bool)>,
    about: Option<(u64, BTreeMap<String, String>)>,
    /// What the first chunk says that the metadata says.
    told: Option<BTreeMap<String, String>>,
    has_channels: bool,
    /// What has been found to be in the beginning, by where it is.
    facts: Vec<(u64, Fact)>,
    /// Something was taken out before the next chunk, or is to be.
    taken_out: Option<String>,
    scan: Scan,
}

impl<R: Read + Seek> Scanner<'_, R> {
    fn run(&mut self) -> Result<(), FsckError> {
        let magic = self.read(0, mcap::MAGIC.len())?;
        if magic != mcap::MAGIC {
            self.find(0, format!("it begins with {magic:02x?}, expected {:02x?}", mcap::MAGIC));
        }
        self.index.absorb(mcap::MAGIC, []);
        self.at = mcap::MAGIC.len() as u64;
        while self.at < self.file_bytes && !self.scan.has_end {
            self.record()?;
        }
        if !self.scan.has_end && self.scan.torn_bytes == 0 {
            self.find(self.at, "no end: its recorder was killed, or lost its power");
        }
        Ok(())
    }

    fn record(&mut self) -> Result<(), FsckError> {
        let at = self.at;
        let Some((opcode, length)) = self.frame_at(at)? else {
            return self.bad(at, None, "no record begins here".to_owned());
        };
        if opcode == op::DATA_END {
            return self.end(at);
        }
        let whole = FRAME_BYTES + length;
        let bytes = self.read(at, whole)?;
        let next = at + whole as u64;
        let checked = match opcode {
            op::HEADER if at == mcap::MAGIC.len() as u64 => self.take_header(at, &bytes),
            op::METADATA => self.take_metadata(at, &bytes),
            op::ATTACHMENT => self.take_attachment(&bytes),
            op::CHUNK => return self.chunk(at, &bytes),
            other => Err(format!("a record of kind {other:#04x} in this place")),
        };
        match checked {
            Ok(facts) => {
                self.index.absorb(&bytes, &facts);
                self.facts.extend(facts.into_iter().map(|(_, fact)| (at, fact)));
                self.at = next;
                Ok(())
            }
            Err(found) => self.bad(at, Some(next), found),
        }
    }

    fn take_header(&mut self, at: u64, bytes: &[u8]) -> Result<Vec<(u64, Fact)>, String> {
        let body = &bytes[FRAME_BYTES..];
        let mut rest = take::Bytes(body);
        let whole = rest.text().is_some() && rest.text().is_some() && rest.is_empty();
        self.sequence.begun.absorb(body);
        self.header = Some((at, is_our_header(body)));
        if whole { Ok(Vec::new()) } else { Err("a header that is not laid out as one".to_owned()) }
    }

    fn take_metadata(&mut self, at: u64, bytes: &[u8]) -> Result<Vec<(u64, Fact)>, String> {
        let body = &bytes[FRAME_BYTES..];
        let (name, pairs) = take::metadata(body).ok_or("metadata that is not laid out as such")?;
        match name {
            ABOUT_NAME if self.about.is_none() => {
                self.sequence.begun.absorb(body);
                let pairs = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into()));
                self.about = Some((at, pairs.collect()));
            }
            repair_mark::NAME => {
                let next = repair_mark::next_chunk(&pairs).ok_or("a mark that does not hold")?;
                self.sequence.skip_to(next);
                self.taken_out = Some(repair_mark::found(&pairs).to_owned());
            }
            other => return Err(format!("metadata `{other}`, expected `{ABOUT_NAME}`")),
        }
        Ok(vec![(0, Fact::Metadata { name: name.to_owned(), bytes: bytes.len() as u64 })])
    }

    fn take_attachment(&mut self, bytes: &[u8]) -> Result<Vec<(u64, Fact)>, String> {
        let attachment = take::attachment(&bytes[FRAME_BYTES..])?;
        match attachment.name {
            ROBOT_FILE_NAME => self.scan.robot_json = attachment.data.to_vec(),
            LOG_TABLE_NAME => self.scan.log_table = Some(attachment.data.to_vec()),
            other => return Err(format!("attachment `{other}`, which is none of ours")),
        }
        Ok(vec![(
            0,
            Fact::Attachment {
                times_ns: attachment.times_ns,
                name: attachment.name.to_owned(),
                media_type: attachment.media_type.to_owned(),
                data_bytes: attachment.data.len() as u64,
                bytes: bytes.len() as u64,
            },
        )])
    }

    /// A chunk and the indexes that must follow it.
    fn chunk(&mut self, at: u64, bytes: &[u8]) -> Result<(), FsckError> {
        let next = at + bytes.len() as u64;
        let body = &bytes[FRAME_BYTES..];
        let opened = chunk::open(body, &mut self.plain)
            .and_then(|head| Ok((head, Batch::of_chunk(&self.plain)?)))
            .and_then(|(head, batch)| {
                let surveyed = chunk::survey(head, body.len(), &self.plain)?;
                Ok((surveyed, self.sequence.follow(&batch)?, batch))
            });
        let ((facts, expected), missing, batch) = match opened {
            Ok(opened) => opened,
            Err(found) => return self.bad(at, Some(next), format!("a chunk: {found}")),
        };
        if missing > 0 && self.taken_out.is_none() {
            let found = format!("{missing} chunks are missing before chunk {}", batch.index);
            self.find(at, found.clone());
            self.taken_out = Some(found);
        }
        let on_disk = self.read(next, expected.len())?;
        let are_whole = on_disk == expected;
        if !are_whole {
            let differs = on_disk.iter().zip(&expected).position(|(found, told)| found != told);
            let begin = record_at(&expected, differs.unwrap_or(on_disk.len()));
            let found = match differs {
                Some(_) => "a message index that is not the one of its chunk",
                None => "the message indexes of the chunk before it end here",
            };
            self.find(next + begin as u64, found);
        }
        let mut facts_of_it = Vec::new();
        if batch.index == 0 {
            self.told = batch.about;
            self.check_channels()?;
            facts_of_it.extend(channel_facts(&self.plain).map(|fact| (0, fact)));
            self.has_channels = true;
            self.facts.extend(channel_facts(&self.plain).map(|fact| (at, fact)));
            self.facts.push((at, Fact::Chunk(facts.clone())));
            if self.scan.findings.is_empty() {
                let bytes = next + expected.len() as u64;
                self.scan.beginning = Some((bytes, std::mem::take(&mut self.facts)));
            }
        } else {
            let about = self.about();
            (self.each)(&self.plain, &about)
                .map_err(|found| FsckError::Content { at, found })?;
            self.scan.parts.push(Part {
                at,
                chunk_bytes: bytes.len() as u64,
                facts: facts.clone(),
                indexes: (!are_whole).then(|| expected.clone()),
                taken_out: self.taken_out.take(),
                index: batch.index,
            });
        }
        facts_of_it.push((0, Fact::Chunk(facts)));
        self.index.absorb(bytes, &facts_of_it);
        self.index.absorb(&expected, []);
        self.at = (next + expected.len() as u64).min(self.file_bytes);
        Ok(())
    }

    /// What the recording says of itself: the first chunk is sure of it.
    fn about(&self) -> About {
        let read = self.about.as_ref().map(|(_, map)| map);
        self.told.as_ref().or(read).map(About::from_map).unwrap_or_default()
    }

    /// Whether the records in this recording are laid out as this build knows them.
    fn check_channels(&self) -> Result<(), FsckError> {
        let about = self.about();
        let (_, begin) = RecordingBuilder::begin(&about, Attached::default())?;
        let ours = begin.facts.iter().filter(|(_, fact)| matches!(fact, Fact::Schema(_)));
        let theirs = channel_facts(&self.plain).filter(|fact| matches!(fact, Fact::Schema(_)));
        if ours.map(|(_, fact)| fact.clone()).eq(theirs) {
            Ok(())
        } else {
            Err(FsckError::OtherBuild { build_id: about.build_id })
        }
    }

    /// From the end of the data on, every byte follows from what came before.
    fn end(&mut self, at: u64) -> Result<(), FsckError> {
        let rest = usize::try_from(self.file_bytes - at).unwrap_or(usize::MAX);
        let expected = self.index.closing();
        self.scan.has_end = true;
        self.at = self.file_bytes;
        if !self.scan.findings.is_empty() {
            // What is damaged before it stands in its way; it is made again all the same.
            return Ok(());
        }
        let found = self.read(at, rest.min(expected.len() + 1))?;
        if found == self.index.closing_without_summary() {
            self.find(at, "it ends without a summary: its disk was full");
        } else if found != expected {
            let same = found.iter().zip(&expected).position(|(found, told)| found != told);
            let differs = same.unwrap_or(found.len().min(expected.len()));
            let begin = record_at(&expected, differs.min(expected.len().saturating_sub(1)));
            self.find(at + begin as u64, "an end that is not the one of what comes before it");
        }
        Ok(())
    }

    /// What begins at `at` cannot be believed; if it can be stepped over, what follows is at `next`.
    fn bad(&mut self, at: u64, next: Option<u64>, found: String) -> Result<(), FsckError> {
        let ends = [self.index.closing(), self.index.closing_without_summary()];
        let rest = self.file_bytes - at;
        if self.scan.findings.is_empty() && ends.iter().any(|end| end.len() as u64 == rest) {
            // Exactly as long as the end would be: it is the end, damaged at its first byte.
            return self.end(at);
        }
        if next == Some(self.file_bytes) {
            // Nothing follows: torn, or damaged at the very last.
            self.scan.torn_bytes = self.file_bytes - at;
        }
        self.find(at, found.clone());
        self.taken_out.get_or_insert(found);
        match next {
            Some(next) if next == self.file_bytes => {
                self.at = next;
                Ok(())
            }
            Some(next) if self.frame_at(next)?.is_some() => {
                self.at = next;
                Ok(())
            }
            _ => self.resume_after(at),
        }
    }

    /// Looks for the next chunk of this recording after `at`.
    fn resume_after(&mut self, at: u64) -> Result<(), FsckError> {
        let mut from = at + 1;
        loop {
            let window = self.read(from, SEARCH_BYTES)?;
            for offset in 0..window.len().saturating_sub(SIGNATURE_BYTES - 1) {
                let found = from + offset as u64;
                if is_signature(&window[offset..offset + SIGNATURE_BYTES])
                    && self.is_next_chunk(found)?
                {
                    self.at = found;
                    return Ok(());
                }
            }
            if window.len() < SEARCH_BYTES {
                self.scan.torn_bytes = self.file_bytes - at;
                self.at = self.file_bytes;
                return Ok(());
            }
            from += (SEARCH_BYTES - SIGNATURE_BYTES) as u64;
        }
    }

    fn is_next_chunk(&mut self, at: u64) -> Result<bool, FsckError> {
        let Some((op::CHUNK, length)) = self.frame_at(at)? else {
            return Ok(false);
        };
        let bytes = self.read(at, FRAME_BYTES + length)?;
        let is_next = chunk::open(&bytes[FRAME_BYTES..], &mut self.plain)
            .and_then(|_head| Batch::of_chunk(&self.plain))
            .and_then(|batch| self.sequence.clone().follow(&batch));
        Ok(is_next.is_ok())
    }

    /// Opcode and length of the record at `at`, if one can begin there and reaches no further than the
    /// file.
    fn frame_at(&mut self, at: u64) -> Result<Option<(u8, usize)>, FsckError> {
        const KNOWN: [u8; 5] =
            [op::HEADER, op::METADATA, op::ATTACHMENT, op::CHUNK, op::DATA_END];
        let frame = self.read(at, FRAME_BYTES)?;
        let Some((opcode, length)) = frame.split_first() else {
            return Ok(None);
        };
        let Some(length) = length.first_chunk::<8>().map(|length| u64::from_le_bytes(*length))
        else {
            return Ok(None);
        };
        let fits = length <= RECORD_BYTES_MAX
            && length <= self.file_bytes.saturating_sub(at + FRAME_BYTES as u64);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok((KNOWN.contains(opcode) && fits).then_some((*opcode, length)))
    }

    /// Up to `wanted` bytes from `at` on.
    fn read(&mut self, at: u64, wanted: usize) -> Result<Vec<u8>, FsckError> {
        let mut bytes = Vec::new();
        self.input.seek(SeekFrom::Start(at))?;
        self.input.by_ref().take(wanted as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn find(&mut self, at: u64, found: impl Into<String>) {
        let found = found.into();
        self.scan.findings.push(Finding {
            file: RECORDING.to_owned(),
            at_byte: Some(at),
            line: None,
            found,
        });
    }

    /// Header and metadata have no CRC of their own: the chunks say what they must be.
    fn judge_beginning(&mut self) -> Result<(), FsckError> {
        let read = self.about.as_ref().map(|(_, map)| map.clone());
        let map = self.told.clone().or(read).ok_or(FsckError::NothingRecorded)?;
        self.scan.about = About::from_map(&map);
        if !self.has_channels {
            // Then the metadata must say that the layouts are ours.
            let ours = self.scan.about.to_map();
            let is_ours = |(key, hash): (&String, &String)| map.get(key) == Some(hash);
            if !ours.iter().filter(|(key, _)| key.starts_with("layout_hash.")).all(is_ours) {
                return Err(FsckError::OtherBuild { build_id: self.scan.about.build_id });
            }
        }
        if !self.sequence.is_begun_as_told() {
            self.scan.beginning = None;
        }
        if self.scan.findings.is_empty() && !self.sequence.is_begun_as_told() {
            let header = self.header.filter(|(_, is_ours)| !is_ours).map(|(at, _)| at);
            let at = header.or(self.about.as_ref().map(|(at, _)| *at)).unwrap_or_default();
            self.find(at, "it is not what the chunks say that it is");
        }
        Ok(())
    }
}

/// Whether a chunk may begin with these bytes.
fn is_signature(bytes: &[u8]) -> bool {
    let name_at = FRAME_BYTES + 28;
    bytes[0] == op::CHUNK
        && bytes[name_at..name_at + 4] == (lz4::NAME.len() as u32).to_le_bytes()
        && bytes[name_at + 4..] == *lz4::NAME.as_bytes()
}
