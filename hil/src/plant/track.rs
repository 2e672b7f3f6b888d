//! A track: a closed line of centre points with a width to each side.
//!
//! Decides where a point lies along and beside the line. It searches only near where it was before,
//! so that a track may pass close to itself; and it must never read files or judge whether a track
//! is a good one (the configuration does). Tests: here.

use super::vehicle::length;

/// A centre point with the free width to each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackPoint {
    /// East of the origin.
    pub x_m: f64,
    /// North of the origin.
    pub y_m: f64,
    /// Free width to the right of the line.
    pub w_right_m: f64,
    /// Free width to the left of the line.
    pub w_left_m: f64,
}

/// Why points are no track.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TrackError {
    /// A closed line needs three different points.
    #[error("the track has {0} different points, expected at least 3")]
    TooFewPoints(usize),
    /// A coordinate or width that is not a usable number.
    #[error("point {0} of the track: coordinates must be finite and widths positive")]
    BadPoint(usize),
    /// Two neighbours in the same place.
    #[error("points {0} and the next of the track lie in the same place")]
    RepeatedPoint(usize),
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    x_m: f64,
    y_m: f64,
    along_x: f64,
    along_y: f64,
    length_m: f64,
    start_m: f64,
    w_right_m: f64,
    w_left_m: f64,
    w_right_end_m: f64,
    w_left_end_m: f64,
}

/// Where a point lies on the track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    segment: usize,
    /// Along the line from its first point, 0 to the track's length.
    pub along_m: f64,
    /// Beside the line, positive to the left.
    pub beside_m: f64,
    /// Free width to the right, there.
    pub w_right_m: f64,
    /// Free width to the left, there.
    pub w_left_m: f64,
}

impl Projection {
    /// How far beyond the edge, negative inside.
    pub fn beyond_m(&self) -> f64 {
        (self.beside_m - self.w_left_m).max(-self.beside_m - self.w_right_m)
    }
}

/// A closed track.
#[derive(Debug, Clone)]
pub struct Track {
    segments: Vec<Segment>,
    length_m: f64,
    narrowest_m: f64,
}

impl Track {
    /// A track through `points`, driven in their order; the last joins the first (which may be
    /// repeated at the end).
    pub fn new(points: &[TrackPoint]) -> Result<Self, TrackError> {
        let same = |a: &TrackPoint, b: &TrackPoint| a.x_m == b.x_m && a.y_m == b.y_m;
        let points = match points {
            [first, .., last] if same(first, last) => &points[..points.len() - 1],
            _ => points,
        };
        if points.len() < 3 {
            return Err(TrackError::TooFewPoints(points.len()));
        }
        let usable = |p: &TrackPoint| {
            [p.x_m, p.y_m].iter().all(|v| v.abs() < 1e6)
                && [p.w_right_m, p.w_left_m].iter().all(|v| *v > 0.0 && *v < 1e6)
        };
        if let Some(bad) = points.iter().position(|point| !usable(point)) {
            return Err(TrackError::BadPoint(bad));
        }
        let mut segments = Vec::with_capacity(points.len());
        let mut start_m = 0.0;
        for (index, point) in points.iter().enumerate() {
            let next = &points[(index + 1) % points.len()];
            let length_m = length(next.x_m - point.x_m, next.y_m - point.y_m);
            if length_m < 1e-9 {
                return Err(TrackError::RepeatedPoint(index));
            }
            segments.push(Segment {
                x_m: point.x_m,
                y_m: point.y_m,
                along_x: (next.x_m - point.x_m) / length_m,
                along_y: (next.y_m - point.y_m) / length_m,
                length_m,
                start_m,
                w_right_m: point.w_right_m,
                w_left_m: point.w_left_m,
                w_right_end_m: next.w_right_m,
                w_left_end_m: next.w_left_m,
            });
            start_m += length_m;
        }
        let narrowest_m =
            points.iter().map(|p| p.w_right_m.min(p.w_left_m)).fold(f64::INFINITY, f64::min);
        Ok(Self { segments, length_m: start_m, narrowest_m })
    }

    /// Once around.
    pub fn length_m(&self) -> f64 {
        self.length_m
    }

    /// Smallest free width to one side.
    pub fn narrowest_m(&self) -> f64 {
        self.narrowest_m
    }

    /// The start line's middle and the direction of driving there: x, y, yaw.
    pub fn start(&self) -> (f64, f64, f64) {
        let first = &self.segments[0];
        let last = &self.segments[self.segments.len() - 1];
        // Between the last and the first segment, as a car would cross the line.
        let yaw = libm::atan2(first.along_y + last.along_y, first.along_x + last.along_x);
        (first.x_m, first.y_m, yaw)
    }

    /// The nearest place on the whole track.
    pub fn project(&self, x_m: f64, y_m: f64) -> Projection {
        self.nearest(0..self.segments.len(), x_m, y_m)
    }

