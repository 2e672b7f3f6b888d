//! The mirror: a second copy of the kernel's memory, to find a bit that flipped between two cycles.
//!
//! It decides nothing but "equal" or "not equal". After each step it keeps the bitwise inverse of the
//! kernel's memory, and from the start that of the limits, which never change; before the next step
//! it compares. What it finds goes into the observation, so the kernel judges it like any other wrong
//! and a recorded cycle replays. It must never mend: of two copies nobody knows which is right.
//!
//! ```text
//! read ─ copy ─ compare ─ step ─ refresh ─ drive ─ tell ─ sleep … next cycle
//!                 └───────────── what flips from here ──┘ is found there
//! ```
//!
//! Inverse, because memory that is cleared or overwritten on both sides alike must differ. Volatile,
//! because a compiler may assume that memory which nobody wrote still holds what was stored there.
//! Shown by: `tests/mirror.rs`, and the tests below `cycle.rs`.

use core::{ptr, slice};
use rt_wire::{IntegrityFlags, KernelState, Limits, Record};

const WORD_BYTES: usize = size_of::<u64>();

/// The kernel's memory and limits, each bit inverted.
#[derive(Clone, Debug)]
pub struct Mirror {
    state: [u64; size_of::<KernelState>() / WORD_BYTES],
    limits: [u64; size_of::<Limits>() / WORD_BYTES],
}

impl Mirror {
    /// Mirrors the memory and the limits of a kernel that has just been made.
    #[must_use]
    pub fn new(state: &KernelState, limits: &Limits) -> Self {
        let mut mirror = Self {
            state: [0; size_of::<KernelState>() / WORD_BYTES],
            limits: [0; size_of::<Limits>() / WORD_BYTES],
        };
        invert(state, &mut mirror.state);
        invert(limits, &mut mirror.limits);
        mirror
    }

    /// Mirrors what a step has just left. The limits are never taken anew: no step changes them.
    pub fn refresh(&mut self, state: &KernelState) {
        invert(state, &mut self.state);
    }

    /// Compares every word, those of the limits too.
    #[must_use]
    pub fn compare(&self, state: &KernelState, limits: &Limits) -> IntegrityFlags {
        let is_whole = is_inverse(state, &self.state) & is_inverse(limits, &self.limits);
        IntegrityFlags::EMPTY.with(IntegrityFlags::MIRROR_MISMATCH, !is_whole)
    }
}

fn invert<T: Record>(record: &T, inverse: &mut [u64]) {
    for (inverse, word) in inverse.iter_mut().zip(words(record)) {
        store(inverse, !load(word));
    }
}

fn is_inverse<T: Record>(record: &T, inverse: &[u64]) -> bool {
    let words = words(record);
    let pairs = words.iter().zip(inverse);
    // All words, whatever was found: a cycle costs the same with and without a flipped bit.
    let difference =
        pairs.fold(0, |difference, (word, inverse)| difference | (load(word) ^ !load(inverse)));
    words.len() == inverse.len() && difference == 0
}

/// A record as whole words.
fn words<T: Record>(record: &T) -> &[u64] {
    const {
        assert!(size_of::<T>().is_multiple_of(WORD_BYTES) && align_of::<T>() >= align_of::<u64>());
    }
    let first = ptr::from_ref(record).cast();
    // SAFETY: the record is aligned and long enough by the assertion above, has no padding (it is
    // IntoBytes, which its derive proves), and is borrowed for as long as the slice.
    unsafe { slice::from_raw_parts(first, size_of::<T>() / WORD_BYTES) }
}

fn load(word: &u64) -> u64 {
    // SAFETY: a reference is valid for reads; volatile only forbids to leave the read out.
    unsafe { ptr::read_volatile(word) }
}

fn store(word: &mut u64, value: u64) {
    // SAFETY: an exclusive reference is valid for writes; volatile only forbids to leave it out.
    unsafe { ptr::write_volatile(word, value) }
}
