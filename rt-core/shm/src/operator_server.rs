//! The loop's side of `operator.sock`: takes requests in order, e-stops first, and answers later.
//!
//! Housekeeping polls, takes one request at a time to the loop, and answers when the loop has acted,
//! some cycles later. It must never lose an e-stop, delay one behind anything, or carry out a
//! request to move of which its sender was told that it timed out or who has gone away: it is easy
//! to stop and hard to move. Shown by: tests/operator.rs.
//!
//! ```text
//! message ─▶ may this user? ─▶ queue (e-stops have their own) ─▶ take ─▶ loop ─▶ answer
//!                  └─ no: answered at once           └─ 1 s without an answer: timeout
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use nix::poll::PollFd;
use nix::unistd::geteuid;
use rt_wire::{FaultSet, InterlockSet, OperatorKind, Raw, RawEnum};
use zerocopy::{FromBytes, IntoBytes};

use crate::endpoint::{Endpoint, Event, PEERS_MAX, Sender};
use crate::operator::{MAGIC, OperatorReply, Refusal, ReplyMessage, RequestMessage, VERSION};
use crate::protocol::OPERATOR_SOCKET;
use crate::{RunLock, ShmError};

/// How long the loop may take to act.
const ACT_TIMEOUT: Duration = Duration::from_secs(1);
/// Requests in a queue: one for each peer, and as many again whose peer has gone.
const QUEUE_MAX: usize = 2 * PEERS_MAX;

/// A request to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What is asked. Never `None`.
    pub kind: OperatorKind,
    /// Who asked, as the kernel says.
    pub uid: u32,
    /// To be given back in [`OperatorServer::answer`].
    pub token: u64,
}

/// Takes requests from local people and programs.
#[derive(Debug)]
pub struct OperatorServer {
    endpoint: Endpoint,
    /// Users beside root and our own who may arm and reset.
    operators: Vec<u32>,
    estops: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    /// Taken, and not answered yet.
    taken: Vec<Waiting>,
    last_token: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    pending: Pending,
    /// Connection to answer; `None` once it has been answered or has gone.
    asker: Option<u64>,
    id: u32,
    since: Instant,
}

/// Whether a request can make the car move; the others only ever stop it.
const fn leads_to_motion(kind: OperatorKind) -> bool {
    matches!(kind, OperatorKind::Arm | OperatorKind::Reset)
}

impl OperatorServer {
    /// Opens `operator.sock` (mode 0666) in the locked run directory. `operators` may arm and reset,
    /// and so may root and our own user.
    ///
    /// # Errors
    /// [`ShmError::System`] or [`ShmError::RunDir`] if the socket cannot be made there.
    pub fn bind(lock: &RunLock, operators: &[u32]) -> Result<Self, ShmError> {
        Ok(Self {
            endpoint: Endpoint::bind(lock, OPERATOR_SOCKET, 0o666)?,
            operators: operators.to_vec(),
            estops: VecDeque::new(),
            others: VecDeque::new(),
            taken: Vec::new(),
            last_token: 0,
        })
    }

