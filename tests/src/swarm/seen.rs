//! What an onlooker makes of one cycle's inputs, with numbers of its own.
//!
//! Stated from outside, after the rules of rt-core/README.md, without a call into `rt-control`: which
//! demands to stop are there, who may drive, what is asked. It must never look at the outcome.
//! Tests: tests/swarm.rs (the numbers are those of the Pi 5 robot).

use super::world::Cycle;
use rt_wire::{
    Arrival, Class, Command, CommandFlags, Fault, FaultSet, HousekeepingFlags, Inbox, InboxCommand,
    Limits, LimitsFlags, LineSet, Mode, MonoNs, Observation, OperatorKind, Sign, Source, Validity,
};

/// Milliseconds in nanoseconds.
const MS: u64 = 1_000_000;
/// A source's last good command is stale after so many cycles: teleop, inference, pilot.
pub const STALE_CYCLES: [u32; 3] = [140, 190, 90];
/// Nobody may promise a command for longer.
pub const EXPIRY_MAX_NS: u64 = 1000 * MS;
/// A heartbeat is late after the first and lost after the second.
pub const HEARTBEAT_NS: [u64; 2] = [200 * MS, 500 * MS];
/// A wake-up or an execution is late after the first; after the second the wake-up is an e-stop.
pub const LATE_NS: [u64; 2] = [MS / 2, 20 * MS];
/// So many late cycles in a row, or in the last thousand, stop the car.
pub const LATE_MAX: [u32; 2] = [2, 5];
/// A reset press lasts from the first to the second.
pub const RESET_NS: [u64; 2] = [50 * MS, 2000 * MS];
/// The e-stop channels may disagree for the first, the relay's feedback for the second.
pub const DISAGREE_NS: [u64; 2] = [20 * MS, 100 * MS];
/// The supply may be low for this long.
pub const STARVED_NS: u64 = 1000 * MS;
/// Battery of two cells: low, critical.
pub const BATTERY_V: [f32; 2] = [6.6, 6.0];
/// Chip: hot, critical.
pub const CHIP_C: [f32; 2] = [82.0, 88.0];
/// An acceleration of this magnitude or a larger one is an outlier.
pub const ACCEL_MAX_M_PER_S2: f64 = 160.0;
/// A person's command may be as old as this by its own stamp.
pub const TELEOP_AGE_NS: u64 = 250 * MS;
/// Housekeeping may be silent for this long.
const WORD_NS: u64 = 1000 * MS;
/// From one cycle to the next what is asked may change by so much of full throttle.
const FLIP: f32 = 1.0;
/// A request that leads to motion may be this old.
const REQUEST_NS: u64 = 1000 * MS;
/// The camera among the heartbeats.
const CAMERA: usize = 4;

/// Since when something holds.
#[derive(Clone, Copy, Debug, Default)]
struct Since(Option<u64>);

impl Since {
    /// Whether it has held for `dwell_ns`.
    fn holds(&mut self, on: bool, now_ns: u64, dwell_ns: u64) -> bool {
        self.0 = if on { self.0.or(Some(now_ns)) } else { None };
        self.0.is_some_and(|since| now_ns - since >= dwell_ns)
    }
}

/// Whether a press of the reset button began where it could be seen.
#[derive(Clone, Copy, Debug)]
enum Press {
    Released,
    Since(u64),
    /// Held from before anybody looked.
    Unseen,
}

/// The last good command of a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// The command; all zero before the first.
    pub(super) command: Command,
    /// When the loop read it; 0 before the first.
    pub(super) received_at: u64,
    /// Cycles since then.
    pub(super) age: u32,
    generation: u32,
    /// The attach in which its slot was found corrupt.
    dead_in: Option<u32>,
}

