//! What must hold in every cycle, whatever happens.
//!
//! Stated from outside: over what the onlooker saw (`seen`), what the kernel told and what the car
//! did. Each rule has a name and says what it found; the names in brackets are the invariants of
//! rt-core/README.md. It must never ask `rt-control` anything. Tests: tests/swarm.rs and the patches
//! in tests/sabotage.

use super::seen::{ESTOP, FATAL, KNOWN, Onlooker, STALE_CYCLES, STOP, Seen};
use super::world::World;
use rt_wire::{
    Class, Fault, FaultSet, HeartbeatFlags, Limits, LimitsFlags, Mode, Outcome, PulseFlags,
    SOURCES, Sign, Source,
};

/// From the demand to a motor without power.
const POWER_OFF_NS: u64 = 50_000_000;
/// After this the logger's heartbeat says that the disk refuses: a chunk of 200 ms, and a look.
const REFUSED_TOLD_NS: u64 = 300_000_000;
/// After this it says that the disk is silent: it is silent for a second after a chunk.
const SILENT_TOLD_NS: u64 = 1_400_000_000;
/// After this it says that all is well again: a loss is told for a second.
const WELL_TOLD_NS: u64 = 1_200_000_000;
/// The loop has read a heartbeat, one each 100 ms.
const BEAT_NS: u64 = 110_000_000;
/// The logger among the heartbeats.
const LOGGER: usize = 3;

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Which.
    pub(super) rule: &'static str,
    /// What was found instead.
    pub(super) found: String,
}

/// Causes that tell of a transition after the fact: believing them would be circular.
const DERIVED: FaultSet =
    FaultSet::EMPTY.and(Fault::OwnerStale, true).and(Fault::OwnerReleased, true);

type Verdict = Result<(), Broken>;

fn must(holds: bool, rule: &'static str, found: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Broken { rule, found: found() }) }
}

/// What the oracles remember of the cycle before.
#[derive(Clone, Debug)]
pub(super) struct Oracles {
    limits: Limits,
    onlooker: Onlooker,
    mode: Mode,
    owner: Source,
    level: i32,
    /// In millionths of full lock.
    steering_micro: i32,
    latched: FaultSet,
    cycle_index: Option<u64>,
    mono_ns: u64,
    cycles_in_mode: u32,
    tested: bool,
    armed: bool,
    armed_at: u64,
    neutral_since: u64,
}

/// What a cycle was, once every rule has held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    /// Mode before.
    pub(super) from: Mode,
    /// Mode after.
    pub(super) to: Mode,
}

