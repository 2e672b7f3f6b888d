//! One cycle of judgement: classify → machine → limiter, tied together.
//!
//! It decides what is driven in this cycle and says why. It must never fail, wait, allocate or read
//! a clock: faults are part of the result. Its whole memory is a [`KernelState`], so that a keyframe
//! is a copy and replay can begin anywhere. Shown by: `tests/control/kernel.rs`, `tests/control/properties.rs`.

use crate::classify::{self, FULL_LOCK_MICRO, Verdict};
use crate::limiter::{self, rule};
use crate::machine::{self, Count, Level, SelfTest, State, Timer};
use crate::monitors::reset::{self, Press};
use crate::monitors::{
    battery, burst, dead, dwell, estop, housekeeping, imu, late, output, owner_age, paging,
    runaway, stall, supply, temperature, wheel,
};
use crate::{heartbeat, interlocks};
use rt_wire::{
    AcceptedCommand, Class, Fault, FaultSet, HEARTBEAT_SOURCES, HousekeepingFlags, Inbox,
    IntegrityFlags, InterlockSet, KernelState, Limits, LineSet, Lines, Mode, MonoNs, Observation,
    OperatorKind, Outcome, PulseFlags, PulseFrame, Raw, Release, Rule, RuleSet, SOURCES, Setpoint,
    Severity, Sign, Source, Validity, fnv1a,
};
use zerocopy::IntoBytes;

/// The kernel of one robot.
#[derive(Clone, Debug)]
pub struct Kernel {
    limits: Limits,
    memory: KernelState,
}

/// Everything that classification found out about one cycle.
struct Judged {
    input: machine::Input,
    causes: FaultSet,
    rules: RuleSet,
    signs: [Sign; HEARTBEAT_SOURCES.len()],
    interlocks: InterlockSet,
    asked: Setpoint,
    asked_steering_micro: i32,
    reverse: bool,
}

/// What the owner asks for; nothing where its newest good command has run out.
struct Asked {
    steering: f32,
    throttle: f32,
    /// The kernel's copy of it holds what is no number.
    not_finite: bool,
}

/// What the command slots brought.
struct News {
    verdicts: [Verdict; SOURCES.len()],
    /// A source is dead until it attaches again.
    any_dead: bool,
}

impl Kernel {
    /// A kernel at power-up. `build_id` names the build in each keyframe.
    #[must_use]
    pub fn new(limits: &Limits, build_id: u64) -> Self {
        let state = State::boot(&machine_limits(limits));
        let mut memory = KernelState {
            config_hash: fnv1a(0, limits.as_bytes()),
            build_id,
            ..KernelState::default()
        };
        // A button that is held from power-up never was pressed.
        memory.monitors.reset_pressed_since = reset::UNSEEN;
        store(&mut memory, &state);
        Self { limits: *limits, memory }
    }

    /// A kernel that goes on from a keyframe taken under the same limits.
    ///
    /// Returns `None` where the keyframe was taken under other limits: its cycles would not compare.
    #[must_use]
    pub fn resume(limits: &Limits, keyframe: &KernelState) -> Option<Self> {
        (keyframe.config_hash == fnv1a(0, limits.as_bytes()))
            .then_some(Self { limits: *limits, memory: *keyframe })
    }

    /// The whole memory, for keyframes and for the mirror.
    #[must_use]
    pub const fn state(&self) -> &KernelState {
        &self.memory
    }

    /// The limits it judges by.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// One cycle: total, bounded, allocation-free. Never fails; faults are part of the result.
    pub fn step(&mut self, release: &Release, observation: &Observation, inbox: &Inbox) -> Outcome {
        let state = load(&self.memory);
        let judged = self.classify(&state, release, observation, inbox);
        let (next, output) = machine::step(state, judged.input, &machine_limits(&self.limits));
        self.limit(release, &state, &next, output, &judged)
    }

