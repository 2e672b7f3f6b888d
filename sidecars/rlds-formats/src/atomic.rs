//! Files and directories that appear whole or not at all.
//!
//! *What it decides.* That everything is written under a name that ends in `.part` and gets its own
//! name last; what is not finished is removed. *What it must never do.* Touch what already has its
//! own name. Shown by: tests/formats/tfds.rs, tests/formats/bad_input.rs.

use crate::problem::Problem;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

fn partial(path: &Path) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// A file or directory under its temporary name.
#[derive(Debug)]
pub(crate) struct Unfinished {
    path: PathBuf,
    beside: PathBuf,
    is_finished: bool,
}

impl Unfinished {
    /// A new file that will be `path`.
    pub(crate) fn file(path: &Path) -> Result<(Self, File), Problem> {
        let beside = partial(path);
        let file = File::create(&beside).map_err(Problem::write(&beside))?;
        Ok((Self { path: path.to_owned(), beside, is_finished: false }, file))
    }

    /// A new directory that will be `path`. What an earlier attempt left half-made is removed.
    pub(crate) fn directory(path: &Path) -> Result<Self, Problem> {
        let beside = partial(path);
        match fs::remove_dir_all(&beside) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Problem::write(&beside)(error)),
        }
        fs::create_dir_all(&beside).map_err(Problem::write(&beside))?;
        Ok(Self { path: path.to_owned(), beside, is_finished: false })
    }

    /// Where it is until it is finished.
    pub(crate) fn beside(&self) -> &Path {
        &self.beside
    }

    /// Gives it its own name, once its bytes are on the disk.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let on_disk = File::open(&self.beside).and_then(|file| file.sync_all());
        on_disk
            .and_then(|()| fs::rename(&self.beside, &self.path))
            .map_err(Problem::write(&self.path))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        // The problem that led here is told already; what cannot be removed keeps its `.part`.
        if self.beside.is_dir() {
            fs::remove_dir_all(&self.beside).ok();
        } else {
            fs::remove_file(&self.beside).ok();
        }
    }
}

/// Writes `bytes` as `path`, whole or not at all.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let (unfinished, mut file) = Unfinished::file(path)?;
    std::io::Write::write_all(&mut file, bytes).map_err(Problem::write(path))?;
    unfinished.finish()
}

/// Makes a directory and those above it.
pub(crate) fn make_directory(path: &Path) -> Result<(), Problem> {
    fs::create_dir_all(path).map_err(Problem::write(path))
}
