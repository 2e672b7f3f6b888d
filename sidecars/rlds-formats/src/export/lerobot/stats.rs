//! Smallest, largest, mean and spread of each number, as LeRobot normalises with them.
//!
//! It decides nothing; it runs along, and adds up over episodes. Pictures count by channel, scaled to
//! 0 to 1. Shown by: the tests below, tests/readers/lerobot.py.

use serde_json::{Value, json};

/// Running figures of a vector of numbers (Welford).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stats {
    pub(super) min: Vec<f64>,
    pub(super) max: Vec<f64>,
    pub(super) mean: Vec<f64>,
    squares: Vec<f64>,
    /// Values that were looked at; of pictures the pixels.
    weight: f64,
    /// Frames that were looked at.
    pub(super) count: i64,
}

impl Stats {
    pub(super) fn new(numbers: usize) -> Self {
        Self {
            min: vec![f64::INFINITY; numbers],
            max: vec![f64::NEG_INFINITY; numbers],
            mean: vec![0.0; numbers],
            squares: vec![0.0; numbers],
            weight: 0.0,
            count: 0,
        }
    }

    /// One frame more.
    pub(super) fn frame(&mut self) {
        self.count = self.count.saturating_add(1);
    }

    /// One value of each number more.
    pub(super) fn push(&mut self, values: impl IntoIterator<Item = f64>) {
        self.weight += 1.0;
        for (index, value) in values.into_iter().enumerate() {
            let (Some(min), Some(max), Some(mean), Some(squares)) = (
                self.min.get_mut(index),
                self.max.get_mut(index),
                self.mean.get_mut(index),
                self.squares.get_mut(index),
            ) else {
                return;
            };
            *min = min.min(value);
            *max = max.max(value);
            let before = value - *mean;
            *mean += before / self.weight;
            *squares += before * (value - *mean);
        }
    }

    /// Population's standard deviation.
    pub(super) fn std(&self) -> Vec<f64> {
        let weight = self.weight.max(1.0);
        self.squares.iter().map(|squares| (squares / weight).max(0.0).sqrt()).collect()
    }

    /// Takes in the figures of another episode.
    pub(super) fn merge(&mut self, other: &Self) {
        let total = self.weight + other.weight;
        if total == 0.0 {
            return;
        }
        let share = other.weight / total;
        for index in 0..self.mean.len().min(other.mean.len()) {
            let apart = other.mean[index] - self.mean[index];
            self.mean[index] += apart * share;
            self.squares[index] += other.squares[index] + apart * apart * self.weight * share;
            self.min[index] = self.min[index].min(other.min[index]);
            self.max[index] = self.max[index].max(other.max[index]);
        }
        self.weight = total;
        self.count = self.count.saturating_add(other.count);
    }

    /// As `stats.json` has it; pictures as channel × 1 × 1.
    pub(super) fn as_json(&self, is_picture: bool) -> Value {
        let shaped = |values: &[f64]| -> Value {
            if is_picture {
                values.iter().map(|value| json!([[value]])).collect()
            } else {
                json!(values)
            }
        };
        json!({
            "min": shaped(&self.min),
            "max": shaped(&self.max),
            "mean": shaped(&self.mean),
            "std": shaped(&self.std()),
            "count": [self.count],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Stats;

    #[test]
    fn figures_of_two_episodes_are_those_of_all_their_values() {
        let values: Vec<f64> = (0..97).map(|n| f64::from(n * n % 31) - 7.0).collect();
        let of = |values: &[f64]| {
            let mut stats = Stats::new(1);
            for value in values {
                stats.push([*value]);
                stats.frame();
            }
            stats
        };
        let whole = of(&values);
        let mut parts = of(&values[..13]);
        parts.merge(&of(&values[13..]));
        parts.merge(&Stats::new(1));
        assert!((whole.mean[0] - parts.mean[0]).abs() < 1e-12);
        assert!((whole.std()[0] - parts.std()[0]).abs() < 1e-12);
        assert_eq!((&whole.min, &whole.max, whole.count), (&parts.min, &parts.max, parts.count));
        let mean = values.iter().sum::<f64>() / 97.0;
        let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 97.0;
        assert!(
            (whole.mean[0] - mean).abs() < 1e-12 && (parts.std()[0] - square.sqrt()).abs() < 1e-12
        );
    }
}
