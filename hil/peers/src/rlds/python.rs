//! A peer in Python: a process that answers turn by turn, so that what it loads first is in no figure.
//!
//! Shown by: running it, and the test below.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("../../python/rlds_writer.py");

/// A writer of RLDS steps that runs.
pub struct Writer {
    child: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log: PathBuf,
    /// Its versions.
    pub name: String,
}

impl Writer {
    /// Starts it; its words go to a file in `folder`. It inherits the core of the calling thread.
    ///
    /// # Errors
    /// The interpreter is none, or has no tensorflow, and what it said.
    pub fn start(python: &Path, folder: &Path) -> Result<Self> {
        let log = folder.join("python.log");
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            // Neither its counsel nor a device that it might look for.
            .envs([("TF_CPP_MIN_LOG_LEVEL", "3"), ("CUDA_VISIBLE_DEVICES", "")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).context("its log")?)
            .spawn()
            .with_context(|| format!("start {}", python.display()))?;
        let (ask, answers) = (child.stdin.take(), child.stdout.take().context("its stdout")?);
        let answers = BufReader::new(answers);
        let mut writer = Self { child, ask, answers, log, name: String::new() };
        writer.name = text_of(&writer.answer()?, "name")?;
        Ok(writer)
    }

    /// Seconds for `count` records of `bytes` bytes.
    ///
    /// # Errors
    /// It ended, and what it said.
    pub fn framing(&mut self, count: u64, bytes: usize, path: &Path) -> Result<f64> {
        self.turn(&format!("framing {count} {bytes} {}", path.display()))
    }

    /// Seconds for `count` steps.
    ///
    /// # Errors
    /// It ended, and what it said.
    pub fn steps(&mut self, count: u64, path: &Path) -> Result<f64> {
        self.turn(&format!("steps {count} {}", path.display()))
    }

    fn turn(&mut self, line: &str) -> Result<f64> {
        let ask = self.ask.as_mut().context("its stdin")?;
        writeln!(ask, "{line}").and_then(|()| ask.flush()).context("ask it")?;
        seconds_of(&self.answer()?)
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line).context("its answer")? == 0 {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            bail!("the Python writer ended: {}", said.lines().last().unwrap_or("(nothing said)"));
        }
        Ok(line)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The end of its input is its end.
        self.ask = None;
        self.child.wait().ok();
    }
}

fn seconds_of(line: &str) -> Result<f64> {
    let answer: Value = serde_json::from_str(line).with_context(|| line.trim().to_owned())?;
    let seconds = answer["seconds"].as_f64().filter(|seconds| *seconds > 0.0);
    seconds.with_context(|| format!("expected `seconds` above 0, found {}", line.trim()))
}

fn text_of(line: &str, key: &str) -> Result<String> {
    let answer: Value = serde_json::from_str(line).with_context(|| line.trim().to_owned())?;
    let text = answer[key].as_str().map(str::to_owned);
    text.with_context(|| format!("expected `{key}`, found {}", line.trim()))
}

#[cfg(test)]
mod tests {
    use super::{seconds_of, text_of};

    #[test]
    fn an_answer_without_a_time_is_none() {
        assert_eq!(seconds_of("{\"seconds\": 0.25}\n").expect("a time"), 0.25);
        for answer in ["{}", "{\"seconds\": 0}", "{\"seconds\": \"soon\"}", "Traceback"] {
            assert!(seconds_of(answer).is_err(), "{answer}");
        }
        assert_eq!(text_of("{\"name\": \"Python\"}", "name").expect("a name"), "Python");
    }
}
