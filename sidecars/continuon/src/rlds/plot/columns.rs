//! A recording in so many columns, however long it is: of each figure its smallest and its largest
//! value, of each fact whether it was there.
//!
//! *What it decides.* The width of a column, which doubles whenever there would be too many. *What it
//! must never do.* Hide a spike: two columns that become one keep the smallest and the largest of both,
//! and every fact of either. Shown by: the tests below.

use rt_wire::{FaultSet, MonoNs, SOURCES, Source, Telemetry, Validity};

/// Columns at most; a long recording has at least half as many.
pub(super) const COLUMNS_MAX: usize = 1200;
/// Width of a column to begin with.
const WIDTH_NS: u64 = 1_000_000;

/// Figures, in the order of [`Column::ranges`].
pub(super) const FIGURES: usize = 7;
pub(super) const STEERING: usize = 0;
pub(super) const STEERING_ASKED: usize = 1;
pub(super) const THROTTLE: usize = 2;
pub(super) const THROTTLE_ASKED: usize = 3;
pub(super) const SPEED: usize = 4;
pub(super) const WAKEUP_US: usize = 5;
pub(super) const EXECUTION_US: usize = 6;

/// The smallest and the largest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) min: f32,
    pub(super) max: f32,
}

impl Range {
    /// Of no value.
    pub(super) const NONE: Self = Self { min: f32::INFINITY, max: f32::NEG_INFINITY };

    pub(super) fn is_none(self) -> bool {
        self.min > self.max
    }

