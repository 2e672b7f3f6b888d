//! The bus thread with a made-up I2C sensor that answers, fails, stalls, recovers and panics.
//!
//! `thread` has the bus thread alone, `startup` the whole process around it. This program runs under
//! the sealed allocator, so each test also shows that the threads allocate nothing of their own.
//! Nothing here waits for a time: only for what the sensor and the loop saw.

use fast_loop::sealed_alloc::SealedAllocator;

mod device;
mod startup;
mod thread;

#[global_allocator]
static ALLOCATOR: SealedAllocator = SealedAllocator;
