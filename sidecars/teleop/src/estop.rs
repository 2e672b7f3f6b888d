//! The second way of an e-stop: over the operator socket, at the key, behind nothing.
//!
//! The first is the flag in the next command. A slot that is not attached, a heartbeat that is late
//! or a main thread that hangs must not keep a person's e-stop, so whoever hears the key pulls here
//! too, in their own thread, and a thread that does nothing else asks the loop. Twice asked is once
//! latched. Tests: in the tests crate (`teleop`).

use rt_wire::OperatorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;
use tracing::{debug, warn};

/// How long the loop may take to answer; it does so within a few cycles.
const PATIENCE: Duration = Duration::from_secs(2);
/// A loop that could not be asked is asked again.
const TRIES: u32 = 5;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Pulled by whoever hears an e-stop.
#[derive(Clone, Debug)]
pub struct EstopLine {
    pull: Sender<()>,
    run_dir: PathBuf,
}

impl EstopLine {
    /// A line to the loop that serves `run_dir`.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn new(run_dir: &Path) -> std::io::Result<Self> {
        let (pull, pulled) = channel::<()>();
        let (run_dir, asked_in) = (run_dir.to_owned(), run_dir.to_owned());
        thread::Builder::new().name("estop".to_owned()).spawn(move || {
            while pulled.recv().is_ok() {
                ask(&asked_in);
                // What was pulled meanwhile is done too: it must not trip a latch that was reset.
                while pulled.try_recv().is_ok() {}
            }
        })?;
        Ok(Self { pull, run_dir })
    }

    /// Where the loop is asked.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// Asks for an e-stop. Never waits.
    pub fn pull(&self) {
        // The thread lives for as long as a line does; without it the command's flag remains.
        self.pull.send(()).ok();
    }
}

fn ask(run_dir: &Path) {
    for _ in 0..TRIES {
        match rt_shm::operator::request(run_dir, OperatorKind::Estop, PATIENCE) {
            Ok(reply) => {
                let mode = reply.mode.get().map_or("an unknown mode", rt_wire::Mode::name);
                debug!("e-stop over the operator socket: now {mode}");
                return;
            }
            Err(error) => warn!("e-stop over the operator socket: {error}"),
        }
        thread::sleep(PAUSE);
    }
}
