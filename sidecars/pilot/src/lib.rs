//! The pilot: classic control on the pose, around a known track.
//!
//! Decides steering by pure pursuit of the centre line and throttle by a speed profile and a speed
//! controller; what it may do is the kernel's to decide, not its own. It must never read a clock, ask
//! for reverse, arm anything, or drive on a pose or a speed that is old: then it asks for neutral.
//!
//! ```text
//!  telemetry ─▶ Sight ─▶ place on the line ─┬─▶ point ahead ─▶ steering ─┐
//!              (pose,                       └─▶ profile ─▶ speed, PID ───┴─▶ Command
//!               speed)
//! ```
//!
//! Tests: here and in each module; whole laps in the tests crate (`virtual_sim`).

mod profile;
mod speed;

pub use profile::SpeedProfile;
pub use speed::SpeedController;

use rt_config::{Robot, Track};
use rt_wire::{Command, CommandFlags, Mode, MonoNs, Source, Telemetry, Validity};

/// A pose or wheel speed older than this is not driven on. Shorter than it takes to leave a track,
/// longer than a virtual machine stalls.
const OLD_AFTER_NS: u64 = 200_000_000;
/// From a command to wheels that have turned: pulse frame and servo of the usual 1:10 car. The car
/// is steered from where it will be then.
const STEERING_LAG_S: f64 = 0.04;
/// Speed is chosen for what comes within this time too, because throttle acts late.
const THROTTLE_LAG_S: f64 = 0.15;
/// How far around its last place the car is looked for.
const WINDOW_M: f64 = 2.0;
/// A car this far outside its borders may be anywhere: it is looked for on the whole track.
const LOST_BEYOND_M: f64 = 0.5;
/// Between two commands at most this much time counts: after a stall nothing is caught up.
const ELAPSED_S_MAX: f64 = 0.1;

/// What the pilot needs to know of one cycle, all of it fresh.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sight {
    x_m: f64,
    y_m: f64,
    yaw_rad: f64,
    speed_m_per_s: f64,
}

/// Drives one robot around one track.
#[derive(Clone, Debug)]
pub struct Pilot {
    robot: Robot,
    track: Track,
    profile: SpeedProfile,
    speed: SpeedController,
    sequence: u64,
    commanded_at: Option<MonoNs>,
    /// Arc length of the last place, while it is known.
    place_m: Option<f64>,
    steering_rad: f64,
    parks: bool,
}

impl Pilot {
    /// A pilot that has not seen anything yet.
    #[must_use]
    pub fn new(robot: &Robot, track: &Track) -> Self {
        Self {
            profile: SpeedProfile::new(track, &robot.file().pilot),
            speed: SpeedController::new(robot),
            robot: robot.clone(),
            track: track.clone(),
            sequence: 0,
            commanded_at: None,
            place_m: None,
            steering_rad: 0.0,
            parks: false,
        }
    }

    /// From now on rolls to a stop along the line, and stays there: what a pilot that shall end
    /// does first, because a car that is disarmed at speed rolls on with its steering held.
    pub fn park(&mut self) {
        self.parks = true;
    }

    /// Whether it was told to park.
    #[must_use]
    pub fn parks(&self) -> bool {
        self.parks
    }

    /// The command for `now`, from the newest telemetry. It claims authority always, and asks for
    /// neutral until the car is Active, this pilot owns it, and pose and speed are fresh.
    pub fn command(&mut self, now: MonoNs, telemetry: &Telemetry) -> Command {
        let outcome = &telemetry.outcome;
        let drives =
            outcome.mode.get() == Some(Mode::Active) && outcome.owner.get() == Some(Source::Pilot);
        let elapsed_s = self.commanded_at.map_or(0.0, |at| seconds(now.since(at)));
        self.commanded_at = Some(now);
        let (steering, throttle) = match self.sight(now, telemetry) {
            Some(sight) if drives => self.drive(&sight, elapsed_s.min(ELAPSED_S_MAX)),
            Some(_) | None => self.rest(),
        };
        self.sequence += 1;
        let valid_ns = u64::from(self.robot.file().pilot.command_valid_ms) * 1_000_000;
        Command {
            answers_cycle: telemetry.cycle_index,
            flags: CommandFlags::ASKS_AUTHORITY,
            ..Command::plain(self.sequence, now, now.plus(valid_ns), steering, throttle)
        }
    }

