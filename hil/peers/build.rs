//! defmt's macros read their filter when they are compiled; without it they drop all but errors.

fn main() {
    println!("cargo:rustc-env=DEFMT_LOG=trace");
}
