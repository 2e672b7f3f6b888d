//! A report from a synthetic run: the keys that scripts rely on, and how it looks.

use super::{Ended, Facts, ProcessEnd, Report, Verdict, build, render};
use crate::observe::conditions::{Load, Machine};
use crate::observe::trace::Trace;
use crate::observe::watch::Seen;
use crate::sim::{Outcome, Plan};
use rt_config::Robot;
use rt_wire::{
    Class, Fault, FaultSet, HEARTBEAT_SOURCES, Health, HealthFlags, Mode, MonoNs, PlantStatus,
    Source, Telemetry,
};
use serde_json::{Value, json};
use std::path::Path;

const PERIOD_NS: u64 = 1_000_000;
const PILOT: usize = 2;

/// Disarmed to 500, Arming to 1500, Active from 1500 until `leaves`, then SafeStop, Disarmed.
fn mode_at(cycle: u64, leaves: u64) -> Mode {
    match cycle {
        0..500 => Mode::Disarmed,
        500..1500 => Mode::Arming,
        _ if cycle < leaves => Mode::Active,
        _ if cycle < leaves + 400 => Mode::SafeStop,
        _ => Mode::Disarmed,
    }
}

/// A run whose pilot falls silent at `silent`, and which leaves Active at `leaves` for `cause`.
fn trace(silent: u64, leaves: u64, cause: Fault) -> Trace {
    let mut trace = Trace::new(PERIOD_NS);
    for n in 1..=leaves + 1000 {
        let mut record = Telemetry { sequence: n, cycle_index: n, ..Telemetry::default() };
        let woke_ns = n * PERIOD_NS + 20_000 + n % 7 * 1500;
        record.mono_ns = MonoNs(woke_ns);
        record.release.release_time = MonoNs(n * PERIOD_NS);
        record.release.woke_at = MonoNs(woke_ns);
        if n > 1 {
            let before_ns = (n - 1) * PERIOD_NS + 20_000 + (n - 1) % 7 * 1500;
            record.release.previous_woke_at = MonoNs(before_ns);
            record.release.previous_driven_at = MonoNs(before_ns + 2_000);
            record.release.previous_finished_at = MonoNs(before_ns + 3_500);
        }
        let mode = mode_at(n, leaves);
        record.outcome.mode = mode.into();
        record.outcome.previous_mode = mode_at(n - 1, leaves).into();
        if matches!(mode, Mode::Arming | Mode::Active) {
            record.outcome.owner = Source::Pilot.into();
        }
        if n % 20 == 0 && n < silent {
            record.outcome.classes[PILOT] = Class::GoodAsking.into();
            record.inbox.commands[PILOT].command.answers_cycle = n - 4;
        }
        if n == leaves {
            record.outcome.causes = FaultSet::of(cause);
        }
        trace.add(&record);
    }
    trace
}

fn seen(trace: Trace) -> Seen {
    let stood_at = trace.departure.map(|departure| departure.change.at.plus(812_000_000));
    Seen {
        trace,
        stood_at,
        off_track_count_active: 0,
        off_track_count_seen: 0,
        plant: Some(PlantStatus {
            plant_hash: 0x00c0_ffee_0123_4567,
            distance_m: 41.93,
            last_lap_s: 13.41,
            best_lap_s: 13.38,
            top_speed_m_per_s: 2.21,
            laps: 1,
            ..PlantStatus::default()
        }),
        health: Some(Health {
            cycles: 22_500,
            voluntary_switches: 22_500,
            involuntary_switches: 31,
            resident_bytes: 9_437_184,
            cpu: u32::MAX,
            flags: HealthFlags::SEALED | HealthFlags::PREFAULTED,
            build_id: 0xdead_beef,
            neutral_at: MonoNs(4_250_000),
            ..Health::default()
        }),
        heartbeats: [None; HEARTBEAT_SOURCES.len()],
        trouble: None,
    }
}

