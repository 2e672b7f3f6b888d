//! How the car moves: rest, speed, bends, energy.

use hil::plant::PlantParams;
use proptest::prelude::*;

use crate::rig::{CYCLE_NS, Rig, START_NS};

#[test]
fn car_at_standstill_stays() {
    let mut rig = Rig::armed(1);
    let before = rig.plant.status().motion;
    for steering_pulse_us in [1000.0, 2000.0, 1500.0] {
        rig.inputs.steering_pulse_us = steering_pulse_us;
        rig.run(2000);
    }
    assert_eq!(rig.plant.status().motion, before, "not by a bit");
    assert_eq!(rig.plant.status().distance_m, 0.0);
}

#[test]
fn a_little_throttle_does_not_break_friction() {
    let mut rig = Rig::armed(1);
    rig.inputs.throttle_pulse_us = 1540.0;
    rig.inputs.steering_pulse_us = 1900.0;
    rig.run(2000);
    assert_eq!(rig.plant.status().distance_m, 0.0);
}

#[test]
fn full_throttle_reaches_a_plausible_top_speed() {
    let mut rig = Rig::armed(1);
    rig.inputs.throttle_pulse_us = 2000.0;
    rig.run(1000);
    let after_1_s = rig.forward();
    rig.run(7000);
    let top = rig.forward();
    rig.run(500);
    assert!((2.0..6.5).contains(&after_1_s), "{after_1_s} m/s after a second");
    assert!((5.0..8.0).contains(&top), "{top} m/s");
    assert!((rig.forward() - top).abs() < 0.02, "settled at {top}");
    let lean = rig.plant.status().motion.left_m_per_s.abs();
    assert!(lean < 1e-6, "straight ahead, {lean} m/s sideways");
}

#[test]
fn reverse_is_weaker_than_forward() {
    let mut rig = Rig::armed(1);
    rig.inputs.throttle_pulse_us = 1000.0;
    rig.run(6000);
    let back = rig.forward();
    assert!((-4.0..-1.5).contains(&back), "{back} m/s");
}

/// Radius of the path of the rear axle in a settled bend.
fn settled_radius_m(speed_m_per_s: f64, steering_pulse_us: f64) -> (f64, f64) {
    let mut rig = Rig::armed(1);
    rig.inputs.steering_pulse_us = steering_pulse_us;
    rig.hold_speed(speed_m_per_s, 6000);
    let status = rig.plant.status();
    let motion = status.motion;
    let kinematic = PlantParams::donkey_1_10().wheelbase_m() / libm::tan(status.steering_rad);
    (motion.forward_m_per_s / motion.yaw_rate_rad_per_s, kinematic)
}

#[test]
fn slow_bends_are_kinematic() {
    for pulse_us in [1200.0, 1350.0, 1650.0, 1800.0, 2000.0] {
        let (radius, kinematic) = settled_radius_m(0.5, pulse_us);
        assert!((radius / kinematic - 1.0).abs() < 0.03, "{radius} m for {kinematic} m");
    }
}

#[test]
fn fast_bends_understeer() {
    let (slow, kinematic) = settled_radius_m(0.8, 1700.0);
    let (fast, _) = settled_radius_m(2.5, 1700.0);
    assert!(
        fast > 1.03 * slow,
        "{fast} m at 2.5 m/s, {slow} m at 0.8 m/s, kinematic {kinematic} m"
    );
}

#[test]
fn side_acceleration_stays_below_friction() {
    let mut rig = Rig::armed(1);
    rig.inputs.throttle_pulse_us = 1900.0;
    rig.run(2500);
    rig.inputs.steering_pulse_us = 2000.0;
    let limit = PlantParams::donkey_1_10().tyre.friction * 9.81;
    let mut most: f64 = 0.0;
    for _ in 0..1500 {
        rig.run(1);
        most = most.max(rig.plant.status().motion.accel_left_m_per_s2.abs());
    }
    assert!(most > 0.6 * limit, "{most} m/s2 in a bend at speed");
    assert!(
        most < 1.15 * limit,
        "{most} m/s2 of at most {limit} and drive force on steered wheels"
    );
}

