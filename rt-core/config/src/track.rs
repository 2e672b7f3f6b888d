//! Tracks: a closed centre line with a width to each side, as every real circuit's file has it.
//!
//! Decides what a valid track is and where on it a point lies. It never smooths, resamples or
//! repairs what it reads: a file that is wrong is refused, with its line. x points east, y north,
//! lateral offsets are positive to the left of the driving direction. Tests: tests/tracks.rs.

mod crossing;
mod csv;
mod project;

pub use project::{LinePoint, Projection};

use crate::{ConfigError, ConfigErrors, file, nearest};
use std::path::Path;

/// One row of a track file: a point of the centre line and the free width to each side of it, in
/// metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackPoint {
    /// East of the origin.
    pub x_m: f64,
    /// North of the origin.
    pub y_m: f64,
    /// From the centre line to the right border, > 0.
    pub w_right_m: f64,
    /// From the centre line to the left border, > 0.
    pub w_left_m: f64,
}

/// A valid track: closed, at least three points, no crossing, all widths positive, all numbers
/// finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    name: String,
    points: Vec<TrackPoint>,
    /// Arc length at each point, and the whole length at the end: one entry more than points.
    arc_m: Vec<f64>,
    /// Unit tangent at each point.
    tangents: Vec<[f64; 2]>,
    curvature_per_m: Vec<f64>,
    warnings: Vec<String>,
}

/// The tracks that come with every binary: (name, text of its file).
const BUILTIN: [(&str, &str); 2] = [
    ("oval", include_str!("../../../configs/tracks/oval.csv")),
    ("twisty", include_str!("../../../configs/tracks/twisty.csv")),
];

/// The largest real circuit known to us has 1500 points.
pub(crate) const POINTS_MAX: usize = 100_000;
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Track {
    /// Names of the tracks that come with every binary.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// A track that comes with every binary, by name. Errors: an unknown name, with the nearest
    /// valid one.
    pub fn builtin(name: &str) -> Result<Self, ConfigErrors> {
        Self::builtin_scaled(name, 1.0)
    }

    /// Reads a file of `x_m,y_m,w_tr_right_m,w_tr_left_m` rows; all four columns are multiplied by
    /// `scale` (0.001 to 1000; 0.1 turns a real circuit into a 1:10 one). Errors: all that is
    /// wrong, with its line.
    pub fn load(path: impl AsRef<Path>, scale: f64) -> Result<Self, ConfigErrors> {
        let path = path.as_ref();
        let text = file::read_text(path, "track file", FILE_BYTES_MAX)?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.display().to_string());
        csv::parse(&text, &path.display().to_string(), name, scale)
    }

    /// What a person typed after `--track`: the name of a built-in track, or else a file.
    pub fn resolve(name_or_file: &str, scale: f64) -> Result<Self, ConfigErrors> {
        let known = Self::builtin_names().any(|name| name == name_or_file);
        let looks_like_a_file =
            name_or_file.contains(['/', '.']) || Path::new(name_or_file).is_file();
        if looks_like_a_file && !known {
            Self::load(name_or_file, scale)
        } else {
            Self::builtin_scaled(name_or_file, scale)
        }
    }

    /// A track from the text of a file; `file` is what errors call it.
    pub fn from_csv(text: &str, file: &str, scale: f64) -> Result<Self, ConfigErrors> {
        csv::parse(text, file, file.to_owned(), scale)
    }

    fn builtin_scaled(name: &str, scale: f64) -> Result<Self, ConfigErrors> {
        match BUILTIN.iter().find(|(known, _)| *known == name) {
            Some((known, text)) => {
                csv::parse(text, &format!("configs/tracks/{known}.csv"), name.to_owned(), scale)
            }
            None => {
                let names: Vec<_> = Self::builtin_names().collect();
                Err(ConfigError::whole_file(
                    "track",
                    format!("one of {}, or a file", names.join(", ")),
                    format!("`{name}`"),
                )
                .nearest(nearest(name, names))
                .into())
            }
        }
    }

    /// From points that `csv` has found valid, each for itself and as a line.
    fn from_valid_points(name: String, points: Vec<TrackPoint>) -> Self {
        let n = points.len();
        let chord = |i: usize| {
            let (a, b) = (points[i % n], points[(i + 1) % n]);
            [b.x_m - a.x_m, b.y_m - a.y_m]
        };
        let mut arc_m = Vec::with_capacity(n + 1);
        let mut sum_m = 0.0;
        for i in 0..n {
            arc_m.push(sum_m);
            sum_m += norm(chord(i));
        }
        arc_m.push(sum_m);
        let mut tangents = Vec::with_capacity(n);
        let mut curvature_per_m = Vec::with_capacity(n);
        for i in 0..n {
            let (before, after) = (chord(i + n - 1), chord(i));
            tangents.push(circle_tangent(before, after));
            curvature_per_m.push(circle_curvature(before, after));
        }
        let warnings = crossing::border_warnings(&points, &tangents, &curvature_per_m);
        Self { name, points, arc_m, tangents, curvature_per_m, warnings }
    }

    /// What reports call it: the built-in name, or the file's name without its extension.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The centre line, in driving order; the last point is joined to the first.
    pub fn points(&self) -> &[TrackPoint] {
        &self.points
    }

    /// Length of the closed centre line.
    pub fn length_m(&self) -> f64 {
        self.arc_m[self.points.len()]
    }

    /// Arc length from the first point to each point, in driving order; one entry a point.
    pub fn arc_m(&self) -> &[f64] {
        &self.arc_m[..self.points.len()]
    }

    /// Signed curvature at each point (positive: a left bend): the circle through it and its two
    /// neighbours.
    pub fn curvature_per_m(&self) -> &[f64] {
        &self.curvature_per_m
    }

    /// The smallest radius of the centre line.
    pub fn radius_m_min(&self) -> f64 {
        let sharpest = self.curvature_per_m.iter().fold(0.0_f64, |most, k| most.max(k.abs()));
        1.0 / sharpest
    }

    /// What is odd but drivable: borders that overlap. Empty for most tracks.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn norm([x, y]: [f64; 2]) -> f64 {
    x.hypot(y)
}

fn cross(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

/// Tangent, in the middle of two chords, of the circle through their three points.
fn circle_tangent(before: [f64; 2], after: [f64; 2]) -> [f64; 2] {
    let (before_m, after_m) = (norm(before), norm(after));
    // Each chord's direction weighs with the other's length: the nearer neighbour says more.
    let sum = [0, 1].map(|i| before[i] / before_m * after_m + after[i] / after_m * before_m);
    let length = norm(sum);
    sum.map(|part| part / length)
}

/// Signed curvature of the circle through the three points of two chords.
fn circle_curvature(before: [f64; 2], after: [f64; 2]) -> f64 {
    let across = norm([before[0] + after[0], before[1] + after[1]]);
    2.0 * cross(before, after) / (norm(before) * norm(after) * across)
}
