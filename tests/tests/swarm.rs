//! The whole robot in virtual time, in a world in which anything may break; CI runs ten times as much
//! through the bin `swarm`.

use nix::time::{ClockId, clock_gettime};
use rt_config::Robot;
use rt_wire::{MonoNs, SOURCES};
use std::time::Duration;
use tests::swarm::{
    ACCEL_MAX_M_PER_S2, BATTERY_V, CHIP_C, Campaign, Classes, CutOffs, DISAGREE_NS, EXPIRY_MAX_NS,
    FaultClass, HEARTBEAT_NS, LATE_MAX, LATE_NS, Mark, Plan, RESET_NS, Report, STALE_CYCLES,
    STARVED_NS, TELEOP_AGE_NS, cut_offs, estop_to_neutral, run, run_campaign,
};

/// What a network does to a person's frames.
const NETWORK: [FaultClass; 5] = [
    FaultClass::NetLoss,
    FaultClass::NetDelay,
    FaultClass::NetDuplicate,
    FaultClass::NetReorder,
    FaultClass::NetPartition,
];
/// What a disk does to a log.
const DISK: [FaultClass; 3] = [FaultClass::DiskFull, FaultClass::DiskFails, FaultClass::DiskStalls];

fn these(classes: &[FaultClass]) -> Classes {
    classes.iter().fold(Classes::default(), |set, class| set.with(*class))
}

fn without(classes: &[FaultClass]) -> Classes {
    classes.iter().fold(Classes::ALL, |set, class| set.without(*class))
}

/// How often a mark came up.
fn hits(marks: &[Mark], name: &str) -> u64 {
    marks.iter().find(|mark| mark.name == name).map_or(0, |mark| mark.hits)
}

fn campaign(seeds: u64, only: Classes) -> Campaign {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Campaign { seed: 1, seeds, cycles: 20_000, only, threads }
}

#[test]
fn no_rule_breaks_in_a_million_cycles_in_which_anything_may_break() {
    let report = run_campaign(&campaign(60, Classes::ALL), |_| {});
    assert!(report.failure.is_none(), "{:#?}", report.shrunk);
    assert_eq!(report.strays, 0, "transitions outside the table");
    assert_eq!(report.cycles, 1_200_000);
    let met = |name: &str| report.marks.iter().find(|mark| mark.name == name).map(|mark| mark.hits);
    // The bin demands every mark; here only that the world is one in which a car drives and stops.
    for name in ["Arming to Active", "Active to SafeStop", "Active to EStopLatched"] {
        assert!(met(name).is_some_and(|hits| hits > 12), "{name}: {:?}", met(name));
    }
    for name in ["back to Active after a calm", "replayed stretch", "cycle without its bystanders"]
    {
        assert!(met(name).is_some_and(|hits| hits > 12), "{name}: {:?}", met(name));
    }
}

#[test]
fn without_faults_nothing_but_the_operator_stops_the_car() {
    let report = run_campaign(&campaign(5, Classes::default()), |_| {});
    assert!(report.is_good(), "{:#?}", report.shrunk);
    let met = |name: &str| report.marks.iter().find(|mark| mark.name == name).map(|mark| mark.hits);
    assert!(met("Arming to Active").is_some_and(|hits| hits > 0));
    // Without a fault only the operator's second thoughts trip the latch, and only from SafeStop.
    assert_eq!(met("Active to Fault"), Some(0));
    assert_eq!(met("Active to EStopLatched"), Some(0));
}

fn assert_met(report: &Report, names: &[&str]) {
    assert!(report.is_good(), "{:#?}", report.shrunk);
    for name in names {
        assert!(hits(&report.marks, name) > 12, "{name}: {:#?}", report.marks);
    }
}

#[test]
fn frames_that_come_late_or_again_never_extend_the_life_of_a_command() {
    let report = run_campaign(&campaign(60, these(&NETWORK)), |_| {});
    let what = ["came again", "was overtaken", "came too old", "never came"];
    let what = what.map(|what| format!("frame that {what}"));
    assert_met(&report, &what.each_ref().map(String::as_str));
    // A person drove, and the network cost them the drive.
    assert_met(&report, &["the motor pushed", "Active to SafeStop", "back to Active after a calm"]);
    assert!(hits(&report.marks, "cause OwnerStale") > 12, "{:#?}", report.marks);
}

#[test]
fn a_bad_disk_is_told_by_the_logger_forbids_arming_and_stops_no_drive() {
    let report = run_campaign(&campaign(60, these(&DISK)), |_| {});
    assert_met(&report, &["fault disk-full", "fault disk-fails", "fault disk-stalls"]);
    assert_met(&report, &["cause LogMissing", "interlock log-missing", "Arming to Active"]);
}

