//! Two figures in virtual time: e-stop pin to neutral pulse, and loss of the owner's commands to
//! SafeStop.
//!
//! Both take a running world as their ground and branch off from it: a copy of the kernel goes on with
//! the pin opened, or without its owner's commands. Decides what is measured and from when to when,
//! never what is enough: the bin compares. Tests: tests/swarm.rs.

use super::dice::Dice;
use super::faults::{Classes, FaultClass};
use super::setup::Setup;
use super::world::{Cycle, World};
use hil::bridge;
use hil::plant::{LineLevels, Sampled, SensorSample};
use rt_control::Kernel;
use rt_wire::{
    Arrival, Limits, LimitsFlags, LineSet, Mode, MonoNs, Outcome, PulseFlags, Raw, Source, Validity,
};
use serde::Serialize;

const MODES: [Mode; 8] = [
    Mode::Boot,
    Mode::SelfTest,
    Mode::Disarmed,
    Mode::Arming,
    Mode::Active,
    Mode::SafeStop,
    Mode::EStopLatched,
    Mode::Fault,
];
/// After so many cycles without an answer an injection counts as never answered.
const GIVE_UP_CYCLES: u64 = 20;
/// A car that in so many seeds never came into a mode, or never drove, is what is wrong.
const SEEDS_MAX: u64 = 1000;
/// From the read to the driven pins.
const EXECUTION_NS: u64 = 20_000;

/// E-stop pin to neutral pulse.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EstopFigure {
    /// Injections.
    pub injections: u64,
    /// In each mode (the mode before the cycle that saw the pin).
    pub in_mode: Vec<(&'static str, u64)>,
    /// Cycles from the opened pin to neutral pulses with relay and pump off: the worst.
    pub worst_cycles: u64,
    /// The worst in time, wake-up latency of the world included.
    pub worst_us: f64,
    /// The median in time.
    pub p50_us: f64,
}

impl EstopFigure {
    /// Whether every injection was answered in the cycle that saw it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.worst_cycles <= 1 && self.in_mode.iter().all(|(_, done)| *done > 0)
    }
}

/// Opens the e-stop pin at a random phase of the cycle, equally often in every mode.
///
/// # Errors
/// The built-in robot could not be read, or does not come into every mode.
pub fn estop_to_neutral(injections: u64, seed: u64) -> Result<EstopFigure, String> {
    let quota = injections.div_ceil(MODES.len() as u64);
    let mut done = [0_u64; MODES.len()];
    let mut dice = Dice::new(seed, 30);
    let (mut worst_cycles, mut worst_ns) = (0, 0);
    let mut times_ns = Vec::with_capacity(injections as usize);
    for seed in seed..seed.saturating_add(SEEDS_MAX) {
        let mut setup = Setup::new(seed, Classes::ALL)?;
        // What it takes to see every mode.
        setup.enabled = Classes::default()
            .with(FaultClass::PressesEstop)
            .with(FaultClass::DriveWrite)
            .with(FaultClass::TeleopDisarms);
        setup.pace = 6.0;
        let mut world = World::new(&setup);
        for _ in 0..100_000 {
            let previous = world.cycle.release.woke_at;
            world.prepare();
            let mode = world.kernel.state().mode.get().unwrap_or(Mode::Fault);
            let left = quota - done[mode as usize];
            let rare = !matches!(mode, Mode::Disarmed | Mode::Active | Mode::EStopLatched);
            let now = if previous == MonoNs(0) { 0 } else { left.min(if rare { 64 } else { 4 }) };
            for _ in 0..now {
                let gap_ns = world.cycle.release.woke_at.since(previous).max(1);
                let phase_ns = dice.between(0, gap_ns - 1);
                let (cycles, at) = answer(&world, &mut dice, &setup.limits);
                let took_ns = at.since(world.cycle.release.woke_at) + phase_ns + EXECUTION_NS;
                worst_cycles = worst_cycles.max(cycles);
                worst_ns = worst_ns.max(took_ns);
                times_ns.push(took_ns);
            }
            done[mode as usize] += now;
            world.step();
        }
        if done.iter().all(|done| *done >= quota) {
            break;
        }
    }
    if let Some((mode, done)) = MODES.iter().zip(done).find(|(_, done)| *done < quota) {
        return Err(format!(
            "{done} of {quota} injections in {} in {SEEDS_MAX} seeds: the car never came there",
            mode.name()
        ));
    }
    times_ns.sort_unstable();
    Ok(EstopFigure {
        injections: done.iter().sum(),
        in_mode: MODES.iter().zip(done).map(|(mode, done)| (mode.name(), done)).collect(),
        worst_cycles,
        worst_us: worst_ns as f64 / 1e3,
        p50_us: times_ns[times_ns.len() / 2] as f64 / 1e3,
    })
}

