//! One process of a run: started beside our own executable, watched, told to end, and its last words.
//!
//! Never leaves one behind: a child is ended with SIGTERM, then SIGKILL, when it is dropped; and if
//! this program itself is killed, the kernel does it (see [`super::start_child`]). Tests:
//! tests/processes.rs.

use crate::exit::Failure;
use crate::report::ProcessEnd;
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use rt_shm::in_words;
use rt_wire::MonoNs;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Lines of a log that are shown as last words.
const LAST_WORDS_LINES: usize = 6;
/// How often an ending process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Whether a process is given the person's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hands {
    /// It reads nothing.
    Off,
    /// It reads the terminal's keys, and hears its Ctrl-C as we do.
    OnTheTerminal,
}

/// A process of the run.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    begun_at: MonoNs,
    log: PathBuf,
    out: PathBuf,
    ended: Option<ExitStatus>,
    told_to_end: bool,
    killed_by_us: bool,
}

/// The programs of a run lie beside this one.
///
/// # Errors
/// A program is missing there.
pub fn beside_us(program: &str) -> Result<PathBuf, Failure> {
    let us = std::env::current_exe().map_err(|error| {
        Failure::not_possible(format!("cannot find our own executable: {error}"))
    })?;
    let path = us.with_file_name(program);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::not_possible(format!(
        "{}: no such program; expected it beside {} (build it: cargo xtask sim builds all that a run needs)",
        path.display(),
        us.display(),
    )))
}

