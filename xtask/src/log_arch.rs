//! `cargo xtask log-arch`: the loop's log, read from `fast-loop` as each profile builds it, for this
//! machine and for aarch64 under an emulator.
//!
//! Each is built, started, and read by `continuon log` while it runs; every message must be readable
//! and have its file and line. It drives nothing: the loop waits for its lines, and that is logged
//! too. Where a compiler or emulator for aarch64 cannot be had, it says SKIPPED and why, and ends with
//! 3 once the rest was read. Tests: below.

use crate::Answer;
use crate::workspace::{cargo, root, succeeds, target_directory};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What the image is built for.
const TARGET: &str = "aarch64-unknown-linux-gnu";
/// Its compiler and C library (Debian: gcc-aarch64-linux-gnu), and its emulator (qemu-user).
const LINKER: &str = "aarch64-linux-gnu-gcc";
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";
const EMULATOR: &str = "qemu-aarch64";
/// Profiles, and the folders that cargo gives them.
const PROFILES: [&str; 2] = ["release", "flash"];
/// What every start logs, last first.
const WORDS: [&str; 2] = ["mode Boot -> SelfTest", "sealed: period"];
/// For a hang, not for a speed.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run() -> Answer {
    let target = target_directory()?;
    build(cargo().args(["build", "--quiet", "--release", "-p", "continuon"]))?;
    let continuon = target.join("release").join("continuon");
    let mut all = true;
    for profile in PROFILES {
        build(cargo().args(["build", "--quiet", "-p", "fast-loop", "--profile", profile]))?;
        let mut program = Command::new(target.join(profile).join("fast-loop"));
        all &= read(&format!("{} {profile}", std::env::consts::ARCH), &mut program, &continuon)?;
    }
    if let Some(lacking) = [LINKER, EMULATOR].into_iter().find(|program| !runs(program)) {
        return Err(format!("log-arch: SKIPPED for {TARGET}: no {lacking} here").into());
    }
    for profile in PROFILES {
        build(
            cargo()
                .args(["build", "--quiet", "-p", "fast-loop", "--profile", profile])
                .args(["--target", TARGET])
                .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER),
        )?;
        let mut program = Command::new(EMULATOR);
        program.args(["-L", LIBRARIES]).arg(target.join(TARGET).join(profile).join("fast-loop"));
        all &= read(&format!("aarch64 {profile}"), &mut program, &continuon)?;
    }
    Ok(all)
}

fn build(command: &mut Command) -> Result<(), String> {
    if succeeds(command)? { Ok(()) } else { Err("the build failed: see above".to_owned()) }
}

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A child that does not outlive us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is fine.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts the loop, reads its log until it says what every start says, and prints a line about it.
fn read(name: &str, program: &mut Command, continuon: &Path) -> Result<bool, String> {
    let folder = target_directory()?.join("log-arch").join(name.replace(' ', "-"));
    let made = fs::remove_dir_all(&folder).or_else(|error| {
        if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
    });
    let robot = folder.join("robot.json");
    made.and_then(|()| fs::create_dir_all(&folder))
        .and_then(|()| fs::copy(root().join("configs/robots/sim-donkey.json"), &robot))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let said = fs::File::create(folder.join("fast-loop.log"))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    program.arg("--robot").arg(&robot).arg("--run-dir").arg(&folder);
    let child = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn();
    let mut running = Running(child.map_err(|error| format!("{name}: fast-loop: {error}"))?);

    let begun = Instant::now();
    loop {
        let mut log = Command::new(continuon);
        log.args(["log", "--json", "--run-dir"]).arg(&folder);
        let judged = told(&mut log).and_then(|text| judge(&text));
        match judged {
            Ok(messages) => {
                println!("{name}: {messages} messages, each with its file and line");
                return Ok(true);
            }
            Err(why) if begun.elapsed() > PATIENCE => {
                let said = fs::read_to_string(folder.join("fast-loop.log")).unwrap_or_default();
                println!("{name}: NOT read: {why}\n{said}");
                return Ok(false);
            }
            Err(_not_yet) => {}
        }
        if let Ok(Some(status)) = running.0.try_wait() {
            let said = fs::read_to_string(folder.join("fast-loop.log")).unwrap_or_default();
            return Err(format!("{name}: fast-loop ended: {status}\n{said}"));
        }
        sleep(Duration::from_millis(200));
    }
}

/// What `continuon log` prints; its complaint where it cannot read, which at first is "nobody there".
fn told(log: &mut Command) -> Result<String, String> {
    let output = log.output().map_err(|error| format!("continuon: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// How many messages there are; why not, if one is missing or has no place.
fn judge(text: &str) -> Result<usize, String> {
    let lines = text.lines().map(|line| {
        let message: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let has_place = message["file"].as_str().is_some_and(|file| file.starts_with("rt-core/"))
            && message["line"].is_u64();
        if has_place { Ok(message) } else { Err(format!("no file and line: {line}")) }
    });
    let messages: Vec<Value> = lines.collect::<Result<_, String>>()?;
    for words in WORDS {
        let says = |message: &Value| {
            message["message"].as_str().is_some_and(|message| message.starts_with(words))
        };
        if !messages.iter().any(says) {
            return Err(format!("no message `{words}`"));
        }
    }
    Ok(messages.len())
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn a_log_counts_only_whole_and_with_every_place() {
        let line = |message: &str, file: &str| {
            format!("{{\"message\":\"{message}\",\"file\":{file},\"line\":7}}\n")
        };
        let place = "\"rt-core/x.rs\"";
        let sealed = line("sealed: period 1000000 ns", place);
        let mode = line("mode Boot -> SelfTest: causes (empty)", place);
        assert_eq!(judge(&format!("{sealed}{mode}")), Ok(2));
        assert!(judge(&sealed).is_err_and(|why| why.contains("Boot")));
        let nowhere = line("sealed: period 1000000 ns", "null");
        assert!(judge(&format!("{nowhere}{mode}")).is_err_and(|why| why.contains("file and line")));
        assert!(judge("").is_err() && judge("no JSON").is_err());
    }
}
