//! The `plant` process: the simulated car in real time, on the far side of the `sim` board's slots.
//!
//! Decides when the car is stepped: on an absolute grid of a millisecond, with the newest pins. When
//! the loop goes, the car does not: it rolls on with the last pins, its monostable cuts the power,
//! and the last word is the truth about that. It must never judge the robot, wait for it, or put
//! anything between a pin and the car that a wire would not. Tests: tests/process.rs, and process/last_word.rs;
//! whole drives in the tests crate.

mod clock;
mod last_word;

pub use last_word::LastWord;

use crate::bridge::{self, Truth};
use crate::plant::{Inputs, Plant, PlantParams};
use clap::Parser;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rt_config::{Robot, Track};
use rt_ring::Newest;
use rt_shm::{Client, MappedSlotReader, MappedSlotWriter, ShmError};
use rt_wire::topics::{PLANT, SIM_OBSERVATION, SIM_PINS, SIM_STATUS};
use rt_wire::{MonoNs, Observation, PlantStatus, SimPins};
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Time between two steps.
const STEP_NS: u64 = 1_000_000;
/// A step later than this is counted.
const LATE_AFTER_NS: u64 = 5_000_000;
/// Time between two words of truth, and between two looks at signals and the loop.
const STATUS_PERIOD_NS: u64 = 10_000_000;
/// How often a loop that is not there yet is asked for.
const ATTACH_EVERY: Duration = Duration::from_millis(50);
/// After the loop has gone the car is simulated for this long at most…
const ALONE_NS_MAX: u64 = 4_000_000_000;
/// …and at least: whoever started us may want to look, and tells us when to end.
const ALONE_NS_MIN: u64 = 2_000_000_000;
/// Far below the loop's priority, above everything ordinary: the world does not wait for a compiler.
const FIFO_PRIORITY: u8 = 10;

/// The simulated car of a robot whose board is `sim`.
#[derive(Debug, Parser)]
#[command(
    name = "plant",
    version,
    after_help = "\
Example, beside a running fast-loop:
  plant --robot sim-donkey --run-dir runs/mine --track oval --seed 7

Exit codes: 0 ended as told, 2 misuse, 3 not possible here (and why)."
)]
pub struct Args {
    /// A robot file, or the name of a built-in robot.
    #[arg(long, value_name = "NAME|FILE")]
    robot: String,
    /// Folder of the run, where the loop's sockets are.
    #[arg(long, value_name = "DIR")]
    run_dir: PathBuf,
    /// A built-in track or a file with the columns x_m,y_m,w_tr_right_m,w_tr_left_m.
    #[arg(long, value_name = "NAME|FILE", default_value = "twisty")]
    track: String,
    /// Every length of the track is multiplied by this.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    scale: f64,
    /// Seed of everything random in the car.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Parameters of the car instead of the documented ones.
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
    /// How long to wait for the fast loop, in seconds.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=86_400))]
    attach_timeout_s: u32,
}

/// Why the process ended with another code than 0.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The caller asked for something that is not right.
    #[error("{0}")]
    Misuse(String),
    /// Right, but not possible here.
    #[error("{0}")]
    NotPossible(String),
}

/// One line on stderr. A log that takes nothing, its disk full for example, must not stop the world.
fn say(words: impl Display) {
    io::stderr().write_all(format!("plant: {words}\n").as_bytes()).ok();
}

/// Reads the arguments, runs until told to end or alone, prints the last word, and says how it went.
pub fn main() -> ExitCode {
    // Before any thread is made: signals are read, not handled.
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    let args = Args::parse();
    match signals.thread_block().map_err(not_possible).and_then(|()| run(&args, &signals)) {
        Ok(word) => {
            // Nobody there to hear it changes nothing about the run.
            writeln!(io::stdout(), "{}", word.to_json()).ok();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(&failure);
            ExitCode::from(match failure {
                Failure::Misuse(_) => 2,
                Failure::NotPossible(_) => 3,
            })
        }
    }
}

fn run(args: &Args, signals: &SigSet) -> Result<LastWord, Failure> {
    let misuse = |errors: rt_config::ConfigErrors| Failure::Misuse(errors.to_string());
    let robot = Robot::resolve(&args.robot).map_err(misuse)?;
    if robot.file().board.is_real() {
        return Err(Failure::Misuse(format!(
            "{}: board: expected `sim`, found a board that moves something real",
            args.robot
        )));
    }
    let track = Track::resolve(&args.track, args.scale).map_err(misuse)?;
    let track = bridge::track(&track)
        .map_err(|error| Failure::Misuse(format!("{}: {error}", args.track)))?;
    let params = match &args.params {
        Some(file) => PlantParams::from_file(file),
        None => Ok(PlantParams::donkey_1_10()),
    };
    let params = params.map_err(|error| Failure::Misuse(error.to_string()))?;

    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let no_signals = |error| not_possible(format!("no signals: {}", rt_shm::in_words(error)));
    let ends = SignalFd::with_flags(signals, flags).map_err(no_signals)?;
    let wires = Wires::attach(args, &robot)?;
    match raise_priority() {
        Ok(()) => say(format_args!("SCHED_FIFO {FIFO_PRIORITY}")),
        Err(why) => say(format_args!("ordinary priority ({why}); late steps are counted")),
    }
    let plant = Plant::new(params, track, args.seed, clock::now().0);
    let mut world = World {
        plant,
        wires,
        inputs: Inputs::default(),
        truth: Truth::default(),
        word: LastWord::default(),
    };
    world.run(&ends);
    Ok(world.word)
}

