//! One cycle of judgement: classify → machine → limiter, tied together.
//!
//! It decides what is driven in this cycle and says why. It must never fail, wait, allocate or read
//! a clock: faults are part of the result. Its whole memory is a [`KernelState`], so that a keyframe
//! is a copy and replay can begin anywhere. Shown by: `tests/control/kernel.rs`, `tests/control/properties.rs`.

use crate::classify::{self, FULL_LOCK_MICRO, Verdict};
use crate::limiter::{self, rule};
use crate::machine::{self, Count, Level, SelfTest, State, Timer};
use crate::{heartbeat, monitors};
use rt_wire::{
    Class, Fault, FaultSet, HEARTBEAT_SOURCES, HousekeepingFlags, Inbox, InterlockSet, KernelState,
    Limits, LimitsFlags, LineSet, Mode, MonoNs, Observation, OperatorKind, Outcome, PulseFlags,
    PulseFrame, Raw, Release, Rule, RuleSet, SOURCES, Setpoint, Severity, Sign, Source, Validity,
    fnv1a,
};
use zerocopy::IntoBytes;

/// The kernel of one robot.
#[derive(Clone, Debug)]
pub struct Kernel {
    limits: Limits,
    machine_limits: machine::Limits,
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

impl Kernel {
    /// A kernel at power-up. `build_id` names the build in each keyframe.
    #[must_use]
    pub fn new(limits: &Limits, build_id: u64) -> Self {
        let machine_limits = machine_limits(limits);
        let state = State::boot(&machine_limits);
        let mut memory = KernelState {
            config_hash: fnv1a(0, limits.as_bytes()),
            build_id,
            ..KernelState::default()
        };
        // A button that is held from power-up never was pressed.
        memory.monitors.reset_pressed_since = MonoNs(u64::MAX);
        store(&mut memory, &state);
        Self { limits: *limits, machine_limits, memory }
    }

