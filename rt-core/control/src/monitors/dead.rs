//! Command slots that were corrupt: such a source is dead until it attaches again.
//!
//! A checksum or a sequence that no writer of this attach can have left is a scribble or a defect,
//! and what such a memory holds next is not believed either. A new attach brings fresh memory.

use rt_wire::{Arrival, DeadSources};

/// Whether the source at `place` is dead, given what its slot brought in this cycle.
pub fn is_dead(
    memory: &mut DeadSources,
    place: usize,
    arrival: Option<Arrival>,
    generation: u32,
) -> bool {
    let Some(mark) = memory.generation.get_mut(place) else { return true };
    let bit = 1_u32.wrapping_shl(u32::try_from(place).unwrap_or(u32::MAX));
    // An arrival that means nothing is no better than a wrong checksum.
    let corrupt = matches!(arrival, Some(Arrival::Corrupt) | None);
    if corrupt {
        memory.dead |= bit;
        *mark = generation;
    } else if *mark != generation {
        memory.dead &= !bit;
    }
    memory.dead & bit != 0
}
