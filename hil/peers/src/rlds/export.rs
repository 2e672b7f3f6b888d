//! `continuon rlds export` of ten minutes with a camera: how fast, and in how much memory.
//!
//! The real program, from its start to its end. Real time per core used is the episode's length over
//! the longer of the clock's and the processor's time: waiting for a disk does not count as speed.

use super::Bench;
use super::drive::Made;
use super::measured::{self, Measured};
use crate::report::{Goal, Pairs, Row};
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::Path;

const NAME: &str = "export";
/// What may be resident.
const RSS_MIB_MAX: f64 = 200.0;

/// Every row.
///
/// # Errors
/// The program refuses, or leaves out what it should have exported.
pub(super) fn export(bench: &Bench) -> Result<Vec<Row>> {
    let (short, long) = (bench.short()?, bench.long()?);
    let mut rows = Vec::new();
    for (format, speed, memory) in [
        ("tfds", Goal::AtLeast(20.0), Goal::AtMost(RSS_MIB_MAX)),
        ("lerobot", Goal::None, Goal::None),
    ] {
        let (mut times, mut small, mut large) =
            (Pairs::rates(), Pairs::default(), Pairs::default());
        let (mut cores, mut wall) = (0.0_f64, Pairs::rates());
        for turn in 1..=bench.alternations {
            let of_short = one(bench, format, short)?;
            let of_long = one(bench, format, long)?;
            let speed = long.seconds / of_long.wall_s.max(of_long.cpu_s);
            times.alone(speed, long.steps);
            wall.alone(long.seconds / of_long.wall_s, long.steps);
            small.alone(of_short.rss_mib, short.steps);
            large.alone(of_long.rss_mib, long.steps);
            cores = cores.max(of_long.cores_used());
            eprintln!(
                "bench: {NAME} {format} {turn}/{}: {speed:.1} × real time, {:.0} and {:.0} MiB",
                bench.alternations, of_short.rss_mib, of_long.rss_mib
            );
        }
        let (short_s, long_s) = (short.seconds, long.seconds);
        let wall = crate::stats::Median::of(&wall.ours).map_or(0.0, |median| median.median);
        let (bytes, count) = long.pictures;
        rows.push(
            Row::new(
                NAME,
                format!("{format} export of {long_s:.0} s with 30 fps pictures, per core used"),
                "× real time",
                &times,
                None,
                speed,
            )
            .note(format!(
                "{count} pictures of 320 × 240, {:.1} kB each, made up; at most {cores:.2} cores used; \
                 {wall:.0} × real time by the clock",
                bytes as f64 / count.max(1) as f64 / 1000.0
            )),
        );
        for (seconds, pairs) in [(short_s, &small), (long_s, &large)] {
            let what = format!("memory of the {format} export of {seconds:.0} s, highest");
            rows.push(Row::new(NAME, what, "MiB", pairs, None, memory));
        }
    }
    Ok(rows)
}

fn one(bench: &Bench, format: &str, made: &Made) -> Result<Measured> {
    let to = bench.folder.join("exported");
    let arguments = ["rlds", "export", "--format", format, "--to"].map(std::ffi::OsString::from);
    let places = [to.clone().into_os_string(), made.path.clone().into_os_string()];
    let measured = measured::run(&bench.continuon, arguments.into_iter().chain(places), &[0])?;
    let written = bytes_in(&to)?;
    fs::remove_dir_all(&to).context("the export of a turn")?;
    let pictures = made.pictures.0;
    ensure!(written > pictures, "{format}: {written} bytes with {pictures} bytes of pictures");
    Ok(measured)
}

/// Bytes of all files below `folder`.
pub(super) fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_in(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
