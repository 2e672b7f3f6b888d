//! What a seed stands for: the robot's limits, the world, which faults and how fast.
//!
//! The limits are those of the Pi 5 robot (timing as safety.md demands it of a real board); a seed
//! changes the ones that robots differ in. Times that only make a run longer are shortened in most
//! runs, so that a second holds more. Tests: tests/swarm.rs.

use super::dice::Dice;
use super::faults::{Classes, FaultClass};
use hil::plant::PlantParams;
use rt_config::Robot;
use rt_wire::{Limits, LimitsFlags};

/// Classes that only tell something in a state that is seldom: in a drive, in a ramp.
const OFTEN: [FaultClass; 5] = [
    FaultClass::WheelsBlocked,
    FaultClass::MotorRunsAway,
    FaultClass::DriveWrite,
    FaultClass::SourceGarbage,
    FaultClass::DeadManReleased,
];

/// One run's circumstances.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// The seed of everything.
    pub(super) seed: u64,
    /// What the kernel judges by.
    pub(super) limits: Limits,
    /// The car.
    pub(super) params: PlantParams,
    /// Fault classes of this run.
    pub(super) enabled: Classes,
    /// How much faster they strike than the table says.
    pub(super) pace: f64,
    /// Whether the mushroom opens the motor circuit itself, or is only sensed.
    pub(super) mushroom_in_series: bool,
    /// Commands a second of each source.
    pub(super) rate_hz: [u64; 3],
}

impl Setup {
    /// Whether the robot can move at all.
    #[must_use]
    pub(super) fn can_drive(&self) -> bool {
        self.limits.level_forward_max > 0 || self.limits.level_reverse_max > 0
    }

    /// The circumstances of a seed, with no other fault classes than `only`.
    ///
    /// # Errors
    /// The built-in robot could not be read.
    pub(super) fn new(seed: u64, only: Classes) -> Result<Self, String> {
        let robot = Robot::resolve("pi5-donkey").map_err(|errors| errors.to_string())?;
        let mut dice = Dice::new(seed, 1);
        let mut limits = robot.limits();
        limits.arming_cycles = dice.pick(&[60, 60, 100, 250, 1000]);
        limits.temperature_dwell_ns = dice.pick(&[200_000_000, 1_000_000_000, 5_000_000_000]);
        limits.battery_dwell_ns = dice.pick(&[200_000_000, 2_000_000_000]);
        limits.stall_after_ns = dice.pick(&[200_000_000, 300_000_000]);
        limits.stall_level = dice.pick(&[110, 150]);
        limits.runaway_after_ns = dice.pick(&[50_000_000, 100_000_000, 500_000_000]);
        limits.centre_after_ns = dice.pick(&[100_000_000, 1_000_000_000]);
        limits.stop_category = u32::from(!dice.chance(0.15));
        limits.safe_stop_cycles = dice.pick(&[30, 200, 500]);
        limits.level_forward_max = dice.pick(&[120, 150, 500]);
        limits.level_reverse_max = dice.pick(&[0, 50, 300]);
        if dice.chance(0.03) {
            // A robot that nobody has calibrated: it cannot move.
            (limits.level_forward_max, limits.level_reverse_max) = (0, 0);
        }
        // Any of the six sidecars may be required; most robots require few.
        limits.heartbeats_required = (dice.bits() & dice.bits() & 0x3f) as u32;
        let turned = |on: bool, flag: LimitsFlags| if on { flag } else { LimitsFlags::EMPTY };
        limits.flags = LimitsFlags::EMPTY
            | turned(dice.chance(0.7), LimitsFlags::REAL_BOARD)
            | turned(dice.chance(0.3), LimitsFlags::STEERING_REVERSED)
            | turned(dice.chance(0.3), LimitsFlags::THROTTLE_REVERSED)
            | turned(dice.chance(0.4), LimitsFlags::REQUIRE_LOG)
            | turned(dice.chance(0.7), LimitsFlags::ESTOP_TWO_CHANNELS);

        let mut params = PlantParams::donkey_1_10();
        // The controller must have seen its neutral before the kernel's arming time is over.
        params.drive.boot_ms = 20.0;

        let share: f64 = dice.pick(&[0.06, 0.15, 0.4]);
        let drawn = FaultClass::ALL.iter().filter(|class| {
            dice.chance(if OFTEN.contains(class) { share.max(0.35) } else { share })
        });
        let drawn = drawn.fold(Classes::default(), |set, class| set.with(*class));
        // Few classes strike often each, many of them seldom: else nobody would ever drive. What
        // `only` leaves out does not make the others faster.
        let strikes_per_s = dice.pick(&[0.45, 0.9, 1.6]);
        let pace =
            strikes_per_s / drawn.iter().map(FaultClass::strikes_per_s).sum::<f64>().max(0.05);
        Ok(Self {
            seed,
            limits,
            params,
            enabled: drawn.and(only),
            pace,
            mushroom_in_series: dice.chance(0.5),
            rate_hz: [dice.between(20, 50), dice.between(16, 30), dice.between(30, 60)],
        })
    }
}
