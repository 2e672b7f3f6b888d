//! What the board saw: one cycle's sensor readings, each with its own time and validity.
//!
//! A board must never invent a reading: what it has not got is `Absent`, what it lost is `Failed`
//! with the last value. Whether a valid one is plausible is rt-control's to judge. Shown by:
//! tests/layout.rs.

use crate::record::Raw;
use crate::units::MonoNs;

raw_enum! {
    /// Whether a reading may be used. Zero is absent, so that zeroed memory claims nothing.
    pub enum Validity {
        /// The board has no such sensor, or it has not spoken yet.
        Absent = 0, "absent";
        /// Fresh and plausible.
        Valid = 1, "valid";
        /// The sensor failed to answer; the value is the last one.
        Failed = 2, "failed";
    }
}

bit_set! {
    /// Digital inputs, already in the positive sense: a set bit is the named fact.
    pub struct LineSet {
        /// First channel of the normally closed e-stop loop is open.
        ESTOP_A_OPEN = 0;
        /// Second channel of the normally closed e-stop loop is open.
        ESTOP_B_OPEN = 1;
        /// The reset button is pressed.
        RESET_PRESSED = 2;
        /// The arm button is pressed.
        ARM_PRESSED = 3;
        /// The disarm button is pressed.
        DISARM_PRESSED = 4;
        /// The motor relay's feedback contact says "on".
        RELAY_CLOSED = 5;
        /// The board has a relay feedback contact at all.
        RELAY_FEEDBACK_FITTED = 6;
    }
}

record! {
    /// E-stop loop, buttons and relay feedback.
    pub struct Lines {
        /// When the lines were read.
        pub mono_ns: MonoNs,
        /// The lines. Where `validity` is not valid, the e-stop loop counts as open.
        pub set: LineSet,
        /// Whether the lines could be read.
        pub validity: Raw<Validity>,
    }
}

record! {
    /// Drive battery.
    pub struct Battery {
        /// When it was measured.
        pub mono_ns: MonoNs,
        /// Terminal voltage in volts.
        pub volts: f32,
        /// Whether it may be used.
        pub validity: Raw<Validity>,
    }
}

record! {
    /// Temperature of the computer's chip.
    pub struct Temperature {
        /// When it was measured.
        pub mono_ns: MonoNs,
        /// Degrees Celsius.
        pub celsius: f32,
        /// Whether it may be used.
        pub validity: Raw<Validity>,
    }
}

record! {
    /// Undervoltage and throttling, as the firmware reports them.
    pub struct Power {
        /// When it was read.
        pub mono_ns: MonoNs,
        /// Bits of `vcgencmd get_throttled`: 0 undervoltage now, 2 throttled now, 3 soft limit,
        /// 16 to 19 the same since boot.
        pub throttled: u32,
        /// Whether it may be used.
        pub validity: Raw<Validity>,
    }
}

record! {
    /// Inertial measurement, in the car's frame: x forward, y left, z up.
    pub struct Imu {
        /// When it was sampled.
        pub mono_ns: MonoNs,
        /// Specific force in m/s².
        pub accel_m_per_s2: [f32; 3],
        /// Angular rate in rad/s.
        pub gyro_rad_per_s: [f32; 3],
        /// Whether it may be used.
        pub validity: Raw<Validity>,
        /// Zero.
        pub reserved: u32,
    }
}

record! {
    /// Speed from the wheel encoder, positive forward.
    pub struct WheelSpeed {
        /// When it was measured.
        pub mono_ns: MonoNs,
        /// Metres per second.
        pub speed_m_per_s: f32,
        /// Whether it may be used.
        pub validity: Raw<Validity>,
    }
}

record! {
    /// Where the car is, if anything knows.
    pub struct Pose {
        /// When it was measured.
        pub mono_ns: MonoNs,
        /// Metres, in the track's frame.
        pub x_m: f32,
        /// Metres, in the track's frame.
        pub y_m: f32,
        /// Radians, counter-clockwise from the x axis, in (-π, π].
        pub yaw_rad: f32,
        /// Whether it may be used.
        pub validity: Raw<Validity>,
    }
}

bit_set! {
    /// What the loop found out about its own memory. What follows is the kernel's to say, so that a
    /// recorded cycle replays; only the pulses of that cycle are the board's own safe ones, because
    /// those of damaged limits may be anything.
    pub struct IntegrityFlags {
        /// The kernel's memory, or the limits that it judges by, are not what they were after the
        /// last cycle.
        MIRROR_MISMATCH = 0;
    }
}

record! {
    /// One cycle's sensor readings.
    pub struct Observation {
        /// E-stop loop, buttons, relay feedback.
        pub lines: Lines,
        /// Drive battery.
        pub battery: Battery,
        /// Chip temperature.
        pub temperature: Temperature,
        /// Undervoltage and throttling.
        pub power: Power,
        /// Inertial measurement.
        pub imu: Imu,
        /// Wheel speed.
        pub wheel: WheelSpeed,
        /// Pose, if anything knows.
        pub pose: Pose,
        /// Consecutive failures to write the pulses, up to the cycle before this one.
        pub drive_error_count: u32,
        /// What the loop found when it compared the kernel's memory with its mirror, before this
        /// cycle.
        pub integrity: IntegrityFlags,
    }
}