/// What the onlooker remembers.
#[derive(Clone, Debug)]
pub(super) struct Onlooker {
    limits: Limits,
    battery: Since,
    chip: Since,
    supply: Since,
    channels: Since,
    relay: Since,
    press: Press,
    reset_before: bool,
    arm_before: bool,
    late_in_a_row: u32,
    late_in_window: u32,
    late_window: [bool; 1000],
    window_at: usize,
    bad_at: [u64; 3],
    bad_of: Source,
    stall: Since,
    coasting_mm_per_s: u32,
    faster: Since,
    heard: [(u64, Option<u64>); 6],
    operator_sequence: u64,
    estop_sequence: u64,
    /// Last good commands.
    pub(super) kept: [Kept; 3],
}

/// What was seen in one cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Causes that must be told, and no others of those that the onlooker knows.
    pub(super) causes: FaultSet,
    /// A reset edge.
    pub(super) reset: bool,
    /// An arm edge.
    pub(super) arm: bool,
    /// A late cycle.
    pub(super) late: bool,
    /// Late cycles in a row are too many.
    pub(super) overload: bool,
    /// What became of each source's news.
    pub(super) classes: [Option<Class>; 3],
    /// Judgement of each heartbeat.
    pub(super) signs: [Option<Sign>; 6],
    /// Housekeeping says that the loop is sealed.
    pub(super) sealed: bool,
    /// The lines can be read.
    pub(super) readable: bool,
    /// Something forbids arming although it stops nothing.
    pub(super) no_arming: bool,
    /// The wheel has turned faster than it coasts for too long: a runaway must be told.
    pub(super) runs_away: bool,
    /// Teleop sent news without the dead-man switch.
    pub(super) dead_man_missing: bool,
    /// Judgement of the camera's heartbeat.
    pub(super) camera: Option<Sign>,
    /// It is required, and gone.
    pub(super) camera_missing: bool,
}

/// Causes that the onlooker derives itself; for all others it believes the outcome.
pub(super) const KNOWN: FaultSet = FaultSet::EMPTY
    .and(Fault::EstopLine, true)
    .and(Fault::EstopDiscrepancy, true)
    .and(Fault::EstopOperator, true)
    .and(Fault::EstopSource, true)
    .and(Fault::LateGross, true)
    .and(Fault::HeartbeatLost, true)
    .and(Fault::DisarmRequested, true)
    .and(Fault::TemperatureHigh, true)
    .and(Fault::TemperatureCritical, true)
    .and(Fault::Undervoltage, true)
    .and(Fault::BatteryLow, true)
    .and(Fault::BatteryCritical, true)
    .and(Fault::DriveWrite, true)
    .and(Fault::RelayFeedback, true)
    .and(Fault::MajorPageFault, true)
    .and(Fault::ImuOutlier, true)
    .and(Fault::ConfigCorrupt, true)
    .and(Fault::CanaryChanged, true)
    .and(Fault::Shutdown, true)
    .and(Fault::Overload, true)
    .and(Fault::OwnerImplausible, true)
    .and(Fault::DeadManReleased, true)
    .and(Fault::SourceDead, true)
    .and(Fault::Stall, true)
    .and(Fault::HousekeepingSilent, true)
    .and(Fault::LogMissing, true);

/// Causes that end in Fault; these three say what follows from what, whatever `rt-wire`'s table says.
pub(super) const FATAL: FaultSet = FaultSet::EMPTY
    .and(Fault::DriveWrite, true)
    .and(Fault::RelayFeedback, true)
    .and(Fault::SelfTestFailed, true)
    .and(Fault::KernelMirror, true)
    .and(Fault::ConfigCorrupt, true)
    .and(Fault::CanaryChanged, true)
    .and(Fault::NotFinite, true);

/// Causes that latch the e-stop.
pub(super) const ESTOP: FaultSet = FaultSet::EMPTY
    .and(Fault::EstopLine, true)
    .and(Fault::EstopDiscrepancy, true)
    .and(Fault::EstopOperator, true)
    .and(Fault::EstopSource, true)
    .and(Fault::LateGross, true)
    .and(Fault::TemperatureCritical, true)
    .and(Fault::BatteryCritical, true)
    .and(Fault::Runaway, true);

