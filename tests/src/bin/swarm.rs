//! `swarm`: the deterministic simulation of the whole robot, and two figures in virtual time.
//!
//! Exit codes: 0, 1 (a rule does not hold, a mark was not met, or a figure is beyond its limit),
//! 2 (misuse), 3 (the result cannot be told).

use clap::{Parser, ValueEnum};
use rt_wire::SOURCES;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;
use std::time::Instant;
use tests::swarm::{
    Campaign, Classes, CutOffs, EstopFigure, FaultClass, Report, cut_offs, estop_to_neutral,
    run_campaign,
};

/// The whole robot in one thread and virtual time, in a world in which anything may break.
#[derive(Debug, Parser)]
#[command(
    name = "swarm",
    version,
    after_help = "\
Examples:
  swarm --seeds 100 --cycles 100000 --progress
  swarm --seed 17 --seeds 1 --cycles 4711 --only-faults late-burst,relay-welded
  swarm --figure estop --count 1000000 --json

Exit codes: 0 ok, 1 a rule, a mark or a figure failed, 2 misuse, 3 the result cannot be told."
)]
struct Args {
    /// Seeds to run.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    seeds: u64,
    /// Cycles of each seed.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    cycles: u64,
    /// The first seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Only these fault classes, with commas between; `none` for none.
    #[arg(long, value_name = "A,B")]
    only_faults: Option<String>,
    /// Threads; as many as there are cores if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Measure this instead of running seeds.
    #[arg(long, value_enum)]
    figure: Option<Figure>,
    /// Injections, or cut-offs of each source.
    #[arg(long, value_name = "N", default_value_t = 100_000, requires = "figure", value_parser = clap::value_parser!(u64).range(8..=100_000_000))]
    count: u64,
    /// List the fault classes.
    #[arg(long)]
    list_faults: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Say how far it is, on stderr.
    #[arg(long)]
    progress: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Figure {
    /// E-stop pin to neutral pulse, at most one cycle.
    Estop,
    /// Loss of the owner's commands to SafeStop: 150, 200, 100 ms for teleop, inference, pilot.
    CutOff,
}

/// A figure and its verdict.
#[derive(Serialize)]
struct Measured<T> {
    figure: &'static str,
    wall_s: f64,
    ok: bool,
    #[serde(flatten)]
    found: T,
}

#[derive(Serialize)]
struct Sources {
    sources: Vec<CutOffs>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.list_faults {
        let lines = FaultClass::ALL.iter().fold(String::new(), |mut lines, class| {
            // A string takes any text.
            writeln!(lines, "{:<20} {}", class.name(), class.what()).ok();
            lines
        });
        return tell(&lines, true);
    }
    match args.figure {
        Some(Figure::Estop) => estop(&args),
        Some(Figure::CutOff) => cut_off(&args),
        None => campaign(&args),
    }
}

fn campaign(args: &Args) -> ExitCode {
    let only = match args.only_faults.as_deref() {
        None => Ok(Classes::ALL),
        Some("none") => Ok(Classes::default()),
        Some(names) => Classes::parse(names),
    };
    let only = match only {
        Ok(only) => only,
        Err(message) => {
            say(format_args!("--only-faults: {message}"));
            return ExitCode::from(2);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let campaign = Campaign {
        seed: args.seed,
        seeds: args.seeds,
        cycles: args.cycles,
        only,
        threads: args.threads.map_or(cores, usize::from),
    };
    let step = (args.seeds / 20).max(1);
    let report = run_campaign(&campaign, |done| {
        if args.progress && done.is_multiple_of(step) {
            say(format_args!("{done} of {} seeds", args.seeds));
        }
    });
    let good = report.is_good();
    tell(&if args.json { json(&report) } else { in_words(&report) }, good)
}

fn estop(args: &Args) -> ExitCode {
    let began = Instant::now();
    let found = match estop_to_neutral(args.count, args.seed) {
        Ok(found) => found,
        Err(message) => return impossible(&message),
    };
    let EstopFigure { injections, worst_cycles, worst_us, p50_us, .. } = &found;
    let ok = found.is_good();
    let words = format!(
        "e-stop pin to neutral pulse: worst {worst_cycles} cycle(s) of at most 1, {worst_us:.0} us, \
         p50 {p50_us:.0} us, {injections} injections in every mode\n"
    );
    let wall_s = began.elapsed().as_secs_f64();
    let measured = Measured { figure: "e-stop pin to neutral pulse", wall_s, ok, found: &found };
    tell(&if args.json { json(&measured) } else { words }, ok)
}

fn cut_off(args: &Args) -> ExitCode {
    let began = Instant::now();
    let mut sources = Vec::new();
    for source in SOURCES {
        match cut_offs(source, args.count, args.seed) {
            Ok(found) => sources.push(found),
            Err(message) => return impossible(&message),
        }
    }
    let ok = sources.iter().all(CutOffs::is_good);
    let words = sources.iter().fold(String::new(), |mut words, found| {
        let CutOffs { source, cut_offs, p50_ms, worst_ms, worst_late_ms, allowed_ms, .. } = found;
        // A string takes any text.
        writeln!(
            words,
            "{source}: last command to SafeStop p50 {p50_ms:.1} ms, worst {worst_ms:.1} ms of \
             {allowed_ms:.0}, {worst_late_ms:.1} ms with a late loop, {cut_offs} cut-offs"
        )
        .ok();
        words
    });
    let wall_s = began.elapsed().as_secs_f64();
    let found = Sources { sources };
    let measured =
        Measured { figure: "loss of the owner's commands to SafeStop", wall_s, ok, found };
    tell(&if args.json { json(&measured) } else { words }, ok)
}

fn json(value: &impl Serialize) -> String {
    // Fails only for maps whose keys are not texts, and there are none.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

fn in_words(report: &Report) -> String {
    let mut words = format!(
        "{} seeds, {} cycles in {:.1} s: {:.0} cycles a second on {} threads\n",
        report.seeds, report.cycles, report.wall_s, report.cycles_per_s, report.threads
    );
    let mut line = |line: String| words.push_str(&(line + "\n"));
    for mark in report.marks.iter().take(12) {
        line(format!("  {:>10}  {}", mark.hits, mark.name));
    }
    line(format!("  ... {} marks, {} hits needed of each", report.marks.len(), report.hits_needed));
    if !report.too_rare.is_empty() {
        line(format!("VOID: too rare: {}", report.too_rare.join(", ")));
    }
    if report.strays > 0 {
        line(format!("{} transitions outside the table", report.strays));
    }
    if let Some(failure) = &report.failure {
        line(format!(
            "FAILED: seed {}, commit {}, cycle {}: {}: {}",
            failure.seed,
            report.commit.as_deref().unwrap_or("unknown"),
            failure.cycle,
            failure.rule,
            failure.found
        ));
        failure.trace.iter().for_each(|at| line(at.clone()));
    }
    if let Some(small) = &report.shrunk {
        line(format!("smallest: cycle {}, faults {}: {}", small.cycle, small.faults, small.rule));
        line(format!("  {}", small.found));
        small.trace.iter().for_each(|at| line(at.clone()));
        line(small.command.clone());
    }
    words
}

fn impossible(message: &str) -> ExitCode {
    say(message);
    ExitCode::from(3)
}

fn tell(words: &str, good: bool) -> ExitCode {
    if let Err(error) = std::io::stdout().write_all(words.as_bytes()) {
        // A reader that has gone has read enough; a full disk behind stdout has not.
        if error.kind() != ErrorKind::BrokenPipe {
            return impossible(&format!("stdout: {error}"));
        }
    }
    ExitCode::from(u8::from(!good))
}

fn say(words: impl std::fmt::Display) {
    std::io::stderr().write_all(format!("swarm: {words}\n").as_bytes()).ok();
}
