//! The loop's side of `segments.sock`: who may have which descriptor, and when memory is swapped in.
//!
//! Housekeeping calls [`SegmentServer::poll`]; there is no thread here and nothing waits for a peer.
//! What the loop writes is handed out sealed and read-only. A slot that a peer writes is memory
//! created afresh for each attach, so that nothing of an earlier writer lives on in it:
//!
//! ```text
//! Write ─▶ memfd, allocate, header ─▶ Offered + descriptor      (nothing is read from it yet)
//! Mapped ─▶ seal ─▶ size? ─▶ allocate again ─▶ map read-only ─▶ lock ─▶ header? ─▶ may swap?
//!        ─▶ Rules::install ─▶ Installed
//! ```
//!
//! It must never touch offered memory before the seal: until then the peer can truncate it. It must
//! never swap memory under the source that owns the car. Shown by: tests/attach.rs, tests/seals.rs,
//! tests/garbage.rs.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::PollFd;
use rt_ring::Identity;
use rt_wire::topics::{self, Topic};
use zerocopy::{FromBytes, IntoBytes};

use crate::endpoint::{Endpoint, Event, Sender};
use crate::error::errno;
use crate::memfd::{Memfd, cannot_lock, no_memory};
use crate::protocol::{Code, Op, Reply, Request, SEGMENTS_SOCKET, VERSION, name_of};
use crate::segments::is_same;
use crate::{Access, Lack, Mapping, RunLock, Segments, ShmError, protocol, shapes};

/// How long a peer may take to map what it was offered.
const OFFER_TIMEOUT: Duration = Duration::from_secs(1);

/// What the process around the server decides and does.
pub trait Rules {
    /// Whether the robot file gives the name `process` to this user.
    fn uid_may_attach(&self, process: &str, uid: u32) -> bool;
    /// Whether this slot's memory may be swapped now: not while its writer owns the car.
    fn may_swap(&self, topic: &'static Topic) -> bool;
    /// Takes over a slot that a peer writes: sealed, read-only, populated, its header checked. Read
    /// it from now on, and the one before no more.
    fn install(&mut self, topic: &'static Topic, mapping: Mapping, generation: u64);
    /// The last connection of a process that had attached something closed: it ended, or let go.
    fn detached(&mut self, process: &str);
}

/// Hands segments out, and takes those in that peers write.
#[derive(Debug)]
pub struct SegmentServer {
    endpoint: Endpoint,
    segments: Segments,
    guests: Vec<Guest>,
    /// One for each slot that a peer has ever written in this life.
    installed: Vec<Installed>,
    last_token: u64,
}

/// A connection that said Hello.
#[derive(Debug)]
struct Guest {
    id: u64,
    pid: u32,
    process: String,
    has_attached: bool,
    offer: Option<Offer>,
}

/// Memory that a peer was given and has not mapped yet.
#[derive(Debug)]
struct Offer {
    topic: &'static Topic,
    memfd: Memfd,
    identity: Identity,
    token: u64,
    until: Instant,
}

/// The memory that the loop reads a peer's slot from.
#[derive(Debug)]
struct Installed {
    topic: &'static Topic,
    reader: OwnedFd,
    bytes: usize,
    generation: u64,
    /// Connection that writes it, while it is open.
    writer: Option<u64>,
}

/// An answer, and the descriptor that goes with it.
struct Answer {
    reply: Reply,
    fd: Option<OwnedFd>,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { reply, fd: None }
    }
}

fn no(code: Code) -> Reply {
    Reply::new(code)
}

/// The reply to a request that failed for want of something here, or for what the peer did.
fn failed(error: &ShmError) -> Reply {
    match error {
        ShmError::NoMemory { lack, .. } => lack.to_reply(),
        ShmError::System { source, .. } => {
            Reply { found: u64::from((*source as i32).unsigned_abs()), ..no(Code::System) }
        }
        // Its seal, its size or its header is not what it was when it was offered.
        _ => no(Code::Tampered),
    }
}

impl SegmentServer {
    /// Opens `segments.sock` (mode 0660) in the locked run directory.
    ///
    /// # Errors
    /// [`ShmError::System`] or [`ShmError::RunDir`] if the socket cannot be made there.
    pub fn bind(lock: &RunLock, segments: Segments) -> Result<Self, ShmError> {
        Ok(Self {
            endpoint: Endpoint::bind(lock, SEGMENTS_SOCKET, 0o660)?,
            segments,
            guests: Vec::new(),
            installed: Vec::new(),
            last_token: 0,
        })
    }

