//! How a command ends: one exit code per class, and an error that says what, where and how to mend.
//!
//! Decides nothing about what went wrong; only which of the four numbers a shell sees.

use serde_json::{Map, Value};
use std::fmt;
use std::process::ExitCode;

/// What the shell is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// It worked.
    Ok = 0,
    /// It worked, and the answer is no.
    No = 1,
    /// The caller asked for something that is not right.
    Misuse = 2,
    /// Right, but not possible on this machine, now.
    NotPossible = 3,
}

impl Exit {
    /// The number a shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What a child's exit code means for its parent: misuse and impossibility are handed up.
    #[must_use]
    pub fn of_child(code: Option<i32>) -> Self {
        match code {
            Some(0) => Self::Ok,
            Some(2) => Self::Misuse,
            Some(3) => Self::NotPossible,
            Some(_) | None => Self::No,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub exit: Exit,
    /// What, where, expected, found, and how to mend it.
    pub message: String,
    /// The same for programs, where there is more to tell than a sentence; empty where not.
    pub details: Map<String, Value>,
}

impl Failure {
    /// Of any class.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), details: Map::new() }
    }

    /// The answer is no.
    pub fn no(message: impl Into<String>) -> Self {
        Self::new(Exit::No, message)
    }

    /// The caller can mend it.
    pub fn misuse(message: impl Into<String>) -> Self {
        Self::new(Exit::Misuse, message)
    }

    /// This machine, or this moment, does not allow it.
    pub fn not_possible(message: impl Into<String>) -> Self {
        Self::new(Exit::NotPossible, message)
    }

    /// With more to tell a program that asked.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.details.insert(name.to_owned(), value);
        self
    }

    /// As `--json` tells it, after everything else.
    #[must_use]
    pub fn as_json(&self) -> Value {
        let mut told = self.details.clone();
        told.insert("exit_code".to_owned(), self.exit.code().into());
        told.insert("error".to_owned(), self.message.as_str().into());
        Value::Object(told)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::{Exit, Failure};
    use serde_json::json;

    #[test]
    fn misuse_and_impossibility_of_a_child_are_handed_up_and_the_rest_is_a_no() {
        assert_eq!(Exit::of_child(Some(2)), Exit::Misuse);
        assert_eq!(Exit::of_child(Some(3)), Exit::NotPossible);
        assert_eq!(Exit::of_child(Some(101)), Exit::No);
        assert_eq!(Exit::of_child(None), Exit::No, "killed by a signal");
        assert_eq!(Exit::of_child(Some(0)), Exit::Ok);
    }

    #[test]
    fn a_program_is_told_the_sentence_and_the_details() {
        let failure = Failure::no("not armed").with("mode", "Disarmed".into());
        let told = json!({ "exit_code": 1, "error": "not armed", "mode": "Disarmed" });
        assert_eq!(failure.as_json(), told);
    }
}
