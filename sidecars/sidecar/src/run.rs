//! The frame of a main: one thread, one log, one exit code. Shown by: tests/sidecar.rs.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use rt_shm::in_words;
use tokio::runtime::{Builder, Runtime};
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
    let ended = match event_loop() {
        Ok(runtime) => LocalSet::new().block_on(&runtime, main).map_err(Into::into),
        Err(error) => Err(Failure::not_possible(format!("no event loop: {}", in_words(error)))),
    };
    let failure = match ended {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::No(message)) => Failure::no(message),
        Err(failure) => failure,
    };
    tracing::error!("{failure}");
    ExitCode::from(failure.code())
}

/// Descriptors that an event loop holds: epoll and its copy, its waker, and three for signals.
const EVENT_LOOP_DESCRIPTORS: usize = 6;

fn event_loop() -> io::Result<Runtime> {
    // The library panics where two of its descriptors are refused: see first whether all can be had.
    let stderr = io::stderr();
    let room: io::Result<Vec<_>> =
        (0..EVENT_LOOP_DESCRIPTORS).map(|_| stderr.as_fd().try_clone_to_owned()).collect();
    drop(room?);
    Builder::new_current_thread().enable_all().build()
}