    fn classify(
        &mut self,
        state: &State,
        release: &Release,
        observation: &Observation,
        inbox: &Inbox,
    ) -> Judged {
        let now = release.woke_at;
        let late = late::is_late(release, &self.limits);
        let (mut causes, press) = self.watch(state, release, observation, late);
        let limits = &self.limits;
        let signs = heartbeat::judge(&mut self.memory.monitors, &inbox.heartbeats, now, limits);
        causes |= found_by_housekeeping(inbox, now);
        causes |= self.nonsense();

        let operator = new_request(&mut self.memory.operator_sequence, inbox, now);
        // It has a slot of its own, but no way to ask for it is deaf.
        let operator_estop = inbox.estop.sequence != self.memory.estop_sequence
            || operator == Some(OperatorKind::Estop);
        self.memory.estop_sequence = inbox.estop.sequence;
        let news = self.judge_sources(inbox, &signs, now);
        let [teleop, ..] = news.verdicts;
        let source_estop = news.verdicts.iter().any(|verdict| verdict.estop);

        let lines = readable(&observation.lines);
        let arm = lines.has(LineSet::ARM_PRESSED)
            || operator == Some(OperatorKind::Arm)
            || (teleop.arm && teleop.class == Class::GoodAsking);
        let disarm = lines.has(LineSet::DISARM_PRESSED)
            || operator == Some(OperatorKind::Disarm)
            || teleop.disarm;
        let mut input = machine::Input {
            estop: false,
            reset: press == Press::Ended || operator == Some(OperatorKind::Reset),
            arm,
            disarm,
            fatal: false,
            degraded: false,
            late,
            self_test: self.self_test(observation, inbox),
            classes: news.verdicts.map(|verdict| verdict.class),
            target: Level::NEUTRAL,
        };

        // Who will own is known before the machine runs: the same rule, called twice.
        let owner = machine::next_owner(state, &input, &machine_limits(&self.limits));
        let owner_bad = machine::class_of(&input, state.owner) == Class::Bad;
        let bad = &mut self.memory.monitors.bad;
        let implausible = burst::too_many(bad, state.owner, owner_bad, now);
        let asked = self.asked(owner, now);
        // Before and after a drive an old command forbids arming; it ends nothing. In a drive the one
        // that drove is judged, whoever claims in this cycle: else its silence would be no stop.
        let driving = matches!(state.mode, Mode::Arming | Mode::Active);
        let lapsed = self.has_lapsed(if driving { state.owner } else { owner }, now);
        let testing = state.mode == Mode::SelfTest;
        causes |= heartbeat::causes(&signs, owner == Source::Inference, &self.limits);
        causes = causes
            .and(Fault::SourceDead, news.any_dead)
            .and(Fault::EstopOperator, operator_estop)
            .and(Fault::EstopSource, source_estop)
            .and(Fault::OwnerImplausible, implausible)
            .and(Fault::OwnerStale, lapsed && driving)
            .and(Fault::NotFinite, asked.not_finite)
            .and(Fault::DisarmRequested, disarm)
            .and(Fault::DeadManReleased, state.owner == Source::Teleop && teleop.dead_man_missing)
            .and(Fault::SelfTestFailed, testing && matches!(input.self_test, SelfTest::Fail));

        let target = limiter::target(
            classify::scale(asked.throttle, full_level(&self.limits)),
            state.level.raw(),
            self.memory.reverse != 0,
            &self.limits,
        );
        input.target = Level::from_raw(target.level);

        let log_missing = heartbeat::log_missing(&signs, &inbox.heartbeats, &self.limits);
        let forbidden = interlocks::before_a_drive(inbox, log_missing, &self.limits);
        input.estop = !causes.of_severity(Severity::Estop).is_empty();
        input.fatal = !causes.of_severity(Severity::Fatal).is_empty();
        let stopping = causes.of_severity(Severity::Stop);
        // What only forbids arming must not stop a drive that runs.
        let before_drive = matches!(state.mode, Mode::Disarmed | Mode::Arming);
        input.degraded = !stopping.is_empty() || lapsed || (before_drive && !forbidden.is_empty());

        causes = causes
            .and(
                Fault::NotRealtime,
                interlocks::is_sealed(inbox) && !interlocks::is_realtime(inbox),
            )
            .and(Fault::LogMissing, log_missing);
        let facts = interlocks::Facts {
            state,
            input: &input,
            owner,
            lapsed,
            causes,
            signs: &signs,
            accepted: &self.memory.accepted,
            now,
        };
        Judged {
            interlocks: interlocks::list(&facts, forbidden, observation, inbox, &self.limits),
            input,
            causes,
            rules: target.rules,
            signs,
            asked: Setpoint { steering: asked.steering, throttle: asked.throttle },
            asked_steering_micro: classify::scale(asked.steering, FULL_LOCK_MICRO),
            reverse: target.reverse,
        }
    }

