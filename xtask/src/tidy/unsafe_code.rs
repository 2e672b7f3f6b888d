//! `unsafe` only where it was decided: ring, shm, board, four files of fast-loop, and the linker's proof.

use super::source::{code_only, lines_with_word};
use super::{Finding, Tree};

/// Folders and files in which `unsafe` may stand.
const PLACES: [&str; 8] = [
    "rt-core/ring/",
    "rt-core/shm/",
    "rt-core/board/",
    "rt-core/fast-loop/src/realtime.rs",
    "rt-core/fast-loop/src/sealed_alloc.rs",
    "rt-core/fast-loop/src/mirror.rs",
    // Names for the linker, in a program that is never run (decision 012).
    "linker-notes/proof/src/",
    // Decision 015: the four acts of a logger, which defmt's trait calls unsafe.
    "rt-core/fast-loop/src/log/global.rs",
];
/// A workspace of its own, which is measured against and ships nothing.
const NOT_OURS: &str = "hil/peers/";

pub(crate) fn check(tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let (mut findings, mut places) = (Vec::new(), 0_usize);
    for file in tree.rust().filter(|file| !file.path.starts_with(NOT_OURS)) {
        let lines = lines_with_word(&code_only(&file.text), "unsafe");
        if PLACES.iter().any(|place| file.path.starts_with(place)) {
            places += lines.len();
            continue;
        }
        findings.extend(lines.into_iter().map(|line| {
            Finding::new(
                &file.path,
                line,
                format!("`unsafe` outside its places ({})", PLACES.join(", ")),
            )
        }));
    }
    Ok((format!("{places} lines with `unsafe`, all in their places"), findings))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::tree;

    #[test]
    fn unsafe_is_found_outside_its_places_and_only_as_code() {
        let tree = tree(&[
            ("rt-core/control/src/x.rs", "// unsafe\nfn f() { unsafe { g() } }\n"),
            ("rt-core/shm/src/x.rs", "unsafe fn f() {}\n"),
            ("rt-core/wire/src/lib.rs", "#![forbid(unsafe_code)]\n"),
        ]);
        let (_, findings) = check(&tree).expect("looks");
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].file.as_str(), findings[0].line), ("rt-core/control/src/x.rs", 2));
    }
}
