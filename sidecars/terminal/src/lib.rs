//! A person's terminal, key by key, and given back as it was found.
//!
//! *What it decides.* When keys may be taken at all (stdin is a terminal, and we are in its
//! foreground), and which bytes are which key. *What it must never do.* Leave the terminal changed,
//! by whichever way we return (a process that is killed outright gives nothing back: whoever started
//! it may, with [`Found`]); take Ctrl-C or Ctrl-Z from the person (Ctrl-\ is a key: its signal would
//! kill us before anything is given back); touch a terminal that another job owns.
//!
//! ```text
//! bytes ─▶ Decoder ─▶ KeyEvent ─▶ who listens        Keys::take ─▶ … ─▶ dropped: as it was found
//! ```
//!
//! A terminal tells presses, and repeats of the last key only; a release it tells only where it
//! speaks the Kitty keyboard protocol, and then for the arrows. So a release may end something
//! early, and nothing may wait for one. Tests: here and in decode.rs; with a real pseudo-terminal
//! in the tests crate (teleop).

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod decode;

pub use decode::{Act, Decoder, Key, KeyEvent};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{
    self, _POSIX_VDISABLE, InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios,
};
use nix::unistd::{getpgrp, read, tcgetpgrp};
use std::fmt;
use std::fs::File;
use std::io::{IsTerminal, Write, stdin};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;

/// The terminal of this session, wherever our standard streams go.
const TTY: &str = "/dev/tty";
/// Asks a terminal that can to tell releases too; the others leave it alone.
const TELL_RELEASES: &[u8] = b"\x1b[>2u";
/// Takes that back, and shows the cursor, which a screen may have hidden.
const AS_BEFORE: &[u8] = b"\x1b[<u\x1b[?25h";
/// A sequence that has begun comes to its end within this; a lone escape is the key of that name.
const SEQUENCE_WITHIN_MS: u8 = 30;

/// Why there are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// Standard input is a pipe, a file or nothing.
    NotATerminal,
    /// Another job of this terminal has its keys.
    InBackground,
    /// The system refused.
    Refused(Errno),
}

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATerminal => f.write_str("standard input is no terminal"),
            Self::InBackground => f.write_str("this job is in the background of its terminal"),
            Self::Refused(error) => write!(f, "the terminal cannot be set: {error}"),
        }
    }
}

/// How a terminal was found; dropped, it is so again.
#[derive(Debug)]
pub struct Found {
    modes: Termios,
    /// Never waits: a terminal that takes no text must not keep a process from its end.
    tty: File,
    /// Somebody has asked for releases, and cannot take that back any more.
    asked_for_releases: bool,
}

impl Found {
    /// Remembers how the terminal of standard input is set.
    ///
    /// # Errors
    /// [`NoKeys`]: there is none, or it is not ours now.
    pub fn remember() -> Result<Self, NoKeys> {
        let stdin = stdin();
        if !stdin.is_terminal() {
            return Err(NoKeys::NotATerminal);
        }
        if !is_ours().map_err(NoKeys::Refused)? {
            return Err(NoKeys::InBackground);
        }
        let modes = termios::tcgetattr(stdin.as_fd()).map_err(NoKeys::Refused)?;
        let nonblocking = OFlag::O_NONBLOCK.bits();
        let tty = File::options().write(true).custom_flags(nonblocking).open(TTY);
        let refused = |error: std::io::Error| {
            NoKeys::Refused(error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))
        };
        Ok(Self { modes, tty: tty.map_err(refused)?, asked_for_releases: false })
    }

    /// Who had taken the keys of this terminal was killed: what it asked of the terminal is taken
    /// back here. Whoever ends in order has done so, and the terminal counts: twice would take from
    /// the shell what the shell had asked for.
    pub fn taker_was_killed(&mut self) {
        self.asked_for_releases = true;
    }
}

/// Whether we are in the foreground of the terminal of standard input.
fn is_ours() -> nix::Result<bool> {
    Ok(tcgetpgrp(stdin().as_fd())? == getpgrp())
}

