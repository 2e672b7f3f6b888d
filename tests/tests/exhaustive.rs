//! The safety machine over every state that power-up leads to and every input, under limits (4,3,2).
//!
//! The same walk under smaller limits is a unit test of `machine_check`, quick enough for planted
//! bugs; under larger ones it is `cargo xtask rel safety`.

use std::time::Instant;
use tests::machine_check::{Button, Goal, Pace, Report, Space, compare_ages, walk};

fn pace() -> Pace {
    let tell = |name: &str, done, known| eprintln!("{name}: {done} of {known} states known so far");
    // Tests beside this one drive in real time.
    Pace { gives_way: true, progress: Some(tell), ..Pace::default() }
}

fn assert_good(report: &Report) {
    println!("{}: {} in {:.1} s", report.name, report.in_words(), report.seconds);
    assert!(report.is_good(), "{}", report.in_words());
}

#[test]
fn every_reachable_state_keeps_every_invariant_under_every_input() {
    let report = walk("limits (4,3,2)", &Space::of_ci(), Goal::Reachable, &pace());
    assert_good(&report);
    // A walk that never got anywhere would find nothing wrong.
    assert_eq!(report.modes.len(), 8, "{:?}", report.modes);
    assert_eq!((report.product, report.inputs), (368_640, 49_152));
    assert_eq!(report.transitions, (report.states * report.inputs) as u64);

    let begin = Instant::now();
    let ages = compare_ages(&Space::of_ci(), Some(report.states_reached()), &pace());
    assert_eq!(ages.violations, 0, "{:?}", ages.example);
    println!(
        "bystanders' ages: states {} inputs {} violations {} in {:.1} s",
        ages.states,
        ages.inputs,
        ages.violations,
        begin.elapsed().as_secs_f64()
    );
}

#[test]
fn button_stuck_from_power_up_never_fires() {
    for (button, name) in [(Button::Reset, "reset"), (Button::Arm, "arm")] {
        for level in [false, true] {
            let name = format!("{name} stuck at {}", u8::from(level));
            assert_good(&walk(&name, &Space::of_ci(), Goal::Stuck(button, level), &pace()));
        }
    }
}
