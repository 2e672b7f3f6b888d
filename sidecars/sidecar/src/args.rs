//! The arguments that every sidecar takes. Shown by: tests/pure.rs.

use std::path::PathBuf;

/// Which robot, and where its loop is met.
#[derive(Clone, Debug, clap::Args)]
pub struct CommonArgs {
    /// Robot file, or the name of a robot that comes with the program
    #[arg(long, value_name = "FILE")]
    pub robot: String,
    /// Run directory of the fast loop: where its sockets are
    #[arg(long, value_name = "DIR")]
    pub run_dir: PathBuf,
    /// How long to wait for the fast loop, in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=86_400))]
    pub attach_timeout_s: u32,
}
