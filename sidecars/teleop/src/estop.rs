//! The second way of an e-stop: over the operator socket, at the key, behind nothing.
//!
//! The first is the flag in the next command. A slot that is not attached, a heartbeat that is late
//! or a main thread that hangs must not keep a person's e-stop, so whoever hears the key pulls here
//! too, in their own thread, and a thread that does nothing else asks the loop. Twice asked is once
//! latched. Tests: below, and in the tests crate (`teleop`).

use rt_wire::OperatorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
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
            serve(&pulled, || ask(&asked_in));
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

/// Asks for as long as anybody may pull; `ask` says whether it was answered.
fn serve(pulled: &Receiver<()>, mut ask: impl FnMut() -> bool) {
    let forget = || while pulled.try_recv().is_ok() {};
    while pulled.recv().is_ok() {
        // However often it was pulled, it is one wish.
        forget();
        if ask() {
            // What was pulled meanwhile is done too: it must not trip a latch that was reset.
            forget();
        }
    }
}

/// Whether the loop has answered.
fn ask(run_dir: &Path) -> bool {
    for _ in 0..TRIES {
        match rt_shm::operator::request(run_dir, OperatorKind::Estop, PATIENCE) {
            Ok(reply) => {
                let mode = reply.mode.get().map_or("an unknown mode", rt_wire::Mode::name);
                debug!("e-stop over the operator socket: now {mode}");
                return true;
            }
            Err(error) => warn!("e-stop over the operator socket: {error}"),
        }
        thread::sleep(PAUSE);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Sender, channel, serve};

    /// How often `serve` asks, of a loop that answers from the `answers_from`th time on. It was pulled
    /// twice before, and `meanwhile` times while it asked first; after that nobody pulls any more.
    fn asked(meanwhile: usize, answers_from: usize) -> usize {
        let (pull, pulled) = channel();
        let pulls = |pull: &Sender<()>, times: usize| {
            (0..times).for_each(|_| pull.send(()).expect("it listens"));
        };
        pulls(&pull, 2);
        let (mut pull, mut asked) = (Some(pull), 0);
        serve(&pulled, || {
            asked += 1;
            // Given up here, so that it ends whatever it asks after this.
            if let Some(pull) = pull.take() {
                pulls(&pull, meanwhile);
            }
            asked >= answers_from
        });
        asked
    }

    #[test]
    fn what_is_pulled_while_nobody_answers_is_asked_again_and_what_is_answered_is_not() {
        assert_eq!(asked(1, 2), 2, "pulled while nobody answered");
        assert_eq!(asked(3, 2), 2, "three times, and one wish");
        assert_eq!(asked(3, 1), 1, "pulled while it was answered");
        assert_eq!(asked(0, 2), 1, "nobody pulled again");
    }
}
