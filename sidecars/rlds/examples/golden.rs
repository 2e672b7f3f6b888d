//! Prints one of the golden files: what `cargo xtask fix` writes, and tests/schema.rs compares.
//!
//! `cargo run -p rlds --example golden -- step`: a step as the recorder makes it; `step-full` and
//! `metadata-full` have every key of the contract.

#[path = "../tests/common/mod.rs"]
mod common;

use std::error::Error;
use std::fs;
use std::io::Write;

use common::full::{full_metadata, full_step};
use common::{ROBOT_JSON, about, cycle, keyframe};
use rlds::{Closing, EpisodeWriter};

/// The golden file of that name.
pub(crate) fn text(name: &str) -> Result<String, Box<dyn Error>> {
    let (file, is_line) = match name {
        "step-full" => return Ok(pretty(&full_step())?),
        "metadata-full" => return Ok(pretty(&full_metadata())?),
        "step" => ("steps/000000.jsonl", true),
        "metadata" => ("metadata.json", false),
        "episode" => ("episode.json", false),
        _ => {
            return Err(format!(
                "expected step, step-full, metadata, metadata-full or episode, found {name}"
            )
            .into());
        }
    };
    let folder = tempfile::tempdir()?;
    let mut episode = EpisodeWriter::create(folder.path(), about(), ROBOT_JSON)?;
    for n in 1..=1000 {
        episode.telemetry(n, &cycle(n));
    }
    episode.keyframe(1, &keyframe(1000));
    let written = fs::read_to_string(episode.finish(Closing::Clean, "").path.join(file))?;
    if !is_line {
        return Ok(written);
    }
    let step: rlds::schema::Step =
        serde_json::from_str(written.lines().nth(1).unwrap_or_default())?;
    Ok(pretty(&step)?)
}

fn pretty(value: &impl serde::Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n")
}

#[allow(dead_code, reason = "the test uses the rest")]
fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_default();
    std::io::stdout().write_all(text(&name)?.as_bytes())?;
    Ok(())
}
