//! Who may know whom: the table of the architecture, held against what cargo knows.
//!
//! Normal dependencies only; what a crate's own tests use is free. A crate without a row is refused,
//! so that a new crate is a decision.

use super::{Finding, Tree};
use crate::workspace::{metadata, root};
use serde_json::Value;
use std::path::Path;

/// What a crate may use from outside.
#[derive(Clone, Copy, Debug)]
enum Outside {
    /// Nothing but these: each was chosen and is named in rt-core/README.md.
    Only(&'static [&'static str]),
    /// Any well-kept library.
    Any,
}
use Outside::{Any, Only};

/// A row: crate, what of ours it may use, what from outside.
struct Row {
    name: &'static str,
    ours: Ours,
    outside: Outside,
}

#[derive(Clone, Copy, Debug)]
enum Ours {
    Just(&'static [&'static str]),
    Everything,
}
use Ours::{Everything, Just};

const fn row(name: &'static str, ours: Ours, outside: Outside) -> Row {
    Row { name, ours, outside }
}

/// A sidecar process: the library of sidecars, the words, and the libraries that it needs.
const GUEST: Ours = Just(&[
    "sidecar",
    "terminal",
    "loop-log",
    "rlds",
    "brain",
    "rt-wire",
    "rt-ring",
    "rt-shm",
    "rt-config",
]);
/// Two of them replay recorded cycles; replay drives nothing.
const REPLAYER: Ours = Just(&[
    "sidecar",
    "terminal",
    "loop-log",
    "rlds",
    "rlds-formats",
    "brain",
    "rt-wire",
    "rt-ring",
    "rt-shm",
    "rt-config",
    "rt-replay",
]);

const TABLE: [Row; 27] = [
    row("rt-wire", Just(&[]), Only(&["zerocopy"])),
    row("rt-ring", Just(&[]), Only(&["zerocopy", "crossbeam-utils"])),
    // `zerocopy`: the kernel reads records as bytes for its checksums.
    row("rt-control", Just(&["rt-wire"]), Only(&["heapless", "libm", "zerocopy"])),
    row("rt-replay", Just(&["rt-wire", "rt-control"]), Only(&[])),
    row("rt-config", Just(&["rt-wire"]), Only(&["serde", "serde_json", "schemars"])),
    row(
        "rt-shm",
        Just(&["rt-ring", "rt-wire"]),
        Only(&["nix", "memmap2", "thiserror", "zerocopy"]),
    ),
    row(
        "rt-board",
        Just(&["rt-wire", "rt-ring"]),
        Only(&["nix", "memmap2", "rppal", "embedded-hal", "linux-embedded-hal", "thiserror"]),
    ),
    row(
        "fast-loop",
        Just(&["rt-wire", "rt-ring", "rt-control", "rt-config", "rt-shm", "rt-board"]),
        Only(&[
            "thread-priority",
            "nix",
            "memmap2",
            "ringbuf",
            "seccompiler",
            "defmt",
            "thiserror",
            "zerocopy",
        ]),
    ),
    row("sidecar", Just(&["rt-wire", "rt-ring", "rt-shm", "rt-config"]), Any),
    // A person's terminal and nothing else.
    row("terminal", Just(&[]), Any),
    // An executable's messages and the frames of one record; no shared memory.
    row("loop-log", Just(&["rt-wire"]), Any),
    row("rlds", Just(&["rt-wire"]), Any),
    // What exports link (Parquet, gzip, a JPEG decoder) no process that records may link.
    row("rlds-formats", Just(&["rlds", "rt-wire"]), Any),
    row("brain", Just(&["rt-wire"]), Any),
    row("rlds-logger", GUEST, Any),
    row("camera", GUEST, Any),
    row("inference", GUEST, Any),
    row("teleop", GUEST, Any),
    row("pilot", GUEST, Any),
    row("trainer", GUEST, Any),
    row("gateway", GUEST, Any),
    row("ota", GUEST, Any),
    row("adapter-gate", REPLAYER, Any),
    row("continuon", REPLAYER, Any),
    row("hil", Just(&["rt-wire", "rt-ring", "rt-shm", "rt-config"]), Any),
    row("tests", Everything, Any),
    row("xtask", Everything, Any),
];