    /// The segments that are served.
    #[must_use]
    pub const fn segments(&self) -> &Segments {
        &self.segments
    }

    pub(crate) fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        self.endpoint.watch(fds);
    }

    /// Waits for at most `timeout_ms` for something to do, and does it. No peer can make this wait
    /// longer, fail or panic.
    ///
    /// # Errors
    /// [`ShmError::System`] if the kernel refuses to wait.
    pub fn poll(&mut self, timeout_ms: u16, rules: &mut dyn Rules) -> Result<(), ShmError> {
        let offers = self.guests.iter().filter_map(|guest| guest.offer.as_ref());
        // One more millisecond, because poll(2) counts whole ones.
        let first_end = offers.map(|offer| offer.until + Duration::from_millis(1)).min();
        let mut timeout = Duration::from_millis(timeout_ms.into());
        if let Some(end) = first_end {
            timeout = timeout.min(end.saturating_duration_since(Instant::now()));
        }
        for event in self.endpoint.turn(timeout)? {
            match event {
                Event::Message { from, bytes } => self.message(from, &bytes, rules),
                Event::Closed { id } => self.closed(id, rules),
            }
        }
        self.end_offers();
        Ok(())
    }

    fn message(&mut self, from: Sender, bytes: &[u8], rules: &mut dyn Rules) {
        let answer = self.answer(from, bytes, rules).unwrap_or_else(Answer::from);
        let fd = answer.fd.as_ref().map(AsFd::as_fd);
        self.endpoint.send(from.id, answer.reply.as_bytes(), fd);
        if matches!(Code::from_raw(answer.reply.code), Some(Code::BadRequest | Code::Version)) {
            self.endpoint.close(from.id);
        }
    }

    /// The answer to a message; `Err` is a no, and means that nothing changed.
    fn answer(
        &mut self,
        from: Sender,
        bytes: &[u8],
        rules: &mut dyn Rules,
    ) -> Result<Answer, Reply> {
        let bad = no(Code::BadRequest);
        let request = Request::read_from_bytes(bytes).map_err(|_wrong_size| bad)?;
        if request.magic != protocol::MAGIC {
            return Err(bad);
        }
        if request.version != VERSION {
            let (expected, found) = (VERSION.into(), request.version.into());
            return Err(Reply { expected, found, ..no(Code::Version) });
        }
        let op = Op::from_raw(request.op).ok_or(bad)?;
        let guest = self.guests.iter().position(|guest| guest.id == from.id);
        match (op, guest) {
            (Op::Hello, None) => self.hello(from, &request, rules),
            (Op::Read, Some(guest)) => self.read(guest, &request),
            (Op::Write, Some(guest)) => self.offer(guest, &request, rules),
            (Op::Mapped, Some(guest)) => self.install(guest, &request, rules),
            (Op::Hello, Some(_)) | (Op::Read | Op::Write | Op::Mapped, None) => Err(bad),
        }
    }

    fn hello(
        &mut self,
        from: Sender,
        request: &Request,
        rules: &dyn Rules,
    ) -> Result<Answer, Reply> {
        let process = name_of(&request.process).ok_or(no(Code::BadRequest))?;
        if name_of(&request.robot) != Some(self.segments.robot.as_str()) {
            return Err(no(Code::Robot));
        }
        if !rules.uid_may_attach(process, from.uid) {
            return Err(Reply { found: from.uid.into(), ..no(Code::Uid) });
        }
        self.guests.push(Guest {
            id: from.id,
            pid: from.pid,
            process: process.to_owned(),
            has_attached: false,
            offer: None,
        });
        Ok(no(Code::Ok).into())
    }

