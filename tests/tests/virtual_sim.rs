//! Kernel, pilot and plant together, in virtual time: what a whole drive must come to.

use hil::plant::Lines;
use rt_config::{Robot, Track};
use rt_wire::{Fault, Mode, MonoNs, OperatorKind, Source, Telemetry};
use std::path::PathBuf;
use tests::virtual_sim::{Options, Report, VirtualRobot, run};

const STANDING_M_PER_S: f64 = 0.05;

fn robot() -> Robot {
    Robot::resolve("sim-donkey").expect("a built-in robot")
}

fn twisty(seed: u64) -> Options {
    Options::new(robot(), Track::builtin("twisty").expect("a built-in track"), seed)
}

fn driven(options: &Options, seconds: f64) -> Report {
    run(options, seconds).expect("a track that the plant takes")
}

/// A robot that has been armed and has driven for `cycles` in Active.
fn driving(options: &Options, cycles: u64) -> VirtualRobot {
    let mut robot = VirtualRobot::new(options).expect("a track that the plant takes");
    for _ in 0..5000 {
        let newest = robot.cycle();
        let may_arm =
            newest.outcome.mode == Mode::Disarmed.into() && newest.outcome.interlocks.is_empty();
        if newest.outcome.mode == Mode::Active.into() {
            break;
        }
        if may_arm {
            robot.ask(OperatorKind::Arm);
        }
    }
    for _ in 0..cycles {
        robot.cycle();
    }
    assert_eq!(mode(robot.newest()), Mode::Active);
    robot
}

fn mode(record: &Telemetry) -> Mode {
    record.outcome.mode.get().expect("a mode that means something")
}

fn speed_m_per_s(robot: &VirtualRobot) -> f64 {
    robot.plant.status().motion.speed_m_per_s()
}

/// Cycles until `done`, or a failure after `within_ms`; returns the instant at which it was.
fn until(robot: &mut VirtualRobot, within_ms: u64, done: impl Fn(&VirtualRobot) -> bool) -> MonoNs {
    let from = robot.newest().mono_ns;
    while robot.newest().mono_ns.since(from) <= within_ms * 1_000_000 {
        robot.cycle();
        if done(robot) {
            return robot.newest().mono_ns;
        }
    }
    panic!("not within {within_ms} ms; now {:?}", robot.newest().outcome);
}

#[test]
fn a_lap_of_twisty_is_driven_within_twenty_seconds_and_on_the_track() {
    let report = driven(&twisty(1), 20.0);
    assert!(report.is_good(), "{report:?}");
    assert!(report.plant.laps >= 1, "{report:?}");
    // A run of 20 s must hold a lap on a slow day too.
    assert!(report.plant.lap_times_s[0] < 17.0, "{report:?}");
    assert_eq!(report.plant.off_track_count, 0);
    assert!(report.plant.border_margin_m_min > 0.1, "{report:?}");
    assert_eq!(report.mode_final, "Disarmed");
}

#[test]
fn two_runs_of_one_seed_are_equal_to_the_bit_and_of_two_seeds_are_not() {
    let [mut one, mut same] = [1, 1].map(|seed| driven(&twisty(seed), 5.0));
    for report in [&mut one, &mut same] {
        report.wall_s = 0.0;
        report.cycles_per_s = 0.0;
    }
    assert_eq!(one, same);
    let other = driven(&twisty(2), 5.0);
    assert_ne!(one.telemetry_hash, other.telemetry_hash);
    assert_ne!(one.plant.state_hash, other.plant.state_hash);
    assert_eq!(one.plant.plant_hash, other.plant.plant_hash);
}

#[test]
fn cars_of_other_seeds_stay_on_the_track_too() {
    for seed in 10..20 {
        let report = driven(&twisty(seed), 20.0);
        assert!(report.is_good() && report.plant.laps >= 1, "{report:?}");
        assert_eq!(report.plant.off_track_count, 0, "seed {seed}");
    }
}

#[test]
fn commands_that_come_twenty_milliseconds_late_keep_the_car_on_the_track() {
    let mut options = twisty(1);
    options.command_delay_cycles = 20;
    let report = driven(&options, 20.0);
    assert!(report.is_good() && report.plant.laps >= 1, "{report:?}");
    assert_eq!(report.plant.off_track_count, 0);
}

#[test]
fn a_pilot_that_stalls_for_ten_milliseconds_now_and_then_keeps_the_car_on_the_track() {
    let mut robot = driving(&twisty(1), 0);
    for cycle in 0..20_000_u64 {
        // A stall that wanders through the pilot's period.
        robot.pilot_runs = cycle % 97 >= 10;
        robot.cycle();
    }
    assert_eq!(mode(robot.newest()), Mode::Active);
    let status = robot.status();
    assert!(status.laps >= 1 && status.off_track_count == 0, "{status:?}");
}

#[test]
fn a_killed_pilot_leads_to_a_safe_stop_within_100_ms_and_to_a_standing_car_within_3_s() {
    // At several places of the track and phases of the pilot's period.
    for cycles in [2_000, 4_007, 6_513, 9_991] {
        let mut robot = driving(&twisty(1), cycles);
        assert!(speed_m_per_s(&robot) > 0.5, "it drives");
        robot.pilot_lives = false;
        let stopped_at = until(&mut robot, 1000, |robot| mode(robot.newest()) != Mode::Active);
        let record = robot.newest();
        assert_eq!(mode(record), Mode::SafeStop);
        assert!(record.outcome.causes.contains(Fault::OwnerStale), "{:?}", record.outcome.causes);
        let pilot = Source::Pilot.index().expect("the pilot is a source");
        let last_good_at = record.inbox.commands[pilot].command.mono_ns;
        assert!(stopped_at.since(last_good_at) <= 100_000_000);
        until(&mut robot, 3000, |robot| speed_m_per_s(robot) < STANDING_M_PER_S);
        assert_eq!(mode(robot.newest()), Mode::Disarmed);
    }
}

