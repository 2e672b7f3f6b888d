//! A folder with our program in it, and nothing beside it yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Programs side by side, as cargo or an image would install them.
pub(crate) struct Installed {
    folder: tempfile::TempDir,
}

impl Installed {
    /// Our own program alone.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let us = Path::new(env!("CARGO_BIN_EXE_continuon"));
        let copy = folder.path().join("continuon");
        // A link would be followed back to where the real programs may lie.
        if fs::hard_link(us, &copy).is_err() {
            fs::copy(us, &copy).expect("copied");
        }
        Self { folder }
    }

    /// Runs our program in that folder.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("started")
    }

    /// Our program with these arguments, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.folder.path().join("continuon"));
        command.args(args).current_dir(self.folder.path());
        command
    }

    /// A file in that folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
