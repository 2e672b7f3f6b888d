//! The allocator of this process: any allocation by a sealed thread ends the process.
//!
//! Two threads seal themselves, the loop and the bus thread. It decides nothing but that. A dead
//! loop is a stopped car (the pump falls silent); a loop that allocates may one day wait for a lock
//! that a sidecar's load decides. A thread that panics is past its seal: its last words must get out,
//! and they need memory. Inside the system-call filter (`filter.rs`) that memory is a reserve of our
//! own, for the system's allocator may have to ask the kernel, and the words that tell of a breach go
//! through memory too (`last_words.rs`). The allocator must never allocate itself, and never touch
//! thread-local state that needs a destructor. Shown by: the tests below, `tests/seal.rs` and
//! `tests/filter.rs` of the tests crate, `tests/bus/`.

use crate::{filter, last_words};
use rt_ring::sync::{AtomicU64, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::ptr::{self, NonNull};

/// Calls to the allocator by sealed threads. The first one ends the process, so whoever reads it
/// reads 0 or has little time left.
static BREACHES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Const and without a destructor: reading it needs no allocation, at any time of a thread's life.
    static SEALED: Cell<bool> = const { Cell::new(false) };
}

/// The system's allocator, closed to a sealed thread.
#[derive(Debug)]
pub struct SealedAllocator;

/// From here on the calling thread must not allocate, free or reallocate.
pub fn seal() {
    SEALED.set(true);
}

/// Ends the seal of the calling thread, for its orderly end.
pub fn unseal() {
    SEALED.set(false);
}

/// Whether the calling thread is sealed.
#[must_use]
pub fn is_sealed() -> bool {
    SEALED.get()
}

/// Calls to the allocator by sealed threads, counted where they are made.
#[must_use]
pub fn breaches() -> u64 {
    // ORDER: relaxed: a count for people; nothing else is read by it.
    BREACHES.load(Ordering::Relaxed)
}

/// Where a block comes from, or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    System,
    Reserve,
}

fn check(what: &str) -> From {
    if !SEALED.get() {
        return From::System;
    }
    if std::thread::panicking() {
        if filter::is_inside() {
            return From::Reserve;
        }
        SEALED.set(false);
        return From::System;
    }
    // ORDER: relaxed: as in breaches().
    BREACHES.fetch_add(1, Ordering::Relaxed);
    SEALED.set(false);
    if filter::is_inside() {
        last_words::leave(format_args!("a sealed thread {what}; aborting"));
    }
    say_and_abort(what)
}

#[cold]
fn say_and_abort(what: &str) -> ! {
    // Straight to the descriptor: std's stderr takes a lock. The process ends whether it works or not.
    for part in ["fast-loop: a sealed thread ", what, "; aborting\n"] {
        nix::unistd::write(std::io::stderr(), part.as_bytes()).ok();
    }
    std::process::abort()
}

/// Memory for what a panic says; far more than one needs.
const RESERVE_BYTES: usize = 16 * 1024;

/// Handed out from its beginning to its end, once: whoever takes from it does not come back.
struct Reserve {
    bytes: UnsafeCell<[u8; RESERVE_BYTES]>,
    used: AtomicU64,
}

// SAFETY: `used` only rises, so no two blocks that take() gives overlap; the bytes are reached
// through those blocks alone.
unsafe impl Sync for Reserve {}

static RESERVE: Reserve =
    Reserve { bytes: UnsafeCell::new([0; RESERVE_BYTES]), used: AtomicU64::new(0) };

impl Reserve {
    /// A block that nobody else has; `None` if it does not fit.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        // Room for the alignment at most.
        let bytes = layout.size().checked_add(layout.align())?;
        // ORDER: relaxed: the count alone keeps blocks apart.
        let begin = self.used.fetch_add(u64::try_from(bytes).ok()?, Ordering::Relaxed);
        let begin = usize::try_from(begin).ok()?;
        begin.checked_add(bytes).filter(|end| *end <= RESERVE_BYTES)?;
        let block = self.bytes.get().cast::<u8>().wrapping_add(begin);
        // At most align - 1 further, for which there is room.
        let block = block.wrapping_add(block.align_offset(layout.align()));
        NonNull::new(block)
    }

    /// Whether a block came from here.
    fn holds(&self, block: *const u8) -> bool {
        let begin = self.bytes.get().addr();
        (begin..begin + RESERVE_BYTES).contains(&block.addr())
    }
}

fn from_reserve(layout: Layout) -> *mut u8 {
    RESERVE.take(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
}

// SAFETY: a call goes unchanged to the system's allocator, which keeps the contract of GlobalAlloc, or
// to the reserve, whose blocks are of the layout asked for, apart from each other, zeroed until first
// handed out, and never freed. The check before it neither allocates nor unwinds.
unsafe impl GlobalAlloc for SealedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if check("allocated") == From::Reserve {
            return from_reserve(layout);
        }
        // SAFETY: the caller keeps alloc's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if RESERVE.holds(pointer) || check("freed memory") == From::Reserve {
            // The process is about to end: nothing is given back.
            return;
        }
        // SAFETY: the caller keeps dealloc's contract, and the block came from System.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if check("allocated") == From::Reserve {
            return from_reserve(layout);
        }
        // SAFETY: the caller keeps alloc_zeroed's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if check("reallocated") == From::Reserve {
            let Ok(wanted) = Layout::from_size_align(new_size, layout.align()) else {
                return ptr::null_mut();
            };
            let block = from_reserve(wanted);
            if !block.is_null() {
                // SAFETY: the old block has layout.size() bytes, the new one new_size, and nobody
                // else has the new one; the lesser of the two is copied.
                unsafe { block.copy_from_nonoverlapping(pointer, layout.size().min(new_size)) };
            }
            return block;
        }
        // SAFETY: the caller keeps realloc's contract; the block came from System, for what came from
        // the reserve belongs to a thread that panics inside its filter, which check() tells.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_the_reserve_are_aligned_apart_and_end_with_it() {
        let reserve =
            Reserve { bytes: UnsafeCell::new([0; RESERVE_BYTES]), used: AtomicU64::new(0) };
        let mut end = 0;
        let mut blocks = 0;
        for align in [1, 64, 8, 4096, 16].into_iter().cycle() {
            let layout = Layout::from_size_align(100, align).expect("a layout");
            let Some(block) = reserve.take(layout) else { break };
            assert_eq!(block.addr().get() % align, 0);
            assert!(block.addr().get() >= end, "it overlaps the one before");
            end = block.addr().get() + 100;
            assert!(
                reserve.holds(block.as_ptr()) && reserve.holds((block.as_ptr()).wrapping_add(99))
            );
            blocks += 1;
        }
        assert!(blocks >= 10);
        assert!(!reserve.holds(reserve.bytes.get().cast::<u8>().wrapping_add(RESERVE_BYTES)));
    }
}
