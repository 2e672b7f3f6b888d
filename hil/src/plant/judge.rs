//! The judge of a drive: laps, lap times, off-track.
//!
//! Decides from the true position only. Progress is arc length along the centre line, followed
//! locally and never wrapped: driving backwards takes it away again, and a lap is complete when
//! progress first reaches the next multiple of the track's length. It must never credit a short cut:
//! a car that left the track and joins it elsewhere is put at the furthest such place that is *not*
//! ahead of its progress. Off-track is any wheel centre beyond the edge; one excursion is one event.
//! Tests: here.

use super::track::{Projection, Track};

/// How far from the last place the next one is looked for.
const WINDOW_M: f64 = 0.75;
/// A wheel must be this far inside again before an excursion ends: an edge is not a drum.
const INSIDE_AGAIN_M: f64 = 0.01;
/// The first lap's clock starts when the car has left its place by this much.
const STARTED_M: f64 = 0.01;
/// While off the track, how often the whole track is searched for where the car may have joined it.
const SEARCH_NS: u64 = 100_000_000;

/// What the judge has seen.
#[derive(Debug, Clone)]
pub struct Judge {
    track: Track,
    place: Projection,
    progress_m: f64,
    judged_ns: u64,
    searched_ns: u64,
    lap_started_ns: u64,
    lap_times_ns: Vec<u64>,
    off_track: bool,
    off_track_count: u64,
    off_track_ns: u64,
}

impl Judge {
    /// A judge of a car that stands at `x_m`, `y_m` at `now_ns`.
    pub fn new(track: Track, now_ns: u64, x_m: f64, y_m: f64) -> Self {
        let place = track.project(x_m, y_m);
        let mut judge = Self {
            track,
            place,
            progress_m: 0.0,
            judged_ns: now_ns,
            searched_ns: now_ns,
            lap_started_ns: now_ns,
            lap_times_ns: Vec::new(),
            off_track: false,
            off_track_count: 0,
            off_track_ns: 0,
        };
        judge.place_at(now_ns, x_m, y_m);
        judge
    }

    /// The car was put down elsewhere: progress starts from the track's nearest place.
    pub fn place_at(&mut self, now_ns: u64, x_m: f64, y_m: f64) {
        self.place = self.track.project(x_m, y_m);
        let length_m = self.track.length_m();
        let laps = self.lap_times_ns.len() as f64;
        // A place just before the line is behind it, not nearly a lap ahead.
        let into_lap_m = self.place.along_m;
        let behind = if into_lap_m > 0.5 * length_m { length_m } else { 0.0 };
        self.progress_m = laps * length_m + into_lap_m - behind;
        self.judged_ns = now_ns;
        self.lap_started_ns = now_ns;
    }

    /// Judges the car at `now_ns`: its centre of gravity and its four wheel centres, each `x, y`.
    pub fn see(&mut self, now_ns: u64, (x_m, y_m): (f64, f64), wheels: [(f64, f64); 4]) {
        let elapsed_ns = now_ns.saturating_sub(self.judged_ns);
        let before_m = self.progress_m;
        let place = self.track.project_near(&self.place, WINDOW_M, x_m, y_m);
        self.progress_m += self.shortest_way_m(place.along_m - self.place.along_m);
        self.place = place;

        let beyond_m = self.beyond_m((x_m, y_m), wheels);
        let was_off = self.off_track;
        self.off_track = beyond_m > if was_off { -INSIDE_AGAIN_M } else { 0.0 };
        self.off_track_count += u64::from(self.off_track && !was_off);
        if was_off {
            self.off_track_ns += elapsed_ns;
        }
        if self.off_track && now_ns.saturating_sub(self.searched_ns) >= SEARCH_NS {
            self.searched_ns = now_ns;
            self.look_elsewhere(x_m, y_m);
        }
        self.count_laps(before_m, elapsed_ns, now_ns);
        self.judged_ns = now_ns;
    }

    /// How far the outermost wheel lies beyond the edge; negative inside.
    fn beyond_m(&self, (x_m, y_m): (f64, f64), wheels: [(f64, f64); 4]) -> f64 {
        let reach_m = wheels.iter().map(|(wx, wy)| super::vehicle::length(wx - x_m, wy - y_m));
        let reach_m = reach_m.fold(0.0, f64::max);
        // No wheel is further from the line than the car and its reach: most of the time that is
        // answer enough.
        let outermost_m = self.place.beside_m.abs() + reach_m - self.track.narrowest_m();
        if outermost_m < -INSIDE_AGAIN_M {
            return outermost_m;
        }
        let beyond = |&(wx, wy): &(f64, f64)| {
            self.track.project_near(&self.place, WINDOW_M, wx, wy).beyond_m()
        };
        wheels.iter().map(beyond).fold(f64::NEG_INFINITY, f64::max)
    }

