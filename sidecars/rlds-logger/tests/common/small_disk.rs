//! A real file system that is soon full: a tmpfs of its own, for whoever may mount one.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Mounted as long as this lives.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// One of `kib` KiB; `None`, said loudly, where nobody may mount one.
    pub(crate) fn mount(kib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let options = format!("size={kib}k,mode=0755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "continuon-test"])
            .arg(dir.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(dir)),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                eprintln!("SKIPPED: no tmpfs may be mounted here: {}", said.trim());
                None
            }
            Err(error) => {
                eprintln!("SKIPPED: no tmpfs may be mounted here: mount: {error}");
                None
            }
        }
    }

    /// Makes it larger, as somebody who removes files does.
    pub(crate) fn make_room(&self, kib: u32) {
        let options = format!("remount,size={kib}k");
        let made = Command::new("mount").args(["-o", &options]).arg(self.path()).status();
        assert!(made.is_ok_and(|status| status.success()), "it stays as small as it was");
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has a file there keeps it until it ends; the folder can go.
        let gone = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(gone.is_ok_and(|status| status.success()), "it is still mounted");
    }
}
