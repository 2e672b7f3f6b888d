//! A kernel on the bench: a clock moved by hand, valid lines, live heartbeats, and commands on
//! request. Numbers as for configs/robots/sim-donkey.json, a 1 kHz robot.

use rt_control::Kernel;
use rt_wire::{
    Arrival, Battery, Command, CommandFlags, Fault, HousekeepingFlags, Inbox, KernelState, Limits,
    LimitsFlags, LineSet, Lines, Microseconds, Mode, MonoNs, Observation, OperatorKind, Outcome,
    PulseFlags, Raw, Release, Source, Temperature, Validity,
};

pub(crate) const MS: u64 = 1_000_000;

/// How long after its release a cycle begins, where nothing is wrong.
const LATENCY_NS: u64 = 20_000;
const EXECUTION_NS: u64 = 100_000;

pub(crate) fn limits() -> Limits {
    Limits {
        period_ns: MS,
        deadline_ns: MS,
        late_after_ns: 5 * MS,
        neutral_after_ns: 250 * MS,
        command_expiry_max_ns: 1000 * MS,
        heartbeat_late_ns: 200 * MS,
        heartbeat_lost_ns: 500 * MS,
        battery_dwell_ns: 2000 * MS,
        temperature_dwell_ns: 5000 * MS,
        undervoltage_dwell_ns: 1000 * MS,
        estop_discrepancy_ns: 20 * MS,
        relay_feedback_ns: 100 * MS,
        centre_after_ns: 1000 * MS,
        reset_press_min_ns: 50 * MS,
        reset_press_max_ns: 2000 * MS,
        teleop_age_max_ns: 250 * MS,
        stall_after_ns: 1000 * MS,
        runaway_after_ns: 500 * MS,
        late_consecutive: 20,
        late_per_1000: 200,
        stale_cycles: [140, 190, 90],
        arming_cycles: 1000,
        safe_stop_cycles: 500,
        level_max: 500,
        level_forward_max: 300,
        level_reverse_max: 150,
        steering_slew_micro_per_cycle: 10_000,
        heartbeats_required: 0,
        battery_low_mv: 6600,
        battery_critical_mv: 6000,
        battery_warn_mv: 7000,
        temperature_warn_milli_c: 75_000,
        temperature_high_milli_c: 82_000,
        temperature_critical_milli_c: 88_000,
        imu_max_mm_per_s2: 160_000,
        stall_level: 150,
        standstill_mm_per_s: 50,
        coast_down_min_mm_per_s2: 300,
        runaway_margin_mm_per_s: 300,
        stop_category: 1,
        flags: LimitsFlags::EMPTY,
        steering_min: Microseconds(1000),
        steering_neutral: Microseconds(1500),
        steering_max: Microseconds(2000),
        throttle_min: Microseconds(1000),
        throttle_neutral: Microseconds(1500),
        throttle_max: Microseconds(2000),
    }
}

/// A kernel and all that surrounds it.
pub(crate) struct Rig {
    pub(crate) kernel: Kernel,
    pub(crate) observation: Observation,
    pub(crate) inbox: Inbox,
    /// The newest cycle.
    pub(crate) release: Release,
    /// Which heartbeats go on beating, in the order of `HEARTBEAT_SOURCES`.
    pub(crate) beating: [bool; 6],
    /// The previous cycle ran for so long that the next is a late event.
    pub(crate) overran: bool,
    /// Every cycle from here on, if asked for.
    pub(crate) tape: Option<Vec<Recorded>>,
}

/// What a kernel was given, what it answered, and what it then remembered.
pub(crate) struct Recorded {
    pub(crate) release: Release,
    pub(crate) observation: Observation,
    pub(crate) inbox: Inbox,
    pub(crate) outcome: Outcome,
    pub(crate) after: KernelState,
}

