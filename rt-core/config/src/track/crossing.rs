//! Does a closed line meet itself? A sweep over x, so that a thousand points take well under a
//! millisecond.
//!
//! Refuses centre lines; of borders it only warns, because the inner border of a hairpin may fold
//! and still be drivable. Tests: below and tests/tracks.rs.

use super::{TrackPoint, cross};

/// Pairs (earlier, later) of segments of the closed `line` that meet anywhere but at a shared end,
/// at most `most`. Segment i runs from point i to point i + 1. Two neighbours meet if the line
/// turns back on itself.
pub(super) fn crossings(line: &[[f64; 2]], most: usize) -> Vec<(usize, usize)> {
    let n = line.len();
    let segment = |i: usize| (line[i], line[(i + 1) % n]);
    let mut by_left_end: Vec<usize> = (0..n).collect();
    let left = |i: usize| segment(i).0[0].min(segment(i).1[0]);
    let right = |i: usize| segment(i).0[0].max(segment(i).1[0]);
    by_left_end.sort_by(|&a, &b| left(a).total_cmp(&left(b)));

    let mut found = Vec::new();
    for (rank, &a) in by_left_end.iter().enumerate() {
        for &b in by_left_end[rank + 1..].iter().take_while(|&&b| left(b) <= right(a)) {
            let (first, second) = (a.min(b), a.max(b));
            let meet = if second - first == 1 {
                turns_back(line[first], line[second], line[(second + 1) % n])
            } else if first == 0 && second == n - 1 {
                turns_back(line[second], line[0], line[1])
            } else {
                segments_meet(segment(first), segment(second))
            };
            if meet {
                found.push((first, second));
                if found.len() >= most {
                    return found;
                }
            }
        }
    }
    found
}

type Segment = ([f64; 2], [f64; 2]);

fn minus(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

/// The path a → b → c comes back along itself: a turn of 180°, to within a millionth.
fn turns_back(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> bool {
    let (into, out) = (minus(b, a), minus(c, b));
    let dot = into[0] * out[0] + into[1] * out[1];
    dot < 0.0 && cross(into, out).abs() <= 1e-6 * dot.abs()
}

fn segments_meet((a, b): Segment, (c, d): Segment) -> bool {
    let apart = |i: usize| a[i].max(b[i]) < c[i].min(d[i]) || c[i].max(d[i]) < a[i].min(b[i]);
    if apart(0) || apart(1) {
        return false;
    }
    // With the boxes overlapping, "each segment's ends are not strictly on one side of the other"
    // is exact, and holds for touching and collinear overlap too.
    let side = |p, q, r| cross(minus(q, p), minus(r, p));
    side(a, b, c) * side(a, b, d) <= 0.0 && side(c, d, a) * side(c, d, b) <= 0.0
}

/// Warnings about the two borders of a track whose centre line is valid.
pub(super) fn border_warnings(
    points: &[TrackPoint],
    tangents: &[[f64; 2]],
    curvature_per_m: &[f64],
) -> Vec<String> {
    let mut warnings = Vec::new();
    let folded = points.iter().zip(curvature_per_m).enumerate().find(|(_, (point, curvature))| {
        let inner_m = if **curvature > 0.0 { point.w_left_m } else { point.w_right_m };
        curvature.abs() * inner_m >= 1.0
    });
    if let Some((i, (_, curvature))) = folded {
        let radius_m = 1.0 / curvature.abs();
        warnings.push(format!(
            "point {i}: the inner border folds, the radius of {radius_m:.2} m is below the width"
        ));
        return warnings;
    }
    // A line that never crosses itself has the same side inside all along, so that two of its lanes
    // can only come close left to left or right to right: each border against itself is enough.
    for side in ["left", "right"] {
        let border: Vec<[f64; 2]> = points
            .iter()
            .zip(tangents)
            .map(|(point, t)| {
                let left_m = if side == "left" { point.w_left_m } else { -point.w_right_m };
                [point.x_m - t[1] * left_m, point.y_m + t[0] * left_m]
            })
            .collect();
        if let Some((first, second)) = crossings(&border, 1).first() {
            warnings.push(format!("the {side} border meets itself at points {first} and {second}"));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_does_not_meet_itself_and_a_bow_tie_does() {
        let square = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        assert!(crossings(&square, 9).is_empty());
        let bow_tie = [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
        assert_eq!(crossings(&bow_tie, 9), [(0, 2)]);
    }

    #[test]
    fn touching_and_overlapping_count_as_meeting() {
        assert!(segments_meet(([0.0, 0.0], [2.0, 0.0]), ([1.0, 0.0], [1.0, 1.0])));
        assert!(segments_meet(([0.0, 0.0], [2.0, 0.0]), ([1.0, 0.0], [3.0, 0.0])));
        assert!(!segments_meet(([0.0, 0.0], [2.0, 0.0]), ([3.0, 0.0], [4.0, 0.0])));
        assert!(!segments_meet(([0.0, 0.0], [2.0, 0.0]), ([0.0, 0.1], [2.0, 0.1])));
    }

    #[test]
    fn a_line_that_turns_back_meets_itself() {
        let spike = [[0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 1.0]];
        assert!(!crossings(&spike, 9).is_empty());
        let flat = [[0.0, 0.0], [2.0, 0.0], [1.0, 0.0]];
        assert!(!crossings(&flat, 9).is_empty());
    }
}
