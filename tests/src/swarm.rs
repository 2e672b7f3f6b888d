//! The whole robot in one thread and virtual time, in a world in which anything may break: the shipped
//! kernel, the plant's parts, an operator, six sidecars, and oracles on every cycle.
//!
//! A seed decides everything: which of some seventy fault classes strike and how often, when a person
//! presses what, when a sidecar dies, what the network does to a person's frames and the disk to the log. Storms alternate with calms, in which the car must drive again.
//! It must never read a clock that reaches the world, and its oracles never ask `rt-control`.
//!
//! ```text
//!            ┌────────────── faults: one table, one schedule of each class ─────────────┐
//!            ▼                ▼                 ▼                    ▼                  ▼
//!  car ─▶ observation     operator           sources          housekeeping      wake-up latency
//!   ▲         └───────────────┴─────────┬───────┴────────────────────┴──────────────────┘
//!   └─────────── pins ◀─── Kernel::step ┘ ───▶ oracles, marks, replay
//! ```
//!
//! Tests: tests/main.rs, module `swarm`; bin `swarm`.

mod campaign;
mod car;
mod dice;
mod faults;
mod figures;
mod marks;
mod network;
mod operator;
mod oracles;
mod recorder;
mod run;
mod seen;
mod setup;
mod shrink;
mod sources;
mod trace;
mod world;

pub use campaign::{Campaign, Report, run_campaign};
pub use faults::{Classes, FaultClass};
pub use figures::{CutOffs, EstopFigure, cut_offs, estop_to_neutral};
pub use marks::{Mark, Marks};
pub use run::{Failure, Plan, run};
pub use seen::{
    ACCEL_MAX_M_PER_S2, BATTERY_V, CHIP_C, DISAGREE_NS, EXPIRY_MAX_NS, HEARTBEAT_NS, LATE_MAX,
    LATE_NS, RESET_NS, STALE_CYCLES, STARVED_NS, TELEOP_AGE_NS,
};
pub use shrink::{Shrunk, shrink};
