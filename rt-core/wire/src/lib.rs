//! Words: every record that crosses a process boundary, units, time, faults, limits, and the one
//! table of topics.
//!
//! This crate decides what the processes of one robot may say to each other. It must never
//! allocate, hold a pointer, read a clock, or carry a `bool` or an enum raw out of shared memory:
//! a peer may have written any bit pattern, so each field is a plain number, a set of bits, or a
//! [`Raw`] that is converted with a check. Shown by: `tests/layout.rs`.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::unreachable,
    clippy::unimplemented,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    clippy::std_instead_of_core,
    clippy::alloc_instead_of_core,
    clippy::large_types_passed_by_value,
    clippy::missing_panics_doc
)]

#[macro_use]
mod record;
mod command;
mod fault;
mod heartbeat;
mod limits;
mod log;
mod mode;
mod observation;
mod operator;
mod sets;
mod sim;
mod telemetry;
pub mod topics;
mod units;

pub use command::{
    AcceptedCommand, Arrival, Class, Command, CommandFlags, POINTS_MAX, Point, SOURCES, Source,
};
pub use fault::{Fault, FaultSet, Severity};
pub use heartbeat::{HEARTBEAT_SOURCES, Heartbeat, HeartbeatFlags, SidecarState, Sign};
pub use limits::{LATE_WINDOW_CYCLES, Limits, LimitsFlags};
pub use log::{LOG_FRAME_BYTES_MAX, LogFrame};
pub use mode::Mode;
pub use observation::{
    Battery, Imu, IntegrityFlags, LineSet, Lines, Observation, Pose, Power, Temperature, Validity,
    WheelSpeed,
};
pub use operator::{EstopRequest, Housekeeping, HousekeepingFlags, OperatorKind, OperatorRequest};
pub use record::{Field, FieldType, Raw, RawEnum, Record, fnv1a, layout_hash};
pub use sets::{Interlock, InterlockSet, Rule, RuleSet};
pub use sim::{PlantStatus, SimPins};
pub use telemetry::{
    BadBurst, CoastDown, DeadSources, Health, HealthFlags, Inbox, InboxCommand, KernelState,
    LateLadder, Monitors, Outcome, PulseFlags, PulseFrame, Release, Setpoint, Telemetry,
};
pub use units::{Microseconds, MonoNs};
