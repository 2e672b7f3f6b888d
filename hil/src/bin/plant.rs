//! `plant`: the simulated car as a process. What it does stands in `hil::process`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hil::process::main()
}
