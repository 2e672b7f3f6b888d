//! The program behind `cargo xtask bench`.
//!
//! Exit: 0 measured, 1 a figure could not be taken, 2 wrong arguments, 3 not possible here.

use clap::{Parser, Subcommand, ValueEnum};
use peers::figures::{Bench, FIGURES};
use peers::machine::{self, Conditions, Cores};
use peers::partner::{self, Role};
use peers::report::{Report, Row};
use std::path::PathBuf;
use std::process::ExitCode;

/// Takes every figure of the table beside its peer.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    hidden: Option<Hidden>,
    /// Short windows: checks the harness in a few minutes; not to be quoted.
    #[arg(long)]
    quick: bool,
    /// This figure only; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = FIGURES.map(|(name, _)| name))]
    only: Vec<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The fast-loop program to measure.
    #[arg(long, value_name = "FILE", default_value = "target/flash/fast-loop")]
    fast_loop: PathBuf,
    /// The rlds-logger program to measure.
    #[arg(long, value_name = "FILE", default_value = "target/flash/rlds-logger")]
    rlds_logger: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Aligned columns.
    Table,
    /// One JSON object.
    Json,
    /// For a Markdown page.
    Markdown,
}

#[derive(Debug, Subcommand)]
enum Hidden {
    /// The second process of an exchange; started by this program only.
    #[command(hide = true)]
    Partner {
        role: Role,
        fd: i32,
        cpu: usize,
        #[arg(long)]
        fifo: bool,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Hidden::Partner { role, fd, cpu, fifo }) = cli.hidden {
        return match partner::run(role, fd, cpu, fifo) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bench: second process: {error:#}");
                ExitCode::from(3)
            }
        };
    }
    let cores = match Cores::choose() {
        Ok(cores) => cores,
        Err(error) => {
            eprintln!("bench: {error:#}");
            return ExitCode::from(3);
        }
    };
    let alternations = if cli.quick { 7 } else { 9 };
    let mut conditions = Conditions::now(cores, cli.quick, alternations);
    let bench = Bench {
        cores,
        quick: cli.quick,
        alternations,
        fifo: conditions.fifo,
        fast_loop: cli.fast_loop,
        rlds_logger: cli.rlds_logger,
    };
    let mut rows = Vec::new();
    let mut all_taken = true;
    for (name, take) in FIGURES {
        if !cli.only.is_empty() && !cli.only.iter().any(|only| only == name) {
            continue;
        }
        eprintln!("bench: {name}");
        rows.extend(take(&bench).unwrap_or_else(|error| {
            eprintln!("bench: {name}: {error:#}");
            all_taken = false;
            vec![Row::not_measured(name, format!("{error:#}"))]
        }));
    }
    conditions.load_after = machine::load();
    let report = Report { conditions, rows };
    match cli.format {
        Format::Table => print!("{}", report.table()),
        Format::Markdown => print!("{}", report.markdown()),
        Format::Json => match serde_json::to_string_pretty(&report) {
            Ok(json) => println!("{json}"),
            Err(error) => {
                eprintln!("bench: {error}");
                return ExitCode::FAILURE;
            }
        },
    }
    if all_taken { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
