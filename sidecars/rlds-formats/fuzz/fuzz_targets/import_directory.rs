//! Any bytes for the target `import_directory`: see the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rlds_fuzz::run("import_directory", data));
