//! The eight modes of the safety state machine. Source: rt-core/README.md, after IEC 60204-1.
//! Which follows which is rt-control's to decide. Shown by: tests/layout.rs.

raw_enum! {
    /// What the kernel is doing. One enum, no pair of booleans.
    pub enum Mode {
        /// Just started; output neutral, relay off.
        Boot = 0, "Boot";
        /// Checking itself; output neutral, relay off.
        SelfTest = 1, "SelfTest";
        /// Cannot move; waits for an arm edge with every precondition met.
        Disarmed = 2, "Disarmed";
        /// Relay on, output neutral for the whole arming time, so that the ESC initialises.
        Arming = 3, "Arming";
        /// Follows the owner's command within the limits.
        Active = 4, "Active";
        /// Controlled stop (category 1): ramps to neutral, then drive off.
        SafeStop = 5, "SafeStop";
        /// Latched e-stop (category 0): neutral and drive off at once; leaves only by a reset edge.
        EStopLatched = 6, "EStopLatched";
        /// A fatal fault: neutral, drive off, until the process is restarted.
        Fault = 7, "Fault";
    }
}

impl Mode {
    /// Whether the motor relay may be on in this mode.
    #[must_use]
    pub const fn relay_allowed(self) -> bool {
        matches!(self, Self::Arming | Self::Active | Self::SafeStop)
    }
}
