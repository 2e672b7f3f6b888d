//! Parameters of the plant: the table of what there is.
//!
//! Decides which numbers describe the car, their ranges, and which numbers contradict each other. The
//! values stand in `params/donkey-1-10.json`, each with its source. The hash covers names and values,
//! so that a better worded source does not look like another car. Tests: `tests/plant/`.

use super::hash::Fnv;

/// One row of the table: a key, its range, and what it means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// The group that the key stands in.
    pub group: &'static str,
    /// The key; its last words are the unit.
    pub key: &'static str,
    /// Lowest value allowed.
    pub lowest: f64,
    /// Highest value allowed.
    pub highest: f64,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

macro_rules! parameter_table {
    ($(
        #[doc = $group_doc:literal]
        $group:ident: $Group:ident {
            $( $(#[doc = $doc:literal])+ $key:ident: $lowest:literal ..= $highest:literal, )*
        }
    )*) => {
        $(
            #[doc = $group_doc]
            #[derive(Debug, Clone, Copy, PartialEq)]
            pub struct $Group {
                $( $(#[doc = $doc])+ pub $key: f64, )*
            }
        )*

        /// A car: every number that the plant uses, checked.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct PlantParams {
            $( #[doc = $group_doc] pub $group: $Group, )*
        }

        /// Every parameter, in the order of the hash.
        pub const PARAMETERS: &[Parameter] = &[$($(
            Parameter {
                group: stringify!($group),
                key: stringify!($key),
                lowest: $lowest,
                highest: $highest,
                meaning: concat!($($doc),+),
            },
        )*)*];

        impl PlantParams {
            pub(super) fn build<E>(mut value: impl FnMut(&Parameter) -> Result<f64, E>) -> Result<Self, E> {
                let mut rows = PARAMETERS.iter();
                let mut next = || value(rows.next().expect("the table has a row for each field"));
                Ok(Self {
                    $( $group: $Group { $( $key: next()?, )* }, )*
                })
            }

            /// The values, in the order of [`PARAMETERS`].
            pub fn values(&self) -> Vec<f64> {
                vec![ $($( self.$group.$key, )*)* ]
            }
        }
    };
}

parameter_table! {
    /// Mass, size and air.
    chassis: Chassis {
        /// Mass, ready to drive.
        mass_kg: 0.5..=20.0,
        /// Moment of inertia about the vertical axis.
        yaw_inertia_kg_m2: 0.002..=5.0,
        /// From the centre of gravity to the front axle.
        cog_to_front_axle_m: 0.03..=0.6,
        /// From the centre of gravity to the rear axle.
        cog_to_rear_axle_m: 0.03..=0.6,
        /// Height of the centre of gravity.
        cog_height_m: 0.0..=0.3,
        /// Between the wheel centres of one axle; the judge of off-track places the wheels with it.
        wheel_track_m: 0.05..=0.6,
        /// Drag coefficient times frontal area.
        drag_area_m2: 0.0..=0.5,
        /// Rolling resistance: force over weight.
        rolling_resistance: 0.0..=0.3,
    }
    /// Tyres on the floor.
    tyre: Tyre {
        /// Friction coefficient between tyre and floor.
        friction: 0.1..=2.0,
        /// Cornering stiffness of the front axle over (friction times load).
        front_stiffness_per_rad: 1.0..=30.0,
        /// Cornering stiffness of the rear axle over (friction times load).
        rear_stiffness_per_rad: 1.0..=30.0,
        /// Below this speed slip is measured against it: the tyre turns into a stiff viscous damper
        /// and the car into the kinematic bicycle, without a jump and stable at standstill.
        slip_speed_m_per_s: 0.2..=2.0,
    }
    /// Steering servo.
    servo: Servo {
        /// Pulse at one end of the travel.
        pulse_min_us: 700.0..=1450.0,
        /// Pulse for straight wheels.
        pulse_neutral_us: 1300.0..=1700.0,
        /// Pulse at the other end of the travel.
        pulse_max_us: 1550.0..=2300.0,
        /// Wheel angle at `pulse_min_us`; positive is left.
        angle_at_min_rad: -0.8..=0.8,
        /// Wheel angle at `pulse_max_us`; positive is left.
        angle_at_max_rad: -0.8..=0.8,
        /// A change of the pulse smaller than this moves nothing.
        dead_band_us: 0.0..=20.0,
        /// Time constant of the approach to the asked angle.
        lag_ms: 1.0..=500.0,
        /// Fastest turn of the wheels.
        rate_rad_per_s: 0.2..=30.0,
    }
    /// Electronic speed controller and motor, seen at the wheels.
    drive: Drive {
        /// Pulse for full reverse.
        pulse_min_us: 700.0..=1450.0,
        /// Pulse for standing still.
        pulse_neutral_us: 1300.0..=1700.0,
        /// Pulse for full forward.
        pulse_max_us: 1550.0..=2300.0,
        /// Half-width of the dead-band around neutral.
        dead_band_us: 0.0..=150.0,
        /// Full reverse over full forward.
        reverse_gain: 0.0..=1.0,
        /// Above this forward speed a reverse pulse brakes, below it drives backwards.
        reverse_below_m_per_s: 0.01..=1.0,
        /// Fastest change of the duty cycle.
        duty_rate_per_s: 0.5..=200.0,
        /// At neutral, and whenever the motor turns faster than driven: braking over a full short.
        drag_brake: 0.0..=1.0,
        /// Braking at a full reverse pulse while rolling forward, over a full short.
        full_brake: 0.0..=1.0,
        /// Neutral needed after power-up before it drives.
        boot_ms: 0.0..=5000.0,
        /// Without supply for longer than this it boots anew.
        ride_through_ms: 0.0..=1000.0,
        /// Without a pulse for this long it goes to neutral.
        signal_lost_ms: 10.0..=2000.0,
        /// Back-EMF over speed at the wheels (equally: force over current).
        back_emf_v_per_m_per_s: 0.1..=10.0,
        /// Resistance of motor, controller and wires.
        resistance_ohm: 0.01..=5.0,
        /// Current limit of the controller.
        current_max_a: 1.0..=200.0,
        /// Dry friction of motor, gears and bearings, at the wheels.
        dry_friction_n: 0.0..=20.0,
        /// Friction of the drive line that grows with speed.
        viscous_friction_n_per_m_per_s: 0.0..=5.0,
        /// Share of the drive force at the front axle: 0.5 all-wheel, 0 rear-wheel drive.
        front_share: 0.0..=1.0,
    }
    /// Both actuators see a new pulse only at the frames of the pulse train.
    pulses: Pulses {
        /// Time between two frames.
        frame_us: 1000.0..=50000.0,
        /// Shorter pulses are no pulses.
        valid_min_us: 200.0..=900.0,
        /// Longer pulses are no pulses.
        valid_max_us: 2100.0..=5000.0,
    }
    /// Battery, relay and the monostable that holds it.
    power: Power {
        /// Cells in series (lithium polymer).
        cells: 1.0..=6.0,
        /// Capacity.
        capacity_ah: 0.2..=30.0,
        /// Charge at the start, over capacity.
        charge_at_start: 0.05..=1.0,
        /// Internal resistance of battery and plug.
        resistance_ohm: 0.0..=0.5,
        /// What computer, sensors and servo draw.
        electronics_a: 0.0..=10.0,
        /// The monostable drops the relay when the heartbeat pin has not toggled for this long.
        monostable_ms: 5.0..=1000.0,
        /// Coil on to contact closed.
        relay_close_ms: 0.0..=100.0,
        /// Coil off to contact open.
        relay_open_ms: 0.0..=100.0,
    }
    /// Rates, noise (standard deviations) and biases of the sensors.
    sensors: Sensors {
        /// Time between two readings of the inertial sensor.
        imu_period_us: 500.0..=1000000.0,
        /// Noise of one acceleration reading.
        accel_noise_m_per_s2: 0.0..=5.0,
        /// Spread of the constant acceleration bias from car to car (drawn from the seed).
        accel_bias_m_per_s2: 0.0..=5.0,
        /// Noise of one turn-rate reading.
        gyro_noise_rad_per_s: 0.0..=1.0,
        /// Spread of the constant turn-rate bias (drawn from the seed).
        gyro_bias_rad_per_s: 0.0..=1.0,
        /// Time between two readings of the wheel encoder.
        encoder_period_us: 500.0..=1000000.0,
        /// Encoder counts for a metre of road.
        encoder_counts_per_m: 10.0..=100000.0,
        /// Spread of the scale error: tyres differ in radius (drawn from the seed).
        encoder_scale_error: 0.0..=0.2,
        /// Time between two poses.
        pose_period_us: 1000.0..=1000000.0,
        /// Noise of each coordinate.
        pose_noise_m: 0.0..=1.0,
        /// Noise of the yaw angle.
        yaw_noise_rad: 0.0..=1.0,
        /// The tracked point, ahead of the centre of gravity (negative: behind).
        pose_ahead_of_cog_m: -0.6..=0.6,
        /// Time between two readings of the battery voltage.
        battery_period_us: 1000.0..=10000000.0,
        /// Noise of one battery reading.
        battery_noise_v: 0.0..=1.0,
        /// Smallest step of the converter behind its divider.
        battery_step_v: 0.0..=0.5,
        /// Time between two readings of the processor's temperature.
        temperature_period_us: 1000.0..=10000000.0,
        /// Temperature of the processor.
        temperature_c: -20.0..=110.0,
        /// Noise of one temperature reading.
        temperature_noise_c: 0.0..=5.0,
    }
}

impl PlantParams {
    /// Names these parameters in reports: FNV-1a over every key and value, in the table's order.
    pub fn hash(&self) -> u64 {
        let mut hash = Fnv::new();
        for (parameter, value) in PARAMETERS.iter().zip(self.values()) {
            hash.bytes(parameter.group.as_bytes());
            hash.bytes(b".");
            hash.bytes(parameter.key.as_bytes());
            hash.f64(value);
        }
        hash.finish()
    }

    /// From axle to axle.
    pub fn wheelbase_m(&self) -> f64 {
        self.chassis.cog_to_front_axle_m + self.chassis.cog_to_rear_axle_m
    }

    /// Why these values cannot belong to one car, if they cannot.
    pub(super) fn contradiction(&self) -> Option<String> {
        for (name, low, neutral, high) in [
            (
                "servo",
                self.servo.pulse_min_us,
                self.servo.pulse_neutral_us,
                self.servo.pulse_max_us,
            ),
            (
                "drive",
                self.drive.pulse_min_us,
                self.drive.pulse_neutral_us,
                self.drive.pulse_max_us,
            ),
        ] {
            if !(low < neutral && neutral < high) {
                return Some(format!(
                    "{name}: pulses {low}, {neutral}, {high} µs; expected min < neutral < max"
                ));
            }
        }
        let room = (self.drive.pulse_max_us - self.drive.pulse_neutral_us)
            .min(self.drive.pulse_neutral_us - self.drive.pulse_min_us);
        if self.drive.dead_band_us >= room {
            return Some(format!(
                "drive.dead_band_us is {}, but only {room} µs lie between neutral and an end",
                self.drive.dead_band_us
            ));
        }
        if self.servo.angle_at_min_rad * self.servo.angle_at_max_rad >= 0.0 {
            return Some(format!(
                "servo: angles {} and {} rad at the two ends; expected opposite signs",
                self.servo.angle_at_min_rad, self.servo.angle_at_max_rad
            ));
        }
        // The integrator is explicit: the fastest pole must stay well inside its region of stability.
        let pole = super::vehicle::fastest_pole_per_s(self);
        let pole_max = 0.5e9 / super::STEP_NS as f64;
        if pole > pole_max {
            return Some(format!(
                "tyres too stiff for this car: pole {pole:.0} per s, expected at most {pole_max:.0}; \
                 raise tyre.slip_speed_m_per_s or lower the stiffness"
            ));
        }
        None
    }
}
