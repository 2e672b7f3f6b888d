//! Every way in which sharing memory fails, in words for the person who has to mend it.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use rt_ring::AttachError;

use crate::{Lack, in_words};

/// Why a segment, a socket or a run directory cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShmError {
    /// A system call failed in a way that has no better name.
    #[error("cannot {what}: {}", in_words(*source))]
    System {
        /// What was tried, as a verb with its object.
        what: String,
        /// What the kernel said.
        source: Errno,
    },
    /// Memory or a descriptor for a segment cannot be had, or its memory not be locked.
    #[error("segment {segment}: {lack}")]
    NoMemory {
        /// Name of the segment.
        segment: String,
        /// What was refused, by which limit, and how to lift it.
        lack: Lack,
    },
    /// A system call of the loop failed while it made or took in a segment, for no want of memory.
    #[error("segment {segment}: fast-loop could not serve it: {source}")]
    LoopFailed {
        /// Name of the segment.
        segment: String,
        /// What the kernel said to the loop.
        source: Errno,
    },
    /// A name has no room where it must stand.
    #[error("{what} `{name}`: {found} bytes, expected 1 to {bytes_max} without a zero", found = name.len())]
    Name {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
        /// The most that fits.
        bytes_max: usize,
    },
    /// The run directory cannot serve.
    #[error("run directory {dir}: {problem}", dir = dir.display())]
    RunDir {
        /// The directory.
        dir: PathBuf,
        /// What is wrong, and how to mend it.
        problem: String,
    },
    /// Another process holds the run directory.
    #[error("another fast-loop serves this robot ({holder}, {dir}): stop it first", dir = dir.display())]
    AnotherLoop {
        /// `pid N`, or that it is not known.
        holder: String,
        /// The run directory.
        dir: PathBuf,
    },
    /// Nobody listens there.
    #[error("no fast-loop runs {place}: start one with `continuon sim`")]
    NotServed {
        /// `for robot X in DIR`, or `in DIR`, and what was found there.
        place: String,
    },
    /// The socket's file mode keeps this user out.
    #[error("{socket}: permission denied for uid {uid}: join its group, or run as its user", socket = socket.display())]
    Permission {
        /// The socket.
        socket: PathBuf,
        /// Our effective user.
        uid: u32,
    },
    /// The robot file does not give this process to this user.
    #[error("{process}: uid {uid} may not attach: enter it under `uids` in the robot file")]
    Uid {
        /// The process we say we are.
        process: String,
        /// Our user, as the loop sees it.
        uid: u32,
    },
    /// The loop in this run directory drives another robot.
    #[error("the fast-loop in {dir} does not serve robot {robot}: name its run directory", dir = dir.display())]
    Robot {
        /// The run directory.
        dir: PathBuf,
        /// The robot that was expected.
        robot: String,
    },
    /// The two sides speak another version of the protocol.
    #[error("{socket}: protocol version {found}, expected {expected}: rebuild the older side", socket = socket.display())]
    Version {
        /// The socket.
        socket: PathBuf,
        /// Version of this build.
        expected: u32,
        /// Version of the other side.
        found: u32,
    },
    /// The record has another layout in the loop's build.
    #[error("segment {segment}: layout {found:#x}, expected {expected:#x}: rebuild {process}")]
    Layout {
        /// Name of the segment.
        segment: String,
        /// Layout hash of the loop's build.
        expected: u64,
        /// Layout hash of ours.
        found: u64,
        /// The process to rebuild.
        process: String,
    },
    /// The type asked for is not the topic's record.
    #[error("segment {segment}: holds {expected} ({kind}), asked for {found}")]
    WrongRecord {
        /// Name of the segment.
        segment: String,
        /// Type of its records.
        expected: &'static str,
        /// Ring or slot.
        kind: &'static str,
        /// What was asked for.
        found: String,
    },
    /// The loop refuses for now: the source owns the car, and memory is never swapped under it.
    #[error("segment {segment}: busy: {process} owns the car; attach again once it is not Active")]
    Busy {
        /// Name of the segment.
        segment: String,
        /// The process.
        process: String,
    },
    /// A slot has one writer.
    #[error("segment {segment}: already written by pid {pid}: stop that process first")]
    AlreadyWritten {
        /// Name of the segment.
        segment: String,
        /// Who writes it.
        pid: u32,
    },
    /// The segment's writer has not attached yet.
    #[error("segment {segment}: nobody writes it yet: start {writer}")]
    NotYetWritten {
        /// Name of the segment.
        segment: String,
        /// Who would write it.
        writer: String,
    },
    /// The loop answered no, for a reason that needs no number.
    #[error("segment {segment}: {process} may not have it: {reason}")]
    Refused {
        /// Name of the segment.
        segment: String,
        /// The process we say we are.
        process: String,
        /// Why.
        reason: &'static str,
    },
    /// The descriptor is not what the loop promised; nothing was mapped.
    #[error("segment {segment}: {problem}: not trusted")]
    NotTrusted {
        /// Name of the segment.
        segment: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The memory is not the ring or slot that was expected.
    #[error("segment {segment}: {source}")]
    Attach {
        /// Name of the segment.
        segment: String,
        /// What rt-ring found.
        source: AttachError,
    },
    /// No answer in time.
    #[error("{socket}: no answer within {timeout_ms} ms: is fast-loop stopped?", socket = socket.display())]
    Timeout {
        /// The socket.
        socket: PathBuf,
        /// How long we waited.
        timeout_ms: u128,
    },
    /// The other side closed the connection.
    #[error("{socket}: fast-loop closed the connection (it ended, has too many peers, or is another build)", socket = socket.display())]
    Closed {
        /// The socket.
        socket: PathBuf,
    },
    /// The other side answered something that this version does not know.
    #[error("{socket}: unknown answer: {problem}", socket = socket.display())]
    Garbage {
        /// The socket.
        socket: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl ShmError {
    /// Whether the loop may say something else in a while, so that asking again is worth it.
    #[must_use]
    pub const fn can_pass(&self) -> bool {
        match self {
            // The loop has not started, is just ending, or is busy starting; the writer of a segment
            // comes later; a source that owned the car in its life before must stop first, and that
            // life has ended, which the loop does not know yet.
            Self::NotServed { .. }
            | Self::Closed { .. }
            | Self::Timeout { .. }
            | Self::NotYetWritten { .. }
            | Self::Busy { .. }
            | Self::AlreadyWritten { .. } => true,
            // Somebody must mend something.
            Self::System { .. }
            | Self::NoMemory { .. }
            | Self::LoopFailed { .. }
            | Self::Name { .. }
            | Self::RunDir { .. }
            | Self::AnotherLoop { .. }
            | Self::Permission { .. }
            | Self::Uid { .. }
            | Self::Robot { .. }
            | Self::Version { .. }
            | Self::Layout { .. }
            | Self::WrongRecord { .. }
            | Self::Refused { .. }
            | Self::NotTrusted { .. }
            | Self::Attach { .. }
            | Self::Garbage { .. } => false,
        }
    }

    pub(crate) fn system(what: impl Into<String>, source: Errno) -> Self {
        Self::System { what: what.into(), source }
    }

    pub(crate) fn io(what: impl Into<String>, error: &io::Error) -> Self {
        Self::system(what, errno(error))
    }
}

/// The kernel's number in an error of std.
pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::ShmError;
    use nix::errno::Errno;
    use std::path::PathBuf;

    #[test]
    fn only_what_the_loop_may_answer_otherwise_later_is_worth_waiting_for() {
        let segment = || "donkey.plant.status.slot".to_owned();
        let process = || "plant".to_owned();
        let socket = || PathBuf::from("segments.sock");
        let passing = [
            ShmError::NotServed { place: "in run/there".to_owned() },
            ShmError::Closed { socket: socket() },
            ShmError::Timeout { socket: socket(), timeout_ms: 2000 },
            ShmError::NotYetWritten { segment: segment(), writer: process() },
            ShmError::Busy { segment: segment(), process: process() },
            ShmError::AlreadyWritten { segment: segment(), pid: 7 },
        ];
        let lasting = [
            ShmError::Uid { process: process(), uid: 7 },
            ShmError::Version { socket: socket(), expected: 2, found: 1 },
            ShmError::Layout { segment: segment(), expected: 2, found: 1, process: process() },
            ShmError::Refused { segment: segment(), process: process(), reason: "not its writer" },
            ShmError::system("lock memory", Errno::ENOMEM),
        ];
        for error in passing {
            assert!(error.can_pass(), "{error}");
        }
        for error in lasting {
            assert!(!error.can_pass(), "{error}");
        }
    }
}