impl Rig {
    /// At power-up, before the first cycle.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// At power-up, with other limits.
    pub(crate) fn with(edit: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = limits();
        edit(&mut limits);
        let observation = Observation {
            lines: Lines { validity: Raw::new(Validity::Valid), ..Lines::default() },
            battery: Battery {
                volts: 7.8,
                validity: Raw::new(Validity::Valid),
                ..Battery::default()
            },
            temperature: Temperature {
                celsius: 45.0,
                validity: Raw::new(Validity::Valid),
                ..Temperature::default()
            },
            ..Observation::default()
        };
        let mut inbox = Inbox::default();
        inbox.housekeeping.flags = HousekeepingFlags::SEALED;
        let start = MonoNs(10_000 * MS);
        let release = Release { release_time: start, woke_at: start, ..Release::default() };
        Self {
            kernel: Kernel::new(&limits, 7),
            observation,
            inbox,
            release,
            beating: [true; 6],
            overran: false,
            tape: None,
        }
    }

    /// In Disarmed.
    pub(crate) fn disarmed() -> Self {
        Self::new().booted()
    }

    /// In Active, with `source` as the owner that asks for nothing.
    pub(crate) fn active(source: Source) -> Self {
        Self::disarmed().armed(source)
    }

    pub(crate) fn booted(mut self) -> Self {
        self.cycles(2);
        assert_eq!(self.mode(), Mode::Disarmed);
        self
    }

    pub(crate) fn armed(mut self, source: Source) -> Self {
        self.arm(source);
        self
    }

    /// Arms over the operator socket and waits until the car may drive.
    pub(crate) fn arm(&mut self, source: Source) {
        self.send(source, 0.0, 0.0);
        self.operator(OperatorKind::Arm);
        assert_eq!(self.cycle().mode.get(), Some(Mode::Arming), "{:?}", self.interlocks());
        let cycles = self.kernel.limits().arming_cycles;
        self.drive(source, 0.0, 0.0, cycles + 1);
        assert_eq!(self.mode(), Mode::Active);
    }

    pub(crate) fn now(&self) -> MonoNs {
        self.release.woke_at
    }

    pub(crate) fn mode(&self) -> Mode {
        self.kernel.state().mode.get().unwrap()
    }

    pub(crate) fn level(&self) -> u32 {
        self.kernel.state().level
    }

    pub(crate) fn latched(&self, fault: Fault) -> bool {
        self.kernel.state().latched_causes.contains(fault)
    }

