//! A car on a large oval, stepped by a robot that does its duty: 1 kHz, heartbeat, relay.

use hil::plant::{Inputs, Plant, PlantParams, Track, TrackPoint};

pub(crate) const CYCLE_NS: u64 = 1_000_000;
pub(crate) const START_NS: u64 = 5_000_000_000;

/// Two straights of 8 m joined by half circles of 1.5 m, 1.2 m wide, counter-clockwise.
pub(crate) fn oval() -> Track {
    let mut points = Vec::new();
    let mut add = |x_m: f64, y_m: f64| {
        points.push(TrackPoint { x_m, y_m, w_right_m: 0.6, w_left_m: 0.6 });
    };
    for step in 0..32 {
        add(f64::from(step) * 0.25, 0.0);
    }
    for step in 0..24 {
        let (sin, cos) = libm::sincos(f64::from(step) * std::f64::consts::PI / 24.0);
        add(8.0 + 1.5 * sin, 1.5 - 1.5 * cos);
    }
    for step in 0..32 {
        add(8.0 - f64::from(step) * 0.25, 3.0);
    }
    for step in 0..24 {
        let (sin, cos) = libm::sincos(f64::from(step) * std::f64::consts::PI / 24.0);
        add(-1.5 * sin, 1.5 + 1.5 * cos);
    }
    Track::new(&points).expect("the oval is a track")
}

pub(crate) struct Rig {
    pub plant: Plant,
    pub inputs: Inputs,
    pub now_ns: u64,
    /// Whether the robot toggles its heartbeat pin.
    pub alive: bool,
}

impl Rig {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            plant: Plant::new(PlantParams::donkey_1_10(), oval(), seed, START_NS),
            inputs: Inputs {
                steering_pulse_us: 1500.0,
                throttle_pulse_us: 1500.0,
                relay_on: true,
                ..Inputs::default()
            },
            now_ns: START_NS,
            alive: true,
        }
    }

    /// A rig whose speed controller has booted.
    pub(crate) fn armed(seed: u64) -> Self {
        let mut rig = Self::new(seed);
        rig.run(700);
        assert!(rig.plant.status().controller_ready);
        rig
    }

    pub(crate) fn run(&mut self, cycles: u64) {
        for _ in 0..cycles {
            self.now_ns += CYCLE_NS;
            if self.alive {
                self.inputs.heartbeat_edges += 1;
                self.inputs.heartbeat_level = !self.inputs.heartbeat_level;
            }
            self.plant.step(self.now_ns, &self.inputs);
        }
    }

    /// Brings the car to a speed and keeps it: a PI controller on the true speed.
    pub(crate) fn hold_speed(&mut self, speed_m_per_s: f64, cycles: u64) {
        let mut sum_us = 0.0;
        for _ in 0..cycles {
            let error = speed_m_per_s - self.plant.status().motion.forward_m_per_s;
            sum_us = (sum_us + 0.2 * error).clamp(0.0, 300.0);
            let pulse_us = 1530.0 + 60.0 * speed_m_per_s + 150.0 * error + sum_us;
            self.inputs.throttle_pulse_us = pulse_us.clamp(1500.0, 2000.0);
            self.run(1);
        }
    }

    pub(crate) fn forward(&self) -> f64 {
        self.plant.status().motion.forward_m_per_s
    }
}
