//! Hands the linker script of the log's message table to the one binary that needs it. Whoever links
//! the library (tests, benchmarks) is linked as ever: it logs, and nobody can read it.

use std::path::Path;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let script = root.join("linker-notes/fast-loop.x");
    println!("cargo:rerun-if-changed={}", script.display());
    // Not behind -Wl: a C compiler and a linker that is called by itself both know it.
    println!("cargo:rustc-link-arg-bin=fast-loop=-T{}", script.display());
    // A message's number is its address: it must be the same wherever the kernel loads the program.
    println!("cargo:rustc-link-arg-bin=fast-loop=-no-pie");
    // defmt's macros read their filter when they are compiled; without it they drop all but errors.
    println!("cargo:rustc-env=DEFMT_LOG=trace");
}
