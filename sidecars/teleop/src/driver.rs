//! From what a person wants to what is asked of the loop: one command for each call.
//!
//! Decides when a person may be said to drive: the dead-man switch is held, on a source that is
//! there now, and the car is theirs. Then sticks count; until then every command asks for neutral.
//! It must never read a clock, keep a throttle alive, or let anything stand before an e-stop.
//!
//! ```text
//!  e-stop button ─▶ ESTOP, neutral, nothing else
//!  dead-man held, source there ─▶ DEAD_MAN and ASKS_AUTHORITY; else neither: the loop stops the car
//!  car Active and ours ─▶ throttle counts once its stick has been in the middle
//! ```
//!
//! Tests: below; with the real loop in the tests crate (`teleop`).

use crate::Intent;
use crate::shape::Shape;
use rt_config::Robot;
use rt_wire::{Command, CommandFlags, Mode, MonoNs, Source, Telemetry};

/// A source that was last seen longer ago is gone: several of its looks, far less than the loop's
/// own limit.
const OLD_AFTER_NS: u64 = 100_000_000;
/// The loop's word counts for this long.
const TOLD_FOR_NS: u64 = 200_000_000;

/// Asks on behalf of one person.
#[derive(Clone, Debug)]
pub struct Driver {
    shape: Shape,
    throttle_max: f32,
    reverse_max: f32,
    valid_ns: u64,
    sequence: u64,
    /// The throttle stick has been in the middle since the car is ours.
    throttle_counts: bool,
    /// It has not, and is not.
    throttle_waits: bool,
    arm_was_down: bool,
    asks_to_arm: bool,
    ends: bool,
}

impl Driver {
    /// A driver who has not asked anything yet.
    #[must_use]
    pub fn new(robot: &Robot) -> Self {
        let (teleop, limits) = (&robot.file().teleop, &robot.file().limits);
        Self {
            shape: Shape::new(teleop.dead_zone, teleop.expo),
            throttle_max: teleop.throttle_max.min(limits.throttle_max) as f32,
            reverse_max: teleop.reverse_max.min(limits.reverse_max) as f32,
            valid_ns: u64::from(teleop.command_valid_ms) * 1_000_000,
            sequence: 0,
            throttle_counts: false,
            throttle_waits: false,
            arm_was_down: true,
            asks_to_arm: false,
            ends: false,
        }
    }

    /// From now on asks for nothing but a stop of what is ours: what a person does who leaves.
    pub fn end(&mut self) {
        self.ends = true;
    }

    /// Whether the throttle stick asks for something and must come to the middle first.
    #[must_use]
    pub fn throttle_waits(&self) -> bool {
        self.throttle_waits
    }

    /// The command for `now`. `intent` is what the person wants, `None` while no source is there;
    /// `told` is the loop's newest word.
    pub fn command(
        &mut self,
        now: MonoNs,
        intent: Option<&Intent>,
        told: Option<&Telemetry>,
    ) -> Command {
        let present = intent.filter(|intent| now.since(intent.seen_at) <= OLD_AFTER_NS);
        let held = present.filter(|intent| intent.dead_man && !intent.disarm && !self.ends);
        // A demand to stop needs no fresh source: it is easy to stop.
        let estop = intent.is_some_and(|intent| intent.estop);
        let mut flags = CommandFlags::EMPTY;
        let (mut steering, mut throttle) = (0.0, 0.0);
        match held {
            _ if estop => {
                flags = CommandFlags::ESTOP;
                self.let_go();
            }
            None => {
                let asked = intent.is_some_and(|intent| intent.disarm);
                // Who leaves stops their own drive, not another's.
                if asked || (self.ends && is_ours(told)) {
                    flags = CommandFlags::DISARM;
                }
                self.let_go();
            }
            Some(intent) => {
                flags = CommandFlags::DEAD_MAN | CommandFlags::ASKS_AUTHORITY;
                if self.asks_to_arm(intent) {
                    flags |= CommandFlags::ARM;
                }
                (steering, throttle) = self.sticks(now, intent, told);
            }
        }
        // A button that comes down while the source is away, or the switch let go, asks nothing.
        self.arm_was_down = present.is_none_or(|intent| intent.arm);
        self.sequence += 1;
        Command {
            answers_cycle: told.map_or(0, |told| told.cycle_index),
            flags,
            ..Command::plain(self.sequence, now, now.plus(self.valid_ns), steering, throttle)
        }
    }

    fn let_go(&mut self) {
        self.throttle_counts = false;
        self.throttle_waits = false;
        self.asks_to_arm = false;
    }

    /// Whether the arm button was pressed while the switch was held and the throttle in the middle,
    /// and all three still are so.
    fn asks_to_arm(&mut self, intent: &Intent) -> bool {
        let may = intent.arm && self.shape.of(intent.throttle) == 0.0;
        self.asks_to_arm = may && (self.asks_to_arm || !self.arm_was_down);
        self.asks_to_arm
    }

