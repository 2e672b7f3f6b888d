//! System calls that a board's threads make once they are sealed: named, each with its reason.
//!
//! The fast loop enters a filter before the first Disarmed; whatever is not named ends the process
//! (`rt-core/decisions/017`). The list that a board can choose from is closed: what opens, maps, starts
//! or connects anything cannot be spelled here, for that belongs before the seal. Shown by:
//! `tests/filter.rs` of the tests crate, `fast-loop/tests/bus/`.

/// A system call on a descriptor that was opened before the seal, or a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syscall {
    /// An exchange with a character device: GPIO lines, I²C, SPI.
    Ioctl,
    /// From a device or file.
    Read,
    /// Into a device or file.
    Write,
    /// From a place in a file.
    Pread,
    /// Into a place in a file: a sysfs attribute that stays open.
    Pwrite,
    /// Waits for a lock or wakes who waits: never in a loop that drives a real board.
    Futex,
}

impl Syscall {
    /// Its name, as `strace` and the kernel's log say it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ioctl => "ioctl",
            Self::Read => "read",
            Self::Write => "write",
            Self::Pread => "pread64",
            Self::Pwrite => "pwrite64",
            Self::Futex => "futex",
        }
    }
}

/// One system call that a sealed thread makes, and why it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The call.
    pub call: Syscall,
    /// Why, in one sentence, for whoever reviews the list.
    pub why: &'static str,
}
