//! From pulse widths to wheel angle and drive force: servo, speed controller, motor.
//!
//! Decides how a pulse acts: frames, dead-bands, lag, rate limits, braking, motor current. It must
//! never turn a pulse that is none (too short, too long, not a number) into motion: the servo then
//! holds, the speed controller goes to neutral.
//!
//! | pulse | rolling forward | standing or rolling backward |
//! |---|---|---|
//! | above the dead-band | drives; slower than the motor turns: drag brake | drives |
//! | in the dead-band | drag brake | drag brake |
//! | below it | brakes | drives backwards |
//!
//! Left out: the double tap that many controllers want before reverse; wear; heat. Braking shorts
//! the motor, so it charges nothing. Tests: here, `tests/plant/`.

use super::params::{Drive, PlantParams, Servo};

/// A pulse that the receiver takes for one.
pub(crate) fn valid_pulse(params: &PlantParams, pulse_us: f64) -> Option<f64> {
    // NaN fails both comparisons.
    let valid = pulse_us >= params.pulses.valid_min_us && pulse_us <= params.pulses.valid_max_us;
    valid.then_some(pulse_us)
}

/// A pulse within its calibration, as −1 (min) to 1 (max).
fn normalised(pulse_us: f64, min_us: f64, neutral_us: f64, max_us: f64) -> f64 {
    let offset = pulse_us - neutral_us;
    let span = if offset < 0.0 { neutral_us - min_us } else { max_us - neutral_us };
    (offset / span).clamp(-1.0, 1.0)
}

/// The steering servo.
#[derive(Debug, Clone)]
pub struct SteeringServo {
    params: Servo,
    held_us: f64,
    /// Angle of the front wheels; positive is left.
    pub angle_rad: f64,
}

impl SteeringServo {
    /// A servo at straight wheels.
    pub fn new(params: &Servo) -> Self {
        Self { params: *params, held_us: params.pulse_neutral_us, angle_rad: 0.0 }
    }

    /// A frame arrived; without a pulse in it the servo holds what it had.
    pub fn frame(&mut self, pulse_us: Option<f64>) {
        if let Some(pulse_us) = pulse_us
            && (pulse_us - self.held_us).abs() > self.params.dead_band_us
        {
            self.held_us = pulse_us;
        }
    }

    /// Moves for `step_s`.
    pub fn step(&mut self, step_s: f64) {
        let Servo { pulse_min_us, pulse_neutral_us, pulse_max_us, .. } = self.params;
        let asked = normalised(self.held_us, pulse_min_us, pulse_neutral_us, pulse_max_us);
        let target_rad = if asked < 0.0 {
            -asked * self.params.angle_at_min_rad
        } else {
            asked * self.params.angle_at_max_rad
        };
        let rate = self.params.rate_rad_per_s;
        // A lag shorter than a step means: arrive within the step.
        let per_s = (1e3 / self.params.lag_ms).min(1.0 / step_s);
        self.angle_rad += ((target_rad - self.angle_rad) * per_s).clamp(-rate, rate) * step_s;
    }
}

/// What the motor does in a step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MotorOutput {
    /// Force at the wheels; positive forward.
    pub force_n: f64,
    /// Current out of the battery, never negative.
    pub battery_current_a: f64,
}

/// Speed controller and motor.
#[derive(Debug, Clone)]
pub struct SpeedController {
    params: Drive,
    source_resistance_ohm: f64,
    pulse_us: f64,
    since_pulse_s: f64,
    neutral_for_s: f64,
    unpowered_for_s: f64,
    duty: f64,
}

impl SpeedController {
    /// A controller without power.
    pub fn new(params: &PlantParams) -> Self {
        Self {
            params: params.drive,
            source_resistance_ohm: params.power.resistance_ohm,
            pulse_us: params.drive.pulse_neutral_us,
            since_pulse_s: 0.0,
            neutral_for_s: 0.0,
            unpowered_for_s: 0.0,
            duty: 0.0,
        }
    }

