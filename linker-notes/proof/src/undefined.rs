//! The two names that nobody defines, and those who call them: whoever panics, whoever allocates.
//!
//! An allocator has to be named, or the compiler refuses a program that could box before any linker
//! sees it; and a link error says by which symbol. This file must never define either of them.

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

// SAFETY: never called, for no program that refers to them can be linked.
unsafe extern "C" {
    safe fn panic_is_reachable() -> !;
    // It returns, as an allocator must: of one that never does the optimiser says that nobody can have
    // called it, and leaves the call out, and all that led to it.
    safe fn allocation_is_reachable(bytes: usize) -> *mut u8;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    panic_is_reachable()
}

struct Nobody;

#[global_allocator]
static ALLOCATOR: Nobody = Nobody;

// SAFETY: never called, for no program that refers to it can be linked.
unsafe impl GlobalAlloc for Nobody {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocation_is_reachable(layout.size())
    }

    unsafe fn dealloc(&self, _: *mut u8, layout: Layout) {
        allocation_is_reachable(layout.size());
    }
}
