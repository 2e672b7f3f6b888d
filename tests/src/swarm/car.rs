//! The car, of the plant's own parts: monostable, relay, battery, speed controller, servo, vehicle.
//!
//! Decides whether the motor has power and how the wheels turn. Track, judge and sensor noise of the
//! whole plant are left out, and the step is 1 ms instead of 0.5 (the stiffest pole is at about 1/10
//! of what that step resolves): no rule here looks at where the car is, and a run is five times as
//! fast. It must never keep power on for want of news. Tests: tests/swarm.rs.

use hil::plant::PlantParams;
use hil::plant::actuators::{SpeedController, SteeringServo};
use hil::plant::power::{Battery, Monostable, Relay};
use hil::plant::vehicle::{Push, Vehicle};

/// The car's own step.
pub(super) const STEP_NS: u64 = 1_000_000;
const STEP_S: f64 = STEP_NS as f64 * 1e-9;
/// A speed controller needs a frame and its own ramp to obey a neutral pulse.
const ESC_RAMP_NS: u64 = 700_000_000;
/// Friction of wheels that are blocked.
const BLOCKED_N: f64 = 1e3;

/// What the output pins carry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pins {
    /// Steering pulse.
    pub(super) steering_us: f64,
    /// Throttle pulse.
    pub(super) throttle_us: f64,
    /// The relay pin.
    pub(super) relay: bool,
    /// Edges on the heartbeat pin so far.
    pub(super) edges: u64,
}

/// What is broken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Broken {
    /// The relay's contact stays shut.
    pub(super) welded: bool,
    /// The relay's contact never shuts.
    pub(super) dead: bool,
    /// No edge arrives.
    pub(super) pump_cut: bool,
    /// The wheels are blocked.
    pub(super) blocked: bool,
    /// The speed controller drives whatever its pulse says.
    pub(super) runs_away: bool,
    /// The mushroom is down and opens the motor circuit.
    pub(super) circuit_open: bool,
}

/// A car on an endless plane.
#[derive(Clone, Debug)]
pub(super) struct Car {
    /// What is broken.
    pub(super) broken: Broken,
    /// Last instant at which the motor had power; 0 if never.
    pub(super) powered_at: u64,
    /// Last instant at which it had power through a contact that was not welded.
    pub(super) switched_at: u64,
    /// Last instant at which the motor pushed the car (and did not brake it), power switched.
    pub(super) pushed_at: u64,
    /// The same through a welded contact, although the pulse has been neutral for long enough.
    pub(super) pushed_welded_at: u64,
    params: PlantParams,
    time_ns: u64,
    told_to_drive_at: u64,
    edges_seen: u64,
    edge_pending: bool,
    next_frame_ns: u64,
    monostable: Monostable,
    relay: Relay,
    battery: Battery,
    servo: SteeringServo,
    controller: SpeedController,
    vehicle: Vehicle,
}

impl Car {
    /// A car at rest without power.
    #[must_use]
    pub(super) fn new(params: PlantParams, start_ns: u64) -> Self {
        Self {
            broken: Broken::default(),
            powered_at: 0,
            switched_at: 0,
            pushed_at: 0,
            pushed_welded_at: 0,
            time_ns: start_ns,
            told_to_drive_at: 0,
            edges_seen: 0,
            edge_pending: false,
            next_frame_ns: start_ns,
            monostable: Monostable::new((params.power.monostable_ms * 1e6) as u64),
            relay: Relay::new(&params.power),
            battery: Battery::new(&params.power),
            servo: SteeringServo::new(&params.servo),
            controller: SpeedController::new(&params),
            vehicle: Vehicle::new(&params),
            params,
        }
    }

    /// Advances to `until_ns` in whole steps; a rest waits for the next call. A new edge counts for
    /// the first of them.
    pub(super) fn step(&mut self, until_ns: u64, pins: &Pins) {
        self.edge_pending |= pins.edges != self.edges_seen && !self.broken.pump_cut;
        self.edges_seen = pins.edges;
        while self.time_ns + STEP_NS <= until_ns {
            self.one_step(pins);
        }
    }