fn plan(run_dir: &Path, seconds: u32) -> Plan {
    let robot = Robot::resolve("sim-donkey").expect("built in");
    Plan {
        drive: crate::cli::Drive::Pilot,
        script: None,
        robot_path: run_dir.join("robot.json"),
        robot,
        track: "twisty".into(),
        track_name: "twisty".to_owned(),
        track_length_m: 28.4,
        track_warnings: Vec::new(),
        scale: 1.0,
        seconds,
        seed: 1,
        run_dir: run_dir.to_owned(),
        date: "2026-11-20T18:44:05Z".to_owned(),
    }
}

/// An episode that holds the sequences from 100 on, on disk under the plan's folder.
fn write_episode(plan: &Plan, last: u64) {
    let folder = plan.episodes_dir().join("ep_2026-11-20T184405Z_sim-donkey");
    std::fs::create_dir_all(&folder).expect("a folder");
    let note = json!({
        "closing": "clean", "steps": 410, "telemetry_records": last - 99,
        "telemetry_lost_ring": 0, "telemetry_lost_disk": 0,
        "first_sequence": 100, "last_sequence": last,
    });
    std::fs::write(folder.join("episode.json"), note.to_string()).expect("written");
}

fn process(name: &'static str) -> ProcessEnd {
    ProcessEnd {
        name,
        how: "exit 0".to_owned(),
        unexpected: false,
        last_words: Vec::new(),
        log: format!("runs/x/{name}.log"),
    }
}

fn machine() -> Machine {
    Machine {
        kernel: "6.12.9".to_owned(),
        kernel_version: "#1 SMP PREEMPT_DYNAMIC Debian 6.12.9-1".to_owned(),
        preemption: "full (chosen at run time)".to_owned(),
        cpu_model: "Some CPU".to_owned(),
        cores: 2,
        governor: "performance".to_owned(),
        isolated_cpus: "none".to_owned(),
        virtual_machine: true,
    }
}

fn report_of(outcome: &Outcome, plan: &Plan) -> Report {
    let load = Some(Load { one_minute: 0.52, five_minutes: 0.4 });
    build(&Facts { outcome, plan, machine: machine(), load_before: load, load_after: load })
}

/// A drive of 20 s that went well.
fn good() -> Report {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let outcome = Outcome {
        ended: Ended::AsAsked,
        seen: seen(trace(u64::MAX, 21_500, Fault::DisarmRequested)),
        processes: ["fast-loop", "plant", "pilot", "rlds-logger"].map(process).to_vec(),
        logger: Some(json!({"path": "x"})),
        begun_at: MonoNs(0),
    };
    write_episode(&plan, 22_100);
    report_of(&outcome, &plan)
}

/// A pilot that was killed after 5 s.
fn pilot_killed() -> Report {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let mut processes = ["fast-loop", "plant", "pilot", "rlds-logger"].map(process);
    processes[2] = ProcessEnd {
        how: "signal 9 (SIGKILL)".to_owned(),
        unexpected: true,
        last_words: vec!["following twisty".to_owned()],
        ..process("pilot")
    };
    let outcome = Outcome {
        ended: Ended::Died("pilot"),
        seen: seen(trace(6_501, 6_590, Fault::OwnerStale)),
        processes: processes.to_vec(),
        logger: None,
        begun_at: MonoNs(0),
    };
    write_episode(&plan, 7_300);
    report_of(&outcome, &plan)
}

#[test]
fn a_good_run_is_ok_and_gives_no_reason() {
    let report = good();
    assert_eq!(report.reasons, Vec::<String>::new());
    assert_eq!(report.verdict, Verdict::Ok);
    assert_eq!(report.ended_early, None);
    assert!((report.seconds_driven - 20.0).abs() < 0.01, "{}", report.seconds_driven);
}

