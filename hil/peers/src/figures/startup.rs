//! From exec to safe pins, and to a loop that may be armed: the real `fast-loop`, started again and
//! again, with a stand-in for the plant that attaches as soon as it is served.
//!
//! Both times begin before the process is even forked, on the clock of the records. On `sim` a loop
//! whose lines have never spoken stays in SelfTest, so the second one includes the plant's attach.

use super::Bench;
use crate::car;
use crate::report::{Goal, Pairs, Row};
use crate::running_loop::RunningLoop;
use crate::stats::Quantiles;
use anyhow::{Context as _, Result};
use fast_loop::clock::now as mono_now;
use rt_config::Robot;
use rt_shm::Client;
use rt_wire::topics::{PLANT, SIM_OBSERVATION};
use rt_wire::{Mode, MonoNs};
use std::thread::sleep;
use std::time::{Duration, Instant};

const NAME: &str = "startup";
const PATIENCE: Duration = Duration::from_secs(10);

/// Both rows.
///
/// # Errors
/// The loop does not start, or never comes to Disarmed.
pub(super) fn startup(bench: &Bench) -> Result<Vec<Row>> {
    let starts = bench.pick(20, 100);
    let cpu = u32::try_from(bench.cores.real_time)?;
    let robot = Robot::resolve("sim-donkey")?.edited(|file| file.timing.cpu = Some(cpu))?;
    let (mut neutral, mut disarmed) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        let begun_at = mono_now();
        let (neutral_at, disarmed_at) = one(bench, &robot)?;
        neutral.push(neutral_at.since(begun_at));
        disarmed.push(disarmed_at.since(begun_at));
    }
    let row = |what: &str, times: Vec<u64>, limit_ms: f64| -> Result<Row> {
        let most = times.iter().max().copied().context("no starts")?;
        let times = Quantiles::of(times).context("no starts")?;
        let mut pairs = Pairs::default();
        pairs.alone(most as f64 / 1e6, times.samples);
        Ok(Row::new(NAME, what, "ms", &pairs, None, Goal::AtMost(limit_ms)).note(format!(
            "the most of {} starts; p50 {:.1} ms",
            times.samples,
            times.p50 / 1e6
        )))
    };
    Ok(vec![
        row("fork to neutral pulses out, most", neutral, 20.0)?,
        row("fork to the first Disarmed, most, the plant's attach included", disarmed, 300.0)?,
    ])
}

/// When the neutral pulses were out, and when the loop first was Disarmed.
fn one(bench: &Bench, robot: &Robot) -> Result<(MonoNs, MonoNs)> {
    let mut running = RunningLoop::start(&bench.fast_loop, robot.clone())?;
    let mut plant = Client::connect(running.run_dir(), running.robot_name(), PLANT)?;
    let mut observation = plant.slot_writer(&SIM_OBSERVATION)?;
    let mut disarmed_at = None;
    let until = Instant::now() + PATIENCE;
    while disarmed_at.is_none() {
        observation.write(&car::observation(mono_now(), false));
        running.watch(Duration::from_millis(1), |record| {
            if record.outcome.mode.get() == Some(Mode::Disarmed) {
                disarmed_at.get_or_insert(record.mono_ns);
            }
        })?;
        anyhow::ensure!(Instant::now() < until, "not Disarmed within {PATIENCE:?}");
        sleep(Duration::from_micros(100));
    }
    let neutral_at = running.stop()?.health.neutral_at;
    Ok((neutral_at, disarmed_at.context("it came")?))
}
