//! Replays raw bytes of a recording and prints one hash of every outcome: equal hashes on two
//! architectures are equal outcomes in every bit.
//!
//! The file: the limits, then entries of a tag (eight bytes, little-endian: 1 a keyframe, 2 a cycle)
//! and the record as the loop wrote it. `record-raw FILE` writes one; `cargo xtask replay-arch`
//! compares architectures. Exit codes: 0 identical, 1 not, 2 misuse.

use rt_control::Kernel;
use rt_replay::{Answer, AtKeyframe, Tape};
use rt_wire::{KernelState, Limits, Record, Telemetry, fnv1a};
use std::io::Write;
use std::process::ExitCode;

const KEYFRAME: u64 = 1;
const CYCLE: u64 = 2;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        return end(2, "replay_raw: expected a file that `record-raw FILE` wrote");
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => return end(2, &format!("replay_raw: {}: {error}", path.display())),
    };
    match replay(&bytes) {
        Ok((is_identical, line)) => end(u8::from(!is_identical), &line),
        Err(found) => end(2, &format!("replay_raw: {}: {found}", path.display())),
    }
}

fn end(code: u8, line: &str) -> ExitCode {
    let told = if code == 2 {
        std::io::stderr().write_all(format!("{line}\n").as_bytes())
    } else {
        std::io::stdout().write_all(format!("{line}\n").as_bytes())
    };
    ExitCode::from(if told.is_ok() { code } else { 2 })
}

/// Takes a record off the front.
fn take<T: Record>(rest: &mut &[u8]) -> Result<T, String> {
    let (bytes, after) = rest
        .split_at_checked(size_of::<T>())
        .ok_or_else(|| format!("{} bytes left, expected a {}", rest.len(), T::NAME))?;
    *rest = after;
    T::read_from_bytes(bytes).map_err(|_wrong_size| format!("no {}", T::NAME))
}

fn tag(rest: &mut &[u8]) -> Result<u64, String> {
    let (tag, after) = rest.split_first_chunk::<8>().ok_or("it ends within a tag")?;
    *rest = after;
    Ok(u64::from_le_bytes(*tag))
}

/// The bytes of a record; through a bound, so that no trait of zerocopy's need be named.
fn bytes_of<T: Record>(record: &T) -> &[u8] {
    record.as_bytes()
}

fn replay(bytes: &[u8]) -> Result<(bool, String), String> {
    let mut rest = bytes;
    let limits: Limits = take(&mut rest)?;
    let mut tape = Tape::new(&limits);
    // A kernel beside the tape's, because what this machine computes is hashed, not what it read.
    let mut kernel: Option<Kernel> = None;
    let (mut hash, mut first) = (0, None);
    while !rest.is_empty() {
        let answer = match tag(&mut rest)? {
            KEYFRAME => {
                let state: KernelState = take(&mut rest)?;
                kernel = kernel.or_else(|| Kernel::resume(&limits, &state));
                match tape.keyframe(&state) {
                    AtKeyframe::Begins => continue,
                    AtKeyframe::Held(answer) => answer,
                }
            }
            CYCLE => {
                let record: Telemetry = take(&mut rest)?;
                if let Some(kernel) = &mut kernel {
                    let outcome = kernel.step(&record.release, &record.observation, &record.inbox);
                    hash = fnv1a(hash, bytes_of(&outcome));
                }
                tape.cycle(&record)
            }
            other => return Err(format!("tag {other} means nothing")),
        };
        if let Answer::Different(found) = answer {
            first.get_or_insert(found);
        }
    }
    let tally = tape.tally();
    let is_identical = first.is_none() && tally.gaps == 0 && tally.identical > 0;
    let found = match first {
        Some(found) => format!(
            "different: cycle {}, {} recorded as {}, replayed as {}",
            found.cycle_index, found.field, found.recorded, found.replayed
        ),
        None if is_identical => "identical".to_owned(),
        None => "not comparable".to_owned(),
    };
    let line = format!(
        "{}: {found}; {} cycles identical, {} different, {} keyframes, outcomes {hash:016x}",
        std::env::consts::ARCH,
        tally.identical,
        tally.different,
        tally.keyframes_identical
    );
    Ok((is_identical, line))
}
