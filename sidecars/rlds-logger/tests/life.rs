//! When an episode begins and ends, to the record: arming and its tail, caps, other drivers, wishes,
//! and a full disk.

mod common;

use common::cycle;
use rlds::Closing;
use rlds_logger::life::{End, Facts, Life, LifeRules, Turn};
use rt_config::EpisodeBegins;
use rt_wire::{Mode, Source, Telemetry};

const FACTS: Facts = Facts { has_room: true, bytes: 0, wish: None };

fn rules(begins: EpisodeBegins) -> LifeRules {
    LifeRules { begins, max_ns: None, max_bytes: None, on_authority: false }
}

fn record(n: u64, mode: Mode, owner: Source) -> Telemetry {
    let mut record = cycle(n);
    record.outcome.mode = mode.into();
    record.outcome.owner = owner.into();
    record
}

/// A second of cycles is a thousand; `told` holds each turn and the first cycle after it.
struct Course {
    life: Life,
    n: u64,
    facts: Facts,
    told: Vec<(u64, Turn)>,
}

impl Course {
    fn new(rules: LifeRules) -> Self {
        Self { life: Life::new(rules), n: 0, facts: FACTS, told: Vec::new() }
    }

    fn cycles(&mut self, count: u64, mode: Mode, owner: Source) -> &mut Self {
        for _ in 0..count {
            self.n += 1;
            let turn = self.life.before(&record(self.n, mode, owner), &self.facts);
            self.told.extend(turn.map(|turn| (self.n, turn)));
        }
        self
    }

    fn keyframe(&mut self) -> &mut Self {
        let turn = self.life.after_keyframe();
        self.told.extend(turn.map(|turn| (self.n + 1, turn)));
        self
    }
}

fn begins(at: u64, word: &'static str) -> (u64, Turn) {
    (at, Turn { ends: None, begins: Some(word) })
}

fn ends(
    at: u64,
    closing: Closing,
    reason: &'static str,
    next: Option<&'static str>,
) -> (u64, Turn) {
    (at, Turn { ends: Some(End { closing, reason }), begins: next })
}

#[test]
fn every_cycle_is_recorded_from_the_first_where_the_robot_file_says_start() {
    let mut course = Course::new(rules(EpisodeBegins::Start));
    course.cycles(2000, Mode::Disarmed, Source::None).cycles(2000, Mode::Active, Source::Pilot);
    course.cycles(9000, Mode::Disarmed, Source::None);
    assert_eq!(course.told, [begins(1, "start")]);
}

#[test]
fn arming_begins_an_episode_and_a_second_after_it_is_over_it_ends_with_its_reason() {
    for (mode, reason) in
        [(Mode::Disarmed, "disarmed"), (Mode::EStopLatched, "estop"), (Mode::Fault, "fault")]
    {
        let mut course = Course::new(rules(EpisodeBegins::Arm));
        course.cycles(500, Mode::Disarmed, Source::None).cycles(1000, Mode::Arming, Source::None);
        course.cycles(3000, Mode::Active, Source::Pilot).cycles(500, Mode::SafeStop, Source::None);
        course.cycles(5000, mode, Source::None);
        // The first cycle of the mode is 5001; the tail is a second of it.
        assert_eq!(
            course.told,
            [begins(501, "arm"), ends(6001, Closing::Clean, reason, None)],
            "{mode:?}"
        );
        assert!(!course.life.is_refused());
    }
}

#[test]
fn car_that_is_armed_again_within_the_tail_begins_the_next_at_that_cycle() {
    let mut course = Course::new(rules(EpisodeBegins::Arm));
    course.cycles(100, Mode::Active, Source::Pilot).cycles(300, Mode::Disarmed, Source::None);
    course.cycles(100, Mode::Arming, Source::None);
    let again = ends(401, Closing::Clean, "disarmed", Some("arm"));
    assert_eq!(course.told, [begins(1, "arm"), again]);
}

#[test]
fn time_cap_cuts_right_after_the_next_keyframe() {
    let mut course =
        Course::new(LifeRules { max_ns: Some(2_000_000_000), ..rules(EpisodeBegins::Start) });
    course.cycles(1000, Mode::Active, Source::Pilot).keyframe();
    course.cycles(1500, Mode::Active, Source::Pilot).keyframe();
    course.cycles(1900, Mode::Active, Source::Pilot).keyframe();
    let cut = ends(2501, Closing::Cut, "episode_max_s", Some("episode_max_s"));
    assert_eq!(course.told, [begins(1, "start"), cut], "the next has its own two seconds");
}

#[test]
fn cap_waits_no_longer_than_two_seconds_for_a_keyframe_that_does_not_come() {
    let mut course =
        Course::new(LifeRules { max_ns: Some(2_000_000_000), ..rules(EpisodeBegins::Start) });
    course.cycles(4500, Mode::Active, Source::Pilot);
    // Reached with cycle 2001, two seconds on the record's clock after the first.
    let cut = ends(4001, Closing::Cut, "episode_max_s", Some("episode_max_s"));
    assert_eq!(course.told, [begins(1, "start"), cut]);
}

