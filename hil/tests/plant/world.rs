//! The whole world: laps, sensors, lines, determinism.

use hil::plant::{Cuts, Faults, Lines, SensorSample};

use crate::rig::{CYCLE_NS, Rig};

/// Drives by the pose sensor alone: steers at a point ahead on the centre line.
fn drive(rig: &mut Rig, speed_m_per_s: f64, seconds: u64) {
    for _ in 0..seconds * 50 {
        let sample = rig.plant.sensors();
        let pose = sample.pose.value;
        let track = rig.plant.track();
        let ahead_m = track.project(pose.x_m, pose.y_m).along_m + 0.8;
        let (goal_x, goal_y) = on_oval(ahead_m.rem_euclid(track.length_m()));
        let (dx, dy) = (goal_x - pose.x_m, goal_y - pose.y_m);
        let (sin, cos) = libm::sincos(pose.yaw_rad);
        let side_m = cos * dy - sin * dx;
        let angle = libm::atan(2.0 * 0.3302 * side_m / (dx * dx + dy * dy));
        rig.inputs.steering_pulse_us = (1500.0 + angle / 0.4189 * 500.0).clamp(1000.0, 2000.0);
        let error = speed_m_per_s - sample.wheel_speed_m_per_s.value;
        let throttle_us = 1530.0 + 60.0 * speed_m_per_s + 150.0 * error;
        rig.inputs.throttle_pulse_us = throttle_us.clamp(1500.0, 1800.0);
        rig.run(20);
    }
}

/// The rig's oval by arc length.
fn on_oval(along_m: f64) -> (f64, f64) {
    let bend_m = 1.5 * std::f64::consts::PI;
    if along_m < 8.0 {
        (along_m, 0.0)
    } else if along_m < 8.0 + bend_m {
        let (sin, cos) = libm::sincos((along_m - 8.0) / 1.5);
        (8.0 + 1.5 * sin, 1.5 - 1.5 * cos)
    } else if along_m < 16.0 + bend_m {
        (16.0 + bend_m - along_m, 3.0)
    } else {
        let (sin, cos) = libm::sincos((along_m - 16.0 - bend_m) / 1.5);
        (-1.5 * sin, 1.5 + 1.5 * cos)
    }
}

#[test]
fn laps_are_driven_on_sensors_without_leaving_the_track() {
    let mut rig = Rig::armed(11);
    drive(&mut rig, 2.0, 40);
    let status = rig.plant.status();
    assert_eq!(status.off_track_count, 0, "{status:?}");
    assert!((2..=4).contains(&status.laps), "{status:?}");
    let best_s = status.best_lap_ns.expect("a lap") as f64 * 1e-9;
    let length_m = rig.plant.track().length_m();
    let mean_m_per_s = length_m / best_s;
    assert!((1.6..2.3).contains(&mean_m_per_s), "{length_m} m in {best_s} s");
    assert!(status.distance_m > 2.0 * length_m);
    assert_eq!(rig.plant.lap_times_ns().len() as u64, status.laps);
}

#[test]
fn straight_on_into_the_bend_is_one_excursion() {
    let mut rig = Rig::armed(11);
    rig.hold_speed(2.0, 6000);
    let status = rig.plant.status();
    assert!(status.is_off_track, "{status:?}");
    assert_eq!((status.off_track_count, status.laps), (1, 0));
    assert!(status.off_track_ns > 0);
}

#[test]
fn same_seed_and_inputs_give_the_same_bits() {
    let hashes = |seed: u64| -> Vec<u64> {
        let mut rig = Rig::armed(seed);
        (0..10)
            .map(|_| {
                drive(&mut rig, 2.0, 1);
                rig.plant.state_hash()
            })
            .collect()
    };
    assert_eq!(hashes(42), hashes(42));
    assert_ne!(hashes(42), hashes(43));
}

