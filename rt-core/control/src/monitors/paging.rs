//! Page faults of the loop thread since the seal, as housekeeping counts them.
//!
//! It has no memory: the counters only rise. One minor fault is told; one major fault means that the
//! loop once waited for a disk.

use rt_wire::{Fault, FaultSet, Housekeeping};

/// Judges the counters.
#[must_use]
pub fn causes(word: &Housekeeping) -> FaultSet {
    FaultSet::EMPTY
        .and(Fault::MinorPageFault, word.minor_faults > 0)
        .and(Fault::MajorPageFault, word.major_faults > 0)
}
