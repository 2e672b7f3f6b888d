//! The bus thread: runs the board's bus tasks beside the loop, each at its own period.
//!
//! ```text
//! spawn → stack, off the loop's core, FIFO below the loop → seal → tasks … → stop → one last pass
//! ```
//!
//! It decides when a task runs and nothing else. The loop never waits for it: they exchange slots
//! that belong to the board, and a task that hangs, fails or dies is a sensor that goes stale. It
//! prints nothing while it is sealed: housekeeping tells what the tallies say. A panic ends the
//! process, as everywhere in it (main.rs); where no hook does that, it ends this thread and is told.
//! Shown by: `tests/bus/`, and the tests of the modules below.

mod schedule;
mod tally;

use crate::clock;
use crate::realtime::{self, Granted};
use crate::sealed_alloc;
use crate::startup::StartError;
use rt_board::{BUS_PERIOD_US_MIN, BusTask};
use rt_ring::sync::{AtomicBool, Ordering};
use schedule::Schedule;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tally::{Tally, Watched};

/// Name of the thread.
const NAME: &str = "bus";

/// The running bus thread, as housekeeping sees it.
#[derive(Debug)]
pub struct BusThread {
    shared: Arc<Shared>,
    watched: Vec<Watched>,
    thread: JoinHandle<()>,
    /// Closed when the thread is about to end, however it ends.
    alive: Receiver<()>,
    granted: Granted,
    plan: String,
    end_is_told: bool,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    tallies: Vec<Tally>,
}

impl BusThread {
    /// Starts the thread, and waits until it has its core and priority, never for a bus; `None` if
    /// there is nothing to run.
    ///
    /// # Errors
    /// A task with a period below [`BUS_PERIOD_US_MIN`], or no thread to be had.
    pub fn start(
        tasks: Vec<Box<dyn BusTask>>,
        loop_cpu: Option<u32>,
        loop_priority: u8,
    ) -> Result<Option<Self>, StartError> {
        if tasks.is_empty() {
            return Ok(None);
        }
        let plan = plan(&tasks)?;
        let tallies = tasks.iter().map(|task| Tally::new(task.name())).collect();
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), tallies });
        let watched = vec![Watched::default(); tasks.len()];

        let refused = |why| StartError::System { what: "bus thread", why };
        let (ready, is_ready) = mpsc::sync_channel::<Granted>(1);
        let (life, alive) = mpsc::sync_channel::<()>(1);
        let its_own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name(NAME.to_owned())
            .stack_size(realtime::STACK_BYTES)
            .spawn(move || {
                let _life = life;
                realtime::prefault_stack();
                let granted = realtime::make_bus_realtime(loop_cpu, loop_priority);
                // The other side waits for it.
                ready.send(granted).ok();
                drop(ready);
                let mut schedule = Schedule::new(tasks, clock::now());
                sealed_alloc::seal();
                run(&mut schedule, &its_own);
                sealed_alloc::unseal();
            })
            .map_err(|error| refused(error.to_string()))?;
        let granted = is_ready.recv().map_err(|_gone| refused("it ended at once".to_owned()))?;
        Ok(Some(Self { shared, watched, thread, alive, granted, plan, end_is_told: false }))
    }

    /// What start-up says about it: one line, and one for each thing that could not be had.
    #[must_use]
    pub fn first_lines(&self) -> Vec<String> {
        let scheduling = match self.granted.priority {
            Some(priority) => format!("SCHED_FIFO {priority}"),
            None => "no real-time priority".to_owned(),
        };
        let lacks = self.granted.lacks.iter().map(|lack| format!("bus thread: {lack}"));
        lacks.chain([format!("bus thread: {scheduling}, {}", self.plan)]).collect()
    }

    /// What happened since the last look that a person should know.
    pub fn news(&mut self) -> Vec<String> {
        let watched = self.watched.iter_mut().zip(&self.shared.tallies);
        let mut news: Vec<String> =
            watched.flat_map(|(watched, tally)| watched.news(tally)).collect();
        if self.thread.is_finished() && !self.end_is_told {
            self.end_is_told = true;
            news.extend(self.in_task().map(|name| format!("bus task {name} panicked")));
            news.push("the bus thread has ended: no bus task runs any more".to_owned());
        }
        news
    }

    /// Lets every task run once more, ends the thread and says what it did. Called after the loop has
    /// ended, so that what its board left for the bus gets there. A task that does not come back
    /// `within` is named and left behind: the outputs are safe already.
    pub fn stop(mut self, within: Duration) -> Vec<String> {
        let mut lines = self.news();
        // ORDER: pairs with the load in run: the last pass sees what the loop left in its slots.
        self.shared.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let hangs = self.alive.recv_timeout(within) == Err(RecvTimeoutError::Timeout);
        if hangs {
            let name = self.in_task().unwrap_or("none");
            lines.push(format!("the bus thread does not end: bus task {name} has not come back"));
        } else {
            let panicked = self.in_task();
            if self.thread.join().is_err() && !self.end_is_told {
                lines.push(format!("bus task {} panicked", panicked.unwrap_or("none")));
            }
        }
        for (watched, tally) in self.watched.iter_mut().zip(&self.shared.tallies) {
            lines.extend(watched.news(tally));
        }
        lines.extend(self.shared.tallies.iter().map(Tally::summary));
        lines
    }

    /// The task that the thread is in, or was in when it died.
    fn in_task(&self) -> Option<&'static str> {
        self.shared.tallies.iter().find(|tally| tally.is_running()).map(Tally::name)
    }
}

/// Checks the tasks and says them in words.
fn plan(tasks: &[Box<dyn BusTask>]) -> Result<String, StartError> {
    let mut words = Vec::new();
    for task in tasks {
        let (name, period_us) = (task.name(), task.period_us());
        if period_us < BUS_PERIOD_US_MIN {
            return Err(StartError::System {
                what: "bus task",
                why: format!(
                    "{name}: period {period_us} µs, expected at least {BUS_PERIOD_US_MIN} µs: what \
                     is faster belongs into the board's `read`"
                ),
            });
        }
        words.push(format!("{name} every {period_us} µs"));
    }
    Ok(words.join(", "))
}

/// Runs each task when it is due, until told to stop; then each once more.
fn run(schedule: &mut Schedule, shared: &Shared) {
    // ORDER: pairs with the store in stop.
    while !shared.stop.load(Ordering::Acquire) {
        let Some((release, place)) = schedule.next() else {
            break;
        };
        match release.since(clock::now()) {
            0 => schedule.run(place, clock::now, &shared.tallies),
            // Parked, not asleep: a stop ends it at once. Woken early, it looks again.
            wait_ns => thread::park_timeout(Duration::from_nanos(wait_ns)),
        }
    }
    schedule.run_all(clock::now, &shared.tallies);
}
