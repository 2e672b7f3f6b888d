//! Minimum, median and tails of one kind of interval.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Three digits: a bucket is never wider than a thousandth of its value.
const DIGITS: u8 = 3;
/// A minute; nothing longer happens to a loop that still runs.
const LONGEST_NS: u64 = 60_000_000_000;

/// Collects intervals of nanoseconds.
#[derive(Clone, Debug)]
pub struct Collector {
    histogram: Option<Histogram<u64>>,
    min_ns: u64,
    max_ns: u64,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            // These bounds are valid; were they not, nothing would be told rather than something wrong.
            histogram: Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).ok(),
            min_ns: u64::MAX,
            max_ns: 0,
        }
    }
}

impl Collector {
    /// Adds one interval.
    pub fn add(&mut self, interval_ns: u64) {
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(interval_ns);
        }
        self.min_ns = self.min_ns.min(interval_ns);
        self.max_ns = self.max_ns.max(interval_ns);
    }

    /// What was collected, or `None` if nothing was.
    #[must_use]
    pub fn spread(&self) -> Option<Spread> {
        let histogram = self.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        // A bucket's upper edge may lie beyond the true largest value.
        let at = |quantile| histogram.value_at_quantile(quantile).clamp(self.min_ns, self.max_ns);
        Some(Spread {
            samples: histogram.len(),
            min: self.min_ns,
            p50: at(0.50),
            p99: at(0.99),
            p999: at(0.999),
            max: self.max_ns,
        })
    }
}

/// Nanoseconds; the smallest and the largest are exact, the quantiles to three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Number of intervals.
    pub samples: u64,
    /// Shortest.
    pub min: u64,
    /// Half are shorter.
    pub p50: u64,
    /// 99 of 100 are shorter.
    pub p99: u64,
    /// 999 of 1000 are shorter.
    pub p999: u64,
    /// Longest.
    pub max: u64,
}

#[cfg(test)]
mod tests {
    use super::Collector;

    #[test]
    fn quantiles_are_those_of_a_known_ramp_within_a_thousandth() {
        let mut collector = Collector::default();
        (1..=100_000_u64).for_each(|n| collector.add(n * 10));
        let spread = collector.spread().expect("100 000 samples");
        assert_eq!((spread.samples, spread.min, spread.max), (100_000, 10, 1_000_000));
        for (found, exact) in [(spread.p50, 500_000), (spread.p99, 990_000), (spread.p999, 999_000)]
        {
            assert!(found.abs_diff(exact) <= exact / 1000, "{found} for {exact}");
        }
    }

    #[test]
    fn nothing_collected_is_nothing_told_and_zero_is_a_value() {
        assert_eq!(Collector::default().spread(), None);
        let mut collector = Collector::default();
        collector.add(0);
        let spread = collector.spread().expect("one sample");
        assert_eq!((spread.min, spread.p50, spread.max), (0, 0, 0));
    }
}
