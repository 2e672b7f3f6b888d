//! The allocator of this process: any allocation by a sealed thread ends the process.
//!
//! Two threads seal themselves, the loop and the bus thread. It decides nothing but that. A dead
//! loop is a stopped car (the pump falls silent); a loop that allocates may one day wait for a lock
//! that a sidecar's load decides. A thread that panics is past its seal: its last words must get out,
//! and they need memory. The allocator must never allocate itself, and never touch thread-local state
//! that needs a destructor. Shown by: `tests/seal.rs` of the tests crate, `tests/bus/`.

use rt_ring::sync::{AtomicU64, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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

fn check(what: &[u8]) {
    if SEALED.get() {
        if std::thread::panicking() {
            SEALED.set(false);
            return;
        }
        // ORDER: relaxed: as in breaches().
        BREACHES.fetch_add(1, Ordering::Relaxed);
        SEALED.set(false);
        last_words(what);
        std::process::abort();
    }
}

#[cold]
fn last_words(what: &[u8]) {
    // Straight to the descriptor: std's stderr takes a lock. The process ends whether it works or not.
    nix::unistd::write(std::io::stderr(), what).ok();
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract of
// GlobalAlloc; the check before it neither allocates nor unwinds.
unsafe impl GlobalAlloc for SealedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(b"fast-loop: a sealed thread allocated; aborting\n");
        // SAFETY: the caller keeps alloc's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        check(b"fast-loop: a sealed thread freed memory; aborting\n");
        // SAFETY: the caller keeps dealloc's contract, and the block came from System.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(b"fast-loop: a sealed thread allocated; aborting\n");
        // SAFETY: the caller keeps alloc_zeroed's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        check(b"fast-loop: a sealed thread reallocated; aborting\n");
        // SAFETY: the caller keeps realloc's contract, and the block came from System.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}
