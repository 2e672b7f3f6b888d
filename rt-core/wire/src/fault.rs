//! Why it stopped: one table of every cause, each with a sentence of what it means and what mends it.
//!
//! A cause is latched in [`FaultSet`] until the car is armed again or passes a self-test. The table
//! is the single source for telemetry, reports and `continuon`. Five entries are base rules, which
//! nothing may lessen ([`Fault::base_rule`]).

raw_enum! {
    /// How bad a cause is; each severity has one consequence.
    pub enum Severity {
        /// Counted and told; the car drives on.
        Warning = 0, "warning";
        /// Controlled stop; no arming while it lasts.
        Stop = 1, "stop";
        /// Drive off at once, latched until a person resets.
        Estop = 2, "e-stop";
        /// Drive off at once, until the process is restarted.
        Fatal = 3, "fatal";
    }
}

macro_rules! faults {
    ($($name:ident = $bit:literal, $severity:ident, $(base $base:literal,)? $meaning:literal, $mend:literal;)*) => {
        /// A detected wrong, or a request to stop. Its number is its bit in [`FaultSet`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Fault {
            $(#[doc = $meaning] $name = $bit,)*
        }

        bit_set! {
            /// Causes as bits; bit n is the [`Fault`] with number n.
            pub struct FaultSet: u64 {
                $(
                    #[doc = $meaning]
                    #[expect(non_upper_case_globals, reason = "named as its fault")]
                    $name = $bit;
                )*
            }
        }

        impl Severity {
            /// Every fault of this severity.
            #[must_use]
            pub const fn mask(self) -> FaultSet {
                let mut bits = 0;
                $(if Fault::$name.severity() as u32 == self as u32 { bits |= 1_u64 << $bit; })*
                FaultSet(bits)
            }
        }

        impl Fault {
            /// Every fault, in order of its bit.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name used in reports, logs and JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// What mends it, in a sentence.
            #[must_use]
            pub const fn mend(self) -> &'static str {
                match self { $(Self::$name => $mend,)* }
            }

            /// Its consequence.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// Its name as an immutable base rule, "halt and fall back": no file, manifest or model
            /// can switch the fault off or lessen its severity. A later safety manifest may only
            /// make it graver.
            #[must_use]
            pub const fn base_rule(self) -> Option<&'static str> {
                match self {
                    $($(Self::$name => Some($base),)?)*
                    _ => None,
                }
            }
        }
    };
}

