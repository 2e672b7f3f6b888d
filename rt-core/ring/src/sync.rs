//! The one place where atomics come from: core's in the product, loom's under its model checker.
//!
//! Whoever shares memory in this project takes the types from here, so that loom sees every access
//! of this crate. This file must never grow an algorithm. Shown by: tests/loom.rs, tests/source.rs.
//!
//! ```
//! use rt_ring::sync::{AtomicU64, Ordering};
//!
//! let word = AtomicU64::new(7);
//! assert_eq!(word.load(Ordering::Relaxed), 7);
//! ```

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

/// Loads a word so that everything its writer stored before releasing it is visible afterwards.
///
/// Readers map their segments read-only, and on such memory core promises only relaxed loads to be
/// sound; so an acquire load is spelt as a relaxed one and a fence.
#[inline]
pub(crate) fn load_acquire(word: &AtomicU64) -> u64 {
    let value = word.load(Ordering::Relaxed);
    // ORDER: pairs with the release store of the same word; each caller names it.
    fence(Ordering::Acquire);
    value
}
