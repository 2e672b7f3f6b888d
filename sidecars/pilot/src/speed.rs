//! The speed controller: from a wanted and a measured speed to a throttle.
//!
//! Feed-forward for what the car is known to need, PID for the rest. The wanted speed is approached
//! no faster than the car shall accelerate; the sum of errors has a bound and stands still while the
//! throttle is at an end. It must never ask for reverse: braking is what drag, and the drag brake of
//! the motor controller, do at little throttle. Tests: here.

use rt_config::{Pilot, Robot};

/// What the summed error may add to the throttle, either way.
const SUM_THROTTLE_MAX: f64 = 0.1;
/// The wanted speed runs ahead of a car that does not follow by what it gains in this time.
const AHEAD_S: f64 = 0.25;
/// Slower than this is standing: no throttle is given for it.
const STANDING_M_PER_S: f64 = 0.01;

/// Its memory and its numbers.
#[derive(Clone, Debug)]
pub struct SpeedController {
    pilot: Pilot,
    throttle_max: f64,
    wanted_m_per_s: f64,
    sum_m: f64,
    last_error_m_per_s: Option<f64>,
}

impl SpeedController {
    /// At rest.
    #[must_use]
    pub fn new(robot: &Robot) -> Self {
        Self {
            pilot: robot.file().pilot.clone(),
            throttle_max: robot.file().limits.throttle_max,
            wanted_m_per_s: 0.0,
            sum_m: 0.0,
            last_error_m_per_s: None,
        }
    }

    /// Forgets: the next step begins a drive.
    pub fn reset(&mut self) {
        self.wanted_m_per_s = 0.0;
        self.sum_m = 0.0;
        self.last_error_m_per_s = None;
    }

    /// Throttle, 0 to `throttle_max`, towards `target_m_per_s`; `elapsed_s` is the time since the
    /// last step.
    pub fn step(&mut self, target_m_per_s: f64, speed_m_per_s: f64, elapsed_s: f64) -> f64 {
        let pilot = &self.pilot;
        let gained = self.wanted_m_per_s.max(speed_m_per_s) + pilot.accel_max_m_per_s2 * elapsed_s;
        let ahead = speed_m_per_s.max(0.0) + pilot.accel_max_m_per_s2 * AHEAD_S;
        self.wanted_m_per_s = target_m_per_s.min(gained).min(ahead).max(0.0);
        if self.wanted_m_per_s < STANDING_M_PER_S {
            self.reset();
            return 0.0;
        }
        let error = self.wanted_m_per_s - speed_m_per_s;
        let change = self.last_error_m_per_s.map_or(0.0, |last| error - last);
        let change_per_s = if elapsed_s > 0.0 { change / elapsed_s } else { 0.0 };
        self.last_error_m_per_s = Some(error);

        let without_sum = pilot.throttle_friction
            + pilot.speed_feedforward_per_m_per_s * self.wanted_m_per_s
            + pilot.speed_kp_per_m_per_s * error
            + pilot.speed_kd_per_m_per_s2 * change_per_s;
        let sum_m = self.sum_m + error * elapsed_s;
        let asked = without_sum + pilot.speed_ki_per_m * sum_m;
        let pushes_outwards =
            (asked > self.throttle_max && error > 0.0) || (asked < 0.0 && error < 0.0);
        if !pushes_outwards {
            let most_m = SUM_THROTTLE_MAX / pilot.speed_ki_per_m.max(1e-9);
            self.sum_m = sum_m.clamp(-most_m, most_m);
        }
        (without_sum + pilot.speed_ki_per_m * self.sum_m).clamp(0.0, self.throttle_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELAPSED_S: f64 = 0.02;

    fn controller() -> SpeedController {
        SpeedController::new(&Robot::resolve("sim-donkey").expect("a built-in robot"))
    }

    /// A car that follows its throttle with some lag and needs 10 % more than the feed-forward.
    fn follow(controller: &mut SpeedController, speed: &mut f64, target: f64) -> f64 {
        let throttle = controller.step(target, *speed, ELAPSED_S);
        let pilot = &controller.pilot;
        let settles_at =
            (throttle / 1.1 - pilot.throttle_friction) / pilot.speed_feedforward_per_m_per_s;
        *speed += (settles_at.max(0.0) - *speed) * ELAPSED_S / 0.4;
        throttle
    }

    #[test]
    fn a_car_that_needs_more_than_expected_reaches_its_speed() {
        let (mut controller, mut speed) = (controller(), 0.0);
        for _ in 0..1000 {
            follow(&mut controller, &mut speed, 1.5);
        }
        assert!((speed - 1.5).abs() < 0.02, "{speed}");
    }

    #[test]
    fn wanted_speed_rises_no_faster_than_the_car_shall_accelerate() {
        let (mut controller, mut speed) = (controller(), 0.0);
        for step in 1..=20 {
            follow(&mut controller, &mut speed, 2.0);
            let most = speed.max(f64::from(step) * ELAPSED_S * controller.pilot.accel_max_m_per_s2);
            assert!(controller.wanted_m_per_s <= most + 0.1);
        }
    }

    #[test]
    fn a_blocked_car_that_comes_free_does_not_leap() {
        let mut controller = controller();
        let held: Vec<f64> = (0..500).map(|_| controller.step(2.0, 0.0, ELAPSED_S)).collect();
        let most = held.iter().copied().fold(0.0, f64::max);
        assert!(controller.wanted_m_per_s <= controller.pilot.accel_max_m_per_s2 * AHEAD_S + 1e-9);
        // Free, and at once as fast as wanted: the sum is gone within two seconds.
        let mut throttle = most;
        for _ in 0..100 {
            throttle = controller.step(0.5, 0.8, ELAPSED_S);
        }
        let pilot = &controller.pilot;
        assert!(throttle < pilot.throttle_friction + pilot.speed_feedforward_per_m_per_s * 0.5);
        assert!(most < controller.throttle_max);
    }

    #[test]
    fn throttle_is_never_reverse_never_beyond_its_limit_and_zero_for_standing() {
        let mut controller = controller();
        for (target, speed) in [(0.5, 5.0), (9.0, 0.0), (2.0, -3.0), (1.0, 1.0)] {
            for _ in 0..50 {
                let throttle = controller.step(target, speed, ELAPSED_S);
                assert!((0.0..=controller.throttle_max).contains(&throttle), "{throttle}");
            }
        }
        assert_eq!(controller.step(0.0, 1.0, ELAPSED_S), 0.0);
    }
}
