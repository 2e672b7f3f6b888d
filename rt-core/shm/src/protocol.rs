//! The messages of `segments.sock`: fixed layout, one request, one reply, a descriptor with some.
//!
//! ```text
//! guest                                   fast-loop
//! Hello {process, robot}          ─▶      Ok, or no
//! Read  {topic, layout hash}      ─▶      Granted + sealed read-only descriptor, or no
//! Write {topic, layout hash}      ─▶      Offered + fresh unsealed descriptor, or no
//! Mapped {token}                  ─▶      seals, checks, swaps in: Installed, or no
//! ```
//!
//! Everything in a message is judged before it is used: there is no length in it, no pointer, and
//! each number that names something is looked up. A message that is not one closes the connection.
//! Shown by: tests/garbage.rs, tests/attach.rs.

use rt_wire::topics::{Kind, Topic};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Name of the socket in the run directory.
pub const SEGMENTS_SOCKET: &str = "segments.sock";
/// Name of the operator's socket in the run directory.
pub const OPERATOR_SOCKET: &str = "operator.sock";
/// Name of the link to the loop's executable in the run directory: its log's messages stand there.
pub const LOOP_PROGRAM: &str = "fast-loop.elf";
/// Raised with every change of a message.
pub const VERSION: u32 = 3;
/// First word of each message on `segments.sock`: `rtsg` in the order of memory.
pub const MAGIC: u32 = u32::from_le_bytes(*b"rtsg");
/// Room for a process's or a record's name.
pub const NAME_BYTES: usize = 16;
/// Room for a robot's name.
pub const ROBOT_BYTES: usize = 48;

/// What a guest wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Op {
    /// Says who it is; comes first.
    Hello = 1,
    /// Wants to read a segment.
    Read = 2,
    /// Wants to write a slot.
    Write = 3,
    /// Has mapped the memory that was offered.
    Mapped = 4,
}

impl Op {
    /// The operation of a number, if it is one.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            1 => Some(Self::Hello),
            2 => Some(Self::Read),
            3 => Some(Self::Write),
            4 => Some(Self::Mapped),
            _ => None,
        }
    }
}

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $value:literal;)*) => {
        /// What the loop answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Code { $($(#[$meta])* $name = $value,)* }

        impl Code {
            /// The answer of a number, if it is one.
            #[must_use]
            pub const fn from_raw(raw: u32) -> Option<Self> {
                match raw { $($value => Some(Self::$name),)* _ => None }
            }
        }
    };
}
codes! {
    /// Hello is accepted.
    Ok = 0;
    /// A sealed descriptor to read comes with this reply.
    Granted = 1;
    /// A fresh descriptor to map writable comes with this reply; answer with `Mapped`.
    Offered = 2;
    /// The offered memory is sealed and the loop reads it.
    Installed = 3;
    /// Not a message, or not one that may come now; the connection is closed.
    BadRequest = 16;
    /// Another version of this protocol: see `expected` and `found`.
    Version = 17;
    /// This loop serves another robot.
    Robot = 18;
    /// The robot file does not give this process to this uid.
    Uid = 19;
    /// No such topic.
    NoTopic = 20;
    /// The topic exists on the `sim` board only.
    SimOnly = 21;
    /// The topic table does not name this process as a reader.
    NotAReader = 22;
    /// The topic table does not name this process as the writer.
    NotTheWriter = 23;
    /// Layout hashes differ: see `expected` and `found`.
    Layout = 24;
    /// The source owns the car.
    Busy = 25;
    /// Another live process writes it: see `pid`.
    AlreadyWritten = 26;
    /// Its writer has not attached yet.
    NotYetWritten = 27;
    /// The loop's process cannot get the memory or a descriptor: `found` is the errno, `expected`
    /// the limit that it speaks of, `bytes` the size.
    NoMemory = 28;
    /// The offered memory was changed before it was sealed.
    Tampered = 29;
    /// `Mapped` came too late, or without an offer.
    NoOffer = 30;
    /// The loop's process may not lock the memory; the rest as for `NoMemory`.
    CannotLock = 31;
    /// A system call of the loop's process failed for no want of memory: `found` is the errno.
    System = 32;
}

