//! The seal: an allocation, a reallocation or a free by a sealed thread ends the process.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

fn sealed(what: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_allocates-sealed"))
        .arg(what)
        .output()
        .expect("the program starts")
}

#[test]
fn a_sealed_thread_that_allocates_grows_or_frees_ends_the_process_with_its_last_words() {
    for (what, words) in [
        ("allocate", "allocated"),
        ("zeroed", "allocated"),
        ("grow", "reallocated"),
        ("free", "freed memory"),
    ] {
        let output = sealed(what);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(6), "{what}: {told}");
        assert!(told.contains(words), "{what}: {told}");
        assert!(output.stdout.is_empty(), "{what}");
    }
}

#[test]
fn a_sealed_thread_may_use_what_it_has_and_others_may_allocate() {
    for what in ["push", "elsewhere"] {
        let output = sealed(what);
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout, b"lived\n");
    }
}