impl Oracles {
    /// Before the first cycle of a kernel.
    #[must_use]
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            onlooker: Onlooker::new(limits),
            mode: Mode::Boot,
            owner: Source::None,
            level: 0,
            steering_micro: 0,
            latched: FaultSet::EMPTY,
            cycle_index: None,
            mono_ns: 0,
            cycles_in_mode: 0,
            tested: false,
            armed: false,
            armed_at: 0,
            neutral_since: 0,
        }
    }

    /// Judges the newest cycle of the world.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub(super) fn check(&mut self, world: &World) -> Result<Passed, Broken> {
        let cycle = &world.cycle;
        if cycle.is_first {
            // The kernel forgets everything, the car does not.
            *self = Self { armed_at: self.armed_at, ..Self::new(&self.limits) };
        }
        let outcome = &cycle.outcome;
        let mode = outcome.mode.get().ok_or_else(|| Broken {
            rule: "a mode means something",
            found: format!("{:?}", outcome.mode),
        })?;
        let owner = outcome.owner.get().unwrap_or(Source::None);
        let now_ns = cycle.release.woke_at.0;
        let seen = self.onlooker.see(cycle, self.mode, self.owner, self.level);
        self.life(world, mode, owner, now_ns)?;
        self.told(world, &seen, now_ns)?;
        let next = self.authority(&seen, mode, owner)?;
        self.camera(outcome, &seen, next)?;
        self.log(world, mode, now_ns)?;
        let level = self.pulses(outcome, mode)?;
        self.transition(outcome, &seen, mode, next, now_ns)?;
        self.output(outcome, &seen, mode, next, level, now_ns)?;
        self.steering(outcome, &seen, mode, next, level, now_ns)?;
        self.car(world, outcome, mode, now_ns)?;
        let passed = Passed { from: self.mode, to: mode };
        self.remember(cycle.release.cycle_index, outcome, mode, owner, level, now_ns);
        Ok(passed)
    }

    /// Whether one of these causes is there, as far as the onlooker knows better.
    fn has(seen: &Seen, outcome: &Outcome, these: FaultSet) -> bool {
        let told = FaultSet(outcome.causes.0 & !(KNOWN.0 | DERIVED.0));
        ((seen.causes.0 & KNOWN.0) | told.0) & these.0 != 0
    }

    /// Nothing but a frame that came for the first time, and young, keeps a person's car driving:
    /// told by the network's own count of frames, not by what a command says.
    fn life(&self, world: &World, mode: Mode, owner: Source, now_ns: u64) -> Verdict {
        let drives = owner == Source::Teleop && matches!(mode, Mode::Arming | Mode::Active);
        let heard_at = world.sources.network.heard_at;
        let stale_ns = u64::from(STALE_CYCLES[0]) * self.limits.period_ns;
        must(
            !drives || (heard_at != 0 && now_ns < heard_at + stale_ns),
            "only a new frame keeps a person driving",
            || format!("{mode:?} at {now_ns}, the last new frame came at {heard_at}"),
        )
    }

    /// A camera that is required must be there; one that was heard, while the policy drives.
    fn camera(&self, outcome: &Outcome, seen: &Seen, next: Source) -> Verdict {
        let needed = next == Source::Inference && seen.camera == Some(Sign::Lost);
        let expected = seen.camera_missing || needed;
        must(
            outcome.causes.contains(Fault::CameraLost) == expected,
            "a lost camera is told",
            || {
                format!(
                    "{:?}, expected {expected}: {:?}, {next:?} owns",
                    outcome.causes, seen.camera
                )
            },
        )
    }

    /// What the disk does to the log is told by the logger's heartbeat, and forbids arming where a log
    /// is required. (That it stops no drive is the table's.)
    fn log(&self, world: &World, mode: Mode, now_ns: u64) -> Verdict {
        let recorder = &world.sources.recorder;
        let heartbeat = &world.cycle.inbox.heartbeats[LOGGER];
        let told_at = heartbeat.mono_ns.0;
        let degraded = heartbeat.flags.has(HeartbeatFlags::LOG_DEGRADED);
        let records = heartbeat.flags.has(HeartbeatFlags::RECORDING);
        let is_over = |since: Option<u64>, at, ns| since.is_some_and(|since| at >= since + ns);
        let found = || format!("{heartbeat:?} at {now_ns}, {recorder:?}");
        let refused = is_over(recorder.refused_since, told_at, REFUSED_TOLD_NS);
        must(!refused || (degraded && !records), "a logger that cannot write says so", found)?;
        let silent = is_over(recorder.silent_since, told_at, SILENT_TOLD_NS);
        must(!silent || degraded, "a logger whose disk is silent says so", found)?;
        let well = told_at >= recorder.well_since + WELL_TOLD_NS;
        must(!well || (records && !degraded), "a logger that writes again says so", found)?;
        let arms = self.mode == Mode::Disarmed && mode == Mode::Arming;
        let required = self.limits.flags.has(LimitsFlags::REQUIRE_LOG);
        let none = is_over(recorder.refused_since, now_ns, REFUSED_TOLD_NS + BEAT_NS)
            || is_over(recorder.silent_since, now_ns, SILENT_TOLD_NS + BEAT_NS);
        must(!(arms && required && none), "no arming without the log that is required", found)
    }

    /// Causes, classes and signs are told as they are; nothing is no number.
    fn told(&self, world: &World, seen: &Seen, now_ns: u64) -> Verdict {
        let (outcome, release) = (&world.cycle.outcome, &world.cycle.release);
        let (expected, found) = (seen.causes.0 & KNOWN.0, outcome.causes.0 & KNOWN.0);
        must(expected & !found == 0, "every cause is told", || {
            format!("{} missing", names(FaultSet(expected & !found)))
        })?;
        must(found & !expected == 0, "no cause is made up", || {
            format!("{} made up", names(FaultSet(found & !expected)))
        })?;
        must(
            !seen.runs_away || outcome.causes.contains(Fault::Runaway),
            "a runaway is told",
            || "the wheel went faster although the output was neutral".to_owned(),
        )?;
        must(
            outcome.previous_mode.get() == Some(self.mode),
            "the mode before is the last one",
            || format!("{:?} after {:?}", outcome.previous_mode, self.mode),
        )?;
        let classes = outcome.classes.map(|class| class.get());
        must(classes == seen.classes, "news is classed as it is", || {
            format!("{classes:?}, expected {:?}", seen.classes)
        })?;
        let signs = outcome.signs.map(|sign| sign.get());
        must(signs == seen.signs, "heartbeats are judged as they are", || {
            format!("{signs:?}, expected {:?}", seen.signs)
        })?;
        must((outcome.late != 0) == seen.late, "late cycles are told", || {
            format!("late {}, expected {}", outcome.late, seen.late)
        })?;
        let setpoints = [outcome.asked, outcome.setpoint];
        let whole = setpoints.iter().flat_map(|at| [at.steering, at.throttle]);
        must(
            whole.clone().all(|part| (-1.0..=1.0).contains(&part)),
            "an outcome is finite and in range",
            || format!("{setpoints:?}"),
        )?;
        let state = world.kernel.state();
        let rises = self.cycle_index.is_none_or(|index| release.cycle_index > index);
        must(
            rises
                && state.cycle_index == release.cycle_index
                && state.mono_ns.0 == now_ns
                && now_ns > self.mono_ns,
            "cycle index and time only rise",
            || {
                format!(
                    "cycle {} at {now_ns} after {:?} at {}",
                    release.cycle_index, self.cycle_index, self.mono_ns
                )
            },
        )
    }

    /// Who owns after this cycle, before a change of mode takes it away. [I20, I37]
    fn authority(&self, seen: &Seen, mode: Mode, owner: Source) -> Result<Source, Broken> {
        let class = |source: Source| source.index().and_then(|place| seen.classes[place]);
        let held = if class(self.owner) == Some(Class::Good) { Source::None } else { self.owner };
        let gains = match self.mode {
            Mode::Disarmed => true,
            Mode::Active => held != Source::None && self.is_fresh(held),
            Mode::Boot
            | Mode::SelfTest
            | Mode::Arming
            | Mode::SafeStop
            | Mode::EStopLatched
            | Mode::Fault => false,
        };
        let claims = SOURCES.into_iter().filter(|source| class(*source) == Some(Class::GoodAsking));
        // Teleop before pilot before inference.
        let strength = |source: Source| match source {
            Source::Teleop => 3,
            Source::Pilot => 2,
            Source::Inference => 1,
            Source::None => 0,
        };
        let strongest = claims.max_by_key(|source| strength(*source)).unwrap_or(Source::None);
        let wins = strength(strongest) > strength(held)
            || (strongest != Source::None && !self.is_fresh(held));
        let next = if gains && wins { strongest } else { held };
        let keeps = matches!(mode, Mode::Disarmed | Mode::Arming | Mode::Active);
        let expected = if keeps { next } else { Source::None };
        must(owner == expected, "authority goes where the rule says", || {
            format!("{owner:?} owns after {:?} in {mode:?}, expected {expected:?}", self.owner)
        })?;
        Ok(next)
    }

    /// Whether the source's last good command is young enough, in cycles.
    fn is_fresh(&self, source: Source) -> bool {
        source.index().is_some_and(|place| self.onlooker.kept[place].age < STALE_CYCLES[place])
    }

    /// Pulses are inside their calibration, and say the level that is told. Returns the level with
    /// the sign of the direction.
    fn pulses(&self, outcome: &Outcome, mode: Mode) -> Result<i32, Broken> {
        let (limits, pulses) = (&self.limits, &outcome.pulses);
        let inside = (limits.throttle_min..=limits.throttle_max).contains(&pulses.throttle)
            && (limits.steering_min..=limits.steering_max).contains(&pulses.steering);
        must(inside, "pulses are inside their calibration", || format!("{pulses:?}"))?;
        let offset_us = i32::from(pulses.throttle.0) - i32::from(limits.throttle_neutral.0);
        let turned = limits.flags.has(LimitsFlags::THROTTLE_REVERSED);
        let backwards = (offset_us < 0) != turned;
        let level = i32::try_from(outcome.level).unwrap_or(i32::MAX);
        let end = if offset_us < 0 { limits.throttle_min } else { limits.throttle_max };
        let reach = i64::from(end.0) - i64::from(limits.throttle_neutral.0);
        let expected_us = reach * i64::from(level) / i64::from(limits.level_max);
        must(i64::from(offset_us) == expected_us, "the throttle pulse says the level", || {
            format!("{offset_us} us off neutral at level {level}, expected {expected_us}")
        })?;
        let cap = if backwards { limits.level_reverse_max } else { limits.level_forward_max };
        must(level <= cap as i32, "the level is within its cap", || format!("{level} of {cap}"))?;
        let driven = matches!(mode, Mode::Active | Mode::SafeStop);
        must(level == 0 || driven, "neutral unless Active or SafeStop [I7]", || {
            format!("level {level} in {mode:?}")
        })?;
        let relay = pulses.flags.has(PulseFlags::RELAY);
        let may = matches!(mode, Mode::Arming | Mode::Active | Mode::SafeStop);
        must(relay == may, "relay in Arming, Active and SafeStop only [I12]", || {
            format!("relay {relay} in {mode:?}")
        })?;
        Ok(if backwards { -level } else { level })
    }

    /// Table 1.4, row by row: where the cycle must lead.
    fn transition(
        &self,
        outcome: &Outcome,
        seen: &Seen,
        mode: Mode,
        next: Source,
        now_ns: u64,
    ) -> Verdict {
        let has = |these| Self::has(seen, outcome, these);
        let (fatal, estop) = (has(FATAL), has(ESTOP));
        let stop = has(STOP) || seen.overload;
        // In a drive nobody takes over from an owner that has run out in this very cycle.
        let kept = self.mode != Mode::Active || !self.lapsed(self.owner, now_ns);
        let fresh =
            kept && next != Source::None && self.is_fresh(next) && !self.lapsed(next, now_ns);
        let neutral = self.target(next, now_ns) == 0;
        let ready = fresh && neutral && !stop && !seen.no_arming;
        let expected = match self.mode {
            Mode::Fault => Mode::Fault,
            _ if fatal => Mode::Fault,
            _ if estop => Mode::EStopLatched,
            Mode::Boot => Mode::SelfTest,
            Mode::SelfTest if seen.sealed && seen.readable => Mode::Disarmed,
            Mode::SelfTest => Mode::SelfTest,
            Mode::Disarmed if seen.arm && ready => Mode::Arming,
            Mode::Disarmed => Mode::Disarmed,
            Mode::Arming if !ready => Mode::Disarmed,
            // The cycle that entered Arming is the first of them.
            Mode::Arming if self.cycles_in_mode > self.limits.arming_cycles => Mode::Active,
            Mode::Arming => Mode::Arming,
            Mode::Active if stop || !fresh => Mode::SafeStop,
            Mode::Active => Mode::Active,
            Mode::SafeStop if self.level == 0 || self.cycles_in_mode > self.ramp_cycles() => {
                Mode::Disarmed
            }
            Mode::SafeStop => Mode::SafeStop,
            Mode::EStopLatched if seen.reset => Mode::SelfTest,
            Mode::EStopLatched => Mode::EStopLatched,
        };
        must(
            mode == expected,
            "the mode is the one of the table [I1-I6, I11, I13-I19, I23, I36]",
            || {
                format!(
                    "{:?} to {mode:?}, expected {expected:?} (fatal {fatal}, e-stop {estop}, stop {stop}, \
                 owner {next:?} fresh {fresh} neutral {neutral}, {:?}, {seen:?})",
                    self.mode, outcome.interlocks
                )
            },
        )?;
        must(mode != Mode::Active || self.tested, "Active only after a self-test", || {
            "no self-test since the last stop for good".to_owned()
        })?;
        let begins = (self.mode == Mode::SelfTest && mode == Mode::Disarmed)
            || (self.mode == Mode::Disarmed && mode == Mode::Arming);
        let before = if begins { FaultSet::EMPTY } else { self.latched };
        let latched = before.0 | outcome.causes.0;
        must(
            outcome.latched_causes.0 == latched,
            "causes stay latched until a new beginning",
            || format!("{}, expected {}", names(outcome.latched_causes), names(FaultSet(latched))),
        )?;
        // In Disarmed an arm edge succeeds exactly where nothing is named that forbids it.
        let free = outcome.interlocks.is_empty();
        let refused = self.mode == Mode::Disarmed && seen.arm && mode != Mode::Arming;
        must(!(refused && free), "a refusal to arm has a reason", || format!("{seen:?}"))?;
        must(
            !(mode == Mode::Arming && self.mode == Mode::Disarmed && !free),
            "interlocks forbid arming",
            || format!("armed in spite of {:?}", outcome.interlocks),
        )
    }

    fn ramp_cycles(&self) -> u32 {
        if self.limits.stop_category == 0 { 0 } else { self.limits.safe_stop_cycles }
    }

    fn lapsed(&self, source: Source, now_ns: u64) -> bool {
        let period_ns = self.limits.period_ns;
        source.index().is_some_and(|at| self.onlooker.kept[at].lapsed(at, now_ns, period_ns))
    }

    /// The level that the owner asks for, with its direction; 0 where nobody does.
    fn target(&self, owner: Source, now_ns: u64) -> i32 {
        let Some(place) = owner.index() else { return 0 };
        let kept = &self.onlooker.kept[place];
        if self.lapsed(owner, now_ns) {
            return 0;
        }
        let (_, throttle) = kept.asks(now_ns);
        let asked = (throttle * self.limits.level_max as f32).round() as i32;
        asked.clamp(-(self.limits.level_reverse_max as i32), self.limits.level_forward_max as i32)
    }

    /// How much is driven. [I8-I10, I21, I22, I35]
    fn output(
        &self,
        outcome: &Outcome,
        seen: &Seen,
        mode: Mode,
        next: Source,
        level: i32,
        now_ns: u64,
    ) -> Verdict {
        let before = self.level;
        let towards_zero = before - before.signum();
        let pump = outcome.pulses.flags.has(PulseFlags::PUMP);
        let relay = outcome.pulses.flags.has(PulseFlags::RELAY);
        must(
            pump == (relay && !seen.overload),
            "the pump runs with the relay and stops in overload [I21, I22]",
            || format!("pump {pump}, relay {relay}, overload {}", seen.overload),
        )?;
        let expected = match (self.mode, mode) {
            (Mode::Active, Mode::SafeStop) | (Mode::SafeStop, Mode::SafeStop) => towards_zero,
            (Mode::Active, Mode::Active) if seen.late => before,
            (Mode::Active, Mode::Active) => {
                let target = self.target(next, now_ns);
                // A change of direction goes by way of neutral, however small.
                let opposes = target.signum() * before.signum() < 0;
                let target = if opposes { 0 } else { target };
                before + (target - before).signum()
            }
            _ => 0,
        };
        must(
            level == expected,
            "the level moves by one step as the rule says [I8-I10, I35]",
            || format!("{before} to {level} in {mode:?}, expected {expected}"),
        )
    }

    /// Steering goes where the owner asks, by one slew step at most; it is held in a stop, and centred
    /// after. The pulse says the same.
    fn steering(
        &self,
        outcome: &Outcome,
        seen: &Seen,
        mode: Mode,
        next: Source,
        level: i32,
        now_ns: u64,
    ) -> Verdict {
        let limits = &self.limits;
        let neutral_ns =
            if level == 0 && self.neutral_since != 0 { now_ns - self.neutral_since } else { 0 };
        let before = self.steering_micro;
        let goal = match mode {
            Mode::Active if seen.late && self.mode == Mode::Active => before,
            Mode::Active => {
                let kept = next.index().map(|place| &self.onlooker.kept[place]);
                micro(kept.map_or(0.0, |kept| kept.asks(now_ns).0))
            }
            _ if neutral_ns >= limits.centre_after_ns => 0,
            _ => before,
        };
        let slew = limits.steering_slew_micro_per_cycle as i32;
        let expected = goal.clamp(before - slew, before + slew);
        let found = micro(outcome.setpoint.steering);
        must(found == expected, "steering goes by its slew where it must", || {
            format!("from {before} to {found} millionths in {mode:?}, expected {expected}")
        })?;
        let turned = limits.flags.has(LimitsFlags::STEERING_REVERSED);
        let part = i64::from(if turned { -found } else { found });
        let end = if part < 0 { limits.steering_min } else { limits.steering_max };
        let neutral_us = i64::from(limits.steering_neutral.0);
        let expected_us = neutral_us + (i64::from(end.0) - neutral_us) * part.abs() / 1_000_000;
        let pulse_us = i64::from(outcome.pulses.steering.0);
        must(pulse_us == expected_us, "the steering pulse says the setpoint", || {
            format!("{pulse_us} us at {found} millionths, expected {expected_us}")
        })
    }

    /// What the car does: no power after a stop, none without a pump, no push without claim and arm.
    fn car(&self, world: &World, outcome: &Outcome, mode: Mode, now_ns: u64) -> Verdict {
        let car = &world.car;
        let demanded_at = world.demanded_at;
        // A welded contact is the one fault that only the mushroom in series can open.
        let powered = car.switched_at;
        must(
            demanded_at == 0 || powered <= demanded_at + POWER_OFF_NS,
            "no power 50 ms after an e-stop",
            || format!("demanded at {demanded_at}, power at {powered}, now {now_ns}"),
        )?;
        if demanded_at != 0 {
            let off = outcome.level == 0 && !outcome.pulses.flags.has(PulseFlags::RELAY);
            must(
                off && matches!(mode, Mode::EStopLatched | Mode::Fault),
                "an e-stop acts in its cycle [I1]",
                || format!("{mode:?}, level {}", outcome.level),
            )?;
        }
        must(
            powered == 0
                || (world.pumped_before != 0 && powered <= world.pumped_before + POWER_OFF_NS),
            "no power 50 ms after the last edge of the pump",
            || format!("edge at {}, power at {powered}", world.pumped_before),
        )?;
        let by_right =
            |at, within_ns| at == 0 || (self.armed_at != 0 && at <= self.armed_at + within_ns);
        must(
            by_right(car.pushed_at, POWER_OFF_NS) && car.pushed_welded_at == 0,
            "no push without claim and arm",
            || {
                let (at, welded_at) = (car.pushed_at, car.pushed_welded_at);
                format!("pushed at {at}, welded {welded_at}, armed until {}", self.armed_at)
            },
        )
    }

    fn remember(
        &mut self,
        index: u64,
        outcome: &Outcome,
        mode: Mode,
        owner: Source,
        level: i32,
        now_ns: u64,
    ) {
        self.tested = match mode {
            Mode::Boot | Mode::SelfTest | Mode::EStopLatched | Mode::Fault => false,
            Mode::Disarmed => self.tested || self.mode == Mode::SelfTest,
            Mode::Arming | Mode::Active | Mode::SafeStop => self.tested,
        };
        self.armed = match mode {
            Mode::Arming if self.mode == Mode::Disarmed => owner != Source::None,
            Mode::Arming | Mode::Active | Mode::SafeStop => self.armed,
            Mode::Boot | Mode::SelfTest | Mode::Disarmed | Mode::EStopLatched | Mode::Fault => {
                false
            }
        };
        if self.armed {
            self.armed_at = now_ns;
        }
        self.cycles_in_mode = if mode == self.mode { self.cycles_in_mode + 1 } else { 1 };
        self.neutral_since = match (level, self.neutral_since) {
            (0, 0) => now_ns,
            (0, since) => since,
            _ => 0,
        };
        self.mode = mode;
        self.owner = owner;
        self.level = level;
        self.steering_micro = micro(outcome.setpoint.steering);
        self.latched = outcome.latched_causes;
        self.cycle_index = Some(index);
        self.mono_ns = now_ns;
    }
}

/// A part of full lock in millionths.
fn micro(part: f32) -> i32 {
    (part * 1e6).round() as i32
}

fn names(causes: FaultSet) -> String {
    causes.faults().map(|fault| fault.name()).collect::<Vec<_>>().join(", ")
}
