//! What a bench comes to: one row a figure, the conditions above them, as a table or as JSON.
//!
//! A figure that could not be taken has a row too, and says why. Whether a goal is met is said, never
//! asserted: a time is a property of a machine and a day. Shown by the tests below.

use crate::machine::Conditions;
use crate::stats::Median;
use serde::Serialize;
use std::fmt::Write as _;

/// What must hold for a goal to be met.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Our value is this at most.
    AtMost(f64),
    /// Our value is this at least.
    AtLeast(f64),
    /// Our value is this at least, or we are as good as the peer.
    AtLeastOrAsGood(f64),
    /// We are this many times better than the peer, at least.
    TimesBetter(f64),
    /// We are as good as the peer: the interval of the ratio includes 1 or better.
    AsGood,
    /// Told for comparison only.
    None,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The figure that it belongs to, as `--only` names it.
    pub figure: &'static str,
    /// What was measured.
    pub what: String,
    /// Unit of `ours` and `peer`.
    pub unit: &'static str,
    /// Our value over the runs.
    pub ours: Option<Median>,
    /// Whom it is held against.
    pub peer_name: Option<&'static str>,
    /// The peer's value over the same runs.
    pub peer: Option<Median>,
    /// How many times better we are, run by run: above 1 is better than the peer.
    pub times_better: Option<Median>,
    /// What is wanted.
    pub goal: Goal,
    /// Whether it is met; `None` where nothing is wanted, or nothing was measured.
    pub met: Option<bool>,
    /// Single samples behind `ours`.
    pub samples: u64,
    /// What a reader must know to believe the row; empty if nothing.
    pub note: String,
}

/// Which of two values is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Better {
    /// Times, sizes, losses.
    #[default]
    Smaller,
    /// Rates.
    Larger,
}

/// Paired runs on the way to a row.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    /// Which value of a pair is better.
    pub better: Better,
    /// Ours, one a run.
    pub ours: Vec<f64>,
    /// The peer's, in the same order; empty without a peer.
    pub peer: Vec<f64>,
    /// Single samples behind ours.
    pub samples: u64,
}

impl Pairs {
    /// For values of which the larger is better.
    #[must_use]
    pub fn rates() -> Self {
        Self { better: Better::Larger, ..Self::default() }
    }

    /// Adds one run of ours.
    pub fn alone(&mut self, ours: f64, samples: u64) {
        self.ours.push(ours);
        self.samples += samples;
    }

    /// Adds one run of both.
    pub fn add(&mut self, ours: f64, peer: f64, samples: u64) {
        self.alone(ours, samples);
        self.peer.push(peer);
    }
}

impl Row {
    /// A row of paired runs.
    #[must_use]
    pub fn new(
        figure: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        pairs: &Pairs,
        peer_name: Option<&'static str>,
        goal: Goal,
    ) -> Self {
        let ours = Median::of(&pairs.ours);
        let peer = Median::of(&pairs.peer);
        let (above, below) = match pairs.better {
            Better::Smaller => (&pairs.peer, &pairs.ours),
            Better::Larger => (&pairs.ours, &pairs.peer),
        };
        let times_better = peer.and_then(|_| Median::of_ratios(above, below));
        let is_as_good = times_better.map(|found| found.high >= 1.0);
        let met = match goal {
            Goal::AtMost(limit) => ours.map(|ours| ours.median <= limit),
            Goal::AtLeast(limit) => ours.map(|ours| ours.median >= limit),
            Goal::AtLeastOrAsGood(limit) => {
                ours.map(|ours| ours.median >= limit || is_as_good == Some(true))
            }
            Goal::TimesBetter(times) => times_better.map(|found| found.median >= times),
            Goal::AsGood => is_as_good,
            Goal::None => None,
        };
        let (samples, note) = (pairs.samples, String::new());
        Self {
            figure,
            what: what.into(),
            unit,
            ours,
            peer_name,
            peer,
            times_better,
            goal,
            met,
            samples,
            note,
        }
    }

    /// A row that says why there is no figure.
    #[must_use]
    pub fn not_measured(figure: &'static str, why: impl Into<String>) -> Self {
        let mut row = Self::new(figure, figure, "", &Pairs::default(), None, Goal::None);
        row.note = format!("not measured: {}", why.into());
        row
    }

    /// The same row with a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn cells(&self) -> [String; 7] {
        let with_unit = |median: &Median| format!("{} {}", short(median.median), self.unit);
        let peer = match (&self.peer, self.peer_name) {
            (Some(peer), Some(name)) => format!("{name} {}", with_unit(peer)),
            _ => String::new(),
        };
        let interval = |found: &Median, end: &str| {
            let (low, high) = (short(found.low), short(found.high));
            format!("{}{end} [{low}, {high}]", short(found.median))
        };
        let ours = match (&self.ours, self.times_better) {
            (None, _) => "–".to_owned(),
            (Some(ours), Some(_)) => with_unit(ours),
            (Some(ours), None) if ours.low == ours.high => with_unit(ours),
            (Some(ours), None) => interval(ours, &format!(" {}", self.unit)),
        };
        let goal = match self.goal {
            Goal::AtMost(limit) => format!("≤ {} {}", short(limit), self.unit),
            Goal::AtLeast(limit) => format!("≥ {} {}", short(limit), self.unit),
            Goal::AtLeastOrAsGood(limit) => format!("≥ {} {} or 1.0×", short(limit), self.unit),
            Goal::TimesBetter(times) => format!("≥ {}×", short(times)),
            Goal::AsGood => "1.0×".to_owned(),
            Goal::None => "–".to_owned(),
        };
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "–",
        };
        [
            self.what.clone(),
            ours.trim_end().to_owned(),
            peer,
            self.times_better.map_or_else(String::new, |found| interval(&found, "×")),
            goal.trim_end().to_owned(),
            met.to_owned(),
            self.samples.to_string(),
        ]
    }
}

