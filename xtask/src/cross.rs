//! `cargo xtask cross`: everything for the Raspberry Pi's architecture, built and tried here.
//!
//! *What it decides.* Whether every binary builds for aarch64 with glibc, needs no newer one than the
//! robot's system has, and whether `fast-loop` starts, drives its cycles and ends safely under an
//! emulator; and the same of a `fast-loop` that is static (musl).
//! *What it must never do.* Take a lane that could not run for one that did. It says nothing about
//! time: an emulator has none to measure. Tests: below.

use crate::Answer;
use crate::replay_arch::{EMULATORS, has_target, runs};
use crate::workspace::{cargo, metadata, output, root, succeeds, target_directory};
use object::{Object, ObjectSection};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const GNU: &str = "aarch64-unknown-linux-gnu";
const MUSL: &str = "aarch64-unknown-linux-musl";
/// The C compiler that links for it, and its strip (Debian: gcc-aarch64-linux-gnu).
const LINKER: &str = "aarch64-linux-gnu-gcc";
const STRIP: &str = "aarch64-linux-gnu-strip";
/// Where the emulator finds that system's loader and libc.
const SYSTEM: &str = "/usr/aarch64-linux-gnu";
/// What Raspberry Pi OS 12 (Debian bookworm) has. Newer systems run what an older glibc satisfies.
const GLIBC_MAX: (u32, u32) = (2, 36);
/// The loop's binary, stripped.
const LOOP_BYTES_MAX: u64 = 4 << 20;
/// Crates whose tests the emulator runs: those without sockets, priorities and clocks of their own.
const TESTED: [&str; 5] = ["rt-wire", "rt-ring", "rt-control", "rt-config", "rt-replay"];
/// How long fast-loop runs before it is told to end.
const RUN_SECONDS: &str = "3";

const EXAMPLES: &str = "\
Examples:
  cargo xtask cross            every binary, fast-loop and rt-core's tests under the emulator
  cargo xtask cross --quick    fast-loop alone";

/// What is built and tried.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// fast-loop alone: no other binary, no tests.
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(args: &Args) -> Answer {
    let Some(emulator) = EMULATORS.into_iter().find(|name| runs(name)) else {
        return skipped("no aarch64 emulator here (Debian: apt-get install qemu-user)");
    };
    if !runs(LINKER) {
        return skipped(&format!(
            "no {LINKER} here (Debian: apt-get install gcc-aarch64-linux-gnu)"
        ));
    }
    if !has_target(GNU) {
        return skipped(&format!("the toolchain lacks {GNU} (rustup target add {GNU})"));
    }
    let target = target_directory()?;
    build(&["--profile", "flash", "-p", "fast-loop"], GNU)?;
    let fast_loop = target.join(GNU).join("flash/fast-loop");
    let mut is_yes = fits(&fast_loop, "fast-loop (flash)", Some(LOOP_BYTES_MAX))?;
    is_yes &= drives(emulator, &["-L", SYSTEM], &fast_loop, "glibc", &target)?;

    if has_target(MUSL) {
        build(&["--profile", "flash", "-p", "fast-loop"], MUSL)?;
        let fixed = target.join(MUSL).join("flash/fast-loop");
        is_yes &= fits(&fixed, "fast-loop (flash, static)", Some(LOOP_BYTES_MAX))?;
        is_yes &= is_static(&fixed)?;
        is_yes &= drives(emulator, &[], &fixed, "static", &target)?;
    } else {
        println!("static fast-loop: SKIPPED: the toolchain lacks {MUSL}");
    }
    if args.quick {
        return Ok(is_yes);
    }
    build(&["--release", "--workspace", "--bins", "--exclude", "xtask"], GNU)?;
    for binary in binaries(&metadata()?) {
        is_yes &= fits(&target.join(GNU).join("release").join(&binary), &binary, None)?;
    }
    let mut tests = gnu(cargo().args(["test", "--quiet", "--release", "--target", GNU]));
    tests.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", format!("{emulator} -L {SYSTEM}"));
    tests.args(["--lib", "--tests"]).args(TESTED.iter().flat_map(|name| ["-p", name]));
    let tested = succeeds(&mut tests)?;
    println!("tests of {} on aarch64: {}", TESTED.join(", "), if tested { "ok" } else { "FAILED" });
    Ok(is_yes && tested)
}

/// Neither a yes nor a no: not possible here.
fn skipped(why: &str) -> Answer {
    Err(format!("cross: SKIPPED: {why}").into())
}

fn build(what: &[&str], target: &str) -> Result<(), String> {
    let mut build = gnu(cargo().args(["build", "--quiet", "--target", target]).args(what));
    // Linked by the toolchain's own linker and start code: no C compiler for musl is needed.
    build.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld");
    build.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUSTFLAGS", "-Clink-self-contained=yes");
    if succeeds(&mut build)? {
        Ok(())
    } else {
        Err(format!("{target}: the build failed: see above"))
    }
}

