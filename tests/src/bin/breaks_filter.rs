//! A fast loop whose board breaks a promise in mid-run: `breaks-filter WHAT --robot FILE --run-dir DIR`.
//! It is the shipped start-up and loop around the `sim` board. Once the relay has been on for two
//! seconds (or, of a board without a plant, at its hundredth cycle: `WHAT-at-rest`) its next `drive` does
//! what WHAT names. The test `filter` runs it and looks at how it ends.

use fast_loop::last_words;
use fast_loop::sealed_alloc::SealedAllocator;
use fast_loop::startup::run_board;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rt_board::{Board, DriveError, Opened, SimBoard};
use rt_config::Robot;
use rt_ring::SlotWriter;
use rt_ring::sync::AtomicU64;
use rt_shm::{RunDir, Segments};
use rt_wire::topics::{self, Topic};
use rt_wire::{MonoNs, Observation, PulseFlags, PulseFrame};
use std::hint::black_box;
use std::path::Path;

#[global_allocator]
static ALLOCATOR: SealedAllocator = SealedAllocator;

/// Cycles of 1 ms with the relay on: the car drives by then.
const PUMPED: u32 = 2000;
/// Cycles at rest.
const RESTED: u32 = 100;

/// The `sim` board until it breaks.
struct Breaks {
    board: SimBoard,
    what: String,
    left: u32,
    at_rest: bool,
}

impl Board for Breaks {
    fn read(&mut self, now: MonoNs, observation: &mut Observation) {
        self.board.read(now, observation);
    }

    fn drive(&mut self, cycle: u64, now: MonoNs, frame: &PulseFrame) -> Result<(), DriveError> {
        if self.at_rest || frame.flags.has(PulseFlags::PUMP) {
            self.left = self.left.saturating_sub(1);
        }
        if self.left == 0 {
            break_promise(&self.what, cycle);
        }
        self.board.drive(cycle, now, frame)
    }

    fn safe(&mut self, now: MonoNs) -> Result<(), DriveError> {
        self.board.safe(now)
    }

    fn attached(&mut self, topic: &'static Topic, words: &'static [AtomicU64]) {
        self.board.attached(topic, words);
    }
}

fn break_promise(what: &str, cycle: u64) {
    match what {
        // A harmless call, but none that was named.
        "call" => drop(black_box(nix::unistd::getppid())),
        // What every write to a log would be.
        "write" => drop(nix::unistd::write(std::io::stderr(), b"the loop speaks\n")),
        "allocate" => drop(black_box(Box::new(cycle))),
        "panic" => panic!("a board's defect in cycle {cycle}"),
        _ => panic!("unknown way to break a promise"),
    }
}

fn main() {
    last_words::end_at_a_panic();
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, _, robot, _, run_dir] = &arguments[..] else {
        panic!("usage: breaks-filter WHAT --robot FILE --run-dir DIR");
    };
    let (what, at_rest) = match what.strip_suffix("-at-rest") {
        Some(what) => (what, true),
        None => (what.as_str(), false),
    };
    let robot = Robot::resolve(robot).expect("a robot file");
    let signals = SigSet::from_iter([Signal::SIGTERM]);
    signals.thread_block().expect("before any thread");
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK).expect("a descriptor");
    let lock = RunDir::create(Path::new(run_dir)).expect("a folder").lock().expect("free");
    let segments = Segments::create(robot.name(), true, false).expect("memory");
    let words = segments.words(&topics::SIM_PINS).expect("ours");
    let pins = SlotWriter::create(words, segments.identity(&topics::SIM_PINS)).expect("room");
    let limits = robot.limits();
    let opened = SimBoard::open(pins, (limits.steering_neutral, limits.throttle_neutral));
    let left = if at_rest { RESTED } else { PUMPED };
    let board = Breaks { board: opened.board, what: what.to_owned(), left, at_rest };
    let opened = Opened { board, bus_tasks: Vec::new(), watchdog: None };
    let ended = run_board(&robot, opened, segments, &lock, signals).expect("it starts");
    println!("lived for {} cycles", ended.cycles);
}