#[test]
fn left_pulse_turns_left() {
    let mut rig = Rig::armed(1);
    rig.inputs.steering_pulse_us = 1800.0;
    rig.hold_speed(1.0, 1500);
    let motion = rig.plant.status().motion;
    assert!(motion.yaw_rate_rad_per_s > 0.5 && motion.y_m > 0.1, "{motion:?}");
}

#[test]
fn car_thrown_sideways_comes_to_rest() {
    let mut rig = Rig::armed(1);
    rig.inputs.throttle_pulse_us = 2000.0;
    rig.run(3000);
    rig.inputs.steering_pulse_us = 2000.0;
    rig.run(400);
    rig.inputs.throttle_pulse_us = 1500.0;
    rig.run(8000);
    let before = rig.plant.status();
    rig.run(1000);
    assert_eq!(rig.plant.status().motion, before.motion);
    assert_eq!(before.motion.speed_m_per_s(), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        rng_seed: proptest::test_runner::RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn energy_never_grows_without_throttle(
        throttle_us in 1600.0..2000.0_f64,
        first_us in 1000.0..2000.0_f64,
        then_us in proptest::collection::vec(1000.0..2000.0_f64, 1..8),
        powered: bool,
    ) {
        let mut rig = Rig::armed(3);
        rig.inputs.throttle_pulse_us = throttle_us;
        rig.inputs.steering_pulse_us = first_us;
        rig.run(1500);
        rig.inputs.throttle_pulse_us = 1500.0;
        rig.inputs.relay_on = powered;
        // The frame, the relay and the duty ramp take a while to let go.
        rig.run(200);
        let mut energy = rig.plant.kinetic_energy_j();
        for steering_pulse_us in then_us {
            rig.inputs.steering_pulse_us = steering_pulse_us;
            for _ in 0..150 {
                rig.run(1);
                let now = rig.plant.kinetic_energy_j();
                prop_assert!(now <= energy, "{energy} J, then {now} J");
                energy = now;
            }
        }
    }

    #[test]
    fn no_input_makes_the_world_not_a_number(
        calls in proptest::collection::vec(
            (any::<f64>(), 400.0..2600.0_f64, any::<[bool; 3]>(), any::<u64>(), 0_u64..60_000_000),
            1..60,
        ),
    ) {
        let mut rig = Rig::armed(5);
        for (wild, tame, [swap, relay_on, level], edges, wait_ns) in calls {
            let (steering, throttle) = if swap { (wild, tame) } else { (tame, wild) };
            rig.inputs.steering_pulse_us = steering;
            rig.inputs.throttle_pulse_us = throttle;
            rig.inputs.relay_on = relay_on;
            rig.inputs.heartbeat_edges = edges;
            rig.inputs.heartbeat_level = level;
            rig.now_ns += wait_ns;
            rig.plant.step(rig.now_ns, &rig.inputs);
            rig.run(30);
            let status = rig.plant.status();
            let motion = status.motion;
            for value in [
                motion.x_m, motion.y_m, motion.yaw_rad, motion.forward_m_per_s,
                motion.left_m_per_s, motion.yaw_rate_rad_per_s, motion.accel_forward_m_per_s2,
                motion.accel_left_m_per_s2, status.steering_rad, status.battery_v,
                status.progress_m, status.beside_m, status.distance_m,
            ] {
                prop_assert!(value.is_finite(), "{status:?}");
            }
            prop_assert!(motion.speed_m_per_s() < 12.0, "{status:?}");
            prop_assert!(status.steering_rad.abs() <= 0.42, "{status:?}");
        }
    }
}

#[test]
fn time_that_stands_or_runs_back_changes_nothing() {
    let mut rig = Rig::armed(1);
    rig.hold_speed(1.0, 500);
    let hash = rig.plant.state_hash();
    for until_ns in [rig.now_ns, rig.now_ns - 5 * CYCLE_NS, START_NS, 0] {
        rig.plant.step(until_ns, &rig.inputs);
        assert_eq!(rig.plant.state_hash(), hash);
    }
}