/// A copy of the kernel reads the opened pin: cycles until it drives nothing, and that cycle's time.
fn answer(world: &World, dice: &mut Dice, limits: &Limits) -> (u64, MonoNs) {
    let mut kernel = world.kernel.clone();
    let mut cycle = world.cycle.clone();
    open_pin(&mut cycle, dice, limits);
    for cycles in 1..=GIVE_UP_CYCLES {
        let outcome = kernel.step(&cycle.release, &cycle.observation, &cycle.inbox);
        if is_dead(&outcome, limits) {
            return (cycles, cycle.release.woke_at);
        }
        next_release(&mut cycle, limits.period_ns, 0);
    }
    (GIVE_UP_CYCLES + 1, cycle.release.woke_at)
}

/// The pin as the sim board presents it: one contact or both.
fn open_pin(cycle: &mut Cycle, dice: &mut Dice, limits: &Limits) {
    let lines = &cycle.observation.lines;
    let was = |line| lines.set.has(line);
    let two = limits.flags.has(LimitsFlags::ESTOP_TWO_CHANNELS);
    let (a, b) =
        if two { dice.pick(&[(true, true), (true, false), (false, true)]) } else { (true, false) };
    let value = LineLevels {
        estop_a_closed: !a,
        estop_b_closed: !b,
        reset_pressed: was(LineSet::RESET_PRESSED),
        arm_pressed: was(LineSet::ARM_PRESSED),
        relay_closed: was(LineSet::RELAY_CLOSED),
    };
    let sampled = Sampled { mono_ns: lines.mono_ns.0, valid: true, value };
    cycle.observation.lines =
        bridge::observation(&SensorSample { lines: sampled, ..SensorSample::default() }).lines;
}

fn is_dead(outcome: &Outcome, limits: &Limits) -> bool {
    let flags = outcome.pulses.flags;
    outcome.pulses.throttle == limits.throttle_neutral
        && !flags.has(PulseFlags::RELAY)
        && !flags.has(PulseFlags::PUMP)
        && matches!(outcome.mode.get(), Some(Mode::EStopLatched | Mode::Fault))
}

/// The cycle after, `late_ns` late, without any news.
fn next_release(cycle: &mut Cycle, period_ns: u64, late_ns: u64) {
    for slot in &mut cycle.inbox.commands {
        slot.arrival = Raw::new(Arrival::Absent);
    }
    let release = &mut cycle.release;
    release.previous_woke_at = release.woke_at;
    release.previous_finished_at = release.woke_at.plus(EXECUTION_NS);
    let due = release.release_time.plus(period_ns);
    let passed = release.previous_finished_at.since(due).div_ceil(period_ns);
    release.release_time = due.plus(passed * period_ns);
    release.cycle_index += 1 + passed;
    release.missed_releases = passed as u32;
    release.woke_at = release.release_time.plus(late_ns);
    release.sleep_ended_at = release.woke_at;
    cycle.observation.lines.mono_ns = release.woke_at;
}

/// Loss of one source's commands to SafeStop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CutOffs {
    /// The source that drove.
    pub source: &'static str,
    /// Cut-offs.
    pub cut_offs: u64,
    /// From the instant at which the last good command was made to the first cycle in SafeStop.
    pub p50_ms: f64,
    /// The worst.
    pub worst_ms: f64,
    /// The worst where the loop itself is as late as the late-event ladder lets pass.
    pub worst_late_ms: f64,
    /// What is allowed.
    pub allowed_ms: f64,
    /// What is allowed of a late loop: the last wake-up may itself be late by just less than what
    /// is an e-stop, 20 ms.
    pub allowed_late_ms: f64,
}

