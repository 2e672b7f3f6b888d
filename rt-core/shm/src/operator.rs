//! `operator.sock`: how local people and programs arm, disarm, stop and reset, and what they hear.
//!
//! Any local user may stop the car (e-stop, disarm); arm and reset are for the loop's own user, root
//! and those whom the robot file names. This module has the words and the asking side; the answering
//! side is operator_server.rs. Shown by: tests/operator.rs.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rt_wire::{FaultSet, InterlockSet, Mode, OperatorKind, Raw, RawEnum};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ShmError;
use crate::ask::ask;
use crate::protocol::OPERATOR_SOCKET;
use crate::run_dir::connect_to;

/// Raised with every change of a message.
pub const VERSION: u32 = 2;
/// First word of each message on `operator.sock`: `rtop` in the order of memory.
pub const MAGIC: u32 = u32::from_le_bytes(*b"rtop");

/// Why a request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Refusal {
    /// It was.
    None = 0,
    /// This user may stop the car, and nothing else.
    NotPermitted = 1,
    /// A precondition is not met: see the interlocks.
    Interlocked = 2,
    /// The loop did not act in time.
    Timeout = 3,
    /// It means nothing in this mode: see the mode.
    WrongMode = 4,
    /// A request of this connection is still waiting, or too many are.
    Busy = 5,
}

impl Refusal {
    /// The refusal of a number, if it is one.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::None),
            1 => Some(Self::NotPermitted),
            2 => Some(Self::Interlocked),
            3 => Some(Self::Timeout),
            4 => Some(Self::WrongMode),
            5 => Some(Self::Busy),
            _ => None,
        }
    }

    /// The name used in reports and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::NotPermitted => "not-permitted",
            Self::Interlocked => "interlocked",
            Self::Timeout => "timeout",
            Self::WrongMode => "wrong-mode",
            Self::Busy => "busy",
        }
    }
}

/// What came of a request, and how the loop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatorReply {
    /// Whether the loop did what was asked.
    pub accepted: bool,
    /// Mode afterwards.
    pub mode: Raw<Mode>,
    /// Causes that hold now.
    pub causes: FaultSet,
    /// What forbids arming now.
    pub interlocks: InterlockSet,
    /// Why not, if it did not.
    pub refusal: Refusal,
}

impl OperatorReply {
    /// The loop did what was asked.
    #[must_use]
    pub fn accepted(mode: Mode, causes: FaultSet, interlocks: InterlockSet) -> Self {
        Self { accepted: true, mode: Raw::new(mode), causes, interlocks, refusal: Refusal::None }
    }

    /// The loop did not.
    #[must_use]
    pub fn refused(
        refusal: Refusal,
        mode: Raw<Mode>,
        causes: FaultSet,
        interlocks: InterlockSet,
    ) -> Self {
        Self { accepted: false, mode, causes, interlocks, refusal }
    }
}

/// A request as it travels.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RequestMessage {
    /// [`MAGIC`].
    pub magic: u32,
    /// [`VERSION`].
    pub version: u32,
    /// An [`OperatorKind`].
    pub kind: u32,
    /// Chosen by who asks; the reply repeats it.
    pub id: u32,
}

/// A reply as it travels.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ReplyMessage {
    /// [`MAGIC`].
    pub magic: u32,
    /// [`VERSION`].
    pub version: u32,
    /// The request's.
    pub id: u32,
    /// 1 for yes, 0 for no.
    pub accepted: u32,
    /// A [`Mode`].
    pub mode: u32,
    /// Bits of [`InterlockSet`].
    pub interlocks: u32,
    /// A [`Refusal`].
    pub refusal: u32,
    /// Zero.
    pub reserved: u32,
    /// Bits of [`FaultSet`].
    pub causes: u64,
}

impl RequestMessage {
    /// A request of this build.
    #[must_use]
    pub fn new(kind: OperatorKind, id: u32) -> Self {
        Self { magic: MAGIC, version: VERSION, kind: kind.to_raw(), id }
    }
}

impl ReplyMessage {
    /// A reply of this build.
    #[must_use]
    pub fn new(reply: &OperatorReply, id: u32) -> Self {
        Self {
            magic: MAGIC,
            version: VERSION,
            id,
            accepted: reply.accepted.into(),
            mode: reply.mode.bits(),
            interlocks: reply.interlocks.0,
            refusal: reply.refusal as u32,
            reserved: 0,
            causes: reply.causes.0,
        }
    }

    /// What it says; `None` if it is not a reply of this build.
    #[must_use]
    pub fn reply(&self) -> Option<OperatorReply> {
        let is_known = self.magic == MAGIC && self.version == VERSION && self.accepted <= 1;
        is_known.then_some(OperatorReply {
            accepted: self.accepted == 1,
            mode: Raw::from_bits(self.mode),
            causes: FaultSet(self.causes),
            interlocks: InterlockSet(self.interlocks),
            refusal: Refusal::from_raw(self.refusal)?,
        })
    }
}

/// Asks the loop that serves `run_dir`, and waits for its answer for at most `timeout`.
///
/// # Errors
/// [`ShmError::NotServed`] if no loop runs there, [`ShmError::Timeout`] if none answered. A refusal
/// is no error.
pub fn request(
    run_dir: &Path,
    kind: OperatorKind,
    timeout: Duration,
) -> Result<OperatorReply, ShmError> {
    const ID: u32 = 1;
    let path = run_dir.join(OPERATOR_SOCKET);
    let socket = connect_to(run_dir, OPERATOR_SOCKET, &format!("in {}", run_dir.display()))?;
    let asked = RequestMessage::new(kind, ID);
    let (message, _) = ask::<ReplyMessage>(socket.as_fd(), &path, &asked, timeout)?;
    let reply = message.reply().filter(|_| message.id == ID);
    reply.ok_or_else(|| ShmError::Garbage {
        socket: path,
        problem: format!("{message:?}, expected version {VERSION}, id {ID}"),
    })
}