    /// Off the track here, but perhaps on it elsewhere: then that is the place, without credit.
    fn look_elsewhere(&mut self, x_m: f64, y_m: f64) {
        let elsewhere = self.track.project(x_m, y_m);
        let much_nearer = elsewhere.beyond_m() < 0.0 && self.place.beyond_m() > 0.0;
        if much_nearer {
            let ahead_m =
                (elsewhere.along_m - self.place.along_m).rem_euclid(self.track.length_m());
            self.progress_m += if ahead_m > 0.0 { ahead_m - self.track.length_m() } else { 0.0 };
            self.place = elsewhere;
        }
    }

    fn count_laps(&mut self, before_m: f64, elapsed_ns: u64, now_ns: u64) {
        let length_m = self.track.length_m();
        let line_m = self.lap_times_ns.len() as f64 * length_m;
        if self.lap_times_ns.is_empty() && self.progress_m < STARTED_M {
            self.lap_started_ns = now_ns;
        } else if before_m < line_m && self.progress_m >= line_m {
            // Over the line again after driving back behind it: the lap starts anew.
            self.lap_started_ns = self.crossed_ns(line_m, before_m, elapsed_ns, now_ns);
        }
        let next_line_m = line_m + length_m;
        if self.progress_m >= next_line_m {
            let crossed_ns = self.crossed_ns(next_line_m, before_m, elapsed_ns, now_ns);
            self.lap_times_ns.push(crossed_ns.saturating_sub(self.lap_started_ns));
            self.lap_started_ns = crossed_ns;
        }
    }

    /// When progress passed `line_m`, interpolated within the last look.
    fn crossed_ns(&self, line_m: f64, before_m: f64, elapsed_ns: u64, now_ns: u64) -> u64 {
        let gained_m = self.progress_m - before_m;
        let share = if gained_m > 0.0 { (self.progress_m - line_m) / gained_m } else { 0.0 };
        now_ns - (share.clamp(0.0, 1.0) * elapsed_ns as f64) as u64
    }

    /// The signed difference of two places along the closed line.
    fn shortest_way_m(&self, difference_m: f64) -> f64 {
        let length_m = self.track.length_m();
        if difference_m > 0.5 * length_m {
            difference_m - length_m
        } else if difference_m < -0.5 * length_m {
            difference_m + length_m
        } else {
            difference_m
        }
    }

    /// The track.
    pub fn track(&self) -> &Track {
        &self.track
    }

    /// Where the centre of gravity lies on the track.
    pub fn place(&self) -> &Projection {
        &self.place
    }

    /// Progress along the centre line since the start; negative behind it.
    pub fn progress_m(&self) -> f64 {
        self.progress_m
    }

    /// Times of the complete laps.
    pub fn lap_times_ns(&self) -> &[u64] {
        &self.lap_times_ns
    }

    /// Whether a wheel is outside now.
    pub fn is_off_track(&self) -> bool {
        self.off_track
    }

    /// How often the car left the track.
    pub fn off_track_count(&self) -> u64 {
        self.off_track_count
    }

