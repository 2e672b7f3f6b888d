//! Late events: what one is, when one is gross, and the ladder's upper rung.
//!
//! The lower rung, some late events in a row, is the machine's own. One event warns and holds the
//! output; too many within 1000 cycles are an overload; a gross one is an e-stop in its own cycle.

use rt_wire::{LATE_WINDOW_CYCLES, LateLadder, Limits, Release};

/// Whether this cycle is a late event: it woke late, or the cycle before ran for too long. A wake-up
/// that skips releases is one event.
#[must_use]
pub fn is_late(release: &Release, limits: &Limits) -> bool {
    held_up_ns(release) > limits.late_after_ns
}

/// Whether the loop was held up for so long that the outputs were held beyond what is safe. A stall
/// may fall into a cycle as well as into its sleep: the next one then wakes on time.
#[must_use]
pub fn is_gross(release: &Release, limits: &Limits) -> bool {
    held_up_ns(release) > limits.neutral_after_ns
}

/// The wake-up latency of this cycle or the execution time of the one before, whichever is longer.
fn held_up_ns(release: &Release) -> u64 {
    let wakeup_latency_ns = release.woke_at.since(release.release_time);
    let execution_time_ns = release.previous_finished_at.since(release.previous_woke_at);
    wakeup_latency_ns.max(execution_time_ns)
}

/// Counts late events over the last [`LATE_WINDOW_CYCLES`] cycles; true when there are too many.
pub fn too_many(memory: &mut LateLadder, late: bool, limits: &Limits) -> bool {
    let mut carry = u64::from(late);
    for word in &mut memory.window {
        let out = *word >> 63;
        *word = word.wrapping_shl(1).wrapping_add(carry);
        carry = out;
    }
    // Bit 1000, counted from the newest, has just left the window; the shift takes it modulo 64.
    let word = memory.window.get((LATE_WINDOW_CYCLES / 64) as usize);
    let left = word.is_some_and(|word| word.wrapping_shr(LATE_WINDOW_CYCLES) & 1 != 0);
    memory.count = memory.count.saturating_add(u32::from(late)).saturating_sub(u32::from(left));
    memory.count >= limits.late_per_1000
}
