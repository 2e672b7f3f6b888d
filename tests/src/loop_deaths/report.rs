//! What a campaign of deaths came to: figures, what was not judged, and the machine.
//!
//! Decides the verdict: every death that counts cut the power within the limit, and as many counted as
//! were asked for. Tests: here.

use super::death::{How, Seen, Void};
use super::{Campaign, LIMIT_MS};
use serde::Serialize;

/// Examples of what went wrong that are kept.
const EXAMPLES_MAX: usize = 5;

/// Least, middle, all but one in a hundred, and most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// The least.
    pub min: f64,
    /// Half are at most this.
    pub p50: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
    /// The most.
    pub max: f64,
}

impl Figures {
    /// Of these values, by nearest rank; all 0 for none.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let ranked = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied().unwrap_or(0.0)
        };
        Self { min: ranked(0), p50: ranked(50), p99: ranked(99), max: ranked(100) }
    }
}

/// Deaths that were not judged, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Voids {
    /// The plant was held up for more than 10 ms between the last edge and the cut.
    pub plant_late: u32,
    /// The signal took more than 10 ms to be sent.
    pub killer_late: u32,
    /// The car did not drive when the loop died.
    pub not_driving: u32,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `killed` or `stopped`.
    pub how: &'static str,
    /// Seed of the phases.
    pub seed: u64,
    /// Deaths that were asked for.
    pub asked: u32,
    /// Deaths that counted.
    pub judged: u32,
    /// Deaths in all.
    pub attempts: u32,
    /// The limit of [`from_death_ms`](Self::from_death_ms).
    pub limit_ms: f64,
    /// Deaths that counted with a cut beyond the limit, or none.
    pub over_limit: u32,
    /// Loops that drove on after a stop.
    pub went_on: u32,
    /// The first of both, in words.
    pub wrong: Vec<String>,
    /// What was not judged.
    pub void: Voids,
    /// Death to power off on the plant's model clock, of those that counted.
    pub from_death_ms: Figures,
    /// Last heartbeat edge that the plant saw to power off, the same.
    pub from_last_edge_ms: Figures,
    /// Death to the instant at which the plant process came to power off, the same.
    pub wall_ms: Figures,
    /// The plant's latest step between the last edge and the cut, the same.
    pub plant_late_ms: Figures,
    /// The worst from death to power off of all, void ones too.
    pub from_death_ms_max_with_void: f64,
    /// Whether loop and plant had real-time priority in every one that counted.
    pub loop_is_fifo: bool,
    /// As the loop.
    pub plant_is_fifo: bool,
    /// Cores of this machine.
    pub cores: usize,
    /// Load average of a minute when it began and when it ended.
    pub load: [f64; 2],
    #[serde(skip)]
    seen: Vec<Seen>,
}

