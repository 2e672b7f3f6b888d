//! How a command ends: one exit code per class, and an error that says what, where and how to mend.
//!
//! Decides nothing about what went wrong; only which of the four numbers a shell sees.

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
}

impl Failure {
    /// The answer is no.
    pub fn no(message: impl Into<String>) -> Self {
        Self { exit: Exit::No, message: message.into() }
    }

    /// The caller can mend it.
    pub fn misuse(message: impl Into<String>) -> Self {
        Self { exit: Exit::Misuse, message: message.into() }
    }

    /// This machine, or this moment, does not allow it.
    pub fn not_possible(message: impl Into<String>) -> Self {
        Self { exit: Exit::NotPossible, message: message.into() }
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
    use super::Exit;

    #[test]
    fn misuse_and_impossibility_of_a_child_are_handed_up_and_the_rest_is_a_no() {
        assert_eq!(Exit::of_child(Some(2)), Exit::Misuse);
        assert_eq!(Exit::of_child(Some(3)), Exit::NotPossible);
        assert_eq!(Exit::of_child(Some(101)), Exit::No);
        assert_eq!(Exit::of_child(None), Exit::No, "killed by a signal");
        assert_eq!(Exit::of_child(Some(0)), Exit::Ok);
    }
}