#[test]
fn a_pilot_that_comes_back_after_a_stop_drives_only_after_a_new_arming() {
    let mut robot = driving(&twisty(1), 3_000);
    robot.pilot_lives = false;
    until(&mut robot, 4000, |robot| {
        mode(robot.newest()) == Mode::Disarmed && speed_m_per_s(robot) < STANDING_M_PER_S
    });
    let stood_at_m = robot.status().distance_m;
    robot.pilot_lives = true;
    for _ in 0..2000 {
        robot.cycle();
    }
    assert_eq!(mode(robot.newest()), Mode::Disarmed);
    assert!(robot.status().distance_m - stood_at_m < 0.1, "it rolls out at most");
    robot.ask(OperatorKind::Arm);
    until(&mut robot, 2000, |robot| mode(robot.newest()) == Mode::Active);
    until(&mut robot, 3000, |robot| speed_m_per_s(robot) > 0.5);
}

#[test]
fn the_mushroom_cuts_the_drive_in_the_same_cycle_and_stays_latched_when_released() {
    let mut robot = driving(&twisty(1), 3_000);
    robot.plant.set_lines(Lines { estop_pressed: true, ..Lines::default() });
    // The cycle after the press is the first that can see it.
    let record = *robot.cycle();
    let record = if record.outcome.mode == Mode::Active.into() { *robot.cycle() } else { record };
    assert_eq!(mode(&record), Mode::EStopLatched);
    assert_eq!(record.outcome.setpoint.throttle, 0.0);
    assert!(record.outcome.pulses.flags.is_empty(), "relay and pump off");
    assert!(robot.plant.status().power_cut);
    until(&mut robot, 3000, |robot| speed_m_per_s(robot) < STANDING_M_PER_S);
    robot.plant.set_lines(Lines::default());
    robot.ask(OperatorKind::Arm);
    for _ in 0..2000 {
        robot.cycle();
    }
    assert_eq!(mode(robot.newest()), Mode::EStopLatched);
    robot.ask(OperatorKind::Reset);
    until(&mut robot, 100, |robot| mode(robot.newest()) == Mode::Disarmed);
}

#[test]
fn an_operators_estop_stops_the_car_although_the_pilot_goes_on_asking() {
    let mut robot = driving(&twisty(1), 3_000);
    robot.ask(OperatorKind::Estop);
    assert_eq!(mode(robot.cycle()), Mode::EStopLatched);
    until(&mut robot, 3000, |robot| speed_m_per_s(robot) < STANDING_M_PER_S);
    let stood_at_m = robot.status().distance_m;
    for _ in 0..2000 {
        robot.cycle();
    }
    assert!(robot.status().distance_m - stood_at_m < 0.1);
}

#[test]
fn a_lost_pose_leads_to_a_neutral_command_and_a_standing_car() {
    let mut robot = driving(&twisty(1), 3_000);
    let faults = hil::plant::Faults {
        cut: hil::plant::Cuts { pose: true, ..hil::plant::Cuts::default() },
        ..hil::plant::Faults::default()
    };
    robot.plant.set_faults(faults);
    until(&mut robot, 3000, |robot| speed_m_per_s(robot) < STANDING_M_PER_S);
    assert_eq!(mode(robot.newest()), Mode::Active, "the pilot still speaks");
    assert_eq!(robot.newest().outcome.asked.throttle, 0.0);
}

#[test]
fn a_drive_that_leaves_the_track_is_no_success_and_says_so() {
    // As fast as the bends would allow tyres twice as good.
    let robot = robot()
        .edited(|file| {
            file.pilot.speed_max_m_per_s = 5.0;
            file.pilot.lateral_accel_max_m_per_s2 = 15.0;
        })
        .expect("within the ranges");
    let track = Track::builtin("twisty").expect("a built-in track");
    let report = driven(&Options::new(robot, track, 1), 20.0);
    assert!(report.armed && report.plant.off_track_count > 0, "{report:?}");
    assert!(!report.is_good());
    assert!(report.reasons.iter().any(|reason| reason.contains("left the track")), "{report:?}");
}

/// A real circuit at 1:10, or `None` with a loud word where the shared data are absent.
fn circuit(name: &str) -> Option<Track> {
    let beside_the_repository =
        [env!("CARGO_MANIFEST_DIR"), "..", "..", "shared", "data", "tracks"]
            .iter()
            .collect::<PathBuf>();
    let file = beside_the_repository.join(format!("{name}.csv"));
    if !file.is_file() {
        eprintln!("SKIPPED: {} is not there; {name} is not driven", file.display());
        return None;
    }
    Some(Track::load(&file, 0.1).expect("a valid circuit"))
}

#[test]
fn a_lap_of_the_norisring_is_driven_within_180_s_and_on_the_track() {
    let Some(track) = circuit("Norisring") else { return };
    let report = driven(&Options::new(robot(), track, 1), 180.0);
    assert!(report.is_good() && report.plant.laps >= 1, "{report:?}");
    assert_eq!(report.plant.off_track_count, 0);
}

#[test]
fn a_lap_of_spielberg_is_driven_on_the_track() {
    let Some(track) = circuit("Spielberg") else { return };
    let report = driven(&Options::new(robot(), track, 1), 400.0);
    assert!(report.is_good() && report.plant.laps >= 1, "{report:?}");
    assert_eq!(report.plant.off_track_count, 0);
}
