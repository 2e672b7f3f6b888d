//! Why a sidecar ends without having done its work, with the exit code that says which kind it is.
//! Shown by: tests/pure.rs.

use std::fmt;

use rt_config::ConfigErrors;
use rt_shm::ShmError;

/// A message for a person and an exit code for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The answer is no: it ran, and the result is bad. Exit code 1.
    #[must_use]
    pub fn no(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// Wrong arguments or a wrong file. Exit code 2.
    #[must_use]
    pub fn misuse(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// Not possible here; the message says why. Exit code 3.
    #[must_use]
    pub fn not_possible(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// The exit code: 1, 2 or 3.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::misuse(errors.to_string())
    }
}

impl From<ShmError> for Failure {
    /// Naming another robot or asking for the wrong type is misuse; all else is the place.
    fn from(error: ShmError) -> Self {
        let message = error.to_string();
        match error {
            ShmError::Robot { .. } | ShmError::WrongRecord { .. } => Self::misuse(message),
            _ => Self::not_possible(message),
        }
    }
}
