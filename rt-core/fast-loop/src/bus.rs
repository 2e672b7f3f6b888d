//! The bus thread: runs the board's bus tasks beside the loop, each at its own period.
//!
//! ```text
//! spawn → stack, off the loop's core, FIFO below the loop → seal, filter → tasks …
//!       → stop → one last pass → parks until the process ends
//! ```
//!
//! It decides when a task runs and nothing else. The loop never waits for it: they exchange slots
//! that belong to the board, and a task that hangs, fails or dies is a sensor that goes stale. It
//! prints nothing while it is sealed: housekeeping tells what the tallies say. A call that neither it
//! nor a task names ends the process (`filter.rs`), and so does a panic, as everywhere in it
//! (main.rs); where no hook does that, it ends this thread and is told.
//! Shown by: `tests/bus/`, and the tests of the modules below.

mod schedule;
mod tally;

use crate::clock;
use crate::filter::{self, Filter};
use crate::gate;
use crate::last_words;
use crate::realtime::{self, Granted};
use crate::sealed_alloc;
use crate::startup::StartError;
use rt_board::{BUS_PERIOD_US_MIN, BusTask};
use rt_ring::sync::{AtomicBool, Ordering};
use schedule::Schedule;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tally::{Tally, Watched};

/// Between two looks at a thread that cannot tell that it has ended.
const LOOK: Duration = Duration::from_micros(200);
/// Name of the thread.
const NAME: &str = "bus";

/// The running bus thread, as housekeeping sees it.
#[derive(Debug)]
pub struct BusThread {
    shared: Arc<Shared>,
    watched: Vec<Watched>,
    thread: JoinHandle<()>,
    granted: Granted,
    tid: u32,
    plan: String,
    calls: String,
    end_is_told: bool,
}

#[derive(Debug)]
struct Shared {
    is_sealed: AtomicBool,
    stop: AtomicBool,
    has_ended: AtomicBool,
    tallies: Vec<Tally>,
}

impl BusThread {
    /// Starts the thread, and waits until it has its core and priority, never for a bus; `None` if
    /// there is nothing to run. `filter`, where there is one, must allow what the tasks call.
    ///
    /// # Errors
    /// A task with a period below [`BUS_PERIOD_US_MIN`], or no thread to be had.
    pub fn start(
        tasks: Vec<Box<dyn BusTask>>,
        filter: Option<Filter>,
        loop_cpu: Option<u32>,
        loop_priority: u8,
    ) -> Result<Option<Self>, StartError> {
        if tasks.is_empty() {
            return Ok(None);
        }
        let plan = plan(&tasks)?;
        let tallies = tasks.iter().map(|task| Tally::new(task.name())).collect();
        let shared = Arc::new(Shared {
            is_sealed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            tallies,
        });
        let watched = vec![Watched::default(); tasks.len()];

        let refused = |why| StartError::System { what: "bus thread", why };
        let calls = filter.as_ref().map_or_else(String::new, Filter::names);
        let (ready, is_ready) = mpsc::sync_channel::<(Granted, u32)>(1);
        let its_own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name(NAME.to_owned())
            .stack_size(realtime::STACK_BYTES)
            .spawn(move || {
                realtime::prefault_stack();
                let granted = realtime::make_bus_realtime(loop_cpu, loop_priority);
                let tid = u32::try_from(nix::unistd::gettid().as_raw()).unwrap_or(0);
                // The other side waits for it.
                ready.send((granted, tid)).ok();
                drop(ready);
                let mut schedule = Schedule::new(tasks, clock::now());
                sealed_alloc::seal();
                // Whether it holds, the kernel is asked when the thread is told of.
                filter.as_ref().map(Filter::enter);
                // ORDER: pairs with the load in start.
                its_own.is_sealed.store(true, Ordering::Release);
                run(&mut schedule, &its_own);
                // ORDER: pairs with the load in ends: the tallies are whole.
                its_own.has_ended.store(true, Ordering::Release);
                gate::park()
            })
            .map_err(|error| refused(error.to_string()))?;
        let (granted, tid) =
            is_ready.recv().map_err(|_gone| refused("it ended at once".to_owned()))?;
        // ORDER: pairs with the store in the thread.
        while !shared.is_sealed.load(Ordering::Acquire) && !thread.is_finished() {
            thread::sleep(LOOK);
        }
        let end_is_told = false;
        Ok(Some(Self { shared, watched, thread, granted, tid, plan, calls, end_is_told }))
    }

    /// What start-up says about it: one line, and one for each thing that could not be had.
    #[must_use]
    pub fn first_lines(&self) -> Vec<String> {
        let scheduling = match self.granted.priority {
            Some(priority) => format!("SCHED_FIFO {priority}"),
            None => "no real-time priority".to_owned(),
        };
        let filtered = match filter::holds(self.tid) {
            Ok(()) => format!("system calls {}", self.calls),
            Err(why) => format!("system calls not filtered: {why}"),
        };
        let lacks = self.granted.lacks.iter().map(|lack| format!("bus thread: {lack}"));
        let told = [&filtered, &format!("{scheduling}, {}", self.plan)];
        lacks.chain(told.map(|line| format!("bus thread: {line}"))).collect()
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
        let hangs = !self.ends(within);
        if hangs {
            let name = self.in_task().unwrap_or("none");
            lines.push(format!("the bus thread does not end: bus task {name} has not come back"));
        } else {
            let panicked = self.in_task();
            // A thread that has made its last pass is parked until the process ends.
            let has_panicked = self.thread.is_finished() && self.thread.join().is_err();
            if has_panicked && !self.end_is_told {
                lines.push(format!("bus task {} panicked", panicked.unwrap_or("none")));
            }
        }
        for (watched, tally) in self.watched.iter_mut().zip(&self.shared.tallies) {
            lines.extend(watched.news(tally));
        }
        lines.extend(self.shared.tallies.iter().map(Tally::summary));
        lines
    }

    /// Waits until the thread has made its last pass, or has died; whether it did `within` that time.
    fn ends(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        loop {
            // ORDER: pairs with the store in start.
            if self.shared.has_ended.load(Ordering::Acquire) || self.thread.is_finished() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            last_words::obey();
            thread::sleep(LOOK);
        }
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
