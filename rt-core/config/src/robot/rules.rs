//! Rules between the keys of one robot file, and what a real board may not loosen.
//!
//! Each rule is one function that says which key breaks it and what would be right. A board that
//! moves something real is held to safety.md's numbers; `sim` is not, because a virtual machine
//! stalls for milliseconds. Tests: tests/bad_robots.rs.

mod real_board;

use super::RobotFile;
use super::file::Servo;
use super::limits::{LEVELS_MAX, levels};
use crate::ConfigError;
use crate::json::Node;
use std::fmt::Display;

/// All rules that `robot` breaks; `root` says where its keys stand.
pub(super) fn broken(robot: &RobotFile, root: &Node, file: &str) -> Vec<ConfigError> {
    let mut rules = Rules { robot, root, file, errors: Vec::new() };
    rules.name();
    rules.timing();
    rules.servo("calibration.steering", &robot.calibration.steering);
    rules.servo("calibration.throttle", &robot.calibration.throttle);
    rules.pins();
    rules.i2c();
    rules.limits();
    rules.timeouts();
    rules.thresholds();
    rules.sidecars();
    rules.teleop();
    rules.pilot_and_logger();
    if robot.board.is_real() {
        rules.real_board();
    }
    rules.errors
}

struct Rules<'a> {
    robot: &'a RobotFile,
    root: &'a Node,
    file: &'a str,
    errors: Vec<ConfigError>,
}

