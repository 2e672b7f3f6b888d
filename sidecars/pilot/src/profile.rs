//! How fast the car may be at each place of the track, worked out once.
//!
//! Decides a speed for every few centimetres of the centre line: the bend's own limit, and before it
//! what can still be braked away, and after it what can be gained. It must never know where the car
//! is. Tests: here.
//!
//! ```text
//!  speed_max ────────╮                  ╭──────
//!                     ╲ brake_max      ╱ accel_max
//!  √(lateral/|bend|)   ╰──────────────╯
//! ```

use rt_config::{Pilot, Track};

/// Distance between two entries, at most.
const SPACING_M: f64 = 0.05;
/// A bend's sharpness is the mean over this far to both sides: single points of a measured line jitter.
const SMOOTH_M: f64 = 0.15;
/// Slower than this no bend makes the car; a hairpin sharper than the car can steer is driven wide.
const SPEED_MIN_M_PER_S: f64 = 0.3;

/// Speeds along one closed track.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeedProfile {
    spacing_m: f64,
    speeds_m_per_s: Vec<f64>,
}

impl SpeedProfile {
    /// The profile of `track` for a pilot with these limits.
    #[must_use]
    pub fn new(track: &Track, pilot: &Pilot) -> Self {
        let count = entries((track.length_m() / SPACING_M).ceil()).max(3);
        let spacing_m = track.length_m() / count as f64;
        let speeds_m_per_s = (0..count)
            .map(|entry| {
                let bend_per_m = mean_bend_per_m(track, entry as f64 * spacing_m);
                let bend_m_per_s = (pilot.lateral_accel_max_m_per_s2 / bend_per_m.max(1e-6)).sqrt();
                bend_m_per_s.max(SPEED_MIN_M_PER_S).min(pilot.speed_max_m_per_s)
            })
            .collect();
        let mut profile = Self { spacing_m, speeds_m_per_s };
        profile.limit_change(pilot.accel_max_m_per_s2, pilot.brake_max_m_per_s2);
        profile
    }

    /// v² may change by twice the acceleration on the way from one entry to the next.
    fn limit_change(&mut self, accel_m_per_s2: f64, brake_m_per_s2: f64) {
        let speeds = &mut self.speeds_m_per_s;
        let count = speeds.len();
        let limit = |speeds: &mut Vec<f64>, entry: usize, from: usize, accel: f64| {
            let reached = speeds[from].mul_add(speeds[from], 2.0 * accel * self.spacing_m).sqrt();
            speeds[entry] = speeds[entry].min(reached);
        };
        // Twice around, because the line is closed: a bend behind the start limits the end.
        for step in 0..2 * count {
            let entry = step % count;
            limit(speeds, entry, (entry + count - 1) % count, accel_m_per_s2);
            let entry = count - 1 - entry;
            limit(speeds, entry, (entry + 1) % count, brake_m_per_s2);
        }
    }

    /// The speed at `arc_m`, taken modulo the track's length.
    #[must_use]
    pub fn at(&self, arc_m: f64) -> f64 {
        let count = self.speeds_m_per_s.len();
        let place = (arc_m / self.spacing_m).rem_euclid(count as f64);
        let entry = entries(place).min(count - 1);
        let (here, next) = (self.speeds_m_per_s[entry], self.speeds_m_per_s[(entry + 1) % count]);
        here + (next - here) * (place - entry as f64)
    }

    /// The lowest speed between `arc_m` and `ahead_m` beyond it.
    #[must_use]
    pub fn lowest(&self, arc_m: f64, ahead_m: f64) -> f64 {
        let steps =
            entries((ahead_m.max(0.0) / self.spacing_m).ceil()).min(self.speeds_m_per_s.len());
        (0..=steps)
            .map(|step| self.at(arc_m + step as f64 * self.spacing_m))
            .fold(f64::INFINITY, f64::min)
    }
}

/// Whole entries, rounded down; a track has at most millions, and `as` would saturate beyond.
fn entries(count: f64) -> usize {
    count as usize
}

fn mean_bend_per_m(track: &Track, arc_m: f64) -> f64 {
    let offsets = [-1.0, -0.5, 0.0, 0.5, 1.0];
    let sum: f64 =
        offsets.iter().map(|part| track.at(arc_m + part * SMOOTH_M).curvature_per_m).sum();
    (sum / offsets.len() as f64).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twisty() -> (Track, SpeedProfile, Pilot) {
        let track = Track::builtin("twisty").expect("a built-in track");
        let pilot = Pilot {
            speed_max_m_per_s: 2.2,
            lateral_accel_max_m_per_s2: 3.5,
            accel_max_m_per_s2: 2.0,
            brake_max_m_per_s2: 1.5,
            ..Pilot::default()
        };
        let profile = SpeedProfile::new(&track, &pilot);
        (track, profile, pilot)
    }

    #[test]
    fn no_bend_is_driven_faster_than_its_sideways_acceleration_allows() {
        let (track, profile, pilot) = twisty();
        for step in 0..1000 {
            let arc_m = f64::from(step) * track.length_m() / 1000.0;
            let speed = profile.at(arc_m);
            let sideways = speed * speed * mean_bend_per_m(&track, arc_m);
            assert!(sideways <= 1.05 * pilot.lateral_accel_max_m_per_s2, "{sideways} at {arc_m}");
            assert!(speed > 0.0 && speed <= pilot.speed_max_m_per_s);
        }
    }

    #[test]
    fn speed_changes_no_harder_than_accelerating_and_braking_allow_across_the_start_too() {
        let (track, profile, pilot) = twisty();
        let count = profile.speeds_m_per_s.len();
        for entry in 0..count {
            let (here, next) =
                (profile.speeds_m_per_s[entry], profile.speeds_m_per_s[(entry + 1) % count]);
            let change = (next * next - here * here) / (2.0 * profile.spacing_m);
            assert!(change <= pilot.accel_max_m_per_s2 + 1e-9, "{change} at {entry}");
            assert!(-change <= pilot.brake_max_m_per_s2 + 1e-9, "{change} at {entry}");
        }
        let wrapped = profile.at(track.length_m() + 1.0) - profile.at(1.0);
        assert!(wrapped.abs() < 1e-9);
    }

    #[test]
    fn lowest_sees_the_bend_that_is_still_ahead() {
        let (track, profile, _) = twisty();
        let (mut sharpest_m, mut lowest) = (0.0, f64::INFINITY);
        for step in 0..1000 {
            let arc_m = f64::from(step) * track.length_m() / 1000.0;
            if profile.at(arc_m) < lowest {
                (sharpest_m, lowest) = (arc_m, profile.at(arc_m));
            }
        }
        let ahead = profile.lowest(sharpest_m - 1.0, 1.2);
        assert!(ahead <= lowest + 0.02, "{ahead} against {lowest}");
        assert!(profile.lowest(sharpest_m - 1.0, 0.0) > ahead);
    }
}
