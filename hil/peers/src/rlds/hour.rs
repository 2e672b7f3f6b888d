//! What an hour of driving takes on the disk: all files of the episode, by what they are.

use super::Bench;
use super::export::bytes_in;
use crate::report::{Goal, Pairs, Row};
use anyhow::{Context as _, Result};
use std::fs;

const NAME: &str = "hour";
const HOUR_S: f64 = 3600.0;
const MB_MAX: f64 = 600.0;

/// Every row.
///
/// # Errors
/// The episode cannot be made.
pub(super) fn hour(bench: &Bench) -> Result<Vec<Row>> {
    let made = bench.hour()?;
    let bytes = |path: &std::path::Path| {
        Ok::<_, anyhow::Error>(
            fs::metadata(path).with_context(|| path.display().to_string())?.len(),
        )
    };
    let all = bytes_in(&made.path)?;
    let recording = bytes(&made.recording())?;
    let steps = bytes_in(&made.path.join("steps"))?;
    let an_hour = |bytes: u64| mb_an_hour(bytes, made.seconds);
    let scaled = match made.seconds < HOUR_S {
        true => format!("scaled from {} s; ", made.seconds),
        false => String::new(),
    };
    let records = (made.seconds * 1000.0) as u64;
    let row = |what: &str, value: f64, goal| {
        let mut pairs = Pairs::default();
        pairs.alone(value, records);
        Row::new(NAME, what, "MB", &pairs, None, goal)
    };
    let camera = bench.long()?;
    let (picture_bytes, count) = camera.pictures;
    let live = super::live::bytes_an_hour_without_camera(bench)?;
    Ok(vec![
        row("an hour of 1 kHz telemetry on the disk, all files", an_hour(all), Goal::AtMost(MB_MAX))
            .note(format!(
                "{scaled}virtual car, Active in {:.0} % of the cycles, {} steps; 3600 keyframes an \
                 hour; the loop logs nothing there",
                100.0 * made.active,
                made.steps
            )),
        row("of it the recording", an_hour(recording), Goal::None),
        row("of it the steps", an_hour(steps), Goal::None),
        row("the same of a live loop, all files", live.0, Goal::AtMost(MB_MAX)).note(format!(
            "scaled from {:.0} s: a real clock's jitter and the loop's log pack worse, a stand-in's \
             sensors better",
            live.1
        )),
        row("a camera's pictures, 30 fps, beside it", mb_an_hour(picture_bytes, camera.seconds), Goal::None)
            .note(format!(
                "scaled from {count} pictures; {:.1} kB each, which nothing packs any smaller",
                picture_bytes as f64 / count.max(1) as f64 / 1000.0
            )),
    ])
}

/// MB (of 10^6 bytes) an hour.
pub(super) fn mb_an_hour(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 * 1e-6 * HOUR_S / seconds
}

#[cfg(test)]
mod tests {
    use super::mb_an_hour;

    #[test]
    fn a_minute_is_scaled_to_an_hour() {
        assert_eq!(mb_an_hour(10_000_000, 60.0), 600.0);
        assert_eq!(mb_an_hour(600_000_000, 3600.0), 600.0);
    }
}