    /// The topic of a request, if it is one of this board's and both builds lay it out alike.
    fn topic(&self, request: &Request) -> Result<&'static Topic, Reply> {
        let topic = topics::all().find(|topic| request.names(topic)).ok_or(no(Code::NoTopic))?;
        if topic.sim_only && !self.segments.has_sim {
            return Err(no(Code::SimOnly));
        }
        if request.layout_hash != topic.layout_hash {
            let (expected, found) = (topic.layout_hash, request.layout_hash);
            return Err(Reply { expected, found, ..no(Code::Layout) });
        }
        Ok(topic)
    }

    fn read(&mut self, guest: usize, request: &Request) -> Result<Answer, Reply> {
        let Some(guest) = self.guests.get(guest) else {
            return Err(no(Code::BadRequest));
        };
        let id = guest.id;
        let topic = self.topic(request)?;
        if !topic.readers.contains(&guest.process.as_str()) {
            return Err(no(Code::NotAReader));
        }
        let written = self.segments.written.iter().find(|written| is_same(written.topic, topic));
        let (fd, bytes, generation) = match written {
            Some(written) => (&written.reader, written.bytes, self.segments.generation),
            None => {
                let installed = self.installed.iter().find(|one| is_same(one.topic, topic));
                let installed = installed.ok_or(no(Code::NotYetWritten))?;
                (&installed.reader, installed.bytes, installed.generation)
            }
        };
        let fd =
            fd.try_clone().map_err(|error| Lack::of_memory(bytes, errno(&error)).to_reply())?;
        self.attached(id);
        let reply = Reply { generation, bytes: bytes as u64, ..no(Code::Granted) };
        Ok(Answer { reply, fd: Some(fd) })
    }

    /// Fresh memory for a peer's slot, its header written, not sealed, not read.
    fn offer(
        &mut self,
        guest: usize,
        request: &Request,
        rules: &dyn Rules,
    ) -> Result<Answer, Reply> {
        let topic = self.topic(request)?;
        let Some(guest) = self.guests.get(guest) else {
            return Err(no(Code::BadRequest));
        };
        if topic.creator_writes() || topic.writer != guest.process {
            return Err(no(Code::NotTheWriter));
        }
        if let Some(pid) = self.other_writer(topic, guest) {
            return Err(Reply { pid, ..no(Code::AlreadyWritten) });
        }
        if !rules.may_swap(topic) {
            return Err(no(Code::Busy));
        }
        let id = guest.id;
        let token = self.last_token.wrapping_add(1);
        let identity = Identity {
            layout_hash: topic.layout_hash,
            generation: self.segments.generation.wrapping_add(token),
        };
        let (memfd, fd) = self.fresh(topic, identity).map_err(|error| failed(&error))?;
        self.last_token = token;
        let reply = Reply {
            token,
            generation: identity.generation,
            bytes: memfd.bytes() as u64,
            ..no(Code::Offered)
        };
        let until = Instant::now() + OFFER_TIMEOUT;
        if let Some(guest) = self.guests.iter_mut().find(|guest| guest.id == id) {
            guest.offer = Some(Offer { topic, memfd, identity, token, until });
        }
        Ok(Answer { reply, fd: Some(fd) })
    }

    fn fresh(
        &self,
        topic: &'static Topic,
        identity: Identity,
    ) -> Result<(Memfd, OwnedFd), ShmError> {
        let segment = self.segments.name(topic);
        let shape = shapes::of(topic).ok_or_else(|| ShmError::NotTrusted {
            segment: segment.clone(),
            problem: "no such record".to_owned(),
        })?;
        let memfd = Memfd::create(&segment, shape.words(topic))?;
        let mapping = memfd.map(Access::ReadWrite)?;
        (shape.create_slot)(mapping.words(), identity)
            .map_err(|source| ShmError::Attach { segment: segment.clone(), source })?;
        let fd = memfd.fd().try_clone_to_owned();
        let fd = fd.map_err(|error| no_memory(&segment, memfd.bytes(), errno(&error)))?;
        Ok((memfd, fd))
    }

    /// Pid of another live process that writes this slot, or is about to.
    fn other_writer(&self, topic: &Topic, us: &Guest) -> Option<u32> {
        let installed = self.installed.iter().find(|one| is_same(one.topic, topic));
        let writer = installed.and_then(|installed| installed.writer);
        let writes = |guest: &Guest| {
            let is_offered = guest.offer.as_ref().is_some_and(|offer| is_same(offer.topic, topic));
            writer == Some(guest.id) || is_offered
        };
        // A second connection of the same process takes over from the first.
        let other = self.guests.iter().find(|guest| guest.pid != us.pid && writes(guest));
        other.map(|guest| guest.pid)
    }

    /// The peer has mapped what it was offered: from here on its size and pages are fixed.
    fn install(
        &mut self,
        guest: usize,
        request: &Request,
        rules: &mut dyn Rules,
    ) -> Result<Answer, Reply> {
        let Some(guest) = self.guests.get_mut(guest) else {
            return Err(no(Code::BadRequest));
        };
        let id = guest.id;
        let is_asked = |offer: &mut Offer| offer.token == request.token;
        let offer = guest.offer.take_if(is_asked).ok_or(no(Code::NoOffer))?;
        let topic = offer.topic;
        let (mapping, reader) = self.take_in(&offer).map_err(|error| failed(&error))?;
        if !rules.may_swap(topic) {
            return Err(no(Code::Busy));
        }
        let (bytes, generation) = (offer.memfd.bytes(), offer.identity.generation);
        rules.install(topic, mapping, generation);
        self.installed.retain(|one| !is_same(one.topic, topic));
        self.installed.push(Installed { topic, reader, bytes, generation, writer: Some(id) });
        self.attached(id);
        Ok(Reply { generation, ..no(Code::Installed) }.into())
    }

    /// Seals, and only then looks at, memory that a peer has had in its hands.
    fn take_in(&self, offer: &Offer) -> Result<(Mapping, OwnedFd), ShmError> {
        let segment = self.segments.name(offer.topic);
        offer.memfd.seal()?;
        // It may have punched holes before the seal.
        offer.memfd.allocate()?;
        let mapping = offer.memfd.map(Access::ReadOnly)?;
        if self.segments.locks {
            mapping.lock().map_err(|source| cannot_lock(&segment, mapping.bytes(), source))?;
        }
        if let Some(shape) = shapes::of(offer.topic) {
            (shape.check_slot)(mapping.words(), offer.topic.layout_hash)
                .map_err(|source| ShmError::Attach { segment, source })?;
        }
        Ok((mapping, offer.memfd.reader()?))
    }

    fn attached(&mut self, id: u64) {
        self.endpoint.keep(id);
        if let Some(guest) = self.guests.iter_mut().find(|guest| guest.id == id) {
            guest.has_attached = true;
        }
    }

    fn closed(&mut self, id: u64, rules: &mut dyn Rules) {
        for installed in &mut self.installed {
            installed.writer = installed.writer.filter(|writer| *writer != id);
        }
        let Some(index) = self.guests.iter().position(|guest| guest.id == id) else {
            return;
        };
        let gone = self.guests.remove(index);
        let is_left =
            self.guests.iter().any(|guest| guest.has_attached && guest.process == gone.process);
        if gone.has_attached && !is_left {
            rules.detached(&gone.process);
        }
    }

    /// Takes back what nobody mapped in time.
    fn end_offers(&mut self) {
        let now = Instant::now();
        for guest in &mut self.guests {
            if guest.offer.take_if(|offer| now >= offer.until).is_some() {
                self.endpoint.send(guest.id, no(Code::NoOffer).as_bytes(), None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::failed;
    use crate::ShmError;
    use crate::protocol::{Code, Reply};
    use nix::errno::Errno;

    #[test]
    fn a_failed_system_call_is_answered_with_its_own_number() {
        let reply = failed(&ShmError::system("look at segment x", Errno::EIO));
        let expected = Reply { found: Errno::EIO as u64, ..Reply::new(Code::System) };
        assert_eq!(reply, expected);
        let segment = || "x".to_owned();
        let tampered = ShmError::NotTrusted { segment: segment(), problem: String::new() };
        assert_eq!(failed(&tampered), Reply::new(Code::Tampered));
    }
}
