//! What a board that moves something real must have, and what it may not loosen.
//!
//! The bounds are the defaults of file.rs, which are safety.md's numbers. Tests: below and
//! tests/bad_robots.rs.

use super::Rules;
use crate::robot::RobotFile;
use crate::robot::file::Board;
use serde_json::Value;

const WHY: &str = "a real board may not be looser than safety.md";

/// A real board may set these lower than the default, never higher.
const NEVER_ABOVE: [&str; 26] = [
    "timing.late_consecutive",
    "timing.late_per_1000",
    "timing.neutral_after_us",
    "timeouts.teleop_stale_ms",
    "timeouts.inference_stale_ms",
    "timeouts.pilot_stale_ms",
    "timeouts.teleop_age_max_ms",
    "timeouts.heartbeat_late_ms",
    "timeouts.heartbeat_lost_ms",
    "timeouts.command_expiry_max_ms",
    "timeouts.estop_discrepancy_ms",
    "timeouts.relay_feedback_ms",
    "timeouts.undervoltage_ms",
    "timeouts.reset_press_max_ms",
    "teleop.key_hold_ms",
    "teleop.key_first_hold_ms",
    "limits.safe_stop_ms",
    "limits.imu_max_m_per_s2",
    "limits.stall_throttle",
    "limits.stall_after_ms",
    "limits.runaway_after_ms",
    "battery.degraded_ms",
    "soc.degraded_ms",
    "soc.warn_c",
    "soc.degraded_c",
    "soc.critical_c",
];

/// A real board may set these higher than the default, never lower.
const NEVER_BELOW: [&str; 6] = [
    "limits.arming_ms",
    "limits.centre_after_ms",
    "timeouts.reset_press_min_ms",
    "battery.warn_v_per_cell",
    "battery.degraded_v_per_cell",
    "battery.critical_v_per_cell",
];

/// Twice what the encoder's noise and the ESC's lag need on the Donkey Car.
const RUNAWAY_MARGIN_MAX_M_PER_S: f64 = 0.5;

impl Rules<'_> {
    pub(super) fn real_board(&mut self) {
        self.real_board_is_wired();
        self.real_board_is_not_looser();
        self.real_board_separates_users();
    }

    fn real_board_is_not_looser(&mut self) {
        let timing = &self.robot.timing;
        let why = format!("half the period: {WHY}");
        self.at_most("timing.late_after_us", timing.late_after_us, timing.period_us / 2, &why);
        let safe = RobotFile::empty(self.robot.name.clone(), self.robot.board);
        for (key, ours, safe) in numbers(&NEVER_ABOVE, self.robot, &safe) {
            self.at_most(key, ours, safe, WHY);
        }
        for (key, ours, safe) in numbers(&NEVER_BELOW, self.robot, &safe) {
            self.at_least(key, ours, safe, WHY);
        }
        self.real_board_finds_a_runaway();
    }

    /// These two are measured on the car; beyond these bounds nothing would ever be a runaway.
    fn real_board_finds_a_runaway(&mut self) {
        let limits = &self.robot.limits;
        let (key, margin) = ("limits.runaway_margin_m_per_s", limits.runaway_margin_m_per_s);
        let why = "more would let a real board run away at walking pace";
        self.at_most(key, margin, RUNAWAY_MARGIN_MAX_M_PER_S, why);
        if limits.coast_down_min_m_per_s2 <= 0.0 {
            let expected = "more than 0 (a real board that never slows down would never run away)";
            let found = limits.coast_down_min_m_per_s2.to_string();
            self.refuse("limits.coast_down_min_m_per_s2", expected, found);
        }
    }

    fn real_board_is_wired(&mut self) {
        let robot = self.robot;
        let needed = [
            ("pins.estop_pin", robot.pins.estop_pin),
            ("pins.heartbeat_pin", robot.pins.heartbeat_pin),
            ("pins.relay_pin", robot.pins.relay_pin),
            ("calibration.steering.pin", robot.calibration.steering.pin),
            ("calibration.throttle.pin", robot.calibration.throttle.pin),
        ];
        for (key, pin) in needed {
            if pin.is_none() {
                self.refuse(key, "a BCM pin from 0 to 27 (needed on a real board)", "null");
            }
        }
        // Pins 0 to 8 are pulled up at boot: the relay would close before any software runs.
        for (key, pin) in [
            ("pins.heartbeat_pin", robot.pins.heartbeat_pin),
            ("pins.relay_pin", robot.pins.relay_pin),
        ] {
            if let Some(pin @ 0..=8) = pin {
                let expected = "a BCM pin from 9 to 27 (pulled down at boot)";
                self.refuse(key, expected, pin.to_string());
            }
        }
        if robot.board == Board::Pi5 {
            self.pi5_pwm();
        }
    }

    fn pi5_pwm(&mut self) {
        let channel = |pin: u8| match pin {
            12 => Some(0),
            13 => Some(1),
            14 | 18 => Some(2),
            15 | 19 => Some(3),
            _ => None,
        };
        let calibration = &self.robot.calibration;
        let outputs = [
            ("calibration.steering.pin", calibration.steering.pin),
            ("calibration.throttle.pin", calibration.throttle.pin),
        ];
        for (key, pin) in outputs {
            if let Some(pin) = pin
                && channel(pin).is_none()
            {
                self.refuse(key, "a pin with PWM: 12, 13, 14, 15, 18 or 19", pin.to_string());
            }
        }
        if let (Some(steering), Some(throttle)) = (outputs[0].1, outputs[1].1)
            && steering != throttle
            && channel(steering).is_some()
            && channel(steering) == channel(throttle)
        {
            let expected = "a pin with a PWM channel of its own (14 and 18 share one, 15 and 19)";
            self.refuse("calibration.throttle.pin", expected, throttle.to_string());
        }
    }

    /// Two processes of one user could write each other's slots, and one of the loop's could write
    /// everybody's.
    fn real_board_separates_users(&mut self) {
        let uids = &self.robot.uids;
        let mut taken: Vec<(&str, u32)> = Vec::new();
        for (key, uid) in [
            ("uids.teleop", uids.teleop),
            ("uids.inference", uids.inference),
            ("uids.pilot", uids.pilot),
            ("uids.rlds_logger", uids.rlds_logger),
            ("uids.camera", uids.camera),
            ("uids.trainer", uids.trainer),
            ("uids.gateway", uids.gateway),
        ] {
            let Some(uid) = uid else {
                self.refuse(key, "a user of its own on a real board", "null: that of the loop");
                continue;
            };
            if let Some((other, _)) = taken.iter().find(|(_, used)| *used == uid) {
                self.refuse(key, "a user of its own", format!("{uid}, as {other}"));
            }
            taken.push((key, uid));
        }
    }
}

/// The numbers that two robots have under each of `keys`.
fn numbers(
    keys: &[&'static str],
    ours: &RobotFile,
    safe: &RobotFile,
) -> Vec<(&'static str, f64, f64)> {
    let (ours, safe) = (ours.as_value(), safe.as_value());
    let both = |key: &&'static str| Some((*key, number(&ours, key)?, number(&safe, key)?));
    keys.iter().filter_map(both).collect()
}

fn number(root: &Value, dotted: &str) -> Option<f64> {
    dotted.split('.').try_fold(root, |block, key| block.get(key))?.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_in_the_tables_is_a_number_of_the_file() {
        let file = RobotFile::empty("a".to_owned(), Board::Pi5);
        for keys in [&NEVER_ABOVE[..], &NEVER_BELOW[..]] {
            assert_eq!(numbers(keys, &file, &file).len(), keys.len());
        }
    }
}
