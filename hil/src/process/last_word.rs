//! The plant's last word: one line of JSON with the truth about the drive and its end.
//!
//! Decides when power was cut and when the car stood, from the statuses that it saw. Tests: here.

use crate::bridge::seconds;
use rt_wire::{MonoNs, PlantStatus};
use serde::Serialize;

/// Slower than this the car stands.
pub(super) const STANDING_M_PER_S: f64 = 0.05;

/// What is told at the end. Instants are of `CLOCK_MONOTONIC`; what never happened is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LastWord {
    /// Complete laps.
    pub laps: u32,
    /// Time of each.
    pub lap_times_s: Vec<f64>,
    /// Time of the best.
    pub best_lap_s: Option<f64>,
    /// Road covered.
    pub distance_m: f64,
    /// Length of the track.
    pub track_length_m: f64,
    /// Times that any wheel went outside.
    pub off_track_count: u32,
    /// Time outside.
    pub off_track_s: f64,
    /// Highest speed.
    pub top_speed_m_per_s: f64,
    /// Speed at the end.
    pub speed_m_per_s: f64,
    /// When the loop's socket closed.
    pub loop_gone_at_ns: Option<u64>,
    /// The last edge of the heartbeat pin.
    pub last_heartbeat_edge_at_ns: Option<u64>,
    /// When the monostable had cut the motor's power; the last time that it did.
    pub power_cut_at_ns: Option<u64>,
    /// From the last edge to the cut.
    pub power_cut_after_ms: Option<f64>,
    /// When the plant itself came to that instant; later, where it was held up.
    pub power_cut_seen_at_ns: Option<u64>,
    /// Its latest step from the last edge to that instant: how far wrong the cut may be.
    pub power_cut_late_ms: Option<f64>,
    /// From the cut until the car stood.
    pub stopped_after_ms: Option<f64>,
    /// Its latest step in all.
    pub late_ms_max: f64,
    /// Steps later than 5 ms.
    pub late_steps: u32,
    /// Names the car's parameters.
    pub plant_hash: String,
    #[serde(skip)]
    late_ns_since_edge: u64,
}

impl LastWord {
    /// Takes the status after a step in that began `late_ns` after it was due and was done at
    /// `seen_at`; they come in the order of time.
    pub fn see(&mut self, status: &PlantStatus, late_ns: u64, seen_at: MonoNs) {
        self.late_ms_max = self.late_ms_max.max(milliseconds(late_ns));
        // An edge is taken for as old as the step that sees it, so that step's lateness counts too.
        let is_new_edge = self.last_heartbeat_edge_at_ns != instant(status.last_heartbeat_edge_at);
        let before_ns = if is_new_edge { 0 } else { self.late_ns_since_edge };
        self.late_ns_since_edge = before_ns.max(late_ns);
        self.last_heartbeat_edge_at_ns = instant(status.last_heartbeat_edge_at);
        if status.power_cut_at == MonoNs(0) {
            return;
        }
        if self.power_cut_at_ns != instant(status.power_cut_at) {
            self.power_cut_at_ns = instant(status.power_cut_at);
            self.power_cut_after_ms =
                Some(milliseconds(status.power_cut_at.since(status.last_heartbeat_edge_at)));
            self.power_cut_seen_at_ns = instant(seen_at);
            self.power_cut_late_ms = Some(milliseconds(self.late_ns_since_edge));
            self.stopped_after_ms = None;
        }
        if self.stopped_after_ms.is_none() && status.speed_m_per_s.abs() < STANDING_M_PER_S {
            self.stopped_after_ms = Some(milliseconds(status.mono_ns.since(status.power_cut_at)));
        }
    }

