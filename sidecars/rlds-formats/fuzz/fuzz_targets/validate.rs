//! Any bytes for the target `validate`: see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rlds_fuzz::run("validate", data));
