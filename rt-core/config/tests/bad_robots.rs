//! Hand-made bad robot files: each is refused with line, key, what was expected and found, and the
//! nearest name.

use rt_config::{ConfigErrors, Robot, RobotFile};

const SIM: &str = include_str!("../../../configs/robots/sim-donkey.json");
const PI5: &str = include_str!("../../../configs/robots/pi5-donkey.json");

/// A good file with one place changed, and what the error must say.
struct Bad {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    key: &'static str,
    told: &'static str,
}

const fn sim(from: &'static str, to: &'static str, key: &'static str, told: &'static str) -> Bad {
    Bad { file: SIM, from, to, key, told }
}

const fn pi5(from: &'static str, to: &'static str, key: &'static str, told: &'static str) -> Bad {
    Bad { file: PI5, from, to, key, told }
}

const UNSAFE: &str = "a real board may not be looser than safety.md";

#[rustfmt::skip]
const BAD: &[Bad] = &[
    // Unknown, misspelt, misplaced and doubled keys.
    sim("\"period_us\"", "\"perod_us\"", "timing.perod_us", "nearest valid name: timing.period_us"),
    sim("\"period_us\": 1000", "\"period_ms\": 1", "timing.period_ms", "nearest valid name: timing.period_us"),
    sim("\"wheelbase_m\"", "\"wheelbase\"", "geometry.wheelbase", "nearest valid name: geometry.wheelbase_m"),
    sim("\"timing\"", "\"timings\"", "timings", "nearest valid name: timing"),
    sim("\"rlds_logger\": {", "\"rlds-logger\": {", "rlds-logger", "nearest valid name: rlds_logger"),
    sim("\"wheelbase_m\": 0.3302,", "\"period_us\": 1000,", "geometry.period_us", "nearest valid name: timing.period_us"),
    sim("\"reversed\": false", "\"inverted\": false", "calibration.steering.inverted", "expected a key of this block: pin, min_us"),
    sim("\"cells\": 2", "\"colour\": 2", "battery.colour", "found an unknown key"),
    sim("\"cells\": 2", "\"cells\": 2, \"cells\": 3", "battery.cells", "found it again"),
    sim("\"name\": \"sim-donkey\",", "", "name", "found no such key"),
    sim("\"board\": \"sim\",", "", "board", "expected one of sim, pi5, found no such key"),
    // Wrong types.
    sim("\"period_us\": 1000", "\"period_us\": \"1000\"", "timing.period_us", "expected an integer from 250 to 20000 (µs), found \"1000\""),
    sim("\"period_us\": 1000", "\"period_us\": 1000.5", "timing.period_us", "found 1000.5"),
    sim("\"period_us\": 1000", "\"period_us\": null", "timing.period_us", "found null"),
    sim("\"period_us\": 1000", "\"period_us\": [1000]", "timing.period_us", "found a list"),
    sim("\"priority\": 80", "\"priority\": true", "timing.priority", "found true"),
    sim("\"require_log\": false", "\"require_log\": 0", "sidecars.require_log", "expected true or false, found 0"),
    sim("\"name\": \"sim-donkey\"", "\"name\": 7", "name", "expected a text"),
    sim("\"soc\": {", "\"soc\": 4, \"sox\": {", "soc", "expected an object, found 4"),
    sim("\"required\": []", "\"required\": \"pilot\"", "sidecars.required", "expected a list of at most 6, found \"pilot\""),
    // Values outside their range.
    sim("\"period_us\": 1000", "\"period_us\": 0", "timing.period_us", "from 250 to 20000 (µs), found 0"),
    sim("\"period_us\": 1000", "\"period_us\": 1000000000", "timing.period_us", "found 1000000000"),
    sim("\"period_us\": 1000", "\"period_us\": -1000", "timing.period_us", "found -1000"),
    sim("\"period_us\": 1000", "\"period_us\": 18446744073709551616", "timing.period_us", "expected an integer"),
    sim("\"priority\": 80", "\"priority\": 99", "timing.priority", "from 1 to 98 (priority), found 99"),
    sim("\"pwm_hz\": 100", "\"pwm_hz\": 0", "calibration.pwm_hz", "from 40 to 400 (Hz), found 0"),
    sim("\"throttle_max\": 0.6", "\"throttle_max\": 1.01", "limits.throttle_max", "from 0.0 to 1.0"),
    sim("\"throttle_max\": 0.6", "\"throttle_max\": -0.1", "limits.throttle_max", "found -0.1"),
    sim("\"throttle_max\": 0.6", "\"throttle_max\": 1e999", "limits.throttle_max", "found `1e999`"),
    sim("\"throttle_max\": 0.6", "\"throttle_max\": NaN", "limits.throttle_max", "found `NaN`"),
    sim("\"throttle_max\": 0.6", "\"throttle_max\": -Infinity", "limits.throttle_max", "found `-Infinity`"),
    sim("\"min_us\": 1000", "\"min_us\": 100", "calibration.steering.min_us", "from 500 to 2500 (µs), found 100"),
    sim("\"stop_category\": 1", "\"stop_category\": 2", "limits.stop_category", "from 0 to 1"),
    sim("\"estop_pin\": null", "\"estop_pin\": 28", "pins.estop_pin", "from 0 to 27 or null (BCM pin), found 28"),
    sim("\"uids\": []", "\"uids\": [4294967296]", "operators.uids.0", "found 4294967296"),
    // Names out of a list.
    sim("\"board\": \"sim\"", "\"board\": \"simm\"", "board", "expected one of sim, pi5, found \"simm\"; nearest valid name: sim"),
    sim("\"spin_mode\": \"off\"", "\"spin_mode\": \"fix\"", "timing.spin_mode", "nearest valid name: fixed"),
    sim("\"required\": []", "\"required\": [\"rlds_logger\"]", "sidecars.required.0", "nearest valid name: rlds-logger"),
    sim("\"base_link\"", "\"baselink\"", "rlds_logger.frame_convention", "nearest valid name: base_link"),
    // Rules between keys.
    sim("\"name\": \"sim-donkey\"", "\"name\": \"Sim Donkey\"", "name", "expected 1 to 24 of a-z, 0-9 and `-`"),
    sim("\"name\": \"sim-donkey\"", "\"name\": \"../../etc\"", "name", "found \"../../etc\""),
    sim("\"name\": \"sim-donkey\"", "\"name\": \"a-name-that-is-much-too-long\"", "name", "1 to 24"),
    sim("\"deadline_us\": 1000", "\"deadline_us\": 1001", "timing.deadline_us", "at most 1000 (the period), found 1001"),
    sim("\"late_after_us\": 5000", "\"late_after_us\": 300000", "timing.late_after_us", "at most 250000"),
    sim("\"spin_window_us\": 200", "\"spin_window_us\": 501", "timing.spin_window_us", "at most 500 (half the period"),
    sim("\"min_us\": 1000, \"neutral_us\": 1500, \"max_us\": 2000", "\"min_us\": 2000, \"neutral_us\": 1500, \"max_us\": 1000", "calibration.steering.min_us", "expected less than max_us, 1000, found 2000"),
    sim("\"neutral_us\": 1500", "\"neutral_us\": 2100", "calibration.steering.neutral_us", "between min_us, 1000, and max_us, 2000"),
    sim("\"neutral_us\": 1500", "\"neutral_us\": 1000", "calibration.steering.neutral_us", "found 1000"),
    sim("\"throttle_slew_per_s\": 2.0", "\"throttle_slew_per_s\": 1.0", "limits.throttle_slew_per_s", "at least 1.200 (throttle_max and reverse_max must ramp down within safe_stop_ms)"),
    sim("\"heartbeat_late_ms\": 200", "\"heartbeat_late_ms\": 500", "timeouts.heartbeat_late_ms", "less than heartbeat_lost_ms, 500"),
    sim("\"reset_press_min_ms\": 50", "\"reset_press_min_ms\": 2000", "timeouts.reset_press_min_ms", "less than reset_press_max_ms"),
    sim("\"critical_v_per_cell\": 3.0", "\"critical_v_per_cell\": 3.4", "battery.critical_v_per_cell", "at most 3.3"),
    sim("\"degraded_v_per_cell\": 3.3", "\"degraded_v_per_cell\": 3.6", "battery.degraded_v_per_cell", "at most 3.5"),
    sim("\"critical_c\": 88.0", "\"critical_c\": 80.0", "soc.critical_c", "at least 82"),
    sim("\"degraded_c\": 82.0", "\"degraded_c\": 70.0", "soc.degraded_c", "at least 75"),
    sim("\"required\": []", "\"required\": [\"pilot\", \"pilot\"]", "sidecars.required", "each sidecar once"),
    sim("\"command_valid_ms\": 80", "\"command_valid_ms\": 10", "pilot.command_valid_ms", "at least 20 (one pilot period)"),
    sim("\"command_valid_ms\": 80", "\"command_valid_ms\": 1001", "pilot.command_valid_ms", "at most 1000 (timeouts.command_expiry_max_ms)"),
    sim("\"command_valid_ms\": 120", "\"command_valid_ms\": 141", "teleop.command_valid_ms", "at most 140 (timeouts.teleop_stale_ms)"),
    sim("\"command_valid_ms\": 120", "\"command_valid_ms\": 19", "teleop.command_valid_ms", "at least 20 (one teleop period)"),
    sim("\"rate_hz\": 50,\n    \"command_valid_ms\": 120", "\"rate_hz\": 14,\n    \"command_valid_ms\": 120", "teleop.rate_hz", "at least 15 (two commands within timeouts.teleop_stale_ms)"),
    sim("\"abs_ry\"", "\"abs_x\"", "teleop.pad.throttle_axis", "a stick of its own"),
    sim("\"btn_east\"", "\"btn_tl\"", "teleop.pad.estop_button", "a button of its own, found that of teleop.pad.dead_man_button"),
    sim("\"btn_east\"", "\"btn_est\"", "teleop.pad.estop_button", "btn_east"),
    pi5("\"key_hold_ms\": 300", "\"key_hold_ms\": 301", "teleop.key_hold_ms", UNSAFE),
    pi5("\"key_first_hold_ms\": 700", "\"key_first_hold_ms\": 701", "teleop.key_first_hold_ms", UNSAFE),
    sim("\"rate_hz\": 50", "\"rate_hz\": 21", "pilot.rate_hz", "at least 22 (two commands within timeouts.pilot_stale_ms)"),
    sim("\"episodes_dir\": \"rlds/episodes\"", "\"episodes_dir\": \"\"", "rlds_logger.episodes_dir", "the path of a folder"),
    sim("\"episode_begins\": \"start\"", "\"episode_begins\": \"armed\"", "rlds_logger.episode_begins", "nearest valid name: arm"),
    sim("\"episode_max_s\": null", "\"episode_max_s\": 86401", "rlds_logger.episode_max_s", "from 0 to 86400 or null (s), found 86401"),
    sim("\"free_min_mb\": 256", "\"free_min_mb\": -1", "rlds_logger.free_min_mb", "from 0 to 1000000 (MB), found -1"),
    pi5("\"keep_mb\": null", "\"keep_mb\": 999", "rlds_logger.keep_mb", "at least 1000 (rlds_logger.episode_max_mb), found 999"),
    sim("\"keep_days\": null", "\"keep_day\": null", "rlds_logger.keep_day", "nearest valid name: rlds_logger.keep_days"),
    sim("\"drive laps of the track\"", "\"drive\\nlaps\"", "rlds_logger.task", "one line of text"),
    sim("\"imu_i2c_address\": null", "\"imu_i2c_address\": 104", "sensors.imu_i2c_address", "null, as long as i2c_bus is"),
    // Wiring.
    pi5("\"relay_pin\": 25", "\"relay_pin\": 24", "pins.relay_pin", "expected a pin of its own, found pin 24, as pins.heartbeat_pin"),
    pi5("\"arm_pin\": 23", "\"arm_pin\": 12", "pins.arm_pin", "pin 12, as calibration.steering.pin"),
    pi5("\"arm_pin\": 23", "\"arm_pin\": 3", "pins.arm_pin", "a pin that I²C bus 1 does not need, found pin 3"),
    pi5("\"estop_pin\": 17", "\"estop_pin\": null", "pins.estop_pin", "needed on a real board"),
    pi5("\"relay_pin\": 25", "\"relay_pin\": 5", "pins.relay_pin", "from 9 to 27 (pulled down at boot), found 5"),
    pi5("\"pin\": 13", "\"pin\": 20", "calibration.throttle.pin", "a pin with PWM: 12, 13, 14, 15, 18 or 19, found 20"),
    pi5("\"pin\": 13", "\"pin\": null", "calibration.throttle.pin", "needed on a real board"),
    pi5("\"battery_i2c_address\": 65", "\"battery_i2c_address\": 104", "sensors.battery_i2c_address", "an address of its own"),
    pi5("\"pilot\": 6103", "\"pilot\": 6101", "uids.pilot", "a user of its own, found 6101, as uids.teleop"),
    pi5("\"pilot\": 6103", "\"pilot\": null", "uids.pilot", "a user of its own on a real board, found null: that of the loop"),
    // Limits of a real board.
    pi5("\"late_after_us\": 500", "\"late_after_us\": 501", "timing.late_after_us", "at most 500 (half the period: a real board may not be looser than safety.md)"),
    pi5("\"late_consecutive\": 2", "\"late_consecutive\": 3", "timing.late_consecutive", UNSAFE),
    pi5("\"late_per_1000\": 5", "\"late_per_1000\": 6", "timing.late_per_1000", UNSAFE),
    pi5("\"neutral_after_us\": 20000", "\"neutral_after_us\": 20001", "timing.neutral_after_us", UNSAFE),
    pi5("\"teleop_stale_ms\": 140", "\"teleop_stale_ms\": 141", "timeouts.teleop_stale_ms", UNSAFE),
    pi5("\"inference_stale_ms\": 190", "\"inference_stale_ms\": 191", "timeouts.inference_stale_ms", UNSAFE),
    pi5("\"pilot_stale_ms\": 90", "\"pilot_stale_ms\": 91", "timeouts.pilot_stale_ms", UNSAFE),
    pi5("\"heartbeat_lost_ms\": 500", "\"heartbeat_lost_ms\": 501", "timeouts.heartbeat_lost_ms", UNSAFE),
    pi5("\"command_expiry_max_ms\": 1000", "\"command_expiry_max_ms\": 1001", "timeouts.command_expiry_max_ms", UNSAFE),
    pi5("\"safe_stop_ms\": 500", "\"safe_stop_ms\": 501", "limits.safe_stop_ms", UNSAFE),
    pi5("\"arming_ms\": 1000", "\"arming_ms\": 999", "limits.arming_ms", UNSAFE),
    pi5("\"centre_after_ms\": 1000", "\"centre_after_ms\": 999", "limits.centre_after_ms", UNSAFE),
    pi5("\"critical_c\": 88.0", "\"critical_c\": 89.0", "soc.critical_c", UNSAFE),
    pi5("\"critical_v_per_cell\": 3.0", "\"critical_v_per_cell\": 2.9", "battery.critical_v_per_cell", UNSAFE),
    pi5("\"imu_max_m_per_s2\": 160.0", "\"imu_max_m_per_s2\": 161.0", "limits.imu_max_m_per_s2", UNSAFE),
    pi5("\"stall_throttle\": 0.25", "\"stall_throttle\": 0.31", "limits.stall_throttle", UNSAFE),
    pi5("\"stall_after_ms\": 1000", "\"stall_after_ms\": 1001", "limits.stall_after_ms", UNSAFE),
    pi5("\"runaway_after_ms\": 500", "\"runaway_after_ms\": 501", "limits.runaway_after_ms", UNSAFE),
    pi5("\"runaway_margin_m_per_s\": 0.3", "\"runaway_margin_m_per_s\": 0.51", "limits.runaway_margin_m_per_s", "at most 0.5 (more would let a real board run away at walking pace)"),
    pi5("\"coast_down_min_m_per_s2\": 0.3", "\"coast_down_min_m_per_s2\": 0.0", "limits.coast_down_min_m_per_s2", "more than 0 (a real board that never slows down would never run away), found 0"),
    pi5("\"teleop_age_max_ms\": 250", "\"teleop_age_max_ms\": 251", "timeouts.teleop_age_max_ms", UNSAFE),
    pi5("\"heartbeat_late_ms\": 200", "\"heartbeat_late_ms\": 201", "timeouts.heartbeat_late_ms", UNSAFE),
    pi5("\"estop_discrepancy_ms\": 20", "\"estop_discrepancy_ms\": 21", "timeouts.estop_discrepancy_ms", UNSAFE),
    pi5("\"relay_feedback_ms\": 100", "\"relay_feedback_ms\": 101", "timeouts.relay_feedback_ms", UNSAFE),
    pi5("\"undervoltage_ms\": 1000", "\"undervoltage_ms\": 1001", "timeouts.undervoltage_ms", UNSAFE),
    pi5("\"reset_press_max_ms\": 2000", "\"reset_press_max_ms\": 2001", "timeouts.reset_press_max_ms", UNSAFE),
    pi5("\"reset_press_min_ms\": 50", "\"reset_press_min_ms\": 49", "timeouts.reset_press_min_ms", UNSAFE),
    pi5("\"warn_v_per_cell\": 3.5", "\"warn_v_per_cell\": 3.4", "battery.warn_v_per_cell", UNSAFE),
    pi5("\"degraded_v_per_cell\": 3.3", "\"degraded_v_per_cell\": 3.2", "battery.degraded_v_per_cell", UNSAFE),
    pi5("\"degraded_ms\": 2000", "\"degraded_ms\": 2001", "battery.degraded_ms", UNSAFE),
    pi5("\"warn_c\": 75.0", "\"warn_c\": 76.0", "soc.warn_c", UNSAFE),
    pi5("\"degraded_c\": 82.0", "\"degraded_c\": 83.0", "soc.degraded_c", UNSAFE),
    pi5("\"degraded_ms\": 5000", "\"degraded_ms\": 5001", "soc.degraded_ms", UNSAFE),
];

