//! Start-up, as a checklist: each step says what it could not have, and stops where it must.
//!
//! ```text
//! config → segments → board safe → lock memory → [bus thread: stack, core, FIFO, seal, filter, run]
//!        → [loop thread: stack, core, FIFO, seal, filter] → gate: filtered? resident? counters → run
//! ```
//!
//! On `sim` the board's pins are a segment, so segments come before the board. What is lacking
//! (priority, locked memory) is told to the kernel, which then refuses to arm a real board; a filter
//! that does not hold is told to people. Neither ends the start. The bus thread is there only where the board has a slow bus, and no step waits for
//! a bus. Shown by: the tests crate, `tests/bus/startup.rs`.

use crate::build_id::build_id;
use crate::bus::BusThread;
use crate::clock;
use crate::counters::Counters;
use crate::cycle::{Ended, Loop};
use crate::filter::{self, Filter};
use crate::gate::{Gate, LastWord};
use crate::housekeeping::{Facts, Housekeeper};
use crate::inlets;
use crate::last_words;
use crate::log;
use crate::mirror::Mirror;
use crate::realtime::{self, Granted};
use crate::resident;
use crate::say::say;
use crate::spin::Spin;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rt_board::{Board, Opened, SimBoard};
use rt_config::Robot;
use rt_control::Kernel;
use rt_ring::{RingWriter, SlotWriter};
use rt_shm::{RunDir, Segments, ShmError, in_words};
use rt_wire::topics;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The robot file, or the name of a built-in robot.
    pub robot: String,
    /// Where the sockets stand.
    pub run_dir: PathBuf,
}

/// Why the process did not start, or how it ended.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The robot file is wrong.
    #[error("{0}")]
    Config(#[from] rt_config::ConfigErrors),
    /// Shared memory or sockets could not be had.
    #[error("{0}")]
    Shm(#[from] ShmError),
    /// The board cannot be opened by this build.
    #[error("board `{0}`: this build drives `sim` only")]
    NoBoard(&'static str),
    /// The system refused something that the process cannot do without.
    #[error("{what}: {why}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        why: String,
    },
    /// A ring or slot could not be laid out in its own memory: a defect.
    #[error("segment layout: {0}")]
    Layout(#[from] rt_ring::AttachError),
}

impl StartError {
    /// 2 where the user asked for something wrong, 3 where it cannot be had here.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Shm(_) | Self::NoBoard(_) | Self::System { .. } | Self::Layout(_) => 3,
        }
    }
}

/// Memory that the process needs locked at most, beside its segments: code, stacks, heap.
const LOCKED_BYTES: u64 = 16 << 20;

/// A bus task that has not come back by then hangs: longer than the kernel waits for an I²C device.
const BUS_ENDS_WITHIN: Duration = Duration::from_secs(2);

/// Starts everything and runs until told to end.
///
/// # Errors
/// [`StartError`]: nothing was left running, no pin was driven but to neutral.
pub fn run(options: &Options) -> Result<Ended, StartError> {
    let robot = Robot::resolve(&options.robot)?;
    let signals = take_signals()?;
    match robot.file().board {
        rt_config::Board::Sim => {
            let lock = RunDir::create(&options.run_dir)?.lock()?;
            let segments = Segments::create(&robot.file().name, true, false)?;
            let pins = SlotWriter::create(
                segments.words(&topics::SIM_PINS)?,
                segments.identity(&topics::SIM_PINS),
            )?;
            let limits = robot.limits();
            let opened = SimBoard::open(pins, (limits.steering_neutral, limits.throttle_neutral));
            run_board(&robot, opened, segments, &lock, signals)
        }
        rt_config::Board::Pi5 => Err(StartError::NoBoard("pi5")),
    }
}

