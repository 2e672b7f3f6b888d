//! Each target under libFuzzer for as long as asked, as many at a time as there are cores.
//!
//! *What it decides.* What an input may cost ([`TIMEOUT_S`], [`MEMORY_MB`]), and what is a no: an input
//! that makes a target panic, hang, leak or take more; a target that ended early or did nothing. What
//! was found is made small, named `found-…` and kept. *What it must never do.* Change the seeds: libFuzzer
//! writes into the corpus, beside the builds. Tests: below, and in fuzz_report.rs.

use super::fuzz_report::{Report, complaint};
use super::{Args, Outcome, folder, progress};
use crate::Problem;
use crate::workspace::{root, succeeds};
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The harness, from the root.
pub(super) const HARNESS: &str = "sidecars/rlds-formats/fuzz";
/// An input that takes longer hangs.
const TIMEOUT_S: u64 = 10;
/// All memory of a target, its sanitizer's included.
const MEMORY_MB: u64 = 1024;
/// One piece of memory.
const PIECE_MB: u64 = 256;
/// libFuzzer stops at a whole second.
const EARLY_S: f64 = 1.0;
/// How long an input is made smaller.
const MINIMISE_S: u64 = 60;
/// A word to whoever waits.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Cargo of the nightly toolchain, with the tools that `.ci/run` installs.
fn nightly() -> Command {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home) {
        path.push(":");
        path.push(cache.join("continuon/tools/bin"));
    }
    let mut cargo = Command::new("cargo");
    cargo.arg("+nightly").current_dir(root().join(HARNESS)).env("PATH", path);
    // Ours are those of the stable toolchain that runs us.
    for of_ours in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_TARGET_DIR"] {
        cargo.env_remove(of_ours);
    }
    cargo
}

pub(super) fn ready(args: &Args) -> Result<(), Problem> {
    let targets = targets()?;
    if let Some(unknown) = args.target.iter().find(|name| !targets.contains(name)) {
        let expected = targets.join(", ");
        return Err(Problem::Misuse(format!("rel rlds: --target {unknown}: expected {expected}")));
    }
    let mut there = nightly();
    there.args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !there.status().is_ok_and(|status| status.success()) {
        let install = "`rustup toolchain install nightly`, `cargo install --locked cargo-fuzz`";
        return Err(Problem::NotPossible(format!("rel rlds: cargo-fuzz is not here: {install}")));
    }
    let mut build = nightly();
    build.args(["fuzz", "build", "--release", "--target-dir"]).arg(folder()?.join("fuzz"));
    if succeeds(build.stdout(std::io::stderr()))? {
        Ok(())
    } else {
        Err(Problem::NotPossible("the fuzz targets do not build: see above".to_owned()))
    }
}

/// Every target, by its program's name.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join(HARNESS).join("fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| stem(entry.path())).collect();
    names.sort();
    Ok(names)
}

pub(super) fn run(args: &Args) -> Result<Outcome, Problem> {
    let wanted = |name: &String| args.target.is_empty() || args.target.contains(name);
    let queue: VecDeque<String> = targets()?.into_iter().filter(wanted).collect();
    let folder = folder()?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(queue);
    let work = || {
        let mut told = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(name) = next else { return told };
            told.push(fuzz(&name, args, &folder));
        }
    };
    let told: Vec<Result<Report, String>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let gone = || vec![Err("a thread of the fuzzers panicked".to_owned())];
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|_| gone())).collect()
    });
    let mut reports = told.into_iter().collect::<Result<Vec<_>, _>>()?;
    reports.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(outcome(&reports, args))
}

fn outcome(reports: &[Report], args: &Args) -> Outcome {
    let inputs: u64 = reports.iter().map(|report| report.inputs).sum();
    let most = reports.iter().map(|report| report.memory_mb).max().unwrap_or_default();
    let bad: Vec<&str> =
        reports.iter().filter(|r| !r.is_good()).map(|r| r.target.as_str()).collect();
    let line = format!(
        "{} targets of {} s, {inputs} inputs, at most {most} MiB and {} s for one; {} bad{}{}; seed {}",
        reports.len(),
        args.fuzz_seconds,
        reports.iter().map(|report| report.slowest_s).max().unwrap_or_default(),
        bad.len(),
        if bad.is_empty() { "" } else { ": " },
        bad.join(", "),
        args.seed,
    );
    Outcome {
        good: bad.is_empty() && !reports.is_empty(),
        line,
        details: reports.iter().map(Report::in_words).collect(),
        figures: json!({
            "seconds_each": args.fuzz_seconds,
            "inputs": inputs,
            "timeout_s": TIMEOUT_S,
            "memory_max_mb": MEMORY_MB,
            "piece_max_mb": PIECE_MB,
            "targets": reports.iter().map(Report::to_json).collect::<Vec<_>>(),
        }),
    }
}