#[test]
fn every_key_that_scripts_rely_on_is_there_with_its_type() {
    let report: Value = serde_json::to_value(good()).expect("serializable");
    let numbers = [
        "/cycles",
        "/period_us",
        "/late_event_count",
        "/late_after_us",
        "/missed_release_count",
        "/allocations",
        "/page_faults/minor",
        "/page_faults/major",
        "/involuntary_switches",
        "/neutral_after_start_ms",
        "/scheduler/priority",
        "/plant/laps",
        "/plant/distance_m",
        "/plant/off_track_count",
        "/plant/lap_time_s",
        "/episode/steps",
        "/episode/telemetry_records",
        "/episode/telemetry_lost",
        "/real_board_limits/late_event_count",
        "/real_board_limits/overload_trip_count",
    ];
    for key in numbers {
        assert!(report.pointer(key).is_some_and(Value::is_number), "{key} in {report:#}");
    }
    for spread in ["wakeup_latency_ns", "output_jitter_ns", "execution_time_ns"] {
        for key in ["min", "p50", "p99", "p999", "max"] {
            assert!(report[spread][key].is_u64(), "{spread}.{key}");
        }
    }
    for key in ["/mode_final", "/episode/path", "/scheduler/policy", "/conditions/machine/kernel"] {
        assert!(report.pointer(key).is_some_and(Value::is_string), "{key}");
    }
    assert!(report["scheduler"]["memory_locked"].is_boolean());
    assert!(report["scheduler"]["system_calls_filtered"].is_boolean());
    assert_eq!(report["neutral_after_start_ms"], 4.25);
    assert!(report["scheduler"]["cpu"].is_null(), "not pinned");
    assert_eq!(report["interlocks"][0]["name"], "not-realtime", "shown in every simulated run");
}

#[test]
fn a_killed_pilot_is_named_with_its_signal_the_cause_and_the_time_since_its_last_command() {
    let report = pilot_killed();
    assert_eq!(report.verdict, Verdict::ProcessDied);
    let early = report.ended_early.as_ref().expect("it stopped by itself");
    assert_eq!((early.to.as_str(), early.owner.as_str()), ("SafeStop", "pilot"));
    assert_eq!(early.causes, ["OwnerStale"]);
    let age_ms = early.last_good_command_age_ms.expect("it had sent some");
    assert!((age_ms - 90.0).abs() < 0.1, "{age_ms}");
    assert_eq!(early.standstill_after_ms, Some(812.0));
    let words = report.reasons.join("\n");
    for part in ["pilot", "SIGKILL", "OwnerStale", "sent no good command"] {
        assert!(words.contains(part), "{part} in {words}");
    }
}

#[test]
fn a_car_that_was_active_and_stood_is_no_success() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let mut seen = seen(trace(u64::MAX, 21_500, Fault::DisarmRequested));
    seen.plant = seen.plant.map(|plant| PlantStatus { distance_m: 0.1, ..plant });
    seen.trace.real_limits.power_cut_count = 3;
    let processes = vec![process("fast-loop")];
    let outcome =
        Outcome { ended: Ended::AsAsked, seen, processes, logger: None, begun_at: MonoNs(0) };
    write_episode(&plan, 22_100);
    let report = report_of(&outcome, &plan);
    assert_eq!(report.verdict, Verdict::DidNotMove);
    assert!(report.reasons[0].contains("moved 0.1 m; 3 stalls"), "{:?}", report.reasons);
}

/// A drive of 20 s to its end, with so many excursions while Active and in all.
fn off_track(active: u32, in_all: u32) -> Report {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let mut seen = seen(trace(u64::MAX, 21_500, Fault::DisarmRequested));
    seen.off_track_count_active = active;
    seen.plant =
        seen.plant.map(|plant| PlantStatus { off_track_count: in_all, off_track_s: 1.25, ..plant });
    let processes = vec![process("fast-loop")];
    let outcome =
        Outcome { ended: Ended::AsAsked, seen, processes, logger: None, begun_at: MonoNs(0) };
    write_episode(&plan, 22_100);
    report_of(&outcome, &plan)
}

#[test]
fn a_car_that_left_the_track_while_it_was_driven_is_no_success() {
    let report = off_track(2, 2);
    assert_eq!(report.verdict, Verdict::LeftTheTrack);
    assert_eq!(report.reasons.len(), 1, "{:?}", report.reasons);
    assert!(report.reasons[0].contains("2 ×"), "{:?}", report.reasons);
    assert!(!report.notes.iter().any(|note| note.contains("track")), "told once");
}

