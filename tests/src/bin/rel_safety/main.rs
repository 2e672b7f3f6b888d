//! `rel-safety`: the proofs that take too long for every change, one after the other.
//!
//! [`PROOFS`] is the table of them: a name, what it shows, and what runs it. A new one is a row here
//! and a module beside this file. Each gets the seed, for whatever is random in it, and a folder where
//! it may keep checkpoints. Progress goes to stderr, the result alone to stdout.
//!
//! Exit codes: 0, 1 (a proof found something wrong), 2 (misuse), 3 (the result cannot be told).

mod loop_deaths;
mod machine;
mod swarm;

use clap::Parser;
use serde_json::{Value, json};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// One long proof.
struct Proof {
    name: &'static str,
    what: &'static str,
    run: fn(&Context) -> Outcome,
}

/// What every proof is given.
struct Context {
    /// Seed of everything random; whoever draws from it says so in its figures.
    seed: u64,
    /// Deaths of the loop by SIGKILL.
    kills: u32,
    /// Deaths of the loop by SIGSTOP.
    stops: u32,
    /// Where checkpoints may lie.
    folder: PathBuf,
}

/// What a proof came to.
struct Outcome {
    good: bool,
    /// For people, without the proof's name and time.
    line: String,
    /// For programs.
    figures: Value,
}

const PROOFS: &[Proof] = &[
    Proof {
        name: "machine-4-3-2",
        what: "every reachable state with every input, limits (4,3,2): what CI runs",
        run: machine::of_ci,
    },
    Proof {
        name: "machine-3-2-1",
        what: "the same, limits (3,2,1), no arming time, no ramp, the first late event an overload",
        run: machine::narrow,
    },
    Proof {
        name: "machine-6-5-4",
        what: "the same, limits (6,5,4), five levels, every target",
        run: machine::wide,
    },
    Proof {
        name: "machine-product",
        what: "every state of limits (4,3,2), reachable or not, with every input",
        run: machine::product,
    },
    Proof {
        name: "machine-answers",
        what: "the least product in which every combination of answers occurs, every target",
        run: machine::answers,
    },
    Proof {
        name: "machine-stuck",
        what: "reset or arm stuck at 0 or 1 from power-up never fires, limits (6,5,4)",
        run: machine::stuck,
    },
    Proof {
        name: "machine-bystanders",
        what: "the age of who does not own changes no answer, every state of limits (4,3,2)",
        run: machine::bystanders,
    },
    Proof {
        name: "swarm",
        what: "the whole robot in virtual time, 10^8 cycles in which anything may break",
        run: swarm::campaign,
    },
    Proof {
        name: "estop-to-neutral",
        what: "e-stop pin to neutral pulse, 10^6 injections in every mode: at most one cycle",
        run: swarm::estop,
    },
    Proof {
        name: "cut-off",
        what: "loss of the owner's commands to SafeStop, 10^5 times: 150, 200, 100 ms",
        run: swarm::cut_off,
    },
    Proof {
        name: "loop-kills",
        what: "the real loop killed while the car drives: power off in the plant within 50 ms",
        run: loop_deaths::kills,
    },
    Proof {
        name: "loop-stops",
        what: "the real loop stopped for 100 ms: the same, and it resumes latched",
        run: loop_deaths::stops,
    },
];

/// Runs the long proofs of the safety kernel.
#[derive(Debug, Parser)]
#[command(
    name = "rel-safety",
    version,
    after_help = "\
Examples:
  rel-safety --list
  rel-safety --only machine-product
  rel-safety --seed 7 --json
  rel-safety --only loop-kills --kills 50 --only loop-stops --stops 10

A proof that was killed goes on where it stood when the same program is asked again.

Exit codes: 0 ok, 1 a proof found something wrong, 2 misuse, 3 the result cannot be told."
)]
struct Args {
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// This proof only; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only say which proofs there are.
    #[arg(long)]
    list: bool,
    /// How often `loop-kills` kills the loop; CI takes 50.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    kills: u32,
    /// How often `loop-stops` stops it; CI takes 10.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    stops: u32,
    /// Where checkpoints lie.
    #[arg(long, value_name = "FOLDER", default_value = "target/rel-safety")]
    checkpoints: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.list {
        let rows: Vec<String> =
            PROOFS.iter().map(|proof| format!("{:<20} {}\n", proof.name, proof.what)).collect();
        return tell(&rows.concat(), true);
    }
    if let Some(unknown) = args.only.iter().find(|name| PROOFS.iter().all(|p| p.name != **name)) {
        let names: Vec<&str> = PROOFS.iter().map(|proof| proof.name).collect();
        progress(&format!("--only {unknown}: expected one of {}", names.join(", ")));
        return ExitCode::from(2);
    }
    let context =
        Context { seed: args.seed, kills: args.kills, stops: args.stops, folder: args.checkpoints };
    let begin = Instant::now();
    let (mut good, mut text, mut told) = (true, String::new(), Vec::new());
    for proof in PROOFS {
        if !args.only.is_empty() && !args.only.iter().any(|name| name == proof.name) {
            continue;
        }
        progress(&format!("{}: {}", proof.name, proof.what));
        let begin = Instant::now();
        let outcome = (proof.run)(&context);
        let seconds = begin.elapsed().as_secs_f64();
        let verdict = if outcome.good { "ok" } else { "WRONG" };
        let line = format!("{verdict:<6} {:<20} {seconds:7.1} s  {}", proof.name, outcome.line);
        progress(&line);
        text += &(line + "\n");
        good &= outcome.good;
        told.push(json!({
            "name": proof.name,
            "what": proof.what,
            "good": outcome.good,
            "seconds": seconds,
            "figures": outcome.figures,
        }));
    }
    if args.json {
        let seconds = begin.elapsed().as_secs_f64();
        let all = json!({ "good": good, "seed": args.seed, "seconds": seconds, "proofs": told });
        text = format!("{all}\n");
    }
    tell(&text, good)
}

fn tell(text: &str, good: bool) -> ExitCode {
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
        // A reader that has gone has read enough; a full disk behind stdout has not.
        if error.kind() != ErrorKind::BrokenPipe {
            progress(&format!("stdout: {error}"));
            return ExitCode::from(3);
        }
    }
    ExitCode::from(u8::from(!good))
}

/// One line on stderr, for whoever waits.
fn progress(line: &str) {
    std::io::stderr().write_all(format!("rel-safety: {line}\n").as_bytes()).ok();
}
