//! Is housekeeping still speaking? It brings the operator's requests and watches over the memory.
//!
//! It has no memory: each word names the instant at which it was made, by the process's own clock.
//! Until the first word has come nothing can move: the self-test waits for it.

use rt_wire::{Housekeeping, MonoNs};

/// It speaks ten times a second; a thread that a busy machine starves is not silent yet.
const SILENT_AFTER_NS: u64 = 1_000_000_000;

/// Whether the newest word is so old that nobody can be relied on to make another.
#[must_use]
pub fn is_silent(word: &Housekeeping, now: MonoNs) -> bool {
    word.sequence != 0 && now.since(word.mono_ns) > SILENT_AFTER_NS
}