faults! {
    EstopLine = 0, Estop, "The e-stop loop is open: the button is pressed, a wire is broken, or the lines cannot be read.",
        "Release the button, check the wires, then reset and arm.";
    EstopDiscrepancy = 1, Estop, "The two channels of the e-stop loop disagreed for more than 20 ms.",
        "One contact or wire of the e-stop loop is bad: repair it before you drive.";
    EstopOperator = 2, Estop, "A local user or program asked for an e-stop.",
        "When it is safe, reset and arm.";
    EstopSource = 3, Estop, "A command source asked for an e-stop.",
        "Find out from the source why, then reset and arm.";
    LateGross = 4, Estop, "The loop woke so late, or a cycle ran for so long, that the outputs were held beyond their time.",
        "Find what held the core (see the latency report), then reset and arm.";
    Overload = 5, Stop, "Too many late cycles in a row or within 1000 cycles.",
        "Find what takes the core's time: the latency report lists each late cycle.";
    OwnerStale = 6, Stop, "The source that drove sent no good command within its time limit, or its command expired.",
        "Look at the source's log; when it speaks again, arm.";
    OwnerReleased = 7, Stop, "The source that drove gave up its authority, or nobody has any.",
        "Let a source claim authority, then arm.";
    OwnerImplausible = 8, Stop, "The source that drove sent 3 implausible commands within a second.",
        "Look at the source's log: values out of range, not finite, repeated or backward sequences.";
    HeartbeatLost = 9, Stop, "A required sidecar has been silent for longer than its limit.",
        "Look at that sidecar's log; `continuon top` shows who is silent.";
    DisarmRequested = 10, Stop, "An operator, a button or teleop asked to disarm.",
        "Arm again when you want to drive.";
    DeadManReleased = 11, Stop, "The person's dead-man switch was released.",
        "Hold the switch and arm again.";
    TemperatureHigh = 12, Stop, "The computer's chip was too hot for too long.",
        "Let the chip cool; check fan and airflow.";
    TemperatureCritical = 13, Estop, base "thermal_critical", "The computer's chip reached its critical temperature.",
        "Let it cool; check fan and airflow; then reset and arm.";
    Undervoltage = 14, Stop, "The computer's supply was below its limit for too long.",
        "Check the supply, its cable, and the battery.";
    BatteryLow = 15, Stop, "The drive battery was below its limit for too long.",
        "Charge or change the battery.";
    BatteryCritical = 16, Estop, base "power_critical", "The drive battery fell below the voltage at which its cells are damaged.",
        "Change the battery, then reset and arm.";
    DriveWrite = 17, Fatal, base "servo_fault", "Writing the pulses failed twice in a row: servo and ESC cannot be reached.",
        "Check the PWM device or bus, then restart the fast loop.";
    RelayFeedback = 18, Fatal, "The motor relay's feedback contradicts its command for more than 100 ms.",
        "The relay may be welded: repair it, then restart the fast loop.";
    SelfTestFailed = 19, Fatal, "The self-test failed: the limits make no sense, or the pulses cannot be written.",
        "Check the robot file and the PWM device, then restart the fast loop.";
    MajorPageFault = 20, Stop, "The loop's memory was read back from disk while it ran.",
        "Lock the memory (`ulimit -l 32768`, see README) and restart the fast loop.";
    Stall = 21, Stop, "Throttle was on for longer than `stall_after_ms` and the wheel did not turn.",
        "Free the wheels; check motor and encoder.";
    Runaway = 22, Estop, "The output was neutral and the wheel did not slow down as it must, or went faster.",
        "Check ESC and motor: the relay was the only way to stop; then reset and arm.";
    ImuOutlier = 23, Stop, base "imu_outlier", "The IMU reported an impossible acceleration.",
        "Check the IMU and its mounting.";
    CameraLost = 24, Stop, base "camera_lost", "The camera is silent: it is required, or the policy that drives looks through it.",
        "Check the camera and its process.";
    KernelMirror = 25, Fatal, "The kernel's memory holds what the kernel never wrote: a bit has flipped.",
        "Restart the fast loop; if it happens again, test the memory.";
    ConfigCorrupt = 26, Fatal, "The configuration in memory no longer has its checksum.",
        "Restart the fast loop, which reads its file anew; if it happens again, test the memory.";
    CanaryChanged = 27, Fatal, "Memory that only the loop writes was changed.",
        "Restart the fast loop, and find the process that wrote there.";
    NotFinite = 28, Fatal, "A value inside the kernel was not a number.",
        "This is a defect: keep the recording and report it.";
    Shutdown = 29, Stop, "The fast loop was told to end.",
        "Start it again when you want to drive.";
    NotRealtime = 30, Warning, "The loop runs without real-time priority or locked memory.",
        "Run as a user with real-time limits (`ulimit -r 80`, `ulimit -l 32768`; see README).";
    LogMissing = 31, Warning, "A log is required and nothing records.",
        "Start the logger, or make room on its disk.";
    SourceDead = 32, Warning, "A command slot held what its writer cannot have written: nothing more of that source counts.",
        "Restart that source: a new attach gives it a fresh slot.";
    LateEvent = 33, Warning, "This cycle woke late, or the one before ran for too long: the output was held.",
        "One is harmless; if they recur, the latency report shows when.";
    MinorPageFault = 34, Warning, "The loop's thread had a minor page fault since the seal.",
        "Lock the memory (see README); if it is locked, this is a defect: report it.";
    TemperatureWarm = 35, Warning, "The computer's chip is warm and nears the limit at which the car stops.",
        "Check fan and airflow before it gets hot.";
    BatteryWarn = 36, Warning, "The drive battery is nearly empty.",
        "Drive home and charge it.";
    UndervoltageSeen = 37, Warning, "The computer's supply was too low, or its chip throttled, at some time since it booted.",
        "Check supply and cable before the next drive; a reboot clears the firmware's memory.";
    ResetStuck = 38, Warning, "The reset button is held for longer than a person presses it, or was held before anybody looked.",
        "Release it; if it is released, its contact or wire is bad.";
    HousekeepingSilent = 39, Stop, "The loop's housekeeping thread has said nothing for a second: requests to stop from the sockets no longer arrive.",
        "Restart the fast loop; if it happens again, find what holds its housekeeping thread (a full pipe, a busy machine).";
}

impl FaultSet {
    /// The set with just `fault`.
    #[must_use]
    pub const fn of(fault: Fault) -> Self {
        Self(1_u64.wrapping_shl(fault as u32))
    }

    /// Whether `fault` is in the set.
    #[must_use]
    pub const fn contains(self, fault: Fault) -> bool {
        self.has(Self::of(fault))
    }

    /// The set with `fault` added where `on` holds.
    #[must_use]
    pub const fn and(self, fault: Fault, on: bool) -> Self {
        self.with(Self::of(fault), on)
    }

    /// Every fault in the set, in order of its bit.
    pub fn faults(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(move |fault| self.contains(*fault))
    }

    /// The faults of one severity.
    #[must_use]
    pub const fn of_severity(self, severity: Severity) -> Self {
        Self(self.0 & severity.mask().0)
    }

    /// Whether the set holds a fault that stops the car.
    #[must_use]
    pub const fn stops(self) -> bool {
        self.0 & !Severity::Warning.mask().0 != 0
    }
}

// A base rule that only warns would be none.
const _: () = {
    let mut rest = Fault::ALL;
    while let [fault, others @ ..] = rest {
        assert!(fault.base_rule().is_none() || !matches!(fault.severity(), Severity::Warning));
        rest = others;
    }
};