impl Rules<'_> {
    fn refuse(&mut self, key: &str, expected: impl Into<String>, found: impl Into<String>) {
        let at = self.root.position_of(key);
        self.errors.push(
            ConfigError::whole_file(self.file, expected, found).at(at.line, at.column).key(key),
        );
    }

    /// `key`, whose value is `value`, may be at most `most`, which is what `why` says.
    fn at_most<T: PartialOrd + Display>(&mut self, key: &str, value: T, most: T, why: &str) {
        if value > most {
            self.refuse(key, format!("at most {most} ({why})"), value.to_string());
        }
    }

    fn at_least<T: PartialOrd + Display>(&mut self, key: &str, value: T, least: T, why: &str) {
        if value < least {
            self.refuse(key, format!("at least {least} ({why})"), value.to_string());
        }
    }

    fn name(&mut self) {
        let name = &self.robot.name;
        let rest_is_plain = |name: &str| {
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        let is_good = (1..=24).contains(&name.len())
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && rest_is_plain(name);
        if !is_good {
            let expected = "1 to 24 of a-z, 0-9 and `-`, beginning with a letter";
            self.refuse("name", expected, format!("\"{name}\""));
        }
    }

    fn timing(&mut self) {
        let timing = &self.robot.timing;
        let period_us = timing.period_us;
        self.at_most("timing.deadline_us", timing.deadline_us, period_us, "the period");
        let neutral_us = timing.neutral_after_us;
        let why = "timing.neutral_after_us: a late event comes before the e-stop";
        self.at_most("timing.late_after_us", timing.late_after_us, neutral_us, why);
        let why = "half the period: the loop must sleep in every cycle";
        self.at_most("timing.spin_window_us", timing.spin_window_us, period_us / 2, why);
    }

    fn servo(&mut self, key: &str, servo: &Servo) {
        let (min, neutral, max) = (servo.min_us, servo.neutral_us, servo.max_us);
        let is_ordered = min < neutral && neutral < max;
        let cannot_move = min == neutral && neutral == max;
        if min > max {
            let expected = format!("less than max_us, {max}");
            self.refuse(&format!("{key}.min_us"), expected, min.to_string());
        } else if !is_ordered && !cannot_move {
            let expected =
                format!("a pulse between min_us, {min}, and max_us, {max} (or all three equal)");
            self.refuse(&format!("{key}.neutral_us"), expected, neutral.to_string());
        }
        // A pulse needs a gap after it, or the servo sees no edge.
        let frame_us = 1_000_000 / self.robot.calibration.pwm_hz;
        let most = frame_us.saturating_sub(200);
        if u32::from(max) > most {
            let expected = format!("at most {most} (a pulse and a gap of 200 µs at pwm_hz)");
            self.refuse(&format!("{key}.max_us"), expected, max.to_string());
        }
    }

    fn pins(&mut self) {
        let mut taken: Vec<(&str, u8)> = Vec::new();
        for (key, pin) in wired_pins(self.robot) {
            if let Some((other, _)) = taken.iter().find(|(_, used)| *used == pin) {
                self.refuse(key, "a pin of its own", format!("pin {pin}, as {other}"));
            }
            taken.push((key, pin));
        }
        if self.robot.pins.estop_b_pin.is_some() && self.robot.pins.estop_pin.is_none() {
            self.refuse("pins.estop_b_pin", "null, as long as estop_pin is", "a pin");
        }
        if self.robot.sensors.i2c_bus == Some(1) {
            for (key, pin) in taken {
                if matches!(pin, 2 | 3) {
                    self.refuse(key, "a pin that I²C bus 1 does not need", format!("pin {pin}"));
                }
            }
        }
    }

    fn i2c(&mut self) {
        let sensors = &self.robot.sensors;
        let addresses = [
            ("sensors.imu_i2c_address", sensors.imu_i2c_address),
            ("sensors.battery_i2c_address", sensors.battery_i2c_address),
        ];
        for (key, address) in addresses {
            if address.is_some() && sensors.i2c_bus.is_none() {
                self.refuse(key, "null, as long as i2c_bus is", "an address");
            }
        }
        if let (Some(imu), Some(battery)) = (sensors.imu_i2c_address, sensors.battery_i2c_address)
            && imu == battery
        {
            let found = format!("{imu}, as sensors.imu_i2c_address");
            self.refuse("sensors.battery_i2c_address", "an address of its own", found);
        }
    }

    fn limits(&mut self) {
        let limits = &self.robot.limits;
        let farthest = limits.throttle_max.max(limits.reverse_max);
        let ramp_ms = 1000.0 * farthest / limits.throttle_slew_per_s;
        let stop_ms = f64::from(limits.safe_stop_ms);
        if limits.stop_category == 1 && ramp_ms > stop_ms {
            let least = farthest * 1000.0 / stop_ms;
            let expected = format!(
                "at least {least:.3} (throttle_max and reverse_max must ramp down within safe_stop_ms)"
            );
            let found = limits.throttle_slew_per_s.to_string();
            self.refuse("limits.throttle_slew_per_s", expected, found);
        }
        let levels = levels(limits.throttle_slew_per_s, self.robot.timing.period_us);
        if levels > f64::from(LEVELS_MAX) {
            let least = 1e6 / f64::from(self.robot.timing.period_us) / f64::from(LEVELS_MAX);
            let expected = format!("at least {least:.3} (a finer step a cycle does not fit)");
            let found = limits.throttle_slew_per_s.to_string();
            self.refuse("limits.throttle_slew_per_s", expected, found);
        }
    }

    fn timeouts(&mut self) {
        let timeouts = &self.robot.timeouts;
        let (late, lost) = (timeouts.heartbeat_late_ms, timeouts.heartbeat_lost_ms);
        if late >= lost {
            let expected = format!("less than heartbeat_lost_ms, {lost}");
            self.refuse("timeouts.heartbeat_late_ms", expected, late.to_string());
        }
        let (min, max) = (timeouts.reset_press_min_ms, timeouts.reset_press_max_ms);
        if min >= max {
            let expected = format!("less than reset_press_max_ms, {max}");
            self.refuse("timeouts.reset_press_min_ms", expected, min.to_string());
        }
    }

    /// Thresholds that are passed one after the other.
    fn thresholds(&mut self) {
        let battery = &self.robot.battery;
        let why = "battery.warn_v_per_cell: the warning comes first";
        let (warn, degraded) = (battery.warn_v_per_cell, battery.degraded_v_per_cell);
        self.at_most("battery.degraded_v_per_cell", degraded, warn, why);
        let why = "battery.degraded_v_per_cell: the stop comes before the e-stop";
        self.at_most("battery.critical_v_per_cell", battery.critical_v_per_cell, degraded, why);
        let soc = &self.robot.soc;
        let why = "soc.warn_c: the warning comes first";
        self.at_least("soc.degraded_c", soc.degraded_c, soc.warn_c, why);
        let why = "soc.degraded_c: the stop comes before the e-stop";
        self.at_least("soc.critical_c", soc.critical_c, soc.degraded_c, why);
    }

    fn sidecars(&mut self) {
        let required = &self.robot.sidecars.required;
        let doubled = (1..required.len()).filter(|&i| required[..i].contains(&required[i]));
        for i in doubled.collect::<Vec<_>>() {
            self.refuse("sidecars.required", "each sidecar once", format!("entry {i} again"));
        }
    }

    fn teleop(&mut self) {
        let (teleop, timeouts) = (&self.robot.teleop, &self.robot.timeouts);
        let stale_ms = timeouts.teleop_stale_ms;
        let why = "two commands within timeouts.teleop_stale_ms";
        self.at_least("teleop.rate_hz", teleop.rate_hz, 2000_u32.div_ceil(stale_ms), why);
        let (valid_ms, period_ms) = (teleop.command_valid_ms, 1000_u32.div_ceil(teleop.rate_hz));
        self.at_least("teleop.command_valid_ms", valid_ms, period_ms, "one teleop period");
        let why = "timeouts.teleop_stale_ms";
        self.at_most("teleop.command_valid_ms", valid_ms, stale_ms, why);

        let pad = &teleop.pad;
        if pad.steering_axis == pad.throttle_axis {
            self.refuse("teleop.pad.throttle_axis", "a stick of its own", "that of the steering");
        }
        let buttons = [
            ("teleop.pad.dead_man_button", pad.dead_man_button),
            ("teleop.pad.estop_button", pad.estop_button),
            ("teleop.pad.arm_button", pad.arm_button),
            ("teleop.pad.disarm_button", pad.disarm_button),
        ];
        for (place, (key, button)) in buttons.iter().enumerate() {
            let taken = buttons[..place].iter().find(|(_, used)| used == button);
            if let Some((other, _)) = taken {
                self.refuse(key, "a button of its own", format!("that of {other}"));
            }
        }
    }

    fn episodes(&mut self) {
        let logger = &self.robot.rlds_logger;
        let (keep_mb, max_mb) = (logger.keep_mb.unwrap_or(0), logger.episode_max_mb.unwrap_or(0));
        if keep_mb > 0 {
            self.at_least("rlds_logger.keep_mb", keep_mb, max_mb, "rlds_logger.episode_max_mb");
        }
        if logger.task.chars().any(char::is_control) {
            self.refuse("rlds_logger.task", "one line of text", "a control character");
        }
    }

    fn pilot_and_logger(&mut self) {
        let (pilot, timeouts) = (&self.robot.pilot, &self.robot.timeouts);
        let command_period_ms = 1000 / pilot.rate_hz;
        let why = "two commands within timeouts.pilot_stale_ms";
        let least = 2000 / timeouts.pilot_stale_ms;
        self.at_least("pilot.rate_hz", pilot.rate_hz, least, why);
        let (valid_ms, most) = (pilot.command_valid_ms, timeouts.command_expiry_max_ms);
        self.at_least("pilot.command_valid_ms", valid_ms, command_period_ms, "one pilot period");
        self.at_most("pilot.command_valid_ms", valid_ms, most, "timeouts.command_expiry_max_ms");

        let cycles_per_s = 1_000_000 / self.robot.timing.period_us;
        let step_hz = self.robot.rlds_logger.step_rate_hz;
        self.at_most("rlds_logger.step_rate_hz", step_hz, cycles_per_s, "the loop's own rate");
        if self.robot.rlds_logger.episodes_dir.is_empty() {
            self.refuse("rlds_logger.episodes_dir", "the path of a folder", "an empty text");
        }
        self.episodes();
    }
}

/// Every header pin that is in use, by its key.
fn wired_pins(robot: &RobotFile) -> impl Iterator<Item = (&'static str, u8)> {
    let pins = &robot.pins;
    [
        ("calibration.steering.pin", robot.calibration.steering.pin),
        ("calibration.throttle.pin", robot.calibration.throttle.pin),
        ("pins.estop_pin", pins.estop_pin),
        ("pins.estop_b_pin", pins.estop_b_pin),
        ("pins.reset_pin", pins.reset_pin),
        ("pins.arm_pin", pins.arm_pin),
        ("pins.heartbeat_pin", pins.heartbeat_pin),
        ("pins.relay_pin", pins.relay_pin),
        ("pins.relay_feedback_pin", pins.relay_feedback_pin),
        ("pins.encoder_pin", pins.encoder_pin),
    ]
    .into_iter()
    .filter_map(|(key, pin)| Some((key, pin?)))
}