    /// The nearest place on the part of the track within `window_m` before and after `near`.
    pub fn project_near(&self, near: &Projection, window_m: f64, x_m: f64, y_m: f64) -> Projection {
        let count = self.segments.len();
        let into_m = near.along_m - self.segments[near.segment].start_m;
        let mut first = near.segment;
        let mut covered_m = into_m;
        let mut used = 1;
        while covered_m < window_m && used < count {
            first = (first + count - 1) % count;
            covered_m += self.segments[first].length_m;
            used += 1;
        }
        let mut last = near.segment;
        let mut covered_m = self.segments[last].length_m - into_m;
        while covered_m < window_m && used < count {
            last = (last + 1) % count;
            covered_m += self.segments[last].length_m;
            used += 1;
        }
        if first <= last && used < count {
            return self.nearest(first..last + 1, x_m, y_m);
        }
        self.nearest((0..used).map(|step| (first + step) % count), x_m, y_m)
    }

    fn nearest(&self, range: impl Iterator<Item = usize>, x_m: f64, y_m: f64) -> Projection {
        let mut best_square = f64::INFINITY;
        let (mut best, mut best_t, mut best_side) = (0, 0.0, 0.0);
        for index in range {
            let segment = &self.segments[index];
            let (dx, dy) = (x_m - segment.x_m, y_m - segment.y_m);
            let t = (dx * segment.along_x + dy * segment.along_y).clamp(0.0, segment.length_m);
            let (ex, ey) = (dx - t * segment.along_x, dy - t * segment.along_y);
            let square = ex * ex + ey * ey;
            if square < best_square {
                best_square = square;
                best_side = segment.along_x * dy - segment.along_y * dx;
                (best, best_t) = (index, t);
            }
        }
        let segment = &self.segments[best];
        let share = best_t / segment.length_m;
        Projection {
            segment: best,
            along_m: segment.start_m + best_t,
            beside_m: best_square.min(1e30).sqrt().copysign(best_side),
            w_right_m: segment.w_right_m + share * (segment.w_right_end_m - segment.w_right_m),
            w_left_m: segment.w_left_m + share * (segment.w_left_end_m - segment.w_left_m),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(corners: &[(f64, f64)]) -> Vec<TrackPoint> {
        let point = |&(x_m, y_m)| TrackPoint { x_m, y_m, w_right_m: 0.3, w_left_m: 0.6 };
        corners.iter().map(point).collect()
    }

    #[test]
    fn square_has_its_length_start_and_sides() {
        let corners = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0)];
        let track = Track::new(&points(&corners)).expect("a square is a track");
        assert_eq!(track.length_m(), 16.0);
        let left = track.project(2.0, 0.5);
        assert_eq!((left.along_m, left.beside_m), (2.0, 0.5));
        assert!((left.beyond_m() + 0.1).abs() < 1e-12);
        let right = track.project(2.0, -0.5);
        assert_eq!(right.beside_m, -0.5);
        assert!((right.beyond_m() - 0.2).abs() < 1e-12, "narrower to the right");
    }

    #[test]
    fn window_keeps_to_its_own_lane_where_the_track_passes_near_itself() {
        // A hairpin: there along y = 0, back along y = 0.8.
        let corners = [(0.0, 0.0), (2.0, 0.0), (4.0, 0.0), (4.0, 0.8), (2.0, 0.8), (0.0, 0.8)];
        let track = Track::new(&points(&corners)).expect("a hairpin is a track");
        let near = track.project(2.0, 0.0);
        let local = track.project_near(&near, 0.5, 2.1, 0.6);
        assert!(local.along_m < 3.0, "stays on the way there: {local:?}");
        assert!(track.project(2.1, 0.6).along_m > 5.0, "though the way back is nearer");
    }

    #[test]
    fn window_reaches_across_the_start_line() {
        let corners = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)];
        let track = Track::new(&points(&corners)).expect("a square is a track");
        let near = track.project(0.05, 0.0);
        assert!((track.project_near(&near, 0.5, 0.0, 0.2).along_m - 15.8).abs() < 1e-12);
        let near = track.project(0.0, 0.1);
        assert!((track.project_near(&near, 0.5, 0.2, 0.0).along_m - 0.2).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_track_is_refused() {
        let refused = |corners: &[(f64, f64)]| Track::new(&points(corners)).expect_err("refused");
        assert_eq!(refused(&[(0.0, 0.0), (1.0, 0.0)]), TrackError::TooFewPoints(2));
        assert_eq!(refused(&[(0.0, 0.0), (1.0, 0.0), (0.0, 0.0)]), TrackError::TooFewPoints(2));
        let twice = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.0), (0.0, 1.0)];
        assert_eq!(refused(&twice), TrackError::RepeatedPoint(1));
        let nan = [(0.0, 0.0), (1.0, f64::NAN), (0.0, 1.0)];
        assert_eq!(refused(&nan), TrackError::BadPoint(1));
    }
}