impl Report {
    pub(super) fn new(campaign: &Campaign) -> Self {
        Self {
            how: match campaign.how {
                How::Killed => "killed",
                How::Stopped => "stopped",
            },
            seed: campaign.seed,
            asked: campaign.deaths,
            judged: 0,
            attempts: 0,
            limit_ms: LIMIT_MS,
            over_limit: 0,
            went_on: 0,
            wrong: Vec::new(),
            void: Voids::default(),
            from_death_ms: Figures::default(),
            from_last_edge_ms: Figures::default(),
            wall_ms: Figures::default(),
            plant_late_ms: Figures::default(),
            from_death_ms_max_with_void: 0.0,
            loop_is_fifo: true,
            plant_is_fifo: true,
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load: [load(), 0.0],
            seen: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, seen: Seen) {
        self.attempts += 1;
        let from_death_ms = seen.from_death_ms.unwrap_or(0.0);
        self.from_death_ms_max_with_void = self.from_death_ms_max_with_void.max(from_death_ms);
        match seen.void {
            Some(Void::PlantLate) => self.void.plant_late += 1,
            Some(Void::KillerLate) => self.void.killer_late += 1,
            Some(Void::NotDriving) => self.void.not_driving += 1,
            None => self.judge(seen),
        }
    }

    fn judge(&mut self, seen: Seen) {
        self.judged += 1;
        if seen.from_death_ms.is_none_or(|ms| ms > LIMIT_MS) {
            self.over_limit += 1;
            let found = seen.from_death_ms.map_or("never".to_owned(), |ms| format!("{ms:.1} ms"));
            self.remember(format!("power off after {found}, at most {LIMIT_MS} ms"));
        }
        if let Some(went_on) = &seen.went_on {
            self.went_on += 1;
            self.remember(format!("the first cycle after the stop is not latched: {went_on}"));
        }
        self.loop_is_fifo &= seen.is_fifo.0;
        self.plant_is_fifo &= seen.is_fifo.1;
        self.seen.push(seen);
    }

    fn remember(&mut self, wrong: String) {
        if self.wrong.len() < EXAMPLES_MAX {
            self.wrong.push(format!("death {}: {wrong}", self.attempts));
        }
    }

    pub(super) fn close(&mut self) {
        let figures = |of: fn(&Seen) -> Option<f64>| -> Figures {
            Figures::of(&self.seen.iter().filter_map(of).collect::<Vec<f64>>())
        };
        self.from_death_ms = figures(|seen| seen.from_death_ms);
        self.from_last_edge_ms = figures(|seen| seen.from_edge_ms);
        self.wall_ms = figures(|seen| seen.wall_ms);
        self.plant_late_ms = figures(|seen| Some(seen.plant_late_ms));
        self.load[1] = load();
    }

    /// Whether a death that counted broke its promise.
    pub fn found_wrong(&self) -> bool {
        self.over_limit > 0 || self.went_on > 0
    }

    /// Whether all that was asked for was judged, and nothing found.
    pub fn is_good(&self) -> bool {
        self.judged == self.asked && !self.found_wrong()
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let Self { how, judged, asked, over_limit, limit_ms, went_on, void, .. } = self;
        let Figures { min, p50, p99, max } = self.from_death_ms;
        let edge = self.from_last_edge_ms;
        let mut words = format!(
            "{how} {judged} of {asked}, over {limit_ms:.0} ms {over_limit}; death to power off, \
             plant's clock, ms: min {min:.1} p50 {p50:.1} p99 {p99:.1} max {max:.1}; from the last \
             edge max {:.1}; wall max {:.1}; plant late max {:.1}; void: plant late {}, killer late \
             {}, not driving {} (with those max {:.1}); loop {}, plant {}, {} cores, load {:.1} to \
             {:.1}",
            edge.max,
            self.wall_ms.max,
            self.plant_late_ms.max,
            void.plant_late,
            void.killer_late,
            void.not_driving,
            self.from_death_ms_max_with_void,
            priority(self.loop_is_fifo),
            priority(self.plant_is_fifo),
            self.cores,
            self.load[0],
            self.load[1],
        );
        if *went_on > 0 {
            words += &format!("; {went_on} drove on after the stop");
        }
        for wrong in &self.wrong {
            words += &format!("; {wrong}");
        }
        words
    }
}

fn priority(is_fifo: bool) -> &'static str {
    if is_fifo { "SCHED_FIFO" } else { "without real-time priority" }
}

/// Load average of a minute; 0 where it is not told.
fn load() -> f64 {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(void: Option<Void>, from_death_ms: Option<f64>, went_on: Option<&str>) -> Seen {
        Seen {
            void,
            from_death_ms,
            from_edge_ms: Some(35.0),
            wall_ms: from_death_ms,
            plant_late_ms: 0.1,
            went_on: went_on.map(str::to_owned),
            is_fifo: (true, true),
        }
    }

    fn report(of: &[Seen]) -> Report {
        let deaths = u32::try_from(of.len()).expect("few");
        let mut report = Report::new(&Campaign { how: How::Stopped, deaths, seed: 1 });
        of.iter().for_each(|seen| report.take(seen.clone()));
        report.close();
        report
    }

    #[test]
    fn figures_are_by_nearest_rank_and_of_what_counts_only() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(Figures::of(&values), Figures { min: 1.0, p50: 50.0, p99: 99.0, max: 100.0 });
        assert_eq!(Figures::of(&[]), Figures::default());
        let found =
            report(&[seen(None, Some(36.0), None), seen(Some(Void::PlantLate), Some(90.0), None)]);
        assert_eq!((found.from_death_ms.max, found.from_death_ms_max_with_void), (36.0, 90.0));
    }

    #[test]
    fn a_late_cut_no_cut_and_a_loop_that_drives_on_are_wrong() {
        assert!(report(&[seen(None, Some(50.0), None)]).is_good());
        for wrong in [
            seen(None, Some(50.1), None),
            seen(None, None, None),
            seen(None, Some(36.0), Some("Active, level 3")),
        ] {
            let found = report(&[seen(None, Some(36.0), None), wrong]);
            assert!(found.found_wrong() && !found.is_good(), "{found:?}");
        }
    }

    #[test]
    fn what_is_void_is_neither_good_nor_wrong() {
        for void in [Void::PlantLate, Void::KillerLate, Void::NotDriving] {
            let found = report(&[seen(None, Some(36.0), None), seen(Some(void), None, None)]);
            assert!(!found.found_wrong() && !found.is_good(), "{found:?}");
            assert_eq!((found.judged, found.attempts), (1, 2));
        }
    }
}
