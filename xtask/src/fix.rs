//! `cargo xtask fix`: formats, and writes every snapshot anew, for a reviewer to read the difference.

use crate::Answer;
use crate::workspace::{cargo, output, root, succeeds};
use std::fs;

/// A file that a program of the workspace prints: (file, arguments of cargo).
const SNAPSHOTS: [(&str, &[&str]); 7] = [
    (
        "rt-core/wire/tests/snapshots/layout.txt",
        &["run", "--quiet", "--release", "-p", "rt-wire", "--example", "layout"],
    ),
    (
        "configs/schema/robot.schema.json",
        &["run", "--quiet", "--release", "-p", "continuon", "--", "config", "schema"],
    ),
    (
        "sidecars/rlds/tests/golden/step.json",
        &["run", "--quiet", "--release", "-p", "rlds", "--example", "golden", "--", "step"],
    ),
    (
        "sidecars/rlds/tests/golden/step-full.json",
        &["run", "--quiet", "--release", "-p", "rlds", "--example", "golden", "--", "step-full"],
    ),
    (
        "sidecars/rlds/tests/golden/metadata.json",
        &["run", "--quiet", "--release", "-p", "rlds", "--example", "golden", "--", "metadata"],
    ),
    (
        "sidecars/rlds/tests/golden/metadata-full.json",
        &[
            "run",
            "--quiet",
            "--release",
            "-p",
            "rlds",
            "--example",
            "golden",
            "--",
            "metadata-full",
        ],
    ),
    (
        "sidecars/rlds/tests/golden/episode.json",
        &["run", "--quiet", "--release", "-p", "rlds", "--example", "golden", "--", "episode"],
    ),
];

pub(crate) fn run() -> Answer {
    if !succeeds(cargo().args(["fmt", "--all"]))? {
        return Ok(false);
    }
    println!("formatted");
    for (file, arguments) in SNAPSHOTS {
        let text = output(cargo().args(arguments))?;
        let path = root().join(file);
        let before = fs::read_to_string(&path).unwrap_or_default();
        if before == text {
            println!("unchanged  {file}");
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        fs::write(&path, text).map_err(|error| format!("{file}: {error}"))?;
        println!("rewritten  {file}");
    }
    Ok(true)
}
