//! What can go wrong: one table of fault classes, and when each strikes in a run.
//!
//! Each class strikes at random, `every_s` seconds apart on average, and lasts for a random time in
//! its range. A run enables a random subset of the classes with a random pace, so that rare
//! combinations come up (swarm testing). What a class does stands where the thing is simulated; here
//! is only when. It must never let one class's schedule depend on another one's being there.
//! Tests: here, tests/swarm.rs.

use super::dice::Dice;
use rt_wire::Mode;

macro_rules! fault_classes {
    ($($Class:ident: $name:literal, every $every_s:literal s, $shortest_ms:literal to $longest_ms:literal ms, $what:literal;)*) => {
        /// A kind of trouble.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FaultClass {
            $(#[doc = $what] $Class,)*
        }

        impl FaultClass {
            /// Every class, in order.
            pub const ALL: &'static [Self] = &[$(Self::$Class,)*];

            /// Its name on the command line and in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$Class => $name,)* }
            }

            /// What it does, in a sentence.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$Class => $what,)* }
            }

            /// How often it strikes at pace 1.
            #[must_use]
            pub fn strikes_per_s(self) -> f64 {
                1.0 / self.timing().0
            }

            const fn timing(self) -> (f64, u64, u64) {
                match self { $(Self::$Class => ($every_s, $shortest_ms, $longest_ms),)* }
            }
        }
    };
}

