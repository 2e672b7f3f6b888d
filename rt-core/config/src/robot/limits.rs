//! A valid robot file → the plain integers that the kernel judges by.
//!
//! Rounds each number to the careful side: a throttle that changes no faster, a stop that comes no
//! later. Tests: tests/robots.rs.

use super::file::{RobotFile, Sidecar};
use rt_wire::{Limits, LimitsFlags, Microseconds};

/// The machine counts throttle in an `i16`.
pub(super) const LEVELS_MAX: u16 = i16::MAX.unsigned_abs();

/// Levels of full throttle: one level is what the throttle may change in one cycle.
pub(super) fn levels(throttle_slew_per_s: f64, period_us: u32) -> f64 {
    let step = throttle_slew_per_s * f64::from(period_us) * 1e-6;
    (1.0 / step).ceil().max(1.0)
}

/// `robot` has passed every check, so every number is finite, in range, and fits.
pub(super) fn limits(robot: &RobotFile) -> Limits {
    let (timing, timeouts, limits) = (&robot.timing, &robot.timeouts, &robot.limits);
    let level_max = whole(levels(limits.throttle_slew_per_s, timing.period_us));
    let level_of = |share: f64| whole((share * f64::from(level_max)).floor());
    // A source is stale after its time, not a cycle later: rounded down, but one cycle at least.
    let cycles = |ms: u32| (ms.saturating_mul(1000) / timing.period_us).max(1);
    let cells = f64::from(robot.battery.cells);
    let (steering, throttle) = (&robot.calibration.steering, &robot.calibration.throttle);
    Limits {
        period_ns: us(timing.period_us),
        deadline_ns: us(timing.deadline_us),
        late_after_ns: us(timing.late_after_us),
        neutral_after_ns: us(timing.neutral_after_us),
        command_expiry_max_ns: ms(timeouts.command_expiry_max_ms),
        heartbeat_late_ns: ms(timeouts.heartbeat_late_ms),
        heartbeat_lost_ns: ms(timeouts.heartbeat_lost_ms),
        battery_dwell_ns: ms(robot.battery.degraded_ms),
        temperature_dwell_ns: ms(robot.soc.degraded_ms),
        undervoltage_dwell_ns: ms(timeouts.undervoltage_ms),
        estop_discrepancy_ns: ms(timeouts.estop_discrepancy_ms),
        relay_feedback_ns: ms(timeouts.relay_feedback_ms),
        centre_after_ns: ms(limits.centre_after_ms),
        reset_press_min_ns: ms(timeouts.reset_press_min_ms),
        reset_press_max_ns: ms(timeouts.reset_press_max_ms),
        teleop_age_max_ns: ms(timeouts.teleop_age_max_ms),
        stall_after_ns: ms(limits.stall_after_ms),
        runaway_after_ns: ms(limits.runaway_after_ms),
        late_consecutive: timing.late_consecutive,
        late_per_1000: timing.late_per_1000,
        // In the order of rt_wire::SOURCES; tests/robots.rs holds the two together.
        stale_cycles: [
            cycles(timeouts.teleop_stale_ms),
            cycles(timeouts.inference_stale_ms),
            cycles(timeouts.pilot_stale_ms),
        ],
        // Arming lasts at least its time: rounded up.
        arming_cycles: limits.arming_ms.saturating_mul(1000).div_ceil(timing.period_us),
        safe_stop_cycles: cycles(limits.safe_stop_ms),
        level_max,
        level_forward_max: level_of(limits.throttle_max),
        level_reverse_max: level_of(limits.reverse_max),
        steering_slew_micro_per_cycle: whole(
            (limits.steering_slew_per_s * f64::from(timing.period_us)).floor().max(1.0),
        ),
        heartbeats_required: heartbeats_required(&robot.sidecars.required),
        battery_low_mv: whole((robot.battery.degraded_v_per_cell * cells * 1000.0).round()),
        battery_critical_mv: whole((robot.battery.critical_v_per_cell * cells * 1000.0).round()),
        battery_warn_mv: whole((robot.battery.warn_v_per_cell * cells * 1000.0).round()),
        temperature_warn_milli_c: milli(robot.soc.warn_c),
        temperature_high_milli_c: milli(robot.soc.degraded_c),
        temperature_critical_milli_c: milli(robot.soc.critical_c),
        imu_max_mm_per_s2: whole((limits.imu_max_m_per_s2 * 1000.0).round()),
        stall_level: level_of(limits.stall_throttle),
        standstill_mm_per_s: whole((limits.standstill_m_per_s * 1000.0).floor()),
        coast_down_min_mm_per_s2: whole((limits.coast_down_min_m_per_s2 * 1000.0).ceil()),
        runaway_margin_mm_per_s: whole((limits.runaway_margin_m_per_s * 1000.0).floor()),
        stop_category: u32::from(limits.stop_category),
        flags: LimitsFlags::EMPTY
            .with(LimitsFlags::REAL_BOARD, robot.board.is_real())
            .with(LimitsFlags::STEERING_REVERSED, steering.reversed)
            .with(LimitsFlags::THROTTLE_REVERSED, throttle.reversed)
            .with(LimitsFlags::REQUIRE_LOG, robot.sidecars.require_log)
            .with(LimitsFlags::ESTOP_TWO_CHANNELS, robot.pins.estop_b_pin.is_some()),
        steering_min: Microseconds(steering.min_us),
        steering_neutral: Microseconds(steering.neutral_us),
        steering_max: Microseconds(steering.max_us),
        throttle_min: Microseconds(throttle.min_us),
        throttle_neutral: Microseconds(throttle.neutral_us),
        throttle_max: Microseconds(throttle.max_us),
    }
}

fn us(us: u32) -> u64 {
    u64::from(us) * 1000
}

fn ms(ms: u32) -> u64 {
    u64::from(ms) * 1_000_000
}

/// A whole, non-negative number that the checked ranges keep far below 2³²; `as` would saturate
/// beyond.
fn whole(number: f64) -> u32 {
    number as u32
}

/// °C that the checked range keeps within 30 to 120.
fn milli(celsius: f64) -> i32 {
    (celsius * 1000.0).round() as i32
}

/// Bit n: entry n of `rt_wire::HEARTBEAT_SOURCES`, whose order [`Sidecar`] has.
fn heartbeats_required(required: &[Sidecar]) -> u32 {
    required.iter().fold(0, |bits, sidecar| bits | (1 << (*sidecar as u32)))
}
