//! Figures of the recorder and of the formats: what `cargo xtask bench rlds` runs.
//!
//! One module a figure, as in [`figures`](crate::figures); what they share: the peers of another
//! language ([`python`]), programs whose memory is measured ([`measured`]), and episodes to work on
//! ([`drive`], [`pictures`]).

pub mod drive;
mod export;
mod framing;
mod hour;
mod live;
pub mod measured;
pub mod pictures;
pub mod python;
mod recovery;

use crate::machine::{self, Cores};
use crate::report::Row;
use anyhow::{Result, anyhow};
use drive::Made;
pub use live::Plain;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;

/// What every figure needs to know.
pub struct Bench {
    /// Where to measure.
    pub cores: Cores,
    /// Short windows.
    pub quick: bool,
    /// Turns of each pair.
    pub alternations: usize,
    /// The command.
    pub continuon: PathBuf,
    /// The fast loop's program.
    pub fast_loop: PathBuf,
    /// The logger's program.
    pub rlds_logger: PathBuf,
    /// The same with a camera that is none.
    pub recorder_with_camera: PathBuf,
    /// An interpreter that has tensorflow.
    pub python: PathBuf,
    /// Everything is written in here, and gone afterwards.
    pub folder: PathBuf,
    /// Made once, by whoever needs them first.
    pub episodes: Episodes,
    /// The recorder without a camera, measured once.
    pub plain: Plain,
}

/// Episodes that several figures work on.
#[derive(Default)]
pub struct Episodes {
    short: OnceLock<Made>,
    long: OnceLock<Made>,
    hour: OnceLock<Made>,
}

impl Bench {
    /// One of two, by how much time there is.
    #[must_use]
    pub fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// A tenth of [`long`](Self::long), with a camera.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn short(&self) -> Result<&Made> {
        self.made(&self.episodes.short, "short", self.pick(6, 60), true)
    }

    /// Ten minutes with a camera.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn long(&self) -> Result<&Made> {
        self.made(&self.episodes.long, "long", self.pick(60, 600), true)
    }

    /// An hour without a camera.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn hour(&self) -> Result<&Made> {
        self.made(&self.episodes.hour, "hour", self.pick(60, 3600), false)
    }

    fn made<'a>(
        &self,
        cell: &'a OnceLock<Made>,
        name: &str,
        seconds: u64,
        with_camera: bool,
    ) -> Result<&'a Made> {
        if let Some(made) = cell.get() {
            return Ok(made);
        }
        let made = drive::make(&self.folder.join(name), seconds, with_camera)?;
        Ok(cell.get_or_init(|| made))
    }

    /// Measures in a thread that stays on one core, and so does all that it starts.
    ///
    /// # Errors
    /// The core cannot be had, or what `measure` says.
    fn on_one_core<T: Send>(&self, measure: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let cpu = self.cores.real_time;
        thread::scope(|scope| {
            let pinned = scope.spawn(move || machine::pin(cpu).and_then(|()| measure()));
            pinned.join().map_err(|_panic| anyhow!("the measuring thread panicked"))?
        })
    }
}

/// Takes one figure.
type Take = fn(&Bench) -> Result<Vec<Row>>;

/// Every figure, by its name, in the order of the table.
pub const FIGURES: [(&str, Take); 6] = [
    ("framing", framing::framing),
    ("steps", framing::steps),
    ("export", export::export),
    ("live", live::live),
    ("recovery", recovery::recovery),
    ("hour", hour::hour),
];
/// Those that a Python peer stands beside.
pub const WITH_PYTHON: [&str; 2] = ["framing", "steps"];
