//! What must not happen in the loop thread, counted over many cycles of the real `fast-loop` while it
//! drives: allocations, page faults; and how much memory the process keeps.

use super::Bench;
use crate::car::Car;
use crate::report::{Goal, Pairs, Row};
use crate::running_loop::RunningLoop;
use anyhow::{Context as _, Result, ensure};
use rt_config::Robot;
use rt_wire::Mode;
use std::fs;
use std::time::Duration;

const NAME: &str = "faults";
/// The shortest period that a robot file may ask for.
const PERIOD_US: u32 = 250;
/// How often it is told how far we are.
const TELL_EVERY: Duration = Duration::from_secs(5);
const MIB: f64 = 1024.0 * 1024.0;

/// Every row.
///
/// # Errors
/// The loop does not run, or does not arm.
pub(super) fn faults(bench: &Bench) -> Result<Vec<Row>> {
    let cycles_wanted: u64 = bench.pick(100_000, 1_000_000);
    let cpu = u32::try_from(bench.cores.real_time)?;
    let robot = Robot::resolve("sim-donkey")?.edited(|file| {
        file.timing = file.timing.at_period_us(PERIOD_US);
        file.timing.cpu = Some(cpu);
    })?;
    let mut running = RunningLoop::start(&bench.fast_loop, robot)?;
    let car = Car::drive(&mut running)?;
    let (mut cycles, mut active) = (0_u64, 0_u64);
    while cycles < cycles_wanted {
        let left_us = (cycles_wanted - cycles) * u64::from(PERIOD_US);
        running.watch(TELL_EVERY.min(Duration::from_micros(left_us + 1000)), |record| {
            cycles += 1;
            active += u64::from(record.outcome.mode.get() == Some(Mode::Active));
        })?;
        eprintln!("bench: {NAME}: {cycles} of {cycles_wanted} cycles");
    }
    let resident_max = resident_max_bytes(running.pid())?;
    let health = running.stop()?.health;
    drop(car);
    ensure!(health.cycles >= cycles_wanted, "{} cycles only", health.cycles);

    let share = 100.0 * active as f64 / cycles as f64;
    let conditions = format!(
        "from seal to stop over {} cycles of {PERIOD_US} µs, {share:.1} % of them Active",
        health.cycles
    );
    let row = |what: &str, unit, value: f64, limit| {
        let mut pairs = Pairs::default();
        pairs.alone(value, health.cycles);
        Row::new(NAME, what, unit, &pairs, None, Goal::AtMost(limit))
    };
    Ok(vec![
        row("allocations of the loop thread", "", health.allocations as f64, 0.0).note(format!(
            "{conditions}; the sealed allocator ends the process at the first one, and it lived"
        )),
        row("minor page faults of the loop thread", "", health.minor_faults as f64, 0.0)
            .note(conditions.clone()),
        row("major page faults of the loop thread", "", health.major_faults as f64, 0.0)
            .note(conditions),
        row("fast-loop resident memory, highest", "MiB", resident_max / MIB, 16.0).note(format!(
            "VmHWM; {:.1} MiB at the end, segments included",
            health.resident_bytes as f64 / MIB
        )),
    ])
}

/// The most memory that the process ever had resident.
fn resident_max_bytes(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).context(path)?;
    let kib = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<f64>().ok()
        })
        .context("no VmHWM")?;
    Ok(kib * 1024.0)
}
