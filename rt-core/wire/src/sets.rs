//! Two more sets of bits in an [`crate::Outcome`]: which rule changed the command, and what forbids
//! arming. Shown by: tests/layout.rs, which holds each set and its table together.

raw_enum! {
    /// A rule of the kernel that changed what was asked.
    pub enum Rule {
        /// The owner asked for more than the configured throttle.
        ThrottleCap = 0, "throttle-cap";
        /// The throttle may change by one step a cycle.
        ThrottleSlew = 1, "throttle-slew";
        /// The steering may change by its slew limit a cycle.
        SteeringSlew = 2, "steering-slew";
        /// The direction may change only at neutral.
        DirectionAtNeutral = 3, "direction-at-neutral";
        /// Not Active: the output is neutral whatever is asked.
        HeldNeutral = 4, "held-neutral";
        /// Controlled stop: the output ramps to neutral.
        Ramp = 5, "ramp";
        /// Steering is held while the car slows down.
        SteeringHeld = 6, "steering-held";
        /// Steering goes to the centre after the car has been neutral for long enough.
        SteeringCentred = 7, "steering-centred";
        /// A late cycle: the output was held, not moved.
        HeldLate = 8, "held-late";
    }
}

bit_set! {
    /// Rules as bits; bit n is the [`Rule`] with number n.
    pub struct RuleSet {
        /// Bit of [`Rule::ThrottleCap`].
        THROTTLE_CAP = 0;
        /// Bit of [`Rule::ThrottleSlew`].
        THROTTLE_SLEW = 1;
        /// Bit of [`Rule::SteeringSlew`].
        STEERING_SLEW = 2;
        /// Bit of [`Rule::DirectionAtNeutral`].
        DIRECTION_AT_NEUTRAL = 3;
        /// Bit of [`Rule::HeldNeutral`].
        HELD_NEUTRAL = 4;
        /// Bit of [`Rule::Ramp`].
        RAMP = 5;
        /// Bit of [`Rule::SteeringHeld`].
        STEERING_HELD = 6;
        /// Bit of [`Rule::SteeringCentred`].
        STEERING_CENTRED = 7;
        /// Bit of [`Rule::HeldLate`].
        HELD_LATE = 8;
    }
}

macro_rules! interlocks {
    ($($name:ident $in_set:ident = $bit:literal, $text:literal, $meaning:literal, $mend:literal;)*) => {
        /// A condition that forbids arming. Its number is its bit in [`InterlockSet`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Interlock {
            $(#[doc = $meaning] $name = $bit,)*
        }

        bit_set! {
            /// Interlocks as bits; bit n is the [`Interlock`] with number n.
            pub struct InterlockSet {
                $(#[doc = $meaning] $in_set = $bit;)*
            }
        }

        impl Interlock {
            /// Every interlock, in order of its bit.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name used in reports, logs and JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
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
        }
    };
}

interlocks! {
    NotDisarmed NOT_DISARMED = 0, "not-disarmed", "The car is armed already, or still stops.",
        "Disarm, or wait until it stands.";
    EstopAsserted ESTOP_ASSERTED = 1, "estop-asserted", "The e-stop is pressed or its loop is open.",
        "Release it, then reset.";
    NoOwner NO_OWNER = 2, "no-owner", "No source has claimed authority.",
        "Start a pilot, a policy or teleop.";
    OwnerStale OWNER_STALE = 3, "owner-stale", "The owner's command is too old.",
        "Look at the owner's log.";
    OwnerNotNeutral OWNER_NOT_NEUTRAL = 4, "owner-not-neutral", "The owner asks for throttle; it must ask for neutral first.",
        "Let go of the throttle.";
    Degraded DEGRADED = 5, "degraded", "A condition that stops a drive is present; the causes name it.",
        "Mend the causes that are listed.";
    Overload OVERLOAD = 6, "overload", "The loop was late too often just now.",
        "Wait, or find what takes the core's time.";
    DisarmHeld DISARM_HELD = 7, "disarm-held", "A disarm request is present.",
        "Release the disarm button, or let teleop stop asking.";
    NotRealtime NOT_REALTIME = 8, "not-realtime", "No real-time priority or no locked memory, on a real board.",
        "Run as a user with real-time limits (`ulimit -r 80`, `ulimit -l 32768`; see README).";
    LogMissing LOG_MISSING = 9, "log-missing", "A log is required and nothing records.",
        "Start the logger, or make room on its disk.";
    NotSealed NOT_SEALED = 10, "not-sealed", "The allocator is not sealed yet.",
        "Wait for the fast loop to finish its start.";
    SelfTestPending SELF_TEST_PENDING = 11, "self-test-pending", "The self-test has not passed yet.",
        "Wait; if it lasts, the other interlocks say what it waits for.";
    EstopLatched ESTOP_LATCHED = 12, "estop-latched", "An e-stop is latched: releasing the button alone changes nothing.",
        "Release it, then press the reset button or run `continuon reset`.";
    Faulted FAULTED = 13, "faulted", "A fatal fault keeps the output neutral until the fast loop is started anew.",
        "Mend the fatal cause that is listed, then restart the fast loop.";
    LinesSilent LINES_SILENT = 14, "lines-silent", "The e-stop loop and the buttons cannot be read.",
        "Check the board's input lines and their wires.";
    DeadManReleased DEAD_MAN_RELEASED = 15, "dead-man-released", "Teleop speaks, and its dead-man switch is not held.",
        "Hold the dead-man switch.";
    NotCalibrated NOT_CALIBRATED = 16, "not-calibrated", "The throttle has no range: no calibration or no limit was entered.",
        "Set `calibration.throttle` and `limits.throttle_max` in the robot file.";
    ArmHeld ARM_HELD = 17, "arm-held", "The arm button is held since before this cycle, and only a fresh press counts.",
        "Release the arm button, then press it again.";
    HeartbeatLate HEARTBEAT_LATE = 18, "heartbeat-late", "A source's commands are ignored: its heartbeat is late or was never heard.",
        "Look at that source's log; `continuon top` shows who is silent.";
    CommandsRefused COMMANDS_REFUSED = 19, "commands-refused", "A source's newest command was implausible and was refused.",
        "Look at that source's log, and at `classes` in the telemetry.";
}

impl InterlockSet {
    /// Every interlock in the set, in order of its bit.
    pub fn interlocks(self) -> impl Iterator<Item = Interlock> {
        Interlock::ALL
            .iter()
            .copied()
            .filter(move |interlock| self.0 & 1_u32.wrapping_shl(*interlock as u32) != 0)
    }
}
