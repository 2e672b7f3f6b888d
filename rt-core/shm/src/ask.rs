//! One request and its one reply over a socket of the run directory, with an end to the waiting.
//!
//! Both who ask stand on this: [`Client`](crate::Client) on `segments.sock`, and
//! [`operator::request`](crate::operator::request) on `operator.sock`. It decides only whether an
//! answer came, whole and in time; what it says is theirs to judge. It must never wait without a
//! limit, nor lose a descriptor that came along. Shown by: tests/attach.rs, tests/garbage.rs,
//! tests/operator.rs.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, send};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::ShmError;

/// Sends `request` to the loop and waits for its reply for at most `timeout`. With the reply comes
/// the first descriptor that was sent with it. `path` names the socket in errors.
///
/// # Errors
/// [`ShmError::Closed`] if the loop has gone, [`ShmError::Timeout`] if it is silent,
/// [`ShmError::Garbage`] if what it says has not the size of a reply. A late reply would pass for
/// the answer to the next request: after an error ask no more on this socket.
pub(crate) fn ask<T: FromBytes>(
    socket: BorrowedFd<'_>,
    path: &Path,
    request: &(impl IntoBytes + Immutable),
    timeout: Duration,
) -> Result<(T, Option<OwnedFd>), ShmError> {
    let closed = || ShmError::Closed { socket: path.to_owned() };
    let silent = || ShmError::Timeout { socket: path.to_owned(), timeout_ms: timeout.as_millis() };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    match send(socket.as_raw_fd(), request.as_bytes(), flags) {
        Ok(_) => {}
        Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(closed()),
        Err(Errno::EAGAIN) => return Err(silent()),
        Err(source) => return Err(ShmError::system("ask fast-loop", source)),
    }
    let is_there = wait_readable(socket, timeout)
        .map_err(|source| ShmError::system("wait for fast-loop", source))?;
    if !is_there {
        return Err(silent());
    }
    // One more byte, so that a longer reply is seen to be none.
    let (bytes, fd) = match receive(socket, size_of::<T>() + 1) {
        Ok(received) => received,
        Err(Errno::ECONNRESET) => return Err(closed()),
        Err(source) => return Err(ShmError::system("hear fast-loop", source)),
    };
    if bytes.is_empty() {
        return Err(closed());
    }
    let reply = T::read_from_bytes(&bytes).map_err(|_wrong_size| ShmError::Garbage {
        socket: path.to_owned(),
        problem: format!("{} bytes, expected {}", bytes.len(), size_of::<T>()),
    })?;
    Ok((reply, fd))
}

/// Waits until something can be read; false if nothing came in time. Signals do not end the wait.
fn wait_readable(socket: BorrowedFd<'_>, timeout: Duration) -> Result<bool, Errno> {
    let end = Instant::now() + timeout;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(socket, PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::EINTR) => {}
            Err(source) => return Err(source),
        }
    }
}

/// Takes one message of at most `bytes_max`, and the first descriptor that came with it. Empty at
/// the end.
fn receive(socket: BorrowedFd<'_>, bytes_max: usize) -> Result<(Vec<u8>, Option<OwnedFd>), Errno> {
    let mut bytes = vec![0; bytes_max];
    let mut control = cmsg_space!([i32; 4]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut fds = Vec::new();
    let len = {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        // Cut off: the loop sends one descriptor at most, so this process has no room for it.
        for part in message.cmsgs().map_err(|_cut_off| Errno::EMFILE)? {
            if let ControlMessageOwned::ScmRights(received) = part {
                // SAFETY: the kernel just made these descriptors for us; each is owned once, here.
                fds.extend(received.iter().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) }));
            }
        }
        message.bytes
    };
    bytes.truncate(len);
    Ok((bytes, fds.into_iter().next()))
}
