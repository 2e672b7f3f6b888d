//! `record-raw FILE`: a virtual drive as raw records, for `replay_raw` on any architecture. The form
//! is told there (rt-core/replay/examples/replay_raw.rs).
//!
//! Exit codes: 0, 2 (misuse), 3 (the file cannot be written).

use rlds::Entry;
use std::io::Write;
use std::process::ExitCode;
use zerocopy::IntoBytes;

/// Long enough for every event of the drive.
const CYCLES: u64 = 20_000;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        return end(2, "expected the name of a file to write");
    };
    let drive = tests::recorded::drive(CYCLES);
    let mut bytes = drive.robot.limits().as_bytes().to_vec();
    for entry in &drive.entries {
        match entry {
            Entry::Keyframe(state) => {
                bytes.extend_from_slice(&1_u64.to_le_bytes());
                bytes.extend_from_slice(state.as_bytes());
            }
            Entry::Telemetry(record) => {
                bytes.extend_from_slice(&2_u64.to_le_bytes());
                bytes.extend_from_slice(record.as_bytes());
            }
            // A virtual drive loses nothing, and logs nothing.
            Entry::Loss(_) | Entry::Log(_) | Entry::Event(_) | Entry::Frame(_) => {}
        }
    }
    match std::fs::write(&path, bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(3, &format!("{}: {error}", path.display())),
    }
}

fn end(code: u8, words: &str) -> ExitCode {
    // Nobody there to read it: the exit code tells it too.
    std::io::stderr().write_all(format!("record-raw: {words}\n").as_bytes()).ok();
    ExitCode::from(code)
}
