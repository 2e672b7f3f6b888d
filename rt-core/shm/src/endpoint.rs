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
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, recv, sendmsg};

use crate::{RunLock, ShmError};

/// Peers at a time.
pub(crate) const PEERS_MAX: usize = 64;
/// Messages taken from one peer in one turn.
const MESSAGES_PER_TURN: usize = 8;
/// Longer than every message there is, so that a longer one is seen to be none.
const MESSAGE_BYTES_MAX: usize = 256;
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
    pub(crate) fn turn(&mut self, timeout: Duration) -> Result<Vec<Event>, ShmError> {
        let mut fds = Vec::new();
        self.watch(&mut fds);
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Vec::new()),
            Err(source) => return Err(ShmError::system("wait for the socket", source)),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any() == Some(true)).collect();
        let mut events = Vec::new();
        let mut gone = Vec::new();
        for (peer, _) in self.peers.iter_mut().zip(&ready).filter(|(_, is_ready)| **is_ready) {
            if peer.take_messages(&mut events) == Line::Closed {
                gone.push(peer.who.id);
            }
        }
        for id in gone {
            self.remove(id, &mut events);
        }
        if ready.last() == Some(&true) {
            self.accept(&mut events);
        }
        Ok(events)
    }

    fn accept(&mut self, events: &mut Vec<Event>) {
        for _ in 0..PEERS_MAX {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(_) => {
                    // Out of descriptors or memory: the listener stays ready, so look away a while.
                    self.paused_until = Some(Instant::now() + ACCEPT_PAUSE);
                    return;
                }
            };
            let Ok(credentials) = getsockopt(&socket, PeerCredentials) else {
                continue;
            };
            if self.peers.len() >= PEERS_MAX && !self.make_room(events) {
                continue;
            }
            let who = Sender {
                id: self.next_id,
                uid: credentials.uid(),
                pid: u32::try_from(credentials.pid()).unwrap_or(0),
            };
            self.next_id += 1;
            let mut peer = Peer { who, socket, heard_at: Instant::now(), stays: false };
            // It may have spoken already, and may be asked to give way in the next round.
            let line = peer.take_messages(events);
            self.peers.push(peer);
            if line == Line::Closed {
                self.remove(who.id, events);
            }
        }
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
        gives_way.is_some_and(|id| {
            self.remove(id, events);
            true
        })
    }

    fn remove(&mut self, id: u64, events: &mut Vec<Event>) {
        self.peers.retain(|peer| peer.who.id != id);
        events.push(Event::Closed { id });
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

impl Peer {
    fn take_messages(&mut self, events: &mut Vec<Event>) -> Line {
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
