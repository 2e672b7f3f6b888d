//! A sidecar's side of `segments.sock`: attach, and know when the loop has gone.
//!
//! The connection stays open for as long as the segments are used: its closing is how the loop
//! learns that the peer died, and how the peer learns that the loop did. After that the mapped
//! memory stays valid, but nobody reads or writes the other side: connect and attach again.
//!
//! A descriptor is believed only once its size and seals are what the loop promised.
//! Shown by: tests/attach.rs, tests/seals.rs, tests/dir.rs.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Shutdown, shutdown};
use nix::unistd::geteuid;
use rt_wire::Record;
use rt_wire::topics::{Kind, Topic};

use crate::ask::ask;
use crate::memfd::{check_seals, check_size, no_memory};
use crate::protocol::{
    Code, MAGIC, NAME_BYTES, Op, Reply, Request, SEGMENTS_SOCKET, VERSION, text,
};
use crate::run_dir::connect_to;
use crate::segments::segment_name;
use crate::{
    Access, Lack, MappedRingReader, MappedSlotReader, MappedSlotWriter, Mapping, ShmError,
};

/// Longer than any answer takes, even if the peer before us never maps its memory.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to the loop of one robot.
///
/// ```no_run
/// use rt_shm::Client;
/// use rt_wire::{Command, Telemetry, topics};
///
/// let run_dir = std::path::Path::new("/run/continuon/sim-donkey");
/// let mut client = Client::connect(run_dir, "sim-donkey", topics::PILOT)?;
/// let mut telemetry = client.ring_reader::<Telemetry>(&topics::TELEMETRY)?;
/// let mut commands = client.slot_writer::<Command>(&topics::COMMANDS[2])?;
/// while client.is_open() {
///     if let rt_ring::Read::Record { sequence, .. } = telemetry.read() {
///         commands.write(&Command { sequence, ..Command::default() });
///     }
/// }
/// # Ok::<(), rt_shm::ShmError>(())
/// ```
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    dir: PathBuf,
    robot: String,
    process: String,
}

/// A segment that was granted or offered.
struct Handed {
    fd: OwnedFd,
    bytes: usize,
    generation: u64,
    token: u64,
}

impl Client {
    /// Connects to the loop that serves `robot` in `run_dir`, as `process` (its name in
    /// `rt_wire::topics`).
    ///
    /// # Errors
    /// [`ShmError::NotServed`] if no loop runs there, [`ShmError::Permission`] or [`ShmError::Uid`]
    /// if this user may not, [`ShmError::Robot`] and [`ShmError::Version`] if it is another one,
    /// [`ShmError::Name`] if a name is longer than any loop's.
    pub fn connect(run_dir: &Path, robot: &str, process: &str) -> Result<Self, ShmError> {
        let place = format!("for robot {robot} in {}", run_dir.display());
        let socket = connect_to(run_dir, SEGMENTS_SOCKET, &place)?;
        let client = Self {
            socket,
            dir: run_dir.to_owned(),
            robot: robot.to_owned(),
            process: process.to_owned(),
        };
        let request = Request {
            process: named("process", process)?,
            robot: named("robot", robot)?,
            ..Request::new(Op::Hello)
        };
        let (reply, _) = client.ask(&request)?;
        match Code::from_raw(reply.code) {
            Some(Code::Ok) => Ok(client),
            _ => Err(client.refused(&reply, None, 0)),
        }
    }

    /// Attaches to a ring; the first record read is the next that is published.
    ///
    /// # Errors
    /// [`ShmError::Layout`] names the side to rebuild; [`ShmError::Refused`] if the topic table does
    /// not give the ring to this process; [`ShmError::NotTrusted`] if what came is not sealed.
    pub fn ring_reader<T: Record>(
        &mut self,
        topic: &Topic,
    ) -> Result<MappedRingReader<T>, ShmError> {
        let mapping = self.map_to_read::<T>(topic, Kind::Ring)?;
        MappedRingReader::attach(mapping, T::LAYOUT_HASH)
            .map_err(|source| ShmError::Attach { segment: self.name(topic), source })
    }

    /// Attaches to a ring; the first record read is the oldest still there.
    ///
    /// # Errors
    /// As [`ring_reader`](Self::ring_reader).
    pub fn ring_reader_from_oldest<T: Record>(
        &mut self,
        topic: &Topic,
    ) -> Result<MappedRingReader<T>, ShmError> {
        let mapping = self.map_to_read::<T>(topic, Kind::Ring)?;
        MappedRingReader::attach_from_oldest(mapping, T::LAYOUT_HASH)
            .map_err(|source| ShmError::Attach { segment: self.name(topic), source })
    }

