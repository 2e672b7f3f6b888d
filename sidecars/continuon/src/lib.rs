//! `continuon`: the operator's command.
//!
//! *What it decides.* What a person or a script is shown, which processes a simulated run has, and
//! the four exit codes: 0 ok, 1 the answer is no, 2 misuse, 3 not possible here.
//!
//! *What it must never do.* Judge (the loop does), know the inside of another process (it knows
//! their command lines, segments and files), leave a process behind, or print anything but the
//! answer on stdout.
//!
//! ```text
//! cli ─▶ sim ──▶ fast-loop, plant, pilot, rlds-logger     top, operator, config ─▶ a running robot
//!         └▶ observe (our own reader) ─▶ report                                     or a file
//!        why, replay, log, rlds ◀─ recorded ◀─ an episode
//! ```
//!
//! Shown by: tests/cli.rs, tests/processes.rs, tests/rlds.rs, and the tests beside each calculation.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod cli;
pub mod config;
pub mod exit;
pub mod log;
pub mod observe;
pub mod operator;
pub mod output;
pub mod progress;
pub mod record;
pub mod recorded;
pub mod replay;
pub mod report;
pub mod rlds;
pub mod run_dir;
pub mod signals;
pub mod sim;
pub mod spin;
pub mod top;
pub mod why;

use cli::{Cli, Command};
use exit::{Exit, Failure};
use rt_wire::OperatorKind;

/// Runs one command to its end.
///
/// # Errors
/// Whatever kept it from being done, with its exit code.
pub fn run(cli: &Cli) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Sim(args) => sim::command(args, cli.json),
        Command::Arm(which) => operator::command(OperatorKind::Arm, which, cli.json),
        Command::Disarm(which) => operator::command(OperatorKind::Disarm, which, cli.json),
        Command::Estop(which) => operator::command(OperatorKind::Estop, which, cli.json),
        Command::Reset(which) => operator::command(OperatorKind::Reset, which, cli.json),
        Command::Top(args) => top::command(args, cli.json),
        Command::Why(args) => why::command(args, cli.json),
        Command::Replay(args) => replay::command(args, cli.json),
        Command::Record(args) => record::command(args, cli.json),
        Command::Log(args) => log::command(args, cli.json),
        Command::Rlds(command) => rlds::command(command, cli.json),
        Command::Config(command) => config::command(command, cli.json),
        Command::StartChild(args) => Err(sim::become_child(args)),
    }
}
