//! `cargo xtask …`: what this workspace is built, judged and tried with.
//!
//! Every verb runs what a person could type as well; nothing here is part of the product. Tests:
//! beside each calculation.

mod bench;
mod ci;
mod cross;
mod executable;
mod fix;
mod log_arch;
mod mutants;
mod proof;
mod rel;
mod rel_rlds;
mod replay_arch;
mod sabotage;
mod sim;
mod symbols;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  cargo xtask sim --seconds 20        build what a run needs, then `continuon sim --seconds 20`
  cargo xtask bench --quick           check the harness; without --quick, the figures
  cargo xtask bench rlds              what episodes cost to record, to check and to export
  cargo xtask ci                      all that CI runs, a line per lane
  cargo xtask fix                     format, and accept changed snapshots
  cargo xtask tidy                    what reviews forget, in under 3 s
  cargo xtask replay-arch             a recorded drive, replayed here and on aarch64
  cargo xtask log-arch                the loop's log, read from each build of it, aarch64 too
  cargo xtask rel safety --json       the long proofs of the safety kernel; --list names them
  cargo xtask rel rlds                crash images, kills, fuzzers of episodes; --list names them
  cargo xtask proof                   no allocator, no panic: proved by the linker on three targets
  cargo xtask cross --quick           fast-loop for aarch64, static as well, under an emulator
  cargo xtask symbols                 what the loop reaches in the executable that ships
  cargo xtask rel mutants             change the safety kernel in every way; its tests must notice
  cargo xtask sabotage                plant each known bug, and show which test catches it
  cargo xtask sabotage estop          only those whose name has `estop` in it

Exit codes: 0 ok, 1 the answer is no, 2 misuse, 3 not possible here (and why).";

/// Builds, judges and tries this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build what a pilot-driven run needs, then run `continuon sim` with these arguments.
    #[command(disable_help_flag = true)]
    Sim {
        /// Arguments of `continuon sim`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Take every figure of a table beside its peer, in the same run.
    Bench(bench::Args),
    /// Run every lane of `.ci/run`.
    Ci,
    /// Format everything and regenerate the snapshots.
    Fix,
    /// Check what reviews forget: who may know whom, unsafe in its places, and more.
    Tidy {
        /// One JSON object on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Replay one recorded drive here and under an aarch64 emulator, and compare every bit.
    ReplayArch,
    /// Build every binary for aarch64, and run fast-loop and rt-core's tests under an emulator.
    Cross(cross::Args),
    /// Link what the loop calls so that a reachable allocation or panic fails the link.
    Proof(proof::Args),
    /// Judge what the loop's thread reaches in fast-loop as it ships: no allocator, lock, I/O, panic.
    Symbols(symbols::Args),
    /// Read the log of `fast-loop` as each profile builds it, here and under an aarch64 emulator.
    LogArch,
    /// Run the long proofs.
    #[command(subcommand)]
    Rel(rel::What),
    /// Plant each bug of `tests/sabotage` in a copy, and expect its oracle to fail.
    Sabotage {
        /// Only patches whose name contains one of these.
        names: Vec<String>,
        /// Only the first patch of each file that is hurt: what CI has time for.
        #[arg(long)]
        one_per_file: bool,
    },
}

/// How a verb ends: `Ok(false)` is a no.
type Answer = Result<bool, Problem>;

/// Why a verb has no answer, in words.
#[derive(Debug)]
enum Problem {
    /// What was asked for does not exist.
    Misuse(String),
    /// It exists, and cannot be done here.
    NotPossible(String),
}

impl From<String> for Problem {
    fn from(what: String) -> Self {
        Self::NotPossible(what)
    }
}

fn main() -> ExitCode {
    let answer = match Cli::parse().verb {
        Verb::Sim { args } => sim::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Ci => ci::run(),
        Verb::Fix => fix::run(),
        Verb::Tidy { json } => tidy::run(json),
        Verb::ReplayArch => replay_arch::run(),
        Verb::Cross(args) => cross::run(&args),
        Verb::Proof(args) => proof::run(&args),
        Verb::Symbols(args) => symbols::run(&args),
        Verb::LogArch => log_arch::run(),
        Verb::Rel(what) => rel::run(&what),
        Verb::Sabotage { names, one_per_file } => sabotage::run(&names, one_per_file),
    };
    let (code, problem) = match answer {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => return ExitCode::from(1),
        Err(Problem::Misuse(problem)) => (2, problem),
        Err(Problem::NotPossible(problem)) => (3, problem),
    };
    eprintln!("xtask: {problem}");
    ExitCode::from(code)
}
