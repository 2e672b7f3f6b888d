//! The four processes of a run, in the order in which they are started and stopped.

use crate::exit::{Exit, Failure};
use crate::observe::watch::{Seen, Watch, not_possible};
use crate::progress::Progress;
use crate::report::ProcessEnd;
use crate::signals::EndRequests;
use crate::sim::plan::{Plan, arguments};
use crate::sim::process::{Process, beside_us};
use rt_shm::Client;
use rt_wire::topics::{self, FAST_LOOP, PILOT, PLANT, RLDS_LOGGER};
use rt_wire::{HEARTBEAT_SOURCES, HeartbeatFlags, SidecarState, Validity};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
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
    /// Plant, pilot, logger: as far as they were started.
    guests: Vec<Process>,
    watch: Option<Watch>,
}

impl Fleet {
    /// Starts everything and waits until it is ready to be armed.
    ///
    /// # Errors
    /// A process is missing, ends at once (its own exit class is handed up), or is not ready in time.
    /// What was started is stopped again.
    pub fn start(
        plan: &Plan,
        ends: &mut EndRequests,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let programs = [FAST_LOOP, PLANT, PILOT, RLDS_LOGGER].map(beside_us);
        let [fast_loop, plant, pilot, logger] = programs;
        let (fast_loop, plant, pilot, logger) = (fast_loop?, plant?, pilot?, logger?);
        let until = Instant::now() + READY_WITHIN;

        progress.stage("starting the fast loop");
        let common = plan.common_args();
        let process = Process::start(FAST_LOOP, &fast_loop, &common, &plan.run_dir)?;
        let mut fleet = Self { fast_loop: process, guests: Vec::new(), watch: None };
        fleet.await_served(plan, ends, until)?;
        let period_ns = plan.robot.limits().period_ns;
        fleet.watch = Some(Watch::start(&plan.run_dir, plan.robot.name(), period_ns)?);

        progress.stage("starting plant, pilot and logger");
        let seed = OsString::from(plan.seed.to_string());
        let episodes = plan.episodes_dir();
        let with = |more: Vec<OsString>| [common.clone(), more].concat();
        let plant_args = [plan.track_args(), arguments([("--seed", seed.as_os_str())])].concat();
        let logger_args = [
            arguments([("--episodes-dir", episodes.as_os_str())]),
            vec![OsString::from(OsStr::new("--json"))],
        ]
        .concat();
        for (name, program, args) in [
            (PLANT, plant, with(plant_args)),
            (PILOT, pilot, with(plan.track_args())),
            (RLDS_LOGGER, logger, with(logger_args)),
        ] {
            fleet.guests.push(Process::start(name, &program, &args, &plan.run_dir)?);
        }
        fleet.await_ready(ends, progress, until)?;
        Ok(fleet)
    }

    /// Our reader; there from the moment the loop served.
    ///
    /// # Errors
    /// Never once the fleet was started.
    pub fn watch(&self) -> Result<&Watch, Failure> {
        self.watch.as_ref().ok_or_else(|| Failure::no("the run was not watched"))
    }

    /// The first process that has ended without being told to.
    pub fn dead(&mut self) -> Option<&'static str> {
        self.all_mut().find_map(|process| process.died().then(|| process.name()))
    }

    /// Lets the pilot bring the car to a stop along its line and end: a car that is disarmed at
    /// speed rolls on with its steering held, and in a bend that leaves the track.
    pub fn park(&mut self) {
        self.guest(PILOT, Process::tell_to_end);
    }

    /// Ends all, in the order in which they need each other:
    ///
    /// 1. `rlds-logger`, while the loop still publishes: it takes what is in the ring and closes
    ///    the episode after the whole stop, not in the middle of the others' ends;
    /// 2. `pilot`, which nobody needs any more (in a run that went well it has parked and ended);
    /// 3. `fast-loop`, while the plant still shows it a car: its last cycles must not record
    ///    faults that only our clearing away has made;
    /// 4. `plant`, whose last word is the truth about the end.
    pub fn stop(&mut self) {
        self.guest(RLDS_LOGGER, |logger| logger.stop(LOGGER_PATIENCE));
        self.guest(PILOT, |pilot| pilot.stop(PATIENCE));
        self.fast_loop.stop(PATIENCE);
        self.guest(PLANT, |plant| plant.stop(PATIENCE));
        if let Some(watch) = &mut self.watch {
            watch.finish();
        }
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

    /// All that our reader saw.
    ///
    /// # Errors
    /// As [`Fleet::watch`].
    pub fn seen(&self) -> Result<Seen, Failure> {
        Ok(self.watch()?.seen().clone())
    }

    fn guest(&mut self, name: &str, act: impl FnOnce(&mut Process)) {
        if let Some(guest) = self.guests.iter_mut().find(|guest| guest.name() == name) {
            act(guest);
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        std::iter::once(&mut self.fast_loop).chain(&mut self.guests)
    }

    fn await_served(
        &mut self,
        plan: &Plan,
        ends: &mut EndRequests,
        until: Instant,
    ) -> Result<(), Failure> {
        loop {
            let error = match Client::connect(&plan.run_dir, plan.robot.name(), topics::CONTINUON) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            self.still_sensible(ends)?;
            if Instant::now() >= until {
                return Err(not_possible(error));
            }
            sleep(LOOK_EVERY);
        }
    }

    fn await_ready(
        &mut self,
        ends: &mut EndRequests,
        progress: &Progress,
        until: Instant,
    ) -> Result<(), Failure> {
        let mut told = String::new();
        loop {
            let missing = missing(&self.watch()?.seen()).join(", ");
            if missing.is_empty() {
                return Ok(());
            }
            self.still_sensible(ends)?;
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

    /// Waiting makes sense only while everything lives and nobody wants to end.
    fn still_sensible(&mut self, ends: &mut EndRequests) -> Result<(), Failure> {
        if ends.asked() {
            return Err(Failure::no("interrupted before the car was armed"));
        }
        let Some(process) = self.all_mut().find_map(|process| process.died().then_some(process))
        else {
            return Ok(());
        };
        let exit = process.look().map_or(Exit::No, |status| Exit::of_child(status.code()));
        let end = process.end();
        let mut message = format!("{} ended before the run began: {}", end.name, end.how);
        for line in &end.last_words {
            message.push_str(&format!("\n  {}: {line}", end.name));
        }
        message.push_str(&format!("\n  its log: {}", end.log));
        if end.last_words.is_empty() {
            message.push_str(" (empty: is the disk full?)");
        }
        // A process that ends with 0 too early has not done its work either.
        let exit = if exit == Exit::Ok { Exit::No } else { exit };
        Err(Failure { exit, message })
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the car still lacks before it can be armed, in words.
fn missing(seen: &Seen) -> Vec<&'static str> {
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
        (runs(PILOT), "the pilot's heartbeat"),
        (records, "the logger's recording"),
        (seen.trace.records > 0, "the first telemetry"),
    ];
    parts.into_iter().filter(|(is_there, _)| !is_there).map(|(_, name)| name).collect()
}
