//! What the loop logs: one message a record, as the bytes that its logger wrote.
//!
//! Nothing is formatted in the loop: a frame names its message by a number and carries its arguments
//! as they lie in memory. The message itself stands in the executable's `.defmt` section, so these
//! bytes mean something only together with the build that wrote them. Shown by: tests/layout.rs, the
//! log's tests in fast-loop, and the tests of the library loop-log.

use crate::units::MonoNs;

/// Bytes of a frame at most; a longer one is counted as lost.
pub const LOG_FRAME_BYTES_MAX: usize = 80;

record! {
    /// One message of the loop, not yet in words.
    pub struct LogFrame {
        /// Number of this record; rises by one with each.
        pub sequence: u64,
        /// Cycle in which it was logged.
        pub cycle_index: u64,
        /// When that cycle began.
        pub mono_ns: MonoNs,
        /// Frames that did not fit, from the start up to this one.
        pub lost: u64,
        /// Frames of threads that have no log, from the start: dropped, and counted.
        pub refused: u64,
        /// Bytes of `frame` in use; 0 where only a count is told.
        pub bytes: u32,
        /// Zero.
        pub reserved: u32,
        /// The message's number and arguments, in defmt's wire format (raw encoding).
        pub frame: [u8; LOG_FRAME_BYTES_MAX],
    }
}

impl LogFrame {
    /// The bytes in use.
    #[must_use]
    pub fn as_frame(&self) -> &[u8] {
        // A peer may have written any length.
        let bytes = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        self.frame.get(..bytes).unwrap_or(&self.frame)
    }
}
