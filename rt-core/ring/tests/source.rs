//! Atomics are named in one file, so that loom checks every access of the code that ships.

#![cfg(all(not(loom), not(miri)))]

use std::fs;
use std::path::Path;

#[test]
fn atomics_are_named_in_sync_rs_alone() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = 0;
    for entry in fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let is_sync = path.ends_with("sync.rs");
        assert_eq!(text.contains("sync::atomic"), is_sync, "{}", path.display());
        files += 1;
    }
    assert!(files >= 8, "only {files} files were looked at");
}
