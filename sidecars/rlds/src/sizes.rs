//! How much of a recording is what: messages and bytes of each channel, and what packing saves.
//!
//! It decides nothing, and counts only what was believed. Shown by: tests/recording.rs.

use std::collections::BTreeMap;

/// What one channel holds, as far as was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelSize {
    /// Its topic.
    pub topic: String,
    /// Messages.
    pub messages: u64,
    /// Their bytes, unpacked and without the container's.
    pub bytes: u64,
}

/// What a recording holds, as far as was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub(crate) channels: BTreeMap<u16, ChannelSize>,
    /// Chunks that were believed.
    pub chunks: u64,
    /// Bytes of their records, as they lie in the file.
    pub packed_bytes: u64,
    /// The same bytes, unpacked.
    pub plain_bytes: u64,
}

impl Sizes {
    /// Each channel that was named, in the order of their numbers.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelSize> {
        self.channels.values()
    }

    pub(crate) fn channel(&mut self, id: u16, topic: &str) {
        topic.clone_into(&mut self.channels.entry(id).or_default().topic);
    }

    pub(crate) fn message(&mut self, id: u16, bytes: usize) {
        let channel = self.channels.entry(id).or_default();
        channel.messages = channel.messages.saturating_add(1);
        channel.bytes = channel.bytes.saturating_add(bytes as u64);
    }

    pub(crate) fn chunk(&mut self, packed_bytes: u64, plain_bytes: u64) {
        self.chunks = self.chunks.saturating_add(1);
        self.packed_bytes = self.packed_bytes.saturating_add(packed_bytes);
        self.plain_bytes = self.plain_bytes.saturating_add(plain_bytes);
    }
}
