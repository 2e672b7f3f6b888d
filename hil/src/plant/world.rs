//! The world in a step: pins in, car moved, sensors out.
//!
//! Decides the order in which the parts see each other within a step of [`STEP_NS`], on a fixed grid
//! from the start instant: pins → power → actuators → vehicle → sensors → judge. It must never read a
//! clock: time comes in, and the same calls give the same bits. Tests: `tests/plant/`.

use super::actuators::{SpeedController, SteeringServo, valid_pulse};
use super::hash::Fnv;
use super::interface::{Faults, Inputs, Lines, PlantStatus};
use super::judge::Judge;
use super::params::PlantParams;
use super::power::{Battery, Monostable, Relay};
use super::sensors::{LineLevels, Sampled, SensorSample, SensorSet, Truth};
use super::track::Track;
use super::vehicle::{GRAVITY_M_PER_S2, Motion, Push, Vehicle, length};

/// The plant's own step, in nanoseconds.
pub const STEP_NS: u64 = 500_000;
const STEP_S: f64 = STEP_NS as f64 * 1e-9;
/// The judge looks at every so many steps: a car moves millimetres in between.
const JUDGE_EVERY: u64 = 4;
/// Wheels that are blocked stand against any motor of this size.
const BLOCKED_N: f64 = 1e3;
/// Further behind than this the world does not catch up, it stands still for the rest: a process
/// that was stopped for hours must not compute hours.
const CATCH_UP_MAX_NS: u64 = 10_000_000_000;

/// The simulated car on its track.
#[derive(Debug, Clone)]
pub struct Plant {
    params: PlantParams,
    params_hash: u64,
    time_ns: u64,
    step_index: u64,
    skipped_ns: u64,
    edges_pending: u64,
    frame_ns: u64,
    next_frame_ns: u64,
    power_cut_since_ns: Option<u64>,
    distance_m: f64,
    travelled_m: f64,
    monostable: Monostable,
    relay: Relay,
    battery: Battery,
    servo: SteeringServo,
    controller: SpeedController,
    vehicle: Vehicle,
    sensors: SensorSet,
    judge: Judge,
    lines: Lines,
    faults: Faults,
}

impl Plant {
    /// A car at rest on the start line of `track`, without power, at the instant `start_ns`.
    pub fn new(params: PlantParams, track: Track, seed: u64, start_ns: u64) -> Self {
        let mut vehicle = Vehicle::new(&params);
        let (x_m, y_m, yaw_rad) = track.start();
        vehicle.motion = Motion { x_m, y_m, yaw_rad, ..Motion::default() };
        Self {
            params_hash: params.hash(),
            time_ns: start_ns,
            step_index: 0,
            skipped_ns: 0,
            edges_pending: 0,
            frame_ns: (params.pulses.frame_us * 1e3) as u64,
            next_frame_ns: start_ns,
            power_cut_since_ns: Some(start_ns),
            distance_m: 0.0,
            travelled_m: 0.0,
            monostable: Monostable::new((params.power.monostable_ms * 1e6) as u64),
            relay: Relay::new(&params.power),
            battery: Battery::new(&params.power),
            servo: SteeringServo::new(&params.servo),
            controller: SpeedController::new(&params),
            vehicle,
            sensors: SensorSet::new(&params, seed, start_ns),
            judge: Judge::new(track, start_ns, x_m, y_m),
            lines: Lines::default(),
            faults: Faults::default(),
            params,
        }
    }

    /// Advances to `until_ns` in whole steps (a rest waits for the next call); `inputs` hold over
    /// the whole way. Heartbeat edges since the last call are taken as evenly spread over it, so
    /// that an observer that comes late does not make a healthy heartbeat look dead.
    pub fn step(&mut self, until_ns: u64, inputs: &Inputs) {
        let edges = self.monostable.read(inputs.heartbeat_edges, inputs.heartbeat_level);
        if !self.faults.heartbeat_cut {
            self.edges_pending = self.edges_pending.saturating_add(edges);
        }
        let behind_ns = until_ns.saturating_sub(self.time_ns);
        if behind_ns > CATCH_UP_MAX_NS {
            let skipped_ns = behind_ns - CATCH_UP_MAX_NS;
            self.skipped_ns += skipped_ns;
            self.time_ns += skipped_ns;
        }
        let steps = until_ns.saturating_sub(self.time_ns) / STEP_NS;
        if steps == 0 {
            return;
        }
        let edges = u128::from(std::mem::take(&mut self.edges_pending));
        let due = |step: u64| edges * u128::from(step) / u128::from(steps);
        for step in 0..steps {
            self.one_step(inputs, due(step + 1) > due(step));
        }
    }