/// One target, for its time.
fn fuzz(name: &str, args: &Args, folder: &Path) -> Result<Report, String> {
    let corpus = folder.join("corpus").join(name);
    let found = folder.join("found").join(name);
    let logs = folder.join("logs");
    for made in [&corpus, &found, &logs] {
        fs::create_dir_all(made).map_err(|error| format!("{}: {error}", made.display()))?;
    }
    let log = logs.join(format!("{name}.log"));
    let before = inputs_in(&found);
    let harness = root().join(HARNESS);
    let mut fuzzer = program(folder, name);
    fuzzer
        .arg(format!("-seed={}", args.seed))
        .arg(format!("-max_total_time={}", args.fuzz_seconds))
        .args(["-print_final_stats=1", "-verbosity=1"])
        .arg(with_path("-artifact_prefix=", &found, "/"));
    fuzzer.arg(&corpus).arg(harness.join("seeds").join(name));
    let begin = Instant::now();
    let status = watch(&mut fuzzer, name, &log, args.fuzz_seconds)?;
    let seconds = begin.elapsed().as_secs_f64();
    let said = fs::read_to_string(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut report = Report::of(name, seconds, &said);
    report.corpus = inputs_in(&corpus).len() as u64;
    let new: Vec<PathBuf> = inputs_in(&found).difference(&before).cloned().collect();
    for input in &new {
        report.found.push(minimised(folder, name, input)?);
    }
    if !status.success() {
        report.wrong = Some(format!("{}, {}", complaint(&said), log.display()));
    } else if !new.is_empty() {
        report.wrong = Some(format!("left inputs, {}", log.display()));
    } else if seconds + EARLY_S < args.fuzz_seconds as f64 || report.inputs == 0 {
        report.wrong = Some(format!("ended early, {}", log.display()));
    }
    progress(&format!("fuzz: {}", report.in_words()));
    Ok(report)
}

/// The program of a target, and what an input may cost.
fn program(folder: &Path, name: &str) -> Command {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut program = Command::new(folder.join("fuzz").join(triple).join("release").join(name));
    program
        .current_dir(folder)
        .stdin(Stdio::null())
        .arg(format!("-timeout={TIMEOUT_S}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg(format!("-malloc_limit_mb={PIECE_MB}"));
    program
}

fn with_path(option: &str, path: &Path, end: &str) -> OsString {
    let mut whole = OsString::from(option);
    whole.push(path);
    whole.push(end);
    whole
}

/// Runs it to its end, and says now and then how far it is.
fn watch(fuzzer: &mut Command, name: &str, log: &Path, of: u64) -> Result<ExitStatus, String> {
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let and = file.try_clone().map_err(failed)?;
    let mut child = fuzzer.stdout(and).stderr(file).spawn().map_err(failed)?;
    let (begin, mut told) = (Instant::now(), 0);
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(100));
        let due = begin.elapsed().as_secs() / TELL_EVERY.as_secs();
        if due > told {
            told = due;
            let said = fs::read_to_string(log).unwrap_or_default();
            let last = said.lines().rfind(|line| line.starts_with('#')).unwrap_or("starting");
            let at = begin.elapsed().as_secs();
            progress(&format!("fuzz: {name}: {at} of {of} s, {}", last.replace('\t', " ")));
        }
    }
}

/// Inputs of a folder. Slow ones are told by libFuzzer long before they are too slow.
fn inputs_in(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_slow = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("slow-unit-"))
    };
    entries.map(|entry| entry.path()).filter(|path| !is_slow(path)).collect()
}

/// The same failure with fewer bytes, under a name that a seed may have.
fn minimised(folder: &Path, name: &str, input: &Path) -> Result<PathBuf, String> {
    let told = input.file_name().map(|name| name.to_string_lossy().into_owned());
    let told = told.unwrap_or_default();
    // `crash-` and the hash of the content, of which a part names it well enough.
    let short = told.split_once('-').map_or(told.as_str(), |(_, hash)| hash);
    let kind = told.split('-').next().unwrap_or("input");
    let small = input.with_file_name(format!("found-{kind}-{}", &short[..short.len().min(8)]));
    progress(&format!("fuzz: {name}: making {} smaller", input.display()));
    let mut minimise = program(folder, name);
    minimise
        .args(["-minimize_crash=1", &format!("-max_total_time={MINIMISE_S}")])
        .arg(with_path("-exact_artifact_path=", &small, ""))
        .arg(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // What cannot be made smaller, such as an input that hangs, stays as it is.
    let _any = minimise.status().map_err(|error| format!("{name}: {error}"))?;
    let failed = |error: std::io::Error| format!("{}: {error}", input.display());
    if small.is_file() {
        fs::remove_file(input).map_err(failed)?;
    } else {
        fs::rename(input, &small).map_err(failed)?;
    }
    Ok(small)
}
