//! Reading a small text file, with errors that name it and its nearest neighbour.
//!
//! Never reads more than the caller's cap: a robot or track file is small, anything else is a
//! mistake. Tests: tests/bad_robots.rs, tests/tracks.rs.

use crate::{ConfigError, ConfigErrors, nearest};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The text of `path`, if it is at most `bytes_max` of UTF-8.
pub(crate) fn read_text(path: &Path, what: &str, bytes_max: u64) -> Result<String, ConfigErrors> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    // Opened first, a pipe would wait for its writer, and a terminal for a person.
    let opened = std::fs::metadata(path).and_then(|found| {
        if !found.is_file() && !found.is_dir() {
            return Err(io::Error::other("a pipe or a device"));
        }
        File::open(path)
    });
    let opened = opened.and_then(|file| {
        // One byte more than allowed tells "too long" from "just fits".
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)
    });
    if let Err(error) = opened {
        let found = match error.kind() {
            ErrorKind::NotFound => "no such file".to_owned(),
            ErrorKind::IsADirectory => "a directory".to_owned(),
            _ => error.to_string(),
        };
        let nearest = nearest_file(path).filter(|_| error.kind() == ErrorKind::NotFound);
        return Err(ConfigError::whole_file(&name, format!("a readable {what}"), found)
            .nearest(nearest)
            .into());
    }
    if bytes.len() as u64 > bytes_max {
        return Err(ConfigError::whole_file(
            &name,
            format!("a {what} of at most {bytes_max} bytes"),
            "a longer file",
        )
        .into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count();
        let byte = error.as_bytes().get(good.len()).copied().unwrap_or_default();
        ConfigError::whole_file(&name, "UTF-8 text", format!("the byte 0x{byte:02x}")).at(line, 0)
    })?;
    // Editors on Windows write a byte order mark; it carries no meaning here.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// A file beside `path`, with the same extension, whose name is close to the one asked for.
fn nearest_file(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension() == path.extension() && name != wanted)
        .collect();
    names.sort();
    let name = nearest(wanted, names.iter().map(String::as_str))?;
    Some(folder.join(name).display().to_string())
}
