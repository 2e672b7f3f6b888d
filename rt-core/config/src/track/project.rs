//! Where on the track is a point, and what is the line like at a given arc length?
//!
//! Projection looks for the nearest point of the centre line. [`Track::project`] looks everywhere;
//! [`Track::project_near`] only around a hint, so that a car stays on its own lane where two lanes
//! run close, and a call costs the same on any track. Tests: tests/tracks.rs.

use super::{Track, cross};

/// The centre line at one arc length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinePoint {
    /// Arc length from the first point, 0 ≤ arc < length.
    pub arc_m: f64,
    /// East.
    pub x_m: f64,
    /// North.
    pub y_m: f64,
    /// Driving direction, radians from east, counter-clockwise, −π..π.
    pub heading_rad: f64,
    /// Positive in a left bend.
    pub curvature_per_m: f64,
    /// To the right border.
    pub w_right_m: f64,
    /// To the left border.
    pub w_left_m: f64,
}

/// The nearest point of the centre line, and how far to the side of it the asked point lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// The centre line there.
    pub line: LinePoint,
    /// Distance from the centre line, positive to the left of the driving direction.
    pub lateral_m: f64,
}

impl Projection {
    /// The asked point lies between the two borders.
    pub fn is_inside(&self) -> bool {
        (-self.line.w_right_m..=self.line.w_left_m).contains(&self.lateral_m)
    }
}

impl Track {
    /// The centre line at `arc_m`; any finite number is taken modulo the length, anything else as
    /// 0.
    pub fn at(&self, arc_m: f64) -> LinePoint {
        let arc_m = self.wrapped(arc_m);
        let segment = self.segment_of(arc_m);
        let span_m = self.arc_m[segment + 1] - self.arc_m[segment];
        self.line_point(segment, (arc_m - self.arc_m[segment]) / span_m)
    }

    /// The nearest point of the whole centre line. Cost grows with the number of points.
    pub fn project(&self, x_m: f64, y_m: f64) -> Projection {
        self.nearest_of(0..self.points.len(), x_m, y_m)
    }

    /// The nearest point of the centre line that is at most about `window_m` before or behind
    /// `hint_arc_m`; of the whole line if the window is half a lap or more, or not a number.
    pub fn project_near(&self, x_m: f64, y_m: f64, hint_arc_m: f64, window_m: f64) -> Projection {
        let n = self.points.len();
        let is_window = (0.0..self.length_m() / 2.0).contains(&window_m);
        if !is_window {
            return self.project(x_m, y_m);
        }
        let hint_arc_m = self.wrapped(hint_arc_m);
        let first = self.segment_of(self.wrapped(hint_arc_m - window_m));
        let last = self.segment_of(self.wrapped(hint_arc_m + window_m));
        let count = (last + n - first) % n + 1;
        self.nearest_of(first..first + count, x_m, y_m)
    }

    /// How far it is from `from_arc_m` to `to_arc_m` the shorter way round: positive if forward.
    pub fn arc_between_m(&self, from_arc_m: f64, to_arc_m: f64) -> f64 {
        let forward_m = self.wrapped(to_arc_m - from_arc_m);
        if forward_m > self.length_m() / 2.0 { forward_m - self.length_m() } else { forward_m }
    }

    fn wrapped(&self, arc_m: f64) -> f64 {
        let wrapped_m = arc_m.rem_euclid(self.length_m());
        // rem_euclid of a tiny negative number rounds up to the length itself; NaN stays NaN.
        if wrapped_m < self.length_m() { wrapped_m } else { 0.0 }
    }

    /// The segment that holds a wrapped arc length.
    fn segment_of(&self, arc_m: f64) -> usize {
        self.arc_m().partition_point(|&start_m| start_m <= arc_m).saturating_sub(1)
    }

    fn line_point(&self, segment: usize, fraction: f64) -> LinePoint {
        let next = (segment + 1) % self.points.len();
        let (a, b) = (self.points[segment], self.points[next]);
        let mix = |from: f64, to: f64| from + (to - from) * fraction;
        let (from, to) = (self.tangents[segment], self.tangents[next]);
        let tangent = [mix(from[0], to[0]), mix(from[1], to[1])];
        LinePoint {
            arc_m: mix(self.arc_m[segment], self.arc_m[segment + 1]),
            x_m: mix(a.x_m, b.x_m),
            y_m: mix(a.y_m, b.y_m),
            heading_rad: tangent[1].atan2(tangent[0]),
            curvature_per_m: mix(self.curvature_per_m[segment], self.curvature_per_m[next]),
            w_right_m: mix(a.w_right_m, b.w_right_m),
            w_left_m: mix(a.w_left_m, b.w_left_m),
        }
    }

    /// Segments may be numbered past the end; they wrap.
    fn nearest_of(&self, segments: std::ops::Range<usize>, x_m: f64, y_m: f64) -> Projection {
        let n = self.points.len();
        let (mut best, mut best_m2) = ((segments.start % n, 0.0), f64::INFINITY);
        for segment in segments.map(|segment| segment % n) {
            let (a, b) = (self.points[segment], self.points[(segment + 1) % n]);
            let along = [b.x_m - a.x_m, b.y_m - a.y_m];
            let to = [x_m - a.x_m, y_m - a.y_m];
            let dot = along[0] * to[0] + along[1] * to[1];
            let fraction = (dot / (along[0] * along[0] + along[1] * along[1])).clamp(0.0, 1.0);
            let off = [to[0] - along[0] * fraction, to[1] - along[1] * fraction];
            let distance_m2 = off[0] * off[0] + off[1] * off[1];
            if distance_m2 < best_m2 {
                (best, best_m2) = ((segment, fraction), distance_m2);
            }
        }
        let (segment, fraction) = best;
        let mut line = self.line_point(segment, fraction);
        let off = [x_m - line.x_m, y_m - line.y_m];
        // The tangent, not the chord: at a corner the foot is the corner itself, and its tangent
        // splits the two sides.
        let side = cross([line.heading_rad.cos(), line.heading_rad.sin()], off);
        line.arc_m = self.wrapped(line.arc_m);
        Projection { line, lateral_m: off[0].hypot(off[1]).copysign(side) }
    }
}
