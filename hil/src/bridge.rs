//! The wires between the plant and the robot's records: units, names and signs, nothing else.
//!
//! Decides which record field is which pin or sensor of the simulated car. It must never judge a
//! value, keep one that the plant has not given, or touch shared memory: the `plant` process and the
//! run in virtual time use the very same functions. Tests: tests/bridge.rs.

use crate::plant::{
    Inputs, LineLevels, Plant, PlantStatus, Sampled, SensorSample, Track, TrackError, TrackPoint,
};
use rt_wire::{
    Battery, Imu, LineSet, Lines, MonoNs, Observation, Pose, PulseFlags, Raw, SimPins, Temperature,
    Validity, WheelSpeed,
};

/// The plant's track, from a track that was read and checked.
///
/// # Errors
/// What the plant refuses although the configuration did not: neighbours in the same place, say.
pub fn track(track: &rt_config::Track) -> Result<Track, TrackError> {
    let points: Vec<TrackPoint> = track
        .points()
        .iter()
        .map(|point| TrackPoint {
            x_m: point.x_m,
            y_m: point.y_m,
            w_right_m: point.w_right_m,
            w_left_m: point.w_left_m,
        })
        .collect();
    Track::new(&points)
}

/// What the pins carry; pins that were never driven carry pulses of 0 µs, which are none.
#[must_use]
pub fn inputs(pins: &SimPins) -> Inputs {
    Inputs {
        steering_pulse_us: f64::from(pins.pulses.steering.0),
        throttle_pulse_us: f64::from(pins.pulses.throttle.0),
        relay_on: pins.pulses.flags.has(PulseFlags::RELAY),
        heartbeat_edges: pins.heartbeat_edges,
        heartbeat_level: pins.heartbeat_level != 0,
    }
}

/// What the robot's inputs carry. Undervoltage flags stay absent: a simulated car has no firmware.
#[must_use]
pub fn observation(sample: &SensorSample) -> Observation {
    let pose = &sample.pose;
    Observation {
        lines: lines(&sample.lines),
        battery: Battery {
            mono_ns: MonoNs(sample.battery_v.mono_ns),
            volts: narrow(sample.battery_v.value),
            validity: validity(&sample.battery_v),
        },
        temperature: Temperature {
            mono_ns: MonoNs(sample.soc_temperature_c.mono_ns),
            celsius: narrow(sample.soc_temperature_c.value),
            validity: validity(&sample.soc_temperature_c),
        },
        imu: Imu {
            mono_ns: MonoNs(sample.imu.mono_ns),
            accel_m_per_s2: sample.imu.value.accel_m_per_s2.map(narrow),
            gyro_rad_per_s: sample.imu.value.gyro_rad_per_s.map(narrow),
            validity: validity(&sample.imu),
            reserved: 0,
        },
        wheel: WheelSpeed {
            mono_ns: MonoNs(sample.wheel_speed_m_per_s.mono_ns),
            speed_m_per_s: narrow(sample.wheel_speed_m_per_s.value),
            validity: validity(&sample.wheel_speed_m_per_s),
        },
        pose: Pose {
            mono_ns: MonoNs(pose.mono_ns),
            x_m: narrow(pose.value.x_m),
            y_m: narrow(pose.value.y_m),
            yaw_rad: narrow(pose.value.yaw_rad),
            validity: validity(pose),
        },
        ..Observation::default()
    }
}

/// The normally closed contacts turn round here: a set bit is the named fact.
fn lines(sampled: &Sampled<LineLevels>) -> Lines {
    let levels = &sampled.value;
    Lines {
        mono_ns: MonoNs(sampled.mono_ns),
        set: LineSet::RELAY_FEEDBACK_FITTED
            .with(LineSet::ESTOP_A_OPEN, !levels.estop_a_closed)
            .with(LineSet::ESTOP_B_OPEN, !levels.estop_b_closed)
            .with(LineSet::RESET_PRESSED, levels.reset_pressed)
            .with(LineSet::ARM_PRESSED, levels.arm_pressed)
            .with(LineSet::RELAY_CLOSED, levels.relay_closed),
        validity: validity(sampled),
    }
}

/// A sensor that has never spoken is absent; one that spoke and no longer does has failed.
fn validity<T>(sampled: &Sampled<T>) -> Raw<Validity> {
    Raw::new(if sampled.valid {
        Validity::Valid
    } else if sampled.mono_ns == 0 {
        Validity::Absent
    } else {
        Validity::Failed
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a record carries readings as f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// The truth about a drive, as it is told outside: what the plant knows, and what only its driver
/// does (top speed, late steps).
#[derive(Debug, Clone, Copy, Default)]
pub struct Truth {
    top_speed_m_per_s: f64,
    /// Steps of the process that came later than 5 ms; stays 0 in virtual time.
    pub late_steps: u32,
}

impl Truth {
    /// Looks at the plant after a step, often enough to see its top speed, and tells its status.
    /// `inputs` are the pins of that step.
    pub fn status(&mut self, plant: &Plant, inputs: &Inputs) -> rt_wire::PlantStatus {
        let status = plant.status();
        let motion = &status.motion;
        self.top_speed_m_per_s = self.top_speed_m_per_s.max(motion.speed_m_per_s());
        rt_wire::PlantStatus {
            mono_ns: MonoNs(status.time_ns),
            plant_hash: status.params_hash,
            power_cut_at: power_cut_at(&status, inputs),
            last_heartbeat_edge_at: MonoNs(status.last_edge_ns.unwrap_or(0)),
            distance_m: status.distance_m,
            track_length_m: plant.track().length_m(),
            x_m: motion.x_m,
            y_m: motion.y_m,
            yaw_rad: motion.yaw_rad,
            speed_m_per_s: motion.speed_m_per_s().copysign(motion.forward_m_per_s),
            off_track_s: seconds(status.off_track_ns),
            last_lap_s: seconds(status.last_lap_ns.unwrap_or(0)),
            best_lap_s: seconds(status.best_lap_ns.unwrap_or(0)),
            top_speed_m_per_s: self.top_speed_m_per_s,
            laps: counter(status.laps),
            off_track_count: counter(status.off_track_count),
            late_steps: self.late_steps,
            validity: Raw::new(Validity::Valid),
        }
    }
}

/// Power that is gone although the relay pin asks for it was cut by the monostable; a relay that
/// was switched off on purpose is no cut.
fn power_cut_at(status: &PlantStatus, inputs: &Inputs) -> MonoNs {
    let by_monostable = inputs.relay_on && !status.monostable_on;
    let cut_at = status.power_cut_since_ns.filter(|_| by_monostable);
    MonoNs(cut_at.unwrap_or(0))
}

/// Nanoseconds as seconds, for records and reports.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact up to 104 days")]
pub fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn counter(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
