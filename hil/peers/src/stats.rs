//! Quantiles of one run, and what several paired runs say together.
//!
//! A median comes with the interval that holds the true one: two order statistics, so nothing is
//! assumed of the distribution and nothing is drawn at random. Shown by the tests below.

use serde::Serialize;

/// How sure an interval should be, where there are runs enough.
const COVERAGE_WANTED: f64 = 0.95;

/// A median over runs, and where the true one lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Median {
    /// The middle value.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Chance that an interval made so holds the true median; at least 0.95 from six runs on.
    pub coverage: f64,
    /// Values that it is made of.
    pub runs: usize,
}

impl Median {
    /// Of one value a run; `None` without any.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let (first, last) = (sorted.first()?, sorted.last()?);
        let middle = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
        let mut found =
            Self { median: middle, low: *first, high: *last, coverage: coverage(n, 1), runs: n };
        for rank in 2..=n.div_ceil(2) {
            if coverage(n, rank) < COVERAGE_WANTED {
                break;
            }
            found = Self {
                low: sorted[rank - 1],
                high: sorted[n - rank],
                coverage: coverage(n, rank),
                ..found
            };
        }
        Some(found)
    }

    /// Of `above[i] / below[i]`, run by run: the machine's mood is in both, and goes.
    #[must_use]
    pub fn of_ratios(above: &[f64], below: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> = above.iter().zip(below).map(|(a, b)| a / b.max(1e-9)).collect();
        Self::of(&ratios)
    }
}

/// Chance that the median lies between the `rank`th value from below and from above, of `n`.
fn coverage(n: usize, rank: usize) -> f64 {
    // The chance that fewer than `rank` of n fair coins show heads, on either side.
    let mut term = 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let mut tail = 0.0;
    for heads in 0..rank {
        tail += term;
        term *= (n - heads) as f64 / (heads + 1) as f64;
    }
    1.0 - 2.0 * tail
}

/// Quantiles of the samples of one run, in ns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    /// Number of samples.
    pub samples: u64,
    /// Half are not longer.
    pub p50: f64,
    /// 99 of 100 are not longer.
    pub p99: f64,
    /// 999 of 1000 are not longer.
    pub p999: f64,
}

impl Quantiles {
    /// Of single samples; `None` without any.
    #[must_use]
    pub fn of(mut samples: Vec<u64>) -> Option<Self> {
        samples.sort_unstable();
        Self::of_counted(samples.into_iter().map(|value| (value, 1)))
    }

    /// Of values in rising order, each with how often it came.
    #[must_use]
    pub fn of_counted(counted: impl IntoIterator<Item = (u64, u64)>) -> Option<Self> {
        let counted: Vec<(u64, u64)> = counted.into_iter().collect();
        let samples: u64 = counted.iter().map(|(_, count)| count).sum();
        let at = |permille: u64| {
            // The nearest rank: the smallest value that so many samples do not exceed.
            let rank = (samples * permille).div_ceil(1000).max(1);
            let mut seen = 0;
            counted.iter().find_map(|(value, count)| {
                seen += count;
                (seen >= rank).then_some(*value as f64)
            })
        };
        Some(Self { samples, p50: at(500)?, p99: at(990)?, p999: at(999)? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Median, Quantiles};

    #[test]
    fn seven_runs_need_all_of_their_range_and_nine_leave_one_out_on_each_side() {
        let seven = Median::of(&[3.0, 1.0, 2.0, 7.0, 6.0, 5.0, 4.0]).expect("values");
        assert_eq!((seven.low, seven.median, seven.high), (1.0, 4.0, 7.0));
        assert_eq!(seven.coverage, 1.0 - 2.0 / 128.0);
        let nine: Vec<f64> = (1..=9).map(f64::from).collect();
        let nine = Median::of(&nine).expect("values");
        assert_eq!((nine.low, nine.median, nine.high), (2.0, 5.0, 8.0));
        assert_eq!(nine.coverage, 1.0 - 2.0 * 10.0 / 512.0);
    }

    #[test]
    fn few_runs_give_their_range_and_say_how_little_it_is_worth() {
        let two = Median::of(&[4.0, 2.0]).expect("values");
        assert_eq!((two.low, two.median, two.high, two.coverage), (2.0, 3.0, 4.0, 0.5));
        assert_eq!(Median::of(&[]), None);
    }

    #[test]
    fn ratios_are_taken_run_by_run() {
        // Twice as slow in each run, while the machine itself varies tenfold.
        let ratio = Median::of_ratios(&[2.0, 20.0, 6.0], &[1.0, 10.0, 3.0]).expect("values");
        assert_eq!((ratio.low, ratio.median, ratio.high), (2.0, 2.0, 2.0));
    }

    #[test]
    fn quantiles_are_nearest_ranks_counted_or_not() {
        let single = Quantiles::of((1..=1000).rev().collect()).expect("samples");
        assert_eq!((single.p50, single.p99, single.p999), (500.0, 990.0, 999.0));
        let counted = Quantiles::of_counted([(10, 990), (20, 9), (30, 1)]).expect("samples");
        assert_eq!((counted.p50, counted.p99, counted.p999), (10.0, 10.0, 20.0));
        assert_eq!(counted.samples, 1000);
        assert_eq!(Quantiles::of(Vec::new()), None);
    }
}