    /// Attaches to a slot. One that a peer writes is the memory of that peer's present life: if no
    /// news comes for long, attach again.
    ///
    /// # Errors
    /// As [`ring_reader`](Self::ring_reader); [`ShmError::NotYetWritten`] if its writer has not
    /// attached in this life of the loop.
    pub fn slot_reader<T: Record>(
        &mut self,
        topic: &Topic,
    ) -> Result<MappedSlotReader<T>, ShmError> {
        let mapping = self.map_to_read::<T>(topic, Kind::Slot)?;
        MappedSlotReader::attach(mapping, T::LAYOUT_HASH)
            .map_err(|source| ShmError::Attach { segment: self.name(topic), source })
    }

    /// Becomes the writer of a slot, in fresh memory that the loop reads from now on.
    ///
    /// # Errors
    /// As [`ring_reader`](Self::ring_reader); [`ShmError::Busy`] while this source owns the car;
    /// [`ShmError::AlreadyWritten`] if another live process writes it.
    pub fn slot_writer<T: Record>(
        &mut self,
        topic: &Topic,
    ) -> Result<MappedSlotWriter<T>, ShmError> {
        let segment = self.name(topic);
        self.check_type::<T>(topic, Kind::Slot)?;
        let handed = self.get(Op::Write, Code::Offered, topic, T::LAYOUT_HASH)?;
        check_size(&segment, handed.fd.as_fd(), handed.bytes)?;
        let mapping = self.map(&handed, &segment, Access::ReadWrite)?;
        let writer = MappedSlotWriter::attach(mapping, T::LAYOUT_HASH)
            .map_err(|source| ShmError::Attach { segment: segment.clone(), source })?;
        let mapped = Request { token: handed.token, ..Request::new(Op::Mapped) };
        let (reply, _) = self.ask(&mapped)?;
        if Code::from_raw(reply.code) != Some(Code::Installed) {
            return Err(self.refused(&reply, Some(topic), T::LAYOUT_HASH));
        }
        check_seals(&segment, handed.fd.as_fd())?;
        Ok(writer)
    }

    /// The sealed, read-only descriptor of a segment, with its generation: for tools that look at
    /// the memory themselves.
    ///
    /// # Errors
    /// As [`ring_reader`](Self::ring_reader).
    pub fn descriptor(&mut self, topic: &Topic) -> Result<(OwnedFd, u64), ShmError> {
        let handed = self.get(Op::Read, Code::Granted, topic, topic.layout_hash)?;
        check_seals(&self.name(topic), handed.fd.as_fd())?;
        check_size(&self.name(topic), handed.fd.as_fd(), handed.bytes)?;
        Ok((handed.fd, handed.generation))
    }

