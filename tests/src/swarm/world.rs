//! One cycle at a time: the shipped kernel in a world in which anything may be broken.
//!
//! Decides, as scheduler and board do in a real run, when a cycle begins and what it reads. It must
//! never judge: that is the oracles' part. Everything comes from the seed and from virtual time.
//!
//! ```text
//!  last cycle ── car moves ── faults, hands, sidecars ── observation + inbox ─▶ Kernel::step ─▶ pins
//! ```
//!
//! Tests: tests/swarm.rs.

use super::car::{Car, Pins};
use super::dice::Dice;
use super::faults::{FaultClass, Faults};
use super::operator::Operator;
use super::setup::Setup;
use super::sources::{Scene, Sources};
use fast_loop::grid::Grid;
use rt_control::Kernel;
use rt_wire::{
    Battery, HousekeepingFlags, Imu, Inbox, Limits, LimitsFlags, LineSet, Lines, Mode, MonoNs,
    Observation, Outcome, Power, PulseFlags, Raw, Release, Temperature, Validity, WheelSpeed,
};

/// The first release: well after 0, which in a record means "never".
const START_NS: u64 = 1_000_000_000;
const WORD_NS: u64 = 100_000_000;
/// What the wall clock says then: some day in 2026.
const START_WALL_NS: i64 = 1_795_168_800_000_000_000;
const YEAR_NS: i64 = 31_557_600_000_000_000;

/// What a cycle was given and what it answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Cycle {
    /// When it was due and began.
    pub(super) release: Release,
    /// What the board saw.
    pub(super) observation: Observation,
    /// What the others said.
    pub(super) inbox: Inbox,
    /// What was decided.
    pub(super) outcome: Outcome,
    /// This is the first cycle of a new kernel.
    pub(super) is_first: bool,
}

/// The robot and everything around it.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// The newest cycle.
    pub(super) cycle: Cycle,
    /// The shipped kernel.
    pub(super) kernel: Kernel,
    /// The car.
    pub(super) car: Car,
    /// The fault schedule.
    pub(super) faults: Faults,
    /// The last instant at which the robot toggled its heartbeat pin with the relay on.
    pub(super) pumped_at: u64,
    /// The same before the newest cycle.
    pub(super) pumped_before: u64,
    /// Since when the e-stop has been demanded through the lines; 0 if it is not.
    pub(super) demanded_at: u64,
    /// Whether this is a calm: no fault strikes, everybody does the right thing.
    pub(super) calm: bool,
    limits: Limits,
    mushroom_in_series: bool,
    dice: Dice,
    operator: Operator,
    /// Every sidecar, and what is before and behind them.
    pub(super) sources: Sources,
    clock_dice: Dice,
    /// By how much the wall clock is wrong.
    pub(super) wall_off_ns: i64,
    pins: Pins,
    calm_since: u64,
    grid: Grid,
    finished_at: u64,
    word_due_at: u64,
    sealed_at: u64,
    restarts_at: Option<u64>,
}

/// From the beginning of a calm until the operator begins: every dwell and window is over.
pub(super) const HANDS_OFF_NS: u64 = 1_500_000_000;

impl World {
    /// A robot before its first cycle.
    #[must_use]
    pub(super) fn new(setup: &Setup) -> Self {
        let mut world = Self {
            cycle: Cycle::default(),
            kernel: Kernel::new(&setup.limits, setup.seed),
            car: Car::new(setup.params, START_NS),
            faults: Faults::new(setup.seed, setup.enabled, setup.pace, START_NS),
            pumped_at: 0,
            pumped_before: 0,
            demanded_at: 0,
            calm: false,
            limits: setup.limits,
            mushroom_in_series: setup.mushroom_in_series,
            dice: Dice::new(setup.seed, 2),
            operator: Operator::new(setup.seed),
            sources: Sources::new(setup.seed, setup.rate_hz, START_NS, START_WALL_NS),
            clock_dice: Dice::new(setup.seed, 4),
            wall_off_ns: 0,
            pins: Pins::default(),
            calm_since: 0,
            grid: Grid::new(START_NS, setup.limits.period_ns),
            finished_at: START_NS,
            word_due_at: 0,
            sealed_at: 0,
            restarts_at: None,
        };
        world.start_process(START_NS);
        world
    }

    /// Now, as the newest cycle saw it.
    #[must_use]
    pub(super) fn now_ns(&self) -> u64 {
        self.cycle.release.woke_at.0
    }

    /// Mode after the newest cycle.
    #[must_use]
    pub(super) fn mode(&self) -> Mode {
        self.cycle.outcome.mode.get().unwrap_or(Mode::Fault)
    }