    fn one_step(&mut self, pins: &Pins) {
        self.time_ns += STEP_NS;
        self.monostable.step(self.time_ns, std::mem::take(&mut self.edge_pending));
        self.relay.step(pins.relay && self.monostable.is_on(), STEP_NS);
        let switched = self.relay.is_closed() && !self.broken.dead;
        let powered = self.contact_is_closed() && !self.broken.circuit_open;
        if powered {
            self.powered_at = self.time_ns;
            if switched {
                self.switched_at = self.time_ns;
            }
        }
        if self.time_ns >= self.next_frame_ns {
            self.next_frame_ns = self.time_ns + (self.params.pulses.frame_us * 1e3) as u64;
            let throttle_us = if self.broken.runs_away {
                self.params.drive.pulse_max_us
            } else {
                pins.throttle_us
            };
            self.servo.frame(self.valid(pins.steering_us));
            let pulse = self.valid(throttle_us);
            self.controller.frame(pulse);
        }
        // Welded shut while the loop hangs, the motor keeps its pulse: two faults that only the
        // mushroom in series can stop, and not what the kernel can be blamed for.
        if self.broken.runs_away || pins.throttle_us != self.params.drive.pulse_neutral_us {
            self.told_to_drive_at = self.time_ns;
        }
        let rolling = self.vehicle.rolling_m_per_s();
        let source_v = powered.then(|| self.battery.source_v());
        let motor = self.controller.step(source_v, rolling, STEP_S);
        if motor.force_n == 0.0 && self.vehicle.motion.forward_m_per_s == 0.0 {
            // Without force a car at rest stays so; the tyres need no look.
            return;
        }
        if motor.battery_current_a > 0.0 {
            if switched {
                self.pushed_at = self.time_ns;
            } else if self.time_ns > self.told_to_drive_at + ESC_RAMP_NS {
                self.pushed_welded_at = self.time_ns;
            }
        }
        self.battery.step(motor.battery_current_a, STEP_S);
        // An hour of driving must not end the run.
        self.battery.charge = self.battery.charge.max(0.5);
        let before_rad = self.servo.angle_rad;
        self.servo.step(STEP_S);
        if before_rad != self.servo.angle_rad {
            self.vehicle.steer(self.servo.angle_rad);
        }
        let p = &self.params;
        let rolling_n = p.chassis.rolling_resistance * p.chassis.mass_kg * 9.81;
        let blocked_n = if self.broken.blocked { BLOCKED_N } else { 0.0 };
        let push = Push {
            drive_n: motor.force_n - p.drive.viscous_friction_n_per_m_per_s * rolling,
            dry_friction_n: p.drive.dry_friction_n + rolling_n + blocked_n,
        };
        self.vehicle.step(push, STEP_S);
    }

    fn valid(&self, pulse_us: f64) -> Option<f64> {
        let pulses = &self.params.pulses;
        (pulses.valid_min_us..=pulses.valid_max_us).contains(&pulse_us).then_some(pulse_us)
    }

    /// What the relay's feedback contact says.
    #[must_use]
    pub(super) fn contact_is_closed(&self) -> bool {
        (self.relay.is_closed() && !self.broken.dead) || self.broken.welded
    }

    /// Speed of the wheels.
    #[must_use]
    pub(super) fn wheel_m_per_s(&self) -> f64 {
        self.vehicle.rolling_m_per_s()
    }

    /// Specific force in the body's axes.
    #[must_use]
    pub(super) fn accel_m_per_s2(&self) -> [f64; 3] {
        let motion = &self.vehicle.motion;
        [motion.accel_forward_m_per_s2, motion.accel_left_m_per_s2, 9.81]
    }

    /// Voltage at the battery's terminals.
    #[must_use]
    pub(super) fn battery_v(&self) -> f64 {
        self.battery.voltage_v()
    }
}
