//! Wake-up latency and lateness at actuation: the real `fast-loop` against `cyclictest`, in turns, at
//! the same priority, core and period.
//!
//! The loop runs without a plant (mode SelfTest): it reads, judges, drives and tells in every cycle
//! all the same. cyclictest does nothing in a cycle but to note its latency.

use super::Bench;
use crate::cyclictest::{self, Setting};
use crate::report::{Goal, Pairs, Row};
use crate::running_loop::RunningLoop;
use crate::stats::Quantiles;
use anyhow::{Context as _, Result, bail};
use rt_config::{Robot, SpinMode};
use rt_wire::HealthFlags;

/// How late one run of the loop was, in ns after each release.
struct Lateness {
    woke: Quantiles,
    driven: Quantiles,
    spin_lead_us: f64,
}

/// Wake-up latency without spinning.
///
/// # Errors
/// The loop or cyclictest does not run.
pub(super) fn wakeup(bench: &Bench) -> Result<Vec<Row>> {
    let robot = robot(bench, SpinMode::Off)?;
    let (mut p50, mut p99) = (Pairs::default(), Pairs::default());
    in_turns(bench, &robot, "wakeup", |ours, theirs| {
        p50.add(ours.woke.p50 / 1e3, theirs.p50 / 1e3, ours.woke.samples);
        p99.add(ours.woke.p99 / 1e3, theirs.p99 / 1e3, ours.woke.samples);
    })?;
    let row = |what: &str, pairs: &Pairs| {
        Row::new("wakeup", what, "µs", pairs, Some("cyclictest"), Goal::AsGood)
    };
    Ok(vec![
        row("wake-up latency p50, sleep mode", &p50),
        row("wake-up latency p99, sleep mode", &p99),
    ])
}

/// Lateness with the adaptive spin window, against the wake-up of a loop that only sleeps.
///
/// # Errors
/// The loop or cyclictest does not run.
pub(super) fn actuation(bench: &Bench) -> Result<Vec<Row>> {
    let robot = robot(bench, SpinMode::Auto)?;
    let (mut woke, mut driven) = (Pairs::default(), Pairs::default());
    let mut leads_us = Vec::new();
    in_turns(bench, &robot, "actuation", |ours, theirs| {
        woke.add(ours.woke.p99 / 1e3, theirs.p99 / 1e3, ours.woke.samples);
        driven.add(ours.driven.p99 / 1e3, theirs.p99 / 1e3, ours.driven.samples);
        leads_us.push(ours.spin_lead_us);
    })?;
    let lead = crate::stats::Median::of(&leads_us).map_or(0.0, |lead| lead.median);
    let row = |what: &str, pairs: &Pairs| {
        Row::new("actuation", what, "µs", pairs, Some("cyclictest"), Goal::TimesBetter(5.0))
    };
    Ok(vec![
        row("cycle begins after its release, p99, spin auto", &woke)
            .note(format!("median spin lead {lead:.0} µs")),
        row("pins driven after the release, p99, spin auto", &driven)
            .note("includes reading, judging and driving; cyclictest's side has its wake-up only"),
    ])
}

fn robot(bench: &Bench, spin_mode: SpinMode) -> Result<Robot> {
    let cpu = u32::try_from(bench.cores.real_time)?;
    Ok(Robot::resolve("sim-donkey")?.edited(|file| {
        file.timing.spin_mode = spin_mode;
        file.timing.cpu = Some(cpu);
    })?)
}

fn in_turns(
    bench: &Bench,
    robot: &Robot,
    name: &str,
    mut take: impl FnMut(&Lateness, &Quantiles),
) -> Result<()> {
    let timing = &robot.file().timing;
    let setting = Setting {
        cpu: bench.cores.real_time,
        priority: timing.priority,
        period_us: timing.period_us,
    };
    for turn in 1..=bench.alternations {
        let ours = loop_lateness(bench, robot)?;
        let theirs = cyclictest::run(setting, bench.window())?;
        eprintln!(
            "bench: {name} {turn}/{}: ours p50 {:.1} p99 {:.1} µs, cyclictest p50 {:.1} p99 {:.1} µs",
            bench.alternations,
            ours.woke.p50 / 1e3,
            ours.woke.p99 / 1e3,
            theirs.p50 / 1e3,
            theirs.p99 / 1e3,
        );
        take(&ours, &theirs);
    }
    Ok(())
}

/// One run of the loop, watched for one window.
fn loop_lateness(bench: &Bench, robot: &Robot) -> Result<Lateness> {
    let mut running = RunningLoop::start(&bench.fast_loop, robot.clone())?;
    let (mut woke, mut driven, mut leads) = (Vec::new(), Vec::new(), Vec::new());
    let mut previous_release = None;
    running.watch(bench.window(), |record| {
        let release = &record.release;
        woke.push(release.woke_at.since(release.release_time));
        leads.push(u64::from(release.spin_lead_ns));
        // A cycle's own end is known to the next one only.
        if let Some(due) = previous_release.replace(release.release_time) {
            driven.push(release.previous_driven_at.since(due));
        }
    })?;
    let health = running.stop()?.health;
    let wanted = HealthFlags::FIFO | HealthFlags::PINNED | HealthFlags::MEMORY_LOCKED;
    if !health.flags.has(wanted) || health.priority != u32::from(robot.file().timing.priority) {
        bail!("fast-loop could not have what cyclictest has: {:?}", health.flags);
    }
    Ok(Lateness {
        woke: Quantiles::of(woke).context("no cycles")?,
        driven: Quantiles::of(driven).context("no cycles")?,
        spin_lead_us: Quantiles::of(leads).context("no cycles")?.p50 / 1e3,
    })
}
