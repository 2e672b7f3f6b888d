//! A track file's text → a valid [`Track`], or all that is wrong with it.
//!
//! Rows of four numbers `x_m,y_m,w_tr_right_m,w_tr_left_m`; a line before them that names columns
//! must name these; other lines that begin with `#`, and empty ones, are skipped. Tests:
//! tests/tracks.rs.

use super::{POINTS_MAX, Track, TrackPoint, crossing};
use crate::errors::shortened;
use crate::{ConfigError, ConfigErrors};
use std::ops::RangeInclusive;

const COLUMNS: [&str; 4] = ["x_m", "y_m", "w_tr_right_m", "w_tr_left_m"];
const SCALES: RangeInclusive<f64> = 0.001..=1000.0;
/// Farther from the origin than this is a slip of the decimal point, not a track.
const COORDINATE_M_MAX: f64 = 1e6;
/// Of a line that crosses itself all over, the first crossings say enough.
const CROSSINGS_TOLD_MAX: usize = 3;

/// A point and the line of the file that it stands in.
struct Row {
    line: usize,
    point: TrackPoint,
}

pub(super) fn parse(
    text: &str,
    file: &str,
    name: String,
    scale: f64,
) -> Result<Track, ConfigErrors> {
    if !SCALES.contains(&scale) {
        let expected = format!("a scale from {} to {}", SCALES.start(), SCALES.end());
        return Err(ConfigError::whole_file(file, expected, scale.to_string()).key("scale").into());
    }
    let mut errors = Vec::new();
    let rows = rows(text, file, scale, &mut errors);
    ConfigErrors::if_any(errors)?;
    ConfigErrors::if_any(line_errors(&rows, file))?;
    Ok(Track::from_valid_points(name, rows.into_iter().map(|row| row.point).collect()))
}

fn rows(text: &str, file: &str, scale: f64, errors: &mut Vec<ConfigError>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (i, content) in text.lines().enumerate() {
        let content = content.trim();
        if rows.is_empty() && errors.is_empty() && names_columns(content) {
            errors.extend(wrong_columns(content).map(|wrong| wrong.at(file, i + 1)));
            continue;
        }
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match row(content, scale) {
            Ok(point) => rows.push(Row { line: i + 1, point }),
            Err(wrong) => errors.push(wrong.at(file, i + 1)),
        }
    }
    rows
}

/// What is wrong with one row; the caller adds file and line.
struct Wrong {
    key: &'static str,
    expected: String,
    found: String,
}

impl Wrong {
    fn at(self, file: &str, line: usize) -> ConfigError {
        ConfigError::whole_file(file, self.expected, self.found).at(line, 0).key(self.key)
    }
}

/// `x_m,y_m,…` with or without `#`: names, not numbers and not a sentence.
fn names_columns(content: &str) -> bool {
    let fields = names(content);
    fields.iter().all(|name| {
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    }) && fields.iter().any(|name| name.ends_with("_m"))
}

fn names(content: &str) -> Vec<&str> {
    content.trim_start_matches('#').split(',').map(str::trim).collect()
}

/// Columns in another order would be a track that nobody drew.
fn wrong_columns(content: &str) -> Option<Wrong> {
    let found = names(content);
    (found != COLUMNS).then(|| Wrong {
        key: "",
        expected: format!("the columns {}", COLUMNS.join(",")),
        found: shortened(&found.join(",")),
    })
}

fn row(content: &str, scale: f64) -> Result<TrackPoint, Wrong> {
    let fields: Vec<&str> = content.split(',').map(str::trim).collect();
    if fields.len() != COLUMNS.len() {
        return Err(Wrong {
            key: "",
            expected: format!("4 columns {}", COLUMNS.join(",")),
            found: format!("{} in `{}`", fields.len(), shortened(content)),
        });
    }
    let mut numbers = [0.0; 4];
    for (i, field) in fields.iter().enumerate() {
        let wrong = |expected: &str| Wrong {
            key: COLUMNS[i],
            expected: expected.to_owned(),
            found: format!("`{}`", shortened(field)),
        };
        let number: f64 = field.parse().ok().ok_or_else(|| wrong("a number of metres"))?;
        if !number.is_finite() {
            return Err(wrong("a finite number of metres"));
        }
        numbers[i] = number * scale;
        if numbers[i].abs() > COORDINATE_M_MAX {
            return Err(wrong(&format!("at most {COORDINATE_M_MAX} m after scaling")));
        }
        if i >= 2 && numbers[i] <= 0.0 {
            return Err(wrong("a width above 0 m"));
        }
    }
    let [x_m, y_m, w_right_m, w_left_m] = numbers;
    Ok(TrackPoint { x_m, y_m, w_right_m, w_left_m })
}

/// What is wrong with the rows as one closed line.
fn line_errors(rows: &[Row], file: &str) -> Vec<ConfigError> {
    if !(3..=POINTS_MAX).contains(&rows.len()) {
        let expected = format!("3 to {POINTS_MAX} points of a closed centre line");
        return vec![ConfigError::whole_file(file, expected, format!("{}", rows.len()))];
    }
    let doubled = doubled_points(rows, file);
    if !doubled.is_empty() {
        return doubled;
    }
    let line: Vec<[f64; 2]> = rows.iter().map(|row| [row.point.x_m, row.point.y_m]).collect();
    crossing::crossings(&line, CROSSINGS_TOLD_MAX)
        .into_iter()
        .map(|(first, second)| {
            let (first, second) = (rows[first].line, rows[second].line);
            ConfigError::whole_file(
                file,
                "a centre line that never meets itself",
                format!("that the stretch from here crosses the one from line {first}"),
            )
            .at(second, 0)
        })
        .collect()
}

fn doubled_points(rows: &[Row], file: &str) -> Vec<ConfigError> {
    let same = |a: &Row, b: &Row| {
        let (a, b) = (a.point, b.point);
        // Closer than a micrometre has no direction worth computing.
        (a.x_m - b.x_m).hypot(a.y_m - b.y_m) < 1e-6
    };
    let told = |row: &Row, other: usize, mend: &str| {
        let found = format!("the point of line {other} again");
        ConfigError::whole_file(file, "a point that differs from the one before", found)
            .at(row.line, 0)
            .mend(mend)
    };
    let mut errors: Vec<_> = rows
        .windows(2)
        .filter(|pair| same(&pair[0], &pair[1]))
        .map(|pair| told(&pair[1], pair[0].line, "remove this row"))
        .collect();
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    if same(first, last) {
        errors.push(told(last, first.line, "the line closes by itself: remove this row"));
    }
    errors
}
