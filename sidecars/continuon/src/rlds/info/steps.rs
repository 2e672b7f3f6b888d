//! One pass over the steps: the clock that they follow, and how far the blocks of a step lie apart.
//!
//! *What it decides.* Which blocks a step has: what is absent is not compared. *What it must never
//! do.* Hold more than one step; stop at a line that is none. Tests: tests/rlds_look.rs.

use crate::rlds::bins::{Bin, Bins};
use hdrhistogram::Histogram;
use rlds::schema::Step;
use rlds::{EpisodeError, EpisodeReader};
use serde::Serialize;

/// Four digits: 50 ms are told to 5 µs.
const DIGITS: u8 = 4;
/// An hour; a longer pause is told as one.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// Bins of the two histograms, and their width.
const BINS: i64 = 10;
const BIN_NS: i64 = 1_000_000;
/// Bins that the histogram of intervals may have.
const CLOCK_BINS_NS: [i64; 9] =
    [10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 10_000_000, 100_000_000];
/// Lines that are no steps and are told; more are counted.
const BROKEN_MAX: usize = 5;

/// Half, 99 of 100, all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
}

/// The clock of the steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Clock {
    /// From one step to the next.
    pub(super) interval_ns: Option<Quantiles>,
    /// How far an interval is from the middle one.
    pub(super) jitter_ns: Option<Quantiles>,
    /// Intervals by how far they are from the middle one.
    pub(super) histogram: Vec<Bin>,
    /// Steps whose time is before that of the step before.
    pub(super) backwards: u64,
}

/// What the steps came to.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct StepsTold {
    pub(super) count: u64,
    /// Lines that are no steps.
    pub(super) broken: u64,
    /// The first of them, in words.
    pub(super) broken_first: Vec<String>,
    /// From the first to the last.
    pub(super) span_ns: u64,
    pub(super) clock: Clock,
    /// Blocks that were compared with their step's time.
    pub(super) blocks: u64,
    /// Of these, further than 5 ms from it.
    pub(super) blocks_outside: u64,
    pub(super) alignment: Vec<Bin>,
    /// Records that steps say are missing before them.
    pub(super) telemetry_lost: u64,
    /// Instants without a step, as the steps say it.
    pub(super) steps_skipped: u64,
    /// Steps that refer to a picture.
    pub(super) with_picture: u64,
}

/// Reads all steps of an episode.
pub(super) fn look_at(mut reader: EpisodeReader) -> StepsTold {
    let mut pass = Pass::new();
    loop {
        match reader.next_step() {
            Ok(Some((_, step))) => pass.step(&step),
            Ok(None) => break,
            Err(error) => {
                pass.told.broken += 1;
                if pass.told.broken_first.len() < BROKEN_MAX {
                    pass.told.broken_first.push(error.to_string());
                }
                // A line that is none costs itself; a file that cannot be read ends it.
                if matches!(error, EpisodeError::Io { .. }) {
                    break;
                }
            }
        }
    }
    pass.finish()
}

struct Pass {
    told: StepsTold,
    intervals: Option<Histogram<u32>>,
    alignment: Bins,
    first_ns: Option<i64>,
    last_ns: i64,
    shortest_ns: u64,
    longest_ns: u64,
}

