//! Every number the kernel judges by, as plain integers: what a validated robot file comes down to.
//!
//! It is a record like any other, so that its checksum is the checksum of what the loop really uses.
//! Nothing that learns can reach it. Shown by: tests/layout.rs, and rt-config's tests/robots.rs.

use crate::units::Microseconds;

/// Cycles in the window of `late_per_1000`.
pub const LATE_WINDOW_CYCLES: u32 = 1000;

bit_set! {
    /// Switches among the limits.
    pub struct LimitsFlags {
        /// A board that moves something: then real-time priority and locked memory are interlocks.
        REAL_BOARD = 0;
        /// The steering servo is mounted the other way round.
        STEERING_REVERSED = 1;
        /// The ESC is wired the other way round.
        THROTTLE_REVERSED = 2;
        /// No arming while nothing records.
        REQUIRE_LOG = 3;
        /// The second channel of the e-stop loop is fitted.
        ESTOP_TWO_CHANNELS = 4;
    }
}

record! {
    /// Limits of one robot. Times in ns or in cycles of `period_ns`, voltages in mV, temperatures in
    /// m°C, throttle in levels (one level is what the throttle may change in one cycle).
    pub struct Limits {
        /// Nominal time between two releases.
        pub period_ns: u64,
        /// A cycle must finish this long after its release.
        pub deadline_ns: u64,
        /// A wake-up or an execution longer than this is a late event.
        pub late_after_ns: u64,
        /// A wake-up or an execution longer than this is an e-stop: outputs must not be held for longer.
        pub neutral_after_ns: u64,
        /// A command may not expire further ahead than this.
        pub command_expiry_max_ns: u64,
        /// A heartbeat silent for this long is late.
        pub heartbeat_late_ns: u64,
        /// A heartbeat silent for this long is lost.
        pub heartbeat_lost_ns: u64,
        /// The battery must be low for this long before it counts.
        pub battery_dwell_ns: u64,
        /// The chip must be hot for this long before it counts.
        pub temperature_dwell_ns: u64,
        /// The supply must be low for this long before it counts.
        pub undervoltage_dwell_ns: u64,
        /// The two e-stop channels may disagree for this long.
        pub estop_discrepancy_ns: u64,
        /// The relay's feedback may contradict its command for this long.
        pub relay_feedback_ns: u64,
        /// Steering goes to the centre when the output has been neutral for this long.
        pub centre_after_ns: u64,
        /// A reset press must last this long at least.
        pub reset_press_min_ns: u64,
        /// A reset press longer than this is a stuck button.
        pub reset_press_max_ns: u64,
        /// A teleop command made longer ago than this, by its own stamp, is refused.
        pub teleop_age_max_ns: u64,
        /// Throttle of `stall_level` may find the wheel still for this long.
        pub stall_after_ns: u64,
        /// A wheel above its coast-down for this long is a runaway.
        pub runaway_after_ns: u64,
        /// Late events in a row that trip the overload.
        pub late_consecutive: u32,
        /// Late events within [`LATE_WINDOW_CYCLES`] that trip the overload.
        pub late_per_1000: u32,
        /// Cycles after which each source's last good command is stale, in the order of `SOURCES`.
        pub stale_cycles: [u32; 3],
        /// Cycles in Arming.
        pub arming_cycles: u32,
        /// Cycles in SafeStop at most.
        pub safe_stop_cycles: u32,
        /// Levels of full throttle.
        pub level_max: u32,
        /// Levels allowed forward.
        pub level_forward_max: u32,
        /// Levels allowed in reverse.
        pub level_reverse_max: u32,
        /// Steering change allowed in one cycle, in millionths of full lock.
        pub steering_slew_micro_per_cycle: u32,
        /// Bit n: the heartbeat of source n (order of `HEARTBEAT_SOURCES`) is required.
        pub heartbeats_required: u32,
        /// Battery: degraded below this.
        pub battery_low_mv: u32,
        /// Battery: e-stop below this.
        pub battery_critical_mv: u32,
        /// Battery: a warning below this.
        pub battery_warn_mv: u32,
        /// Chip: a warning from here on.
        pub temperature_warn_milli_c: i32,
        /// Chip: degraded from here on.
        pub temperature_high_milli_c: i32,
        /// Chip: e-stop from here on.
        pub temperature_critical_milli_c: i32,
        /// An acceleration of this magnitude, or of a larger one, is an outlier, in mm/s².
        pub imu_max_mm_per_s2: u32,
        /// From this level on, or from a direction's cap where that is less, the wheel must turn.
        pub stall_level: u32,
        /// A wheel this slow, or slower, is still.
        pub standstill_mm_per_s: u32,
        /// With neutral output the car slows down at least by this, in mm/s².
        pub coast_down_min_mm_per_s2: u32,
        /// How far the measured speed may be above the coast-down: noise, quantisation, slopes.
        pub runaway_margin_mm_per_s: u32,
        /// IEC 60204-1 category of a controlled stop; 1, or 0 for a drive that has no ramp.
        pub stop_category: u32,
        /// Switches.
        pub flags: LimitsFlags,
        /// Steering pulse at full right.
        pub steering_min: Microseconds,
        /// Steering pulse straight on.
        pub steering_neutral: Microseconds,
        /// Steering pulse at full left.
        pub steering_max: Microseconds,
        /// Throttle pulse at full reverse.
        pub throttle_min: Microseconds,
        /// Throttle pulse at neutral.
        pub throttle_neutral: Microseconds,
        /// Throttle pulse at full forward.
        pub throttle_max: Microseconds,
    }
}