    /// Fills in what stands at the end only.
    pub fn close(&mut self, status: &PlantStatus, loop_gone_at: Option<MonoNs>, laps_ns: &[u64]) {
        self.laps = status.laps;
        self.lap_times_s = laps_ns.iter().map(|ns| seconds(*ns)).collect();
        self.best_lap_s = self.lap_times_s.iter().copied().reduce(f64::min);
        self.distance_m = status.distance_m;
        self.track_length_m = status.track_length_m;
        self.off_track_count = status.off_track_count;
        self.off_track_s = status.off_track_s;
        self.top_speed_m_per_s = status.top_speed_m_per_s;
        self.speed_m_per_s = status.speed_m_per_s;
        self.loop_gone_at_ns = loop_gone_at.map(|at| at.0);
        self.late_steps = status.late_steps;
        self.plant_hash = format!("{:016x}", status.plant_hash);
    }

    /// One line.
    pub fn to_json(&self) -> String {
        // Fails only for maps whose keys are not texts, and there are none.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An instant of a record, where 0 is never.
fn instant(at: MonoNs) -> Option<u64> {
    (at != MonoNs(0)).then_some(at.0)
}

fn milliseconds(ns: u64) -> f64 {
    seconds(ns) * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn status(at_ms: u64, cut_ms: u64, edge_ms: u64, speed_m_per_s: f64) -> PlantStatus {
        PlantStatus {
            mono_ns: MonoNs(at_ms * MS),
            power_cut_at: MonoNs(cut_ms * MS),
            last_heartbeat_edge_at: MonoNs(edge_ms * MS),
            speed_m_per_s,
            ..PlantStatus::default()
        }
    }

    /// A plant that is never late.
    fn see(word: &mut LastWord, status: &PlantStatus) {
        word.see(status, 0, status.mono_ns);
    }

    #[test]
    fn how_late_the_plant_was_is_told_of_the_time_between_the_last_edge_and_the_cut() {
        let mut word = LastWord::default();
        word.see(&status(1000, 0, 999, 2.0), 70 * MS, MonoNs(1000 * MS));
        word.see(&status(1004, 0, 1004, 2.0), 3 * MS, MonoNs(1004 * MS));
        word.see(&status(1020, 0, 1004, 2.0), 2 * MS, MonoNs(1020 * MS));
        word.see(&status(1045, 1039, 1004, 2.0), 6 * MS, MonoNs(1046 * MS));
        word.see(&status(1100, 1039, 1004, 2.0), 50 * MS, MonoNs(1101 * MS));
        assert_eq!(word.power_cut_late_ms, Some(6.0));
        assert_eq!(word.power_cut_seen_at_ns, Some(1046 * MS));
        assert_eq!(word.late_ms_max, 70.0);
    }

    #[test]
    fn a_cut_is_told_from_its_last_edge_and_until_the_car_stood_for_the_first_time() {
        let mut word = LastWord::default();
        see(&mut word, &status(1000, 0, 999, 2.0));
        assert_eq!(word.power_cut_after_ms, None);
        see(&mut word, &status(1040, 1035, 1000, 1.9));
        assert_eq!(word.stopped_after_ms, None);
        see(&mut word, &status(2000, 1035, 1000, 0.01));
        see(&mut word, &status(2500, 1035, 1000, 0.0));
        assert_eq!(word.power_cut_after_ms, Some(35.0));
        assert_eq!(word.stopped_after_ms, Some(965.0));
        assert_eq!(word.last_heartbeat_edge_at_ns, Some(1000 * MS));
    }

    #[test]
    fn the_last_cut_is_the_one_that_is_told() {
        let mut word = LastWord::default();
        see(&mut word, &status(1040, 1035, 1000, 0.0));
        see(&mut word, &status(1100, 0, 1099, 0.5));
        see(&mut word, &status(2040, 2036, 2000, 0.5));
        assert_eq!(word.power_cut_after_ms, Some(36.0));
        assert_eq!(word.stopped_after_ms, None);
    }

    #[test]
    fn a_drive_without_a_cut_has_nulls_and_is_one_line() {
        let mut word = LastWord::default();
        see(&mut word, &status(1000, 0, 999, 2.0));
        word.close(&status(1000, 0, 999, 0.0), None, &[9_000_000_000, 8_500_000_000]);
        let line = word.to_json();
        assert!(!line.contains('\n'));
        assert!(line.contains("\"power_cut_at_ns\":null"), "{line}");
        assert_eq!(word.best_lap_s, Some(8.5));
    }
}
