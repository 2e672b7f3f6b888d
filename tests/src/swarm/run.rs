//! One seed: storms and calms, every oracle on every cycle, samples of replay and non-interference.
//!
//! Decides when a storm ends and what a run came to. A failure is a rule, a cycle and a seed: the same
//! seed fails in the same cycle. Tests: tests/swarm.rs.

use super::dice::Dice;
use super::faults::Classes;
use super::marks::Marks;
use super::oracles::{Broken, Oracles};
use super::setup::Setup;
use super::trace;
use super::world::{Cycle, World};
use rt_control::Kernel;
use rt_wire::{Arrival, CommandFlags, KernelState, Mode, Outcome, Raw, Source};
use serde::Serialize;
use zerocopy::IntoBytes;

/// A calm in which the car has not come back to Active after this is a failure.
const RECOVERY_NS: u64 = 6_000_000_000;
/// After it has, it drives on without faults for this long.
const QUIET_DRIVE_NS: u64 = 400_000_000;
/// One stretch in so many cycles is replayed.
const REPLAY_EVERY: f64 = 1.0 / 3000.0;
const REPLAY_CYCLES: usize = 40;
/// One cycle with news in so many is run again without its bystanders.
const BYSTANDERS_EVERY: f64 = 1.0 / 8.0;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// The cycle, counted from 1 over the whole run.
    pub cycle: u64,
    /// The rule that does not hold.
    pub rule: String,
    /// What was found.
    pub found: String,
    /// The last cycles, one a line.
    pub trace: Vec<String>,
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Cycles.
    pub cycles: u64,
    /// Fault classes that may be enabled.
    pub only: Classes,
}

struct Run {
    world: World,
    oracles: Oracles,
    marks: Marks,
    dice: Dice,
    replay: Option<Replay>,
    phase_ends_at: u64,
    calm_began_at: u64,
    recovered_at: Option<u64>,
}

/// A stretch that is being recorded.
struct Replay {
    keyframe: Box<KernelState>,
    cycles: Vec<Cycle>,
}

/// Runs a seed.
///
/// # Errors
/// The rule that does not hold, with the trace of the cycles before it.
pub fn run(plan: &Plan) -> Result<Marks, Box<Failure>> {
    let failed = |cycle, broken: Broken, trace| {
        let Broken { rule, found } = broken;
        Box::new(Failure { seed: plan.seed, cycle, rule: rule.to_owned(), found, trace })
    };
    let setup = Setup::new(plan.seed, plan.only).map_err(|found| {
        failed(0, Broken { rule: "the built-in robot can be read", found }, Vec::new())
    })?;
    let mut run = Run::new(&setup);
    for cycle in 1..=plan.cycles {
        if let Err(broken) = run.cycle(&setup) {
            return Err(failed(cycle, broken, lines_before(plan, &setup, cycle)));
        }
    }
    run.marks.frames = run.world.sources.network.happened;
    Ok(run.marks)
}

/// Runs up to the failure once more and writes the last cycles down.
fn lines_before(plan: &Plan, setup: &Setup, cycle: u64) -> Vec<String> {
    let mut run = Run::new(setup);
    let mut lines = vec![format!("seed {}, faults {}", plan.seed, setup.enabled.names())];
    for at in 1..=cycle {
        let ended = run.cycle(setup).is_err();
        if at + trace::LINES > cycle || ended {
            lines.push(trace::line(at, &run.world));
        }
    }
    lines
}

impl Run {
    fn new(setup: &Setup) -> Self {
        Self {
            world: World::new(setup),
            oracles: Oracles::new(&setup.limits),
            marks: Marks::default(),
            dice: Dice::new(setup.seed, 3),
            replay: None,
            phase_ends_at: 0,
            calm_began_at: 0,
            recovered_at: None,
        }
    }

    fn cycle(&mut self, setup: &Setup) -> Result<(), Broken> {
        self.world.prepare();
        let twin = self.maybe_twin();
        let keyframe = self.maybe_keyframe();
        self.world.step();
        let passed = self.oracles.check(&self.world)?;
        let world = &self.world;
        self.marks.cycle(passed.from, passed.to, world.faults.began, &world.cycle.outcome);
        self.marks.pushed += u64::from(world.car.pushed_at + 1_000_000 >= world.now_ns());
        if let Some(twin) = twin {
            self.without_bystanders(twin)?;
        }
        self.replay_stretch(setup, keyframe)?;
        if setup.can_drive() { self.phase() } else { Ok(()) }
    }

