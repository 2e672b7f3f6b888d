//! Numbers that could be swapped, made types. They only add and compare: whoever judges them is
//! elsewhere. Shown by: tests/layout.rs, and every test of rt-control.

use crate::record::FieldType;
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An instant of `CLOCK_MONOTONIC` in nanoseconds. The only clock that is ever compared.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct MonoNs(pub u64);

impl MonoNs {
    /// Nanoseconds from `earlier` to `self`; 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The instant `duration_ns` after this one, held at the end of time.
    #[must_use]
    pub const fn plus(self, duration_ns: u64) -> Self {
        Self(self.0.saturating_add(duration_ns))
    }
}

impl fmt::Debug for MonoNs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ns", self.0)
    }
}

impl FieldType for MonoNs {
    const TYPE_NAME: &'static str = "MonoNs";
}

/// A pulse width in microseconds, as a servo or an ESC reads it (typically 1000 to 2000).
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Microseconds(pub u16);

impl fmt::Debug for Microseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

impl FieldType for Microseconds {
    const TYPE_NAME: &'static str = "Microseconds";
}