    /// A frame arrived, perhaps without a pulse in it.
    pub fn frame(&mut self, pulse_us: Option<f64>) {
        if let Some(pulse_us) = pulse_us {
            self.pulse_us = pulse_us;
            self.since_pulse_s = 0.0;
        }
    }

    /// Whether it has seen neutral for long enough since power-up, and drives.
    pub fn is_ready(&self) -> bool {
        self.neutral_for_s >= self.params.boot_ms * 1e-3
    }

    /// Works for `step_s`; `source_v` is the supply without this controller's own current, absent
    /// while the relay is open, and `speed_m_per_s` the speed of the wheels.
    pub fn step(&mut self, source_v: Option<f64>, speed_m_per_s: f64, step_s: f64) -> MotorOutput {
        self.since_pulse_s += step_s;
        let Some(source_v) = source_v else {
            self.duty = 0.0;
            self.unpowered_for_s += step_s;
            // Its capacitor keeps the logic alive through a short gap; after that it boots anew.
            if self.unpowered_for_s > self.params.ride_through_ms * 1e-3 {
                self.neutral_for_s = 0.0;
            }
            return MotorOutput::default();
        };
        self.unpowered_for_s = 0.0;
        let asked = self.asked();
        if !self.is_ready() {
            self.neutral_for_s = if asked == 0.0 { self.neutral_for_s + step_s } else { 0.0 };
            return MotorOutput::default();
        }
        let p = &self.params;
        let against = (asked < 0.0 && speed_m_per_s > p.reverse_below_m_per_s)
            || (asked > 0.0 && speed_m_per_s < -p.reverse_below_m_per_s);
        let brake =
            if against { (asked.abs() * p.full_brake).max(p.drag_brake) } else { p.drag_brake };
        let gain = if asked < 0.0 { p.reverse_gain } else { 1.0 };
        let target = if against { 0.0 } else { asked * gain };
        let change = p.duty_rate_per_s * step_s;
        // Braking starts at once; the ramp protects only the drive.
        self.duty =
            if against { 0.0 } else { self.duty + (target - self.duty).clamp(-change, change) };

        let emf_v = p.back_emf_v_per_m_per_s * speed_m_per_s;
        // The source sags by its resistance times duty times motor current: solved in closed form.
        let resistance = p.resistance_ohm + self.duty * self.duty * self.source_resistance_ohm;
        let current_a = (self.duty * source_v - emf_v) / resistance;
        let drives = current_a * self.duty > 0.0;
        let current_a = if drives { current_a } else { current_a * brake };
        let current_a = current_a.clamp(-p.current_max_a, p.current_max_a);
        MotorOutput {
            force_n: current_a * p.back_emf_v_per_m_per_s,
            battery_current_a: if drives { current_a * self.duty } else { 0.0 },
        }
    }

