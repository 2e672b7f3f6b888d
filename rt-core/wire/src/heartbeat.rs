//! A sidecar's sign of life, judged by the kernel. Never to be confused with the watchdog, which is
//! the hardware timer, nor with the heartbeat pin, which drives the motor relay's pump. Shown by:
//! tests/layout.rs.

use crate::record::Raw;
use crate::units::MonoNs;

raw_enum! {
    /// What a sidecar says of itself.
    pub enum SidecarState {
        /// Not attached yet.
        Starting = 0, "starting";
        /// Doing its work.
        Running = 1, "running";
        /// Doing part of its work; the flags say what is missing.
        Degraded = 2, "degraded";
        /// Closing down on purpose.
        Stopping = 3, "stopping";
    }
}

raw_enum! {
    /// The kernel's judgement of a heartbeat.
    pub enum Sign {
        /// Never heard since the start.
        Never = 0, "never";
        /// Heard within `heartbeat_late_ns`.
        OnTime = 1, "on-time";
        /// Silent for `heartbeat_late_ns`: its commands are ignored.
        Late = 2, "late";
        /// Silent for `heartbeat_lost_ns`: if it is required, degraded.
        Lost = 3, "lost";
    }
}

bit_set! {
    /// What a degraded sidecar lacks.
    pub struct HeartbeatFlags {
        /// The logger drops or cannot write records.
        LOG_DEGRADED = 0;
        /// Each cycle that belongs to an episode reaches the disk: one is open, or begins in time.
        RECORDING = 1;
    }
}

record! {
    /// One sign of life, about 10 a second.
    pub struct Heartbeat {
        /// Rises with each write; a sequence that stands still is what makes it late.
        pub sequence: u64,
        /// When it was written.
        pub mono_ns: MonoNs,
        /// Newest telemetry sequence the sidecar has read.
        pub last_sequence_read: u64,
        /// Records the sidecar has lost since it attached.
        pub lost_records: u64,
        /// What it says of itself.
        pub state: Raw<SidecarState>,
        /// What it lacks.
        pub flags: HeartbeatFlags,
        /// Its process id, for people.
        pub pid: u32,
        /// Zero.
        pub reserved: u32,
    }
}

/// The sidecars whose heartbeats the loop reads, in the order in which [`crate::Inbox`] holds them.
pub const HEARTBEAT_SOURCES: [&str; 6] =
    ["teleop", "inference", "pilot", "rlds-logger", "camera", "trainer"];
