//! One cycle's work without its sleep, in process: what the loop does between waking and sleeping,
//! with the real kernel and its mirror, the real `sim` board, the real inlets and the real telemetry
//! segment.
//!
//! Time is made up (a millisecond a cycle), so that nothing waits; what the others say is written
//! between the timed stretches, at their own rates. The median is taken in batches, the tail cycle by
//! cycle. Beside each turn stands the bounce of a bare cache line between the two cores: the machine's
//! own unit of time.

use super::{Bench, transport};
use crate::car::{self, COMMAND_EVERY, HEARTBEAT_EVERY, PILOT_PLACE};
use crate::report::{Goal, Pairs, Row};
use crate::stats::{Median, Quantiles};
use anyhow::{Context as _, Result, anyhow, bail};
use fast_loop::clock::now as mono_now;
use fast_loop::inlets::{self, Inlets, Offer, Outlets};
use fast_loop::mirror::Mirror;
use rt_board::{Board as _, SimBoard};
use rt_config::Robot;
use rt_control::Kernel;
use rt_ring::sync::AtomicU64;
use rt_ring::{Identity, RingWriter, SlotWriter, slot_words};
use rt_shm::Segments;
use rt_wire::topics::{self, Topic};
use rt_wire::{
    Command, Heartbeat, Housekeeping, HousekeepingFlags, Mode, MonoNs, Observation, OperatorKind,
    OperatorRequest, Raw, Record, Release, Telemetry,
};
use std::thread;
use std::time::Duration;

const NAME: &str = "step";
/// Cycles between two short sleeps.
const CYCLES_AT_A_TIME: u64 = 1000;
/// Cycles of a batch: so few that a command outlives a batch without judgement.
const BATCH: u64 = 20;
/// Made-up time of a cycle.
const PERIOD_NS: u64 = 1_000_000;
/// How late each made-up cycle wakes.
const WAKEUP_LATENCY_NS: u64 = 20_000;

/// Every row.
///
/// # Errors
/// No memory for the segments, or the kernel does not become Active.
pub(super) fn step(bench: &Bench) -> Result<Vec<Row>> {
    bench.in_real_time(measure)
}

fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let cycles = bench.pick(20_000, 200_000);
    let mut rig = Rig::new()?;
    rig.drive_until_active()?;
    let overhead_ns = clock_overhead_ns()?;
    let (mut p50, mut p999) = (Pairs::default(), Pairs::default());
    let (mut judged_p50, mut judged_p999) = (Pairs::default(), Pairs::default());
    let mut step_p50 = Pairs::default();
    let mut bounces = Pairs::default();
    for turn in 1..=bench.alternations {
        let judged = rig.time_each(cycles, overhead_ns, Stretch::JudgeAndTell)?;
        let whole = rig.time_each(cycles, overhead_ns, Stretch::WholeCycle)?;
        let step_mean = rig.time_in_batches(cycles, Stretch::Step)?;
        let judged_mean = rig.time_in_batches(cycles, Stretch::JudgeAndTell)?;
        let whole_mean = rig.time_in_batches(cycles, Stretch::WholeCycle)?;
        let bounce = transport::bare_line_ns(bench)?;
        step_p50.alone(step_mean, cycles);
        judged_p50.alone(judged_mean, cycles);
        judged_p999.alone(judged.p999, judged.samples);
        p50.alone(whole_mean, cycles);
        p999.alone(whole.p999, whole.samples);
        bounces.add(whole_mean, bounce, cycles);
        eprintln!(
            "bench: {NAME} {turn}/{}: step p50 {step_mean:.0} ns, step + publish p50 {judged_mean:.0} (single {:.0}) p99.9 {:.0} ns, \
             whole cycle p50 {whole_mean:.0} (single {:.0}) p99.9 {:.0} ns, bounce {bounce:.0} ns",
            bench.alternations, judged.p50, judged.p999, whole.p50, whole.p999
        );
    }
    let in_bounces = |pairs: &Pairs| {
        let found = Median::of_ratios(&pairs.ours, &bounces.peer);
        found.map_or_else(String::new, |found| {
            format!("{:.1} bounces of a cache line (one way)", found.median)
        })
    };
    let row = |what: &str, pairs: &Pairs, limit| {
        Row::new(NAME, what, "ns", pairs, None, Goal::AtMost(limit)).note(in_bounces(pairs))
    };
    let record = size_of::<Telemetry>();
    Ok(vec![
        row("Kernel::step alone p50", &step_p50, 200.0),
        row(&format!("mirror + step + publish ({record} B record) p50"), &judged_p50, 500.0),
        row("mirror + step + publish p99.9", &judged_p999, 2000.0),
        row("read + inbox + mirror + step + drive + publish p50", &p50, 500.0),
        row("read + inbox + mirror + step + drive + publish p99.9", &p999, 2000.0),
    ])
}

