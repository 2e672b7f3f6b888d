//! A histogram of a few bins, in counts and as bars.
//!
//! It decides where a bin ends: each holds its lower edge, the last one its upper edge too, so that
//! ± 5 ms lies within ± 5 ms. Shown by: the tests below.

use serde::Serialize;

/// Columns of the longest bar.
const BAR: u64 = 30;

/// Bins of one width, and what lies outside of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bins {
    low: i64,
    width: i64,
    counts: Vec<u64>,
    below: u64,
    above: u64,
}

/// One bin, as it is told. Without an edge on one side it holds everything beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Bin {
    /// From here on.
    pub(super) from_ns: Option<i64>,
    /// Up to here.
    pub(super) to_ns: Option<i64>,
    /// How many.
    pub(super) count: u64,
}

impl Bins {
    /// `count` bins of `width` from `-count / 2 * width` on.
    pub(super) fn around_zero(count: i64, width: i64) -> Self {
        let counts = vec![0; usize::try_from(count).unwrap_or(0)];
        Self { low: -(count / 2) * width, width, counts, below: 0, above: 0 }
    }

    pub(super) fn add(&mut self, value: i64, count: u64) {
        let high = self.low + self.width * self.counts.len() as i64;
        let place = if value < self.low {
            &mut self.below
        } else if value > high {
            &mut self.above
        } else {
            let index = usize::try_from((value - self.low) / self.width).unwrap_or(0);
            let last = self.counts.len().saturating_sub(1);
            match self.counts.get_mut(index.min(last)) {
                Some(place) => place,
                None => return,
            }
        };
        *place = place.saturating_add(count);
    }

    /// How many lie outside.
    pub(super) fn outside(&self) -> u64 {
        self.below.saturating_add(self.above)
    }

    /// Each bin, those outside first and last.
    pub(super) fn told(&self) -> Vec<Bin> {
        let edge = |index: usize| self.low + self.width * index as i64;
        let inner = self.counts.iter().enumerate().map(|(index, count)| Bin {
            from_ns: Some(edge(index)),
            to_ns: Some(edge(index + 1)),
            count: *count,
        });
        let first = Bin { from_ns: None, to_ns: Some(self.low), count: self.below };
        let last = Bin { from_ns: Some(edge(self.counts.len())), to_ns: None, count: self.above };
        std::iter::once(first).chain(inner).chain(std::iter::once(last)).collect()
    }
}

/// A line for each bin from the first to the last that holds something.
pub(super) fn bars(bins: &[Bin]) -> Vec<String> {
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    let is_used = |bin: &Bin| bin.count > 0;
    let (Some(first), Some(last)) = (bins.iter().position(is_used), bins.iter().rposition(is_used))
    else {
        return Vec::new();
    };
    let edges = || bins.iter().flat_map(|bin| [bin.from_ns, bin.to_ns]).flatten();
    let are_multiples_of = |unit: i64| edges().all(|edge| edge % unit == 0);
    let digits = match (are_multiples_of(100_000), are_multiples_of(10_000)) {
        (true, _) => 1,
        (false, true) => 2,
        (false, false) => 3,
    };
    let in_ms = |ns| in_ms(ns, digits);
    bins.get(first..=last)
        .unwrap_or_default()
        .iter()
        .map(|bin| {
            let range = match (bin.from_ns, bin.to_ns) {
                (None, Some(to)) => format!("below {}", in_ms(to)),
                (Some(from), None) => format!("above {}", in_ms(from)),
                (from, to) => {
                    format!("{} to {}", in_ms(from.unwrap_or(0)), in_ms(to.unwrap_or(0)))
                }
            };
            format!("  {range:>20} ms  {:<30} {}", bar(bin.count, most), bin.count)
        })
        .collect()
}

/// What is there is seen, however little it is.
fn bar(count: u64, most: u64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(count) * u128::from(BAR) * 8 / u128::from(most);
    let eighths = usize::try_from(eighths).unwrap_or(0).max(usize::from(count > 0));
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn in_ms(ns: i64, digits: usize) -> String {
    format!("{:+.digits$}", ns as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::{Bins, bar, bars};

    const MS: i64 = 1_000_000;

    #[test]
    fn every_value_lands_in_the_bin_whose_edges_enclose_it() {
        let step = MS / 4;
        for value in (-7 * MS..=7 * MS).step_by(step as usize) {
            for value in [value - 1, value, value + 1] {
                let mut bins = Bins::around_zero(10, MS);
                bins.add(value, 3);
                let told = bins.told();
                let total: u64 = told.iter().map(|bin| bin.count).sum();
                assert_eq!((total, bins.outside() > 0), (3, value.abs() > 5 * MS), "{value}");
                assert_eq!(told.len(), 12);
                let hit = told.iter().find(|bin| bin.count == 3).expect("one holds it");
                assert!(hit.from_ns.is_none_or(|from| from <= value), "{value}: {hit:?}");
                let is_last = hit.to_ns == Some(5 * MS);
                let is_below = |to| if is_last { value <= to } else { value < to };
                assert!(hit.to_ns.is_none_or(is_below), "{value}: {hit:?}");
            }
        }
    }

    #[test]
    fn bars_say_range_and_count_and_a_single_one_among_thousands_is_seen() {
        let mut bins = Bins::around_zero(10, MS);
        bins.add(0, 10_000);
        bins.add(2 * MS, 1);
        bins.add(600 * MS, 5000);
        let lines = bars(&bins.told());
        assert_eq!(lines.len(), 6, "{lines:#?}");
        assert!(lines[0].contains("+0.0 to +1.0 ms") && lines[0].ends_with(" 10000"), "{lines:#?}");
        assert!(lines[2].contains("+2.0 to +3.0 ms  ▏") && lines[2].ends_with(" 1"), "{lines:#?}");
        assert!(lines[5].contains("above +5.0 ms") && lines[5].ends_with(" 5000"), "{lines:#?}");
        assert_eq!((bar(1, 1).chars().count(), bar(0, 1)), (30, String::new()));
        assert_eq!(bars(&Bins::around_zero(10, MS).told()), Vec::<String>::new());
    }
}
