//! Which records make steps, what stands in them, and that the contract's strict keys are met.

mod common;

use common::{MS, START, about, cycle, troubled};
use rlds::schema::Step;
use rlds::{About, Steps, StepsError};
use rt_wire::{MonoNs, Source, Telemetry};
use serde_json::Value;

fn steps_of(records: impl IntoIterator<Item = Telemetry>) -> Vec<Step> {
    let mut steps = Steps::new(about()).unwrap();
    let mut made = Vec::new();
    for record in records {
        steps.push(&record, |step| made.push(step.clone()));
    }
    steps.finish(true, |step| made.push(step.clone()));
    assert_eq!(steps.made(), made.len() as u64);
    made
}

fn ticks(steps: &[Step]) -> Vec<u64> {
    steps.iter().map(|step| step.step_metadata["fast_loop_tick"].parse().unwrap()).collect()
}

#[test]
fn a_step_each_fiftieth_cycle_at_20_hz() {
    let steps = steps_of((1..=201).map(cycle));
    assert_eq!(ticks(&steps), [1, 51, 101, 151, 201]);
}

#[test]
fn only_the_last_step_is_terminal() {
    let steps = steps_of((1..=201).map(cycle));
    let terminal: Vec<bool> = steps.iter().map(|step| step.is_terminal).collect();
    assert_eq!(terminal, [false, false, false, false, true]);
}

#[test]
fn nearest_record_makes_the_step_before_or_after_the_grid() {
    // Without cycles 49 to 51 the instant of cycle 51 has 48 (3 ms before) and 52 (1 ms after).
    let steps = steps_of((1..=101).filter(|n| !(49..=51).contains(n)).map(cycle));
    assert_eq!(ticks(&steps), [1, 52, 101]);
    // Without 51 to 53 it has 50 (1 ms before) and 54 (3 ms after).
    let steps = steps_of((1..=101).filter(|n| !(51..=53).contains(n)).map(cycle));
    assert_eq!(ticks(&steps), [1, 50, 101]);
}

#[test]
fn grid_does_not_drift_however_late_the_records_are() {
    let late = |n| {
        let mut record = cycle(n);
        record.mono_ns.0 += n % 3 * 100_000;
        record
    };
    let steps = steps_of((1..=10_001).map(late));
    assert_eq!(steps.len(), 201);
    for (index, tick) in ticks(&steps).into_iter().enumerate() {
        let due = index as u64 * 50 + 1;
        assert!(tick.abs_diff(due) <= 1, "step {index}: cycle {tick}, due {due}");
    }
}

#[test]
fn grid_does_not_follow_records_that_come_slower_than_planned() {
    // A loop that misses every few hundredth release: 3 in 1000 cycles.
    let slow = |n| {
        let mut record = cycle(n);
        record.mono_ns.0 += (n - 1) * MS * 3 / 1000;
        record
    };
    for (index, tick) in ticks(&steps_of((1..=10_001).map(slow))).into_iter().enumerate() {
        let stands_at = (tick - 1) * 1003 / 1000;
        assert!(stands_at.abs_diff(index as u64 * 50) <= 1, "step {index}: cycle {tick}");
    }
}

#[test]
fn gap_has_no_steps_and_the_step_after_it_says_so() {
    // Cycles 102 to 400 are missing: the instants of 151 to 351 have no record within 25 ms.
    let mut steps = Steps::new(about()).unwrap();
    let mut made = Vec::new();
    for n in (1..=101).chain(401..=500) {
        if n == 401 {
            steps.lost(299);
        }
        steps.push(&cycle(n), |step| made.push(step.clone()));
    }
    steps.finish(true, |step| made.push(step.clone()));
    assert_eq!(ticks(&made), [1, 51, 101, 401, 451]);
    assert_eq!(steps.skipped(), 5);
    let dropped: Vec<&str> = made.iter().map(|step| &*step.step_metadata["frame_drop"]).collect();
    assert_eq!(dropped, ["false", "false", "false", "true", "false"]);
    assert_eq!(made[3].step_metadata["telemetry_lost"], "299");
    assert_eq!(made[3].step_metadata["steps_skipped"], "5");
}

#[test]
fn absurd_time_in_a_record_neither_hangs_nor_fills_the_episode() {
    let mut far = cycle(60);
    far.mono_ns = MonoNs(u64::MAX);
    let steps = steps_of((1..=59).map(cycle).chain([far]).chain((61..=120).map(cycle)));
    assert!(steps.len() <= 4, "{}", steps.len());
}

#[test]
fn cause_of_one_cycle_between_two_steps_stands_in_the_later_step() {
    let steps = steps_of((1..=101).map(|n| if n == 70 { troubled(n) } else { cycle(n) }));
    let column = |key: &str| -> Vec<String> {
        steps.iter().map(|step| step.step_metadata[key].clone()).collect()
    };
    assert_eq!(column("safety_violations"), ["none", "none", "Overload"]);
    assert_eq!(column("safety_clamped"), ["false", "false", "true"]);
    assert_eq!(column("rules"), ["none", "none", "ramp"]);
    assert_eq!(column("cause"), ["none", "none", "none"], "latched causes of the step's own cycle");
}

