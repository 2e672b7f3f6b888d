//! `replay TARGET FILE…`: runs inputs again, without libFuzzer; `replay` alone lists the targets.
//!
//! Built with `-C instrument-coverage` it says which lines they reach.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(name) = arguments.next() else {
        let mut list = String::new();
        for target in rlds_fuzz::TARGETS {
            list += &format!("{} {}\n", target.name, target.parser.join(" "));
        }
        let told = std::io::stdout().write_all(list.as_bytes());
        return if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    };
    let name = name.to_string_lossy();
    for path in arguments.map(PathBuf::from) {
        match inputs(&path) {
            Ok(inputs) => inputs.iter().for_each(|data| rlds_fuzz::run(&name, data)),
            Err(error) => {
                writeln!(std::io::stderr(), "replay: {}: {error}", path.display()).ok();
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}

/// A file, or all files of a folder.
fn inputs(path: &PathBuf) -> std::io::Result<Vec<Vec<u8>>> {
    if !path.is_dir() {
        return Ok(vec![std::fs::read(path)?]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path)? {
        paths.push(entry?.path());
    }
    paths.sort();
    paths.iter().map(std::fs::read).collect()
}
