//! The robots in configs/ load, mean what they say, and are described by the published schema.

use rt_config::{Board, Robot, RobotFile, Sidecar, explain, schema};
use rt_wire::{HEARTBEAT_SOURCES, LimitsFlags, Microseconds, SOURCES, Source};
use std::path::{Path, PathBuf};

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

fn robot(name: &str) -> Robot {
    Robot::resolve(name).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn every_robot_in_configs_loads_and_is_named_as_its_file() {
    let mut count = 0;
    for entry in std::fs::read_dir(configs().join("robots")).expect("configs/robots") {
        let path = entry.expect("entry").path();
        let robot = Robot::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(Some(robot.name()), path.file_stem().and_then(|stem| stem.to_str()));
        count += 1;
    }
    assert!(count >= 2, "{count} robots");
}

#[test]
fn published_schema_is_current() {
    let path = configs().join("schema/robot.schema.json");
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == schema(),
        "{}: differs from the Rust types; `cargo xtask fix` writes it anew",
        path.display()
    );
}

#[test]
fn every_key_has_a_sentence_and_every_number_a_range_a_unit_and_a_default() {
    fn visit(schema: &serde_json::Value, path: &str, count: &mut usize) {
        for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            let sentence = schema["description"].as_str().unwrap_or_default();
            assert!(sentence.ends_with('.'), "{path}: no sentence: {sentence}");
            let is_number = ["integer", "number"]
                .iter()
                .any(|name| schema["type"] == *name || schema["type"][0] == *name);
            if is_number {
                for needed in ["minimum", "maximum", "x-unit", "default"] {
                    assert!(schema.get(needed).is_some(), "{path}: no {needed}");
                }
                *count += 1;
            }
            visit(schema, &path, count);
        }
    }
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("JSON");
    let mut count = 0;
    visit(&schema, "", &mut count);
    assert!(count > 50, "{count} numbers");
}

#[test]
fn simulated_and_real_robot_differ_where_they_should() {
    let (sim, pi5) = (robot("sim-donkey"), robot("pi5-donkey"));
    assert!(!sim.limits().flags.has(LimitsFlags::REAL_BOARD));
    assert!(pi5.limits().flags.has(LimitsFlags::REAL_BOARD | LimitsFlags::ESTOP_TWO_CHANNELS));
    assert!(sim.limits().late_after_ns > pi5.limits().late_after_ns);
    assert_eq!(pi5.file().uids.of("rlds-logger"), Some(6104));
    assert_eq!(sim.file().uids.of("rlds-logger"), None);
}

#[test]
fn limits_are_the_numbers_of_the_file_in_the_kernels_units() {
    let limits = robot("pi5-donkey").limits();
    assert_eq!((limits.period_ns, limits.deadline_ns), (1_000_000, 1_000_000));
    assert_eq!((limits.late_after_ns, limits.neutral_after_ns), (500_000, 20_000_000));
    assert_eq!((limits.late_consecutive, limits.late_per_1000), (2, 5));
    assert_eq!(SOURCES, [Source::Teleop, Source::Inference, Source::Pilot]);
    assert_eq!(limits.stale_cycles, [140, 190, 90]);
    assert_eq!((limits.arming_cycles, limits.safe_stop_cycles), (1000, 500));
    // 2.0 of full throttle a second is 500 cycles from neutral to full.
    assert_eq!(limits.level_max, 500);
    assert_eq!((limits.level_forward_max, limits.level_reverse_max), (150, 100));
    assert_eq!(limits.steering_slew_micro_per_cycle, 10_000);
    assert_eq!((limits.battery_low_mv, limits.battery_critical_mv), (6600, 6000));
    assert_eq!(limits.temperature_high_milli_c, 82_000);
    assert_eq!(limits.temperature_critical_milli_c, 88_000);
    assert_eq!(limits.temperature_warn_milli_c, 75_000);
    assert_eq!(limits.battery_warn_mv, 7000);
    assert_eq!(limits.imu_max_mm_per_s2, 160_000);
    assert_eq!(limits.teleop_age_max_ns, 250_000_000);
    assert_eq!((limits.stall_level, limits.stall_after_ns), (125, 1_000_000_000));
    assert_eq!((limits.standstill_mm_per_s, limits.coast_down_min_mm_per_s2), (50, 300));
    assert_eq!((limits.runaway_margin_mm_per_s, limits.runaway_after_ns), (300, 500_000_000));
    assert_eq!(limits.command_expiry_max_ns, 1_000_000_000);
    assert_eq!((limits.heartbeat_late_ns, limits.heartbeat_lost_ns), (200_000_000, 500_000_000));
    assert_eq!((limits.reset_press_min_ns, limits.reset_press_max_ns), (50_000_000, 2_000_000_000));
    assert_eq!((limits.estop_discrepancy_ns, limits.relay_feedback_ns), (20_000_000, 100_000_000));
    assert_eq!(
        (limits.battery_dwell_ns, limits.temperature_dwell_ns),
        (2_000_000_000, 5_000_000_000)
    );
    assert_eq!(
        (limits.undervoltage_dwell_ns, limits.centre_after_ns),
        (1_000_000_000, 1_000_000_000)
    );
    assert_eq!(limits.stop_category, 1);
    assert_eq!(
        [limits.steering_min, limits.steering_neutral, limits.steering_max]
            .map(|Microseconds(us)| us),
        [1100, 1500, 1900]
    );
    assert_eq!(
        [limits.throttle_min, limits.throttle_neutral, limits.throttle_max]
            .map(|Microseconds(us)| us),
        [1000, 1500, 2000]
    );
}

