//! The thread: what it runs when, what it tells, how it ends. Without its filter, which would end this
//! program at the first panic; `startup.rs` has it.

use crate::device::{BusBoard, Device, NEUTRAL, STALE_AFTER_NS, Temper};
use fast_loop::bus::BusThread;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use rt_board::{Board as _, BusError, BusTask};
use rt_wire::{MonoNs, Validity};
use std::time::Duration;

/// Far more than a machine under load needs to end a thread; no test that passes waits for it.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
const PERIOD_US: u32 = 1000;
/// Between its first run and its last pass such a task is never due in a test.
const AN_HOUR_US: u32 = 3_600_000_000;

/// A board whose bus thread runs.
fn running(device: &Device, period_us: u32) -> (BusBoard, BusThread) {
    let opened = BusBoard::open(device, period_us);
    let bus = BusThread::start(opened.bus_tasks, None, None, 80).expect("a thread to be had");
    (opened.board, bus.expect("there is a task"))
}

fn now() -> MonoNs {
    fast_loop::clock::now()
}

/// Number that the summary gives for `what`.
fn counted(lines: &[String], what: &str) -> u64 {
    let summary = lines.last().expect("a summary");
    let words = summary.strip_prefix("bus task imu: ").expect("the task's own");
    let part = words.split(", ").find(|part| part.ends_with(what)).expect("it is counted");
    part.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn board_without_a_bus_starts_no_thread() {
    assert!(BusThread::start(Vec::new(), None, None, 80).expect("nothing to refuse").is_none());
}

#[test]
fn reading_reaches_the_board_with_its_own_time_and_runs_are_counted() {
    let device = Device::new(Temper::Answers(3));
    let before = now();
    let (mut board, bus) = running(&device, PERIOD_US);
    device.is_asked(3);
    // The second run has ended before the third began.
    let imu = board.imu(now());
    assert_eq!(imu.validity.get(), Some(Validity::Valid));
    assert_eq!(imu.accel_m_per_s2[0], 3.0);
    assert!(imu.mono_ns >= before && imu.mono_ns <= now());
    let lines = bus.stop(ENDS_WITHIN);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(counted(&lines, "runs"), device.wire().asked);
    assert_eq!(counted(&lines, "errors"), 0);
}

#[test]
fn stalled_device_leaves_an_old_reading_that_fails_while_the_board_reads_on() {
    let device = Device::new(Temper::Answers(3));
    let (mut board, bus) = running(&device, PERIOD_US);
    device.is_asked(1);
    let answered = device.becomes(Temper::Stalls);
    device.is_asked(answered + 1);
    let last = board.imu(now());
    assert_eq!(last.validity.get(), Some(Validity::Valid));
    // The loop reads as often as it likes, and sees the same reading grow old.
    for _ in 0..1000 {
        assert_eq!(board.imu(now()), last);
    }
    let stale = board.imu(last.mono_ns.plus(STALE_AFTER_NS + 1));
    assert_eq!(stale.validity.get(), Some(Validity::Failed));
    assert_eq!((stale.mono_ns, stale.accel_m_per_s2), (last.mono_ns, last.accel_m_per_s2));

    let asked = device.becomes(Temper::Answers(4));
    device.is_asked(asked + 1);
    let fresh = board.imu(now());
    assert_eq!((fresh.validity.get(), fresh.accel_m_per_s2[0]), (Some(Validity::Valid), 4.0));
    let lines = bus.stop(ENDS_WITHIN);
    assert_eq!(counted(&lines, "errors"), 0, "a stall is no error");
}

#[test]
fn device_that_fails_twice_in_a_row_is_told_once_and_once_more_when_it_answers() {
    let device = Device::new(Temper::Fails);
    let (mut board, mut bus) = running(&device, PERIOD_US);
    device.is_asked(3);
    let told = "bus task imu failed twice in a row: no good answer from the bus (errno 121)";
    assert_eq!(bus.news(), [told]);
    device.is_asked(5);
    assert!(bus.news().is_empty(), "told already");
    assert_eq!(board.imu(now()).validity.get(), Some(Validity::Failed));

    let failed = device.becomes(Temper::Answers(5));
    device.is_asked(failed + 2);
    assert_eq!(bus.news(), ["bus task imu answers again"]);
    let imu = board.imu(now());
    assert_eq!((imu.validity.get(), imu.accel_m_per_s2[0]), (Some(Validity::Valid), 5.0));
    let lines = bus.stop(ENDS_WITHIN);
    assert_eq!(counted(&lines, "errors"), failed);
}

#[test]
fn what_the_board_left_at_its_end_reaches_the_bus_before_the_thread_ends() {
    let device = Device::new(Temper::Answers(3));
    let (mut board, bus) = running(&device, AN_HOUR_US);
    device.is_asked(1);
    board.safe(now()).expect("slots never refuse");
    // The thread waits for a release an hour from now; the stop ends that.
    let lines = bus.stop(ENDS_WITHIN);
    assert_eq!(lines, ["bus task imu: 2 runs, 0 missed releases, 0 errors"]);
    assert_eq!(device.wire().steering, NEUTRAL);
}

#[test]
fn task_that_hangs_is_named_at_the_stop_and_left_behind() {
    let device = Device::new(Temper::Stalls);
    let (_board, bus) = running(&device, PERIOD_US);
    device.is_asked(1);
    let lines = bus.stop(Duration::ZERO);
    assert_eq!(lines[0], "the bus thread does not end: bus task imu has not come back");
    assert_eq!(counted(&lines, "runs"), 0);
    device.becomes(Temper::Answers(0));
}

#[test]
fn task_that_panics_is_named_ends_the_thread_and_leaves_its_last_reading() {
    for temper in [Temper::Panics, Temper::PanicsInWords] {
        let device = Device::new(Temper::Answers(3));
        let (mut board, bus) = running(&device, PERIOD_US);
        device.is_asked(2);
        device.becomes(temper);
        let lines = bus.stop(ENDS_WITHIN);
        assert!(lines.iter().any(|line| line == "bus task imu panicked"), "{lines:?}");
        let imu = board.imu(now());
        assert_eq!(imu.accel_m_per_s2[0], 3.0);
        let later = imu.mono_ns.plus(STALE_AFTER_NS + 1);
        assert_eq!(board.imu(later).validity.get(), Some(Validity::Failed), "stale, never wrong");
    }
}

#[test]
fn tasks_run_sealed_on_a_thread_of_their_own_name_away_from_the_loops_core() {
    let ours = sched_getaffinity(Pid::from_raw(0)).expect("this thread lives");
    let cores: Vec<usize> =
        (0..CpuSet::count()).filter(|cpu| ours.is_set(*cpu).unwrap_or(false)).collect();
    let loop_cpu = *cores.last().expect("it runs somewhere");
    let device = Device::new(Temper::Answers(3));
    device.wire().looks_around = true;
    let tasks = BusBoard::open(&device, AN_HOUR_US).bus_tasks;
    let bus = BusThread::start(tasks, None, u32::try_from(loop_cpu).ok(), 80).expect("a thread");
    let bus = bus.expect("there is a task");
    let told = bus.first_lines();
    bus.stop(ENDS_WITHIN);

    let wire = device.wire();
    assert!(wire.sealed, "a task may not allocate");
    assert_eq!(&wire.thread_name[..4], b"bus\0");
    let its_cores = wire.cores.expect("it looked");
    let alone = cores.len() == 1;
    assert_eq!(its_cores.is_set(loop_cpu), Ok(alone), "{told:?}");
    assert_eq!(told.iter().any(|line| line.contains("there is no other")), alone, "{told:?}");
    let plan = told.last().expect("it says what it runs");
    assert!(plan.ends_with(", imu every 3600000000 µs"), "{told:?}");
}

#[test]
fn task_too_fast_for_a_slow_bus_is_refused_by_name() {
    struct Hasty;
    impl BusTask for Hasty {
        fn name(&self) -> &'static str {
            "gyro"
        }
        fn period_us(&self) -> u32 {
            999
        }
        fn run(&mut self, _now: MonoNs) -> Result<(), BusError> {
            Ok(())
        }
    }
    let error =
        BusThread::start(vec![Box::new(Hasty)], None, None, 80).expect_err("it never sleeps");
    assert!(
        error.to_string().contains("gyro: period 999 µs, expected at least 1000 µs"),
        "{error}"
    );
}