#[test]
fn a_car_that_rolls_off_the_track_after_its_stop_is_a_note() {
    let report = off_track(0, 1);
    assert_eq!((report.verdict, report.reasons.len()), (Verdict::Ok, 0));
    assert!(report.notes.iter().any(|note| note.contains("after the stop")), "{:?}", report.notes);
}

/// A drive that left Active for `cause`, and a Fault while the car stood.
fn fault_at_rest(ended: Ended, cause: Fault) -> Report {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let mut trace = trace(u64::MAX, 21_500, cause);
    let mut record = Telemetry { sequence: 22_501, cycle_index: 22_501, ..Telemetry::default() };
    record.mono_ns = MonoNs(22_501 * PERIOD_NS);
    record.outcome.previous_mode = Mode::Disarmed.into();
    record.outcome.mode = Mode::Fault.into();
    record.outcome.latched_causes = FaultSet::of(Fault::DriveWrite);
    trace.add(&record);
    let processes = vec![process("fast-loop")];
    let outcome =
        Outcome { ended, seen: seen(trace), processes, logger: None, begun_at: MonoNs(0) };
    write_episode(&plan, 22_501);
    report_of(&outcome, &plan)
}

#[test]
fn a_fault_after_a_persons_stop_is_no_success_and_is_told_by_its_own_cause() {
    for ended in [Ended::InFault, Ended::ByPerson] {
        let report = fault_at_rest(ended, Fault::DisarmRequested);
        assert_eq!(report.verdict, Verdict::StoppedByItself);
        assert_eq!(report.reasons.len(), 1, "{:?}", report.reasons);
        assert!(report.reasons[0].contains("DriveWrite"), "{:?}", report.reasons);
        assert_eq!(report.ended_early, None, "the person's stop ended nothing");
    }
}

#[test]
fn a_fault_after_a_stop_that_nobody_wished_hides_neither_of_the_two() {
    let report = fault_at_rest(Ended::ByItself, Fault::OwnerStale);
    let reasons = report.reasons.join("\n");
    assert_eq!(report.reasons.len(), 2, "{reasons}");
    assert!(reasons.contains("OwnerStale") && reasons.contains("DriveWrite"), "{reasons}");
    let early = report.ended_early.expect("it stopped by itself");
    assert_eq!(early.causes, ["OwnerStale"]);
}

#[test]
fn when_one_process_died_the_others_are_not_blamed_for_their_ends() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let mut processes = ["fast-loop", "pilot"].map(process);
    (processes[0].how, processes[0].unexpected) = ("signal 9 (SIGKILL)".to_owned(), true);
    processes[1].how = "exit 3".to_owned();
    let seen = seen(trace(u64::MAX, 21_500, Fault::DisarmRequested));
    let ended = Ended::Died("fast-loop");
    let outcome =
        Outcome { ended, seen, processes: processes.to_vec(), logger: None, begun_at: MonoNs(0) };
    let reasons = report_of(&outcome, &plan).reasons.join("\n");
    assert!(reasons.contains("fast-loop") && !reasons.contains("exit 3"), "{reasons}");
}

#[test]
fn a_killed_logger_stops_no_car_and_leaves_an_episode_without_counts() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let mut logger = process("rlds-logger");
    (logger.how, logger.unexpected) = ("signal 9 (SIGKILL)".to_owned(), true);
    let seen = seen(trace(u64::MAX, 21_500, Fault::DisarmRequested));
    let ended = Ended::Died("rlds-logger");
    let outcome =
        Outcome { ended, seen, processes: vec![logger], logger: None, begun_at: MonoNs(0) };
    write_episode(&plan, 22_100);
    let note = plan.episodes_dir().join("ep_2026-11-20T184405Z_sim-donkey/episode.json");
    let open = std::fs::read_to_string(&note).expect("written").replace("clean", "open");
    std::fs::write(&note, open).expect("written");
    let report = report_of(&outcome, &plan);
    assert_eq!(report.verdict, Verdict::ProcessDied);
    let reasons = report.reasons;
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[0].contains("rlds-logger") && reasons[0].contains("SIGKILL"), "{reasons:?}");
    assert!(reasons[1].contains("drove on"), "it did not stop by itself: {reasons:?}");
    assert!(reasons[2].contains("never closed"), "{reasons:?}");
}

