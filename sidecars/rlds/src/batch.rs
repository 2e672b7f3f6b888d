//! The first message of each chunk: whose chunk it is, and the how manyeth.
//!
//! *What it decides.* Whether a chunk belongs to this recording and comes next. Without it, an old
//! chunk of another episode in a reused block of the disk would pass for one of ours, and a chunk
//! that is missing in the middle would not be noticed. *What it must never do.* Hold anything that
//! cannot be had again. Shown by: tests/recording.rs, tests/fsck.rs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::channels::BATCH_ID;
use crate::container::{chunk, op, take};

/// What a chunk says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// Number of the chunk, from 0.
    pub(crate) index: u64,
    /// Fingerprint of the recording's beginning.
    pub(crate) recording: String,
    /// In the first chunk: what the recording says of itself, once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<BTreeMap<String, String>>,
}

impl Batch {
    /// From an opened chunk.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn of_chunk(plain: &[u8]) -> Result<Self, String> {
        for record in chunk::records(plain) {
            let (opcode, at) = record?;
            if opcode == op::MESSAGE {
                let message = take::message(&plain[at]).ok_or("a message that is none")?;
                if message.channel != BATCH_ID {
                    break;
                }
                return serde_json::from_slice(message.data)
                    .map_err(|error| format!("its batch message: {error}"));
            }
        }
        Err("no batch message at its beginning".to_owned())
    }
}

/// What binds chunks to their recording: the bodies of its header and of its metadata.
#[derive(Clone, Default)]
pub(crate) struct Fingerprint(crc32fast::Hasher);

impl Fingerprint {
    pub(crate) fn absorb(&mut self, body: &[u8]) {
        self.0.update(body);
    }

    pub(crate) fn text(&self) -> String {
        format!("{:#010x}", self.0.clone().finalize())
    }
}

/// Follows the chunks of one recording.
#[derive(Clone, Default)]
pub(crate) struct Sequence {
    pub(crate) begun: Fingerprint,
    /// What the chunks say, once the first has been seen.
    recording: Option<String>,
    next: u64,
}

impl Sequence {
    /// Takes the next chunk; returns how many are missing before it.
    ///
    /// # Errors
    /// Why it is none of this recording.
    pub(crate) fn follow(&mut self, batch: &Batch) -> Result<u64, String> {
        // The chunk's CRC covers what it says; nothing covers the beginning but it.
        let is_first = batch.index == 0 && self.recording.is_none();
        let expected = match &self.recording {
            Some(recording) => recording.clone(),
            None if is_first => batch.recording.clone(),
            None => self.begun.text(),
        };
        if batch.recording != expected {
            return Err(format!(
                "a chunk of another recording ({}, expected {expected})",
                batch.recording
            ));
        }
        if batch.index < self.next {
            return Err(format!("chunk {} again, expected {}", batch.index, self.next));
        }
        let missing = batch.index - self.next;
        self.recording = Some(expected);
        self.next = batch.index.saturating_add(1);
        Ok(missing)
    }

    /// Whether the beginning is what the chunks say that it is; `true` before the first of them.
    pub(crate) fn is_begun_as_told(&self) -> bool {
        self.recording.as_ref().is_none_or(|told| *told == self.begun.text())
    }

    /// Chunks before `next` are known to be missing.
    pub(crate) fn skip_to(&mut self, next: u64) {
        self.next = self.next.max(next);
    }
}