fn not_possible(error: impl Display) -> Failure {
    Failure::NotPossible(error.to_string())
}

fn raise_priority() -> Result<(), String> {
    let priority =
        ThreadPriorityValue::try_from(FIFO_PRIORITY).map_err(|error| error.to_string())?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(priority),
        policy,
    )
    .map_err(|error| in_words(&error))
}

/// The kernel's number in words.
fn in_words(error: &thread_priority::Error) -> String {
    match error {
        thread_priority::Error::OS(number) => io::Error::from_raw_os_error(*number).to_string(),
        other => other.to_string(),
    }
}

/// The slots between the car and the loop.
struct Wires {
    client: Client,
    pins: MappedSlotReader<SimPins>,
    observation: MappedSlotWriter<Observation>,
    status: MappedSlotWriter<PlantStatus>,
}

impl Wires {
    /// Attaches; waits a while for a loop that is not there yet, or has not yet forgotten the plant
    /// that was here before.
    fn attach(args: &Args, robot: &Robot) -> Result<Self, Failure> {
        let until = clock::now().plus(u64::from(args.attach_timeout_s) * 1_000_000_000);
        loop {
            match Self::try_attach(args, robot) {
                Err(error) if error.can_pass() && clock::now() < until => {
                    std::thread::sleep(ATTACH_EVERY);
                }
                attached => return attached.map_err(not_possible),
            }
        }
    }

    fn try_attach(args: &Args, robot: &Robot) -> Result<Self, ShmError> {
        let mut client = Client::connect(&args.run_dir, robot.name(), PLANT)?;
        Ok(Self {
            pins: client.slot_reader(&SIM_PINS)?,
            observation: client.slot_writer(&SIM_OBSERVATION)?,
            status: client.slot_writer(&SIM_STATUS)?,
            client,
        })
    }
}

/// The car, its wires and what is to be told of it.
struct World {
    plant: Plant,
    wires: Wires,
    inputs: Inputs,
    truth: Truth,
    word: LastWord,
}

impl World {
    /// Runs until a signal comes, or the loop has gone and the car stands.
    fn run(&mut self, ends: &SignalFd) {
        let mut due_at = clock::now();
        let mut status_due_at = due_at;
        let mut loop_gone_at = None;
        loop {
            clock::sleep_until(due_at);
            let now = clock::now();
            let late_ns = now.since(due_at);
            if late_ns > LATE_AFTER_NS {
                self.truth.late_steps += 1;
            }
            let status = self.step(now);
            self.word.see(&status, late_ns, clock::now());
            if now >= status_due_at {
                status_due_at = now.plus(STATUS_PERIOD_NS);
                self.wires.status.write(&status);
                // A signal that cannot be read is none; the next look is 10 ms away.
                let told_to_end = matches!(ends.read_signal(), Ok(Some(_)));
                if loop_gone_at.is_none() && !self.wires.client.is_open() {
                    say("the loop has gone; the car rolls on with its last pins");
                    loop_gone_at = Some(now);
                }
                if told_to_end || loop_gone_at.is_some_and(|at| is_over(&status, at, now)) {
                    self.word.close(&status, loop_gone_at, self.plant.lap_times_ns());
                    return;
                }
            }
            // On the grid, not from now: a late step must not shift the later ones.
            let missed = late_ns / STEP_NS;
            due_at = due_at.plus((missed + 1) * STEP_NS);
        }
    }

    fn step(&mut self, now: MonoNs) -> PlantStatus {
        if let Newest::New { record, .. } = self.wires.pins.read() {
            self.inputs = bridge::inputs(&record);
        }
        self.plant.step(now.0, &self.inputs);
        self.wires.observation.write(&bridge::observation(&self.plant.sensors()));
        self.truth.status(&self.plant, &self.inputs)
    }
}

/// Alone, the car is watched until it stands, and a while longer.
fn is_over(status: &PlantStatus, loop_gone_at: MonoNs, now: MonoNs) -> bool {
    let alone_ns = now.since(loop_gone_at);
    let stands = status.speed_m_per_s.abs() < last_word::STANDING_M_PER_S;
    alone_ns >= ALONE_NS_MAX || (stands && alone_ns >= ALONE_NS_MIN)
}