/// Causes of a controlled stop. All others warn: a log that is missing ends no drive.
pub(super) const STOP: FaultSet = FaultSet::EMPTY
    .and(Fault::Overload, true)
    .and(Fault::OwnerStale, true)
    .and(Fault::OwnerReleased, true)
    .and(Fault::OwnerImplausible, true)
    .and(Fault::HeartbeatLost, true)
    .and(Fault::DisarmRequested, true)
    .and(Fault::DeadManReleased, true)
    .and(Fault::TemperatureHigh, true)
    .and(Fault::Undervoltage, true)
    .and(Fault::BatteryLow, true)
    .and(Fault::MajorPageFault, true)
    .and(Fault::Stall, true)
    .and(Fault::ImuOutlier, true)
    .and(Fault::CameraLost, true)
    .and(Fault::HousekeepingSilent, true)
    .and(Fault::Shutdown, true);

impl Onlooker {
    /// Before the first cycle of a kernel.
    #[must_use]
    pub(super) fn new(limits: &Limits) -> Self {
        let kept = Kept {
            command: Command::default(),
            received_at: 0,
            age: u32::MAX,
            generation: 0,
            dead_in: None,
        };
        Self {
            limits: *limits,
            battery: Since::default(),
            chip: Since::default(),
            supply: Since::default(),
            channels: Since::default(),
            relay: Since::default(),
            press: Press::Unseen,
            reset_before: true,
            arm_before: true,
            late_in_a_row: 0,
            late_in_window: 0,
            late_window: [false; 1000],
            window_at: 0,
            bad_at: [0; 3],
            bad_of: Source::None,
            stall: Since::default(),
            coasting_mm_per_s: u32::MAX,
            faster: Since::default(),
            heard: [(0, None); 6],
            operator_sequence: 0,
            estop_sequence: 0,
            kept: [kept; 3],
        }
    }

    /// Looks at a cycle; `mode`, `owner` and `level`, negative in reverse, are those before it.
    pub(super) fn see(&mut self, cycle: &Cycle, mode: Mode, owner: Source, level: i32) -> Seen {
        let now_ns = cycle.release.woke_at.0;
        let mut seen = Seen::default();
        self.lateness(cycle, now_ns, &mut seen);
        self.hearts(&cycle.inbox, now_ns, &mut seen);
        self.lines(&cycle.observation, mode, now_ns, &mut seen);
        self.sensors(&cycle.observation, now_ns, &mut seen);
        self.wheel(&cycle.observation, mode, level, now_ns, &mut seen);
        self.words(&cycle.inbox, now_ns, &mut seen);
        let teleop = self.sources(&cycle.inbox, now_ns, &mut seen);
        self.demands(cycle, &teleop, now_ns, &mut seen);
        let bad = owner.index().is_some_and(|place| seen.classes[place] == Some(Class::Bad));
        let implausible = self.third_bad(owner, bad, now_ns);
        seen.causes = seen
            .causes
            .and(Fault::OwnerImplausible, implausible)
            .and(Fault::DeadManReleased, owner == Source::Teleop && seen.dead_man_missing);
        seen
    }

    fn lateness(&mut self, cycle: &Cycle, now_ns: u64, seen: &mut Seen) {
        let release = &cycle.release;
        let late_ns = now_ns.saturating_sub(release.release_time.0);
        let ran_ns = release.previous_finished_at.0.saturating_sub(release.previous_woke_at.0);
        seen.late = late_ns > LATE_NS[0] || ran_ns > LATE_NS[0];
        self.late_in_a_row = if seen.late { self.late_in_a_row + 1 } else { 0 };
        let oldest = &mut self.late_window[self.window_at];
        self.late_in_window += u32::from(seen.late);
        self.late_in_window -= u32::from(std::mem::replace(oldest, seen.late));
        self.window_at = (self.window_at + 1) % self.late_window.len();
        seen.overload = self.late_in_a_row >= LATE_MAX[0];
        let often = self.late_in_window >= LATE_MAX[1];
        seen.causes = seen
            .causes
            .and(Fault::LateGross, late_ns.max(ran_ns) > LATE_NS[1])
            .and(Fault::Overload, seen.overload || often);
    }

