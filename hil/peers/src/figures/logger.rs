//! `rlds-logger` beside a loop that drives at 1 kHz: what it costs, and whether it keeps every record.
//!
//! We read the same ring ourselves, and the episode must hold as many records as we saw between its
//! first and its last.

use super::Bench;
use crate::car::Car;
use crate::report::{Goal, Pairs, Row};
use crate::running_loop::RunningLoop;
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rt_config::Robot;
use serde::Deserialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const NAME: &str = "logger";
/// It syncs and closes its episode.
const PATIENCE: Duration = Duration::from_secs(20);

/// What we need of `episode.json`.
#[derive(Debug, Deserialize)]
struct Episode {
    telemetry_records: u64,
    telemetry_lost_ring: u64,
    telemetry_lost_disk: u64,
    first_sequence: u64,
    last_sequence: u64,
}

/// A child that does not outlive us.
struct Logger(Child);

impl Drop for Logger {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Every row.
///
/// # Errors
/// The logger cannot be started, or leaves no episode.
pub(super) fn logger(bench: &Bench) -> Result<Vec<Row>> {
    let window = Duration::from_secs(bench.pick(5, 20));
    let cpu = u32::try_from(bench.cores.real_time)?;
    let robot = Robot::resolve("sim-donkey")?.edited(|file| file.timing.cpu = Some(cpu))?;
    let mut running = RunningLoop::start(&bench.fast_loop, robot)?;
    let episodes = running.dir().join("episodes");
    let mut sequences = Vec::new();
    let mut logger = start(bench, &running, &episodes)?;
    let car = Car::drive(&mut running)?;

    let mut shares = Pairs::default();
    let turns = 5_u32;
    for turn in 1..=turns {
        let (before, begun) = (cpu_seconds(logger.0.id())?, Instant::now());
        running.watch(window / turns, |record| sequences.push(record.sequence))?;
        let share = (cpu_seconds(logger.0.id())? - before) / begun.elapsed().as_secs_f64();
        shares.alone(100.0 * share, 0);
        eprintln!("bench: {NAME} {turn}/{turns}: {:.1} % of a core", 100.0 * share);
    }
    // Whatever it still takes in while it closes, we see too.
    kill(Pid::from_raw(i32::try_from(logger.0.id())?), Signal::SIGTERM)?;
    let until = Instant::now() + PATIENCE;
    let status = loop {
        running.watch(Duration::from_millis(20), |record| sequences.push(record.sequence))?;
        match logger.0.try_wait()? {
            Some(status) => break status,
            None if Instant::now() > until => bail!("rlds-logger does not end when told to"),
            None => {}
        }
    };
    ensure!(status.success(), "rlds-logger: {status}");
    running.watch(Duration::from_millis(20), |record| sequences.push(record.sequence))?;
    drop(car);
    // Before the loop ends, whose folder it lies in.
    let episode = newest_episode(&episodes)?;
    running.stop()?;

    // The logger began with older records than we kept: compare what both saw.
    let first = episode.first_sequence.max(sequences.first().copied().unwrap_or(u64::MAX));
    let ours = sequences.iter().filter(|n| (first..=episode.last_sequence).contains(n)).count();
    let older = first - episode.first_sequence;
    let kept = episode.telemetry_records.saturating_sub(older);
    let lost = (ours as u64).abs_diff(kept);
    let told = episode.telemetry_lost_ring + episode.telemetry_lost_disk;
    shares.samples = sequences.len() as u64;
    let mut missing = Pairs::default();
    missing.alone(lost.max(told) as f64, ours as u64);
    Ok(vec![
        Row::new(NAME, "rlds-logger at 1 kHz", "% of a core", &shares, None, Goal::AtMost(5.0))
            .note(format!("user and system time over {} s", window.as_secs())),
        Row::new(NAME, "records lost by rlds-logger", "", &missing, None, Goal::AtMost(0.0)).note(
            format!("its episode has {kept} of the {ours} that we read ourselves; it says {told}"),
        ),
    ])
}

fn start(bench: &Bench, running: &RunningLoop, episodes: &Path) -> Result<Logger> {
    let program = &bench.rlds_logger;
    ensure!(program.is_file(), "{}: no such program", program.display());
    let log = running.dir().join("rlds-logger.log");
    let child = Command::new(program)
        .arg("--robot")
        .arg(running.robot_path())
        .arg("--run-dir")
        .arg(running.run_dir())
        .arg("--episodes-dir")
        .arg(episodes)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).context("its log")?)
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let mut logger = Logger(child);
    sleep(Duration::from_millis(500));
    if let Some(status) = logger.0.try_wait()? {
        let said = fs::read_to_string(&log).unwrap_or_default();
        bail!("rlds-logger ended at once: {status}: {}", said.trim());
    }
    Ok(logger)
}

/// User and system time of a process, all of its threads: as the scheduler counts it, in ns. (The
/// ticks of /proc/PID/stat are 10 ms, a fifth of what there is to measure in a second.)
fn cpu_seconds(pid: u32) -> Result<f64> {
    let mut sum_ns = 0_u64;
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the logger's threads")? {
        let path = task?.path().join("schedstat");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        sum_ns += text.split_whitespace().next().context("schedstat")?.parse::<u64>()?;
    }
    Ok(sum_ns as f64 * 1e-9)
}

/// The episode that was begun last; their names begin with their time.
fn newest_episode(episodes: &Path) -> Result<Episode> {
    let mut paths: Vec<PathBuf> = fs::read_dir(episodes)
        .with_context(|| format!("episodes in {}", episodes.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().join("episode.json")))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let path = paths.last().context("rlds-logger left no episode")?;
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