#[test]
fn trajectory_does_not_depend_on_how_time_is_cut_into_calls() {
    let mut coarse = Rig::armed(1);
    let mut fine = Rig::armed(1);
    for rig in [&mut coarse, &mut fine] {
        rig.inputs.throttle_pulse_us = 1700.0;
        rig.inputs.steering_pulse_us = 1600.0;
    }
    for cycle in 0..1000 {
        for rig in [&mut coarse, &mut fine] {
            rig.inputs.heartbeat_edges += 1;
            rig.inputs.heartbeat_level = cycle % 2 == 0;
            rig.now_ns += CYCLE_NS;
        }
        coarse.plant.step(coarse.now_ns, &coarse.inputs);
        for part_ns in [900_000, 700_000, 100_000, 0] {
            fine.plant.step(fine.now_ns - part_ns, &fine.inputs);
        }
    }
    assert!(coarse.forward() > 1.0);
    assert_eq!(coarse.plant.state_hash(), fine.plant.state_hash());
}

#[test]
fn sensors_tell_the_truth_within_their_noise_and_at_their_rates() {
    let mut rig = Rig::armed(9);
    rig.hold_speed(1.5, 3000);
    let sample = rig.plant.sensors();
    let motion = rig.plant.status().motion;
    let speed = sample.wheel_speed_m_per_s.value;
    assert!((speed / motion.forward_m_per_s - 1.0).abs() < 0.05, "{speed} for {motion:?}");
    assert!((sample.pose.value.x_m + 0.17145 - motion.x_m).abs() < 0.05);
    assert!((sample.imu.value.accel_m_per_s2[2] - 9.81).abs() < 0.8);
    assert!(sample.imu.value.gyro_rad_per_s[2].abs() < 0.05);
    assert!((7.0..8.4).contains(&sample.battery_v.value));
    assert!((sample.soc_temperature_c.value - 52.0).abs() < 2.0);
    for (name, mono_ns, period_ns) in [
        ("imu", sample.imu.mono_ns, 2_000_000),
        ("wheel", sample.wheel_speed_m_per_s.mono_ns, 10_000_000),
        ("pose", sample.pose.mono_ns, 10_000_000),
        ("battery", sample.battery_v.mono_ns, 50_000_000),
        ("temperature", sample.soc_temperature_c.mono_ns, 500_000_000),
    ] {
        assert!(rig.now_ns - mono_ns < period_ns, "{name} is {} ns old", rig.now_ns - mono_ns);
    }
    assert_eq!(sample.lines.mono_ns, rig.now_ns);
}

#[test]
fn cut_sensor_keeps_its_old_time_and_disturbs_no_other() {
    let mut whole = Rig::armed(9);
    let mut cut = Rig::armed(9);
    let before_ns = cut.plant.sensors().pose.mono_ns;
    let cuts = Cuts { pose: true, ..Cuts::default() };
    cut.plant.set_faults(Faults { cut: cuts, ..Faults::default() });
    whole.run(500);
    cut.run(500);
    let (with, without) = (whole.plant.sensors(), cut.plant.sensors());
    assert!(!without.pose.valid);
    assert_eq!(without.pose.mono_ns, before_ns);
    assert_eq!(SensorSample { pose: with.pose, ..without }, with);
    cut.plant.set_faults(Faults::default());
    cut.run(20);
    assert!(cut.plant.sensors().pose.valid, "it comes back");
}

#[test]
fn buttons_and_contacts_arrive_at_the_lines() {
    let mut rig = Rig::armed(9);
    let levels = rig.plant.sensors().lines.value;
    assert!(levels.estop_a_closed && levels.estop_b_closed && levels.relay_closed);
    assert!(!levels.reset_pressed && !levels.arm_pressed);
    rig.plant.set_lines(Lines { estop_pressed: true, reset_pressed: true, arm_pressed: true });
    let levels = rig.plant.sensors().lines.value;
    assert!(!levels.estop_a_closed && !levels.estop_b_closed);
    assert!(levels.reset_pressed && levels.arm_pressed);
    rig.plant.set_lines(Lines::default());
    rig.plant.set_faults(Faults { estop_b_stuck_open: true, ..Faults::default() });
    rig.run(5);
    let levels = rig.plant.sensors().lines.value;
    assert!(levels.estop_a_closed && !levels.estop_b_closed, "a discrepancy");
    assert!(!rig.plant.status().power_cut, "a broken sense contact does not open the circuit");
}

#[test]
fn hot_processor_is_felt() {
    let mut rig = Rig::armed(9);
    let faults = Faults { soc_temperature_c: Some(90.0), ..Faults::default() };
    rig.plant.set_faults(faults);
    rig.run(600);
    assert!((rig.plant.sensors().soc_temperature_c.value - 90.0).abs() < 2.0);
}
