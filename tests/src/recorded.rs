//! A recorded drive, for replay: whole telemetry and keyframes of a virtual run in which everything
//! happens that changes the kernel's memory.
//!
//! Decides only the course of events. Tests: tests/main.rs, module `replay`.

use crate::virtual_sim::{Options, VirtualRobot};
use rlds::Entry;
use rt_config::{Robot, Track};
use rt_wire::{Mode, OperatorKind};

/// Cycles between two keyframes, beside those at each change of mode: as the fast loop does at 1 kHz.
const KEYFRAME_CYCLES: u64 = 1000;

/// A drive as the logger would have recorded it.
pub struct Drive {
    /// The robot.
    pub robot: Robot,
    /// Keyframes and cycles, in the order of a recording.
    pub entries: Vec<Entry>,
    /// Cycle of the stop after the pilot was killed.
    pub pilot_stop: u64,
}

/// What happens, by the number of the cycle.
const ARM_FROM: u64 = 200;
const PILOT_DIES: u64 = 6000;
const PILOT_LIVES: u64 = 9000;
const ESTOP: u64 = 13_000;
const RESET: u64 = 16_000;

/// Arms, drives laps of twisty, loses its pilot (a controlled stop), gets it back, is armed again, is
/// stopped by an e-stop, reset and armed once more; `cycles` in all.
///
/// # Panics
/// If the built-in robot or track is refused: a defect.
#[expect(clippy::expect_used, reason = "built-in files that other tests keep valid")]
#[must_use]
pub fn drive(cycles: u64) -> Drive {
    let robot = Robot::resolve("sim-donkey").expect("a built-in robot");
    let track = Track::builtin("twisty").expect("a built-in track");
    let options = Options::new(robot.clone(), track, 1);
    let mut car = VirtualRobot::new(&options).expect("a track that the plant takes");
    let mut entries = Vec::new();
    let mut pilot_stop = 0;
    for index in 0..cycles {
        car.pilot_lives = !(PILOT_DIES..PILOT_LIVES).contains(&index);
        match index {
            ESTOP => car.ask(OperatorKind::Estop),
            RESET => car.ask(OperatorKind::Reset),
            // Whenever nothing forbids it; a request every now and then, as a person would.
            _ if index >= ARM_FROM && index.is_multiple_of(100) && may_arm(&car) => {
                car.ask(OperatorKind::Arm);
            }
            _ => {}
        }
        let record = *car.cycle();
        let outcome = &record.outcome;
        if pilot_stop == 0 && outcome.mode.get() == Some(Mode::SafeStop) {
            pilot_stop = record.cycle_index;
        }
        entries.push(Entry::Telemetry(record));
        if outcome.mode != outcome.previous_mode || index.is_multiple_of(KEYFRAME_CYCLES) {
            entries.push(Entry::Keyframe(*car.keyframe()));
        }
    }
    Drive { robot, entries, pilot_stop }
}

fn may_arm(car: &VirtualRobot) -> bool {
    car.newest().outcome.interlocks.is_empty()
}
