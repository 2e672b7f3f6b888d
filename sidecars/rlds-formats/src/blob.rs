//! A file that a step refers to: inside its episode, and of a size that can be believed.
//!
//! *What it decides.* Which uris may be followed. *What it must never do.* Open anything outside the
//! episode's directory, be it by `..`, by an absolute path, or through a link. Shown by:
//! tests/formats/bad_input.rs.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// A picture or a sound of one step is not larger.
const BLOB_BYTES_MAX: u64 = 64 << 20;

/// The file that `uri` names inside the directory `inside`.
///
/// # Errors
/// In words: the uri leads elsewhere, or to nothing.
pub(crate) fn resolve(inside: &Path, uri: &str) -> Result<PathBuf, String> {
    let refuse = |why: &str| format!("expected a path inside the episode, found `{uri}` ({why})");
    if uri.contains("://") {
        return Err(refuse("an address"));
    }
    if uri.contains('\\') || uri.contains('\0') {
        return Err(refuse("no path"));
    }
    let relative = Path::new(uri);
    let mut components = relative.components().peekable();
    if components.peek().is_none() {
        return Err(refuse("empty"));
    }
    if !components.all(|component| matches!(component, Component::Normal(_))) {
        return Err(refuse("it leads out"));
    }
    let joined = inside.join(relative);
    let real = joined.canonicalize().map_err(|error| refuse(&error.to_string()))?;
    let home = inside.canonicalize().map_err(|error| refuse(&error.to_string()))?;
    if real.starts_with(&home) { Ok(real) } else { Err(refuse("a link leads out")) }
}

/// The bytes of the file that `uri` names inside the directory `inside`.
///
/// # Errors
/// In words, as [`resolve`], or that the file is empty or too large.
pub(crate) fn read(inside: &Path, uri: &str) -> Result<Vec<u8>, String> {
    let path = resolve(inside, uri)?;
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(BLOB_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("`{uri}`: {error}"))?;
    match bytes.len() as u64 {
        0 => Err(format!("`{uri}`: expected a file with content, found 0 bytes")),
        found if found > BLOB_BYTES_MAX => {
            Err(format!("`{uri}`: expected at most {BLOB_BYTES_MAX} bytes, found more"))
        }
        _ => Ok(bytes),
    }
}
