//! Where bytes go: files of the host, or in tests anything that can run full, stall or be cut off.
//!
//! *What it decides.* Which calls on files there are at all, so that a test can stand in for the
//! whole disk: what lies on it after a power cut depends on each of them. *What it must never do.*
//! Believe a file after a failed sync: what was written since the last good one is not certain.
//!
//! Shown by: tests/episode.rs, and the crash images of the tests crate.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

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

/// The calls on files and directories that an episode is made with.
pub trait FileSystem {
    /// A file that is being written.
    type File: Storage;
    /// A file that is being read.
    type Reader: Read + Seek;

    /// Makes a directory.
    ///
    /// # Errors
    /// What the file system says; [`io::ErrorKind::AlreadyExists`] if it is there.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes a file, empty even if it was there, and locks it as long as it is open.
    ///
    /// # Errors
    /// What the file system says; [`io::ErrorKind::WouldBlock`] if somebody else has it locked.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Opens a file to read it.
    ///
    /// # Errors
    /// What the file system says.
    fn open(&self, path: &Path) -> io::Result<Self::Reader>;

    /// Whether nobody writes the file; it is locked as long as the reader is open.
    ///
    /// # Errors
    /// What the file system says.
    fn lock(&self, reader: &Self::Reader) -> io::Result<bool>;

    /// Moves a file over another of the same directory, at once.
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Returns once the names in a directory are on the disk.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostFiles;

impl FileSystem for HostFiles {
    type File = File;
    type Reader = File;

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        // Not emptied before it is locked: it may be somebody else's.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.try_lock()?;
        file.set_len(0)?;
        Ok(file)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn lock(&self, reader: &File) -> io::Result<bool> {
        match reader.try_lock() {
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// A storage with a mark behind the last whole piece, and one behind what is certainly on the disk.
/// `flush` moves the first, `sync` the second.
pub(crate) struct Sink<S> {
    storage: S,
    written_bytes: u64,
    whole_bytes: u64,
    synced_bytes: u64,
}

impl<S: Storage> Sink<S> {
    pub(crate) fn new(storage: S) -> Self {
        Self { storage, written_bytes: 0, whole_bytes: 0, synced_bytes: 0 }
    }

    /// Takes back what was written since the last whole piece.
    pub(crate) fn take_back(&mut self) -> io::Result<()> {
        self.storage.truncate(self.whole_bytes)?;
        self.written_bytes = self.whole_bytes;
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.storage.sync()?;
        self.synced_bytes = self.whole_bytes;
        Ok(())
    }

    /// After a sync that failed: nothing more is written here; what is not certain is taken away, so
    /// that what is found later is what was counted.
    pub(crate) fn keep_what_is_certain(mut self) -> io::Result<()> {
        self.storage.truncate(self.synced_bytes)
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
