//! Death of the fast loop to power off in the plant, with the real processes.
//!
//! What is measured is `tests::loop_deaths`; here stands how often.

use crate::{Context, Outcome, progress};
use serde_json::to_value;
use tests::loop_deaths::{Campaign, How, run_campaign};

/// Deaths between two words to whoever waits.
const PROGRESS_EVERY: u32 = 10;

pub(super) fn kills(context: &Context) -> Outcome {
    campaign("loop-kills", How::Killed, context.kills, context.seed)
}

pub(super) fn stops(context: &Context) -> Outcome {
    campaign("loop-stops", How::Stopped, context.stops, context.seed)
}

fn campaign(name: &str, how: How, deaths: u32, seed: u64) -> Outcome {
    let report = run_campaign(&Campaign { how, deaths, seed }, |so_far| {
        if so_far.attempts.is_multiple_of(PROGRESS_EVERY) {
            let voids = so_far.attempts - so_far.judged;
            let over = so_far.over_limit;
            progress(&format!(
                "{name}: {} of {deaths}, {voids} void, {over} over the limit",
                so_far.judged
            ));
        }
    });
    Outcome {
        good: report.is_good(),
        line: report.in_words(),
        figures: to_value(report).unwrap_or_default(),
    }
}
