//! The car on the floor: a bicycle with tyre slip.
//!
//! Decides how forces move the body. Two axles, each with one tyre after Fiala's brush model (linear
//! at small slip, saturating at friction times load), derated by what the drive force already uses
//! of the friction ellipse; load moves between the axles with acceleration. Below
//! `tyre.slip_speed_m_per_s` slip is measured against that speed instead: the tyre becomes a stiff
//! viscous damper, which is the kinematic bicycle, and standing still needs no second model.
//! It must never create energy: every force but the drive force opposes the motion it acts on.
//!
//! Left out: roll, pitch, wheel spin (tyres carry at most friction times load), camber, slopes.
//! Tests: here, `tests/plant/`.

use super::params::PlantParams;

pub(crate) const GRAVITY_M_PER_S2: f64 = 9.81;
const AIR_KG_PER_M3: f64 = 1.2;
/// Load transfer stops here: both axles keep at least a tenth of their static load.
const TRANSFER_SHARE_MAX: f64 = 0.9;
/// Slower than this, in m/s and rad/s, a car that dry friction holds stands.
const REST: f64 = 1e-6;

/// Position, heading and speeds of the centre of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Motion {
    /// East of the track's origin.
    pub x_m: f64,
    /// North of the track's origin.
    pub y_m: f64,
    /// Heading, counter-clockwise from x, in (−π, π].
    pub yaw_rad: f64,
    /// Speed along the car.
    pub forward_m_per_s: f64,
    /// Speed to the left of the car.
    pub left_m_per_s: f64,
    /// Turn rate, counter-clockwise.
    pub yaw_rate_rad_per_s: f64,
    /// Acceleration along the car.
    pub accel_forward_m_per_s2: f64,
    /// Acceleration to the left of the car.
    pub accel_left_m_per_s2: f64,
}

impl Motion {
    /// Speed over ground, never negative.
    pub fn speed_m_per_s(&self) -> f64 {
        length(self.forward_m_per_s, self.left_m_per_s)
    }
}

/// Length of a vector. `f64::hypot` is the platform's; squares and a root are equal everywhere.
pub(crate) fn length(x: f64, y: f64) -> f64 {
    (x * x + y * y).sqrt()
}

/// What acts on the body along its length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Push {
    /// Force of the drive line on the floor; positive forward.
    pub drive_n: f64,
    /// Dry friction, never negative: opposes motion, and holds a standing car.
    pub dry_friction_n: f64,
}

/// The body with its constants worked out.
#[derive(Debug, Clone)]
pub struct Vehicle {
    /// Where it is and how it moves.
    pub motion: Motion,
    mass_kg: f64,
    inertia_kg_m2: f64,
    front_m: f64,
    rear_m: f64,
    front_load_n: f64,
    rear_load_n: f64,
    transfer_n_per_m_per_s2: f64,
    air_n_per_m2_per_s2: f64,
    friction: f64,
    front_stiffness: f64,
    rear_stiffness: f64,
    slip_speed_squared: f64,
    front_share: f64,
    sin_steering: f64,
    cos_steering: f64,
}

impl Vehicle {
    /// A car at rest at the origin.
    pub fn new(params: &PlantParams) -> Self {
        let chassis = &params.chassis;
        let weight_n = chassis.mass_kg * GRAVITY_M_PER_S2;
        let wheelbase_m = params.wheelbase_m();
        Self {
            motion: Motion::default(),
            mass_kg: chassis.mass_kg,
            inertia_kg_m2: chassis.yaw_inertia_kg_m2,
            front_m: chassis.cog_to_front_axle_m,
            rear_m: chassis.cog_to_rear_axle_m,
            front_load_n: weight_n * chassis.cog_to_rear_axle_m / wheelbase_m,
            rear_load_n: weight_n * chassis.cog_to_front_axle_m / wheelbase_m,
            transfer_n_per_m_per_s2: chassis.mass_kg * chassis.cog_height_m / wheelbase_m,
            air_n_per_m2_per_s2: 0.5 * AIR_KG_PER_M3 * chassis.drag_area_m2,
            friction: params.tyre.friction,
            front_stiffness: params.tyre.front_stiffness_per_rad,
            rear_stiffness: params.tyre.rear_stiffness_per_rad,
            slip_speed_squared: params.tyre.slip_speed_m_per_s * params.tyre.slip_speed_m_per_s,
            front_share: params.drive.front_share,
            sin_steering: 0.0,
            cos_steering: 1.0,
        }
    }