    /// A kernel that goes on from a keyframe taken under the same limits.
    ///
    /// Returns `None` where the keyframe was taken under other limits: its cycles would not compare.
    #[must_use]
    pub fn resume(limits: &Limits, keyframe: &KernelState) -> Option<Self> {
        (keyframe.config_hash == fnv1a(0, limits.as_bytes())).then(|| Self {
            limits: *limits,
            machine_limits: machine_limits(limits),
            memory: *keyframe,
        })
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
        let (next, output) = machine::step(state, judged.input, &self.machine_limits);
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
        let limits = &self.limits;
        let monitors = &mut self.memory.monitors;

        let late = monitors::is_late(release, limits);
        let late_ns = now.since(release.release_time);
        let too_many_late = monitors::too_many_late(monitors, late, limits);
        let signs = heartbeat::judge(monitors, &inbox.heartbeats, now, limits);
        let relay_on = state.mode.relay_allowed();
        let testing = matches!(state.mode, Mode::Boot | Mode::SelfTest);
        let mut causes = monitors::estop_lines(monitors, observation, testing, now, limits)
            | monitors::health(monitors, observation, now, limits)
            | monitors::actuators(monitors, observation, relay_on, now, limits)
            | monitors::housekeeping(inbox);
        causes = causes
            .and(Fault::LateGross, late_ns > limits.neutral_after_ns)
            .and(Fault::Overload, too_many_late)
            .and(Fault::HeartbeatLost, heartbeat::required_lost(&signs, limits));

        let reset_button = monitors::reset_pulse(monitors, observation, now, limits);
        let operator = new_request(&mut self.memory.operator_sequence, inbox, now);
        let operator_estop = inbox.estop.sequence != self.memory.estop_sequence;
        self.memory.estop_sequence = inbox.estop.sequence;

        let verdicts = self.judge_sources(inbox, &signs, now);
        let [teleop, ..] = verdicts;
        let mut source_estop = false;
        for verdict in &verdicts {
            source_estop |= verdict.estop;
        }
        causes =
            causes.and(Fault::EstopOperator, operator_estop).and(Fault::EstopSource, source_estop);

        let readable = observation.lines.validity.get() == Some(Validity::Valid);
        let lines = if readable { observation.lines.set } else { LineSet::EMPTY };
        let arm = lines.has(LineSet::ARM_PRESSED)
            || operator == Some(OperatorKind::Arm)
            || (teleop.arm && teleop.class == Class::GoodAsking);
        let disarm = lines.has(LineSet::DISARM_PRESSED)
            || operator == Some(OperatorKind::Disarm)
            || teleop.disarm;

        let mut input = machine::Input {
            estop: false,
            reset: reset_button || operator == Some(OperatorKind::Reset),
            arm,
            disarm,
            fatal: false,
            degraded: false,
            late,
            self_test: self.self_test(observation, inbox),
            classes: verdicts.map(|verdict| verdict.class),
            target: Level::NEUTRAL,
        };

        // Who will own is known before the machine runs: the same rule, called twice.
        let owner = machine::next_owner(state, &input, &self.machine_limits);
        let owner_bad = state.owner != Source::None && class_of(&input, state.owner) == Class::Bad;
        let implausible = monitors::too_many_bad(&mut self.memory.monitors, owner_bad, now);
        let accepted = owner.index().and_then(|index| self.memory.accepted.get(index));
        let expired = accepted.is_some_and(|accepted| accepted.command.expires_at <= now);
        causes = causes
            .and(Fault::OwnerImplausible, implausible)
            .and(Fault::OwnerStale, expired)
            .and(Fault::DisarmRequested, disarm)
            .and(Fault::DeadManReleased, state.owner == Source::Teleop && teleop.dead_man_missing)
            .and(Fault::SelfTestFailed, matches!(input.self_test, SelfTest::Fail));

        let (steering, throttle) = match accepted {
            Some(accepted) if !expired => classify::asked_at(&accepted.command, now),
            Some(_) | None => (0.0, 0.0),
        };
        let full = i32::try_from(self.limits.level_max).unwrap_or(i32::MAX);
        let target = limiter::target(
            classify::scale(throttle, full),
            state.level.0,
            self.memory.reverse != 0,
            &self.limits,
        );
        input.target = Level(target.level);

        let log_missing = heartbeat::log_missing(&signs, &inbox.heartbeats, &self.limits);
        let forbidden = self.forbids_arming(inbox, log_missing);
        input.estop = has_severity(causes, Severity::Estop);
        input.fatal = has_severity(causes, Severity::Fatal) && !only_failed_self_test(causes);
        let degraded = has_severity(causes.without(Fault::DisarmRequested), Severity::Stop);
        // What only forbids arming must not stop a drive that runs.
        let before_drive = matches!(state.mode, Mode::Disarmed | Mode::Arming);
        input.degraded = degraded || (before_drive && !forbidden.is_empty());

        let warnings = FaultSet::EMPTY
            .and(Fault::NotRealtime, is_sealed(inbox) && !is_realtime(inbox))
            .and(Fault::LogMissing, log_missing);
        Judged {
            interlocks: forbidden
                .with(InterlockSet::DEGRADED, degraded)
                .with(InterlockSet::DISARM_HELD, disarm)
                | self.interlocks(state, &input, owner),
            input,
            causes: causes | warnings,
            rules: target.rules,
            signs,
            asked: Setpoint { steering, throttle },
            asked_steering_micro: classify::scale(steering, FULL_LOCK_MICRO),
            reverse: target.reverse,
        }
    }