pub(crate) fn check(_tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    Ok((
        format!("{} crates keep to the table of who may know whom", packages.len()),
        packages.iter().flat_map(|package| wrongs(package, &is_ours(packages))).collect(),
    ))
}

fn is_ours(packages: &[Value]) -> impl Fn(&str) -> bool {
    |name| packages.iter().any(|package| package["name"] == name)
}

fn wrongs(package: &Value, is_ours: &impl Fn(&str) -> bool) -> Vec<Finding> {
    let name = package["name"].as_str().unwrap_or_default();
    let manifest = manifest_of(package);
    let Some(row) = TABLE.iter().find(|row| row.name == name) else {
        let what = format!(
            "`{name}` has no row in xtask/src/tidy/dependencies.rs: decide whom it may know"
        );
        return vec![Finding::new(manifest, 0, what)];
    };
    let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    let mut findings = Vec::new();
    for dependency in dependencies.iter().filter(|dependency| ships(dependency)) {
        let used = dependency["name"].as_str().unwrap_or_default();
        let allowed = match (is_ours(used), row.ours, row.outside) {
            (true, Everything, _) | (false, _, Any) => true,
            (true, Just(names), _) | (false, _, Only(names)) => names.contains(&used),
        };
        if !allowed {
            let what = format!("`{name}` must not know `{used}`; it may know {}", in_words(row));
            findings.push(Finding::new(&manifest, line_of(&manifest, used), what));
        }
    }
    findings
}

/// What tests use, and what a checker puts in the place of the shipped code, does not ship.
fn ships(dependency: &Value) -> bool {
    let is_checker = dependency["target"]
        .as_str()
        .is_some_and(|target| ["cfg(loom)", "cfg(kani)"].contains(&target));
    dependency["kind"].is_null() && !is_checker
}

fn in_words(row: &Row) -> String {
    let ours = match row.ours {
        Everything => "all of ours".to_owned(),
        Just([]) => "nothing of ours".to_owned(),
        Just(names) => names.join(", "),
    };
    match row.outside {
        Any => ours,
        Only([]) => format!("{ours}, and nothing from outside"),
        Only(names) => format!("{ours}, and from outside {}", names.join(", ")),
    }
}

fn manifest_of(package: &Value) -> String {
    let path = Path::new(package["manifest_path"].as_str().unwrap_or_default());
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn line_of(manifest: &str, dependency: &str) -> usize {
    let text = std::fs::read_to_string(root().join(manifest)).unwrap_or_default();
    let names = |line: &str| {
        line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with([' ', '.', '=']))
    };
    text.lines().position(names).map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::wrongs;
    use serde_json::{Value, json};

    fn package(name: &str, dependencies: &Value) -> Value {
        json!({"name": name, "manifest_path": "Cargo.toml", "dependencies": dependencies})
    }

    fn found(name: &str, dependencies: &Value) -> Vec<String> {
        let ours =
            |name: &str| name.starts_with("rt-") || ["pilot", "rlds", "fast-loop"].contains(&name);
        wrongs(&package(name, dependencies), &ours)
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    fn normal(name: &str) -> Value {
        json!({"name": name, "kind": null, "target": null})
    }

    #[test]
    fn a_sidecar_must_not_know_another_sidecar_nor_the_judgement() {
        let wrongs = found(
            "rlds-logger",
            &json!([normal("pilot"), normal("rt-control"), normal("rlds"), normal("tokio")]),
        );
        assert_eq!(wrongs.len(), 2, "{wrongs:?}");
        assert!(wrongs[0].contains("must not know `pilot`"));
        assert!(wrongs[1].contains("must not know `rt-control`"));
    }

    #[test]
    fn the_kernel_takes_only_what_was_chosen_and_tests_are_free() {
        assert_eq!(
            found("rt-control", &json!([normal("rt-wire"), normal("libm")])),
            Vec::<String>::new()
        );
        assert_eq!(found("rt-control", &json!([normal("serde")])).len(), 1);
        let dev = json!({"name": "proptest", "kind": "dev", "target": null});
        let loom = json!({"name": "loom", "kind": null, "target": "cfg(loom)"});
        assert_eq!(found("rt-ring", &json!([dev, loom])), Vec::<String>::new());
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert!(found("somebody", &json!([]))[0].contains("has no row"));
    }
}