    /// Every monitor that watches the board and the loop itself; and what the reset button says.
    fn watch(
        &mut self,
        state: &State,
        release: &Release,
        observation: &Observation,
        late: bool,
    ) -> (FaultSet, Press) {
        let now = release.woke_at;
        let limits = &self.limits;
        let cap = limiter::cap(self.memory.reverse != 0, limits);
        let memory = &mut self.memory.monitors;
        let lines = &observation.lines;
        let relay = state.mode.relay_allowed();
        let testing = matches!(state.mode, Mode::Boot | Mode::SelfTest);
        let level = u32::from(state.level.raw().unsigned_abs());
        let wheel = wheel::read(&observation.wheel);

        let press = reset::press(&mut memory.reset_pressed_since, lines, now, limits);
        let stalled = stall::is_stalled(&mut memory.stall_since, level, cap, wheel, now, limits);
        let runaway =
            runaway::is_running_away(&mut memory.coast, relay, level != 0, wheel, now, limits);
        let mut causes = estop::causes(&mut memory.discrepancy_since, lines, testing, now, limits);
        causes |= battery::causes(&mut memory.battery_low_since, &observation.battery, now, limits);
        causes |= temperature::causes(
            &mut memory.temperature_high_since,
            &observation.temperature,
            now,
            limits,
        );
        causes |= supply::causes(&mut memory.undervoltage_since, &observation.power, now, limits);
        causes |= output::relay(&mut memory.relay_mismatch_since, lines, relay, now, limits);
        let causes = causes
            .and(Fault::DriveWrite, output::cannot_write(observation))
            .and(Fault::KernelMirror, observation.integrity.has(IntegrityFlags::MIRROR_MISMATCH))
            .and(Fault::ImuOutlier, imu::is_outlier(&observation.imu, limits))
            .and(Fault::Stall, stalled)
            .and(Fault::Runaway, runaway)
            .and(Fault::LateEvent, late)
            .and(Fault::LateGross, late::is_gross(release, limits))
            .and(Fault::Overload, late::too_many(&mut memory.late, late, limits))
            .and(Fault::ResetStuck, press == Press::Stuck);
        (causes, press)
    }

    /// A memory that holds what the kernel never writes.
    fn nonsense(&self) -> FaultSet {
        let known = self.memory.mode.get().is_some() && self.memory.owner.get().is_some();
        FaultSet::EMPTY.and(Fault::KernelMirror, !known)
    }

    /// The last good command of `source`.
    fn accepted(&self, source: Source) -> Option<&AcceptedCommand> {
        self.memory.accepted.get(source.index()?)
    }

    /// Whether that command has run out by the clock.
    fn has_lapsed(&self, source: Source, now: MonoNs) -> bool {
        let stale_ns = classify::stale_ns(source, &self.limits);
        self.accepted(source).is_some_and(|accepted| owner_age::has_lapsed(accepted, stale_ns, now))
    }

    /// What `owner` asks for at `now`.
    fn asked(&self, owner: Source, now: MonoNs) -> Asked {
        let nothing = Asked { steering: 0.0, throttle: 0.0, not_finite: false };
        let Some(accepted) = self.accepted(owner) else { return nothing };
        if self.has_lapsed(owner, now) {
            return nothing;
        }
        match classify::asked_at(&accepted.command, now) {
            Some((steering, throttle)) => Asked { steering, throttle, ..nothing },
            None => Asked { not_finite: true, ..nothing },
        }
    }

