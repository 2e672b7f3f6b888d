//! Where the workspace is, what is in it, and how another program is run there.

use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace's root: the parent of this crate.
pub(crate) fn root() -> PathBuf {
    let us = Path::new(env!("CARGO_MANIFEST_DIR"));
    us.parent().unwrap_or(us).to_owned()
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root());
    command
}

/// Runs a command with our own stdout and stderr; whether it ended with 0.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool, String> {
    let program = command.get_program().to_owned();
    let status = command.status().map_err(|error| failed(&program, &error))?;
    Ok(status.success())
}

/// Runs a command and takes what it prints; an error if it does not end with 0.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_owned();
    let (is_success, text) = said(command)?;
    if is_success { Ok(text) } else { Err(format!("{}: failed", program.to_string_lossy())) }
}

/// As [`output`], with whether it succeeded: for a program whose no is an answer too.
pub(crate) fn said(command: &mut Command) -> Result<(bool, String), String> {
    let program = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(&program, &error))?;
    let is_success = match output.status.code() {
        Some(code @ (0 | 1)) => code == 0,
        _ => return Err(format!("{}: {}", program.to_string_lossy(), output.status)),
    };
    let text = String::from_utf8(output.stdout)
        .map_err(|_not_text| format!("{}: printed no text", program.to_string_lossy()))?;
    Ok((is_success, text))
}

fn failed(program: &OsStr, error: &std::io::Error) -> String {
    format!("{}: {error}", program.to_string_lossy())
}

/// What cargo knows of the members, without their dependencies' own.
pub(crate) fn metadata() -> Result<Value, String> {
    let text =
        output(cargo().args(["metadata", "--no-deps", "--format-version", "1", "--offline"]))?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> Result<PathBuf, String> {
    let metadata = metadata()?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| "cargo metadata: no target_directory".to_owned())
}

/// Every file that git has or would take, relative to the root.
pub(crate) fn files() -> Result<Vec<PathBuf>, String> {
    let mut git = Command::new("git");
    git.current_dir(root()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
    ]);
    let names = output(&mut git)?;
    let files = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    // One that is deleted and not yet committed is still listed.
    Ok(files.filter(|file| root().join(file).is_file()).collect())
}
