//! The program behind `cargo xtask bench rlds`.
//!
//! Exit: 0 measured, 1 a figure could not be taken, 2 wrong arguments, 3 not possible here.

use clap::{Parser, Subcommand, ValueEnum};
use peers::machine::{self, Conditions, Cores};
use peers::report::{Report, Row};
use peers::rlds::{Bench, Episodes, FIGURES, measured};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Takes every figure of the recorder and the formats, beside its peer.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    hidden: Option<Hidden>,
    /// Short windows and episodes: checks the harness; not to be quoted.
    #[arg(long)]
    quick: bool,
    /// This figure only; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = FIGURES.map(|(name, _)| name))]
    only: Vec<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Where the programs to measure are: fast-loop, rlds-logger, continuon.
    #[arg(long, value_name = "DIR", default_value = "target/flash")]
    programs: PathBuf,
    /// An interpreter that has tensorflow.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// Everything is written below this folder, which is made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "target/bench-rlds")]
    folder: PathBuf,
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
    /// Measures another program; started by this program only.
    #[command(hide = true, name = measured::VERB)]
    Measured {
        #[arg(last = true)]
        words: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Hidden::Measured { words }) = cli.hidden {
        return match measured::serve(&words) {
            Ok(measured) => print_json(&measured),
            Err(error) => not_possible(&format!("{error:#}")),
        };
    }
    let cores = match Cores::choose() {
        Ok(cores) => cores,
        Err(error) => return not_possible(&format!("{error:#}")),
    };
    let made = std::fs::create_dir_all(&cli.folder)
        .and_then(|()| tempfile::Builder::new().prefix("run-").tempdir_in(&cli.folder));
    let folder = match made {
        Ok(folder) => folder,
        Err(error) => return not_possible(&format!("{}: {error}", cli.folder.display())),
    };
    let alternations = if cli.quick { 7 } else { 9 };
    let mut conditions = Conditions::now(cores, cli.quick, alternations);
    conditions.also.push(format!("files on {}", machine::file_system(folder.path())));
    let bench = Bench {
        cores,
        quick: cli.quick,
        alternations,
        continuon: cli.programs.join("continuon"),
        fast_loop: cli.programs.join("fast-loop"),
        rlds_logger: cli.programs.join("rlds-logger"),
        recorder_with_camera: cli.programs.join("examples/recorder_with_camera"),
        python: cli.python,
        folder: folder.path().to_owned(),
        episodes: Episodes::default(),
        plain: peers::rlds::Plain::default(),
    };
    let (mut rows, mut all_taken) = (Vec::new(), true);
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
    let printed = match cli.format {
        Format::Table => {
            print!("{}", report.table());
            ExitCode::SUCCESS
        }
        Format::Markdown => {
            print!("{}", report.markdown());
            ExitCode::SUCCESS
        }
        Format::Json => print_json(&report),
    };
    if all_taken { printed } else { ExitCode::FAILURE }
}

fn print_json(value: &impl serde::Serialize) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => not_possible(&error.to_string()),
    }
}

fn not_possible(words: &str) -> ExitCode {
    eprintln!("bench: {words}");
    ExitCode::from(3)
}
