//! `cyclictest` of rt-tests: the yardstick for wake-up latency on Linux.
//!
//! Run as its users run it (memory locked, FIFO, one thread on one core, absolute sleeps), told to
//! count in ns and to write its histogram as JSON. Wake-ups later than a millisecond are counted there
//! and not told apart. Shown by the test below.

use crate::stats::Quantiles;
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The longest latency that it tells apart.
const HISTOGRAM_NS: u64 = 1_000_000;

/// How it shall run: as the loop it is held against.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Core of its thread.
    pub cpu: usize,
    /// FIFO priority of its thread.
    pub priority: u8,
    /// Time between two wake-ups.
    pub period_us: u32,
}

#[derive(Deserialize)]
struct Output {
    thread: BTreeMap<String, Thread>,
}

#[derive(Deserialize)]
struct Thread {
    histogram: BTreeMap<String, u64>,
    cycles: u64,
    max: u64,
}

/// Runs it for `duration`, in whole seconds.
///
/// # Errors
/// It is not installed, or fails, and what it says.
pub fn run(setting: Setting, duration: Duration) -> Result<Quantiles> {
    let dir = tempfile::tempdir().context("a folder")?;
    let json = dir.path().join("cyclictest.json");
    let output = Command::new("cyclictest")
        .args(["--mlockall", "--quiet", "--nsecs", "--policy=fifo", "--threads=1"])
        .arg(format!("--priority={}", setting.priority))
        .arg(format!("--affinity={}", setting.cpu))
        .arg(format!("--interval={}", setting.period_us))
        .arg(format!("--duration={}", duration.as_secs().max(1)))
        .arg(format!("--histogram={HISTOGRAM_NS}"))
        .arg(format!("--json={}", json.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .context("cyclictest cannot be started (Debian: apt install rt-tests)")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("cyclictest: {}: {}", output.status, said.trim());
    }
    let text = fs::read_to_string(&json).context("what cyclictest wrote")?;
    quantiles(&text)
}

fn quantiles(json: &str) -> Result<Quantiles> {
    let output: Output = serde_json::from_str(json).context("what cyclictest wrote")?;
    let thread = output.thread.into_values().next().context("cyclictest wrote no thread")?;
    let mut counted = Vec::with_capacity(thread.histogram.len() + 1);
    for (latency_ns, count) in &thread.histogram {
        counted.push((latency_ns.parse::<u64>().context("a latency of cyclictest")?, *count));
    }
    counted.sort_unstable();
    let told: u64 = counted.iter().map(|(_, count)| count).sum();
    if thread.cycles > told {
        // All that is known of them is that they came later, and the latest of them. Taken for the
        // shortest that they can be: it never flatters us.
        counted.push((HISTOGRAM_NS.min(thread.max), thread.cycles - told));
    }
    Quantiles::of_counted(counted).context("cyclictest ran no cycle")
}

#[cfg(test)]
mod tests {
    use super::quantiles;

    #[test]
    fn a_histogram_is_read_in_order_of_latency_with_the_late_ones_at_its_end() {
        let json = r#"{ "num_threads": 1, "thread": { "0": {
            "histogram": { "9000": 900, "10000": 80, "200000": 10 },
            "cycles": 1000, "min": 9000, "max": 4571628, "avg": 1.0, "cpu": 1, "node": 0 } } }"#;
        let found = quantiles(json).expect("valid");
        assert_eq!(found.samples, 1000);
        assert_eq!((found.p50, found.p99, found.p999), (9000.0, 200_000.0, 1_000_000.0));
    }
}
