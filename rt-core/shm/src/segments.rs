//! What the loop itself writes: created once, before it is real-time, and kept for its whole life.
//!
//! Each segment is mapped writable first and sealed then, so the loop's is the only mapping that can
//! ever write it. Shown by: tests/attach.rs, tests/seals.rs, tests/limits.rs.

use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use rt_ring::Identity;
use rt_ring::sync::AtomicU64;
use rt_wire::topics::{self, Topic};

use crate::mapping::Access;
use crate::memfd::{Memfd, cannot_lock};
use crate::{ShmError, protocol, shapes};

/// The segments that the loop writes, and the rules by which it takes the others in.
#[derive(Debug)]
pub struct Segments {
    pub(crate) robot: String,
    pub(crate) generation: u64,
    pub(crate) has_sim: bool,
    pub(crate) locks: bool,
    pub(crate) written: Vec<Written>,
}

/// One segment that the loop writes.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) topic: &'static Topic,
    pub(crate) reader: OwnedFd,
    pub(crate) bytes: usize,
    words: &'static [AtomicU64],
}

impl Segments {
    /// Creates every segment that the loop writes: allocated, mapped, sealed and, with `lock`,
    /// locked in memory. With `include_sim` those of the `sim` board too.
    ///
    /// # Errors
    /// [`ShmError::NoMemory`] names the segment and the limit that was met; what was created before
    /// is never handed out. [`ShmError::Name`] if the robot's name is empty or longer than 47
    /// bytes.
    pub fn create(robot: &str, include_sim: bool, lock: bool) -> Result<Self, ShmError> {
        if robot.is_empty() || protocol::text::<{ protocol::ROBOT_BYTES }>(robot).is_none() {
            let bytes_max = protocol::ROBOT_BYTES - 1;
            return Err(ShmError::Name { what: "robot", name: robot.to_owned(), bytes_max });
        }
        // Differs from one life of the loop to the next; nobody compares it with a clock.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let generation = u64::try_from(since_epoch.as_nanos()).unwrap_or(1).max(1);
        let mut segments = Self {
            robot: robot.to_owned(),
            generation,
            has_sim: include_sim,
            locks: lock,
            written: Vec::new(),
        };
        for topic in topics::all().filter(|topic| topic.creator_writes()) {
            if include_sim || !topic.sim_only {
                let written = segments.create_one(topic)?;
                segments.written.push(written);
            }
        }
        Ok(segments)
    }

    fn create_one(&self, topic: &'static Topic) -> Result<Written, ShmError> {
        let name = self.name(topic);
        let shape = shapes::of(topic).ok_or_else(|| no_such(&name))?;
        let memfd = Memfd::create(&name, shape.words(topic))?;
        let mapping = memfd.map(Access::ReadWrite)?;
        memfd.seal()?;
        if self.locks {
            mapping.lock().map_err(|source| cannot_lock(&name, memfd.bytes(), source))?;
        }
        let reader = memfd.reader()?;
        Ok(Written { topic, reader, bytes: memfd.bytes(), words: mapping.into_static() })
    }

    /// The memory of a segment that the loop writes, for its one `RingWriter` or `SlotWriter`.
    ///
    /// # Errors
    /// [`ShmError::Refused`] if the loop does not write this topic, or not on this board.
    pub fn words(&self, topic: &Topic) -> Result<&'static [AtomicU64], ShmError> {
        let same = |written: &&Written| is_same(written.topic, topic);
        let written = self.written.iter().find(same).ok_or_else(|| no_such(&self.name(topic)))?;
        Ok(written.words)
    }

    /// What stands in the header of the loop's own segments: the topic's layout and this life.
    #[must_use]
    pub const fn identity(&self, topic: &Topic) -> Identity {
        Identity { layout_hash: topic.layout_hash, generation: self.generation }
    }

    /// Full name of a topic's segment.
    #[must_use]
    pub fn name(&self, topic: &Topic) -> String {
        segment_name(&self.robot, topic)
    }
}

/// Whether two rows name the same segment.
pub(crate) fn is_same(a: &Topic, b: &Topic) -> bool {
    (a.writer, a.record, a.kind) == (b.writer, b.record, b.kind)
}

/// `<robot>.<writer>.<record>.<kind>`.
pub(crate) fn segment_name(robot: &str, topic: &Topic) -> String {
    let mut name = String::new();
    // Writing to a String does not fail.
    if topic.write_name(robot, &mut name).is_err() {
        name.clear();
    }
    name
}

fn no_such(segment: &str) -> ShmError {
    ShmError::Refused {
        segment: segment.to_owned(),
        process: topics::FAST_LOOP.to_owned(),
        reason: "the loop does not write it on this board",
    }
}
