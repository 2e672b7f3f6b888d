//! Segments: memory that the processes of one robot share, and the two sockets of its run directory.
//!
//! *What it decides.* Who gets which descriptor: [`Segments`] creates what the loop writes,
//! [`SegmentServer`] hands descriptors out over `segments.sock` and takes the memory of commands and
//! heartbeats in, [`Client`] is the other side of it. [`OperatorServer`] takes arm, disarm, e-stop
//! and reset over `operator.sock`; [`operator::request`] is the other side.
//!
//! *What it must never do.* Start a thread, wait without a limit, trust a length or a name that a
//! peer sent, touch memory that a peer can still shrink, or judge what a record means.
//!
//! ```text
//! what the loop writes      memfd, allocate, map, seal            ─▶ read-only descriptor to readers
//! what one peer writes      memfd, allocate, header ─▶ peer maps ─▶ seal ─▶ allocate again, map,
//!                           check ─▶ swap it in, while that source is not the owner
//! the seal                  SHRINK | GROW | FUTURE_WRITE | SEAL, in one call
//! ```
//!
//! After the seal nobody can truncate the memory, punch a hole into it, write(2) to it or map it
//! writable once more, not even its own user; mappings made before still write. A plain shared file
//! would let any peer of the same user kill the loop with SIGBUS.
//!
//! Shown by: tests/attach.rs, tests/seals.rs, tests/dir.rs, tests/limits.rs, tests/garbage.rs,
//! tests/operator.rs.

#![deny(missing_docs)]

mod ask;
mod client;
mod endpoint;
mod error;
mod lack;
mod mapped;
mod mapping;
mod memfd;
pub mod operator;
mod operator_server;
pub mod protocol;
mod run_dir;
mod segments;
mod server;
mod shapes;

pub use client::Client;
pub use error::ShmError;
pub use lack::{Lack, in_words};
pub use mapped::{MappedRingReader, MappedSlotReader, MappedSlotWriter};
pub use mapping::{Access, Mapping};
pub use operator_server::{OperatorServer, Pending};
pub use run_dir::{RunDir, RunLock};
pub use segments::Segments;
pub use server::{Rules, SegmentServer};

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

/// Waits until one of the two servers has something to do, or `timeout_ms` are over. Then poll both
/// with a timeout of 0.
///
/// # Errors
/// [`ShmError::System`] if the kernel refuses to wait; a signal is no error.
pub fn wait(
    segments: &SegmentServer,
    operator: &OperatorServer,
    timeout_ms: u16,
) -> Result<(), ShmError> {
    let mut fds: Vec<PollFd<'_>> = Vec::new();
    segments.watch(&mut fds);
    operator.watch(&mut fds);
    match poll(&mut fds, PollTimeout::from(timeout_ms)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(source) => Err(ShmError::system("wait for the sockets", source)),
    }
}
