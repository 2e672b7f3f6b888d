//! Any bytes for the target `lz4`: see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rlds_fuzz::run("lz4", data));