    fn add(&mut self, value: f32) {
        // What is no number has no place in a chart.
        if value.is_finite() {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// What happened in the time of one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) ranges: [Range; FIGURES],
    /// Bit n: the mode with number n was there. Bit 31: one that this build does not know.
    pub(super) modes: u32,
    /// Bit 0: nobody drove; bit n + 1: the source with number n.
    pub(super) owners: u32,
    pub(super) causes: FaultSet,
    pub(super) records: u32,
    /// Records missing before one of its records.
    pub(super) lost: u64,
}

impl Column {
    const EMPTY: Self = Self {
        ranges: [Range::NONE; FIGURES],
        modes: 0,
        owners: 0,
        causes: FaultSet(0),
        records: 0,
        lost: 0,
    };

    fn join(&mut self, other: &Self) {
        for (range, other) in self.ranges.iter_mut().zip(other.ranges) {
            range.join(other);
        }
        self.modes |= other.modes;
        self.owners |= other.owners;
        self.causes.0 |= other.causes.0;
        self.records = self.records.saturating_add(other.records);
        self.lost = self.lost.saturating_add(other.lost);
    }
}

/// All columns so far.
#[derive(Debug)]
pub(super) struct Columns {
    first_at: Option<MonoNs>,
    width_ns: u64,
    columns: Vec<Column>,
    last_sequence: u64,
}

impl Columns {
    pub(super) fn new() -> Self {
        Self { first_at: None, width_ns: WIDTH_NS, columns: Vec::new(), last_sequence: 0 }
    }

    pub(super) fn width_ns(&self) -> u64 {
        self.width_ns
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Instant at which the first column begins.
    pub(super) fn first_at(&self) -> MonoNs {
        self.first_at.unwrap_or(MonoNs(0))
    }

    pub(super) fn push(&mut self, record: &Telemetry) {
        self.first_at.get_or_insert(record.mono_ns);
        let is_first = self.last_sequence == 0;
        let gap = record.sequence.saturating_sub(self.last_sequence.saturating_add(1));
        self.last_sequence = record.sequence;
        let (outcome, seen, release) = (&record.outcome, &record.observation, &record.release);
        let column = self.at(record.mono_ns);
        column.records = column.records.saturating_add(1);
        column.lost = column.lost.saturating_add(if is_first { 0 } else { gap });
        for (figure, value) in [
            (STEERING, outcome.setpoint.steering),
            (STEERING_ASKED, outcome.asked.steering),
            (THROTTLE, outcome.setpoint.throttle),
            (THROTTLE_ASKED, outcome.asked.throttle),
            (WAKEUP_US, micros(release.woke_at.since(release.release_time))),
        ] {
            add(column, figure, value);
        }
        if seen.wheel.validity.get() == Some(Validity::Valid) {
            add(column, SPEED, seen.wheel.speed_m_per_s);
        }
        column.modes |= outcome.mode.get().map_or(1 << 31, |mode| 1 << (mode as u32 & 31));
        column.owners |= match outcome.owner.get() {
            None | Some(Source::None) => 1,
            Some(owner) => {
                let place = SOURCES.iter().position(|source| *source == owner).unwrap_or(0);
                2 << place
            }
        };
        column.causes.0 |= outcome.causes.0;
        // A cycle can only account for the one before, in whose column that belongs.
        if release.previous_woke_at.0 > 0 {
            let execution = release.previous_finished_at.since(release.previous_woke_at);
            add(self.at(release.previous_woke_at), EXECUTION_US, micros(execution));
        }
    }

    /// The column of an instant; what is before the first record is in the first.
    fn at(&mut self, at: MonoNs) -> &mut Column {
        let since_ns = at.since(self.first_at());
        while since_ns / self.width_ns >= COLUMNS_MAX as u64 {
            self.halve();
        }
        let index = usize::try_from(since_ns / self.width_ns).unwrap_or(0);
        if index >= self.columns.len() {
            self.columns.resize(index + 1, Column::EMPTY);
        }
        &mut self.columns[index]
    }

    fn halve(&mut self) {
        self.width_ns = self.width_ns.saturating_mul(2);
        let halved = self.columns.chunks(2).map(|pair| {
            let mut one = Column::EMPTY;
            pair.iter().for_each(|column| one.join(column));
            one
        });
        self.columns = halved.collect();
    }
}

fn add(column: &mut Column, figure: usize, value: f32) {
    if let Some(range) = column.ranges.get_mut(figure) {
        range.add(value);
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a chart")]
fn micros(ns: u64) -> f32 {
    ns as f32 / 1e3
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS_MAX, Columns, EXECUTION_US, Range, SPEED, STEERING, WAKEUP_US};
    use rt_wire::{Fault, FaultSet, Mode, MonoNs, Source, Telemetry, Validity};

    const MS: u64 = 1_000_000;
    const START: u64 = 77_000 * MS;

    /// Cycle `n` of a drive at 1 kHz whose figures look random.
    fn cycle(n: u64) -> Telemetry {
        let mut record = Telemetry {
            sequence: n + 1,
            cycle_index: n,
            mono_ns: MonoNs(START + n * MS),
            ..Telemetry::default()
        };
        let noise = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1 << 24) as f32;
        record.outcome.setpoint.steering = noise - 0.5;
        record.release.release_time = MonoNs(START + n * MS);
        record.release.woke_at = MonoNs(START + n * MS + (noise * 1e5) as u64);
        record.outcome.mode = Mode::Active.into();
        record.outcome.owner = Source::Pilot.into();
        record
    }

    fn drive(cycles: u64, change: impl Fn(u64, &mut Telemetry)) -> Columns {
        let mut columns = Columns::new();
        for n in 0..cycles {
            let mut record = cycle(n);
            change(n, &mut record);
            columns.push(&record);
        }
        columns
    }

    #[test]
    fn each_column_holds_the_extremes_of_its_time_however_often_it_was_halved() {
        for cycles in [1, 7, 1200, 1201, 5000, 100_003] {
            let columns = drive(cycles, |_, _| {});
            let count = columns.columns().len();
            assert!(count <= COLUMNS_MAX && (cycles < 1200 || count >= COLUMNS_MAX / 2), "{count}");
            let mut expected = vec![Range::NONE; count];
            for n in 0..cycles {
                let index = usize::try_from(n * MS / columns.width_ns()).expect("small");
                expected[index].add(cycle(n).outcome.setpoint.steering);
            }
            let found: Vec<Range> =
                columns.columns().iter().map(|column| column.ranges[STEERING]).collect();
            assert_eq!(found, expected, "{cycles}");
            let records: u64 =
                columns.columns().iter().map(|column| u64::from(column.records)).sum();
            assert_eq!(records, cycles);
        }
    }

    #[test]
    fn one_late_cycle_of_a_hundred_thousand_is_seen_and_so_is_all_that_lasts_one_cycle() {
        let columns = drive(100_000, |n, record| {
            if n == 54_321 {
                record.release.woke_at = record.release.release_time.plus(9_500_000);
                record.outcome.causes = FaultSet(1 << Fault::OwnerStale as u32);
                record.outcome.mode = Mode::SafeStop.into();
                record.outcome.owner = Source::Teleop.into();
                record.observation.wheel.speed_m_per_s = -3.0;
                record.observation.wheel.validity = Validity::Valid.into();
            }
            if n == 54_322 {
                record.release.previous_woke_at = MonoNs(START + 54_321 * MS);
                record.release.previous_finished_at = MonoNs(START + 54_329 * MS);
            }
        });
        let index = usize::try_from(54_321 * MS / columns.width_ns()).expect("small");
        let column = &columns.columns()[index];
        assert_eq!(column.ranges[WAKEUP_US].max, 9500.0);
        assert!(column.ranges[WAKEUP_US].min < 100.0);
        assert_eq!(column.ranges[EXECUTION_US], Range { min: 8000.0, max: 8000.0 });
        assert_eq!(column.ranges[SPEED], Range { min: -3.0, max: -3.0 });
        assert_eq!(column.modes, 1 << Mode::Active as u32 | 1 << Mode::SafeStop as u32);
        assert_eq!(column.owners.count_ones(), 2);
        assert_eq!(column.causes, FaultSet(1 << Fault::OwnerStale as u32));
        let others = columns.columns().iter().enumerate().filter(|(at, _)| *at != index);
        assert!(
            others
                .into_iter()
                .all(|(_, other)| other.causes.0 == 0 && other.ranges[SPEED].is_none())
        );
    }

    #[test]
    fn what_is_missing_stands_where_it_is_missing_and_what_is_no_number_nowhere() {
        let mut columns = Columns::new();
        for n in (0..100).chain(150..200) {
            let mut record = cycle(n);
            record.outcome.setpoint.steering = if n == 160 { f32::NAN } else { 0.25 };
            columns.push(&record);
        }
        let lost: Vec<(usize, u64)> = columns
            .columns()
            .iter()
            .enumerate()
            .filter(|(_, column)| column.lost > 0)
            .map(|(at, column)| (at, column.lost))
            .collect();
        assert_eq!(lost, [(150, 50)]);
        assert_eq!(columns.columns()[120].records, 0);
        assert!(columns.columns()[160].ranges[STEERING].is_none());
        assert_eq!(columns.columns()[161].ranges[STEERING], Range { min: 0.25, max: 0.25 });
    }
}
