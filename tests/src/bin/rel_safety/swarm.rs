//! The whole robot in virtual time: the long campaign, and the two figures.
//!
//! The worlds themselves are `tests::swarm`; here stand the numbers.

use crate::{Context, Outcome, progress};
use rt_wire::SOURCES;
use serde_json::{json, to_value};
use tests::swarm::{Campaign, Classes, CutOffs, cut_offs, estop_to_neutral, run_campaign};

const SEEDS: u64 = 1_000;
const CYCLES_A_SEED: u64 = 100_000;
const INJECTIONS: u64 = 1_000_000;
const CUT_OFFS: u64 = 100_000;

pub(super) fn campaign(context: &Context) -> Outcome {
    let campaign = Campaign {
        seed: context.seed,
        seeds: SEEDS,
        cycles: CYCLES_A_SEED,
        only: Classes::ALL,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let report = run_campaign(&campaign, |done| {
        if done.is_multiple_of(SEEDS / 20) {
            progress(&format!("swarm: {done} of {SEEDS} seeds"));
        }
    });
    let rarest = report.marks.first();
    Outcome {
        good: report.is_good(),
        line: format!(
            "{} cycles, {:.0} a second; rarest of {} marks: {} ({} needed); failures {}{}",
            report.cycles,
            report.cycles_per_s,
            report.marks.len(),
            rarest.map_or_else(String::new, |mark| format!("{} {}", mark.hits, mark.name)),
            report.hits_needed,
            u8::from(report.failure.is_some()),
            report.shrunk.as_ref().map_or_else(String::new, |small| {
                format!(": {}: {}; {}", small.rule, small.found, small.command)
            }),
        ),
        figures: to_value(&report).unwrap_or_default(),
    }
}

pub(super) fn estop(context: &Context) -> Outcome {
    match estop_to_neutral(INJECTIONS, context.seed) {
        Ok(found) => Outcome {
            good: found.is_good(),
            line: format!(
                "worst {} cycle(s), {:.0} us, p50 {:.0} us, {} injections",
                found.worst_cycles, found.worst_us, found.p50_us, found.injections
            ),
            figures: json!(found),
        },
        Err(message) => failed(message),
    }
}

pub(super) fn cut_off(context: &Context) -> Outcome {
    let found: Result<Vec<CutOffs>, String> =
        SOURCES.into_iter().map(|source| cut_offs(source, CUT_OFFS, context.seed)).collect();
    match found {
        Ok(found) => Outcome {
            good: found.iter().all(CutOffs::is_good),
            line: found
                .iter()
                .map(|at| {
                    format!(
                        "{}: p50 {:.1} ms, worst {:.1} of {:.0}, with a late loop {:.1} of {:.0}",
                        at.source,
                        at.p50_ms,
                        at.worst_ms,
                        at.allowed_ms,
                        at.worst_late_ms,
                        at.allowed_late_ms
                    )
                })
                .collect::<Vec<_>>()
                .join("; "),
            figures: json!(found),
        },
        Err(message) => failed(message),
    }
}

fn failed(line: String) -> Outcome {
    Outcome { good: false, figures: json!({ "error": line }), line }
}
