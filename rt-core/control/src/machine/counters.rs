//! The three kinds of number that the machine has, and all that can be done with them.
//!
//! A level moves by one and is compared with a target; a timer is started, counts down and is asked
//! whether it is out; a count starts at nothing, counts up to a limit and is asked whether it is
//! below it. Nothing else is possible without `raw` and `from_raw`, which `machine.rs` never calls:
//! so its result cannot hang on a number's size, only on these few answers. This is what carries a
//! proof under small limits over to large ones (rt-core/README.md, section "The state machine").
//! Shown by: `tests/control/machine.rs`.

use core::cmp::Ordering;

/// Throttle magnitude; one level is what the output may change in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Level(i16);

impl Level {
    /// No throttle.
    pub const NEUTRAL: Self = Self(0);

    /// For what stores, loads and checks states; never for the machine.
    #[must_use]
    pub const fn from_raw(level: i16) -> Self {
        Self(level)
    }

    /// For what stores, loads and checks states; never for the machine.
    #[must_use]
    pub const fn raw(self) -> i16 {
        self.0
    }

    pub(super) fn is_neutral(self) -> bool {
        self.0 == 0
    }

    pub(super) fn down(self) -> Self {
        Self(self.0.saturating_sub(1).max(0))
    }

    pub(super) fn towards(self, target: Self) -> Self {
        match self.0.cmp(&target.0) {
            Ordering::Less => self.up(),
            Ordering::Equal => self,
            Ordering::Greater => self.down(),
        }
    }

    fn up(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Cycles left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timer(u32);

impl Timer {
    /// Not running, which is the same as out.
    pub const STOPPED: Self = Self(0);

    /// For what stores, loads and checks states; never for the machine.
    #[must_use]
    pub const fn from_raw(cycles: u32) -> Self {
        Self(cycles)
    }

    /// For what stores, loads and checks states; never for the machine.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    pub(super) fn started(cycles: u32) -> Self {
        Self(cycles)
    }

    pub(super) fn down(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    pub(super) fn is_out(self) -> bool {
        self.0 == 0
    }
}

/// Cycles counted up to a limit, and held there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Count(u32);

impl Count {
    /// Nothing counted yet.
    pub const ZERO: Self = Self(0);

    /// For what stores, loads and checks states; never for the machine.
    #[must_use]
    pub const fn from_raw(cycles: u32) -> Self {
        Self(cycles)
    }

    /// For what stores, loads and checks states; never for the machine.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// Counted up to its limit already.
    pub(super) fn full(limit: u32) -> Self {
        Self(limit)
    }

    pub(super) fn up_to(self, limit: u32) -> Self {
        Self(self.0.saturating_add(1).min(limit))
    }

    pub(super) fn below(self, limit: u32) -> bool {
        self.0 < limit
    }
}
