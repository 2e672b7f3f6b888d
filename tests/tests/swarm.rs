//! The whole robot in virtual time, in a world in which anything may break; CI runs ten times as much
//! through the bin `swarm`.

use rt_config::Robot;
use rt_wire::SOURCES;
use tests::swarm::{
    ACCEL_MAX_M_PER_S2, BATTERY_V, CHIP_C, Campaign, Classes, CutOffs, DISAGREE_NS, EXPIRY_MAX_NS,
    FaultClass, HEARTBEAT_NS, LATE_MAX, LATE_NS, Plan, RESET_NS, STALE_CYCLES, STARVED_NS,
    TELEOP_AGE_NS, cut_offs, estop_to_neutral, run, run_campaign,
};

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
