//! What git holds: small files, and nothing that a build made.

use super::{Finding, Tree};
use crate::workspace::root;
use std::fs;

/// A larger file belongs elsewhere: it stays in every clone for ever.
const BYTES_MAX: u64 = 1_000_000;

pub(crate) fn check(tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let (mut findings, mut bytes) = (Vec::new(), 0);
    for file in &tree.files {
        let size = fs::metadata(root().join(file)).map_or(0, |metadata| metadata.len());
        bytes += size;
        let name = file.to_string_lossy();
        if size > BYTES_MAX {
            findings.push(Finding::new(&*name, 0, format!("{size} bytes, more than {BYTES_MAX}")));
        }
        if file.components().any(|part| part.as_os_str() == "target") {
            findings.push(Finding::new(&*name, 0, "made by a build: `git rm --cached` it"));
        }
    }
    Ok((format!("{} files, {} kB", tree.files.len(), bytes / 1000), findings))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::tree;

    #[test]
    fn what_a_build_made_is_found() {
        let (_, findings) =
            check(&tree(&[("a/target/x", ""), ("a/targets.rs", "")])).expect("looks");
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].file, "a/target/x");
    }
}