    /// Judges each source's news, and keeps what is good.
    fn judge_sources(
        &mut self,
        inbox: &Inbox,
        signs: &[Sign; HEARTBEAT_SOURCES.len()],
        now: MonoNs,
    ) -> [Verdict; SOURCES.len()] {
        // SOURCES are the first of HEARTBEAT_SOURCES, in the same order.
        const _: () = assert!(SOURCES.len() <= HEARTBEAT_SOURCES.len());
        let mut verdicts = [classify::NO_NEWS; SOURCES.len()];
        let news = inbox.commands.iter().zip(&mut self.memory.accepted).zip(signs).zip(SOURCES);
        for (verdict, (((command, accepted), sign), source)) in verdicts.iter_mut().zip(news) {
            *verdict = classify::judge(source, command, accepted, now, &self.limits);
            let good = matches!(verdict.class, Class::Good | Class::GoodAsking);
            if good && *sign != Sign::OnTime {
                // A silent sidecar's commands are ignored, but not its demands to stop.
                verdict.class = Class::Absent;
            } else if good {
                accepted.command = command.command;
                accepted.received_at = now;
                accepted.generation = command.generation;
            }
        }
        verdicts
    }

    /// The self-test: limits that make sense, lines that can be read, memory that is sealed.
    fn self_test(&self, observation: &Observation, inbox: &Inbox) -> SelfTest {
        let limits = &self.limits;
        let ordered = limits.steering_min <= limits.steering_neutral
            && limits.steering_neutral <= limits.steering_max
            && limits.throttle_min <= limits.throttle_neutral
            && limits.throttle_neutral <= limits.throttle_max;
        if !ordered || limits.period_ns == 0 || observation.drive_error_count >= 2 {
            SelfTest::Fail
        } else if inbox.housekeeping.flags.has(HousekeepingFlags::SEALED)
            && observation.lines.validity.get() == Some(Validity::Valid)
        {
            SelfTest::Pass
        } else {
            SelfTest::Pending
        }
    }

    /// Conditions that forbid arming and nothing else.
    fn forbids_arming(&self, inbox: &Inbox, log_missing: bool) -> InterlockSet {
        let real = self.limits.flags.has(LimitsFlags::REAL_BOARD);
        InterlockSet::EMPTY
            .with(InterlockSet::NOT_REALTIME, real && !is_realtime(inbox))
            .with(InterlockSet::LOG_MISSING, log_missing)
            .with(InterlockSet::NOT_SEALED, !is_sealed(inbox))
    }