    /// Lets every fault end, or strike again.
    pub(super) fn set_calm(&mut self, calm: bool) {
        self.calm = calm;
        if !calm {
            // A storm that begins while the car drives is the most telling.
            self.faults.hurry(self.now_ns(), self.mode());
        }
        self.calm_since = self.now_ns();
    }

    /// Only this source speaks from now on.
    pub(super) fn leave_only(&mut self, place: usize) {
        self.sources.leave_only(place);
    }

    /// Everything up to the step itself: time passes, the world acts, the loop reads.
    pub(super) fn prepare(&mut self) {
        let previous = self.cycle.release.woke_at;
        let due = self.grid.next(self.finished_at);
        let now_ns = due.release_ns + self.latency_ns();
        self.car.step(now_ns, &self.pins);
        self.faults.advance(now_ns, self.calm);
        self.step_clock();
        self.cycle.is_first = previous == MonoNs(0);
        if self.restarts_at.is_some_and(|at| now_ns >= at) {
            self.start_process(now_ns);
        }
        let was = if self.cycle.is_first { MonoNs(0) } else { previous };
        self.cycle.release = Release {
            cycle_index: due.cycle_index,
            release_time: MonoNs(due.release_ns),
            sleep_ended_at: MonoNs(now_ns),
            woke_at: MonoNs(now_ns),
            previous_woke_at: was,
            previous_driven_at: was,
            previous_finished_at: if was == MonoNs(0) { was } else { MonoNs(self.finished_at) },
            missed_releases: due.missed,
            spin_lead_ns: 0,
        };
        let mode = self.mode();
        let hands = self.calm.then(|| now_ns < self.calm_since + HANDS_OFF_NS);
        let (request, estop) = (self.cycle.inbox.operator, self.cycle.inbox.estop);
        self.operator.act(now_ns, mode, &self.faults, hands, &mut self.cycle.inbox);
        if self.faults.is(FaultClass::HousekeepingHangs) {
            // The sockets are its own: nobody hears what is asked there.
            (self.cycle.inbox.operator, self.cycle.inbox.estop) = (request, estop);
        }
        let wall_ns = self.wall_ns(now_ns);
        let (pad, faults, calm) = (self.operator.pad, &self.faults, self.calm);
        let scene = Scene { now_ns, wall_ns, mode, pad, faults, calm };
        self.sources.cycle(&scene, &mut self.cycle.inbox);
        self.housekeeping(now_ns);
        self.break_car();
        self.observe(now_ns, previous.0);
    }

    /// The step, and what it does to the pins.
    pub(super) fn step(&mut self) {
        let Cycle { release, observation, inbox, .. } = &self.cycle;
        self.cycle.outcome = self.kernel.step(release, observation, inbox);
        let now_ns = self.now_ns();
        let pulses = &self.cycle.outcome.pulses;
        self.pins.steering_us = f64::from(pulses.steering.0);
        // Where the robot's ESC is wired the other way round, so is this one.
        let turned = self.limits.flags.has(LimitsFlags::THROTTLE_REVERSED);
        let neutral_us = f64::from(self.limits.throttle_neutral.0);
        let offset_us = f64::from(pulses.throttle.0) - neutral_us;
        self.pins.throttle_us = neutral_us + if turned { -offset_us } else { offset_us };
        self.pins.relay = pulses.flags.has(PulseFlags::RELAY);
        self.pumped_before = self.pumped_at;
        if pulses.flags.has(PulseFlags::PUMP) {
            self.pins.edges += 1;
            self.pumped_at = now_ns;
        }
        let long = self.faults.is(FaultClass::LongExecution);
        let execution_ns = if long { self.dice.between(400_000, 950_000) } else { 20_000 };
        self.finished_at = now_ns + execution_ns;
        self.plan_restart(now_ns);
        if self.cycle.outcome.mode != self.cycle.outcome.previous_mode && !self.calm {
            self.faults.hurry(now_ns, self.mode());
        }
    }

    /// `CLOCK_REALTIME`: a leap second, a time server after years in a drawer, a time before 1970.
    fn step_clock(&mut self) {
        if self.faults.began.has(FaultClass::ClockSteps) {
            const SECOND_NS: i64 = 1_000_000_000;
            let wrong_ns = [0, SECOND_NS, -SECOND_NS, 10 * YEAR_NS, -10 * YEAR_NS, -80 * YEAR_NS];
            self.wall_off_ns = self.clock_dice.pick(&wrong_ns);
        }
    }

    /// What the wall clock says.
    fn wall_ns(&self, now_ns: u64) -> i64 {
        let since_start = now_ns.cast_signed() - START_NS.cast_signed();
        START_WALL_NS + since_start + self.wall_off_ns
    }