    fn hearts(&mut self, inbox: &Inbox, now_ns: u64, seen: &mut Seen) {
        let mut lost = false;
        for (place, heartbeat) in inbox.heartbeats.iter().enumerate() {
            let (sequence, heard_at) = &mut self.heard[place];
            if *sequence != heartbeat.sequence {
                (*sequence, *heard_at) = (heartbeat.sequence, Some(now_ns));
            }
            let sign = match heard_at.map(|at| now_ns - at) {
                None => Sign::Never,
                Some(silent_ns) if silent_ns >= HEARTBEAT_NS[1] => Sign::Lost,
                Some(silent_ns) if silent_ns >= HEARTBEAT_NS[0] => Sign::Late,
                Some(_) => Sign::OnTime,
            };
            let required = self.limits.heartbeats_required >> place & 1 != 0;
            let gone = required && matches!(sign, Sign::Never | Sign::Lost);
            // The camera's loss is a cause of its own.
            if place == CAMERA {
                (seen.camera, seen.camera_missing) = (Some(sign), gone);
            } else {
                lost |= gone;
            }
            seen.signs[place] = Some(sign);
        }
        // The fourth is the logger: on time, an episode open, nothing lost.
        let (logger, flags) = (seen.signs[3], inbox.heartbeats[3].flags.0);
        let records = logger == Some(Sign::OnTime) && flags & 0b11 == 0b10;
        let log_missing = self.limits.flags.has(LimitsFlags::REQUIRE_LOG) && !records;
        seen.no_arming |= log_missing;
        seen.causes =
            seen.causes.and(Fault::HeartbeatLost, lost).and(Fault::LogMissing, log_missing);
    }

    fn lines(&mut self, observation: &Observation, mode: Mode, now_ns: u64, seen: &mut Seen) {
        let lines = &observation.lines;
        let validity = lines.validity.get();
        let readable = validity == Some(Validity::Valid);
        let two = self.limits.flags.has(LimitsFlags::ESTOP_TWO_CHANNELS);
        let a = lines.set.has(LineSet::ESTOP_A_OPEN);
        let b = if two { lines.set.has(LineSet::ESTOP_B_OPEN) } else { a };
        // Before the self-test has passed nothing moves, and it waits for the lines.
        let awaited =
            matches!(mode, Mode::Boot | Mode::SelfTest) && validity == Some(Validity::Absent);
        let open = if readable { a || b } else { !awaited };
        let disagree = self.channels.holds(readable && a != b, now_ns, DISAGREE_NS[0]);
        let closed = lines.set.has(LineSet::RELAY_CLOSED);
        let asked = matches!(mode, Mode::Arming | Mode::Active | Mode::SafeStop);
        let disobeys = self.relay.holds(readable && closed != asked, now_ns, DISAGREE_NS[1]);
        seen.readable = readable;
        seen.causes = seen
            .causes
            .and(Fault::EstopLine, open)
            .and(Fault::EstopDiscrepancy, disagree)
            .and(Fault::RelayFeedback, disobeys);
    }

    fn sensors(&mut self, observation: &Observation, now_ns: u64, seen: &mut Seen) {
        let battery = &observation.battery;
        let measured = battery.validity.get() == Some(Validity::Valid);
        // What is no number is no charge.
        let below = |volts: f32| measured && (battery.volts.is_nan() || battery.volts < volts);
        let low = self.battery.holds(below(BATTERY_V[0]), now_ns, self.limits.battery_dwell_ns);
        let celsius = observation.temperature.celsius;
        let hot = celsius.is_nan() || celsius >= CHIP_C[0];
        let hot = self.chip.holds(hot, now_ns, self.limits.temperature_dwell_ns);
        let starved = observation.power.throttled & 1 != 0;
        let starved = self.supply.holds(starved, now_ns, STARVED_NS);
        let imu = &observation.imu;
        let [x, y, z] = imu.accel_m_per_s2.map(f64::from);
        let magnitude = (x * x + y * y + z * z).sqrt();
        let outlier = imu.validity.get() == Some(Validity::Valid)
            && (magnitude.is_nan() || magnitude >= ACCEL_MAX_M_PER_S2);
        seen.causes = seen
            .causes
            .and(Fault::BatteryLow, low)
            .and(Fault::BatteryCritical, below(BATTERY_V[1]))
            .and(Fault::TemperatureHigh, hot)
            .and(Fault::TemperatureCritical, celsius >= CHIP_C[1])
            .and(Fault::Undervoltage, starved)
            .and(Fault::ImuOutlier, outlier)
            .and(Fault::DriveWrite, observation.drive_error_count >= 2);
    }

