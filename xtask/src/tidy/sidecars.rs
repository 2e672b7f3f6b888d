//! Every sidecar has its row in `sidecars/README.md`, and every row its sidecar.

use super::{Finding, Tree};
use std::collections::BTreeSet;

const README: &str = "sidecars/README.md";

pub(crate) fn check(tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let folders: BTreeSet<&str> = tree
        .texts
        .iter()
        .filter_map(|file| file.path.strip_prefix("sidecars/")?.strip_suffix("/Cargo.toml"))
        .filter(|folder| !folder.contains('/'))
        .collect();
    let Some(readme) = tree.text(README) else {
        return Ok((
            String::new(),
            vec![Finding::new(README, 0, "expected a table of the sidecars, found no file")],
        ));
    };
    let rows: BTreeSet<&str> = readme.text.lines().filter_map(row).collect();
    let missing = folders.difference(&rows).map(|folder| {
        Finding::new(
            README,
            0,
            format!("no row for sidecars/{folder}: expected one that begins `| `{folder}/` |`"),
        )
    });
    let stale = rows
        .difference(&folders)
        .map(|row| Finding::new(README, 0, format!("a row for `{row}/`, which is no sidecar")));
    Ok((format!("{} sidecars, each with its row", folders.len()), missing.chain(stale).collect()))
}

/// The folder of a row ``| `name/` | …``.
fn row(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split_once("/`").map(|(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::tree;

    #[test]
    fn a_sidecar_without_a_row_and_a_row_without_a_sidecar_are_found() {
        let tree = tree(&[
            ("sidecars/pilot/Cargo.toml", ""),
            ("sidecars/ota/Cargo.toml", ""),
            ("sidecars/README.md", "| `pilot/` | process |\n| `camera/` | process |\n"),
        ]);
        let (_, findings) = check(&tree).expect("looks");
        let words: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(words.len(), 2, "{words:?}");
        assert!(words[0].contains("sidecars/ota") && words[1].contains("camera"), "{words:?}");
    }
}
