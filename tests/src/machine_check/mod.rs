//! The machine over every state and every input.
//!
//! Decides whether [`rt_control::machine::step`], the very function that ships, keeps every invariant
//! of rt-core/README.md, section "The state machine", in whatever state it may be and whatever a cycle
//! may bring. It must never know more of the machine than its types: what must hold is said in words
//! of its own.
//!
//! | Part | Shows |
//! |---|---|
//! | `invariants` | I1 to I37, of one cycle, with the planted bug that each catches |
//! | `walk` | those, over all that power-up leads to or over the whole product; that the space is closed; that no mode follows another but by the table; that nothing moves without a self-test; that a bystander's command changes nothing; that a stuck button never fires |
//! | `bystanders` | that a bystander's age changes nothing |
//! | `space`, `case`, `checkpoint`, `report` | numbers of states, what is plain to see in a cycle, how to go on after a kill, what to tell |
//!
//! Small limits run in `small`, limits (4,3,2) in tests/exhaustive.rs, all else in `rel-safety`.

mod bystanders;
mod case;
mod checkpoint;
mod invariants;
mod report;
#[cfg(test)]
mod small;
mod space;
mod walk;

pub use bystanders::{AGES, Comparison, compare_ages};
pub use invariants::{INVARIANTS, Invariant};
pub use report::{Broken, Report};
pub use space::Space;
pub use walk::{Button, Goal, PROPERTIES, Pace, walk};

use rt_control::machine::Limits;

impl Space {
    /// What CI checks: three sources with three limits, four levels, and a SafeStop that is out of
    /// time before the ramp from the top is done, and done in time from the level below.
    #[must_use]
    pub fn of_ci() -> Self {
        Self::new(Limits { stale: [4, 3, 2], arming: 3, safe_stop: 1, late: 2 }, 3)
    }

    /// The smallest limits in which every comparison of the machine has both answers.
    #[must_use]
    pub fn small() -> Self {
        Self::new(Limits { stale: [2, 2, 2], arming: 2, safe_stop: 1, late: 2 }, 3)
    }
}