    pub(crate) fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        self.endpoint.watch(fds);
    }

    /// Waits for at most `timeout_ms` for requests and takes in what came. No peer can make this
    /// wait longer, fail or panic.
    ///
    /// # Errors
    /// [`ShmError::System`] if the kernel refuses to wait.
    pub fn poll(&mut self, timeout_ms: u16) -> Result<(), ShmError> {
        for event in self.endpoint.turn(Duration::from_millis(timeout_ms.into()))? {
            match event {
                Event::Message { from, bytes } => self.message(from, &bytes),
                Event::Closed { id } => self.closed(id),
            }
        }
        self.time_out();
        // Nobody waits for these any more: what stops the car is carried out, what moves it is not.
        self.others.retain(|one| one.asker.is_some() || !leads_to_motion(one.pending.kind));
        Ok(())
    }

    /// The next request to carry out: an e-stop if there is one, else the oldest.
    pub fn take(&mut self) -> Option<Pending> {
        let next = self.estops.pop_front().or_else(|| self.others.pop_front())?;
        // Nobody waits for the answers of those whose sender has gone.
        if next.asker.is_some() {
            self.taken.push(next);
        }
        Some(next.pending)
    }

    /// Answers a request that was taken. Too late or twice does nothing.
    pub fn answer(&mut self, token: u64, reply: &OperatorReply) {
        let Some(index) = self.taken.iter().position(|one| one.pending.token == token) else {
            return;
        };
        let answered = self.taken.swap_remove(index);
        self.reply(&answered, reply);
    }

    fn message(&mut self, from: Sender, bytes: &[u8]) {
        let request = RequestMessage::read_from_bytes(bytes)
            .ok()
            .filter(|request| request.magic == MAGIC && request.version == VERSION);
        let kind = request.and_then(|request| OperatorKind::from_raw(request.kind));
        let (Some(request), Some(kind)) = (request, kind) else {
            return self.endpoint.close(from.id);
        };
        if kind == OperatorKind::None {
            return self.endpoint.close(from.id);
        }
        self.last_token = self.last_token.wrapping_add(1);
        let waiting = Waiting {
            pending: Pending { kind, uid: from.uid, token: self.last_token },
            asker: Some(from.id),
            id: request.id,
            since: Instant::now(),
        };
        match self.admit(&waiting) {
            Refusal::None if kind == OperatorKind::Estop => self.estops.push_back(waiting),
            Refusal::None => self.others.push_back(waiting),
            refusal => self.refuse(&waiting, refusal),
        }
    }

    /// Whether a request may join its queue. An e-stop that may not is one of many on their way.
    fn admit(&self, request: &Waiting) -> Refusal {
        let Pending { kind, uid, .. } = request.pending;
        let is_operator = uid == 0 || uid == geteuid().as_raw() || self.operators.contains(&uid);
        if leads_to_motion(kind) && !is_operator {
            return Refusal::NotPermitted;
        }
        let is_estop = kind == OperatorKind::Estop;
        let queue = if is_estop { &self.estops } else { &self.others };
        let is_waiting = |one: &Waiting| {
            one.asker == request.asker && (one.pending.kind == OperatorKind::Estop) == is_estop
        };
        let is_busy = queue.iter().chain(&self.taken).any(is_waiting);
        if is_busy || queue.len() >= QUEUE_MAX { Refusal::Busy } else { Refusal::None }
    }

    fn closed(&mut self, id: u64) {
        self.taken.retain(|one| one.asker != Some(id));
        for one in self.estops.iter_mut().chain(&mut self.others) {
            one.asker = one.asker.filter(|asker| *asker != id);
        }
    }

    /// Tells those who waited too long.
    fn time_out(&mut self) {
        let is_late = |one: &Waiting| one.since.elapsed() >= ACT_TIMEOUT;
        let mut late: Vec<Waiting> = self.taken.extract_if(.., |one| is_late(one)).collect();
        for one in self.estops.iter_mut().chain(&mut self.others).filter(|one| is_late(one)) {
            late.push(*one);
            one.asker = None;
        }
        for one in late {
            self.refuse(&one, Refusal::Timeout);
        }
    }

    fn refuse(&mut self, request: &Waiting, refusal: Refusal) {
        // The loop was not asked, so its mode is not known here.
        let unknown = Raw::from_bits(u32::MAX);
        let reply = OperatorReply::refused(refusal, unknown, FaultSet::EMPTY, InterlockSet::EMPTY);
        self.reply(request, &reply);
    }

    fn reply(&mut self, request: &Waiting, reply: &OperatorReply) {
        if let Some(asker) = request.asker {
            self.endpoint.send(asker, ReplyMessage::new(reply, request.id).as_bytes(), None);
        }
    }
}
