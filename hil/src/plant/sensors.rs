//! What the robot can know: sensors with a rate, a time stamp, noise and bias of their own.
//!
//! Decides each reading from the true motion. It must never let one sensor's noise depend on another
//! one's being there: each draws from its own stream. A cut sensor keeps its last reading and its
//! old time stamp and says that it is not valid. Readings carry the instant of measurement and are
//! there at once: transport delay is the business of who carries them. Tests: `tests/plant/`.

use super::params::{PlantParams, Sensors};
use super::random::Random;
use super::vehicle::{GRAVITY_M_PER_S2, Motion, wrap};

/// A reading with its instant.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sampled<T> {
    /// When it was measured.
    pub mono_ns: u64,
    /// False before the first reading and while the sensor is cut.
    pub valid: bool,
    /// The reading; meaningless until `valid` was true once.
    pub value: T,
}

/// An inertial reading in the body's axes (x forward, y left, z up), gravity included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Imu {
    /// Specific force.
    pub accel_m_per_s2: [f64; 3],
    /// Turn rates.
    pub gyro_rad_per_s: [f64; 3],
}

/// A pose from an indoor positioning system, of the point `sensors.pose_ahead_of_cog_m`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pose {
    /// East of the track's origin.
    pub x_m: f64,
    /// North of the track's origin.
    pub y_m: f64,
    /// Heading, counter-clockwise from x, in (−π, π].
    pub yaw_rad: f64,
}

/// The levels of the digital lines, as the robot's pins see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineLevels {
    /// Contact A of the mushroom button, normally closed.
    pub estop_a_closed: bool,
    /// Contact B of the mushroom button, normally closed.
    pub estop_b_closed: bool,
    /// The reset button.
    pub reset_pressed: bool,
    /// The arm button.
    pub arm_pressed: bool,
    /// The motor relay's feedback contact: closed while the main contact is.
    pub relay_closed: bool,
}

/// Everything the robot's inputs carry.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SensorSample {
    /// Inertial sensor.
    pub imu: Sampled<Imu>,
    /// Encoder on the drive shaft: mean speed of the driven axles, m/s, negative backwards.
    pub wheel_speed_m_per_s: Sampled<f64>,
    /// Indoor positioning.
    pub pose: Sampled<Pose>,
    /// Battery voltage, V.
    pub battery_v: Sampled<f64>,
    /// Temperature of the processor, °C.
    pub soc_temperature_c: Sampled<f64>,
    /// Digital lines; always of this instant.
    pub lines: Sampled<LineLevels>,
}

/// The truth that the sensors look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth<'a> {
    pub motion: &'a Motion,
    pub travelled_m: f64,
    pub battery_v: f64,
    pub soc_temperature_c: f64,
}

/// Which sensors are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cuts {
    /// The inertial sensor.
    pub imu: bool,
    /// The wheel encoder.
    pub wheel_encoder: bool,
    /// The positioning system.
    pub pose: bool,
    /// The battery converter.
    pub battery: bool,
    /// The processor's temperature.
    pub soc_temperature: bool,
}

/// When a sensor measures next.
#[derive(Debug, Clone)]
struct Clock {
    period_ns: u64,
    next_ns: u64,
}

impl Clock {
    fn new(start_ns: u64, period_us: f64) -> Self {
        Self { period_ns: (period_us * 1e3) as u64, next_ns: start_ns }
    }

    fn due(&mut self, now_ns: u64) -> bool {
        let due = now_ns >= self.next_ns;
        if due {
            // On its grid; readings that a gap skipped are skipped.
            let late = (now_ns - self.next_ns) / self.period_ns;
            self.next_ns = self.next_ns.saturating_add((late + 1).saturating_mul(self.period_ns));
        }
        due
    }
}

/// All sensors of the car.
#[derive(Debug, Clone)]
pub(crate) struct SensorSet {
    params: Sensors,
    clocks: [Clock; 5],
    next_ns: u64,
    random: [Random; 5],
    accel_bias: [f64; 3],
    gyro_bias: [f64; 3],
    counts_per_m: f64,
    last_count: f64,
    last_count_ns: u64,
    pub(crate) sample: SensorSample,
}