    /// Turns the front wheels.
    pub fn steer(&mut self, angle_rad: f64) {
        (self.sin_steering, self.cos_steering) = libm::sincos(angle_rad);
    }

    /// Speed of the front wheel along itself, and across itself to the left.
    fn front_wheel_m_per_s(&self) -> (f64, f64) {
        let vx = self.motion.forward_m_per_s;
        let vy = self.motion.left_m_per_s + self.front_m * self.motion.yaw_rate_rad_per_s;
        let (sin_d, cos_d) = (self.sin_steering, self.cos_steering);
        (vx * cos_d + vy * sin_d, vy * cos_d - vx * sin_d)
    }

    /// Speed of the drive line as the motor and its encoder see it: the driven axles' mean.
    pub fn rolling_m_per_s(&self) -> f64 {
        let (along, _) = self.front_wheel_m_per_s();
        self.front_share * along + (1.0 - self.front_share) * self.motion.forward_m_per_s
    }

    /// Advances by `step_s` (a fixed, short step).
    pub fn step(&mut self, push: Push, step_s: f64) {
        let Motion { yaw_rad, forward_m_per_s: vx, left_m_per_s: vy, .. } = self.motion;
        let turn = self.motion.yaw_rate_rad_per_s;
        let (sin_d, cos_d) = (self.sin_steering, self.cos_steering);

        let limit_n = TRANSFER_SHARE_MAX * self.front_load_n.min(self.rear_load_n);
        let transfer_n = (self.transfer_n_per_m_per_s2 * self.motion.accel_forward_m_per_s2)
            .clamp(-limit_n, limit_n);
        let front_grip_n = self.friction * (self.front_load_n - transfer_n);
        let rear_grip_n = self.friction * (self.rear_load_n + transfer_n);

        // Dry friction sits in the drive line: what stops it within the step, or as much as there is.
        let stopping_n = push.drive_n + self.mass_kg * self.rolling_m_per_s() / step_s;
        let wheels_n = push.drive_n - stopping_n.clamp(-push.dry_friction_n, push.dry_friction_n);
        let front_x_n = (wheels_n * self.front_share).clamp(-front_grip_n, front_grip_n);
        let rear_x_n = (wheels_n * (1.0 - self.front_share)).clamp(-rear_grip_n, rear_grip_n);

        let (along, across) = self.front_wheel_m_per_s();
        let front_y_n =
            self.side_force_n(across, along, self.front_stiffness, front_grip_n, front_x_n);
        let rear_vy = vy - self.rear_m * turn;
        let rear_y_n = self.side_force_n(rear_vy, vx, self.rear_stiffness, rear_grip_n, rear_x_n);

        let front_left_n = front_x_n * sin_d + front_y_n * cos_d;
        let air_n = self.air_n_per_m2_per_s2 * vx * vx.abs();
        let forward_n = front_x_n * cos_d - front_y_n * sin_d + rear_x_n - air_n;
        let moment = self.front_m * front_left_n - self.rear_m * rear_y_n;

        let mut new_vx = vx + forward_n / self.mass_kg * step_s;
        let mut new_vy = vy + (front_left_n + rear_y_n) / self.mass_kg * step_s;
        let mut new_turn = turn + moment / self.inertia_kg_m2 * step_s;
        let held = push.drive_n.abs() <= push.dry_friction_n;
        if held && [new_vx, new_vy, new_turn].iter().all(|speed| speed.abs() < REST) {
            (new_vx, new_vy, new_turn) = (0.0, 0.0, 0.0);
        }

        // Move along the velocity in the fixed frame, then turn: the body frame turns under the
        // velocity, which therefore keeps its length exactly.
        let (sin_yaw, cos_yaw) = libm::sincos(yaw_rad);
        let (sin_t, cos_t) = small_sincos(new_turn * step_s);
        self.motion = Motion {
            x_m: self.motion.x_m + (cos_yaw * new_vx - sin_yaw * new_vy) * step_s,
            y_m: self.motion.y_m + (sin_yaw * new_vx + cos_yaw * new_vy) * step_s,
            yaw_rad: wrap(yaw_rad + new_turn * step_s),
            forward_m_per_s: cos_t * new_vx + sin_t * new_vy,
            left_m_per_s: cos_t * new_vy - sin_t * new_vx,
            yaw_rate_rad_per_s: new_turn,
            accel_forward_m_per_s2: (new_vx - vx) / step_s,
            accel_left_m_per_s2: (new_vy - vy) / step_s,
        };
    }