    /// What the pulse asks for, −1 to 1, with the dead-band taken out.
    fn asked(&self) -> f64 {
        let p = &self.params;
        if self.since_pulse_s > p.signal_lost_ms * 1e-3 {
            return 0.0;
        }
        let offset_us = self.pulse_us - p.pulse_neutral_us;
        if offset_us.abs() <= p.dead_band_us {
            return 0.0;
        }
        let beyond_us = offset_us - p.dead_band_us.copysign(offset_us);
        normalised(
            beyond_us,
            p.pulse_min_us + p.dead_band_us - p.pulse_neutral_us,
            0.0,
            p.pulse_max_us - p.dead_band_us - p.pulse_neutral_us,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_S: f64 = 5e-4;

    fn ready() -> SpeedController {
        let mut controller = SpeedController::new(&PlantParams::donkey_1_10());
        for _ in 0..2000 {
            controller.frame(Some(1500.0));
            controller.step(Some(7.8), 0.0, STEP_S);
        }
        assert!(controller.is_ready());
        controller
    }

    fn settled(controller: &mut SpeedController, pulse_us: f64, speed_m_per_s: f64) -> MotorOutput {
        let mut output = MotorOutput::default();
        for _ in 0..1000 {
            controller.frame(Some(pulse_us));
            output = controller.step(Some(7.8), speed_m_per_s, STEP_S);
        }
        output
    }

    #[test]
    fn servo_turns_no_faster_than_its_rate_and_arrives() {
        let params = PlantParams::donkey_1_10();
        let mut servo = SteeringServo::new(&params.servo);
        servo.frame(Some(2000.0));
        let mut before = 0.0;
        for _ in 0..2000 {
            servo.step(STEP_S);
            assert!(servo.angle_rad - before <= 3.2 * STEP_S + 1e-12);
            before = servo.angle_rad;
        }
        assert!((servo.angle_rad - 0.4189).abs() < 1e-3);
        servo.frame(None);
        servo.step(STEP_S);
        assert!((servo.angle_rad - 0.4189).abs() < 1e-3, "no pulse: it holds");
    }

    #[test]
    fn dead_band_moves_nothing_and_the_ends_give_full_force() {
        let mut controller = ready();
        assert_eq!(settled(&mut controller, 1529.0, 0.0).force_n, 0.0);
        let little = settled(&mut controller, 1540.0, 0.0).force_n;
        let forward = settled(&mut controller, 2000.0, 0.0);
        let backward = settled(&mut controller, 1000.0, 0.0);
        assert!(little > 0.0 && little < 0.05 * forward.force_n, "{little}");
        assert!(forward.force_n > 30.0, "{forward:?}");
        assert!(
            backward.force_n < 0.0 && -backward.force_n < 0.6 * forward.force_n,
            "{backward:?}"
        );
    }

    #[test]
    fn controller_does_not_drive_until_it_has_seen_neutral() {
        let mut controller = SpeedController::new(&PlantParams::donkey_1_10());
        assert_eq!(settled(&mut controller, 1800.0, 0.0).force_n, 0.0);
        settled(&mut controller, 1500.0, 0.0);
        settled(&mut controller, 1500.0, 0.0);
        assert!(settled(&mut controller, 1800.0, 0.0).force_n > 0.0);
    }

    #[test]
    fn a_gap_shorter_than_the_capacitor_lasts_only_interrupts_the_drive() {
        let gap_ms = PlantParams::donkey_1_10().drive.ride_through_ms;
        for (gap_ms, drives_on) in [(gap_ms - 2.0, true), (gap_ms + 2.0, false)] {
            let mut controller = ready();
            assert!(settled(&mut controller, 1800.0, 0.0).force_n > 0.0);
            let steps = (gap_ms * 1e-3 / STEP_S).round() as u32;
            for _ in 0..steps {
                assert_eq!(controller.step(None, 2.0, STEP_S), MotorOutput::default());
            }
            assert_eq!(settled(&mut controller, 1800.0, 0.0).force_n > 0.0, drives_on, "{gap_ms}");
        }
    }

    #[test]
    fn reverse_pulse_brakes_a_rolling_car_and_draws_nothing() {
        let mut controller = ready();
        let neutral = settled(&mut controller, 1500.0, 2.0);
        let braked = settled(&mut controller, 1000.0, 2.0);
        assert!(neutral.force_n < 0.0, "drag brake {neutral:?}");
        assert!(braked.force_n < 2.0 * neutral.force_n, "{braked:?} against {neutral:?}");
        assert_eq!(braked.battery_current_a, 0.0);
    }

    #[test]
    fn lost_pulses_mean_neutral() {
        let mut controller = ready();
        assert!(settled(&mut controller, 1800.0, 0.0).force_n > 0.0);
        let mut output = MotorOutput::default();
        for _ in 0..1000 {
            controller.frame(None);
            output = controller.step(Some(7.8), 0.0, STEP_S);
        }
        assert_eq!(output.force_n, 0.0);
    }
}