    /// Judges each source's news, and keeps what is good.
    fn judge_sources(
        &mut self,
        inbox: &Inbox,
        signs: &[Sign; HEARTBEAT_SOURCES.len()],
        now: MonoNs,
    ) -> News {
        // SOURCES are the first of HEARTBEAT_SOURCES, in the same order.
        const _: () = assert!(SOURCES.len() <= HEARTBEAT_SOURCES.len());
        let mut news = News { verdicts: [classify::NO_NEWS; SOURCES.len()], any_dead: false };
        let slots = inbox.commands.iter().zip(&mut self.memory.accepted).zip(signs);
        let places = slots.zip(SOURCES.into_iter().enumerate());
        for (verdict, (((slot, accepted), sign), (place, source))) in
            news.verdicts.iter_mut().zip(places)
        {
            let arrival = slot.arrival.get();
            let memory = &mut self.memory.monitors.dead;
            let dead = dead::is_dead(memory, place, arrival, slot.generation);
            news.any_dead |= dead;
            *verdict = classify::judge(source, slot, accepted, now, &self.limits);
            let good = matches!(verdict.class, Class::Good | Class::GoodAsking);
            if good && (dead || *sign != Sign::OnTime) {
                // A dead or silent source's commands are ignored, but not its demands to stop.
                verdict.class = Class::Absent;
            } else if good {
                accepted.command = classify::kept(&slot.command);
                accepted.received_at = now;
                accepted.generation = slot.generation;
            }
        }
        news
    }

    /// The self-test: limits that make sense, lines that can be read, memory that is sealed.
    fn self_test(&self, observation: &Observation, inbox: &Inbox) -> SelfTest {
        let limits = &self.limits;
        let ordered = limits.steering_min <= limits.steering_neutral
            && limits.steering_neutral <= limits.steering_max
            && limits.throttle_min <= limits.throttle_neutral
            && limits.throttle_neutral <= limits.throttle_max;
        if !ordered || limits.period_ns == 0 || output::cannot_write(observation) {
            SelfTest::Fail
        } else if interlocks::is_sealed(inbox)
            && observation.lines.validity.get() == Some(Validity::Valid)
        {
            SelfTest::Pass
        } else {
            SelfTest::Pending
        }
    }

    /// Limits what the machine allows, and remembers this cycle.
    fn limit(
        &mut self,
        release: &Release,
        state: &State,
        next: &State,
        output: machine::Output,
        judged: &Judged,
    ) -> Outcome {
        let now = release.woke_at;
        let memory = &mut self.memory;
        let limits = &self.limits;
        let neutral = next.level == Level::NEUTRAL;
        let rested = dwell::lasts(&mut memory.neutral_since, neutral, now, limits.centre_after_ns);
        let (steering_micro, steering_rules) = limiter::steering(
            next.mode,
            output.held_late,
            memory.steering_micro,
            judged.asked_steering_micro,
            rested,
            limits,
        );
        // Direction is free only where nothing is driven.
        let reverse = if next.mode == Mode::Active { judged.reverse } else { memory.reverse != 0 };

        let stopping = state.mode == Mode::Active && next.mode == Mode::SafeStop;
        let arming = state.mode == Mode::Arming && next.mode == Mode::Disarmed;
        let causes = judged
            .causes
            .and(Fault::Overload, output.overload)
            .and(Fault::OwnerStale, (stopping || arming) && output.owner_stale)
            .and(Fault::OwnerReleased, (stopping || arming) && output.owner_none);
        let passed = state.mode == Mode::SelfTest && next.mode == Mode::Disarmed;
        let armed = state.mode == Mode::Disarmed && next.mode == Mode::Arming;
        let kept = if passed || armed { FaultSet::EMPTY } else { memory.latched_causes };

        let active = next.mode == Mode::Active;
        let slewed = active && !output.held_late && next.level != judged.input.target;
        let mut rules = steering_rules
            .with(rule(Rule::ThrottleSlew), slewed)
            .with(rule(Rule::HeldLate), output.held_late)
            .with(rule(Rule::Ramp), next.mode == Mode::SafeStop)
            .with(rule(Rule::HeldNeutral), !active && next.mode != Mode::SafeStop);
        if active {
            rules |= judged.rules;
        }

        store(memory, next);
        memory.cycle_index = release.cycle_index;
        memory.mono_ns = now;
        memory.reverse = u32::from(reverse);
        memory.steering_micro = steering_micro;
        memory.latched_causes = kept | causes;

        let levels = i32::from(next.level.raw());
        let levels = if reverse { levels.saturating_neg() } else { levels };
        Outcome {
            mode: Raw::new(next.mode),
            previous_mode: Raw::new(state.mode),
            causes,
            latched_causes: memory.latched_causes,
            rules,
            interlocks: judged.interlocks,
            owner: Raw::new(next.owner),
            level: u32::from(next.level.raw().unsigned_abs()),
            classes: judged.input.classes.map(Raw::new),
            signs: judged.signs.map(Raw::new),
            late: u32::from(judged.input.late),
            asked: judged.asked,
            setpoint: Setpoint {
                steering: classify::unscale(steering_micro, FULL_LOCK_MICRO),
                throttle: classify::unscale(levels, full_level(limits)),
            },
            pulses: PulseFrame {
                steering: limiter::steering_pulse(steering_micro, limits),
                throttle: limiter::throttle_pulse(next.level.raw(), reverse, limits),
                flags: PulseFlags::EMPTY
                    .with(PulseFlags::RELAY, output.relay)
                    .with(PulseFlags::PUMP, output.pump),
            },
        }
    }
}