    fn one_step(&mut self, inputs: &Inputs, edge: bool) {
        self.time_ns += STEP_NS;
        self.step_index += 1;
        let powered = self.switch_power(inputs.relay_on, edge);
        if self.time_ns >= self.next_frame_ns {
            let late = (self.time_ns - self.next_frame_ns) / self.frame_ns;
            let frames_ns = (late + 1).saturating_mul(self.frame_ns);
            self.next_frame_ns = self.next_frame_ns.saturating_add(frames_ns);
            self.servo.frame(valid_pulse(&self.params, inputs.steering_pulse_us));
            self.controller.frame(valid_pulse(&self.params, inputs.throttle_pulse_us));
        }
        self.servo.step(STEP_S);
        self.vehicle.steer(self.servo.angle_rad);
        let rolling_m_per_s = self.vehicle.rolling_m_per_s();
        let source_v = powered.then(|| self.battery.source_v());
        let motor = self.controller.step(source_v, rolling_m_per_s, STEP_S);
        self.battery.step(motor.battery_current_a, STEP_S);
        let push = self.push(motor.force_n, rolling_m_per_s);
        self.vehicle.step(push, STEP_S);

        let motion = &self.vehicle.motion;
        self.travelled_m += rolling_m_per_s * STEP_S;
        self.distance_m += motion.speed_m_per_s() * STEP_S;
        let truth = Truth {
            motion,
            travelled_m: self.travelled_m,
            battery_v: self.battery.voltage_v(),
            soc_temperature_c: self
                .faults
                .soc_temperature_c
                .unwrap_or(self.params.sensors.temperature_c),
        };
        self.sensors.step(self.time_ns, truth, self.faults.cut);
        if self.step_index.is_multiple_of(JUDGE_EVERY) {
            let wheels = self.wheels();
            let Motion { x_m, y_m, .. } = self.vehicle.motion;
            self.judge.see(self.time_ns, (x_m, y_m), wheels);
        }
    }

    /// Pump, relay and mushroom; returns whether the motor has power in this step.
    fn switch_power(&mut self, relay_on: bool, edge: bool) -> bool {
        self.monostable.step(self.time_ns, edge);
        self.relay.step(relay_on && self.monostable.is_on(), STEP_NS);
        let powered = self.relay_is_closed() && !self.lines.estop_pressed;
        if powered {
            self.power_cut_since_ns = None;
        } else {
            self.power_cut_since_ns.get_or_insert(self.time_ns);
        }
        powered
    }

    fn relay_is_closed(&self) -> bool {
        self.relay.is_closed() || self.faults.relay_welded
    }

    fn push(&self, motor_n: f64, rolling_m_per_s: f64) -> Push {
        let p = &self.params;
        let rolling_n = p.chassis.rolling_resistance * p.chassis.mass_kg * GRAVITY_M_PER_S2;
        let blocked_n = if self.faults.wheels_blocked { BLOCKED_N } else { 0.0 };
        Push {
            drive_n: motor_n - p.drive.viscous_friction_n_per_m_per_s * rolling_m_per_s,
            dry_friction_n: p.drive.dry_friction_n + rolling_n + blocked_n,
        }
    }

    /// The four wheel centres: front left, front right, rear left, rear right.
    pub fn wheels(&self) -> [(f64, f64); 4] {
        let Motion { x_m, y_m, yaw_rad, .. } = self.vehicle.motion;
        let (sin_yaw, cos_yaw) = libm::sincos(yaw_rad);
        let chassis = &self.params.chassis;
        let half_m = 0.5 * chassis.wheel_track_m;
        let (front_m, rear_m) = (chassis.cog_to_front_axle_m, -chassis.cog_to_rear_axle_m);
        [(front_m, half_m), (front_m, -half_m), (rear_m, half_m), (rear_m, -half_m)]
            .map(|(x, y)| (x_m + cos_yaw * x - sin_yaw * y, y_m + sin_yaw * x + cos_yaw * y))
    }

