//! `rlds-logger`: see the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = rlds_logger::Args::parse();
    sidecar::run(rt_wire::topics::RLDS_LOGGER, rlds_logger::main(args))
}