/// What is timed of a cycle.
#[derive(Clone, Copy)]
enum Stretch {
    /// `Kernel::step` alone; in batches only.
    Step,
    /// The mirror, `Kernel::step` and the publishing of its record.
    JudgeAndTell,
    /// All that stands between two sleeps.
    WholeCycle,
}

/// What two readings of the clock with nothing between them differ by.
fn clock_overhead_ns() -> Result<u64> {
    let samples = (0..10_000).map(|_| {
        let start = mono_now();
        mono_now().since(start)
    });
    let found = Quantiles::of(samples.collect()).context("no samples")?;
    Ok(found.p50 as u64)
}

/// Everything that the loop thread has, and the others' side of it.
struct Rig {
    board: SimBoard,
    kernel: Kernel,
    mirror: Mirror,
    inlets: Inlets,
    telemetry: RingWriter<'static, Telemetry>,
    record: Telemetry,
    outlets: Outlets,
    observation: SlotWriter<'static, Observation>,
    command: SlotWriter<'static, Command>,
    heartbeat: SlotWriter<'static, Heartbeat>,
    cycle: u64,
}

impl Rig {
    fn new() -> Result<Self> {
        let robot = Robot::resolve("sim-donkey")?;
        let segments = Segments::create("peers-step", true, false)?;
        let pins = SlotWriter::create(
            segments.words(&topics::SIM_PINS)?,
            segments.identity(&topics::SIM_PINS),
        )?;
        let telemetry = RingWriter::create(
            segments.words(&topics::TELEMETRY)?,
            topics::TELEMETRY.depth as usize,
            segments.identity(&topics::TELEMETRY),
        )?;
        let limits = robot.limits();
        let neutral = (limits.steering_neutral, limits.throttle_neutral);
        let (mut outlets, inlets) = inlets::link();
        let kernel = Kernel::new(&limits, 1);
        Ok(Self {
            board: SimBoard::open(pins, neutral).board,
            mirror: Mirror::new(kernel.state(), &limits),
            kernel,
            inlets,
            telemetry,
            record: Telemetry::default(),
            observation: offered(&mut outlets, &topics::SIM_OBSERVATION)?,
            command: offered(&mut outlets, &topics::COMMANDS[PILOT_PLACE])?,
            heartbeat: offered(&mut outlets, &topics::HEARTBEATS[PILOT_PLACE])?,
            outlets,
            cycle: 0,
        })
    }

    /// Arms and waits, as an operator would.
    fn drive_until_active(&mut self) -> Result<()> {
        for cycle in 0..5000 {
            self.prepare(false);
            if cycle == 200 {
                let kind = Raw::new(OperatorKind::Arm);
                let request = OperatorRequest { sequence: 1, mono_ns: self.now(), kind, uid: 0 };
                self.outlets.request(request).ok().context("the queue is full")?;
            }
            self.whole_cycle();
            if self.record.outcome.mode.get() == Some(Mode::Active) {
                return Ok(());
            }
        }
        let outcome = &self.record.outcome;
        bail!("not Active: {:?}, {:?}, {:?}", outcome.mode, outcome.causes, outcome.interlocks)
    }

    fn now(&self) -> MonoNs {
        MonoNs((self.cycle + 1000) * PERIOD_NS)
    }

    /// What happens outside the loop thread until the next cycle.
    fn prepare(&mut self, active: bool) {
        self.cycle += 1;
        let now = self.now();
        self.observation.write(&car::observation(now, active));
        if self.cycle.is_multiple_of(COMMAND_EVERY) {
            self.command.write(&car::command(self.cycle, now, active));
        }
        if self.cycle.is_multiple_of(HEARTBEAT_EVERY) {
            self.heartbeat.write(&car::heartbeat(self.cycle, now));
            let flags = HousekeepingFlags::REALTIME
                | HousekeepingFlags::MEMORY_LOCKED
                | HousekeepingFlags::SEALED;
            let word = Housekeeping {
                sequence: self.cycle,
                mono_ns: now,
                flags,
                ..Housekeeping::default()
            };
            self.outlets.housekeeping(&word);
        }
        let previous = self.record.release;
        self.record.release = Release {
            cycle_index: self.cycle,
            release_time: now,
            sleep_ended_at: now.plus(WAKEUP_LATENCY_NS),
            woke_at: now.plus(WAKEUP_LATENCY_NS),
            previous_woke_at: previous.woke_at,
            previous_driven_at: previous.woke_at.plus(1000),
            previous_finished_at: previous.woke_at.plus(2000),
            missed_releases: 0,
            spin_lead_ns: 0,
        };
    }

    /// All that stands between two sleeps of the loop.
    fn whole_cycle(&mut self) {
        self.read();
        self.judge();
        self.drive();
        self.tell();
    }

