//! Many seeds on all cores, and what they came to.
//!
//! Decides when a campaign is void: a mark that came up too rarely says that the seeds did not reach
//! what they are meant to test. Only here is the computer's clock read, for the speed. Tests:
//! tests/swarm.rs.

use super::faults::Classes;
use super::marks::{Mark, Marks};
use super::run::{Failure, Plan, run};
use super::shrink::{Shrunk, shrink};
use serde::Serialize;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// A mark must come up more often than once in so many cycles: 1000 times in 10⁸.
const CYCLES_A_MARK: u64 = 100_000;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// The first seed.
    pub seed: u64,
    /// Seeds.
    pub seeds: u64,
    /// Cycles of each.
    pub cycles: u64,
    /// Fault classes that may be enabled.
    pub only: Classes,
    /// Threads.
    pub threads: usize,
}

/// What it came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Seeds that were run to their end.
    pub seeds: u64,
    /// Cycles in all.
    pub cycles: u64,
    /// Computer time.
    pub wall_s: f64,
    /// Cycles a second, all threads together.
    pub cycles_per_s: f64,
    /// Threads.
    pub threads: usize,
    /// Every mark, the rarest first.
    pub marks: Vec<Mark>,
    /// Times that each mark must come up at least, for the campaign to count.
    pub hits_needed: u64,
    /// Marks that came up too rarely: the campaign is void.
    pub too_rare: Vec<String>,
    /// Transitions outside the table.
    pub strays: u64,
    /// The commit that failed, with `-dirty` if the tree is not it; absent without a failure.
    pub commit: Option<String>,
    /// The first failure.
    pub failure: Option<Box<Failure>>,
    /// The same failure, as small as it gets.
    pub shrunk: Option<Shrunk>,
}

impl Report {
    /// Whether every rule held and every mark was met.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failure.is_none() && self.too_rare.is_empty() && self.strays == 0
    }
}

/// Runs every seed, or as many as it takes to find a failure; `progress` hears of the seeds done.
pub fn run_campaign(campaign: &Campaign, progress: impl Fn(u64) + Sync) -> Report {
    let began = Instant::now();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let sum: Mutex<(Marks, u64, Option<Box<Failure>>)> = Mutex::default();
    let worker = || {
        // ORDER: a counter and a flag; what they guard goes through the mutex.
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= campaign.seeds {
                return;
            }
            let seed = campaign.seed + at;
            let result = run(&Plan { seed, cycles: campaign.cycles, only: campaign.only });
            let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match result {
                Ok(marks) => {
                    sum.0.add(&marks);
                    sum.1 += 1;
                    progress(sum.1);
                }
                Err(failure) => {
                    stop.store(true, Ordering::Relaxed);
                    // The lowest seed, whichever thread was first.
                    if sum.2.as_ref().is_none_or(|other| failure.seed < other.seed) {
                        sum.2 = Some(failure);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..campaign.threads.max(1) {
            scope.spawn(worker);
        }
    });
    let wall_s = began.elapsed().as_secs_f64();
    let (marks, seeds, failure) =
        sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let shrunk = failure.as_ref().map(|failure| {
        shrink(&Plan { seed: failure.seed, cycles: campaign.cycles, only: campaign.only }, failure)
    });
    report(campaign, &marks, seeds, wall_s, failure, shrunk)
}

fn report(
    campaign: &Campaign,
    marks: &Marks,
    seeds: u64,
    wall_s: f64,
    failure: Option<Box<Failure>>,
    shrunk: Option<Shrunk>,
) -> Report {
    let cycles = seeds * campaign.cycles;
    let mut all = marks.required(campaign.only);
    all.sort_by_key(|mark| mark.hits);
    // With fewer classes than all of them nothing is claimed of what was reached.
    let counts = campaign.only == Classes::ALL;
    let hits_needed = if counts { cycles / CYCLES_A_MARK + 1 } else { 0 };
    let rare = all.iter().filter(|mark| mark.hits < hits_needed);
    Report {
        seeds,
        cycles,
        wall_s,
        cycles_per_s: cycles as f64 / wall_s,
        threads: campaign.threads,
        too_rare: rare.map(|mark| mark.name.clone()).collect(),
        marks: all,
        hits_needed,
        strays: marks.strays(),
        commit: failure.as_ref().map(|_| commit()),
        failure,
        shrunk,
    }
}

/// A seed says nothing without the program that it was run with.
fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--abbrev=12"]);
    let told = git.output().ok().filter(|output| output.status.success());
    let told = told.and_then(|output| String::from_utf8(output.stdout).ok());
    told.map_or_else(|| "unknown".to_owned(), |commit| commit.trim().to_owned())
}