fault_classes! {
    LateWake: "late-wake", every 8.0 s, 1 to 1 ms, "One cycle wakes up to 0.9 ms late.";
    LateBurst: "late-burst", every 12.0 s, 2 to 12 ms, "Several cycles in a row wake late.";
    LateOften: "late-often", every 20.0 s, 300 to 1500 ms, "Every so many cycles one wakes late.";
    LongExecution: "long-execution", every 8.0 s, 1 to 4 ms, "Cycles take longer than half a period.";
    MissedReleases: "missed-releases", every 10.0 s, 1 to 1 ms, "One wake-up skips up to 18 releases.";
    LoopStalls: "loop-stalls", every 20.0 s, 1 to 1 ms, "The loop does not run for 21 ms to 3 s.";

    ChannelAOpen: "channel-a-open", every 15.0 s, 1 to 200 ms, "A contact of e-stop channel A is open.";
    ChannelBOpen: "channel-b-open", every 15.0 s, 1 to 200 ms, "A contact of e-stop channel B is open.";
    ContactsBounce: "contacts-bounce", every 20.0 s, 2 to 60 ms, "Both e-stop contacts flicker.";
    LinesUnreadable: "lines-unreadable", every 15.0 s, 1 to 300 ms, "The digital lines cannot be read.";
    LinesAbsent: "lines-absent", every 15.0 s, 1 to 300 ms, "The digital lines have not spoken yet.";
    ResetStuck: "reset-stuck", every 15.0 s, 20 to 4000 ms, "The reset button is stuck.";
    ArmStuck: "arm-stuck", every 15.0 s, 20 to 4000 ms, "The arm button is stuck.";
    DisarmStuck: "disarm-stuck", every 15.0 s, 20 to 2000 ms, "The disarm button is stuck.";

    RelayWelded: "relay-welded", every 20.0 s, 50 to 1500 ms, "The relay's contact stays shut.";
    RelayDead: "relay-dead", every 20.0 s, 50 to 1500 ms, "The relay's contact never shuts.";
    PumpCut: "pump-cut", every 25.0 s, 5 to 500 ms, "The wire of the heartbeat pin is cut.";
    DriveWrite: "drive-write", every 1.5 s, 2 to 30 ms, "The pulses cannot be written.";

    BatteryLow: "battery-low", every 20.0 s, 500 to 4000 ms, "The battery reads 3.1 V a cell.";
    BatteryCritical: "battery-critical", every 20.0 s, 1 to 500 ms, "The battery reads 2.9 V a cell.";
    BatteryGarbage: "battery-garbage", every 20.0 s, 1 to 200 ms, "The battery reads no number.";
    BatterySilent: "battery-silent", every 20.0 s, 10 to 3000 ms, "The battery cannot be measured.";
    TemperatureHigh: "temperature-high", every 12.0 s, 500 to 8000 ms, "The chip is at 84 degrees.";
    TemperatureCritical: "temperature-critical", every 20.0 s, 1 to 500 ms, "The chip is at 90 degrees.";
    TemperatureGarbage: "temperature-garbage", every 20.0 s, 100 to 8000 ms, "The chip's temperature is no number.";
    Undervoltage: "undervoltage", every 12.0 s, 200 to 3000 ms, "The firmware reports undervoltage.";
    ImuOutlier: "imu-outlier", every 20.0 s, 1 to 50 ms, "The IMU reports an impossible acceleration.";
    ImuGarbage: "imu-garbage", every 20.0 s, 1 to 50 ms, "The IMU reports no number.";
    ImuSilent: "imu-silent", every 20.0 s, 10 to 2000 ms, "The IMU does not answer.";
    WheelGarbage: "wheel-garbage", every 5.0 s, 50 to 1500 ms, "The wheel encoder reports random bits.";
    WheelSilent: "wheel-silent", every 20.0 s, 10 to 3000 ms, "The wheel encoder does not answer.";
    WheelStuck: "wheel-stuck", every 4.0 s, 500 to 4000 ms, "The wheel encoder repeats its last reading, or says 0.";
    WheelsBlocked: "wheels-blocked", every 1.0 s, 1500 to 6000 ms, "The wheels are blocked.";
    MotorRunsAway: "motor-runs-away", every 1.5 s, 500 to 4000 ms, "The ESC drives whatever its pulse says.";

    SourceCrashes: "source-crashes", every 8.0 s, 20 to 2000 ms, "A source dies and comes back.";
    SourceStalls: "source-stalls", every 8.0 s, 20 to 1500 ms, "A source hangs, then goes on.";
    SourceSlow: "source-slow", every 10.0 s, 200 to 3000 ms, "A source is several times too slow.";
    SourceGarbage: "source-garbage", every 1.5 s, 50 to 1500 ms, "A source writes garbage.";
    HeartStops: "heart-stops", every 10.0 s, 100 to 1500 ms, "A sidecar's heartbeat stops, its commands do not.";
    SourceLetsGo: "source-lets-go", every 8.0 s, 50 to 1000 ms, "A source no longer asks for authority.";
    SourceEager: "source-eager", every 10.0 s, 200 to 2000 ms, "A source asks for throttle before it may.";
    SourceEstop: "source-estop", every 15.0 s, 1 to 200 ms, "A source asks for an e-stop.";
    TeleopDisarms: "teleop-disarms", every 15.0 s, 1 to 300 ms, "Teleop asks to disarm.";
    DeadManReleased: "dead-man-released", every 3.0 s, 20 to 1000 ms, "The dead-man switch is let go.";
    SourceAsksArm: "source-asks-arm", every 10.0 s, 20 to 500 ms, "Pilot or policy ask to arm.";
    LoggerDead: "logger-dead", every 12.0 s, 100 to 3000 ms, "The logger's heartbeat stops.";
    CameraDead: "camera-dead", every 15.0 s, 100 to 3000 ms, "The camera's heartbeat stops.";

    NetLoss: "net-loss", every 6.0 s, 100 to 3000 ms, "The network loses up to half of a person's frames.";
    NetDelay: "net-delay", every 5.0 s, 50 to 3000 ms, "The network holds every frame for up to 2 s.";
    NetDuplicate: "net-duplicate", every 4.0 s, 50 to 2000 ms, "Frames come up to four times.";
    NetReorder: "net-reorder", every 4.0 s, 50 to 2000 ms, "Frames overtake each other.";
    NetPartition: "net-partition", every 6.0 s, 20 to 2000 ms, "Nothing comes through; then nothing of it, or all of it at once.";

    DiskFull: "disk-full", every 12.0 s, 100 to 3000 ms, "The disk behind the logger is full (ENOSPC).";
    DiskFails: "disk-fails", every 12.0 s, 1 to 3000 ms, "A write of the logger fails (EIO).";
    DiskStalls: "disk-stalls", every 8.0 s, 500 to 6000 ms, "A write of the logger takes seconds.";
    ClockSteps: "clock-steps", every 8.0 s, 1 to 1 ms, "CLOCK_REALTIME jumps, by a second or by ten years.";

    MajorPageFault: "major-page-fault", every 20.0 s, 1 to 1 ms, "The loop's memory came from disk.";
    ConfigCorrupt: "config-corrupt", every 12.0 s, 20 to 500 ms, "The configuration's checksum is wrong.";
    CanaryChanged: "canary-changed", every 12.0 s, 20 to 500 ms, "A canary has changed.";
    Shutdown: "shutdown", every 20.0 s, 20 to 500 ms, "The fast loop is told to end.";
    Unsealed: "unsealed", every 20.0 s, 20 to 500 ms, "Housekeeping says that the loop is not sealed.";
    NotRealtime: "not-realtime", every 15.0 s, 20 to 2000 ms, "The loop lost its real-time priority.";
    HousekeepingHangs: "housekeeping-hangs", every 8.0 s, 200 to 4000 ms, "Housekeeping says nothing and brings no request.";

    PressesEstop: "presses-estop", every 8.0 s, 30 to 1500 ms, "A person presses the mushroom.";
    AsksEstop: "asks-estop", every 10.0 s, 1 to 1 ms, "A local program asks for an e-stop.";
    PressesWrongly: "presses-wrongly", every 5.0 s, 20 to 3000 ms, "Buttons are pressed at the wrong time, too short and too long.";
    AsksWrongly: "asks-wrongly", every 5.0 s, 1 to 1 ms, "Old, unknown and untimely requests come from the socket.";
    OperatorLeaves: "operator-leaves", every 15.0 s, 500 to 4000 ms, "The operator is bored and leaves.";
}

