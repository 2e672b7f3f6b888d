//! What a source asks for: one shape for every source, for good.
//!
//! It says what may be asked, never what is granted: rt-control classifies each command, and the
//! owner is chosen there. Shown by: tests/layout.rs, which holds the shape still.

use crate::units::MonoNs;

raw_enum! {
    /// Who may ask to drive.
    pub enum Source {
        /// Nobody.
        None = 0, "none";
        /// A person.
        Teleop = 1, "teleop";
        /// The learnt policy.
        Inference = 2, "inference";
        /// Classic control and trajectories.
        Pilot = 3, "pilot";
    }
}

/// The sources that have a command slot, in the order in which [`crate::Inbox`] holds them.
pub const SOURCES: [Source; 3] = [Source::Teleop, Source::Inference, Source::Pilot];

impl Source {
    /// Place in [`SOURCES`] and [`crate::Inbox`]; `None` for nobody.
    #[must_use]
    pub const fn index(self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Teleop => Some(0),
            Self::Inference => Some(1),
            Self::Pilot => Some(2),
        }
    }

    /// Authority: teleop before pilot before inference before nobody.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Inference => 1,
            Self::Pilot => 2,
            Self::Teleop => 3,
        }
    }
}

raw_enum! {
    /// What the slot held when the loop looked.
    pub enum Arrival {
        /// No news: nothing written since the last look, or nothing ever.
        Absent = 0, "absent";
        /// A new, whole record.
        New = 1, "new";
        /// The writer was in the middle of it: no news this cycle.
        Torn = 2, "torn";
        /// The checksum or the sequence was wrong.
        Corrupt = 3, "corrupt";
    }
}

raw_enum! {
    /// What the kernel made of it.
    pub enum Class {
        /// No news.
        Absent = 0, "absent";
        /// Refused: implausible, expired, or not allowed.
        Bad = 1, "bad";
        /// Usable.
        Good = 2, "good";
        /// Usable, and claims authority.
        GoodAsking = 3, "good-asking";
    }
}

bit_set! {
    /// What a command asks beside its points.
    pub struct CommandFlags {
        /// Claims authority.
        ASKS_AUTHORITY = 0;
        /// The person's dead-man switch is held (teleop must set it in each command).
        DEAD_MAN = 1;
        /// Asks to arm (teleop only; from any other source it makes the command bad).
        ARM = 2;
        /// Asks to disarm (teleop only has effect).
        DISARM = 3;
        /// Asks for an e-stop; every source may.
        ESTOP = 4;
    }
}

/// Points in a command at most.
pub const POINTS_MAX: usize = 8;

record! {
    /// One point of a command: hold these values from `offset_us` on.
    pub struct Point {
        /// Microseconds after the command's `mono_ns`; rising from point to point.
        pub offset_us: u32,
        /// Steering in [-1, 1], positive left.
        pub steering: f32,
        /// Throttle in [-1, 1], positive forward.
        pub throttle: f32,
        /// Zero.
        pub reserved: u32,
    }
}

record! {
    /// What a source asks for. The oldest record layout that must never change its meaning.
    pub struct Command {
        /// Rises with each write; a repeat is no news, a step back is bad, a gap is fine.
        pub sequence: u64,
        /// The session or lease this command belongs to; 0 where there is none.
        pub lease_id: u64,
        /// When it was made. It can only make a command older, never fresher.
        pub mono_ns: MonoNs,
        /// From this instant on it counts for nothing; at most 1 s ahead.
        pub expires_at: MonoNs,
        /// The telemetry cycle that it answers, so that end-to-end latency is always known.
        pub answers_cycle: u64,
        /// The camera frame that it answers; 0 where there is none.
        pub answers_frame: u64,
        /// Claims and requests.
        pub flags: CommandFlags,
        /// Number of points, 1 to [`POINTS_MAX`].
        pub n: u32,
        /// The points; those from `n` on are ignored.
        pub points: [Point; POINTS_MAX],
    }
}

impl Command {
    /// A plain command: one point that holds until it expires.
    #[must_use]
    pub fn plain(
        sequence: u64,
        mono_ns: MonoNs,
        expires_at: MonoNs,
        steering: f32,
        throttle: f32,
    ) -> Self {
        let mut command = Self { sequence, mono_ns, expires_at, n: 1, ..Self::default() };
        if let Some(first) = command.points.first_mut() {
            first.steering = steering;
            first.throttle = throttle;
        }
        command
    }
}

record! {
    /// The last good command of a source, as the kernel keeps it while it ages.
    pub struct AcceptedCommand {
        /// The command as it was accepted; all zero before the first.
        pub command: Command,
        /// When the loop received it.
        pub received_at: MonoNs,
        /// The attach in which it came.
        pub generation: u32,
        /// Zero.
        pub reserved: u32,
    }
}