/// Seeds whose runs with and without these classes are told apart by nothing but the classes' own
/// marks, and how often those came up.
fn runs_that_are_alike(classes: &[FaultClass], fits: impl Fn(&[Mark]) -> bool) -> (u64, u64) {
    let own = |mark: &Mark| classes.iter().any(|class| mark.name.ends_with(class.name()));
    let (mut alike, mut struck) = (0, 0);
    for seed in 1..=30 {
        let marks = |only| {
            let result = run(&Plan { seed, cycles: 20_000, only });
            result.map(|marks| marks.required(Classes::ALL)).expect("a good run")
        };
        let (mut with, mut without) = (marks(Classes::ALL), marks(without(classes)));
        if !fits(&with) {
            continue;
        }
        alike += 1;
        struck += with.iter().filter(|mark| own(mark)).map(|mark| mark.hits).sum::<u64>();
        with.retain(|mark| !own(mark));
        without.retain(|mark| !own(mark));
        assert_eq!(with, without, "seed {seed}");
    }
    (alike, struck)
}

#[test]
fn a_jump_of_the_wall_clock_changes_no_cycle() {
    let (alike, struck) = runs_that_are_alike(&[FaultClass::ClockSteps], |_| true);
    assert!(alike == 30 && struck > 12, "{alike} seeds, {struck} jumps");
}

#[test]
fn the_loop_never_notices_a_disk_whose_log_nobody_requires() {
    let not_required = |marks: &[Mark]| hits(marks, "cause LogMissing") == 0;
    let (alike, struck) = runs_that_are_alike(&DISK, not_required);
    assert!(alike > 10 && struck > 12, "{alike} seeds, {struck} strikes");
}

#[test]
fn clocks_of_the_loop_and_of_a_sidecar_are_the_one_that_never_jumps() {
    let monotonic = || {
        let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has it");
        MonoNs(u64::try_from(Duration::from(time).as_nanos()).expect("500 years"))
    };
    for clock in [fast_loop::clock::now, sidecar::mono_now] {
        let (before, now, after) = (monotonic(), clock(), monotonic());
        assert!((before..=after).contains(&now), "{before:?} {now:?} {after:?}");
    }
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    let plan = Plan { seed: 3, cycles: 20_000, only: Classes::ALL };
    let marks = || run(&plan).map(|marks| marks.required(Classes::ALL)).expect("a good run");
    assert_eq!(marks(), marks());
}

#[test]
fn estop_pin_drives_neutral_in_the_cycle_that_reads_it() {
    let found = estop_to_neutral(40_000, 1).expect("the built-in robot");
    assert!(found.is_good(), "{found:?}");
    assert!(found.in_mode.iter().all(|(_, injections)| *injections == 5_000), "{found:?}");
}

#[test]
fn lost_commands_stop_the_car_within_the_time_of_their_source() {
    for source in SOURCES {
        let found = cut_offs(source, 1_000, 1).expect("a car that drives");
        assert!(CutOffs::is_good(&found), "{found:?}");
        // Nor sooner: a bound that is met by stopping at once would be no bound.
        assert!(found.p50_ms > 0.8 * found.allowed_ms, "{found:?}");
    }
}

#[test]
fn numbers_of_the_oracles_are_those_of_the_robot() {
    let limits = Robot::resolve("pi5-donkey").expect("a built-in robot").limits();
    assert_eq!(limits.stale_cycles, STALE_CYCLES);
    assert_eq!(limits.command_expiry_max_ns, EXPIRY_MAX_NS);
    assert_eq!(limits.teleop_age_max_ns, TELEOP_AGE_NS);
    assert_eq!([limits.heartbeat_late_ns, limits.heartbeat_lost_ns], HEARTBEAT_NS);
    assert_eq!([limits.late_after_ns, limits.neutral_after_ns], LATE_NS);
    assert_eq!([limits.late_consecutive, limits.late_per_1000], LATE_MAX);
    assert_eq!([limits.reset_press_min_ns, limits.reset_press_max_ns], RESET_NS);
    assert_eq!([limits.estop_discrepancy_ns, limits.relay_feedback_ns], DISAGREE_NS);
    assert_eq!(limits.undervoltage_dwell_ns, STARVED_NS);
    let milli = |values: [f32; 2]| values.map(|value| (f64::from(value) * 1000.0).round() as i64);
    let battery = [limits.battery_low_mv, limits.battery_critical_mv].map(i64::from);
    assert_eq!(battery, milli(BATTERY_V));
    let chip = [limits.temperature_high_milli_c, limits.temperature_critical_milli_c];
    assert_eq!(chip.map(i64::from), milli(CHIP_C));
    assert_eq!(f64::from(limits.imu_max_mm_per_s2), ACCEL_MAX_M_PER_S2 * 1000.0);
}

#[test]
fn names_of_fault_classes_are_read_back() {
    let some = Classes::default().with(FaultClass::RelayWelded).with(FaultClass::LateBurst);
    assert_eq!(Classes::parse("late-burst, relay-welded"), Ok(some));
    assert!(Classes::parse("flood").is_err_and(|message| message.contains("`flood`")));
}