    fn latency_ns(&mut self) -> u64 {
        let jitter_ns = self.dice.between(1_000, 60_000);
        let faults = &self.faults;
        let often = faults.is(FaultClass::LateOften) && self.dice.chance(0.008);
        if faults.began.has(FaultClass::LoopStalls) {
            let longest_ms = self.dice.pick(&[40, 40, 400, 3000]);
            self.dice.between_ms(21, longest_ms)
        } else if faults.began.has(FaultClass::MissedReleases) {
            self.dice.between_ms(1, 18)
        } else if faults.began.has(FaultClass::LateWake)
            || faults.is(FaultClass::LateBurst)
            || often
        {
            self.dice.between(450_000, 900_000)
        } else {
            jitter_ns
        }
    }

    /// A new process: a kernel that knows nothing, slots that are empty.
    fn start_process(&mut self, now_ns: u64) {
        self.restarts_at = None;
        self.kernel = Kernel::new(&self.limits, self.kernel.state().build_id);
        self.cycle.inbox = Inbox::default();
        self.cycle.observation.drive_error_count = 0;
        self.cycle.outcome = Outcome::default();
        self.cycle.is_first = true;
        let wall_ns = self.wall_ns(now_ns);
        self.sources.attach_anew(now_ns, wall_ns);
        self.word_due_at = now_ns;
        self.sealed_at = now_ns + self.dice.between_ms(0, 60);
    }

    /// What needs a new process gets one: a fault (by the service manager), and what housekeeping
    /// reports until the end of the process.
    fn plan_restart(&mut self, now_ns: u64) {
        let flags = self.cycle.inbox.housekeeping.flags;
        let ended = flags.has(HousekeepingFlags::SHUTDOWN) && !self.mode().relay_allowed();
        let for_good = self.cycle.inbox.housekeeping.major_faults > 0;
        let needs = self.mode() == Mode::Fault || ended || for_good;
        if needs && self.restarts_at.is_none() {
            self.restarts_at = Some(now_ns + self.dice.between_ms(5, 150));
        }
    }

    fn housekeeping(&mut self, now_ns: u64) {
        let is = |class| self.faults.is(class);
        let began = |class| self.faults.began.has(class);
        let word = &mut self.cycle.inbox.housekeeping;
        let news = began(FaultClass::MajorPageFault)
            || began(FaultClass::ConfigCorrupt)
            || began(FaultClass::CanaryChanged)
            || began(FaultClass::Shutdown)
            || began(FaultClass::Unsealed)
            || began(FaultClass::NotRealtime);
        if is(FaultClass::HousekeepingHangs) || (now_ns < self.word_due_at && !news) {
            return;
        }
        self.word_due_at = now_ns + WORD_NS;
        let before = word.flags;
        // What cannot get better is reported until the process ends.
        let stays = |flag, on| on || before.has(flag);
        let sealed = now_ns >= self.sealed_at && !is(FaultClass::Unsealed);
        let realtime = !is(FaultClass::NotRealtime);
        let corrupt = stays(HousekeepingFlags::CONFIG_CORRUPT, is(FaultClass::ConfigCorrupt));
        let canary = stays(HousekeepingFlags::CANARY_CHANGED, is(FaultClass::CanaryChanged));
        let shutdown = stays(HousekeepingFlags::SHUTDOWN, is(FaultClass::Shutdown));
        word.sequence += 1;
        word.mono_ns = MonoNs(now_ns);
        word.minor_faults += u64::from(self.dice.chance(0.01));
        word.major_faults += u64::from(began(FaultClass::MajorPageFault));
        word.flags = HousekeepingFlags::EMPTY
            .with(HousekeepingFlags::REALTIME, realtime)
            .with(HousekeepingFlags::MEMORY_LOCKED, realtime)
            .with(HousekeepingFlags::SEALED, sealed)
            .with(HousekeepingFlags::SHUTDOWN, shutdown)
            .with(HousekeepingFlags::CONFIG_CORRUPT, corrupt)
            .with(HousekeepingFlags::CANARY_CHANGED, canary);
    }

    fn break_car(&mut self) {
        let is = |class| self.faults.is(class);
        self.car.broken = super::car::Broken {
            welded: is(FaultClass::RelayWelded),
            dead: is(FaultClass::RelayDead),
            pump_cut: is(FaultClass::PumpCut),
            blocked: is(FaultClass::WheelsBlocked),
            runs_away: is(FaultClass::MotorRunsAway),
            circuit_open: self.mushroom_in_series && self.operator.buttons.mushroom,
        };
    }

