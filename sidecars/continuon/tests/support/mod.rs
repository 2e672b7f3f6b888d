//! A folder with our program in it, and shell scripts that stand in for the programs beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Programs side by side, as cargo or an image would install them.
pub struct Installed {
    folder: tempfile::TempDir,
}

impl Installed {
    /// Our own program alone.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let us = Path::new(env!("CARGO_BIN_EXE_continuon"));
        let copy = folder.path().join("continuon");
        // A link would be followed back to where the real programs may lie.
        if fs::hard_link(us, &copy).is_err() {
            fs::copy(us, &copy).expect("copied");
        }
        Self { folder }
    }

    /// Puts a shell script beside it.
    pub fn with(self, name: &str, script: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        self
    }

    /// Runs our program in that folder.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("started")
    }

    /// Our program with these arguments, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.folder.path().join("continuon"));
        command.args(args).current_dir(self.folder.path());
        command
    }

    /// A file in that folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