    /// The wheel against what was driven in the cycle before.
    fn wheel(
        &mut self,
        observation: &Observation,
        mode: Mode,
        level: i32,
        now_ns: u64,
        seen: &mut Seen,
    ) {
        let (wheel, limits) = (&observation.wheel, &self.limits);
        let known = wheel.validity.get() == Some(Validity::Valid);
        let mm_per_s = (f64::from(wheel.speed_m_per_s).abs() * 1000.0) as u32;
        let garbage = !wheel.speed_m_per_s.is_finite();
        let still = known && (garbage || mm_per_s <= limits.standstill_mm_per_s);
        // A motor that gives all that its direction may have must turn the wheel.
        let most = if level < 0 { limits.level_reverse_max } else { limits.level_forward_max };
        let pushed = level != 0 && level.unsigned_abs() >= limits.stall_level.min(most);
        let stalled = self.stall.holds(pushed && still, now_ns, limits.stall_after_ns);
        seen.causes = seen.causes.and(Fault::Stall, stalled);
        // Of a runaway only what is beyond doubt: neutral, and faster than it ever coasted.
        let coasts = level == 0 && matches!(mode, Mode::Arming | Mode::Active | Mode::SafeStop);
        if !coasts {
            self.coasting_mm_per_s = u32::MAX;
        } else if known && !garbage {
            self.coasting_mm_per_s = self.coasting_mm_per_s.min(mm_per_s);
        }
        let most = self.coasting_mm_per_s.saturating_add(limits.runaway_margin_mm_per_s);
        let faster = coasts && known && !garbage && mm_per_s > most;
        seen.runs_away = self.faster.holds(faster, now_ns, limits.runaway_after_ns);
    }

    fn words(&mut self, inbox: &Inbox, now_ns: u64, seen: &mut Seen) {
        let word = &inbox.housekeeping;
        let says = |flag| word.flags.has(flag);
        let realtime = says(HousekeepingFlags::REALTIME) && says(HousekeepingFlags::MEMORY_LOCKED);
        seen.sealed = says(HousekeepingFlags::SEALED);
        let real = self.limits.flags.has(LimitsFlags::REAL_BOARD);
        // A throttle without range is one that nobody has calibrated.
        let fixed = self.limits.level_forward_max == 0 && self.limits.level_reverse_max == 0;
        seen.no_arming |= !seen.sealed || fixed || (real && !realtime);
        seen.causes = seen
            .causes
            .and(Fault::MajorPageFault, word.major_faults > 0)
            .and(Fault::HousekeepingSilent, word.sequence > 0 && now_ns > word.mono_ns.0 + WORD_NS)
            .and(Fault::ConfigCorrupt, says(HousekeepingFlags::CONFIG_CORRUPT))
            .and(Fault::CanaryChanged, says(HousekeepingFlags::CANARY_CHANGED))
            .and(Fault::Shutdown, says(HousekeepingFlags::SHUTDOWN));
    }