    fn read(&mut self) {
        self.board.read(self.record.release.woke_at, &mut self.record.observation);
        self.inlets.copy(&mut self.record.inbox, &mut self.board);
    }

    fn judge(&mut self) {
        self.record.observation.integrity =
            self.mirror.compare(self.kernel.state(), self.kernel.limits());
        self.step();
        self.mirror.refresh(self.kernel.state());
    }

    fn step(&mut self) {
        let Telemetry { release, observation, inbox, .. } = &self.record;
        self.record.outcome = self.kernel.step(release, observation, inbox);
    }

    fn drive(&mut self) {
        let release = &self.record.release;
        let pulses = &self.record.outcome.pulses;
        // The sim board cannot fail.
        self.board.drive(release.cycle_index, release.woke_at, pulses).ok();
    }

    fn tell(&mut self) {
        self.record.sequence = self.telemetry.published() + 1;
        self.record.cycle_index = self.record.release.cycle_index;
        self.record.mono_ns = self.record.release.woke_at;
        self.telemetry.publish(&self.record);
    }

    /// Times a stretch of each of `cycles` cycles in Active, one by one, in ns.
    fn time_each(&mut self, cycles: u64, overhead_ns: u64, stretch: Stretch) -> Result<Quantiles> {
        let mut samples = Vec::with_capacity(usize::try_from(cycles)?);
        for cycle in 0..cycles {
            rest(cycle);
            self.prepare(true);
            let took = match stretch {
                Stretch::Step => bail!("one step is too short to time alone"),
                Stretch::JudgeAndTell => {
                    self.read();
                    let start = mono_now();
                    self.judge();
                    self.tell();
                    let took = mono_now().since(start);
                    self.drive();
                    took
                }
                Stretch::WholeCycle => {
                    let start = mono_now();
                    self.whole_cycle();
                    mono_now().since(start)
                }
            };
            samples.push(took.saturating_sub(overhead_ns));
        }
        self.is_still_active()?;
        Quantiles::of(samples).context("no cycles")
    }

    /// Mean cost of a stretch in batches, the median over them, in ns: stores that are still on
    /// their way when a clock is read are in it, and the clock is not.
    fn time_in_batches(&mut self, cycles: u64, stretch: Stretch) -> Result<f64> {
        let mut means = Vec::new();
        for batch in 0..cycles / BATCH {
            rest(batch * BATCH);
            let with = self.batch(stretch, true);
            let without = self.batch(stretch, false);
            means.push((with as f64 - without as f64) / BATCH as f64);
        }
        self.is_still_active()?;
        Median::of(&means).map(|found| found.median).context("no cycles")
    }

    /// Time of one batch with everything that goes with the stretch, with or without itself.
    fn batch(&mut self, stretch: Stretch, with: bool) -> u64 {
        let start = mono_now();
        for _ in 0..BATCH {
            self.prepare(true);
            match (stretch, with) {
                (Stretch::Step, true) => {
                    self.read();
                    self.step();
                    self.mirror.refresh(self.kernel.state());
                    self.drive();
                    self.tell();
                }
                (Stretch::Step, false) => {
                    self.read();
                    self.mirror.refresh(self.kernel.state());
                    self.drive();
                    self.tell();
                }
                (Stretch::JudgeAndTell, true) => self.whole_cycle(),
                (Stretch::JudgeAndTell, false) => {
                    self.read();
                    self.drive();
                }
                (Stretch::WholeCycle, true) => self.whole_cycle(),
                (Stretch::WholeCycle, false) => {}
            }
        }
        mono_now().since(start)
    }

    fn is_still_active(&self) -> Result<()> {
        let outcome = &self.record.outcome;
        if outcome.mode.get() == Some(Mode::Active) {
            return Ok(());
        }
        bail!("no longer Active: {:?}, {:?}", outcome.mode, outcome.causes)
    }
}

/// A real-time thread that never sleeps is stopped by the kernel.
fn rest(cycle: u64) {
    if cycle.is_multiple_of(CYCLES_AT_A_TIME) {
        thread::sleep(Duration::from_micros(200));
    }
}

/// A slot of ours that the loop's side was offered, as after an attach.
fn offered<T: Record>(
    outlets: &mut Outlets,
    topic: &'static Topic,
) -> Result<SlotWriter<'static, T>> {
    let words: Vec<AtomicU64> = (0..slot_words::<T>()).map(|_| AtomicU64::new(0)).collect();
    let words: &'static [AtomicU64] = words.leak();
    let identity = Identity { layout_hash: T::LAYOUT_HASH, generation: 1 };
    let writer = SlotWriter::create(words, identity)?;
    let offer = Offer { topic, words, generation: 1 };
    outlets.offer(offer).map_err(|_full| anyhow!("the queue of offers is full"))?;
    Ok(writer)
}