    /// Why arming would be refused in a cycle like this one.
    pub(crate) fn interlocks(&self) -> Vec<&'static str> {
        let mut copy = self.kernel.clone();
        let outcome = copy.step(&self.next_release(LATENCY_NS), &self.observation, &self.inbox);
        outcome.interlocks.interlocks().map(rt_wire::Interlock::name).collect()
    }

    /// One cycle on time.
    pub(crate) fn cycle(&mut self) -> Outcome {
        self.cycle_after(LATENCY_NS)
    }

    /// One cycle that begins `latency_ns` after its release; the next is on the grid again.
    pub(crate) fn cycle_after(&mut self, latency_ns: u64) -> Outcome {
        self.release = self.next_release(latency_ns);
        for (heartbeat, beating) in self.inbox.heartbeats.iter_mut().zip(self.beating) {
            heartbeat.sequence += u64::from(beating);
        }
        let outcome = self.kernel.step(&self.release, &self.observation, &self.inbox);
        if let Some(tape) = &mut self.tape {
            tape.push(Recorded {
                release: self.release,
                observation: self.observation,
                inbox: self.inbox,
                outcome,
                after: *self.kernel.state(),
            });
        }
        for command in &mut self.inbox.commands {
            command.arrival = Raw::new(Arrival::Absent);
        }
        outcome
    }

    /// Some cycles on time in which no source has news; returns the last.
    pub(crate) fn cycles(&mut self, n: u32) -> Outcome {
        let mut outcome = self.cycle();
        for _ in 1..n {
            outcome = self.cycle();
        }
        outcome
    }

    fn next_release(&self, latency_ns: u64) -> Release {
        let before = &self.release;
        let period = self.kernel.limits().period_ns;
        let elapsed = before.woke_at.since(before.release_time) / period + 1;
        let execution = if self.overran { 6 * MS } else { EXECUTION_NS };
        let release_time = before.release_time.plus(elapsed * period);
        Release {
            cycle_index: before.cycle_index + elapsed,
            release_time,
            sleep_ended_at: release_time,
            woke_at: release_time.plus(latency_ns),
            previous_woke_at: before.woke_at,
            previous_driven_at: before.woke_at.plus(execution / 2),
            previous_finished_at: before.woke_at.plus(execution),
            missed_releases: u32::try_from(elapsed - 1).unwrap(),
            spin_lead_ns: 0,
        }
    }

    /// The next good command of `source`: made now, valid for 900 ms, and asking for authority.
    pub(crate) fn command(&self, source: Source, steering: f32, throttle: f32) -> Command {
        let sequence = self.inbox.commands[source.index().unwrap()].command.sequence + 1;
        let expires_at = self.now().plus(900 * MS);
        let mut command = Command::plain(sequence, self.now(), expires_at, steering, throttle);
        command.flags =
            CommandFlags::ASKS_AUTHORITY.with(CommandFlags::DEAD_MAN, source == Source::Teleop);
        command
    }

    /// Puts a command where the next cycle finds it.
    pub(crate) fn write(&mut self, source: Source, command: Command) {
        let slot = &mut self.inbox.commands[source.index().unwrap()];
        slot.slot_sequence += 1;
        slot.command = command;
        slot.arrival = Raw::new(Arrival::New);
    }

    pub(crate) fn send(&mut self, source: Source, steering: f32, throttle: f32) {
        self.write(source, self.command(source, steering, throttle));
    }

    /// Sends a good command, changed by `edit`, and runs one cycle.
    pub(crate) fn send_edited(
        &mut self,
        source: Source,
        edit: impl FnOnce(&mut Command),
    ) -> Outcome {
        let mut command = self.command(source, 0.0, 0.0);
        edit(&mut command);
        self.write(source, command);
        self.cycle()
    }

    /// Runs `n` cycles in which `source` sends every tenth.
    pub(crate) fn drive(
        &mut self,
        source: Source,
        steering: f32,
        throttle: f32,
        n: u32,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        for i in 0..n {
            if i % 10 == 0 {
                self.send(source, steering, throttle);
            }
            outcome = self.cycle();
        }
        outcome
    }

    /// Puts a request where the next cycle finds it.
    pub(crate) fn operator(&mut self, kind: OperatorKind) {
        self.inbox.operator.sequence += 1;
        self.inbox.operator.kind = Raw::new(kind);
        self.inbox.operator.mono_ns = self.now();
    }

    pub(crate) fn set_line(&mut self, line: LineSet, on: bool) {
        let set = &mut self.observation.lines.set;
        *set = if on { *set | line } else { LineSet(set.0 & !line.0) };
    }

    /// Presses the reset button for `press_ms` and releases it; the last cycle is the release.
    pub(crate) fn press_reset(&mut self, press_ms: u32) -> Outcome {
        self.set_line(LineSet::RESET_PRESSED, true);
        self.cycles(press_ms);
        self.set_line(LineSet::RESET_PRESSED, false);
        self.cycle()
    }

    pub(crate) fn housekeeping(&mut self, flag: HousekeepingFlags, on: bool) {
        let flags = &mut self.inbox.housekeeping.flags;
        *flags = if on { *flags | flag } else { HousekeepingFlags(flags.0 & !flag.0) };
    }
}

/// Whether this outcome moves nothing: neutral throttle, no relay, no pump.
pub(crate) fn is_dead(outcome: &Outcome, limits: &Limits) -> bool {
    outcome.pulses.throttle == limits.throttle_neutral
        && outcome.level == 0
        && outcome.pulses.flags == PulseFlags::EMPTY
}

/// Numbers that look random and are the same in every run (SplitMix64).
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
