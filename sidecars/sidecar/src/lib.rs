//! What the main of each sidecar starts with: config, log, attach, heartbeat, clean shutdown.
//!
//! *What it decides.* How a guest behaves: it waits a while for the loop, says why if it may not
//! come in, gives a sign of life ten times a second, notices when the loop has gone, and ends when
//! it is told to. *What it must never do.* Judge anything: whether a sign of life is late is the
//! kernel's word. Wait on the loop's thread, or make it wait.
//!
//! Everything runs in one thread: a sidecar that blocks stops its own heartbeat, and that is what
//! the heartbeat is for. Segments are polled at the sidecar's own pace.
//!
//! ```no_run
//! use clap::Parser;
//! use sidecar::{CommonArgs, Failure, Outcome, Sidecar};
//!
//! #[derive(Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     common: CommonArgs,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let args = Args::parse();
//!     sidecar::run("pilot", async move {
//!         let mut sidecar = Sidecar::start("pilot", &args.common).await?;
//!         sidecar.report().set(|report| report.state = rt_wire::SidecarState::Running);
//!         sidecar.until_end().await;
//!         Ok::<_, Failure>(Outcome::Done)
//!     })
//! }
//! ```
//!
//! Shown by: tests/sidecar.rs, tests/signal.rs, tests/pure.rs; examples/smallest_sidecar.rs.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod args;
mod attach;
mod clock;
mod failure;
mod heartbeat;
mod log;
mod run;
mod start;

pub use args::CommonArgs;
pub use attach::Patience;
pub use clock::{kernel_release, mono_now, unix_ms_now};
pub use failure::Failure;
pub use heartbeat::{Report, ReportState};
pub use run::{Outcome, run};
pub use start::{End, Sidecar};
