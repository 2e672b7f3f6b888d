//! What the loop reaches in a fast-loop that is built already, if it is of these very sources.

use super::{Finding, Tree};
use crate::symbols;
use crate::workspace::{root, target_directory};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

pub(crate) fn check(tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let file = target_directory()?.join(symbols::PROFILE).join("fast-loop");
    // An older one is of other sources: it would fail, or pass, for them.
    if changed_at(&file).is_none_or(|built| Some(built) < newest_source(tree)) {
        let none = "no fast-loop of these sources is built (`cargo xtask symbols` builds one)";
        return Ok((none.to_owned(), Vec::new()));
    }
    let judged = symbols::judge(&file)?;
    let place = format!("{}/fast-loop", symbols::PROFILE);
    let findings = judged.wrongs.iter().map(|wrong| Finding::new(&place, 0, wrong)).collect();
    Ok((judged.as_text(), findings))
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
