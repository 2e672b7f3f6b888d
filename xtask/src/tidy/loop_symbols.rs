//! What the loop reaches in a fast-loop that is built already, if it is of these very sources.

use super::{Finding, Tree};
use crate::symbols;
use crate::workspace::{root, target_directory};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Profiles whose executable is looked at, the one that ships first.
const PROFILES: [&str; 2] = ["flash", "release"];

pub(crate) fn check(tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let target = target_directory()?;
    let newest = newest_source(tree);
    let mut told = Vec::new();
    let mut findings = Vec::new();
    for profile in PROFILES {
        let file = target.join(profile).join("fast-loop");
        // An older one is of other sources: it would fail, or pass, for them.
        if changed_at(&file).is_none_or(|built| Some(built) < newest) {
            continue;
        }
        let judged = symbols::judge(&file)?;
        told.push(format!("{profile}: {}", judged.as_text()));
        let place = format!("{profile}/fast-loop");
        findings.extend(judged.wrongs.iter().map(|wrong| Finding::new(&place, 0, wrong)));
    }
    if told.is_empty() {
        told.push(
            "no fast-loop of these sources is built (`cargo xtask symbols` builds one)".to_owned(),
        );
    }
    Ok((told.join("\n      "), findings))
}

/// When anything that fast-loop is built from last changed.
fn newest_source(tree: &Tree) -> Option<SystemTime> {
    let of_it = tree.files.iter().filter(|file| {
        file.starts_with("rt-core") || file.ends_with("Cargo.lock") || file.ends_with("Cargo.toml")
    });
    of_it.filter_map(|file| changed_at(&root().join(file))).max()
}

fn changed_at(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}
