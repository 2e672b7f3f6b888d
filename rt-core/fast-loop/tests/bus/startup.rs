//! The start-up checklist with a board that has a slow bus: the loop runs whatever the bus does, both
//! inside their filters.

use crate::device::{BusBoard, DEVICE, Device, NEUTRAL, Temper};
use fast_loop::cycle::Ended;
use fast_loop::filter;
use fast_loop::startup::{StartError, run_board};
use nix::sys::pthread::pthread_kill;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rt_board::{Board, Call, DriveError, Opened};
use rt_config::Robot;
use rt_shm::{RunDir, Segments};
use rt_wire::{MonoNs, Observation, PulseFrame, Validity};
use std::os::unix::thread::JoinHandleExt as _;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What the loop saw: cycles begun, and the IMU of the last of them.
type Seen = Arc<(Mutex<(u64, Observation)>, Condvar)>;

/// The board, and a look at what the loop reads from it.
struct Watched {
    board: BusBoard,
    seen: Seen,
    /// Its first reading is its last.
    panics: bool,
}

impl Board for Watched {
    fn calls(&self) -> &'static [Call] {
        &[DEVICE]
    }

    fn read(&mut self, now: MonoNs, observation: &mut Observation) {
        assert!(!self.panics, "a board's defect");
        self.board.read(now, observation);
        let mut seen = self.seen.0.lock().expect("whole");
        *seen = (seen.0 + 1, *observation);
        self.seen.1.notify_all();
    }

    fn drive(&mut self, cycle: u64, now: MonoNs, frame: &PulseFrame) -> Result<(), DriveError> {
        self.board.drive(cycle, now, frame)
    }

    fn safe(&mut self, now: MonoNs) -> Result<(), DriveError> {
        self.board.safe(now)
    }
}

/// The board with its bus, and what the loop will see of it.
fn watched(device: &Device, period_us: u32, panics: bool) -> (Opened<Watched>, Seen) {
    let opened = BusBoard::open(device, period_us);
    let seen: Seen = Seen::default();
    let board = Watched { board: opened.board, seen: Arc::clone(&seen), panics };
    (Opened { board, bus_tasks: opened.bus_tasks, watchdog: None }, seen)
}

/// All of the process, in this thread.
fn process(opened: Opened<Watched>) -> Result<Ended, StartError> {
    let dir = tempfile::tempdir().expect("a folder");
    let lock = RunDir::create(dir.path()).expect("a run directory").lock().expect("free");
    let robot = Robot::resolve("sim-donkey").expect("a built-in robot");
    let segments = Segments::create(robot.name(), true, false).expect("memory");
    let signals = SigSet::from_iter([Signal::SIGTERM]);
    signals.thread_block().expect("a signal of this thread's own");
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK).expect("a descriptor");
    run_board(&robot, opened, segments, &lock, signals)
}

/// The process in a thread of this one.
fn start(device: &Device, period_us: u32) -> (JoinHandle<Ended>, Seen) {
    let (opened, seen) = watched(device, period_us, false);
    (thread::spawn(move || process(opened).expect("it starts and ends")), seen)
}

/// Waits until the loop saw what `enough` wants.
fn wait_until(seen: &Seen, enough: impl Fn(&(u64, Observation)) -> bool) {
    let mut now = seen.0.lock().expect("whole");
    while !enough(&now) {
        now = seen.1.wait(now).expect("whole");
    }
}

fn end(process: JoinHandle<Ended>) -> Ended {
    pthread_kill(process.as_pthread_t(), Signal::SIGTERM).expect("it runs");
    process.join().expect("no panic")
}

/// Whether a thread of this name is under a filter that the process is not.
fn filtered(name: &str) -> bool {
    let threads = std::fs::read_dir("/proc/self/task").expect("it lives");
    threads.flatten().any(|thread| {
        let tid = thread.file_name().into_string().ok().and_then(|tid| tid.parse().ok());
        let comm = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        comm.trim() == name && tid.is_some_and(|tid| filter::holds(tid).is_ok())
    })
}

#[test]
fn loop_runs_on_beside_a_bus_that_hangs_fails_and_recovers_and_its_last_pulses_reach_the_bus() {
    let device = Device::new(Temper::Stalls);
    let (process, seen) = start(&device, 1000);
    let is =
        |validity| move |seen: &(u64, Observation)| seen.1.imu.validity.get() == Some(validity);
    device.is_asked(1);
    wait_until(&seen, |(cycles, _)| *cycles >= 50);
    assert_eq!(device.wire().asked, 1, "the device hangs in its first run");
    assert!(is(Validity::Absent)(&seen.0.lock().expect("whole")));

    device.becomes(Temper::Answers(3));
    wait_until(&seen, is(Validity::Valid));
    device.becomes(Temper::Fails);
    wait_until(&seen, is(Validity::Failed));
    device.becomes(Temper::Answers(4));
    wait_until(&seen, |seen| is(Validity::Valid)(seen) && seen.1.imu.accel_m_per_s2[0] == 4.0);

    // The bus threads of other tests are under no filter.
    assert!(filtered("fast-loop") && filtered("bus"), "as the kernel says");

    let ended = end(process);
    assert!(ended.safe && ended.cycles >= 50);
    assert_eq!(device.wire().steering, NEUTRAL);
}

#[test]
fn a_start_that_fails_leaves_no_bus_task_running() {
    let device = Device::new(Temper::Answers(1));
    let (opened, _seen) = watched(&device, 1000, true);
    // In a thread of its own: it blocks its signals for good.
    let found = thread::spawn(move || process(opened)).join().expect("no panic of this thread");
    let told = found.expect_err("its loop has ended").to_string();
    assert_eq!(told, "loop thread: it ended before its first cycle");
    // Its thread parks behind its filter for good; what it must not do is ask the device again.
    let asked = device.wire().asked;
    thread::sleep(Duration::from_millis(30));
    assert_eq!(device.wire().asked, asked, "the task rests");
    assert_eq!(device.wire().steering, NEUTRAL, "its last pass brought the safe pulses");
}
