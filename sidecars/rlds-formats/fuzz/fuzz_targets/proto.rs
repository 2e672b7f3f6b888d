//! Any bytes for the target `proto`: see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rlds_fuzz::run("proto", data));
