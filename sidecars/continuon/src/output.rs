//! Standard output and error, for people who pipe them into `head`.

use crate::exit::Failure;
use std::io::{ErrorKind, Write};

/// Prints `text` as it is. A reader that has gone has read enough: that is no error.
///
/// # Errors
/// Standard output cannot be written, a full disk behind it for example.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::not_possible(format!("stdout: {error}"))),
    }
}

/// One line on standard error, `continuon: …`. Nobody there to read it is no reason to stop.
pub fn say(words: impl std::fmt::Display) {
    std::io::stderr().write_all(format!("continuon: {words}\n").as_bytes()).ok();
}

/// Prints one line.
///
/// # Errors
/// As [`print()`].
pub fn print_line(text: impl std::fmt::Display) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}
