//! What the loop thread and housekeeping agree on once, at the loop's beginning and at its end.
//!
//! ```text
//!  loop thread:    … seal, filter ─▶ sealed ─▶ waits ─────────▶ cycles … ─▶ ended ─▶ parks for good
//!  housekeeping:                       counters, filter read ─▶ open       counters read, exit
//! ```
//!
//! The loop thread is inside its filter by then: it can neither return nor tell anything but through
//! memory. It decides nothing and waits for nobody but at the closed gate, before its first cycle.
//! Shown by: the tests below, `tests/bus/startup.rs`, and the tests crate.

use crate::clock;
use rt_ring::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Between two looks at the closed gate. Asleep, not spinning: one core may be all there is.
const LOOK_NS: u64 = 100_000;
/// One sleep of a parked thread.
const PARKED_NS: u64 = 1_000_000_000;

const STARTING: u32 = 0;
const SEALED: u32 = 1;
const ENDED: u32 = 2;

/// The record between the two threads: plain numbers, no lock.
#[derive(Debug)]
pub struct Gate {
    stage: AtomicU32,
    is_open: AtomicBool,
    filter_errno_bits: AtomicU32,
    cycles: AtomicU64,
    is_safe: AtomicBool,
}

/// What the loop thread left when it ended on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastWord {
    /// Cycles run.
    pub cycles: u64,
    /// Whether the outputs are safe.
    pub safe: bool,
}

/// The kernel took the filter: no `errno`.
const ENTERED: u32 = u32::MAX;

impl Default for Gate {
    fn default() -> Self {
        Self {
            stage: AtomicU32::new(STARTING),
            is_open: AtomicBool::new(false),
            filter_errno_bits: AtomicU32::new(ENTERED),
            cycles: AtomicU64::new(0),
            is_safe: AtomicBool::new(false),
        }
    }
}

impl Gate {
    /// The loop thread is sealed, and what came of its filter: waits until the gate is open.
    pub fn wait(&self, filter: Result<(), i32>) {
        let errno_bits = filter.map_or_else(i32::cast_unsigned, |()| ENTERED);
        // ORDER: relaxed: published by the next store.
        self.filter_errno_bits.store(errno_bits, Ordering::Relaxed);
        // ORDER: pairs with the load in sealed.
        self.stage.store(SEALED, Ordering::Release);
        // ORDER: pairs with the store in open.
        while !self.is_open.load(Ordering::Acquire) {
            clock::sleep_until(clock::now().plus(LOOK_NS));
        }
    }

    /// The loop thread's last act but [`park`].
    pub fn end(&self, word: LastWord) {
        // ORDER: relaxed, both: published by the next store.
        self.cycles.store(word.cycles, Ordering::Relaxed);
        self.is_safe.store(word.safe, Ordering::Relaxed);
        // ORDER: pairs with the load in ended.
        self.stage.store(ENDED, Ordering::Release);
    }

    /// Whether the loop thread is sealed; then, what came of its filter.
    #[must_use]
    pub fn sealed(&self) -> Option<Result<(), i32>> {
        // ORDER: pairs with the stores in wait and end.
        if self.stage.load(Ordering::Acquire) == STARTING {
            return None;
        }
        // ORDER: relaxed: stored before the stage was.
        match self.filter_errno_bits.load(Ordering::Relaxed) {
            ENTERED => Some(Ok(())),
            errno_bits => Some(Err(errno_bits.cast_signed())),
        }
    }

    /// Lets the loop thread begin its first cycle.
    pub fn open(&self) {
        // ORDER: pairs with the load in wait.
        self.is_open.store(true, Ordering::Release);
    }

    /// What the loop thread left, once it has ended.
    #[must_use]
    pub fn ended(&self) -> Option<LastWord> {
        // ORDER: pairs with the store in end.
        if self.stage.load(Ordering::Acquire) != ENDED {
            return None;
        }
        // ORDER: relaxed, both: stored before the stage was.
        let cycles = self.cycles.load(Ordering::Relaxed);
        Some(LastWord { cycles, safe: self.is_safe.load(Ordering::Relaxed) })
    }
}

/// Sleeps until the process ends: a thread inside its filter has no other way to stop.
pub fn park() -> ! {
    loop {
        clock::sleep_until(clock::now().plus(PARKED_NS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn loop_waits_at_the_gate_until_it_is_opened_and_tells_what_became_of_its_filter() {
        for filter in [Ok(()), Err(38)] {
            let gate = Arc::new(Gate::default());
            assert_eq!((gate.sealed(), gate.ended()), (None, None));
            let its = Arc::clone(&gate);
            let thread = std::thread::spawn(move || {
                its.wait(filter);
                its.end(LastWord { cycles: 7, safe: true });
            });
            while gate.sealed().is_none() {
                std::thread::yield_now();
            }
            assert_eq!(gate.sealed(), Some(filter));
            // Far longer than a gate that does not hold would keep it.
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert_eq!(gate.ended(), None, "it waits");
            gate.open();
            thread.join().expect("it ends");
            assert_eq!(gate.ended(), Some(LastWord { cycles: 7, safe: true }));
            assert_eq!(gate.sealed(), Some(filter), "still known");
        }
    }
}
