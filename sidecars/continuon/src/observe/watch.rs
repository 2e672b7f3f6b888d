//! Our own reader of a running robot: attaches like any sidecar, polls, and keeps what it saw.
//!
//! A thread of its own, because the ring holds only seconds and asking the operator socket may take
//! as long. It only ever reads. The mapping outlives the process that made it, so that the last
//! records before a death are seen too.

use crate::observe::trace::Trace;
use rt_wire::{Health, Heartbeat, PlantStatus, Telemetry, Validity, topics};