    /// Judges the news of every source; returns what teleop asks beside driving.
    fn sources(&mut self, inbox: &Inbox, now_ns: u64, seen: &mut Seen) -> Asked {
        let mut teleop = Asked::default();
        let mut any_dead = false;
        for (place, slot) in inbox.commands.iter().enumerate() {
            let kept = &mut self.kept[place];
            kept.age = kept.age.saturating_add(1);
            let arrival = slot.arrival.get();
            let corrupt = matches!(arrival, Some(Arrival::Corrupt) | None);
            kept.dead_in = match kept.dead_in {
                _ if corrupt => Some(slot.generation),
                Some(generation) if generation == slot.generation => Some(generation),
                Some(_) | None => None,
            };
            let dead = kept.dead_in.is_some();
            any_dead |= dead;
            seen.classes[place] = Some(match arrival {
                Some(Arrival::Absent | Arrival::Torn) => Class::Absent,
                Some(Arrival::Corrupt) | None => Class::Bad,
                Some(Arrival::New) => {
                    let deaf = dead || seen.signs[place] != Some(Sign::OnTime);
                    let news = News { place, slot, now_ns, deaf };
                    kept.take(&news, &self.limits, seen, &mut teleop)
                }
            });
        }
        seen.causes = seen.causes.and(Fault::SourceDead, any_dead);
        teleop
    }

    /// Buttons, socket and pad.
    fn demands(&mut self, cycle: &Cycle, teleop: &Asked, now_ns: u64, seen: &mut Seen) {
        let (set, inbox) = (cycle.observation.lines.set, &cycle.inbox);
        let pressed = |line| seen.readable && set.has(line);
        let request = &inbox.operator;
        let is_new = request.sequence != self.operator_sequence;
        self.operator_sequence = request.sequence;
        let young = now_ns.saturating_sub(request.mono_ns.0) <= REQUEST_NS;
        let asked = |kind| is_new && request.kind.get() == Some(kind);

        let press_ended = match (seen.readable, pressed(LineSet::RESET_PRESSED), self.press) {
            (false, ..) => {
                self.press = Press::Unseen;
                false
            }
            (true, true, Press::Released) => {
                self.press = Press::Since(now_ns);
                false
            }
            (true, true, Press::Since(_) | Press::Unseen) => false,
            (true, false, press) => {
                self.press = Press::Released;
                matches!(press, Press::Since(since) if (RESET_NS[0]..=RESET_NS[1]).contains(&(now_ns - since)))
            }
        };
        let reset = press_ended || (asked(OperatorKind::Reset) && young);
        let arm =
            pressed(LineSet::ARM_PRESSED) || (asked(OperatorKind::Arm) && young) || teleop.arm;
        let reset_before = std::mem::replace(&mut self.reset_before, reset);
        let arm_before = std::mem::replace(&mut self.arm_before, arm);
        seen.reset = reset && !reset_before;
        seen.arm = arm && !arm_before;
        let disarm =
            pressed(LineSet::DISARM_PRESSED) || asked(OperatorKind::Disarm) || teleop.disarm;
        let estop = inbox.estop.sequence != self.estop_sequence || asked(OperatorKind::Estop);
        self.estop_sequence = inbox.estop.sequence;
        seen.causes =
            seen.causes.and(Fault::DisarmRequested, disarm).and(Fault::EstopOperator, estop);
    }

    /// The owner's third refused command within a second stops the car for a second; the count is
    /// that of the last owner.
    fn third_bad(&mut self, owner: Source, bad: bool, now_ns: u64) -> bool {
        if owner != Source::None && owner != self.bad_of {
            self.bad_of = owner;
            self.bad_at = [0; 3];
        }
        if bad {
            self.bad_at.rotate_left(1);
            self.bad_at[2] = now_ns;
        }
        let [oldest, _, newest] = self.bad_at;
        oldest != 0 && newest - oldest <= 1000 * MS && now_ns - newest <= 1000 * MS
    }
}

/// A new record of a source.
struct News<'a> {
    place: usize,
    slot: &'a InboxCommand,
    now_ns: u64,
    /// Its commands are ignored, but not its demands to stop.
    deaf: bool,
}

/// What teleop asks beside driving.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    arm: bool,
    disarm: bool,
}