    /// What the robot's inputs carry now; the lines are of this instant.
    pub fn sensors(&self) -> SensorSample {
        let value = LineLevels {
            estop_a_closed: !self.lines.estop_pressed && !self.faults.estop_a_stuck_open,
            estop_b_closed: !self.lines.estop_pressed && !self.faults.estop_b_stuck_open,
            reset_pressed: self.lines.reset_pressed,
            arm_pressed: self.lines.arm_pressed,
            relay_closed: self.relay_is_closed(),
        };
        let lines = Sampled { mono_ns: self.time_ns, valid: true, value };
        SensorSample { lines, ..self.sensors.sample }
    }

    /// What an observer sees.
    pub fn status(&self) -> PlantStatus {
        let laps = self.judge.lap_times_ns();
        PlantStatus {
            time_ns: self.time_ns,
            motion: self.vehicle.motion,
            steering_rad: self.servo.angle_rad,
            distance_m: self.distance_m,
            laps: laps.len() as u64,
            last_lap_ns: laps.last().copied(),
            best_lap_ns: laps.iter().min().copied(),
            progress_m: self.judge.progress_m(),
            beside_m: self.judge.place().beside_m,
            is_off_track: self.judge.is_off_track(),
            off_track_count: self.judge.off_track_count(),
            off_track_ns: self.judge.off_track_ns(),
            power_cut: self.power_cut_since_ns.is_some(),
            power_cut_since_ns: self.power_cut_since_ns,
            monostable_on: self.monostable.is_on(),
            last_edge_ns: self.monostable.last_edge_ns(),
            heartbeat_mismatch_count: self.monostable.mismatch_count(),
            controller_ready: self.controller.is_ready(),
            battery_v: self.battery.voltage_v(),
            battery_charge: self.battery.charge,
            skipped_ns: self.skipped_ns,
            params_hash: self.params_hash,
        }
    }

    /// Times of the complete laps.
    pub fn lap_times_ns(&self) -> &[u64] {
        self.judge.lap_times_ns()
    }

    /// The parameters of this car.
    pub fn params(&self) -> &PlantParams {
        &self.params
    }

    /// The track.
    pub fn track(&self) -> &Track {
        self.judge.track()
    }

    /// Sets what a person does from now on.
    pub fn set_lines(&mut self, lines: Lines) {
        self.lines = lines;
    }

    /// Sets what is broken from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Puts the car down elsewhere, rolling straight at `forward_m_per_s`.
    pub fn place(&mut self, x_m: f64, y_m: f64, yaw_rad: f64, forward_m_per_s: f64) {
        self.vehicle.motion = Motion { x_m, y_m, yaw_rad, forward_m_per_s, ..Motion::default() };
        self.judge.place_at(self.time_ns, x_m, y_m);
    }

    /// Energy of the motion, J.
    pub fn kinetic_energy_j(&self) -> f64 {
        let motion = &self.vehicle.motion;
        let speed = length(motion.forward_m_per_s, motion.left_m_per_s);
        let turn = motion.yaw_rate_rad_per_s;
        let chassis = &self.params.chassis;
        0.5 * (chassis.mass_kg * speed * speed + chassis.yaw_inertia_kg_m2 * turn * turn)
    }

    /// Names the state to the last bit: two runs are equal if these are equal all along.
    pub fn state_hash(&self) -> u64 {
        let mut hash = Fnv::new();
        let motion = &self.vehicle.motion;
        let sample = &self.sensors.sample;
        let (imu, pose) = (&sample.imu.value, &sample.pose.value);
        let truth = [
            motion.x_m,
            motion.y_m,
            motion.yaw_rad,
            motion.forward_m_per_s,
            motion.left_m_per_s,
            motion.yaw_rate_rad_per_s,
            self.servo.angle_rad,
            self.battery.charge,
            self.battery.voltage_v(),
            self.distance_m,
            self.judge.progress_m(),
        ];
        let sensed = [
            pose.x_m,
            pose.y_m,
            pose.yaw_rad,
            sample.wheel_speed_m_per_s.value,
            sample.battery_v.value,
            sample.soc_temperature_c.value,
        ];
        let inertial = imu.accel_m_per_s2.into_iter().chain(imu.gyro_rad_per_s);
        for value in truth.into_iter().chain(sensed).chain(inertial) {
            hash.f64(value);
        }
        hash.u64(self.time_ns);
        hash.u64(self.params_hash);
        for lap_ns in self.judge.lap_times_ns() {
            hash.u64(*lap_ns);
        }
        hash.finish()
    }
}