    /// Where the car is at `now`: the measured pose, moved on by its age. `None` if pose or speed
    /// is absent, old or not a number.
    fn sight(&self, now: MonoNs, telemetry: &Telemetry) -> Option<Sight> {
        let (pose, wheel) = (&telemetry.observation.pose, &telemetry.observation.wheel);
        let usable = |validity: Option<Validity>, mono_ns| {
            validity == Some(Validity::Valid) && now.since(mono_ns) <= OLD_AFTER_NS
        };
        let fresh = usable(pose.validity.get(), pose.mono_ns)
            && usable(wheel.validity.get(), wheel.mono_ns);
        let values = [pose.x_m, pose.y_m, pose.yaw_rad, wheel.speed_m_per_s];
        if !fresh || !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let [x_m, y_m, yaw_rad, speed_m_per_s] = values.map(f64::from);
        let ahead_m = speed_m_per_s * (seconds(now.since(pose.mono_ns)) + STEERING_LAG_S);
        let turned_rad = ahead_m * self.steering_rad.tan() / self.robot.file().geometry.wheelbase_m;
        // Along the chord of the arc.
        let (sin, cos) = (yaw_rad + 0.5 * turned_rad).sin_cos();
        Some(Sight {
            x_m: x_m + ahead_m * cos,
            y_m: y_m + ahead_m * sin,
            yaw_rad: yaw_rad + turned_rad,
            speed_m_per_s,
        })
    }

    fn rest(&mut self) -> (f32, f32) {
        self.speed.reset();
        self.place_m = None;
        self.steering_rad = 0.0;
        (0.0, 0.0)
    }

    fn drive(&mut self, sight: &Sight, elapsed_s: f64) -> (f32, f32) {
        let place_m = self.find(sight);
        self.place_m = Some(place_m);
        let turn_per_m = self.pursue(sight, place_m);
        let geometry = &self.robot.file().geometry;
        let most_rad = geometry.max_steering_angle_rad;
        self.steering_rad = (turn_per_m * geometry.wheelbase_m).atan().clamp(-most_rad, most_rad);

        // A car that must turn harder than the line, to get back to it, is slower than on it.
        let lateral = self.robot.file().pilot.lateral_accel_max_m_per_s2;
        let turning_m_per_s = (lateral / turn_per_m.abs().max(1e-6)).sqrt();
        let reach_m = sight.speed_m_per_s.max(0.0) * THROTTLE_LAG_S;
        let target_m_per_s = match self.parks {
            true => 0.0,
            false => self.profile.lowest(place_m, reach_m).min(turning_m_per_s),
        };
        let throttle = self.speed.step(target_m_per_s, sight.speed_m_per_s, elapsed_s);
        ((self.steering_rad / most_rad) as f32, throttle as f32)
    }

    /// Arc length of the car's place on the line.
    fn find(&self, sight: &Sight) -> f64 {
        let (x_m, y_m) = (sight.x_m, sight.y_m);
        if let Some(hint_m) = self.place_m {
            let near = self.track.project_near(x_m, y_m, hint_m, WINDOW_M);
            let half_m = near.line.w_left_m.max(near.line.w_right_m);
            if near.lateral_m.abs() <= half_m + LOST_BEYOND_M {
                return near.line.arc_m;
            }
        }
        self.track.project(x_m, y_m).line.arc_m
    }