fn gnu(cargo: &mut Command) -> Command {
    let mut command = Command::new(cargo.get_program());
    command.args(cargo.get_args()).current_dir(root());
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    // For the few crates that compile C.
    command.env("CC_aarch64_unknown_linux_gnu", LINKER);
    command
}

/// Prints size and needed glibc of one binary; whether both are within their limits.
fn fits(file: &Path, name: &str, bytes_max: Option<u64>) -> Result<bool, String> {
    let stripped = file.with_extension("stripped");
    output(Command::new(STRIP).arg("-o").arg(&stripped).arg(file))?;
    let bytes = std::fs::metadata(&stripped).map_err(|error| format!("{name}: {error}"))?.len();
    std::fs::remove_file(&stripped).map_err(|error| format!("{name}: {error}"))?;
    let needed = glibc(file)?;
    let words = match needed {
        Some((major, minor)) => format!("needs glibc {major}.{minor}"),
        None => "needs no glibc".to_owned(),
    };
    let too_big = bytes_max.is_some_and(|max| bytes > max);
    let too_new = needed > Some(GLIBC_MAX);
    let verdict = match (too_big, too_new) {
        (false, false) => String::new(),
        (true, _) => format!(": TOO BIG, at most {} kB", bytes_max.unwrap_or(0) / 1000),
        (_, true) => format!(": TOO NEW, at most {}.{}", GLIBC_MAX.0, GLIBC_MAX.1),
    };
    println!("{name:28} {:6} kB stripped, {words}{verdict}", bytes / 1000);
    Ok(!too_big && !too_new)
}

/// The newest version of glibc that the loader will look for.
fn glibc(file: &Path) -> Result<Option<(u32, u32)>, String> {
    let wrong = |why: String| format!("{}: {why}", file.display());
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let elf = object::File::parse(&*bytes).map_err(|error| wrong(error.to_string()))?;
    let Some(names) = elf.section_by_name(".dynstr") else { return Ok(None) };
    let names = names.data().map_err(|error| wrong(error.to_string()))?;
    Ok(names.split(|byte| *byte == 0).filter_map(|name| version(str::from_utf8(name).ok()?)).max())
}

/// `GLIBC_2.34` as numbers.
fn version(name: &str) -> Option<(u32, u32)> {
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn is_static(file: &Path) -> Result<bool, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let elf =
        object::File::parse(&*bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    let is_static = elf.section_by_name(".interp").is_none();
    println!(
        "static fast-loop: {}",
        if is_static { "asks for no loader" } else { "ASKS FOR A LOADER" }
    );
    Ok(is_static)
}

/// Starts fast-loop, lets it run, tells it to end; whether it ended with safe outputs.
fn drives(
    emulator: &str,
    options: &[&str],
    file: &Path,
    name: &str,
    target: &Path,
) -> Result<bool, String> {
    let run_dir: PathBuf = target.join("cross-run");
    let mut run = Command::new("timeout");
    run.args(["--preserve-status", "--signal=TERM", "--kill-after=30", RUN_SECONDS, emulator]);
    run.args(options).arg(file).args(["--robot", "sim-donkey", "--run-dir"]).arg(&run_dir);
    let ended = run.stdin(Stdio::null()).output().map_err(|error| format!("timeout: {error}"))?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let last = said.lines().find(|line| line.contains("outputs safe"));
    match (ended.status.success(), last) {
        (true, Some(last)) => {
            println!("fast-loop ({name}) on aarch64: {}", last.trim());
            Ok(true)
        }
        _ => {
            println!("fast-loop ({name}) on aarch64: FAILED, {}\n{said}", ended.status);
            Ok(false)
        }
    }
}

/// Every binary of the workspace but this one.
fn binaries(metadata: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]).into_iter().filter(|one| one["name"] != "xtask");
    let targets = packages.flat_map(|package| list(&package["targets"]));
    let binaries = targets.filter(|target| target["kind"][0] == "bin");
    binaries.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::{binaries, version};
    use crate::workspace::metadata;

    #[test]
    fn versions_of_glibc_are_compared_as_numbers() {
        assert_eq!(version("GLIBC_2.34"), Some((2, 34)));
        assert_eq!(version("GLIBC_2.2.5"), Some((2, 2)));
        assert!(version("GLIBC_2.9") < version("GLIBC_2.17"));
        assert_eq!(version("GLIBC_PRIVATE"), None);
        assert_eq!(version("malloc"), None);
    }

    #[test]
    fn every_process_of_the_robot_is_built() {
        let found = binaries(&metadata().expect("cargo knows its members"));
        for name in ["fast-loop", "continuon", "pilot", "teleop", "rlds-logger", "plant"] {
            assert!(found.iter().any(|found| found == name), "{name} in {found:?}");
        }
    }
}
