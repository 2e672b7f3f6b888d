//! What the tests of this crate share: memory, an identity, and records that show tearing.

#![allow(
    dead_code,
    clippy::disallowed_types,
    reason = "each test file takes what it needs, and tests have an allocator"
)]

use rt_ring::Identity;
use rt_ring::sync::{AtomicU64, Ordering};

/// The layout hash that the tests agree on.
pub(crate) const LAYOUT: u64 = 0x77aa;
/// Whom the tests' regions belong to.
pub(crate) const IDENTITY: Identity = Identity { layout_hash: LAYOUT, generation: 5 };

/// Zeroed words, as a fresh mapping has them.
pub(crate) fn memory(words: usize) -> Vec<AtomicU64> {
    (0..words).map(|_| AtomicU64::new(0)).collect()
}

/// A record of which every word follows from its number: a torn one agrees with no number.
pub(crate) fn numbered<const WORDS: usize>(number: u64) -> [u64; WORDS] {
    core::array::from_fn(|index| number.wrapping_mul(0x9e37_79b9).wrapping_add(index as u64))
}

/// The words as they stand, to be put back later.
pub(crate) fn snapshot(mem: &[AtomicU64]) -> Vec<u64> {
    mem.iter().map(|word| word.load(Ordering::Relaxed)).collect()
}

/// Puts a snapshot back.
pub(crate) fn restore(mem: &[AtomicU64], words: &[u64]) {
    for (word, value) in mem.iter().zip(words) {
        word.store(*value, Ordering::Relaxed);
    }
}

/// Flips one bit of one word, as damage or a hostile peer would.
pub(crate) fn flip(mem: &[AtomicU64], word: usize, bit: u32) {
    let word = &mem[word];
    word.store(word.load(Ordering::Relaxed) ^ (1 << bit), Ordering::Relaxed);
}

/// Small, repeatable and good enough to make garbage (splitmix64).
pub(crate) struct Garbage(pub(crate) u64);

impl Garbage {
    /// The next word.
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