/// Runs a robot on a board that is open, until told to end. The calling thread becomes housekeeping;
/// `signals`, which it blocks already, are what tells it to end.
///
/// # Errors
/// [`StartError`], as [`run`].
pub fn run_board<B: Board + Send + 'static>(
    robot: &Robot,
    opened: Opened<B>,
    segments: Segments,
    lock: &rt_shm::RunLock,
    signals: SignalFd,
) -> Result<Ended, StartError> {
    let mut board = opened.board;
    board
        .safe(clock::now())
        .map_err(|error| StartError::System { what: "board safe", why: error.to_string() })?;
    let neutral_at = clock::now();

    let build_id = build_id();
    let kernel = Kernel::new(&robot.limits(), build_id);
    let mirror = Mirror::new(kernel.state(), kernel.limits());
    let telemetry = RingWriter::create(
        segments.words(&topics::TELEMETRY)?,
        topics::TELEMETRY.depth as usize,
        segments.identity(&topics::TELEMETRY),
    )?;
    let keyframes = RingWriter::create(
        segments.words(&topics::KEYFRAME)?,
        topics::KEYFRAME.depth as usize,
        segments.identity(&topics::KEYFRAME),
    )?;
    let log_ring = RingWriter::create(
        segments.words(&topics::LOG)?,
        topics::LOG.depth as usize,
        segments.identity(&topics::LOG),
    )?;
    let (frames, forwarder) = log::link(log::FRAMES_WAITING_MAX, log_ring)?;
    let (outlets, inlets) = inlets::link();
    let timing = robot.file().timing.clone();
    let mut housekeeper =
        Housekeeper::open(robot, segments, lock, outlets, forwarder, opened.watchdog)?;
    tell_program(lock);

    let locked = realtime::lock_memory(LOCKED_BYTES);
    let spin = Spin::new(&timing);
    let the_loop =
        Loop { board, kernel, mirror, inlets, telemetry, keyframes, spin, drive_errors: 0 };

    let (ready, is_ready) = mpsc::sync_channel::<(Granted, u32)>(1);
    let (cpu, priority) = (realtime::choose_cpu(timing.cpu), timing.priority);
    let calls: Vec<_> = opened.bus_tasks.iter().flat_map(|task| task.calls()).copied().collect();
    let bus_filter = Filter::of_bus(&calls);
    let mut bus = BusThread::start(opened.bus_tasks, bus_filter.ok(), cpu, priority)?;
    let filter = Filter::of_loop(the_loop.board.calls());
    let names = filter.as_ref().map(Filter::names).map_err(String::clone);
    let gate = Arc::new(Gate::default());
    let its_gate = Arc::clone(&gate);
    let loop_thread = thread::Builder::new()
        .name("fast-loop".to_owned())
        .stack_size(realtime::STACK_BYTES)
        .spawn(move || {
            realtime::prefault_stack();
            let granted = realtime::make_realtime(cpu, priority);
            frames.install();
            let tid = u32::try_from(nix::unistd::gettid().as_raw()).unwrap_or(0);
            the_loop.run(filter.as_ref().ok(), &its_gate, move || {
                // The other side lives as long as this thread; if not, the run ends soon anyway.
                drop(ready.send((granted, tid)));
            })
        })
        .map_err(|error| StartError::System { what: "loop thread", why: error.to_string() });
    let too_soon = || StartError::System {
        what: "loop thread",
        why: "it ended before its first cycle".to_owned(),
    };
    let begun = loop_thread.and_then(|loop_thread: JoinHandle<()>| {
        let (granted, tid) = is_ready.recv().map_err(|_gone| too_soon())?;
        let entered = until_sealed(&gate, &loop_thread).ok_or_else(too_soon)?;
        Ok((loop_thread, granted, tid, entered))
    });
    let (loop_thread, granted, tid, entered) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            stop_bus(bus);
            return Err(error);
        }
    };
    let filtered = names.and_then(|names| told_filter(&names, entered, filter::holds(tid)));
    let dma_latency = realtime::hold_dma_latency();
    let resident = resident::make_resident();
    let lacks = [&locked, &resident].map(|had| had.as_ref().err());
    let more = [dma_latency.as_ref().err(), filtered.as_ref().err()];
    for lack in granted.lacks.iter().chain(lacks.into_iter().chain(more).flatten()) {
        say(lack);
    }
    // Asleep at the gate: whatever it does from here on is counted, and nothing runs uncounted.
    let before = match Counters::of_thread(tid) {
        Ok(before) => before,
        Err(error) => {
            stop_bus(bus);
            let what = "counters of the loop thread";
            return Err(StartError::System { what, why: in_words(error) });
        }
    };
    gate.open();
    say(first_screen(robot, &granted, locked.is_ok()));
    if let Ok(words) = &filtered {
        say(words);
    }
    for line in bus.iter().flat_map(BusThread::first_lines) {
        say(line);
    }
    let facts = Facts {
        granted,
        memory_locked: locked.is_ok(),
        dma_latency: dma_latency.is_ok(),
        filtered: filtered.is_ok(),
        resident: resident.is_ok(),
        before,
        tid,
        build_id,
        neutral_at,
    };
    let served = housekeeper.run(&facts, &signals, &gate, &loop_thread, bus.as_mut());
    if served.is_err() {
        // Without housekeeping nobody can stop the car but its pins: stop it now.
        housekeeper.shut_down(&facts);
    }
    let word = until_ended(&gate, &loop_thread);
    stop_bus(bus);
    let word = word
        .ok_or_else(|| StartError::System { what: "loop thread", why: "it panicked".to_owned() })?;
    let ended = housekeeper.close(&facts, word);
    served.map(|()| ended)
}