    /// How long it was off in all.
    pub fn off_track_ns(&self) -> u64 {
        self.off_track_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::track::TrackPoint;

    const LOOK_NS: u64 = 2_000_000;

    /// A circle of 2 m radius, counter-clockwise, half a metre wide to each side.
    fn circle() -> Track {
        let point = |step: i32| {
            let (sin, cos) = libm::sincos(f64::from(step) * std::f64::consts::TAU / 240.0);
            TrackPoint { x_m: 2.0 * cos, y_m: 2.0 * sin, w_right_m: 0.5, w_left_m: 0.5 }
        };
        Track::new(&(0..240).map(point).collect::<Vec<_>>()).expect("a circle is a track")
    }

    struct Drive {
        judge: Judge,
        now_ns: u64,
        turned: f64,
        radius_m: f64,
    }

    impl Drive {
        fn new() -> Self {
            Self { judge: Judge::new(circle(), 0, 2.0, 0.0), now_ns: 0, turned: 0.0, radius_m: 2.0 }
        }

        fn see(&mut self, x_m: f64, y_m: f64) {
            self.now_ns += LOOK_NS;
            let at = |dx: f64, dy: f64| (x_m + dx, y_m + dy);
            let wheels = [at(0.1, 0.1), at(0.1, -0.1), at(-0.1, 0.1), at(-0.1, -0.1)];
            self.judge.see(self.now_ns, (x_m, y_m), wheels);
        }

        /// Drives on the circle by `turns` at 1 rad/s.
        fn drive(&mut self, turns: f64) {
            let steps = (turns.abs() * std::f64::consts::TAU / 0.002).round() as u64;
            for _ in 0..steps {
                self.turned += 0.002_f64.copysign(turns);
                let (sin, cos) = libm::sincos(self.turned);
                self.see(self.radius_m * cos, self.radius_m * sin);
            }
        }
    }

    #[test]
    fn laps_are_counted_and_timed_between_two_looks() {
        let mut drive = Drive::new();
        drive.drive(0.99);
        assert_eq!(drive.judge.lap_times_ns().len(), 0);
        drive.drive(2.02);
        let laps: Vec<f64> =
            drive.judge.lap_times_ns().iter().map(|ns| *ns as f64 * 1e-9).collect();
        assert_eq!(laps.len(), 3);
        for lap_s in &laps[1..] {
            assert!((lap_s - std::f64::consts::TAU).abs() < 2e-4, "{lap_s}");
        }
    }

    #[test]
    fn reversing_over_the_line_and_back_is_no_lap() {
        let mut drive = Drive::new();
        for _ in 0..3 {
            drive.drive(-0.2);
            drive.drive(0.3);
            drive.drive(-0.1);
        }
        assert_eq!(drive.judge.lap_times_ns().len(), 0);
        drive.drive(-1.5);
        drive.drive(1.6);
        assert_eq!(drive.judge.lap_times_ns().len(), 0, "a lap backwards must be driven back");
        drive.drive(1.0);
        assert_eq!(drive.judge.lap_times_ns().len(), 1);
        drive.drive(-0.15);
        drive.drive(0.15);
        assert_eq!(drive.judge.lap_times_ns().len(), 1, "the line counts once");
    }

    #[test]
    fn lap_clock_starts_anew_when_the_line_is_crossed_again() {
        let mut drive = Drive::new();
        drive.drive(1.02);
        drive.drive(-0.1);
        drive.drive(1.1);
        let [_, second_ns] = drive.judge.lap_times_ns() else { panic!("two laps") };
        let second_s = *second_ns as f64 * 1e-9;
        assert!((second_s - std::f64::consts::TAU).abs() < 1e-3, "{second_s}");
    }

    #[test]
    fn wrong_direction_is_no_lap() {
        let mut drive = Drive::new();
        drive.drive(-2.5);
        assert_eq!(drive.judge.lap_times_ns().len(), 0);
        assert!(drive.judge.progress_m() < -30.0);
    }

    /// A rectangle of 8 m by 3 m, counter-clockwise from the origin, half a metre to each side.
    fn rectangle() -> Track {
        let point = |(x_m, y_m): (f64, f64)| TrackPoint { x_m, y_m, w_right_m: 0.5, w_left_m: 0.5 };
        let corners = [(0.0, 0.0), (8.0, 0.0), (8.0, 3.0), (0.0, 3.0)];
        Track::new(&corners.map(point)).expect("a rectangle is a track")
    }

    #[test]
    fn a_short_cut_is_off_track_and_gives_no_lap() {
        let mut drive = Drive { judge: Judge::new(rectangle(), 0, 0.0, 0.0), ..Drive::new() };
        let mut at = (0.0, 0.0);
        let mut go = |drive: &mut Drive, corners: &[(f64, f64)]| {
            for &(x_m, y_m) in corners {
                for step in 1..=500 {
                    let share = f64::from(step) / 500.0;
                    drive.see(at.0 + share * (x_m - at.0), at.1 + share * (y_m - at.1));
                }
                at = (x_m, y_m);
            }
        };
        // From one straight over the grass to the other, and on to the line.
        go(&mut drive, &[(4.0, 0.0), (4.0, 3.0), (2.0, 3.0)]);
        assert!(!drive.judge.is_off_track(), "it is on the track again, elsewhere");
        assert_eq!(drive.judge.off_track_count(), 1);
        assert!(drive.judge.progress_m() < 0.0, "the cut is no progress");
        go(&mut drive, &[(0.0, 3.0), (0.0, 0.0), (7.0, 0.0)]);
        assert_eq!(drive.judge.lap_times_ns().len(), 0);
        go(&mut drive, &[(8.0, 0.0), (8.0, 3.0), (0.0, 3.0), (0.0, 0.0), (1.0, 0.0)]);
        assert_eq!(drive.judge.lap_times_ns().len(), 1, "the whole lap after the cut counts");
    }

    #[test]
    fn one_wheel_outside_is_one_event_with_its_time() {
        let mut drive = Drive::new();
        drive.drive(0.1);
        assert_eq!(drive.judge.off_track_count(), 0);
        // The centre stays inside, only a corner of the car is out.
        drive.radius_m = 2.42;
        drive.drive(0.25);
        assert!(drive.judge.is_off_track());
        drive.radius_m = 2.0;
        drive.drive(0.1);
        assert!(!drive.judge.is_off_track());
        let off_s = drive.judge.off_track_ns() as f64 * 1e-9;
        let driven_s = 0.25 * std::f64::consts::TAU;
        assert!(drive.judge.off_track_count() >= 1);
        assert!(off_s > 0.5 * driven_s && off_s <= driven_s + 0.01, "{off_s} of {driven_s}");
    }

    #[test]
    fn wheel_on_the_edge_does_not_count_again_and_again() {
        let mut drive = Drive::new();
        for step in 0..2000 {
            let wobble = if step % 2 == 0 { 0.002 } else { -0.002 };
            drive.see(2.398 + wobble, 0.0);
        }
        assert_eq!(drive.judge.off_track_count(), 1);
    }
}
