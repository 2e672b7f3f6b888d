//! Where bytes go: a file, or in tests anything that can run full.
//!
//! It decides nothing about content; it remembers up to where the content is whole, so that a write
//! that failed halfway can be taken back. Shown by: tests/episode.rs.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// A place for bytes that only grows, but for taking back a failed write.
pub trait Storage: Write {
    /// Shortens to `bytes`; the next write goes there.
    ///
    /// # Errors
    /// What the file system says.
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;

    /// Returns once everything written is on the disk.
    ///
    /// # Errors
    /// What the file system says; then nothing written since the last success is certain.
    fn sync(&mut self) -> io::Result<()>;
}

impl Storage for File {
    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)?;
        self.seek(SeekFrom::Start(bytes)).map(|_| ())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A storage with a mark behind the last whole piece. `flush` moves the mark.
pub(crate) struct Sink<S> {
    storage: S,
    written_bytes: u64,
    whole_bytes: u64,
}

impl<S: Storage> Sink<S> {
    pub(crate) fn new(storage: S) -> Self {
        Self { storage, written_bytes: 0, whole_bytes: 0 }
    }

    /// Takes back what was written since the last whole piece.
    pub(crate) fn take_back(&mut self) -> io::Result<()> {
        self.storage.truncate(self.whole_bytes)?;
        self.written_bytes = self.whole_bytes;
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.storage.sync()
    }
}

impl<S: Storage> Write for Sink<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.storage.write(bytes)?;
        self.written_bytes = self.written_bytes.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.storage.flush()?;
        self.whole_bytes = self.written_bytes;
        Ok(())
    }
}
