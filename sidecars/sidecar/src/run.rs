//! The frame of a main: one thread, one log, one exit code. Shown by: tests/sidecar.rs.

use std::future::Future;
use std::process::ExitCode;

use tokio::task::LocalSet;

use crate::failure::Failure;
use crate::log;

/// How a sidecar that could do its work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should. Exit code 0.
    Done,
    /// It ran, and the answer is no; in words. Exit code 1.
    No(String),
}

/// Runs a sidecar's main to its end: starts the log, runs `main` in one thread, and turns what it
/// comes to into an exit code, with a last line in the log if it is not 0.
pub fn run<E: Into<Failure>>(
    name: &'static str,
    main: impl Future<Output = Result<Outcome, E>>,
) -> ExitCode {
    log::start(name);
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match built {
        Ok(runtime) => LocalSet::new().block_on(&runtime, main).map_err(Into::into),
        Err(error) => Err(Failure::not_possible(format!("no event loop: {error}"))),
    };
    let failure = match ended {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::No(message)) => Failure::no(message),
        Err(failure) => failure,
    };
    tracing::error!("{failure}");
    ExitCode::from(failure.code())
}