const HEAD: [&str; 7] =
    ["figure", "ours (median)", "peer", "times better [95 %]", "goal", "met", "samples"];

/// A whole bench.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Under which conditions.
    pub conditions: Conditions,
    /// The figures.
    pub rows: Vec<Row>,
}

impl Report {
    /// Aligned columns, for a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let lines = self.lines();
        let width = |column: usize| {
            lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0)
        };
        let mut text = format!("{}\n", self.conditions);
        for cells in &lines {
            let mut line = String::new();
            for (column, cell) in cells.iter().enumerate() {
                let fill = " ".repeat(width(column) - cell.chars().count());
                line += &format!("{cell}{fill}  ");
            }
            text += &format!("{}\n", line.trim_end());
        }
        text + &self.notes("")
    }

    /// The same for a Markdown page.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for line in self.conditions.to_string().lines() {
            text += &format!("{line}  \n");
        }
        text.push('\n');
        for (number, cells) in self.lines().iter().enumerate() {
            text += &format!("| {} |\n", cells.join(" | "));
            if number == 0 {
                text += &format!("|{}\n", "---|".repeat(cells.len()));
            }
        }
        text + &self.notes("- ")
    }

    fn lines(&self) -> Vec<[String; 7]> {
        let head = HEAD.map(str::to_owned);
        std::iter::once(head).chain(self.rows.iter().map(Row::cells)).collect()
    }

    fn notes(&self, bullet: &str) -> String {
        let mut text = "\n".to_owned();
        for row in self.rows.iter().filter(|row| !row.note.is_empty()) {
            // Writing to a String does not fail.
            writeln!(text, "{bullet}{}: {}", row.what, row.note).ok();
        }
        text
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Better, Goal, Pairs, Row};

    fn pairs(pairs: &[(f64, f64)]) -> Pairs {
        let mut all = Pairs::default();
        for (ours, peer) in pairs {
            all.add(*ours, *peer, 10);
        }
        all
    }

    fn met(pairs: &Pairs, goal: Goal) -> Option<bool> {
        Row::new("x", "x", "µs", pairs, Some("peer"), goal).met
    }

    #[test]
    fn as_good_means_that_the_interval_reaches_one() {
        let close = pairs(&[(10.0, 9.0), (10.0, 9.5), (10.0, 10.5)]);
        assert_eq!(met(&close, Goal::AsGood), Some(true));
        let worse = pairs(&[(10.0, 9.0), (10.0, 9.5), (10.0, 9.9)]);
        assert_eq!(met(&worse, Goal::AsGood), Some(false));
    }

    #[test]
    fn times_better_is_the_peers_value_over_ours() {
        let row = pairs(&[(2.0, 11.0), (2.0, 10.0), (2.0, 9.0)]);
        assert_eq!(met(&row, Goal::TimesBetter(5.0)), Some(true));
        assert_eq!(met(&row, Goal::TimesBetter(5.1)), Some(false));
        assert_eq!(met(&row, Goal::AtMost(2.0)), Some(true));
        assert_eq!(met(&row, Goal::AtMost(1.9)), Some(false));
    }

    #[test]
    fn of_rates_the_larger_is_better() {
        let rates =
            Pairs { better: Better::Larger, ..pairs(&[(50.0, 10.0), (40.0, 10.0), (60.0, 10.0)]) };
        let row = Row::new("x", "x", "M/s", &rates, Some("peer"), Goal::TimesBetter(5.0));
        assert_eq!(row.times_better.map(|found| found.median), Some(5.0));
        assert_eq!(row.met, Some(true));
        assert_eq!(met(&rates, Goal::AtLeast(50.0)), Some(true));
        assert_eq!(met(&rates, Goal::AtLeast(50.1)), Some(false));
    }

    #[test]
    fn as_fast_as_the_disk_is_enough() {
        let disk = |ours, disk| Pairs { better: Better::Larger, ..pairs(&[(ours, disk)]) };
        assert_eq!(met(&disk(0.4, 0.4), Goal::AtLeastOrAsGood(1.0)), Some(true));
        assert_eq!(met(&disk(1.2, 3.0), Goal::AtLeastOrAsGood(1.0)), Some(true));
        assert_eq!(met(&disk(0.4, 0.5), Goal::AtLeastOrAsGood(1.0)), Some(false));
    }

    #[test]
    fn what_was_not_measured_meets_nothing_and_says_why() {
        let row = Row::not_measured("logger", "no such program");
        assert_eq!((row.met, row.ours), (None, None));
        assert!(row.note.contains("no such program"));
        assert_eq!(row.cells()[1], "–");
    }
}