/// Line where `needle` begins, counted from 1.
fn line_of(text: &str, needle: &str) -> usize {
    1 + text[..text.find(needle).expect("the changed text")].matches('\n').count()
}

#[test]
fn each_bad_file_is_refused_with_its_key_and_reason() {
    let mut missed = Vec::new();
    for bad in BAD {
        assert!(bad.file.contains(bad.from), "the table is stale: {}", bad.from);
        let text = bad.file.replacen(bad.from, bad.to, 1);
        let errors = Robot::from_json(&text, "bad.json").expect_err(bad.to);
        let found = errors
            .iter()
            .find(|error| error.key == bad.key && error.to_string().contains(bad.told));
        let Some(error) = found else {
            missed.push(format!(
                "{} → {}\n  told: {errors}\n  expected: {}: {}",
                bad.from, bad.to, bad.key, bad.told
            ));
            continue;
        };
        let start = format!("bad.json:{}:{}: {}: expected ", error.line, error.column, bad.key);
        assert!(error.to_string().starts_with(&start), "{error}");
        let is_missing = bad.to.is_empty();
        let is_at_its_line = error.line == line_of(bad.file, bad.from);
        assert!(is_missing || is_at_its_line, "{error}");
        // One slip is one complaint, but for a value that several rules know.
        assert!(errors.iter().count() <= 3, "{} → {}: {errors}", bad.from, bad.to);
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn simulated_board_may_be_looser_than_a_real_one() {
    for bad in BAD.iter().filter(|bad| bad.told.contains(UNSAFE)) {
        let text = bad.file.replacen(bad.from, bad.to, 1).replacen(
            "\"board\": \"pi5\"",
            "\"board\": \"sim\"",
            1,
        );
        Robot::from_json(&text, "sim.json").unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_in_the_order_of_the_lines() {
    let text =
        "{\n\"name\": \"a\",\n\"bord\": \"sim\",\n\"timing\": {\"period_us\": 1},\n\"soc\": []\n}";
    let errors = Robot::from_json(text, "a.json").expect_err("bad");
    let told: Vec<(usize, &str)> = errors.iter().map(|e| (e.line, e.key.as_str())).collect();
    assert_eq!(told, [(1, "board"), (3, "bord"), (4, "timing.period_us"), (5, "soc")]);
}

#[test]
fn text_that_is_not_json_is_told_with_its_place() {
    for (text, told) in [
        ("", "a.json:1:1: expected a value"),
        ("[]", "a.json:1:1: expected an object, found a list"),
        ("{\n\"name\": \"a\",\n}", "a.json:3:1: expected a key in quotes, found `}`"),
        ("{\n\"name\" \"a\"}", "a.json:2:8: name: expected `:`, found"),
        ("{\"name\": \"a\" \"board\": \"sim\"}", "expected `,` or `}`"),
        ("{\"name\": \"a\n\"}", "found a text without its end"),
        ("{\"name\": \"a\"} {}", "expected the end of the file"),
        ("// a comment\n{}", "found `//`"),
        ("{\"name\": 'a'}", "a.json:1:10: name: expected a value"),
        ("{\"name\": \"\\q\"}", "with a wrong escape"),
    ] {
        let errors = Robot::from_json(text, "a.json").expect_err(text).to_string();
        assert!(errors.contains(told), "{text}\n  told: {errors}\n  expected: {told}");
    }
}

#[test]
fn files_that_cannot_be_read_are_told_with_their_nearest_neighbour() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = |name: &str| folder.path().join(name);
    let refused = |name: &str| -> ConfigErrors { Robot::load(path(name)).expect_err(name) };
    std::fs::write(path("donkey.json"), SIM).expect("written");
    std::fs::write(path("latin.json"), b"{\n\"name\": \"\xe9\"}").expect("written");
    std::fs::write(path("long.json"), " ".repeat(1 << 20)).expect("written");

    let missing = refused("donky.json").to_string();
    assert!(missing.contains("expected a readable robot file, found no such file"), "{missing}");
    assert!(missing.ends_with("donkey.json"), "{missing}");
    assert!(
        refused("latin.json")
            .to_string()
            .contains("latin.json:2: expected UTF-8 text, found the byte 0xe9")
    );
    assert!(refused("long.json").to_string().contains("at most 262144 bytes"));
    assert!(refused("").to_string().contains("found a directory"));
    let unknown = Robot::resolve("sim-donky").expect_err("unknown").to_string();
    assert!(unknown.ends_with("nearest valid name: sim-donkey"), "{unknown}");
}

#[test]
fn a_byte_order_mark_is_no_error() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("bom.json");
    std::fs::write(&path, format!("\u{feff}{SIM}")).expect("written");
    Robot::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn a_pulse_that_does_not_fit_its_frame_is_refused() {
    let errors = Robot::resolve("sim-donkey")
        .and_then(|robot| {
            robot.edited(|file| {
                file.calibration.pwm_hz = 400;
                file.calibration.throttle.max_us = 2400;
            })
        })
        .expect_err("2400 µs of 2500")
        .to_string();
    assert!(errors.contains("calibration.throttle.max_us: expected at most 2300"), "{errors}");
}

#[test]
fn a_change_in_memory_is_checked_like_a_file() {
    let robot = Robot::resolve("pi5-donkey").expect("valid");
    let nan = |file: &mut RobotFile| file.limits.throttle_max = f64::NAN;
    let errors = robot.edited(nan).expect_err("NaN is written as null").to_string();
    assert!(errors.contains("limits.throttle_max: expected a number from 0.0 to 1.0"), "{errors}");
    assert!(robot.edited(|file| file.timing.late_consecutive = 9).is_err());
}

#[test]
fn a_throttle_too_slow_for_its_period_is_refused() {
    let errors = Robot::resolve("sim-donkey")
        .and_then(|robot| {
            robot.edited(|file| {
                file.timing = file.timing.at_period_us(250);
                file.limits.throttle_slew_per_s = 0.06;
                file.limits.throttle_max = 0.02;
                file.limits.reverse_max = 0.0;
            })
        })
        .expect_err("66667 levels")
        .to_string();
    assert!(errors.contains("limits.throttle_slew_per_s: expected at least 0.122"), "{errors}");
}