    /// Side force of an axle whose wheel moves `along` and `across` (m/s), Fiala's brush model.
    fn side_force_n(
        &self,
        across: f64,
        along: f64,
        stiffness: f64,
        grip_n: f64,
        used_n: f64,
    ) -> f64 {
        let peak_n = (grip_n * grip_n - used_n * used_n).max(0.0).sqrt();
        let slip = across / (along * along + self.slip_speed_squared).sqrt();
        // Slip over the slip at which the whole contact patch slides.
        let sliding = stiffness * grip_n * slip.abs();
        if sliding >= 3.0 * peak_n {
            return -peak_n.copysign(across);
        }
        let left = 1.0 - sliding / (3.0 * peak_n);
        -(peak_n * (1.0 - left * left * left)).copysign(across)
    }
}

/// Sine and cosine of a step's turn, on the unit circle to the last bits for any turn of a car.
fn small_sincos(angle: f64) -> (f64, f64) {
    if angle.abs() > 0.01 {
        return libm::sincos(angle);
    }
    let square = angle * angle;
    (
        angle * (1.0 - square / 6.0 * (1.0 - square / 20.0)),
        1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0)),
    )
}

/// Brings an angle at most one turn away back into (−π, π].
pub(crate) fn wrap(angle: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    if angle > PI {
        angle - TAU
    } else if angle <= -PI {
        angle + TAU
    } else {
        angle
    }
}

/// The fastest pole of the lateral motion, reached at standstill; the step must resolve it.
pub(crate) fn fastest_pole_per_s(params: &PlantParams) -> f64 {
    let vehicle = Vehicle::new(params);
    let front = vehicle.friction * vehicle.front_stiffness * vehicle.front_load_n;
    let rear = vehicle.friction * vehicle.rear_stiffness * vehicle.rear_load_n;
    let slip_speed = params.tyre.slip_speed_m_per_s;
    let sideways = (front + rear) / (vehicle.mass_kg * slip_speed);
    let (a, b) = (vehicle.front_m, vehicle.rear_m);
    // The trace bounds the larger of the two poles; load transfer can nearly double an axle's load.
    let turning = (a * a * front + b * b * rear) / (vehicle.inertia_kg_m2 * slip_speed);
    sideways + turning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_force_is_linear_at_first_and_never_beats_friction() {
        let params = PlantParams::donkey_1_10();
        let vehicle = Vehicle::new(&params);
        let grip = 20.0;
        let small = vehicle.side_force_n(0.01, 5.0, 5.0, grip, 0.0);
        let slip = 0.01 / (25.0_f64 + 0.25).sqrt();
        assert!((small + 5.0 * grip * slip).abs() < 0.01 * small.abs(), "{small}");
        for across in [-9.0, -1.0, 1.0, 9.0] {
            let force = vehicle.side_force_n(across, 0.3, 5.0, grip, 12.0);
            assert!(force.abs() <= 16.0 + 1e-12, "{force} beside 12 N of drive");
            assert!(force * across < 0.0, "opposes the slide");
        }
    }

    #[test]
    fn a_turn_keeps_the_length_of_the_velocity() {
        for angle in [0.0, 1e-5, -0.003, 0.0099, 0.3] {
            let (s, c) = small_sincos(angle);
            assert!((s * s + c * c - 1.0).abs() < 1e-14, "{angle}");
            assert!((s - libm::sin(angle)).abs() < 1e-15, "{angle}");
        }
    }
}
