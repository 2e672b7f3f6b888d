//! What defmt's macros call: the four acts of a frame, on the calling thread's own writer.
//!
//! It decides nothing. It must never reach another thread's memory: the writer is found through
//! thread-local state, so no lock is needed and none is taken (defmt's usual host set-up takes a
//! critical section, which on std is a process-wide mutex). Decision 015. Shown by: `tests/log/`.

use super::{FrameWriter, begin_frame, with_writer};

#[defmt::global_logger]
struct PerThread;

// SAFETY: acquire is asked to be safe from any thread and interrupt: each call touches only what
// belongs to its own thread, behind a borrow that is checked, and a call out of turn (nested, or
// without acquire) costs a frame and nothing else. A signal handler may not log; this process has none.
unsafe impl defmt::Logger for PerThread {
    fn acquire() {
        begin_frame();
    }

    unsafe fn flush() {
        // Nobody waits: what was released is in the queue already.
    }

    unsafe fn release() {
        with_writer(FrameWriter::end);
    }

    unsafe fn write(bytes: &[u8]) {
        with_writer(|writer| writer.write(bytes));
    }
}

// What a `defmt::panic!` would call; nothing here does, and a panic ends the process anyway.
#[defmt::panic_handler]
fn panic() -> ! {
    core::panic!("defmt")
}

// No time on the wire: each frame carries its cycle's, which costs no reading of a clock.
defmt::timestamp!("");