    /// Pure pursuit: the curvature of the arc from the rear axle, along its heading, through the
    /// point of the line ahead.
    fn pursue(&self, sight: &Sight, place_m: f64) -> f64 {
        let pilot = &self.robot.file().pilot;
        let lookahead_m =
            pilot.lookahead_base_m + pilot.lookahead_gain_s * sight.speed_m_per_s.max(0.0);
        let goal = self.track.at(place_m + lookahead_m);
        let (dx, dy) = (goal.x_m - sight.x_m, goal.y_m - sight.y_m);
        let (sin, cos) = sight.yaw_rad.sin_cos();
        let (ahead_m, left_m) = (dx * cos + dy * sin, dy * cos - dx * sin);
        // Behind the car, sin α would fall again: then it turns as hard as for a point at its side.
        let distance_m = ahead_m.hypot(left_m).max(0.5 * lookahead_m);
        let sin_alpha = if ahead_m >= 0.0 { left_m / distance_m } else { 1.0_f64.copysign(left_m) };
        2.0 * sin_alpha / distance_m
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;
    use rt_wire::{Observation, Outcome, Pose, Raw, WheelSpeed};

    const NOW: MonoNs = MonoNs(10_000_000_000);

    fn pilot() -> Pilot {
        let robot = Robot::resolve("sim-donkey").expect("a built-in robot");
        Pilot::new(&robot, &Track::builtin("twisty").expect("a built-in track"))
    }

    /// The car at the start of twisty, `left_m` beside the line, Active and owned by the pilot.
    fn telemetry(left_m: f32) -> Telemetry {
        let valid = Raw::new(Validity::Valid);
        Telemetry {
            cycle_index: 4711,
            mono_ns: NOW,
            observation: Observation {
                pose: Pose { mono_ns: NOW, y_m: left_m, validity: valid, ..Pose::default() },
                wheel: WheelSpeed { mono_ns: NOW, speed_m_per_s: 0.2, validity: valid },
                ..Observation::default()
            },
            outcome: Outcome {
                mode: Raw::new(Mode::Active),
                owner: Raw::new(Source::Pilot),
                ..Outcome::default()
            },
            ..Telemetry::default()
        }
    }

    fn asked(telemetry: &Telemetry) -> (f32, f32) {
        let command = pilot().command(NOW, telemetry);
        (command.points[0].steering, command.points[0].throttle)
    }

    #[test]
    fn command_claims_authority_names_its_cycle_expires_and_counts_up() {
        let mut pilot = pilot();
        let first = pilot.command(NOW, &telemetry(0.0));
        let second = pilot.command(NOW.plus(20_000_000), &telemetry(0.0));
        assert_eq!(first.flags, CommandFlags::ASKS_AUTHORITY);
        assert_eq!((first.n, first.answers_cycle, first.mono_ns), (1, 4711, NOW));
        assert_eq!(first.expires_at, NOW.plus(80_000_000));
        assert_eq!(second.sequence, first.sequence + 1);
    }

    #[test]
    fn neutral_is_asked_for_until_the_car_is_active_and_the_pilot_owns_it() {
        assert!(asked(&telemetry(0.0)).1 > 0.0);
        for mode in Mode::ALL.iter().filter(|mode| **mode != Mode::Active) {
            let mut other = telemetry(0.3);
            other.outcome.mode = Raw::new(*mode);
            assert_eq!(asked(&other), (0.0, 0.0), "{mode}");
        }
        let mut other = telemetry(0.3);
        other.outcome.owner = Raw::new(Source::Teleop);
        assert_eq!(asked(&other), (0.0, 0.0));
    }

    #[test]
    fn pose_or_speed_that_is_absent_old_or_no_number_means_neutral() {
        let spoil: [fn(&mut Observation); 6] = [
            |seen| seen.pose.validity = Raw::new(Validity::Absent),
            |seen| seen.wheel.validity = Raw::new(Validity::Failed),
            |seen| seen.pose.mono_ns = MonoNs(NOW.0 - OLD_AFTER_NS - 1),
            |seen| seen.wheel.mono_ns = MonoNs(NOW.0 - OLD_AFTER_NS - 1),
            |seen| seen.pose.yaw_rad = f32::NAN,
            |seen| seen.wheel.speed_m_per_s = f32::INFINITY,
        ];
        for (place, spoil) in spoil.iter().enumerate() {
            let mut spoilt = telemetry(0.3);
            spoil(&mut spoilt.observation);
            assert_eq!(asked(&spoilt), (0.0, 0.0), "{place}");
        }
    }

    #[test]
    fn it_steers_back_to_the_line_from_either_side_and_from_anywhere() {
        assert!(asked(&telemetry(0.3)).0 < -0.3, "right, from the left");
        assert!(asked(&telemetry(-0.3)).0 > 0.3);
        // Driving away from the line it turns as hard as it can.
        let mut away = telemetry(0.3);
        away.observation.pose.yaw_rad = std::f32::consts::PI;
        assert_eq!(asked(&away).0.abs(), 1.0);
        for (x_m, y_m) in [(50.0, -50.0), (1e6, 1e6)] {
            let mut far = telemetry(0.0);
            (far.observation.pose.x_m, far.observation.pose.y_m) = (x_m, y_m);
            let (steering, throttle) = asked(&far);
            assert!(steering.abs() <= 1.0 && (0.0..=1.0).contains(&throttle));
        }
    }

    #[test]
    fn pose_is_moved_on_by_its_age() {
        let pilot = pilot();
        let mut seen = telemetry(0.0);
        seen.observation.wheel.speed_m_per_s = 2.0;
        let fresh = pilot.sight(NOW, &seen).expect("usable");
        seen.observation.pose.mono_ns = MonoNs(NOW.0 - 50_000_000);
        let old = pilot.sight(NOW, &seen).expect("usable");
        assert!((old.x_m - fresh.x_m - 0.1).abs() < 1e-6, "50 ms at 2 m/s");
    }

    #[test]
    fn a_pilot_that_parks_gives_no_throttle_and_goes_on_steering() {
        let mut pilot = pilot();
        pilot.park();
        let command = pilot.command(NOW, &telemetry(0.3));
        assert_eq!(command.points[0].throttle, 0.0);
        assert!(command.points[0].steering < -0.3);
        assert_eq!(command.flags, CommandFlags::ASKS_AUTHORITY, "it stays the owner");
    }
}