impl CutOffs {
    /// Whether the worst is within what is allowed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.worst_ms <= self.allowed_ms && self.worst_late_ms <= self.allowed_late_ms
    }
}

/// Cuts off the source that drives, `cut_offs` times at random instants.
///
/// # Errors
/// The built-in robot could not be read, the source never drives, or a cut-off leads elsewhere.
pub fn cut_offs(source: Source, cut_offs: u64, seed: u64) -> Result<CutOffs, String> {
    let place = source.index().ok_or("nobody cannot be cut off")?;
    let mut dice = Dice::new(seed, 40 + place as u64);
    let mut times_ns = Vec::with_capacity(cut_offs as usize);
    let mut worst_late_ns = 0;
    for seed in seed..seed.saturating_add(SEEDS_MAX) {
        let mut setup = Setup::new(seed, Classes::default())?;
        setup.limits.heartbeats_required = 0;
        let mut world = World::new(&setup);
        world.set_calm(true);
        world.leave_only(place);
        for _ in 0..60_000 {
            world.prepare();
            world.step();
            let drives =
                world.mode() == Mode::Active && world.cycle.outcome.owner.get() == Some(source);
            if drives && dice.chance(0.05) {
                times_ns.push(until_stop(&world, place, &mut dice, &setup.limits, false)?);
                let late_ns = until_stop(&world, place, &mut dice, &setup.limits, true)?;
                worst_late_ns = late_ns.max(worst_late_ns);
                if times_ns.len() as u64 >= cut_offs {
                    times_ns.sort_unstable();
                    let ms = |ns: u64| ns as f64 / 1e6;
                    return Ok(CutOffs {
                        source: source.name(),
                        cut_offs,
                        p50_ms: ms(times_ns[times_ns.len() / 2]),
                        worst_ms: times_ns.last().map_or(0.0, |ns| ms(*ns)),
                        worst_late_ms: ms(worst_late_ns),
                        allowed_ms: [150.0, 200.0, 100.0][place],
                        allowed_late_ms: [170.0, 220.0, 120.0][place],
                    });
                }
            }
        }
    }
    Err(format!("{} drove too seldom in {SEEDS_MAX} seeds to be cut off", source.name()))
}

/// A copy of the kernel goes on without news: from the last command's making to SafeStop.
fn until_stop(
    world: &World,
    place: usize,
    dice: &mut Dice,
    limits: &Limits,
    late: bool,
) -> Result<u64, String> {
    let mut kernel: Kernel = world.kernel.clone();
    let mut cycle = world.cycle.clone();
    // The branch has no car: a wheel that stood still in time would be a runaway or a stall.
    cycle.observation.wheel.validity = Raw::new(Validity::Absent);
    let made_at = world.kernel.state().accepted[place].command.mono_ns;
    // One late event less than what trips the ladder, each just short of the gross one.
    let mut lates = if late { limits.late_per_1000 - 1 } else { 0 };
    let mut was_late = false;
    loop {
        let late_now = lates > 0 && !was_late && dice.chance(0.1);
        lates -= u32::from(late_now);
        was_late = late_now;
        let late_ns =
            if late_now { limits.neutral_after_ns - 100_000 } else { dice.between(1_000, 60_000) };
        next_release(&mut cycle, limits.period_ns, late_ns);
        let outcome = kernel.step(&cycle.release, &cycle.observation, &cycle.inbox);
        let took_ns = cycle.release.woke_at.since(made_at);
        match outcome.mode.get() {
            Some(Mode::Active) if took_ns < 5_000_000_000 => {}
            Some(Mode::SafeStop) => return Ok(took_ns),
            mode => return Err(format!("{mode:?} instead of SafeStop after {took_ns} ns")),
        }
    }
}
