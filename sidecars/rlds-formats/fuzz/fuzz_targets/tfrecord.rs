//! Any bytes for the target `tfrecord`: see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rlds_fuzz::run("tfrecord", data));
