//! The four processes of a run, in the order in which they are started and stopped.

use crate::exit::{Exit, Failure};
use crate::observe::watch::{Seen, Watch, not_possible};
use crate::progress::Progress;
use crate::report::ProcessEnd;
use crate::signals::EndRequests;
use crate::sim::plan::{Plan, arguments};
use crate::sim::process::{Hands, Process, beside_us};
use rt_shm::Client;
use rt_wire::topics::{self, FAST_LOOP, PLANT, RLDS_LOGGER, TELEOP};
use rt_wire::{HEARTBEAT_SOURCES, HeartbeatFlags, MonoNs, SidecarState, Validity};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::MutexGuard;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Everything a run needs is up after this, on a slow machine too.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// The logger may have seconds of records to write yet.
const LOGGER_PATIENCE: Duration = Duration::from_secs(15);
/// The others have nothing to save; the loop makes a controlled stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often we look whether something has come up.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The processes of a run and our reader of them.
#[derive(Debug)]
pub struct Fleet {
    fast_loop: Process,
    /// Name of the one that drives: `pilot` or `teleop`.
    driver: &'static str,
    /// Plant, driver, logger: as far as they were started.
    guests: Vec<Process>,
    watch: Watch,
}

impl Fleet {
    /// Starts everything and waits until it is ready to be armed.
    ///
    /// # Errors
    /// A process is missing, ends at once (its own exit class is handed up), or is not ready in time.
    /// What was started is stopped again.
    pub fn start(
        plan: &Plan,
        hands: Hands,
        ends: &mut EndRequests,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let programs = [FAST_LOOP, PLANT, plan.driver(), RLDS_LOGGER].map(beside_us);
        let [fast_loop, plant, driver, logger] = programs;
        let (fast_loop, plant, driver, logger) = (fast_loop?, plant?, driver?, logger?);
        let until = Instant::now() + READY_WITHIN;

        progress.stage("starting the fast loop");
        let common = plan.common_args();
        let start = |name, program: &Path, args: &[OsString], hands| {
            Process::start(name, program, args, &plan.run_dir, hands)
        };
        let mut fast_loop = start(FAST_LOOP, &fast_loop, &common, Hands::Off)?;
        await_served(plan, &mut fast_loop, ends, until)?;
        let period_ns = plan.robot.limits().period_ns;
        let watch = Watch::start(&plan.run_dir, plan.robot.name(), period_ns)?;
        let mut fleet = Self { fast_loop, driver: plan.driver(), guests: Vec::new(), watch };

        progress.stage(&format!("starting plant, {} and logger", plan.driver()));
        if hands == Hands::OnTheTerminal {
            progress.yield_terminal();
        }
        let seed = OsString::from(plan.seed.to_string());
        let episodes = plan.episodes_dir();
        let with = |more: Vec<OsString>| [common.clone(), more].concat();
        let plant_args = [plan.track_args(), arguments([("--seed", seed.as_os_str())])].concat();
        let logger_args = [
            arguments([("--episodes-dir", episodes.as_os_str())]),
            vec![OsString::from(OsStr::new("--json"))],
        ]
        .concat();
        for (name, program, args, hands) in [
            (PLANT, plant, with(plant_args), Hands::Off),
            (plan.driver(), driver, with(plan.driver_args()), hands),
            (RLDS_LOGGER, logger, with(logger_args), Hands::Off),
        ] {
            fleet.guests.push(start(name, &program, &args, hands)?);
        }
        fleet.await_ready(ends, progress, until)?;
        Ok(fleet)
    }

