//! One listening socket and the peers on it: bounded, never blocking, indifferent to what they say.
//!
//! Both servers stand on this. A peer that does not read its answers is closed; one that sends
//! without end gets a few messages a turn; when there are too many, the user with the most of them
//! gives one up. Who a peer is, the kernel says (SO_PEERCRED). Shown by: tests/garbage.rs,
//! tests/operator.rs.

use std::fs;
use std::io::{ErrorKind, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{PeerCredentials, SndBuf};
use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, recv, sendmsg, setsockopt};

use crate::{RunLock, ShmError};

/// Peers at a time.
pub(crate) const PEERS_MAX: usize = 64;
/// Messages taken from one peer in one turn.
const MESSAGES_PER_TURN: usize = 8;
/// Longer than every message there is, so that a longer one is seen to be none.
const MESSAGE_BYTES_MAX: usize = 256;
/// Fewer than there may be peers, so that everybody who comes in is heard once before it may have
/// to give way.
const ACCEPTS_PER_TURN: usize = PEERS_MAX / 2;
/// Room for a handful of unread answers; the kernel rounds it up to its least.
const SEND_BUFFER_BYTES: usize = 4096;
/// Without descriptors left, how long nobody is accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who sent something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    /// Number of the connection; never used twice.
    pub(crate) id: u64,
    pub(crate) uid: u32,
    pub(crate) pid: u32,
}

/// What happened on the socket.
#[derive(Debug)]
pub(crate) enum Event {
    Message { from: Sender, bytes: Vec<u8> },
    Closed { id: u64 },
}

#[derive(Debug)]
struct Peer {
    who: Sender,
    /// SOCK_SEQPACKET like its listener; std's type serves for accept and shutdown.
    socket: UnixStream,
    heard_at: Instant,
    /// It holds something and does not give way to a newcomer.
    stays: bool,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    listener: UnixListener,
    path: PathBuf,
    peers: Vec<Peer>,
    next_id: u64,
    paused_until: Option<Instant>,
    #[expect(dead_code, reason = "the directory is ours for as long as we listen in it")]
    lock: RunLock,
}

impl Endpoint {
    pub(crate) fn bind(lock: &RunLock, name: &str, mode: u32) -> Result<Self, ShmError> {
        let (listener, path) = lock.listen(name, mode)?;
        Ok(Self {
            listener: UnixListener::from(listener),
            path,
            peers: Vec::new(),
            next_id: 1,
            paused_until: None,
            lock: lock.clone(),
        })
    }

