//! `teleop`: see the library of the same name.

use clap::Parser;

fn main() -> std::process::ExitCode {
    let args = teleop::Args::parse();
    sidecar::run(rt_wire::topics::TELEOP, teleop::drive(args))
}
