//! Makes a failure small: the same seed with fewer fault classes and fewer cycles.
//!
//! Each class has a schedule of its own, so that a run without one is nearly the same world; where it
//! is not, the failure may be gone, and the class stays. A smaller run counts if any rule fails in it:
//! the first cause in time is what one wants to see.
//! Tests: tests/swarm.rs.

use super::faults::Classes;
use super::run::{Failure, Plan, run};
use super::setup::Setup;
use serde::Serialize;

/// The smallest failing run that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shrunk {
    /// The seed.
    pub seed: u64,
    /// The cycle in which it fails.
    pub cycle: u64,
    /// The fault classes that it takes.
    pub faults: String,
    /// The rule.
    pub rule: String,
    /// What was found.
    pub found: String,
    /// The last cycles.
    pub trace: Vec<String>,
    /// The line that shows it again.
    pub command: String,
}

/// Takes away fault classes, halves first and then one by one, while the run still fails.
#[must_use]
pub fn shrink(plan: &Plan, failure: &Failure) -> Shrunk {
    let mut least = failure.clone();
    let mut classes = Setup::new(plan.seed, plan.only).map_or(plan.only, |setup| setup.enabled);
    let mut pieces = 2_usize;
    while classes != Classes::default() {
        let all: Vec<_> = classes.iter().collect();
        let size = all.len().div_ceil(pieces);
        let smaller = all.chunks(size).find_map(|piece| {
            let only = piece.iter().fold(classes, |set, class| set.without(*class));
            // What is gone may have hidden the failure for a while.
            let cycles = plan.cycles.min(least.cycle * 2 + 20_000);
            run(&Plan { seed: plan.seed, cycles, only }).err().map(|failure| (only, failure))
        });
        match smaller {
            Some((only, failure)) => {
                (classes, least) = (only, *failure);
                pieces = pieces.saturating_sub(1).max(2);
            }
            None if size == 1 => break,
            None => pieces *= 2,
        }
    }
    let faults = if classes == Classes::default() { "none".to_owned() } else { classes.names() };
    let command = format!(
        "cargo run --release -p tests --bin swarm -- --seed {} --seeds 1 --cycles {} --only-faults {faults}",
        plan.seed, least.cycle
    );
    let Failure { seed, cycle, rule, found, trace } = least;
    Shrunk { seed, cycle, faults, rule, found, trace, command }
}