    /// Storm, then calm until the car drives again, then storm.
    fn phase(&mut self) -> Result<(), Broken> {
        let now_ns = self.world.now_ns();
        if !self.world.calm {
            if now_ns >= self.phase_ends_at && self.phase_ends_at != 0 {
                self.world.set_calm(true);
                self.calm_began_at = now_ns;
                self.recovered_at = None;
            } else if self.phase_ends_at == 0 {
                self.phase_ends_at = now_ns + self.dice.between_ms(3_000, 12_000);
            }
            return Ok(());
        }
        let mode = self.world.mode();
        let begun = now_ns >= self.calm_began_at + super::world::HANDS_OFF_NS;
        match self.recovered_at {
            None if begun && mode == Mode::Active => self.recovered_at = Some(now_ns),
            None if now_ns > self.calm_began_at + RECOVERY_NS => {
                let causes = &self.world.cycle.outcome.causes;
                let found = format!(
                    "{mode:?} {} ms after the last fault, causes {causes:?}",
                    RECOVERY_NS / 1_000_000
                );
                return Err(Broken { rule: "release, reset and arm lead back to Active", found });
            }
            Some(at) if mode != Mode::Active => {
                let found = format!("{mode:?}, {} ns after it became Active", now_ns - at);
                return Err(Broken { rule: "without a fault the car drives on", found });
            }
            Some(at) if now_ns >= at + QUIET_DRIVE_NS => {
                self.marks.recoveries += 1;
                self.world.set_calm(false);
                self.phase_ends_at = 0;
            }
            None | Some(_) => {}
        }
        Ok(())
    }

    fn maybe_twin(&mut self) -> Option<(Kernel, Source)> {
        let inbox = &self.world.cycle.inbox;
        let news = inbox.commands.iter().any(|slot| slot.arrival.get() == Some(Arrival::New));
        let owner = self.world.kernel.state().owner.get().unwrap_or(Source::None);
        (news && self.dice.chance(BYSTANDERS_EVERY)).then(|| (self.world.kernel.clone(), owner))
    }

    /// Sources that neither own nor win a claim change nothing but by an e-stop, or teleop's disarm.
    fn without_bystanders(
        &mut self,
        (mut twin, owner_before): (Kernel, Source),
    ) -> Result<(), Broken> {
        let Cycle { release, observation, inbox, outcome, .. } = &self.world.cycle;
        let mut quiet = *inbox;
        let involved = [owner_before, outcome.owner.get().unwrap_or(Source::None)];
        for (place, slot) in quiet.commands.iter_mut().enumerate() {
            let heard = CommandFlags::ESTOP | CommandFlags::DISARM | CommandFlags::ARM;
            let matters = involved.iter().any(|source| source.index() == Some(place))
                || slot.command.flags.0 & heard.0 != 0;
            if !matters {
                slot.arrival = Raw::new(Arrival::Absent);
            }
        }
        let other = twin.step(release, observation, &quiet);
        let facts =
            |of: &Outcome| (of.mode, of.level, of.owner, of.pulses.flags, of.pulses.throttle);
        self.marks.bystanders += 1;
        if facts(&other) == facts(outcome) {
            return Ok(());
        }
        let found = format!("{:?} with bystanders, {:?} without", facts(outcome), facts(&other));
        Err(Broken { rule: "bystanders change nothing", found })
    }

    fn maybe_keyframe(&mut self) -> Option<Box<KernelState>> {
        let begins = self.replay.is_none() && self.dice.chance(REPLAY_EVERY);
        begins.then(|| Box::new(*self.world.kernel.state()))
    }

    /// Recorded inputs from a keyframe give the recorded outcomes, bit for bit.
    fn replay_stretch(
        &mut self,
        setup: &Setup,
        keyframe: Option<Box<KernelState>>,
    ) -> Result<(), Broken> {
        if let Some(keyframe) = keyframe {
            self.replay = Some(Replay { keyframe, cycles: Vec::with_capacity(REPLAY_CYCLES) });
        }
        let Some(replay) = &mut self.replay else { return Ok(()) };
        if self.world.cycle.is_first {
            // Another kernel: nothing to compare with.
            self.replay = None;
            return Ok(());
        }
        replay.cycles.push(self.world.cycle.clone());
        if replay.cycles.len() < REPLAY_CYCLES {
            return Ok(());
        }
        let differs = |found: String| Broken { rule: "a replay is equal bit for bit", found };
        let mut kernel = Kernel::resume(&setup.limits, &replay.keyframe)
            .ok_or_else(|| differs("the keyframe is refused".to_owned()))?;
        for (at, cycle) in replay.cycles.iter().enumerate() {
            let outcome = kernel.step(&cycle.release, &cycle.observation, &cycle.inbox);
            if outcome.as_bytes() != cycle.outcome.as_bytes() {
                return Err(differs(format!(
                    "cycle {at}: {outcome:?}, recorded {:?}",
                    cycle.outcome
                )));
            }
        }
        if kernel.state().as_bytes() != self.world.kernel.state().as_bytes() {
            return Err(differs("the memory at the end differs".to_owned()));
        }
        self.marks.replays += 1;
        self.replay = None;
        Ok(())
    }
}