    /// Steering and throttle that the sticks ask for.
    fn sticks(&mut self, now: MonoNs, intent: &Intent, told: Option<&Telemetry>) -> (f32, f32) {
        let drives = told.is_some_and(|told| {
            let outcome = &told.outcome;
            now.since(told.mono_ns) <= TOLD_FOR_NS
                && outcome.mode.get() == Some(Mode::Active)
                && outcome.owner.get() == Some(Source::Teleop)
        });
        let stick = self.shape.of(intent.throttle);
        self.throttle_counts = drives && (self.throttle_counts || stick == 0.0);
        self.throttle_waits = drives && !self.throttle_counts;
        if !drives {
            return (0.0, 0.0);
        }
        let cap = if stick < 0.0 { self.reverse_max } else { self.throttle_max };
        let throttle = if self.throttle_counts { stick * cap } else { 0.0 };
        (self.shape.of(intent.steering), throttle)
    }
}

fn is_ours(told: Option<&Telemetry>) -> bool {
    told.is_some_and(|told| told.outcome.owner.get() == Some(Source::Teleop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rt_wire::Raw;

    const START: MonoNs = MonoNs(5_000_000_000);
    const STEP_NS: u64 = 20_000_000;

    /// A person, their driver and a loop that says what we let it say.
    struct Scene {
        driver: Driver,
        now: MonoNs,
        told: Telemetry,
        intent: Intent,
    }

    impl Scene {
        fn new() -> Self {
            let robot = Robot::resolve("sim-donkey").expect("built in");
            let mut told = Telemetry { cycle_index: 77, mono_ns: START, ..Telemetry::default() };
            told.outcome.mode = Raw::new(Mode::Disarmed);
            let intent = Intent { seen_at: START, ..Intent::default() };
            Self { driver: Driver::new(&robot), now: START, told, intent }
        }

        /// The next command, of a source that was seen just now.
        fn next(&mut self) -> Command {
            self.now = self.now.plus(STEP_NS);
            self.intent.seen_at = self.now;
            self.told.mono_ns = self.now;
            self.driver.command(self.now, Some(&self.intent), Some(&self.told))
        }

        /// Active, ours, switch held, throttle stick once in the middle.
        fn driving() -> Self {
            let mut scene = Self::new();
            scene.told.outcome.mode = Raw::new(Mode::Active);
            scene.told.outcome.owner = Raw::new(Source::Teleop);
            scene.intent.dead_man = true;
            scene.next();
            scene.intent.throttle = 1.0;
            scene.intent.steering = -1.0;
            let command = scene.next();
            assert!(throttle(&command) > 0.0, "a car that is ours drives");
            scene
        }
    }

    fn throttle(command: &Command) -> f32 {
        command.points[0].throttle
    }

    fn drives(command: &Command) -> bool {
        throttle(command) != 0.0
            || command.points[0].steering != 0.0
            || command.flags.has(CommandFlags::DEAD_MAN)
            || command.flags.has(CommandFlags::ASKS_AUTHORITY)
    }

    #[test]
    fn held_switch_claims_authority_and_answers_the_loops_cycle() {
        let mut scene = Scene::driving();
        let command = scene.next();
        assert_eq!(command.flags, CommandFlags::DEAD_MAN | CommandFlags::ASKS_AUTHORITY);
        assert_eq!((command.answers_cycle, command.n), (77, 1));
        assert_eq!(command.points[0].steering, -1.0);
        assert!(command.sequence > 1);
    }

    #[test]
    fn every_command_expires_within_the_loops_own_limit_for_teleop() {
        let command = Scene::driving().next();
        let valid_ns = command.expires_at.since(command.mono_ns);
        assert!((20_000_000..=140_000_000).contains(&valid_ns), "{valid_ns} ns");
    }

    #[test]
    fn pad_unplugged_stops_asking_at_once() {
        let mut scene = Scene::driving();
        let command = scene.driver.command(scene.now.plus(1), None, Some(&scene.told));
        assert!(!drives(&command), "{command:?}");
    }

    #[test]
    fn released_dead_man_switch_is_a_missing_bit_in_the_very_next_command() {
        let mut scene = Scene::driving();
        scene.intent.dead_man = false;
        assert!(!drives(&scene.next()));
        scene.intent.dead_man = true;
        let command = scene.next();
        assert_eq!(throttle(&command), 0.0, "after that the stick must come to the middle first");
    }

    #[test]
    fn source_that_tells_nothing_new_is_gone_after_a_tenth_of_a_second() {
        let mut scene = Scene::driving();
        let at = |scene: &mut Scene, age_ns| {
            let now = scene.intent.seen_at.plus(age_ns);
            scene.told.mono_ns = now;
            scene.driver.command(now, Some(&scene.intent), Some(&scene.told))
        };
        assert!(drives(&at(&mut scene, OLD_AFTER_NS)));
        assert!(!drives(&at(&mut scene, OLD_AFTER_NS + 1)));
    }

    #[test]
    fn estop_wins_over_everything_even_from_a_source_that_is_old() {
        let mut scene = Scene::driving();
        scene.intent = Intent { estop: true, arm: true, disarm: true, ..scene.intent };
        let command = scene.next();
        assert_eq!(command.flags, CommandFlags::ESTOP);
        assert_eq!((throttle(&command), command.points[0].steering), (0.0, 0.0));
        let late = scene.now.plus(10 * OLD_AFTER_NS);
        let command = scene.driver.command(late, Some(&scene.intent), None);
        assert_eq!(command.flags, CommandFlags::ESTOP);
    }

    #[test]
    fn disarm_is_asked_with_the_switch_held_too() {
        let mut scene = Scene::driving();
        scene.intent.disarm = true;
        let command = scene.next();
        assert_eq!((command.flags, drives(&command)), (CommandFlags::DISARM, false));
    }

    #[test]
    fn arming_is_asked_by_a_press_with_the_switch_held_and_the_throttle_in_the_middle() {
        let mut scene = Scene::new();
        scene.next();
        scene.intent = Intent { dead_man: true, arm: true, ..scene.intent };
        assert!(scene.next().flags.has(CommandFlags::ARM));
        assert!(scene.next().flags.has(CommandFlags::ARM), "as long as it is held");
        scene.intent.throttle = 0.5;
        assert!(!scene.next().flags.has(CommandFlags::ARM), "not with throttle");
        scene.intent.throttle = 0.0;
        assert!(!scene.next().flags.has(CommandFlags::ARM), "a new press is needed");

        scene.intent.arm = false;
        scene.next();
        scene.intent.throttle = 0.5;
        scene.intent.arm = true;
        assert!(!scene.next().flags.has(CommandFlags::ARM), "neutral first");
    }

    #[test]
    fn arm_button_that_came_down_without_the_switch_or_before_the_pad_asks_nothing() {
        let mut scene = Scene::new();
        scene.intent.arm = true;
        scene.next();
        scene.intent.dead_man = true;
        assert!(!scene.next().flags.has(CommandFlags::ARM), "the switch came later");
        let mut scene = Scene::new();
        scene.driver.command(scene.now, None, Some(&scene.told));
        scene.intent = Intent { dead_man: true, arm: true, ..scene.intent };
        assert!(!scene.next().flags.has(CommandFlags::ARM), "plugged in with the button down");
    }

    #[test]
    fn nothing_moves_until_the_car_is_active_and_ours() {
        for (mode, owner) in [
            (Mode::Disarmed, Source::Teleop),
            (Mode::Arming, Source::Teleop),
            (Mode::Active, Source::Pilot),
            (Mode::Active, Source::None),
            (Mode::SafeStop, Source::Teleop),
        ] {
            let mut scene = Scene::driving();
            scene.told.outcome.mode = Raw::new(mode);
            scene.told.outcome.owner = Raw::new(owner);
            let command = scene.next();
            let asked = (throttle(&command), command.points[0].steering);
            assert_eq!(asked, (0.0, 0.0), "{mode:?} {owner:?}");
        }
        let mut scene = Scene::driving();
        scene.intent.seen_at = scene.now.plus(TOLD_FOR_NS + 1);
        let silent =
            scene.driver.command(scene.intent.seen_at, Some(&scene.intent), Some(&scene.told));
        assert_eq!(throttle(&silent), 0.0, "a loop that is silent");
    }

    #[test]
    fn throttle_that_was_held_while_arming_does_not_leap() {
        let mut scene = Scene::new();
        scene.intent = Intent { dead_man: true, throttle: 1.0, ..scene.intent };
        scene.next();
        scene.told.outcome.mode = Raw::new(Mode::Active);
        scene.told.outcome.owner = Raw::new(Source::Teleop);
        assert_eq!(throttle(&scene.next()), 0.0);
        assert!(scene.driver.throttle_waits(), "and the person is told why");
        scene.intent.throttle = 0.0;
        scene.next();
        assert!(!scene.driver.throttle_waits());
        scene.intent.throttle = 1.0;
        assert!(throttle(&scene.next()) > 0.0);
    }

    #[test]
    fn stick_at_its_end_is_the_robot_files_throttle_and_never_more() {
        let file = Robot::resolve("sim-donkey").expect("built in").file().clone();
        let mut scene = Scene::driving();
        assert_eq!(throttle(&scene.next()), file.teleop.throttle_max as f32);
        scene.intent.throttle = -7.0;
        assert_eq!(throttle(&scene.next()), -file.teleop.reverse_max as f32);
        scene.intent.throttle = f32::NAN;
        assert_eq!(throttle(&scene.next()), 0.0);

        let narrow = |file: &mut rt_config::RobotFile| file.limits.throttle_max = 0.1;
        let robot = Robot::resolve("sim-donkey").expect("built in").edited(narrow).expect("valid");
        assert_eq!(Driver::new(&robot).throttle_max, 0.1, "the car's own limit is the lower one");
    }

    #[test]
    fn who_leaves_disarms_their_own_drive_and_nobody_elses() {
        let mut scene = Scene::driving();
        scene.driver.end();
        let command = scene.next();
        assert_eq!((command.flags, drives(&command)), (CommandFlags::DISARM, false));
        scene.told.outcome.owner = Raw::new(Source::Pilot);
        assert_eq!(scene.next().flags, CommandFlags::EMPTY);
    }
}