/// A guest's message.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Request {
    /// [`MAGIC`].
    pub magic: u32,
    /// [`VERSION`].
    pub version: u32,
    /// An [`Op`].
    pub op: u32,
    /// 0 for a ring, 1 for a slot (`Read`, `Write`).
    pub kind: u32,
    /// The offer's token (`Mapped`).
    pub token: u64,
    /// Layout hash of the guest's build (`Read`, `Write`).
    pub layout_hash: u64,
    /// Who it is (`Hello`).
    pub process: [u8; NAME_BYTES],
    /// Writer of the topic (`Read`, `Write`).
    pub writer: [u8; NAME_BYTES],
    /// Record of the topic (`Read`, `Write`).
    pub record: [u8; NAME_BYTES],
    /// The robot it expects here (`Hello`).
    pub robot: [u8; ROBOT_BYTES],
}

/// The loop's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Reply {
    /// [`MAGIC`].
    pub magic: u32,
    /// [`VERSION`].
    pub version: u32,
    /// A [`Code`].
    pub code: u32,
    /// The process that stands in the way (`AlreadyWritten`).
    pub pid: u32,
    /// To be given back in `Mapped` (`Offered`).
    pub token: u64,
    /// What the loop expected (`Layout`, `Version`), or its limit (`NoMemory`, `CannotLock`).
    pub expected: u64,
    /// What it found (`Layout`, `Version`), or an errno (`NoMemory`, `CannotLock`, `System`).
    pub found: u64,
    /// Generation in the segment's header (`Granted`, `Offered`).
    pub generation: u64,
    /// Size of the segment (`Granted`, `Offered`, `NoMemory`, `CannotLock`).
    pub bytes: u64,
}

/// Bytes of a request.
pub const REQUEST_BYTES: usize = size_of::<Request>();
/// Bytes of a reply.
pub const REPLY_BYTES: usize = size_of::<Reply>();

impl Request {
    /// A request with every other field zero.
    #[must_use]
    pub fn new(op: Op) -> Self {
        Self { magic: MAGIC, version: VERSION, op: op as u32, ..Self::new_zeroed() }
    }

    /// A request about a topic. `None` if a name has no room.
    #[must_use]
    pub fn about(op: Op, topic: &Topic, layout_hash: u64) -> Option<Self> {
        Some(Self {
            kind: kind_number(topic.kind),
            layout_hash,
            writer: text(topic.writer)?,
            record: text(topic.record)?,
            ..Self::new(op)
        })
    }

    /// Whether the request names this topic.
    #[must_use]
    pub fn names(&self, topic: &Topic) -> bool {
        self.kind == kind_number(topic.kind)
            && text(topic.writer) == Some(self.writer)
            && text(topic.record) == Some(self.record)
    }
}

impl Reply {
    /// A reply with every other field zero.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { magic: MAGIC, version: VERSION, code: code as u32, ..Self::new_zeroed() }
    }
}

const fn kind_number(kind: Kind) -> u32 {
    match kind {
        Kind::Ring => 0,
        Kind::Slot => 1,
    }
}

/// A name in a field of `N` bytes, zero at the end. `None` if it has no room, or a zero in it.
#[must_use]
pub fn text<const N: usize>(name: &str) -> Option<[u8; N]> {
    let mut field = [0; N];
    if name.contains('\0') || name.len() >= N {
        return None;
    }
    field.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
    Some(field)
}

/// The name in a field; `None` if it is empty, not UTF-8, or does not end.
#[must_use]
pub fn name_of(field: &[u8]) -> Option<&str> {
    let end = field.iter().position(|byte| *byte == 0)?;
    let name = field.get(..end)?;
    let rest_is_zero = field.iter().skip(end).all(|byte| *byte == 0);
    if name.is_empty() || !rest_is_zero { None } else { std::str::from_utf8(name).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rt_wire::topics;

    #[test]
    fn every_topic_can_be_named_and_no_other_topic_answers_to_it() {
        for topic in topics::all() {
            let request = Request::about(Op::Read, topic, 7).expect("names have room");
            assert_eq!(topics::all().filter(|other| request.names(other)).count(), 1);
        }
    }

    #[test]
    fn only_a_terminated_name_is_a_name() {
        assert_eq!(name_of(b"pilot\0\0\0"), Some("pilot"));
        assert_eq!(name_of(b"pilot\0x\0"), None);
        assert_eq!(name_of(b"pilot"), None);
        assert_eq!(name_of(b"\0\0\0\0"), None);
        assert_eq!(name_of(b"\xff\xfe\0\0"), None);
        assert_eq!(text::<4>("four"), None);
        assert_eq!(text::<8>("fi\0ve"), None);
    }
}