    /// Adds what [`turn`](Self::turn) would wait for: the peers in order, then the listener.
    pub(crate) fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        let peers =
            self.peers.iter().map(|peer| PollFd::new(peer.socket.as_fd(), PollFlags::POLLIN));
        fds.extend(peers);
        let is_paused = self.paused_until.is_some_and(|until| Instant::now() < until);
        let flags = if is_paused { PollFlags::empty() } else { PollFlags::POLLIN };
        fds.push(PollFd::new(self.listener.as_fd(), flags));
    }

    /// Waits for at most `timeout`, then takes what is there without ever blocking.
    ///
    /// A newcomer is heard only after another look at everybody: whoever died before it connected is
    /// seen to have gone before it speaks.
    pub(crate) fn turn(&mut self, timeout: Duration) -> Result<Vec<Event>, ShmError> {
        let mut events = Vec::new();
        if self.look(timeout, &mut events)? == Door::Opened {
            self.look(Duration::ZERO, &mut events)?;
        }
        Ok(events)
    }

    fn look(&mut self, timeout: Duration, events: &mut Vec<Event>) -> Result<Door, ShmError> {
        let mut fds = Vec::new();
        self.watch(&mut fds);
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Door::Shut),
            Err(source) => return Err(ShmError::system("wait for the socket", source)),
        }
        let mut ready = fds.iter().map(|fd| fd.any() == Some(true)).collect::<Vec<_>>().into_iter();
        // Oldest first, each one's end after its last words.
        self.peers.retain_mut(|peer| {
            let line = if ready.next() == Some(true) { peer.hear(events) } else { Line::Open };
            if line == Line::Closed {
                events.push(Event::Closed { id: peer.who.id });
            }
            line == Line::Open
        });
        Ok(if ready.next() == Some(true) { self.accept(events) } else { Door::Shut })
    }

    fn accept(&mut self, events: &mut Vec<Event>) -> Door {
        let mut door = Door::Shut;
        for _ in 0..ACCEPTS_PER_TURN {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(_) => {
                    // Out of descriptors or memory: the listener stays ready, so look away a while.
                    self.paused_until = Some(Instant::now() + ACCEPT_PAUSE);
                    break;
                }
            };
            let Ok(credentials) = getsockopt(&socket, PeerCredentials) else { continue };
            // Descriptors in unread answers count against our limit: leave no room for many.
            if setsockopt(&socket, SndBuf, &SEND_BUFFER_BYTES).is_err() {
                continue;
            }
            if self.peers.len() >= PEERS_MAX && !self.make_room(events) {
                continue;
            }
            let who = Sender {
                id: self.next_id,
                uid: credentials.uid(),
                pid: u32::try_from(credentials.pid()).unwrap_or(0),
            };
            self.next_id += 1;
            self.peers.push(Peer { who, socket, heard_at: Instant::now(), stays: false });
            door = Door::Opened;
        }
        door
    }

    /// Of those who hold nothing, the user with the most connections gives up the one that was
    /// silent longest.
    fn make_room(&mut self, events: &mut Vec<Event>) -> bool {
        let held_by = |uid| self.peers.iter().filter(|peer| peer.who.uid == uid).count();
        let gives_way = self
            .peers
            .iter()
            .filter(|peer| !peer.stays)
            .max_by_key(|peer| (held_by(peer.who.uid), peer.heard_at.elapsed()))
            .map(|peer| peer.who.id);
        let Some(id) = gives_way else { return false };
        self.peers.retain(|peer| peer.who.id != id);
        events.push(Event::Closed { id });
        true
    }

    /// The peer holds something from now on.
    pub(crate) fn keep(&mut self, id: u64) {
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.who.id == id) {
            peer.stays = true;
        }
    }

    /// Sends an answer, with a descriptor if there is one. A peer that takes no answer is closed.
    pub(crate) fn send(&mut self, id: u64, bytes: &[u8], fd: Option<BorrowedFd<'_>>) {
        let Some(peer) = self.peers.iter().find(|peer| peer.who.id == id) else {
            return;
        };
        let fds: Vec<_> = fd.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&fds)];
        let with = if fds.is_empty() { &rights[..0] } else { &rights[..] };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let socket = peer.socket.as_raw_fd();
        let sent = sendmsg::<()>(socket, &[IoSlice::new(bytes)], with, flags, None);
        if sent != Ok(bytes.len()) {
            self.close(id);
        }
    }

    /// Ends a connection; its `Closed` comes with the next turn.
    pub(crate) fn close(&mut self, id: u64) {
        if let Some(peer) = self.peers.iter().find(|peer| peer.who.id == id) {
            // Fails only if the peer was quicker.
            drop(peer.socket.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // Best effort: whoever comes next removes what is left.
        drop(fs::remove_file(&self.path));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    Closed,
}

/// Whether somebody came in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Opened,
    Shut,
}

impl Peer {
    fn hear(&mut self, events: &mut Vec<Event>) -> Line {
        for _ in 0..MESSAGES_PER_TURN {
            let mut bytes = vec![0; MESSAGE_BYTES_MAX];
            // Without room for control messages the kernel drops descriptors that come along.
            match recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
                // An empty message is as good as an end.
                Ok(0) => return Line::Closed,
                Ok(len) => {
                    bytes.truncate(len);
                    self.heard_at = Instant::now();
                    events.push(Event::Message { from: self.who, bytes });
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return Line::Open,
                Err(_) => return Line::Closed,
            }
        }
        Line::Open
    }
}