/// Times, count and values of a command.
fn is_sane(command: &Command, place: usize, now_ns: u64, period_ns: u64) -> bool {
    let made_ns = command.mono_ns.0;
    let stale_ns = u64::from(STALE_CYCLES[place]) * period_ns;
    let age_max_ns = if place == 0 { TELEOP_AGE_NS } else { stale_ns };
    let in_time = made_ns <= now_ns + period_ns
        && now_ns.saturating_sub(made_ns) <= age_max_ns
        && command.expires_at.0 > now_ns
        && command.expires_at.0 <= now_ns + EXPIRY_MAX_NS;
    let n = command.n as usize;
    if !in_time || n == 0 || n > command.points.len() {
        return false;
    }
    let points = &command.points[..n];
    points.windows(2).all(|pair| pair[0].offset_us < pair[1].offset_us)
        && points.iter().all(|point| {
            // NaN fails every comparison.
            (-1.05..=1.05).contains(&point.steering) && (-1.05..=1.05).contains(&point.throttle)
        })
}

impl Kept {
    /// Judges a new record, and keeps it if it is good.
    fn take(
        &mut self,
        news: &News<'_>,
        limits: &Limits,
        seen: &mut Seen,
        teleop: &mut Asked,
    ) -> Class {
        let News { place, slot, now_ns, deaf } = *news;
        let command = &slot.command;
        let asks = |flag| command.flags.has(flag);
        let from_person = place == 0;
        let stops = asks(CommandFlags::ESTOP) || seen.causes.contains(Fault::EstopSource);
        seen.causes = seen.causes.and(Fault::EstopSource, stops);
        teleop.disarm |= from_person && asks(CommandFlags::DISARM);
        let known = slot.generation == self.generation;
        let newer = !known || command.sequence > self.command.sequence;
        let allowed = from_person || !asks(CommandFlags::ARM);
        let sane = is_sane(command, place, now_ns, limits.period_ns);
        if !(newer && allowed && sane) || (known && self.is_flipped_by(command, now_ns, limits)) {
            return Class::Bad;
        }
        let held = !from_person || asks(CommandFlags::DEAD_MAN);
        seen.dead_man_missing |= !held;
        if deaf {
            return Class::Absent;
        }
        let silent_ns = now_ns - self.received_at;
        let heard = known && silent_ns < u64::from(STALE_CYCLES[place]) * limits.period_ns;
        let was_up = heard && !self.command.flags.has(CommandFlags::ARM);
        let claims = held && asks(CommandFlags::ASKS_AUTHORITY);
        teleop.arm |= from_person && asks(CommandFlags::ARM) && was_up && claims;
        self.command = *command;
        self.received_at = now_ns;
        self.age = 0;
        self.generation = slot.generation;
        if claims { Class::GoodAsking } else { Class::Good }
    }

    /// Whether what is asked jumps from one cycle to the very next.
    fn is_flipped_by(&self, command: &Command, now_ns: u64, limits: &Limits) -> bool {
        let lives = self.received_at != 0 && self.command.expires_at > MonoNs(now_ns);
        let next_cycle = now_ns.saturating_sub(self.received_at) < 2 * limits.period_ns;
        lives && next_cycle && (asked(command, now_ns).1 - self.asks(now_ns).1).abs() > FLIP
    }

    /// Whether it counts for nothing any more, by the clock.
    #[must_use]
    pub(super) fn lapsed(&self, place: usize, now_ns: u64, period_ns: u64) -> bool {
        self.command.expires_at <= MonoNs(now_ns)
            || now_ns - self.received_at >= u64::from(STALE_CYCLES[place]) * period_ns
    }

    /// What it asks for now: steering and throttle.
    #[must_use]
    pub(super) fn asks(&self, now_ns: u64) -> (f32, f32) {
        asked(&self.command, now_ns)
    }
}

/// The last point whose time has come; before the first a command asks for nothing.
fn asked(command: &Command, now_ns: u64) -> (f32, f32) {
    let elapsed_us = now_ns.saturating_sub(command.mono_ns.0) / 1000;
    let n = (command.n as usize).min(command.points.len());
    let reached =
        command.points[..n].iter().rev().find(|point| u64::from(point.offset_us) <= elapsed_us);
    reached.map_or((0.0, 0.0), |point| {
        (point.steering.clamp(-1.0, 1.0), point.throttle.clamp(-1.0, 1.0))
    })
}