    /// Why the machine would refuse an arm edge in this cycle, beside a condition that stops it.
    fn interlocks(&self, state: &State, input: &machine::Input, owner: Source) -> InterlockSet {
        // A dry run with an arm edge would say whether, not why.
        let age = owner.index().and_then(|index| {
            let good = matches!(class_of(input, owner), Class::Good | Class::GoodAsking);
            if good { Some(0) } else { state.ages.get(index).map(|age| age.0.saturating_add(1)) }
        });
        let limit = owner.index().and_then(|index| self.machine_limits.stale.get(index)).copied();
        let stale = owner != Source::None && age >= limit;
        let overload = input.late && state.late.0.saturating_add(1) >= self.machine_limits.late;
        InterlockSet::EMPTY
            .with(InterlockSet::NOT_DISARMED, state.mode != Mode::Disarmed)
            .with(InterlockSet::ESTOP_ASSERTED, input.estop)
            .with(InterlockSet::NO_OWNER, owner == Source::None)
            .with(InterlockSet::OWNER_STALE, stale)
            .with(InterlockSet::OWNER_NOT_NEUTRAL, input.target != Level::NEUTRAL)
            .with(InterlockSet::OVERLOAD, overload)
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
        memory.neutral_since = match (neutral, memory.neutral_since) {
            (false, _) => MonoNs(0),
            (true, MonoNs(0)) => MonoNs(now.0.max(1)),
            (true, since) => since,
        };
        let neutral_for_ns = neutral.then(|| now.since(memory.neutral_since));
        let (steering_micro, steering_rules) = limiter::steering(
            next.mode,
            memory.steering_micro,
            judged.asked_steering_micro,
            neutral_for_ns,
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
        let rules = steering_rules
            | if active { judged.rules } else { RuleSet::EMPTY }
                .with(rule(Rule::ThrottleSlew), slewed)
                .with(rule(Rule::HeldLate), output.held_late)
                .with(rule(Rule::Ramp), next.mode == Mode::SafeStop)
                .with(rule(Rule::HeldNeutral), !active && next.mode != Mode::SafeStop);

        store(memory, next);
        memory.cycle_index = release.cycle_index;
        memory.mono_ns = now;
        memory.reverse = u32::from(reverse);
        memory.steering_micro = steering_micro;
        memory.latched_causes = kept | causes;

        let full = i32::try_from(limits.level_max).unwrap_or(i32::MAX);
        let throttle = classify::unscale(i32::from(next.level.0), full);
        Outcome {
            mode: Raw::new(next.mode),
            previous_mode: Raw::new(state.mode),
            causes,
            latched_causes: memory.latched_causes,
            rules,
            interlocks: judged.interlocks,
            owner: Raw::new(next.owner),
            level: u32::from(next.level.0.unsigned_abs()),
            classes: judged.input.classes.map(Raw::new),
            signs: judged.signs.map(Raw::new),
            late: u32::from(judged.input.late),
            asked: judged.asked,
            setpoint: Setpoint {
                steering: classify::unscale(steering_micro, FULL_LOCK_MICRO),
                throttle: if reverse { -throttle } else { throttle },
            },
            pulses: PulseFrame {
                steering: limiter::steering_pulse(steering_micro, limits),
                throttle: limiter::throttle_pulse(next.level.0, reverse, limits),
                flags: PulseFlags::EMPTY
                    .with(PulseFlags::RELAY, output.relay)
                    .with(PulseFlags::PUMP, output.pump),
            },
        }
    }
}

fn machine_limits(limits: &Limits) -> machine::Limits {
    machine::Limits {
        stale: limits.stale_cycles,
        arming: limits.arming_cycles,
        // A drive without a ramp is cut in the cycle after the demand.
        safe_stop: if limits.stop_category == 0 { 0 } else { limits.safe_stop_cycles },
        late: limits.late_consecutive,
    }
}

/// Housekeeping's first word says so; before it nothing is known of how the loop runs.
fn is_sealed(inbox: &Inbox) -> bool {
    inbox.housekeeping.flags.has(HousekeepingFlags::SEALED)
}

fn is_realtime(inbox: &Inbox) -> bool {
    let flags = inbox.housekeeping.flags;
    flags.has(HousekeepingFlags::REALTIME) && flags.has(HousekeepingFlags::MEMORY_LOCKED)
}

fn class_of(input: &machine::Input, source: Source) -> Class {
    source.index().and_then(|index| input.classes.get(index)).copied().unwrap_or(Class::Absent)
}

fn has_severity(causes: FaultSet, severity: Severity) -> bool {
    causes.0 & severity.mask().0 != 0
}

/// A failed self-test is the machine's own way into Fault, and counts in SelfTest only.
fn only_failed_self_test(causes: FaultSet) -> bool {
    causes.0 & Severity::Fatal.mask().0 == FaultSet::of(Fault::SelfTestFailed).0
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
        ages: memory.ages.map(Count),
        level: Level(i16::try_from(memory.level).unwrap_or(0)),
        timer: Timer(memory.timer),
        late: Count(memory.late_in_a_row),
    }
}

fn store(memory: &mut KernelState, state: &State) {
    memory.mode = Raw::new(state.mode);
    memory.edges = u32::from(state.reset_previous) | (u32::from(state.arm_previous) << 1);
    memory.owner = Raw::new(state.owner);
    memory.ages = state.ages.map(|age| age.0);
    memory.level = u32::from(state.level.0.unsigned_abs());
    memory.timer = state.timer.0;
    memory.late_in_a_row = state.late.0;
}
