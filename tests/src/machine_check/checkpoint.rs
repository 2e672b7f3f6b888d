//! What a long proof keeps on disk, so that an end that nobody asked for costs seconds, not hours.
//!
//! A checkpoint belongs to one program and one question: the key is made from both, because what an
//! older machine reached says nothing about this one. A checkpoint that cannot be read or written is
//! no checkpoint: the proof begins anew or goes on without. Tests: at the end.

use rt_wire::fnv1a;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    key: u64,
    known: T,
}

/// The key of a question to the program that runs.
pub(super) fn key(question: &str) -> u64 {
    let program = std::env::current_exe().and_then(fs::read).unwrap_or_default();
    fnv1a(fnv1a(0, question.as_bytes()), &program)
}

/// What was known when the same program asked the same question; `None` begins anew.
pub(super) fn load<T: DeserializeOwned>(file: &Path, key: u64) -> Option<T> {
    let bytes = fs::read(file).ok()?;
    let kept: Kept<T> = serde_json::from_slice(&bytes).ok()?;
    (kept.key == key).then_some(kept.known)
}

/// Writes beside and renames: whoever is killed in between leaves the older one.
pub(super) fn keep<T: Serialize>(file: &Path, key: u64, known: &T) {
    let Ok(bytes) = serde_json::to_vec(&Kept { key, known }) else { return };
    let new = file.with_extension("new");
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).ok();
    }
    if fs::write(&new, bytes).is_ok() {
        fs::rename(&new, file).ok();
    }
}

/// The proof is complete.
pub(super) fn forget(file: &Path) {
    fs::remove_file(file).ok();
}

#[cfg(test)]
mod tests {
    use super::{forget, keep, key, load};

    #[test]
    fn checkpoint_answers_the_same_question_only() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("walks/one.json");
        let (question, other) = (key("one"), key("two"));
        assert_ne!(question, other);
        assert_eq!(load::<Vec<u32>>(&file, question), None);
        keep(&file, question, &vec![1, 2, 3]);
        assert_eq!(load(&file, question), Some(vec![1, 2, 3]));
        assert_eq!(load::<Vec<u32>>(&file, other), None);
        std::fs::write(&file, "half a chec").expect("writes");
        assert_eq!(load::<Vec<u32>>(&file, question), None);
        forget(&file);
        assert!(!file.exists());
    }
}
