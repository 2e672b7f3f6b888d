//! How long the plant computes for a simulated millisecond: `cargo run --release -p hil --example
//! plant_speed`. A figure for people; nothing is asserted.

use std::time::Instant;

use hil::plant::{Inputs, Plant, PlantParams, Track, TrackPoint};

const CYCLES: u64 = 2_000_000;

fn main() -> Result<(), hil::plant::TrackError> {
    let point = |step: i32| {
        let (sin, cos) = libm::sincos(f64::from(step) * std::f64::consts::TAU / 120.0);
        TrackPoint { x_m: 1.6 * cos, y_m: 1.6 * sin, w_right_m: 0.5, w_left_m: 0.5 }
    };
    let track = Track::new(&(0..120).map(point).collect::<Vec<_>>())?;
    let mut plant = Plant::new(PlantParams::donkey_1_10(), track, 1, 0);
    let mut inputs = Inputs { relay_on: true, steering_pulse_us: 1500.0, ..Inputs::default() };
    let started = Instant::now();
    for cycle in 1..=CYCLES {
        inputs.heartbeat_edges += 1;
        inputs.heartbeat_level = !inputs.heartbeat_level;
        inputs.throttle_pulse_us = if cycle < 700 { 1500.0 } else { 1700.0 };
        inputs.steering_pulse_us = 1710.0;
        plant.step(cycle * 1_000_000, &inputs);
        std::hint::black_box(plant.sensors());
    }
    let elapsed = started.elapsed();
    let status = plant.status();
    println!(
        "{CYCLES} simulated ms in {elapsed:.2?}: {:.0} ns for a millisecond, {:.0} times real time",
        elapsed.as_nanos() as f64 / CYCLES as f64,
        CYCLES as f64 * 1e-3 / elapsed.as_secs_f64(),
    );
    println!(
        "laps {}, {:.0} m, off-track {}, battery {:.2} V, state {:016x}, plant {:016x}",
        status.laps,
        status.distance_m,
        status.off_track_count,
        status.battery_v,
        plant.state_hash(),
        status.params_hash,
    );
    Ok(())
}