#[test]
fn a_loop_without_real_time_is_noted_first_with_what_allows_it() {
    let notes = good().notes;
    for part in ["not real time", "ulimit -r 80", "ulimit -l"] {
        assert!(notes[0].contains(part), "{part} in {notes:?}");
    }
}

#[test]
fn a_loop_whose_system_calls_are_not_filtered_is_noted() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let mut seen = seen(trace(u64::MAX, 21_500, Fault::DisarmRequested));
    let health = seen.health.as_mut().expect("it has some");
    for (flags, noted) in [(health.flags, true), (health.flags | HealthFlags::FILTERED, false)] {
        seen.health.as_mut().expect("it has some").flags = flags;
        let processes = vec![process("fast-loop")];
        let seen = seen.clone();
        let (ended, begun_at) = (Ended::AsAsked, MonoNs(0));
        let report = report_of(&Outcome { ended, seen, processes, logger: None, begun_at }, &plan);
        assert_eq!(report.scheduler.system_calls_filtered, !noted);
        assert_eq!(report.notes.iter().any(|note| note.contains("not filtered")), noted);
    }
}

#[test]
fn a_run_without_an_episode_is_incomplete() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let outcome = Outcome {
        ended: Ended::AsAsked,
        seen: seen(trace(u64::MAX, 21_500, Fault::DisarmRequested)),
        processes: vec![process("fast-loop")],
        logger: None,
        begun_at: MonoNs(0),
    };
    let report = report_of(&outcome, &plan);
    assert_eq!(report.verdict, Verdict::RecordIncomplete);
    assert_eq!(report.reasons.len(), 1, "{:?}", report.reasons);
    assert!(report.reasons[0].contains("rlds-logger.log"), "{:?}", report.reasons);
}

#[test]
fn a_killed_loop_is_told_by_the_plants_monostable() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(dir.path(), 20);
    let mut trace = Trace::new(PERIOD_NS);
    let mut record = Telemetry { sequence: 1, cycle_index: 1, ..Telemetry::default() };
    record.outcome.mode = Mode::Active.into();
    record.outcome.previous_mode = Mode::Arming.into();
    trace.add(&record);
    let mut seen = seen(trace);
    seen.plant = seen.plant.map(|plant| PlantStatus {
        last_heartbeat_edge_at: MonoNs(5_000_000_000),
        power_cut_at: MonoNs(5_030_500_000),
        ..plant
    });
    let mut dead = process("fast-loop");
    (dead.how, dead.unexpected) = ("signal 9 (SIGKILL)".to_owned(), true);
    let outcome = Outcome {
        ended: Ended::Died("fast-loop"),
        seen,
        processes: vec![dead],
        logger: None,
        begun_at: MonoNs(0),
    };
    let report = report_of(&outcome, &plan);
    assert_eq!(report.verdict, Verdict::ProcessDied);
    assert_eq!(report.plant.power_cut_after_ms, Some(30.5));
    assert!(report.reasons.iter().any(|reason| reason.contains("30.5 ms")), "{:?}", report.reasons);
}

#[test]
fn the_text_is_aligned_and_no_wider_than_a_hundred_columns() {
    for report in [good(), pilot_killed()] {
        let text = render(&report, false);
        for line in text.lines() {
            let is_path = line.contains('/') && !line.contains(' ');
            assert!(line.chars().count() <= 100 || is_path, "{line}");
            assert_eq!(line.trim_end(), line, "no blanks at the end");
        }
        let header = text.lines().find(|line| line.contains("p99.9")).expect("a table");
        let row = text.lines().find(|line| line.contains("wake-up latency  ")).expect("a row");
        assert_eq!(header.chars().count(), row.chars().count(), "columns end together");
        assert!(!text.contains('\x1b'), "no colour unless asked");
        println!("{text}");
    }
    assert!(render(&good(), true).starts_with("\x1b[32mok"));
}