    /// What our reader has seen so far; keep it only for a moment.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.watch.seen()
    }

    /// The first process that has ended without being told to.
    pub fn dead(&mut self) -> Option<&'static str> {
        self.all_mut().find_map(|process| process.died().then(|| process.name()))
    }

    /// Whether the person who drove has left: a pilot that ends by itself has died.
    pub fn driver_left(&mut self) -> bool {
        self.guests.iter_mut().any(|guest| guest.name() == TELEOP && guest.left())
    }

    /// Whether a signal ended the one who drove.
    #[must_use]
    pub fn driver_was_killed(&self) -> bool {
        self.guests.iter().any(|guest| guest.name() == self.driver && guest.was_killed())
    }

    /// Lets the driver bring the car to a stop and end; the pilot does so along its line: a car
    /// that is disarmed at speed rolls on with its steering held, and in a bend that leaves the
    /// track.
    pub fn park(&mut self) {
        let person_drives = self.driver == TELEOP;
        self.guest(self.driver, |driver| {
            // Ctrl-C in a terminal has told it as well.
            if !(person_drives && driver.left()) {
                driver.tell_to_end();
            }
        });
    }

    /// Ends all, in the order in which they need each other:
    ///
    /// 1. `rlds-logger`, while the loop still publishes: it takes what is in the ring and closes
    ///    the episode after the whole stop, not in the middle of the others' ends;
    /// 2. the driver, which nobody needs any more (in a run that went well it has parked and ended);
    /// 3. `fast-loop`, while the plant still shows it a car: its last cycles must not record
    ///    faults that only our clearing away has made;
    /// 4. `plant`, whose last word is the truth about the end.
    pub fn stop(&mut self) {
        self.guest(RLDS_LOGGER, |logger| logger.stop(LOGGER_PATIENCE));
        self.guest(self.driver, |driver| driver.stop(PATIENCE));
        self.fast_loop.stop(PATIENCE);
        self.guest(PLANT, |plant| plant.stop(PATIENCE));
        self.watch.finish();
    }

    /// Just before the fast loop was forked.
    #[must_use]
    pub fn begun_at(&self) -> MonoNs {
        self.fast_loop.begun_at()
    }

    /// How each ended.
    #[must_use]
    pub fn process_ends(&self) -> Vec<ProcessEnd> {
        std::iter::once(&self.fast_loop).chain(&self.guests).map(Process::end).collect()
    }

    /// The logger's last line.
    #[must_use]
    pub fn logger_json(&self) -> Option<Value> {
        self.guests.iter().find(|guest| guest.name() == RLDS_LOGGER)?.last_json()
    }

    fn guest(&mut self, name: &str, act: impl FnOnce(&mut Process)) {
        if let Some(guest) = self.guests.iter_mut().find(|guest| guest.name() == name) {
            act(guest);
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        std::iter::once(&mut self.fast_loop).chain(&mut self.guests)
    }

    fn await_ready(
        &mut self,
        ends: &mut EndRequests,
        progress: &Progress,
        until: Instant,
    ) -> Result<(), Failure> {
        let mut told = String::new();
        loop {
            let missing = missing(&self.seen(), self.driver).join(", ");
            if missing.is_empty() {
                return Ok(());
            }
            still_sensible(self.all_mut(), ends)?;
            if Instant::now() >= until {
                return Err(Failure::no(format!(
                    "not ready within {} s: waiting for {missing} (their logs are in the run's folder)",
                    READY_WITHIN.as_secs()
                )));
            }
            if missing != told {
                progress.stage(&format!("waiting for {missing}"));
                told = missing;
            }
            sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until the loop lets readers in.
fn await_served(
    plan: &Plan,
    fast_loop: &mut Process,
    ends: &mut EndRequests,
    until: Instant,
) -> Result<(), Failure> {
    loop {
        let error = match Client::connect(&plan.run_dir, plan.robot.name(), topics::CONTINUON) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        still_sensible(std::iter::once(&mut *fast_loop), ends)?;
        if Instant::now() >= until {
            return Err(not_possible(error));
        }
        sleep(LOOK_EVERY);
    }
}

/// Waiting makes sense only while everything lives and nobody wants to end.
fn still_sensible<'a>(
    mut processes: impl Iterator<Item = &'a mut Process>,
    ends: &mut EndRequests,
) -> Result<(), Failure> {
    if ends.asked() {
        return Err(Failure::no("interrupted before the car was armed"));
    }
    let Some(process) = processes.find_map(|process| process.died().then_some(process)) else {
        return Ok(());
    };
    let exit = process.look().map_or(Exit::No, |status| Exit::of_child(status.code()));
    let end = process.end();
    let mut message = end.in_words("ended before the run began");
    message.push_str(&format!("\n  its log: {}", end.log));
    if end.last_words.is_empty() {
        message.push_str(" (empty: is the disk full?)");
    }
    // A process that ends with 0 too early has not done its work either.
    let exit = if exit == Exit::Ok { Exit::No } else { exit };
    Err(Failure::new(exit, message))
}

/// What the car still lacks before it can be armed, in words.
fn missing(seen: &Seen, driver: &str) -> Vec<&'static str> {
    let heartbeat = |name: &str| {
        let place = HEARTBEAT_SOURCES.iter().position(|source| *source == name)?;
        seen.heartbeats.get(place).copied().flatten()
    };
    let runs = |name| {
        heartbeat(name)
            .is_some_and(|heartbeat| heartbeat.state.get() == Some(SidecarState::Running))
    };
    let records = heartbeat(RLDS_LOGGER)
        .is_some_and(|heartbeat| heartbeat.flags.has(HeartbeatFlags::RECORDING));
    let plant = seen.plant.is_some_and(|plant| plant.validity.get() == Some(Validity::Valid));
    let parts = [
        (plant, "the plant's car"),
        (runs(driver), "the driver's heartbeat"),
        (records, "the logger's recording"),
        (seen.trace.records > 0, "the first telemetry"),
    ];
    parts.into_iter().filter(|(is_there, _)| !is_there).map(|(_, name)| name).collect()
}
