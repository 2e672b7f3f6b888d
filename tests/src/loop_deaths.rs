//! Death of the fast loop to power off in the plant, with the real processes, again and again.
//!
//! Decides when the loop dies (at a random phase while the car drives), what is measured, and which
//! deaths count. It never forgives a cut that came late or not at all; what it does not judge, and
//! why, is told beside what it does.
//!
//! ```text
//!  drives        death          last edge + 30 ms    + 5 ms
//!    |── random ──▶|                     |              |
//!    |             |◀── the figure: at most 50 ms ─────▶|  the plant's model clock
//! ```
//!
//! All instants are of `CLOCK_MONOTONIC`. The death is the instant before the signal is sent, the cut
//! is the plant's own: the step of its model in which the motor lost its power. The plant is the
//! hardware; a plant that the machine held up sees the last edge late, and takes it for as young as
//! its look. Then the figure is the machine's and not the car's: such a death is void, is counted, and
//! another takes its place. Tests: tests/main.rs, module `loop_deaths`, and report.rs.

mod death;
mod report;

pub use death::How;
pub use report::{Figures, Report, Voids};

use death::Files;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// What issue and failure analysis promise: the power is off by then.
pub const LIMIT_MS: f64 = 50.0;

/// How often, and from which seed.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// What happens to the loop.
    pub how: How,
    /// Deaths to be judged.
    pub deaths: u32,
    /// Seed of their phases.
    pub seed: u64,
}

/// Runs it, one death at a time; `progress` is told after each.
///
/// # Panics
/// The programs do not build or start.
pub fn run_campaign(campaign: &Campaign, progress: impl Fn(&Report)) -> Report {
    let mut dice = Pcg64Mcg::seed_from_u64(campaign.seed);
    let files = Files::new(campaign.how);
    let mut report = Report::new(campaign);
    // A machine that is held up all the time judges nothing; then the report says so.
    let attempts_max = campaign.deaths.saturating_mul(2).saturating_add(10);
    while report.judged < campaign.deaths && report.attempts < attempts_max {
        let phase_ns = dice.next_u64() % death::PHASE_NS;
        report.take(death::one(&files, campaign.how, phase_ns));
        progress(&report);
    }
    report.close();
    report
}
