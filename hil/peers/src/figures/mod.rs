//! One module a figure of the table; each takes its own and its peer's in turns.

mod faults;
mod lateness;
mod log;
mod logger;
mod startup;
mod step;
mod transport;

use crate::exchange::FIFO_PRIORITY;
use crate::machine::{self, Cores};
use crate::report::Row;
use anyhow::{Result, anyhow, bail};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// What every figure needs to know.
pub struct Bench {
    /// Where to measure.
    pub cores: Cores,
    /// Short windows.
    pub quick: bool,
    /// Turns of each pair.
    pub alternations: usize,
    /// Whether SCHED_FIFO may be had.
    pub fifo: bool,
    /// The fast loop's program.
    pub fast_loop: PathBuf,
    /// The logger's program.
    pub rlds_logger: PathBuf,
}

impl Bench {
    /// One of two, by how much time there is.
    #[must_use]
    pub fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Measures on the loop's core, in real time where that may be had: in a thread of its own, so
    /// that the other figures start as they should.
    ///
    /// # Errors
    /// The core or the priority cannot be had any more, or what `measure` says.
    fn in_real_time(&self, measure: fn(&Self) -> Result<Vec<Row>>) -> Result<Vec<Row>> {
        self.in_real_time_with(|| measure(self))
    }

    /// As [`in_real_time`](Self::in_real_time), for anything.
    ///
    /// # Errors
    /// As there.
    fn in_real_time_with<T: Send>(&self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    machine::pin(self.cores.real_time)?;
                    if self.fifo && !machine::fifo(FIFO_PRIORITY) {
                        bail!("SCHED_FIFO was there and is not any more");
                    }
                    act()
                })
                .join()
                .map_err(|_panic| anyhow!("the measuring thread panicked"))?
        })
    }

    /// How long one side of a turn is watched.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.pick(1, 5))
    }
}

/// Takes one figure.
type Take = fn(&Bench) -> Result<Vec<Row>>;

/// Every figure, by its name, in the order of the table.
pub const FIGURES: [(&str, Take); 8] = [
    ("startup", startup::startup),
    ("wakeup", lateness::wakeup),
    ("actuation", lateness::actuation),
    ("step", step::step),
    ("transport", transport::transport),
    ("log", log::log),
    ("faults", faults::faults),
    ("logger", logger::logger),
];