impl Drop for Found {
    fn drop(&mut self) {
        // Put into the background meanwhile: the shell has set it for itself, and to set it again
        // would stop us (SIGTTOU) where we want to end.
        if is_ours() == Ok(false) {
            return;
        }
        // A terminal that is gone needs nothing given back.
        termios::tcsetattr(stdin().as_fd(), SetArg::TCSANOW, &self.modes).ok();
        if self.asked_for_releases {
            self.tty.write_all(AS_BEFORE).ok();
        }
    }
}

/// The terminal's keys, one by one and without echo, for as long as this lives.
#[derive(Debug)]
pub struct Keys {
    _found: Found,
}

impl Keys {
    /// Takes them. Ctrl-C and Ctrl-Z stay signals, and lines are still ended as everywhere; Ctrl-\
    /// comes as `Key::Char('\u{1c}')`.
    ///
    /// # Errors
    /// [`NoKeys`].
    pub fn take() -> Result<Self, NoKeys> {
        let mut found = Found::remember()?;
        let mut modes = found.modes.clone();
        modes.local_flags &= !(LocalFlags::ICANON | LocalFlags::ECHO);
        // Ctrl-S would freeze the screen of a car that drives on.
        modes.input_flags &= !InputFlags::IXON;
        modes.control_chars[SpecialCharacterIndices::VQUIT as usize] = _POSIX_VDISABLE;
        modes.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        modes.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        let set = termios::tcsetattr(stdin().as_fd(), SetArg::TCSANOW, &modes);
        set.map_err(NoKeys::Refused)?;
        // Without it keys are taken all the same.
        (&found.tty).write_all(TELL_RELEASES).ok();
        found.asked_for_releases = true;
        Ok(Self { _found: found })
    }

    /// The terminal, to be drawn on; it stays one where stdout is a file. Writing may wait.
    ///
    /// # Errors
    /// The terminal is gone, or no descriptor is left.
    pub fn tty(&self) -> std::io::Result<File> {
        File::options().write(true).open(TTY)
    }
}

/// What a listener hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A key.
    Key(KeyEvent),
    /// The terminal is gone: nothing comes after this.
    Closed,
}

/// Hands every key to `hear`, at once and in a thread of its own, until the terminal closes or
/// `hear` says that it has heard enough. Nothing that `hear` does may wait.
///
/// # Errors
/// No thread can be started.
pub fn listen(mut hear: impl FnMut(Heard) -> Goes + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name("keys".to_owned()).spawn(move || {
        let mut decoder = Decoder::default();
        loop {
            let timeout = match decoder.is_waiting() {
                true => PollTimeout::from(SEQUENCE_WITHIN_MS),
                false => PollTimeout::NONE,
            };
            let heard = match await_bytes(timeout) {
                Bytes::Some(bytes) => decoder.feed(&bytes),
                Bytes::None => decoder.time_is_up(),
                Bytes::Closed => {
                    hear(Heard::Closed);
                    return;
                }
            };
            for event in heard {
                if hear(Heard::Key(event)) == Goes::Away {
                    return;
                }
            }
        }
    })?;
    Ok(())
}

/// Whether a listener wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// It does.
    On,
    /// It has heard enough.
    Away,
}

enum Bytes {
    Some(Vec<u8>),
    None,
    Closed,
}

fn await_bytes(timeout: PollTimeout) -> Bytes {
    let stdin = stdin();
    let mut wait = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut wait, timeout) {
        Ok(0) | Err(Errno::EINTR) => return Bytes::None,
        Ok(_) => {}
        Err(_) => return Bytes::Closed,
    }
    let mut bytes = [0; 256];
    match read(stdin.as_fd(), &mut bytes) {
        // The end of the file, or EIO: the other side of the terminal is closed.
        Ok(0) => Bytes::Closed,
        Ok(len) => Bytes::Some(bytes[..len].to_vec()),
        Err(Errno::EINTR | Errno::EAGAIN) => Bytes::None,
        Err(_) => Bytes::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, NoKeys};

    #[test]
    fn what_is_no_terminal_has_no_keys_and_says_so() {
        use std::io::IsTerminal;
        if std::io::stdin().is_terminal() {
            println!("skipped: standard input is a terminal here");
            return;
        }
        let error = Keys::take().expect_err("a test's stdin is none");
        assert_eq!(error, NoKeys::NotATerminal);
        assert_eq!(error.to_string(), "standard input is no terminal");
    }
}