impl Process {
    /// Starts `program` with `args`; stdout and stderr go to files of its name in `run_dir`.
    ///
    /// Must be called on the main thread: the kernel's promise to end the child is bound to the
    /// thread that started it.
    ///
    /// # Errors
    /// The files cannot be made, or the program cannot be started.
    pub fn start(
        name: &'static str,
        program: &Path,
        args: &[OsString],
        run_dir: &Path,
        hands: Hands,
    ) -> Result<Self, Failure> {
        let failed = |what: &Path, error: std::io::Error| {
            Failure::not_possible(format!("{name}: {}: {}", what.display(), in_words(error)))
        };
        let log = run_dir.join(format!("{name}.log"));
        let out = run_dir.join(format!("{name}.out"));
        let log_file = File::create(&log).map_err(|error| failed(&log, error))?;
        let out_file = File::create(&out).map_err(|error| failed(&out, error))?;
        let us = std::env::current_exe().map_err(|error| failed(program, error))?;
        let mut command = Command::new(us);
        command
            .arg("start-child")
            .arg(std::process::id().to_string())
            .arg("--")
            .arg(program)
            .args(args)
            .stdout(out_file)
            .stderr(log_file);
        match hands {
            // Ctrl-C must reach us alone: we end the others in their order.
            Hands::Off => command.stdin(Stdio::null()).process_group(0),
            // Only our own group may read the terminal.
            Hands::OnTheTerminal => command.stdin(Stdio::inherit()),
        };
        let begun_at = mono_now();
        let child = command.spawn().map_err(|error| failed(program, error))?;
        Ok(Self {
            name,
            child,
            begun_at,
            log,
            out,
            ended: None,
            told_to_end: false,
            killed_by_us: false,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Just before it was forked.
    #[must_use]
    pub fn begun_at(&self) -> MonoNs {
        self.begun_at
    }

    /// How it ended, if it has.
    pub fn look(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Whether it has ended without being told to.
    pub fn died(&mut self) -> bool {
        self.look().is_some() && !self.told_to_end
    }

    /// Asks it to end with SIGTERM, and does not wait.
    pub fn tell_to_end(&mut self) {
        if self.look().is_none() && !self.told_to_end {
            self.told_to_end = true;
            self.signal(Signal::SIGTERM);
        }
    }

    /// Asks it to end with SIGTERM, and ends it with SIGKILL if it has not by `patience`.
    pub fn stop(&mut self, patience: Duration) {
        if self.look().is_some() {
            return;
        }
        self.tell_to_end();
        let until = Instant::now() + patience;
        while self.look().is_none() {
            if Instant::now() >= until {
                self.killed_by_us = true;
                self.signal(Signal::SIGKILL);
                self.ended = self.child.wait().ok();
                return;
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Whether it ended with exit code 0 and without us: a person left. That is an end as good as
    /// one that we ask for, and counts as such from now on.
    pub fn left(&mut self) -> bool {
        let left = self.died() && self.ended.is_some_and(|status| status.success());
        self.told_to_end |= left;
        left
    }

    /// Whether a signal ended it, so that it could put nothing in order.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.ended.is_some_and(|status| status.signal().is_some())
    }

    /// Whether it did what it was told: ended when asked, with exit code 0.
    #[must_use]
    pub fn ended_well(&self) -> bool {
        self.told_to_end && self.ended.is_some_and(|status| status.success())
    }

    /// The last line of its standard output that is a JSON object.
    #[must_use]
    pub fn last_json(&self) -> Option<serde_json::Value> {
        let text = fs::read_to_string(&self.out).ok()?;
        text.lines()
            .rev()
            .find_map(|line| serde_json::from_str(line).ok().filter(serde_json::Value::is_object))
    }

    /// How it ended, for the report.
    #[must_use]
    pub fn end(&self) -> ProcessEnd {
        let bad = !self.ended_well();
        ProcessEnd {
            name: self.name,
            how: match self.ended {
                _ if self.killed_by_us => "did not end when told to, and was killed".to_owned(),
                Some(status) => how(status),
                None => "still running".to_owned(),
            },
            unexpected: self.ended.is_some() && !self.told_to_end,
            last_words: if bad { last_words(&self.log) } else { Vec::new() },
            log: self.log.display().to_string(),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It fails only if the child has ended, which the next look tells.
            kill(Pid::from_raw(pid), signal).ok();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(2));
    }
}

/// Now, on the clock of every record; 0 where there is none.
fn mono_now() -> MonoNs {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    MonoNs(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// `exit 3`, or `signal 9 (SIGKILL)`; what a signal means where its name does not say it.
#[must_use]
pub fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(Signal::SIGSYS) => format!(
                "signal {number} (SIGSYS): a thread made a system call that its filter forbids, and the \
                 kernel ended the process (its log names thread and call: `dmesg | grep type=1326`, \
                 or `ausearch -m SECCOMP`)"
            ),
            Ok(signal) => format!("signal {number} ({signal})"),
            Err(_unknown) => format!("signal {number}"),
        },
        (None, None) => "ended in a way the system does not tell".to_owned(),
    }
}

/// The end of a log; empty if there is none.
fn last_words(log: &Path) -> Vec<String> {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(LAST_WORDS_LINES);
    lines[first..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{how, last_words};
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn an_end_is_told_by_its_code_or_by_its_signals_name() {
        assert_eq!(how(ExitStatus::from_raw(3 << 8)), "exit 3");
        assert_eq!(how(ExitStatus::from_raw(9)), "signal 9 (SIGKILL)");
    }

    #[test]
    fn death_by_the_system_call_filter_is_told_in_words() {
        let told = how(ExitStatus::from_raw(31));
        assert!(told.starts_with("signal 31 (SIGSYS): a thread made a system call that"), "{told}");
        assert!(told.contains("dmesg"), "{told}");
    }

    #[test]
    fn last_words_are_the_last_lines_that_say_something() {
        let dir = tempfile::tempdir().expect("a folder");
        let log = dir.path().join("x.log");
        std::fs::write(&log, "a\nb\n\nc\nd\ne\nf\ng\n\n").expect("written");
        assert_eq!(last_words(&log), ["b", "c", "d", "e", "f", "g"]);
        assert!(last_words(&dir.path().join("none")).is_empty());
    }
}