#[test]
fn a_stall_is_looked_for_at_its_throttle_or_sooner() {
    let level = |stall: f64| {
        let edited = robot("pi5-donkey").edited(|file| file.limits.stall_throttle = stall);
        edited.unwrap_or_else(|errors| panic!("{errors}")).limits().stall_level
    };
    assert_eq!(level(0.25), 125);
    // Between two levels the lower one; the caps of both directions are the kernel's to look at.
    assert_eq!(level(0.2519), 125);
    assert_eq!(level(0.3), 150);
}

#[test]
fn limits_follow_the_period_and_never_become_looser_by_rounding() {
    let slow = robot("pi5-donkey")
        .edited(|file| file.timing = file.timing.at_period_us(7000))
        .unwrap_or_else(|errors| panic!("{errors}"));
    let limits = slow.limits();
    assert_eq!((limits.period_ns, limits.late_after_ns), (7_000_000, 3_500_000));
    assert!(limits.stale_cycles[2] * 7 <= 90, "{:?}", limits.stale_cycles);
    assert!(limits.arming_cycles * 7 >= 1000, "{}", limits.arming_cycles);
    // One level a cycle: full throttle may not be reached faster than the slew limit allows.
    assert!(f64::from(limits.level_max) * 0.007 >= 0.5, "{}", limits.level_max);
}

#[test]
fn required_sidecars_are_the_bits_of_the_heartbeat_sources() {
    let all = [
        Sidecar::Teleop,
        Sidecar::Inference,
        Sidecar::Pilot,
        Sidecar::RldsLogger,
        Sidecar::Camera,
        Sidecar::Trainer,
    ];
    assert_eq!(all.len(), HEARTBEAT_SOURCES.len());
    for (i, (sidecar, source)) in all.into_iter().zip(HEARTBEAT_SOURCES).enumerate() {
        let name = serde_json::to_value(sidecar).expect("a name");
        assert_eq!(name, source);
        let robot = robot("sim-donkey")
            .edited(|file| file.sidecars.required = vec![sidecar])
            .unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(robot.limits().heartbeats_required, 1 << i, "{source}");
    }
}

#[test]
fn switches_of_the_file_are_flags_of_the_limits() {
    let robot = robot("sim-donkey")
        .edited(|file| {
            file.calibration.steering.reversed = true;
            file.sidecars.require_log = true;
        })
        .unwrap_or_else(|errors| panic!("{errors}"));
    let expected = LimitsFlags::STEERING_REVERSED | LimitsFlags::REQUIRE_LOG;
    assert_eq!(robot.limits().flags, expected);
}

#[test]
fn a_file_with_only_its_required_keys_cannot_move() {
    let robot = Robot::from_json(r#"{"name": "bare", "board": "sim"}"#, "bare.json")
        .unwrap_or_else(|errors| panic!("{errors}"));
    let limits = robot.limits();
    assert_eq!((limits.level_forward_max, limits.level_reverse_max), (0, 0));
    for pulse in
        [limits.steering_min, limits.steering_max, limits.throttle_min, limits.throttle_max]
    {
        assert_eq!(pulse, Microseconds(1500));
    }
}

#[test]
fn canonical_form_reads_back_as_the_same_robot_with_the_same_hash() {
    for name in Robot::builtin_names() {
        let robot = robot(name);
        let again =
            Robot::from_json(robot.json(), name).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(robot, again);
    }
}

#[test]
fn hash_ignores_layout_and_sees_every_value() {
    let terse = Robot::from_json(r#"{"board":"sim","name":"a"}"#, "a").expect("valid");
    let empty = RobotFile::empty("a".to_owned(), Board::Sim);
    assert_eq!(terse.hash(), Robot::from_file(&empty).expect("valid").hash());
    let other = terse.edited(|file| file.timing.late_per_1000 = 4).expect("valid");
    assert_ne!(terse.hash(), other.hash());
}

#[test]
fn explain_tells_value_origin_range_default_and_sentence_of_each_key() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("a.json");
    std::fs::write(
        &path,
        "{\"name\": \"a\", \"board\": \"sim\",\n\"timing\": {\"period_us\": 2000}}",
    )
    .expect("written");
    let text = explain(&path.display().to_string()).unwrap_or_else(|errors| panic!("{errors}"));
    let (_, period) = text.split_once("  timing.period_us = 2000 µs\n").expect("the key");
    let mut lines = period.lines().map(str::trim);
    assert_eq!(lines.next(), Some("Nominal time between two releases of the loop."));
    assert_eq!(lines.next(), Some("an integer from 250 to 20000 (µs); default 1000; line 2"));
    assert!(text.contains("from 1 to 98 (priority); default 80; default, not in the file"));
    assert!(text.contains("auto: Wakes early by the measured wake-up latency"));
}
