//! Pictures in a terminal: two rows of squares in a row of characters.
//!
//! It decides sizes and escapes; the squares are `rlds_formats::thumbnail`'s. It is asked only where
//! stdout is a terminal. Shown by: the test below.

use super::facts::seconds;
use super::strip::Shot;
use rlds_formats::thumbnail::{Colour, Thumbnail, thumbnail};
use rt_wire::MonoNs;
use std::fmt::Write;

/// One of several.
const SMALL: (usize, usize) = (22, 24);
/// One alone.
const LARGE: (usize, usize) = (64, 64);
const RESET: &str = "\x1b[0m";

/// Pictures in one row, each with its time under it.
pub(super) fn side_by_side(shots: &[Shot]) -> String {
    let first = shots.first().map_or(MonoNs(0), |shot| shot.at);
    let drawn: Vec<(Vec<String>, String)> = shots
        .iter()
        .map(|shot| {
            let time = format!("{:+.2} s", seconds(shot.at.since(first)));
            match thumbnail(&shot.jpeg, SMALL.0, SMALL.1) {
                Ok(small) => (half_blocks(&small), time),
                Err(_) => (Vec::new(), format!("{time}: not shown")),
            }
        })
        .collect();
    let rows = drawn.iter().map(|(rows, _)| rows.len()).max().unwrap_or(0);
    let mut text = String::from("\n");
    for row in 0..rows {
        for (lines, _) in &drawn {
            let blank = " ".repeat(SMALL.0);
            // Writing to a text never fails.
            write!(text, "  {}", lines.get(row).unwrap_or(&blank)).ok();
        }
        text.push('\n');
    }
    for (_, time) in &drawn {
        write!(text, "  {time:width$}", width = SMALL.0).ok();
    }
    text.push('\n');
    text
}

/// One picture; nothing where it cannot be decoded.
pub(super) fn alone(jpeg: &[u8]) -> String {
    let small = thumbnail(jpeg, LARGE.0, LARGE.1).unwrap_or_default();
    let lines = half_blocks(&small).into_iter().map(|line| format!("  {line}\n"));
    lines.collect()
}

/// The upper half of a character shows one row, its background the next.
fn half_blocks(small: &Thumbnail) -> Vec<String> {
    small
        .chunks(2)
        .map(|rows| {
            let upper = rows.first().map(Vec::as_slice).unwrap_or_default();
            let lower = rows.get(1).map(Vec::as_slice).unwrap_or_default();
            let mut line = String::new();
            for (column, above) in upper.iter().enumerate() {
                line.push_str(&half_block(*above, lower.get(column).copied()));
            }
            line + RESET
        })
        .collect()
}

fn half_block([r, g, b]: Colour, below: Option<Colour>) -> String {
    let below =
        below.map_or_else(|| "\x1b[49m".to_owned(), |[r, g, b]| format!("\x1b[48;2;{r};{g};{b}m"));
    format!("\x1b[38;2;{r};{g};{b}m{below}▀")
}

#[cfg(test)]
mod tests {
    use super::half_blocks;

    #[test]
    fn two_rows_of_squares_make_one_of_characters_and_colours_end_with_the_line() {
        let small = vec![vec![[1, 2, 3]; 2], vec![[4, 5, 6]; 2], vec![[7, 8, 9]; 2]];
        let lines = half_blocks(&small);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].matches("\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m▀").count(), 2);
        assert_eq!(lines[1].matches("\x1b[38;2;7;8;9m\x1b[49m▀").count(), 2);
        assert!(lines.iter().all(|line| line.ends_with("\x1b[0m")));
    }
}
