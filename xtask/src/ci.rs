//! `cargo xtask ci`: the lanes of `.ci/run`, which is the one list of them.

use crate::Answer;
use crate::workspace::{root, succeeds, target_directory};
use std::process::Command;

pub(crate) fn run() -> Answer {
    let mut lanes = Command::new("bash");
    lanes.arg(".ci/run").current_dir(root());
    // CI keeps its builds in a cache; at home they lie where cargo always puts them.
    lanes.env("CARGO_TARGET_DIR", target_directory()?);
    Ok(succeeds(&mut lanes)?)
}
