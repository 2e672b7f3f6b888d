//! `cargo xtask rel rlds`: what is proved of episodes at length, one proof after the other.
//!
//! *What it decides.* [`PROOFS`] is the table: a name, what it shows, what must be built and be here
//! before anything long begins, and what runs it. *What it must never do.* Judge an episode itself: the
//! campaigns are programs of the crates they prove, the fuzzers are those of `rlds-formats/fuzz`.
//! Progress goes to stderr, the result alone to stdout, in the shape of `rel safety`. Tests: below, and
//! beside each calculation.

mod campaign;
mod coverage;
mod fuzz;
mod fuzz_report;

use crate::workspace::target_directory;
use crate::{Answer, Problem};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  cargo xtask rel rlds --list
  cargo xtask rel rlds --only kills --kills 50
  cargo xtask rel rlds --only fuzz --target recording --target fsck --fuzz-seconds 60
  cargo xtask rel rlds --seed 7 --json

What the fuzzers find lies in rel-rlds/found of the target directory, and their corpus, which the next
run goes on from, in rel-rlds/corpus.

Exit codes: 0 ok, 1 a proof found something wrong, 2 misuse, 3 not possible here (and why).";

/// Proves episodes at length.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Images of what a power cut leaves.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    images: u64,
    /// How often the recorder is killed.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    kills: u64,
    /// Seconds of each fuzz target.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    fuzz_seconds: u64,
    /// Fuzz this target only; may be given several times.
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// This proof only; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only say which proofs there are.
    #[arg(long)]
    list: bool,
    /// One JSON object on stdout instead of text; progress stays on stderr.
    #[arg(long)]
    json: bool,
}

/// One long proof.
struct Proof {
    name: &'static str,
    what: &'static str,
    /// Builds what it needs, or says what is missing: before the first proof begins.
    ready: fn(&Args) -> Result<(), Problem>,
    run: fn(&Args) -> Result<Outcome, Problem>,
}

/// What a proof came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    good: bool,
    /// For people, without the proof's name and time.
    line: String,
    /// More lines for people.
    details: Vec<String>,
    /// For programs.
    figures: Value,
}

const PROOFS: &[Proof] = &[
    Proof {
        name: "crash-images",
        what: "power gone at every call of a recorder: no acknowledged step lost, none made up",
        ready: campaign::crash_images_ready,
        run: campaign::crash_images,
    },
    Proof {
        name: "kills",
        what: "the real recorder killed in mid-recording: the same, and put in order by the next",
        ready: campaign::kills_ready,
        run: campaign::kills,
    },
    Proof {
        name: "fuzz",
        what: "any bytes for each reader and importer: no panic, bounded memory, nothing hangs",
        ready: fuzz::ready,
        run: fuzz::run,
    },
    Proof {
        name: "fuzz-coverage",
        what: "lines of each reader and importer that seeds and corpus reach: 85 % at least",
        ready: coverage::ready,
        run: coverage::run,
    },
];

pub(crate) fn run(args: &Args) -> Answer {
    if args.list {
        for proof in PROOFS {
            println!("{:<14} {}", proof.name, proof.what);
        }
        return Ok(true);
    }
    let chosen = chosen(&args.only)?;
    for proof in &chosen {
        (proof.ready)(args)?;
    }
    let begin = Instant::now();
    let (mut good, mut text, mut told) = (true, String::new(), Vec::new());
    for proof in chosen {
        progress(&format!("{}: {}", proof.name, proof.what));
        let begin = Instant::now();
        let outcome = (proof.run)(args)?;
        let seconds = begin.elapsed().as_secs_f64();
        let words = in_words(proof.name, &outcome, seconds);
        progress(words.trim_end());
        text += &words;
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
        println!(
            "{}",
            json!({ "good": good, "seed": args.seed, "seconds": seconds, "proofs": told })
        );
    } else {
        print!("{text}");
    }
    Ok(good)
}

/// The proofs of these names, in the table's order; without names all.
fn chosen(only: &[String]) -> Result<Vec<&'static Proof>, Problem> {
    if let Some(unknown) = only.iter().find(|name| PROOFS.iter().all(|p| p.name != **name)) {
        let names: Vec<&str> = PROOFS.iter().map(|proof| proof.name).collect();
        return Err(Problem::Misuse(format!(
            "rel rlds: --only {unknown}: expected one of {}",
            names.join(", ")
        )));
    }
    let is_wanted = |proof: &&Proof| only.is_empty() || only.iter().any(|name| name == proof.name);
    Ok(PROOFS.iter().filter(is_wanted).collect())
}

fn in_words(name: &str, outcome: &Outcome, seconds: f64) -> String {
    let verdict = if outcome.good { "ok" } else { "WRONG" };
    let mut words = format!("{verdict:<6} {name:<14} {seconds:7.1} s  {}\n", outcome.line);
    for detail in &outcome.details {
        words += &format!("         {detail}\n");
    }
    words
}

/// One line on stderr, for whoever waits.
fn progress(line: &str) {
    eprintln!("rel-rlds: {line}");
}

/// Where everything that is kept lies: builds, corpus, what was found.
fn folder() -> Result<PathBuf, String> {
    Ok(target_directory()?.join("rel-rlds"))
}

#[cfg(test)]
mod tests {
    use super::{Outcome, chosen, in_words};
    use crate::Problem;
    use serde_json::Value;

    fn names(only: &[&str]) -> Result<Vec<&'static str>, Problem> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        Ok(chosen(&only)?.iter().map(|proof| proof.name).collect())
    }

    #[test]
    fn a_proof_that_does_not_exist_is_refused_with_those_that_do() {
        assert_eq!(names(&[]).expect("all").len(), 4);
        assert_eq!(names(&["fuzz", "kills"]).expect("two"), ["kills", "fuzz"]);
        let Err(Problem::Misuse(words)) = names(&["kills", "fuss"]) else { panic!("taken") };
        assert!(words.contains("--only fuss: expected one of crash-images, kills"), "{words}");
    }

    #[test]
    fn a_verdict_is_the_first_word_of_its_line() {
        let mut outcome = Outcome {
            good: true,
            line: "50 kills".to_owned(),
            details: vec!["more".to_owned()],
            figures: Value::Null,
        };
        let words = in_words("kills", &outcome, 12.34);
        assert_eq!(words, "ok     kills             12.3 s  50 kills\n         more\n");
        outcome.good = false;
        assert!(in_words("kills", &outcome, 1.0).starts_with("WRONG  kills "), "{words}");
    }
}
