//! Seals its own thread under the fast loop's allocator, then does what its argument names.
//! The test `seal` runs it and looks at how it ends.

use fast_loop::sealed_alloc::{SealedAllocator, seal, unseal};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: SealedAllocator = SealedAllocator;

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    let mut before: Vec<u8> = Vec::with_capacity(16);
    seal();
    match what.as_str() {
        "allocate" => drop(black_box(Box::new(7_u64))),
        "grow" => before.reserve(black_box(4096)),
        "free" => drop(black_box(std::mem::take(&mut before))),
        "zeroed" => drop(black_box(vec![0_u8; 4096])),
        // Another thread's memory is its own business.
        "elsewhere" => {}
        _ => before.push(1),
    }
    unseal();
    if what == "elsewhere" {
        let thread = std::thread::spawn(|| black_box(vec![1_u8; 100]).len());
        assert_eq!(thread.join().ok(), Some(100));
    }
    println!("lived");
}
