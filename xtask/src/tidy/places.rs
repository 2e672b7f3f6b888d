//! Nothing in the tree knows the machine that it was written on.
//!
//! No absolute path of a person or a workplace, and no package from anywhere but the public registry.

use super::{Finding, Tree};

/// Beginnings of paths that exist on one machine only; in parts, so that this file is tidy itself.
const PATHS: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/t", "mp/"),
];
/// How cargo writes a package that comes from a registry; which one is `cargo deny`'s to judge.
const REGISTRY: &str = "registry+";
/// Words of a cargo configuration that sends it to another registry.
const OTHER_SOURCE: [&str; 3] = ["[source", "[registries", "replace-with"];

pub(crate) fn check(tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let mut findings = Vec::new();
    for file in &tree.texts {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(what) = wrong(&file.path, line) {
                findings.push(Finding::new(&file.path, index + 1, what));
            }
        }
    }
    Ok((format!("{} texts name no machine and no other registry", tree.texts.len()), findings))
}

fn wrong(path: &str, line: &str) -> Option<String> {
    if let Some(prefix) = PATHS.iter().find(|prefix| begins_a_path(line, prefix)) {
        return Some(format!("a path of one machine: {prefix}…"));
    }
    let source = line.trim().strip_prefix("source = ");
    if path.ends_with("Cargo.lock")
        && source.is_some_and(|source| !source.trim_matches('"').starts_with(REGISTRY))
    {
        return Some(format!("a package from elsewhere: expected {REGISTRY}…"));
    }
    let is_cargo_config = path.contains(".cargo/");
    if is_cargo_config && OTHER_SOURCE.iter().any(|word| line.contains(word)) {
        return Some("sends cargo to another registry".to_owned());
    }
    None
}

/// `network/` is no path of a machine; a path begins where no other part of one stands before it.
fn begins_a_path(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-./}>".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::{PATHS, REGISTRY, wrong};

    #[test]
    fn a_path_of_a_machine_is_found_and_a_relative_one_is_not() {
        for prefix in PATHS {
            assert!(wrong("a.md", &format!("see {prefix}x")).is_some());
            assert!(wrong("a.rs", &format!("\"{prefix}x\"")).is_some());
            assert!(wrong("a.md", &format!("net{prefix}x")).is_none());
        }
    }

    #[test]
    fn packages_come_from_a_registry_only() {
        assert!(
            wrong("Cargo.lock", &format!("source = \"{REGISTRY}https://any.example/index\""))
                .is_none()
        );
        assert!(wrong("Cargo.lock", "source = \"git+https://any.example/package\"").is_some());
        assert!(wrong(".cargo/config.toml", "[source.crates-io]").is_some());
        assert!(wrong(".cargo/config.toml", "[alias]").is_none());
    }
}
