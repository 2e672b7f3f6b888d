//! What local people, and the loop's own housekeeping thread, tell the loop.
//!
//! Sequences make each request count once; who may ask was judged before it came here, by the
//! credentials of the socket. Shown by: tests/layout.rs.

use crate::record::Raw;
use crate::units::MonoNs;

raw_enum! {
    /// A request from the operator socket.
    pub enum OperatorKind {
        /// Nothing asked.
        None = 0, "none";
        /// Go from Disarmed to Arming, if every precondition holds.
        Arm = 1, "arm";
        /// Controlled stop, then Disarmed.
        Disarm = 2, "disarm";
        /// Leave EStopLatched for SelfTest, if the e-stop is released.
        Reset = 3, "reset";
        /// E-stop; it travels in [`EstopRequest`], never in the queue.
        Estop = 4, "estop";
    }
}

record! {
    /// One request a cycle; `sequence` rises with each.
    pub struct OperatorRequest {
        /// Rises with each request; the kernel acts once on each new one.
        pub sequence: u64,
        /// When housekeeping took it.
        pub mono_ns: MonoNs,
        /// What is asked.
        pub kind: Raw<OperatorKind>,
        /// Who asked (from the socket's peer credentials).
        pub uid: u32,
    }
}

record! {
    /// The e-stop's own slot: it never queues behind anything.
    pub struct EstopRequest {
        /// Rises with each e-stop.
        pub sequence: u64,
        /// When housekeeping took it.
        pub mono_ns: MonoNs,
        /// Who asked.
        pub uid: u32,
        /// Zero.
        pub reserved: u32,
    }
}

bit_set! {
    /// Facts that housekeeping knows and the loop thread cannot ask for.
    pub struct HousekeepingFlags {
        /// The loop thread runs under SCHED_FIFO.
        REALTIME = 0;
        /// The process's memory is locked.
        MEMORY_LOCKED = 1;
        /// The allocator is sealed for the loop thread.
        SEALED = 2;
        /// The process was told to end: controlled stop, then exit.
        SHUTDOWN = 3;
        /// The configuration's checksum no longer matches.
        CONFIG_CORRUPT = 4;
        /// A canary of a region that only the loop writes has changed.
        CANARY_CHANGED = 5;
    }
}

record! {
    /// Housekeeping's newest word to the loop.
    pub struct Housekeeping {
        /// Rises with each write.
        pub sequence: u64,
        /// When it was written.
        pub mono_ns: MonoNs,
        /// Minor page faults of the loop thread since the seal.
        pub minor_faults: u64,
        /// Major page faults of the loop thread since the seal.
        pub major_faults: u64,
        /// Facts.
        pub flags: HousekeepingFlags,
        /// Zero.
        pub reserved: u32,
    }
}