#[test]
fn action_is_what_was_driven_and_what_was_asked_rides_beside_it() {
    let steps = steps_of((1..=51).map(cycle));
    assert_eq!(steps[1].action.command, [0.25, 0.51]);
    assert_eq!(steps[1].step_metadata["asked_steering"], "0.5");
    assert_eq!(steps[1].step_metadata["asked_throttle"], "0.75");
    assert_eq!(steps[1].step_metadata["mode"], "Active");
}

#[test]
fn source_is_one_the_contract_knows_and_authority_is_the_true_one() {
    let owned_by = |source: Source| {
        let mut record = cycle(1);
        record.outcome.owner = source.into();
        let steps = steps_of([record]);
        (steps[0].action.source.clone(), steps[0].step_metadata["authority"].clone())
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(owned_by(Source::Teleop), pair("human_teleop_xr", "teleop"));
    assert_eq!(owned_by(Source::Pilot), pair("human_supervisor", "pilot"));
    assert_eq!(owned_by(Source::Inference), pair("human_supervisor", "inference"));
    assert_eq!(owned_by(Source::None), pair("human_supervisor", "none"));
}

#[test]
fn wall_clock_stands_beside_the_monotonic_clock() {
    let steps = steps_of((1..=51).map(cycle));
    let state = &steps[1].observation.robot_state;
    assert_eq!(state.timestamp_nanos, i64::try_from(START + 50 * MS).unwrap());
    assert_eq!(state.wall_time_millis, about().start_unix_ms + 50);
}

#[test]
fn value_that_is_no_number_becomes_zero_and_an_invalid_pose() {
    let mut record = cycle(1);
    record.outcome.setpoint.steering = f32::NAN;
    record.observation.wheel.speed_m_per_s = f32::INFINITY;
    record.observation.pose.x_m = f32::NAN;
    let step = &steps_of([record])[0];
    assert_eq!(step.action.command[0], 0.0);
    assert_eq!(step.observation.robot_state.joint_velocities, [0.0]);
    assert!(!step.observation.robot_state.end_effector_pose.valid);
}

#[test]
fn keys_of_a_step_are_exactly_those_of_the_strict_contract() {
    let step = serde_json::to_value(&steps_of([cycle(1)])[0]).unwrap();
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    let sorted = |mut names: Vec<&str>| -> Vec<String> {
        names.sort_unstable();
        names.into_iter().map(str::to_owned).collect()
    };
    assert_eq!(keys(&step), sorted(vec!["observation", "action", "is_terminal", "step_metadata"]));
    let observation = &step["observation"];
    assert_eq!(
        keys(observation),
        sorted(vec![
            "headset_pose",
            "right_hand_pose",
            "left_hand_pose",
            "gaze",
            "robot_state",
            "glove",
            "video_frame_id",
            "depth_frame_id",
            "diagnostics",
        ])
    );
    let pose = sorted(vec!["position", "orientation_quat", "valid"]);
    for block in ["headset_pose", "right_hand_pose", "left_hand_pose"] {
        assert_eq!(keys(&observation[block]), pose);
        assert_eq!(observation[block]["valid"], false);
    }
    assert_eq!(keys(&observation["gaze"]), sorted(vec!["origin", "direction", "confidence"]));
    let state = &observation["robot_state"];
    assert_eq!(
        keys(state),
        sorted(vec![
            "timestamp_nanos",
            "joint_positions",
            "end_effector_pose",
            "gripper_open",
            "frame_id",
            "joint_velocities",
            "end_effector_twist",
            "wall_time_millis",
        ])
    );
    assert_eq!(keys(&state["end_effector_pose"]), pose);
    assert_eq!(state["frame_id"], observation["video_frame_id"]);
    assert_eq!(state["frame_id"], observation["depth_frame_id"]);
    assert_eq!(
        keys(&observation["glove"]),
        sorted(vec!["timestamp_nanos", "flex", "fsr", "orientation_quat", "accel", "valid"])
    );
    assert_eq!(
        keys(&observation["diagnostics"]),
        sorted(vec!["latency_ms", "glove_drops", "ble_rssi", "glove_sample_rate_hz"])
    );
    assert_eq!(keys(&step["action"]), sorted(vec!["command", "source"]));
    assert!(step["step_metadata"].as_object().unwrap().values().all(Value::is_string));
}

#[test]
fn unknown_key_in_a_step_is_refused() {
    let mut step = serde_json::to_value(&steps_of([cycle(1)])[0]).unwrap();
    assert!(serde_json::from_value::<Step>(step.clone()).is_ok());
    step["reward"] = 1.0.into();
    let error = serde_json::from_value::<Step>(step).unwrap_err();
    assert!(error.to_string().contains("reward"), "{error}");
}

#[test]
fn rate_that_makes_no_grid_is_refused() {
    for found in [0, 1001] {
        let refused = Steps::new(About { step_rate_hz: found, ..about() });
        assert_eq!(refused.err(), Some(StepsError::Rate { found }));
    }
}