const _: () = assert!(FaultClass::ALL.len() <= 128, "a set of classes is a u128");

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(pub u128);

impl Classes {
    /// All of them.
    pub const ALL: Self = Self(u128::MAX >> (128 - FaultClass::ALL.len()));

    /// Whether it holds the class.
    #[must_use]
    pub const fn has(self, class: FaultClass) -> bool {
        self.0 >> class as u32 & 1 != 0
    }

    /// The set with a class more.
    #[must_use]
    pub const fn with(self, class: FaultClass) -> Self {
        Self(self.0 | 1 << class as u32)
    }

    /// The set with a class less.
    #[must_use]
    pub const fn without(self, class: FaultClass) -> Self {
        Self(self.0 & !(1 << class as u32))
    }

    /// Those that both hold.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Its classes, in order.
    pub fn iter(self) -> impl Iterator<Item = FaultClass> {
        let mut bits = self.0;
        std::iter::from_fn(move || {
            // None are left: their place is beyond the table.
            let class = *FaultClass::ALL.get(bits.trailing_zeros() as usize)?;
            bits &= bits - 1;
            Some(class)
        })
    }

    /// Their names with commas between, as the command line takes them.
    #[must_use]
    pub fn names(self) -> String {
        self.iter().map(FaultClass::name).collect::<Vec<_>>().join(",")
    }

    /// Reads [`Classes::names`] back.
    ///
    /// # Errors
    /// The name that no class has.
    pub fn parse(names: &str) -> Result<Self, String> {
        let mut classes = Self::default();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let class = FaultClass::ALL.iter().find(|class| class.name() == name);
            classes = classes.with(*class.ok_or_else(|| {
                let known: Vec<_> = FaultClass::ALL.iter().map(|class| class.name()).collect();
                format!("no fault class is called `{name}`; there are {}", known.join(", "))
            })?);
        }
        Ok(classes)
    }
}

/// At which part of the changes to `mode` a class strikes: the shorter the mode, the more.
fn hurry_at(mode: Mode) -> f64 {
    match mode {
        Mode::SafeStop => 0.8,
        Mode::Active => 0.2,
        Mode::SelfTest | Mode::Arming => 0.12,
        Mode::Boot | Mode::Disarmed | Mode::EStopLatched | Mode::Fault => 0.02,
    }
}

/// One class's schedule.
#[derive(Clone, Debug)]
struct Strikes {
    class: FaultClass,
    dice: Dice,
    mean_ns: f64,
    changes_at: u64,
    victim: usize,
}

/// The fault schedule of a run.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    /// Classes that are striking now.
    pub(super) on: Classes,
    /// Classes that began in this cycle.
    pub(super) began: Classes,
    /// Classes that ended in this cycle.
    pub(super) ended: Classes,
    strikes: Vec<Strikes>,
    victims: [usize; FaultClass::ALL.len()],
    changes_at: u64,
}