#[test]
fn size_cap_cuts_as_the_time_cap_does() {
    let mut course =
        Course::new(LifeRules { max_bytes: Some(1_000_000), ..rules(EpisodeBegins::Start) });
    course.facts.bytes = 999_999;
    course.cycles(100, Mode::Active, Source::Pilot).keyframe();
    course.facts.bytes = 1_000_000;
    course.cycles(1, Mode::Active, Source::Pilot).keyframe();
    let cut = ends(102, Closing::Cut, "episode_max_mb", Some("episode_max_mb"));
    assert_eq!(course.told, [begins(1, "start"), cut]);
}

#[test]
fn another_driver_cuts_at_its_first_cycle_if_the_robot_file_says_so_and_nobody_is_no_driver() {
    for on_authority in [true, false] {
        let mut course = Course::new(LifeRules { on_authority, ..rules(EpisodeBegins::Start) });
        course.cycles(100, Mode::Disarmed, Source::None).cycles(100, Mode::Active, Source::Pilot);
        course.cycles(100, Mode::SafeStop, Source::None).cycles(100, Mode::Active, Source::Pilot);
        course.cycles(100, Mode::Active, Source::Teleop);
        let mut expected = vec![begins(1, "start")];
        if on_authority {
            expected.push(ends(401, Closing::Cut, "authority", Some("authority")));
        }
        assert_eq!(course.told, expected);
    }
}

#[test]
fn full_disk_ends_the_episode_at_once_and_it_begins_again_when_there_is_room() {
    let mut course = Course::new(rules(EpisodeBegins::Start));
    course.cycles(100, Mode::Active, Source::Pilot);
    course.facts.has_room = false;
    course.cycles(100, Mode::Active, Source::Pilot);
    assert!(course.life.is_refused() && !course.life.is_recording());
    course.facts.has_room = true;
    course.cycles(100, Mode::Active, Source::Pilot);
    let cut = ends(101, Closing::Cut, "free_min_mb", None);
    assert_eq!(course.told, [begins(1, "start"), cut, begins(201, "free_min_mb")]);
    assert!(!course.life.is_refused());
}

#[test]
fn car_that_is_not_armed_lacks_nothing_on_a_full_disk_until_it_is() {
    let mut course = Course::new(rules(EpisodeBegins::Arm));
    course.facts.has_room = false;
    course.cycles(100, Mode::Disarmed, Source::None);
    assert!(!course.life.is_refused());
    course.cycles(100, Mode::Active, Source::Pilot);
    assert!(course.life.is_refused());
    course.cycles(100, Mode::Disarmed, Source::None);
    assert!(!course.life.is_refused());
    assert_eq!(course.told, []);
}

#[test]
fn wish_begins_an_episode_whatever_the_mode_and_its_end_goes_back_to_what_the_robot_file_says() {
    for (kind, first, after) in [
        (EpisodeBegins::Start, Some("start"), Some("after_command")),
        (EpisodeBegins::Arm, None, None),
    ] {
        let mut course = Course::new(rules(kind));
        course.cycles(100, Mode::Disarmed, Source::None);
        course.facts.wish = Some(1);
        course.cycles(5000, Mode::Disarmed, Source::None);
        course.facts.wish = Some(2);
        course.cycles(100, Mode::Disarmed, Source::None);
        course.facts.wish = None;
        course.cycles(100, Mode::Disarmed, Source::None);
        let wished = match first {
            Some(_) => ends(101, Closing::Cut, "command", Some("command")),
            None => begins(101, "command"),
        };
        let mut expected: Vec<_> = first.map(|word| begins(1, word)).into_iter().collect();
        expected.push(wished);
        expected.push(ends(5101, Closing::Cut, "command", Some("command")));
        expected.push(ends(5201, Closing::Cut, "command", after));
        assert_eq!(course.told, expected, "{kind:?}");
    }
}

#[test]
fn fulfilled_wish_is_not_fulfilled_again_and_nothing_follows_the_last() {
    let mut course = Course::new(rules(EpisodeBegins::Start));
    course.facts.wish = Some(7);
    course.cycles(100, Mode::Active, Source::Pilot);
    assert_eq!(course.life.fulfil(), ends(0, Closing::Cut, "max_steps", Some("after_command")).1);
    course.cycles(100, Mode::Active, Source::Pilot);
    assert_eq!(course.told, [begins(1, "command")]);
    course.facts.wish = Some(8);
    course.cycles(1, Mode::Active, Source::Pilot);
    assert_eq!(course.life.fulfil_all(), ends(0, Closing::Cut, "max_steps", None).1);
    course.facts.wish = None;
    course.cycles(100, Mode::Active, Source::Pilot);
    assert_eq!(course.told.len(), 2);
    assert!(course.life.is_over() && !course.life.is_refused());
}