impl Pass {
    fn new() -> Self {
        Self {
            told: StepsTold::default(),
            // These bounds are valid; were they not, nothing would be told rather than something wrong.
            intervals: Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).ok(),
            alignment: Bins::around_zero(BINS, BIN_NS),
            first_ns: None,
            last_ns: 0,
            shortest_ns: u64::MAX,
            longest_ns: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        let at_ns = step.observation.robot_state.timestamp_nanos;
        let told = &mut self.told;
        told.count += 1;
        if self.first_ns.is_some() {
            match u64::try_from(at_ns.saturating_sub(self.last_ns)) {
                Ok(interval) => {
                    self.shortest_ns = self.shortest_ns.min(interval);
                    self.longest_ns = self.longest_ns.max(interval);
                    if let Some(intervals) = &mut self.intervals {
                        intervals.saturating_record(interval);
                    }
                }
                Err(_before) => told.clock.backwards += 1,
            }
        }
        self.first_ns.get_or_insert(at_ns);
        self.last_ns = at_ns;
        for (_, apart_ns) in blocks(step) {
            told.blocks += 1;
            self.alignment.add(apart_ns, 1);
        }
        let number = |key: &str| -> u64 {
            step.step_metadata.get(key).and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        told.telemetry_lost += number("telemetry_lost");
        told.steps_skipped += number("steps_skipped");
        told.with_picture +=
            u64::from(step.observation.media.as_ref().is_some_and(|media| media.rgb.is_some()));
    }

    fn finish(mut self) -> StepsTold {
        let span = self.last_ns.saturating_sub(self.first_ns.unwrap_or(self.last_ns));
        self.told.span_ns = u64::try_from(span).unwrap_or(0);
        self.told.blocks_outside = self.alignment.outside();
        self.told.alignment = self.alignment.told();
        self.clock();
        self.told
    }

    fn clock(&mut self) {
        let Some(intervals) = self.intervals.as_ref().filter(|intervals| !intervals.is_empty())
        else {
            return;
        };
        let within = |value: u64| value.clamp(self.shortest_ns, self.longest_ns);
        let at = |quantile| within(intervals.value_at_quantile(quantile));
        let (p50, max) = (at(0.5), self.longest_ns);
        let mut jitter: Vec<(u64, u64)> = Vec::new();
        let recorded = || {
            let values = intervals.iter_recorded();
            values
                .map(|value| (within(value.value_iterated_to()), u64::from(value.count_at_value())))
        };
        jitter.extend(recorded().map(|(interval, count)| (interval.abs_diff(p50), count)));
        jitter.sort_unstable();
        let mut histogram = Bins::around_zero(BINS, clock_bin_ns(quantile(&jitter, 99)));
        for (interval, count) in recorded() {
            let signed = |ns| i64::try_from(ns).unwrap_or(i64::MAX);
            histogram.add(signed(interval) - signed(p50), count);
        }
        let clock = &mut self.told.clock;
        clock.interval_ns = Some(Quantiles { p50, p99: at(0.99), max });
        clock.jitter_ns = Some(Quantiles {
            p50: quantile(&jitter, 50),
            p99: quantile(&jitter, 99),
            max: (max - p50).max(p50 - self.shortest_ns),
        });
        clock.histogram = histogram.told();
    }
}

/// The narrowest bin with which nearly all intervals lie inside of the histogram.
fn clock_bin_ns(jitter_p99_ns: u64) -> i64 {
    let fits = |bin: &i64| u64::try_from(bin * BINS / 2).unwrap_or(0) >= jitter_p99_ns;
    CLOCK_BINS_NS.into_iter().find(fits).unwrap_or(BIN_NS * 1000)
}

/// The smallest value that so many of a hundred do not exceed.
fn quantile(sorted: &[(u64, u64)], percent: u64) -> u64 {
    let total: u64 = sorted.iter().map(|(_, count)| count).sum();
    let wanted = (u128::from(total) * u128::from(percent)).div_ceil(100);
    let mut passed = 0_u128;
    for (value, count) in sorted {
        passed += u128::from(*count);
        if passed >= wanted {
            return *value;
        }
    }
    sorted.last().map_or(0, |(value, _)| *value)
}

/// Each block that a step has, and how long after the step's time its own is.
pub(in crate::rlds) fn blocks(step: &Step) -> impl Iterator<Item = (&'static str, i64)> {
    let observation = &step.observation;
    let at_ns = observation.robot_state.timestamp_nanos;
    let glove = &observation.glove;
    let media = observation.media.as_ref();
    let stamp = |media: &rlds::schema::MediaRef| media.timestamp_ns;
    [
        ("glove", glove.valid.then_some(glove.timestamp_nanos)),
        ("media.rgb", media.and_then(|media| media.rgb.as_ref()).map(stamp)),
        ("media.depth", media.and_then(|media| media.depth.as_ref()).map(stamp)),
        ("media.audio", media.and_then(|media| media.audio.as_ref()).map(stamp)),
    ]
    .into_iter()
    .filter_map(move |(name, stamp)| Some((name, stamp?.saturating_sub(at_ns))))
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_values_that_were_there() {
        let counted = [(1, 50), (7, 49), (1000, 1)];
        assert_eq!([50, 51, 99, 100].map(|percent| quantile(&counted, percent)), [1, 7, 7, 1000]);
        assert_eq!((quantile(&[], 50), quantile(&[(3, 1)], 99)), (0, 3));
    }
}