impl Faults {
    /// A schedule of the `enabled` classes, `pace` times as fast as the table says.
    #[must_use]
    pub(super) fn new(seed: u64, enabled: Classes, pace: f64, now_ns: u64) -> Self {
        let strikes = enabled.iter().map(|class| {
            let mut dice = Dice::new(seed, 1000 + class as u64);
            let mean_ns = class.timing().0 * 1e9 / pace;
            let changes_at = now_ns + dice.wait_ns(mean_ns);
            Strikes { class, dice, mean_ns, changes_at, victim: 0 }
        });
        Self {
            on: Classes::default(),
            began: Classes::default(),
            ended: Classes::default(),
            strikes: strikes.collect(),
            victims: [0; FaultClass::ALL.len()],
            changes_at: 0,
        }
    }

    /// Lets begin and end what is due. While `calm`, nothing begins and everything has ended.
    pub(super) fn advance(&mut self, now_ns: u64, calm: bool) {
        self.began = Classes::default();
        self.ended = Classes::default();
        if calm {
            self.ended = self.on;
            self.on = Classes::default();
            self.changes_at = 0;
            return;
        }
        if now_ns < self.changes_at {
            return;
        }
        self.changes_at = u64::MAX;
        for strikes in &mut self.strikes {
            if strikes.changes_at <= now_ns {
                let (class, dice) = (strikes.class, &mut strikes.dice);
                if self.on.has(class) {
                    self.on = self.on.without(class);
                    self.ended = self.ended.with(class);
                    strikes.changes_at = now_ns + dice.wait_ns(strikes.mean_ns);
                } else {
                    let (_, shortest_ms, longest_ms) = class.timing();
                    self.on = self.on.with(class);
                    self.began = self.began.with(class);
                    strikes.victim = dice.between(0, 2) as usize;
                    self.victims[class as usize] = strikes.victim;
                    strikes.changes_at = now_ns + dice.between_ms(shortest_ms, longest_ms);
                }
            }
            self.changes_at = self.changes_at.min(strikes.changes_at);
        }
    }

    /// Whether the class is striking.
    #[must_use]
    pub(super) fn is(&self, class: FaultClass) -> bool {
        self.on.has(class)
    }

    /// The mode has changed: now and then a class strikes at once, because what comes in the short
    /// modes would else come too rarely.
    pub(super) fn hurry(&mut self, now_ns: u64, mode: Mode) {
        for strikes in &mut self.strikes {
            if !self.on.has(strikes.class) && strikes.dice.chance(hurry_at(mode)) {
                strikes.changes_at = now_ns + strikes.dice.between_ms(0, 30);
                self.changes_at = self.changes_at.min(strikes.changes_at);
            }
        }
    }

    /// Whom the class struck last.
    #[must_use]
    pub(super) fn victim(&self, class: FaultClass) -> usize {
        self.victims[class as usize]
    }

    /// Whether the class is striking this source (by its place in `SOURCES`).
    #[must_use]
    pub(super) fn hits(&self, class: FaultClass, source: usize) -> bool {
        self.on.has(class) && self.victims[class as usize] == source
    }
}

#[cfg(test)]
mod tests {
    use super::{Classes, FaultClass, Faults};

    #[test]
    fn names_are_read_back_and_an_unknown_one_is_told() {
        let some = Classes::default().with(FaultClass::LateWake).with(FaultClass::OperatorLeaves);
        assert_eq!(Classes::parse(&some.names()), Ok(some));
        assert_eq!(Classes::parse(&Classes::ALL.names()), Ok(Classes::ALL));
        assert!(Classes::parse("late-wake,flood").unwrap_err().contains("`flood`"));
    }

    #[test]
    fn schedule_of_one_class_does_not_depend_on_the_others() {
        let times = |enabled| {
            let mut faults = Faults::new(3, enabled, 1.0, 0);
            let begins = |now: &u64| {
                faults.advance(*now, false);
                faults.began.has(FaultClass::LateBurst)
            };
            (0..100_000_000_000).step_by(1_000_000).filter(begins).collect::<Vec<u64>>()
        };
        let alone = times(Classes::default().with(FaultClass::LateBurst));
        assert!(alone.len() > 3, "{alone:?}");
        assert_eq!(alone, times(Classes::ALL));
    }
}
