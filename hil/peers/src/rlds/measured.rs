//! A program from its start to its end: time, processor time and the most memory that it had.
//!
//! It is started by this program once more, with a hidden verb: what the kernel says of children is
//! the most of them all, and a child that was forked by something large has been as large for a
//! moment. Shown by the test below, and by running it.

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};
use std::env::current_exe;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The hidden verb.
pub const VERB: &str = "measured";

/// What a program needed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// From its start to its end.
    pub wall_s: f64,
    /// User and system time, all threads.
    pub cpu_s: f64,
    /// The most memory that was resident.
    pub rss_mib: f64,
    /// How it ended; absent if by a signal.
    pub code: Option<i32>,
}

impl Measured {
    /// Cores that were busy on the average, at least one: a program that waits for a disk uses the
    /// core that it waits on.
    #[must_use]
    pub fn cores_used(&self) -> f64 {
        (self.cpu_s / self.wall_s.max(1e-9)).max(1.0)
    }
}

/// Runs `program` in a process of its own that measures it; one of `codes` is how it should end.
///
/// # Errors
/// It ends otherwise, and what it said.
pub fn run<A: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = A>,
    codes: &[i32],
) -> Result<Measured> {
    let output = Command::new(current_exe().context("this program")?)
        .args([VERB, "--"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let measured: Measured = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{}: {}", program.display(), said.trim()))?;
    if !measured.code.is_some_and(|code| codes.contains(&code)) {
        bail!("{}: exit code {:?}: {}", program.display(), measured.code, said.trim());
    }
    Ok(measured)
}

/// The hidden verb: runs `words`, and says on stdout what it needed.
///
/// # Errors
/// It cannot be started.
pub fn serve(words: &[OsString]) -> Result<Measured> {
    let (program, arguments) = words.split_first().context("expected a program")?;
    let begin = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| program.display().to_string())?;
    let wall_s = begin.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("what it needed")?;
    let cpu_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Measured {
        wall_s,
        cpu_s: cpu_us as f64 * 1e-6,
        // In KiB, says getrusage(2).
        rss_mib: usage.max_rss() as f64 / 1024.0,
        code: status.code(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Measured, serve};

    #[test]
    fn a_program_is_measured_with_its_memory_and_its_end() {
        let eaten = 64 << 20;
        let words =
            ["sh", "-c", &format!("head -c {eaten} /dev/zero | tail -c {eaten} | wc -c; exit 3")];
        let measured = serve(&words.map(Into::into)).expect("a shell");
        assert_eq!(measured.code, Some(3));
        assert!(measured.rss_mib > 0.0 && measured.wall_s > 0.0, "{measured:?}");
    }

    #[test]
    fn who_waits_for_the_disk_uses_one_core_all_the_same() {
        let of = |wall_s, cpu_s| Measured { wall_s, cpu_s, rss_mib: 1.0, code: Some(0) };
        assert_eq!(of(10.0, 2.0).cores_used(), 1.0);
        assert_eq!(of(10.0, 15.0).cores_used(), 1.5);
    }
}