/// Derived anew in each cycle: a copy that was kept would be memory that no mirror covers.
fn machine_limits(limits: &Limits) -> machine::Limits {
    machine::Limits {
        stale: limits.stale_cycles,
        arming: limits.arming_cycles,
        // A drive without a ramp is cut in the cycle after the demand.
        safe_stop: if limits.stop_category == 0 { 0 } else { limits.safe_stop_cycles },
        late: limits.late_consecutive,
    }
}

/// What housekeeping found, and whether it still looks.
fn found_by_housekeeping(inbox: &Inbox, now: MonoNs) -> FaultSet {
    let word = &inbox.housekeeping;
    paging::causes(word)
        .and(Fault::HousekeepingSilent, housekeeping::is_silent(word, now))
        .and(Fault::ConfigCorrupt, word.flags.has(HousekeepingFlags::CONFIG_CORRUPT))
        .and(Fault::CanaryChanged, word.flags.has(HousekeepingFlags::CANARY_CHANGED))
        .and(Fault::Shutdown, word.flags.has(HousekeepingFlags::SHUTDOWN))
}

/// The lines, or none of them where they cannot be read.
fn readable(lines: &Lines) -> LineSet {
    if lines.validity.get() == Some(Validity::Valid) { lines.set } else { LineSet::EMPTY }
}

fn full_level(limits: &Limits) -> i32 {
    i32::try_from(limits.level_max).unwrap_or(i32::MAX)
}

/// A request that leads to motion and is older than this was given up by whoever made it.
const REQUEST_STALE_NS: u64 = 1_000_000_000;

/// The operator's request if it is one that has not been acted on.
fn new_request(sequence: &mut u64, inbox: &Inbox, now: MonoNs) -> Option<OperatorKind> {
    let request = inbox.operator;
    if request.sequence == *sequence {
        return None;
    }
    *sequence = request.sequence;
    let stale = now.since(request.mono_ns) > REQUEST_STALE_NS;
    request.kind.get().filter(|kind| {
        // Stopping is never too late.
        !stale || !matches!(kind, OperatorKind::Arm | OperatorKind::Reset)
    })
}

/// The machine's state out of the memory; a mode or owner that means nothing is a fault.
fn load(memory: &KernelState) -> State {
    State {
        mode: memory.mode.get().unwrap_or(Mode::Fault),
        reset_previous: memory.edges & 1 != 0,
        arm_previous: memory.edges & 2 != 0,
        owner: memory.owner.get().unwrap_or(Source::None),
        ages: memory.ages.map(Count::from_raw),
        level: Level::from_raw(i16::try_from(memory.level).unwrap_or(0)),
        timer: Timer::from_raw(memory.timer),
        late: Count::from_raw(memory.late_in_a_row),
    }
}

fn store(memory: &mut KernelState, state: &State) {
    memory.mode = Raw::new(state.mode);
    memory.edges = match (state.arm_previous, state.reset_previous) {
        (false, false) => 0b00,
        (false, true) => 0b01,
        (true, false) => 0b10,
        (true, true) => 0b11,
    };
    memory.owner = Raw::new(state.owner);
    memory.ages = state.ages.map(Count::raw);
    memory.level = u32::from(state.level.raw().unsigned_abs());
    memory.timer = state.timer.raw();
    memory.late_in_a_row = state.late.raw();
}
