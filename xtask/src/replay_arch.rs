//! `cargo xtask replay-arch`: one recorded drive, replayed on this machine and under an aarch64
//! emulator; the outcomes must be equal in every bit.
//!
//! Linked with rustc's own linker and musl, so that no C compiler for aarch64 is needed. Where the
//! target or the emulator cannot be had, it says SKIPPED and why, and ends with 3. Tests: below.

use crate::Answer;
use crate::workspace::{cargo, output, root, succeeds, target_directory};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Architecture of the Raspberry Pi.
const TARGET: &str = "aarch64-unknown-linux-musl";
/// Names under which distributions install the emulator.
pub(crate) const EMULATORS: [&str; 2] = ["qemu-aarch64", "qemu-aarch64-static"];

pub(crate) fn run() -> Answer {
    let Some(emulator) = EMULATORS.into_iter().find(|name| runs(name)) else {
        return skipped("no aarch64 emulator here (Debian: apt-get install qemu-user)");
    };
    if !has_target(TARGET) {
        return skipped(&format!("the toolchain lacks {TARGET} (rustup target add {TARGET})"));
    }
    let release = target_directory()?.join("release");
    let target = target_directory()?.join(TARGET).join("release");
    build(cargo().args(["build", "--quiet", "--release", "-p", "tests", "--bin", "record-raw"]))?;
    let example = ["build", "--quiet", "--release", "-p", "rt-replay", "--example", "replay_raw"];
    build(cargo().args(example))?;
    build(
        cargo()
            .args(example)
            .args(["--target", TARGET])
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld")
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUSTFLAGS", "-Clink-self-contained=yes"),
    )?;
    let drive = release.join("replay-arch.raw");
    if !succeeds(Command::new(release.join("record-raw")).arg(&drive))? {
        return Err("the drive could not be recorded".to_owned().into());
    }
    let replay_raw = |built: &Path| built.join("examples").join("replay_raw");
    let here = told(Command::new(replay_raw(&release)).arg(&drive))?;
    let there = told(Command::new(emulator).arg(replay_raw(&target)).arg(&drive))?;
    println!("{here}\n{there}");
    let is_equal = is_same(&here, &there);
    println!("{}", if is_equal { "equal in every bit" } else { "NOT equal" });
    Ok(is_equal)
}

/// Neither a yes nor a no: not possible here.
fn skipped(why: &str) -> Answer {
    Err(format!("replay-arch: SKIPPED: {why}").into())
}

pub(crate) fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether the toolchain has the target, after an attempt to fetch it.
pub(crate) fn has_target(target: &str) -> bool {
    if is_installed(target) {
        return true;
    }
    let mut add = Command::new("rustup");
    add.args(["target", "add", target]).current_dir(root());
    add.stdout(Stdio::null()).stderr(Stdio::null());
    add.status().is_ok_and(|status| status.success()) && is_installed(target)
}

fn is_installed(target: &str) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]).current_dir(root());
    output(&mut rustc).is_ok_and(|folder| PathBuf::from(folder.trim()).is_dir())
}

fn build(command: &mut Command) -> Result<(), String> {
    if succeeds(command)? { Ok(()) } else { Err("the build failed: see above".to_owned()) }
}

/// What a replay prints, whatever its answer was.
fn told(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| format!("{program}: {error}"))?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if line.is_empty() { Err(format!("{program}: {}", output.status)) } else { Ok(line) }
}

/// Identical on both, and with equal outcomes: all but the architecture's name is the same.
fn is_same(here: &str, there: &str) -> bool {
    let rest = |line: &str| line.split_once(": ").map(|(_, rest)| rest.to_owned());
    let (here, there) = (rest(here), rest(there));
    here == there && here.is_some_and(|rest| rest.starts_with("identical;"))
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn only_two_identical_replays_with_one_hash_are_the_same() {
        let line = |arch: &str, rest: &str| format!("{arch}: {rest}");
        let identical = "identical; 9 cycles identical, outcomes 1f";
        assert!(is_same(&line("x86_64", identical), &line("aarch64", identical)));
        let other = "identical; 9 cycles identical, outcomes 2f";
        assert!(!is_same(&line("x86_64", identical), &line("aarch64", other)));
        let different = "different: cycle 3; outcomes 1f";
        assert!(!is_same(&line("x86_64", different), &line("aarch64", different)));
        assert!(!is_same("", ""));
    }
}