/// One last pass of every task, which brings the last pulses to a servo driver on the bus.
fn stop_bus(bus: Option<BusThread>) {
    for line in bus.into_iter().flat_map(|bus| bus.stop(BUS_ENDS_WITHIN)) {
        say(line);
    }
}

/// Between two looks at a thread that cannot tell when it is there.
const LOOK: Duration = Duration::from_micros(100);

/// What came of the loop thread's filter; `None` if the thread has gone.
fn until_sealed(gate: &Gate, loop_thread: &JoinHandle<()>) -> Option<Result<(), i32>> {
    loop {
        if let Some(entered) = gate.sealed() {
            return Some(entered);
        }
        if loop_thread.is_finished() {
            return None;
        }
        thread::sleep(LOOK);
    }
}

/// The loop thread's last word; `None` if it has gone without one.
fn until_ended(gate: &Gate, loop_thread: &JoinHandle<()>) -> Option<LastWord> {
    loop {
        if let Some(word) = gate.ended() {
            return Some(word);
        }
        if loop_thread.is_finished() {
            return None;
        }
        last_words::obey();
        thread::sleep(LOOK);
    }
}

/// What is said of the loop thread's filter, of the calls `names`.
fn told_filter(
    names: &str,
    entered: Result<(), i32>,
    holds: Result<(), String>,
) -> Result<String, String> {
    let entered = entered.map_err(|errno| in_words(nix::Error::from_raw(errno)));
    match entered.and(holds) {
        Ok(()) => {
            Ok(format!("system calls of the loop thread: {names}; any other ends the process"))
        }
        Err(why) => Err(format!("system calls not filtered: {why}")),
    }
}

fn first_screen(robot: &Robot, granted: &Granted, locked: bool) -> String {
    let scheduling = match granted.priority {
        Some(priority) => format!("SCHED_FIFO {priority}"),
        None => "no real-time priority".to_owned(),
    };
    let core = match granted.cpu {
        Some(cpu) if granted.isolated => format!("isolated core {cpu}"),
        Some(cpu) => format!("core {cpu} (not isolated)"),
        None => "no core of its own".to_owned(),
    };
    let memory = if locked { "memory locked" } else { "memory not locked" };
    format!(
        "{} on board {:?}: {scheduling}, {core}, {memory}, period {} µs",
        robot.file().name,
        robot.file().board,
        robot.file().timing.period_us
    )
}

/// Every signal goes to the housekeeping thread: the loop must never be interrupted by one. Before
/// any thread: it inherits what is blocked, and none need be stopped where no descriptor is left.
fn take_signals() -> Result<SignalFd, StartError> {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    signals
        .thread_block()
        .and_then(|()| {
            SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        })
        .map_err(|error| StartError::System { what: "signals", why: in_words(error) })
}

/// Shows where this program lies: who reads the log needs its message table. Nobody else does, so a
/// failure is told and ends nothing.
fn tell_program(lock: &rt_shm::RunLock) {
    let told = std::env::current_exe()
        .map_err(|error| in_words(error).to_string())
        .and_then(|program| lock.link_program(&program).map_err(|error| error.to_string()));
    if let Err(why) = told {
        say(format_args!("the log will not be readable from the run directory: {why}"));
    }
}