    fn observe(&mut self, now_ns: u64, previous_ns: u64) {
        let lines = self.lines(now_ns);
        let two = self.limits.flags.has(LimitsFlags::ESTOP_TWO_CHANNELS);
        let open =
            lines.set.has(LineSet::ESTOP_A_OPEN) || (two && lines.set.has(LineSet::ESTOP_B_OPEN));
        let readable = lines.validity == Raw::new(Validity::Valid);
        if !(open && readable) {
            self.demanded_at = 0;
        } else if self.demanded_at == 0 {
            // It opened at some instant between the last read and this one.
            self.demanded_at = now_ns - self.dice.between(0, now_ns - previous_ns.min(now_ns));
        }
        let is = |class| self.faults.is(class);
        let (now, dice) = (MonoNs(now_ns), &mut self.dice);
        let silent = |on| Raw::new(if on { Validity::Failed } else { Validity::Valid });
        let volts = if is(FaultClass::BatteryGarbage) {
            dice.pick(&[f32::NAN, f32::NEG_INFINITY, -1.0])
        } else if is(FaultClass::BatteryCritical) {
            5.8
        } else if is(FaultClass::BatteryLow) {
            6.2
        } else {
            self.car.battery_v() as f32
        };
        let celsius = if is(FaultClass::TemperatureGarbage) {
            dice.pick(&[f32::NAN, f32::NAN, f32::NAN, f32::NEG_INFINITY])
        } else if is(FaultClass::TemperatureCritical) {
            90.0
        } else if is(FaultClass::TemperatureHigh) {
            84.0
        } else {
            50.0
        };
        let mut accel_m_per_s2 = self.car.accel_m_per_s2().map(|axis| axis as f32);
        if is(FaultClass::ImuOutlier) {
            accel_m_per_s2[2] = dice.pick(&[161.0, -170.0, f32::MAX]);
        } else if is(FaultClass::ImuGarbage) {
            accel_m_per_s2[0] = dice.pick(&[f32::NAN, f32::INFINITY]);
        }
        let before = self.cycle.observation.wheel;
        let speed_m_per_s = if is(FaultClass::WheelGarbage) {
            // No number at all, or any number, for as long as it lasts.
            let nan = self.faults.victim(FaultClass::WheelGarbage) < 2;
            if nan { f32::NAN } else { f32::from_bits(dice.bits() as u32) }
        } else if is(FaultClass::WheelStuck) && self.faults.victim(FaultClass::WheelStuck) < 2 {
            0.0
        } else if is(FaultClass::WheelStuck) || is(FaultClass::WheelSilent) {
            before.speed_m_per_s
        } else {
            self.car.wheel_m_per_s() as f32
        };
        let power = if is(FaultClass::Undervoltage) { 1 | 1 << 16 } else { 0 };
        let errors = self.cycle.observation.drive_error_count + 1;
        self.cycle.observation = Observation {
            lines,
            battery: Battery {
                mono_ns: now,
                volts,
                validity: silent(is(FaultClass::BatterySilent)),
            },
            temperature: Temperature { mono_ns: now, celsius, validity: silent(false) },
            power: Power { mono_ns: now, throttled: power, validity: silent(false) },
            imu: Imu {
                mono_ns: now,
                accel_m_per_s2,
                validity: silent(is(FaultClass::ImuSilent)),
                ..Imu::default()
            },
            wheel: WheelSpeed {
                mono_ns: now,
                speed_m_per_s,
                validity: silent(is(FaultClass::WheelSilent)),
            },
            drive_error_count: if is(FaultClass::DriveWrite) { errors } else { 0 },
            ..Observation::default()
        };
    }

    fn lines(&mut self, now_ns: u64) -> Lines {
        let is = |class| self.faults.is(class);
        let buttons = self.operator.buttons;
        let bounces = is(FaultClass::ContactsBounce);
        let (bounce_a, bounce_b) =
            (bounces && self.dice.chance(0.5), bounces && self.dice.chance(0.5));
        let set = LineSet::RELAY_FEEDBACK_FITTED
            .with(
                LineSet::ESTOP_A_OPEN,
                buttons.mushroom || bounce_a || is(FaultClass::ChannelAOpen),
            )
            .with(
                LineSet::ESTOP_B_OPEN,
                buttons.mushroom || bounce_b || is(FaultClass::ChannelBOpen),
            )
            .with(LineSet::RESET_PRESSED, buttons.reset || is(FaultClass::ResetStuck))
            .with(LineSet::ARM_PRESSED, buttons.arm || is(FaultClass::ArmStuck))
            .with(LineSet::DISARM_PRESSED, buttons.disarm || is(FaultClass::DisarmStuck))
            .with(LineSet::RELAY_CLOSED, self.car.contact_is_closed());
        let validity = if is(FaultClass::LinesUnreadable) {
            Validity::Failed
        } else if is(FaultClass::LinesAbsent) {
            Validity::Absent
        } else {
            Validity::Valid
        };
        Lines { mono_ns: MonoNs(now_ns), set, validity: Raw::new(validity) }
    }
}
