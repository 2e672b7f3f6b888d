//! One module a figure of the table; each takes its own and its peer's in turns.

mod faults;
mod lateness;
mod logger;
mod step;
mod transport;

use crate::machine::Cores;
use crate::report::Row;
use anyhow::Result;
use std::path::PathBuf;
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

    /// How long one side of a turn is watched.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.pick(1, 5))
    }
}

/// Takes one figure.
type Take = fn(&Bench) -> Result<Vec<Row>>;

/// Every figure, by its name, in the order of the table.
pub const FIGURES: [(&str, Take); 6] = [
    ("wakeup", lateness::wakeup),
    ("actuation", lateness::actuation),
    ("step", step::step),
    ("transport", transport::transport),
    ("faults", faults::faults),
    ("logger", logger::logger),
];