impl SensorSet {
    pub(crate) fn new(params: &PlantParams, seed: u64, start_ns: u64) -> Self {
        let p = params.sensors;
        let mut birth = Random::new(seed, 0);
        let mut bias = |sigma: f64| [(); 3].map(|()| birth.normal(sigma));
        let accel_bias = bias(p.accel_bias_m_per_s2);
        let gyro_bias = bias(p.gyro_bias_rad_per_s);
        // Not beyond three sigma: a tyre of half its radius would be another car.
        let scale = birth.normal(p.encoder_scale_error);
        let scale = scale.clamp(-3.0 * p.encoder_scale_error, 3.0 * p.encoder_scale_error);
        let periods = [
            p.imu_period_us,
            p.encoder_period_us,
            p.pose_period_us,
            p.battery_period_us,
            p.temperature_period_us,
        ];
        Self {
            params: p,
            clocks: periods.map(|period_us| Clock::new(start_ns, period_us)),
            next_ns: start_ns,
            random: [1, 2, 3, 4, 5].map(|stream| Random::new(seed, stream)),
            accel_bias,
            gyro_bias,
            counts_per_m: p.encoder_counts_per_m * (1.0 + scale),
            last_count: 0.0,
            last_count_ns: start_ns,
            sample: SensorSample::default(),
        }
    }

    /// Lets each sensor measure that is due; a sensor that is cut measures nothing.
    pub(crate) fn step(&mut self, now_ns: u64, truth: Truth<'_>, cuts: Cuts) {
        if now_ns < self.next_ns {
            return;
        }
        let due = self.clocks.each_mut().map(|clock| clock.due(now_ns));
        self.next_ns = self.clocks.iter().map(|clock| clock.next_ns).min().unwrap_or(now_ns);
        let [imu, encoder, pose, battery, temperature] = due;
        if imu {
            let value = self.imu(truth.motion);
            put(&mut self.sample.imu, now_ns, cuts.imu, value);
        }
        if encoder && let Some(value) = self.wheel_speed(now_ns, truth.travelled_m) {
            put(&mut self.sample.wheel_speed_m_per_s, now_ns, cuts.wheel_encoder, value);
        }
        if pose {
            let value = self.pose(truth.motion);
            put(&mut self.sample.pose, now_ns, cuts.pose, value);
        }
        if battery {
            let noisy = truth.battery_v + self.random[3].normal(self.params.battery_noise_v);
            let value = quantised(noisy, self.params.battery_step_v).max(0.0);
            put(&mut self.sample.battery_v, now_ns, cuts.battery, value);
        }
        if temperature {
            let noise = self.random[4].normal(self.params.temperature_noise_c);
            let value = truth.soc_temperature_c + noise;
            put(&mut self.sample.soc_temperature_c, now_ns, cuts.soc_temperature, value);
        }
    }

    fn imu(&mut self, motion: &Motion) -> Imu {
        let force = [motion.accel_forward_m_per_s2, motion.accel_left_m_per_s2, GRAVITY_M_PER_S2];
        let turn = [0.0, 0.0, motion.yaw_rate_rad_per_s];
        let random = &mut self.random[0];
        let mut noisy = |value: [f64; 3], bias: [f64; 3], sigma: f64| {
            [0, 1, 2].map(|axis| value[axis] + bias[axis] + random.normal(sigma))
        };
        Imu {
            accel_m_per_s2: noisy(force, self.accel_bias, self.params.accel_noise_m_per_s2),
            gyro_rad_per_s: noisy(turn, self.gyro_bias, self.params.gyro_noise_rad_per_s),
        }
    }

    /// Whole counts since the last reading, over its time; the first reading only counts.
    fn wheel_speed(&mut self, now_ns: u64, travelled_m: f64) -> Option<f64> {
        let count = (travelled_m * self.counts_per_m).floor();
        let counted = count - self.last_count;
        let elapsed_ns = now_ns - self.last_count_ns;
        self.last_count = count;
        self.last_count_ns = now_ns;
        (elapsed_ns > 0)
            .then(|| counted / self.params.encoder_counts_per_m / (elapsed_ns as f64 * 1e-9))
    }

    fn pose(&mut self, motion: &Motion) -> Pose {
        let p = &self.params;
        let (sin_yaw, cos_yaw) = libm::sincos(motion.yaw_rad);
        let random = &mut self.random[2];
        Pose {
            x_m: motion.x_m + p.pose_ahead_of_cog_m * cos_yaw + random.normal(p.pose_noise_m),
            y_m: motion.y_m + p.pose_ahead_of_cog_m * sin_yaw + random.normal(p.pose_noise_m),
            yaw_rad: wrap(motion.yaw_rad + random.normal(p.yaw_noise_rad)),
        }
    }
}

fn put<T>(sampled: &mut Sampled<T>, mono_ns: u64, cut: bool, value: T) {
    if cut {
        sampled.valid = false;
    } else {
        *sampled = Sampled { mono_ns, valid: true, value };
    }
}

fn quantised(value: f64, step: f64) -> f64 {
    if step > 0.0 { (value / step).round() * step } else { value }
}
