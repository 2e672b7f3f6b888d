//! One cycle after a bit has flipped in the kernel.

use super::Loop;
use crate::inlets;
use crate::mirror::Mirror;
use crate::spin::Spin;
use rt_board::{Board, DriveError};
use rt_config::Robot;
use rt_control::Kernel;
use rt_ring::sync::AtomicU64;
use rt_ring::{Identity, RingWriter, ring_words};
use rt_wire::{
    Fault, IntegrityFlags, KernelState, Lines, Mode, MonoNs, Observation, PulseFlags, PulseFrame,
    Raw, Record, Release, Telemetry, Validity, fnv1a,
};

/// Remembers what it was told to drive; `None` for its own safe pulses.
struct Pins {
    driven: Option<PulseFrame>,
}

impl Board for Pins {
    fn read(&mut self, now: MonoNs, observation: &mut Observation) {
        *observation = Observation {
            lines: Lines { mono_ns: now, validity: Raw::new(Validity::Valid), ..Lines::default() },
            // What no board has to say: the loop's own word must stand.
            integrity: IntegrityFlags::MIRROR_MISMATCH,
            drive_error_count: 7,
            ..Observation::default()
        };
    }

    fn drive(&mut self, _: u64, _: MonoNs, frame: &PulseFrame) -> Result<(), DriveError> {
        self.driven = Some(*frame);
        Ok(())
    }

    fn safe(&mut self, _: MonoNs) -> Result<(), DriveError> {
        self.driven = None;
        Ok(())
    }
}

fn ring<T: Record>() -> RingWriter<'static, T> {
    let words: Vec<AtomicU64> = (0..ring_words::<T>(4)).map(|_| AtomicU64::new(0)).collect();
    let identity = Identity { layout_hash: T::LAYOUT_HASH, generation: 1 };
    RingWriter::create(words.leak(), 4, identity).expect("large enough")
}

fn robot() -> Robot {
    Robot::resolve("sim-donkey").expect("a built-in robot")
}

fn the_loop() -> Loop<Pins> {
    let robot = robot();
    let kernel = Kernel::new(&robot.limits(), 7);
    let mirror = Mirror::new(kernel.state(), kernel.limits());
    Loop {
        board: Pins { driven: None },
        kernel,
        mirror,
        inlets: inlets::link().1,
        telemetry: ring(),
        keyframes: ring(),
        spin: Spin::new(&robot.file().timing),
        drive_errors: 0,
    }
}

/// Runs cycle `index` on time, and says what came of it.
fn cycle(the_loop: &mut Loop<Pins>, record: &mut Telemetry, index: u64) -> Mode {
    let period = the_loop.kernel.limits().period_ns;
    let release_time = MonoNs(1_000_000_000 + index * period);
    record.release = Release {
        cycle_index: index,
        release_time,
        woke_at: release_time,
        previous_woke_at: MonoNs(release_time.0 - period),
        previous_finished_at: MonoNs(release_time.0 - period),
        ..Release::default()
    };
    the_loop.judge_and_drive(record);
    record.outcome.mode.get().expect("a mode")
}

#[test]
fn a_flipped_bit_in_the_kernel_is_a_fault_in_the_next_cycle_and_the_board_makes_itself_safe() {
    let (mut the_loop, mut record) = (the_loop(), Telemetry::default());
    for index in 0..100 {
        assert_ne!(cycle(&mut the_loop, &mut record, index), Mode::Fault);
        assert_eq!(record.observation.integrity, IntegrityFlags::EMPTY);
        assert_eq!(the_loop.board.driven, Some(record.outcome.pulses));
    }
    let mut flipped = *the_loop.kernel.state();
    flipped.steering_micro ^= 1 << 9;
    the_loop.kernel = Kernel::resume(the_loop.kernel.limits(), &flipped).expect("same limits");
    assert_eq!(cycle(&mut the_loop, &mut record, 100), Mode::Fault);
    assert!(record.outcome.causes.contains(Fault::KernelMirror));
    assert_eq!(record.outcome.pulses.flags, PulseFlags::EMPTY);
    assert_eq!(the_loop.board.driven, None, "driven by a damaged kernel");

    // What that step left is mirrored again; the fault stays.
    assert_eq!(cycle(&mut the_loop, &mut record, 101), Mode::Fault);
    assert_eq!(record.observation.integrity, IntegrityFlags::EMPTY);
    assert_eq!(the_loop.board.driven, Some(record.outcome.pulses));
}

#[test]
fn pulses_of_damaged_limits_never_reach_the_pins() {
    let (mut the_loop, mut record) = (the_loop(), Telemetry::default());
    cycle(&mut the_loop, &mut record, 0);
    let mut limits = *the_loop.kernel.limits();
    limits.throttle_neutral.0 ^= 1 << 8;
    let state = KernelState { config_hash: hash(&limits), ..*the_loop.kernel.state() };
    the_loop.kernel = Kernel::resume(&limits, &state).expect("its own limits");
    the_loop.mirror.refresh(&state);
    // No step writes limits, so no later cycle finds them whole.
    for index in 1..10 {
        assert_eq!(cycle(&mut the_loop, &mut record, index), Mode::Fault);
        assert_eq!(the_loop.board.driven, None);
    }
}

#[test]
fn the_fault_of_a_flipped_bit_replays_from_the_record_alone() {
    let (mut the_loop, mut record) = (the_loop(), Telemetry::default());
    for index in 0..5 {
        cycle(&mut the_loop, &mut record, index);
    }
    let mut flipped = *the_loop.kernel.state();
    flipped.mode = Raw::from_bits(flipped.mode.bits() ^ 1 << 2);
    let mut copy = Kernel::resume(the_loop.kernel.limits(), the_loop.kernel.state()).expect("same");
    the_loop.kernel = Kernel::resume(the_loop.kernel.limits(), &flipped).expect("same limits");
    assert_eq!(cycle(&mut the_loop, &mut record, 5), Mode::Fault);
    // Replay has the record, and a memory in which no bit flipped: the fault is an input.
    let replayed = copy.step(&record.release, &record.observation, &record.inbox);
    assert_eq!(replayed.mode, record.outcome.mode);
    assert_eq!(replayed.causes, record.outcome.causes);
    assert_eq!(replayed.pulses, record.outcome.pulses);
}

fn hash<T: Record>(record: &T) -> u64 {
    fnv1a(0, record.as_bytes())
}