    /// Whether the loop is still there. To be told, wait until [`as_fd`](Self::as_fd) is readable.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // The loop says nothing unasked: whatever comes is the end.
        !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1..))
    }

    /// Name of the robot whose loop this is.
    #[must_use]
    pub fn robot(&self) -> &str {
        &self.robot
    }

    fn map_to_read<T: Record>(&mut self, topic: &Topic, kind: Kind) -> Result<Mapping, ShmError> {
        let segment = self.name(topic);
        self.check_type::<T>(topic, kind)?;
        let handed = self.get(Op::Read, Code::Granted, topic, T::LAYOUT_HASH)?;
        check_seals(&segment, handed.fd.as_fd())?;
        check_size(&segment, handed.fd.as_fd(), handed.bytes)?;
        self.map(&handed, &segment, Access::ReadOnly)
    }

    fn map(&self, handed: &Handed, segment: &str, access: Access) -> Result<Mapping, ShmError> {
        Mapping::new(handed.fd.as_fd(), handed.bytes, access)
            .map_err(|source| no_memory(segment, handed.bytes, source))
    }

    /// A program that asks for the wrong type is wrong in every build: found before the loop is
    /// asked.
    fn check_type<T: Record>(&self, topic: &Topic, kind: Kind) -> Result<(), ShmError> {
        if topic.layout_hash == T::LAYOUT_HASH && topic.kind == kind {
            return Ok(());
        }
        Err(ShmError::WrongRecord {
            segment: self.name(topic),
            expected: topic.type_name,
            kind: topic.kind.name(),
            found: format!("{} ({})", T::TYPE_NAME, kind.name()),
        })
    }

    fn get(
        &mut self,
        op: Op,
        expected: Code,
        topic: &Topic,
        layout_hash: u64,
    ) -> Result<Handed, ShmError> {
        let request = Request::about(op, topic, layout_hash)
            .ok_or_else(|| too_long("topic", topic.record, NAME_BYTES))?;
        let (reply, fd) = self.ask(&request)?;
        if Code::from_raw(reply.code) != Some(expected) {
            return Err(self.refused(&reply, Some(topic), layout_hash));
        }
        let fd = fd.ok_or_else(|| self.garbage("no descriptor came with it".to_owned()))?;
        let bytes = usize::try_from(reply.bytes)
            .map_err(|_too_large| self.garbage(format!("a segment of {} bytes", reply.bytes)))?;
        Ok(Handed { fd, bytes, generation: reply.generation, token: reply.token })
    }

    /// One request, one reply. After a reply that did not come in time the connection is dead: a
    /// late one must not pass for the answer to the next request.
    fn ask(&self, request: &Request) -> Result<(Reply, Option<OwnedFd>), ShmError> {
        let answer = self.exchange(request);
        if answer.is_err() {
            // Fails only if it is closed already.
            shutdown(self.socket.as_raw_fd(), Shutdown::Both).ok();
        }
        answer
    }

    fn exchange(&self, request: &Request) -> Result<(Reply, Option<OwnedFd>), ShmError> {
        let socket = self.socket.as_fd();
        let (reply, fd) = ask::<Reply>(socket, &self.socket_path(), request, ANSWER_TIMEOUT)?;
        if reply.magic != MAGIC {
            let problem = format!("it begins with {:#010x}, expected {MAGIC:#010x}", reply.magic);
            return Err(self.garbage(problem));
        }
        if reply.version != VERSION {
            return Err(self.version(reply.version.into()));
        }
        Ok((reply, fd))
    }

    /// What a no means.
    fn refused(&self, reply: &Reply, topic: Option<&Topic>, layout_hash: u64) -> ShmError {
        let segment = topic.map_or_else(|| self.robot.clone(), |topic| self.name(topic));
        let process = self.process.clone();
        let because = |reason| ShmError::Refused {
            segment: segment.clone(),
            process: process.clone(),
            reason,
        };
        let Some(code) = Code::from_raw(reply.code) else {
            return self.garbage(format!("code {}", reply.code));
        };
        match code {
            Code::Version => self.version(reply.expected),
            Code::Robot => ShmError::Robot { dir: self.dir.clone(), robot: self.robot.clone() },
            Code::Uid => ShmError::Uid { process, uid: geteuid().as_raw() },
            Code::Layout => {
                let (expected, found) = (reply.expected, layout_hash);
                ShmError::Layout { segment, expected, found, process }
            }
            Code::Busy => ShmError::Busy { segment, process },
            Code::AlreadyWritten => ShmError::AlreadyWritten { segment, pid: reply.pid },
            Code::NotYetWritten => {
                let writer = topic.map_or("", |topic| topic.writer).to_owned();
                ShmError::NotYetWritten { segment, writer }
            }
            Code::NoMemory | Code::CannotLock => {
                ShmError::NoMemory { segment, lack: Lack::from_reply(reply) }
            }
            Code::System => {
                let source = i32::try_from(reply.found);
                let source = source.map_or(Errno::UnknownErrno, Errno::from_raw);
                ShmError::LoopFailed { segment, source }
            }
            Code::NoTopic => {
                because("the loop's build knows no such topic: rebuild the older side")
            }
            Code::SimOnly => because("it exists on the sim board only"),
            Code::NotAReader => because("the topic table does not name it as a reader"),
            Code::NotTheWriter => because("the topic table names another writer"),
            Code::Tampered => because("the memory was changed before it was sealed"),
            Code::NoOffer => because("it took longer than a second to map it: attach again"),
            Code::BadRequest => because("the loop did not understand the request"),
            Code::Ok | Code::Granted | Code::Offered | Code::Installed => {
                self.garbage(format!("{code:?} does not answer the request"))
            }
        }
    }

    fn name(&self, topic: &Topic) -> String {
        segment_name(&self.robot, topic)
    }

    fn socket_path(&self) -> PathBuf {
        self.dir.join(SEGMENTS_SOCKET)
    }

    fn version(&self, found: u64) -> ShmError {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        ShmError::Version { socket: self.socket_path(), expected: VERSION, found }
    }

    fn garbage(&self, problem: String) -> ShmError {
        ShmError::Garbage { socket: self.socket_path(), problem }
    }
}

/// A name in its field of a message.
fn named<const N: usize>(what: &'static str, name: &str) -> Result<[u8; N], ShmError> {
    text(name).ok_or_else(|| too_long(what, name, N))
}

fn too_long(what: &'static str, name: &str, field_bytes: usize) -> ShmError {
    ShmError::Name { what, name: name.to_owned(), bytes_max: field_bytes - 1 }
}

impl AsFd for Client {
    /// The connection. It becomes readable when, and only when, the loop has gone.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
