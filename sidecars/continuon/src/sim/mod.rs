//! `continuon sim`: a car that is driven, recorded and reported, by four processes.
//!
//! ```text
//! start     fast-loop ─▶ its sockets ─▶ plant, pilot, rlds-logger ─▶ all of them ready
//! drive     arm ─▶ Arming ─▶ Active for N seconds ─▶ the pilot parks ─▶ disarm ─▶ Disarmed
//! stop      rlds-logger, pilot, fast-loop, plant: see `Fleet::stop`
//! report    from our own reader, the logger's episode and the plant's truth
//! ```
//!
//! This module knows the processes by their command lines and segments only. It must never leave one
//! of them running, whatever happens. Shown by: tests/processes.rs, and the journey in `tests/`.

pub mod drive;
pub mod fleet;
pub mod keys;
pub mod plan;
pub mod process;
pub mod start_child;
pub mod terminal;
pub mod virtual_run;

pub use start_child::become_child;

use crate::cli::SimArgs;
use crate::exit::{Exit, Failure};
use crate::observe::conditions::{Load, Machine};
use crate::output::{print, print_line, say};
use crate::progress::Progress;
use crate::report::{self, Facts, Verdict};
use crate::run_dir;
use crate::signals::EndRequests;
pub use drive::Outcome;
pub use plan::Plan;
use std::io::IsTerminal;
use terminal::Terminal;

/// Runs `continuon sim`.
///
/// # Errors
/// Misuse, or not possible here; a run that was begun and went wrong is a report with exit code 1.
pub fn command(args: &SimArgs, json: bool) -> Result<Exit, Failure> {
    let mut ends = EndRequests::take()?;
    let plan = Plan::prepare(args)?;
    for warning in &plan.track_warnings {
        say(format_args!("warning: track {}: {warning}", plan.track_name));
    }
    if args.r#virtual {
        return virtual_run::run(&plan, &mut ends, json);
    }
    let load_before = Load::now();
    let progress = Progress::new();
    let mut terminal = Terminal::of(&plan, json);
    let outcome = drive::whole_run(&plan, &mut terminal, &mut ends, &progress);
    progress.done();
    drop(terminal);
    let outcome = outcome?;
    let report = report::build(&Facts {
        outcome: &outcome,
        plan: &plan,
        machine: Machine::here(),
        load_before,
        load_after: Load::now(),
    });
    write_files(&plan, &report)?;
    if json {
        print_line(to_json(&report))?;
    } else {
        print(&report::render(&report, std::io::stdout().is_terminal()))?;
    }
    Ok(if report.verdict == Verdict::Ok { Exit::Ok } else { Exit::No })
}

fn to_json(report: &report::Report) -> String {
    // Fails only for maps whose keys are not texts, and there are none.
    serde_json::to_string(report).unwrap_or_default()
}

fn write_files(plan: &Plan, report: &report::Report) -> Result<(), Failure> {
    let files = [
        ("report.txt", report::render(report, false)),
        ("report.json", serde_json::to_string_pretty(report).unwrap_or_default() + "\n"),
    ];
    for (name, text) in files {
        run_dir::write(&plan.run_dir, name, &text)?;
    }
    Ok(())
}
