//! Ctrl-C and SIGTERM as something to look at between two steps, instead of something that happens.
//!
//! The signals are blocked and read from a descriptor. A child inherits what is blocked; see
//! `sim/start_child.rs`, which lets them through again.

use crate::exit::Failure;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rt_shm::in_words;

/// Whether a person wants us to end.
#[derive(Debug)]
pub struct EndRequests {
    signals: SignalFd,
    asked: bool,
}

impl EndRequests {
    /// Takes SIGINT, SIGTERM and SIGHUP from here on. Call before any thread is started: a thread
    /// inherits what its parent blocks.
    ///
    /// # Errors
    /// The kernel gives no descriptor.
    pub fn take() -> Result<Self, Failure> {
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            mask.add(signal);
        }
        // A file that grows beyond `ulimit -f` is an error with its name, not a sudden end.
        let mut blocked = mask;
        blocked.add(Signal::SIGXFSZ);
        blocked
            .thread_block()
            .and_then(|()| {
                SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            })
            .map(|signals| Self { signals, asked: false })
            .map_err(|error| {
                Failure::not_possible(format!("cannot receive signals: {}", in_words(error)))
            })
    }

    /// Whether anybody has asked so far.
    pub fn asked(&mut self) -> bool {
        if !self.asked {
            self.asked = matches!(self.signals.read_signal(), Ok(Some(_)));
        }
        self.asked
    }
}
