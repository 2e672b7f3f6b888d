//! The safety machine under limits that take longer than a change may wait for.
//!
//! The walks themselves are `tests::machine_check`; here stand their limits.

use crate::{Context, Outcome, progress};
use rt_control::machine::Limits;
use serde_json::{json, to_value};
use tests::machine_check::{Button, Goal, Pace, Report, Space, compare_ages, walk};

pub(super) fn of_ci(context: &Context) -> Outcome {
    told(walk("machine-4-3-2", &Space::of_ci(), Goal::Reachable, &pace(context, "4-3-2")))
}

pub(super) fn narrow(context: &Context) -> Outcome {
    // The edge of every limit: a drive of stop category 0 has no ramp.
    let limits = Limits { stale: [3, 2, 1], arming: 0, safe_stop: 0, late: 1 };
    let space = Space::new(limits, 2).with_every_target();
    told(walk("machine-3-2-1", &space, Goal::Reachable, &pace(context, "3-2-1")))
}

pub(super) fn wide(context: &Context) -> Outcome {
    told(walk("machine-6-5-4", &wide_space(), Goal::Reachable, &pace(context, "6-5-4")))
}

pub(super) fn product(context: &Context) -> Outcome {
    told(walk("machine-product", &Space::of_ci(), Goal::Product, &pace(context, "product")))
}

pub(super) fn answers(context: &Context) -> Outcome {
    // A source is fresh with and without news, a timer runs and is out, a level is below, at and above
    // a target that is neutral and one that is not, a late event is the last straw and is not.
    let limits = Limits { stale: [2, 2, 2], arming: 1, safe_stop: 1, late: 2 };
    let space = Space::new(limits, 2).with_every_target();
    told(walk("machine-answers", &space, Goal::Product, &pace(context, "answers")))
}

pub(super) fn stuck(context: &Context) -> Outcome {
    let mut reports = Vec::new();
    for (button, name) in [(Button::Reset, "reset"), (Button::Arm, "arm")] {
        for level in [false, true] {
            let name = format!("{name}-stuck-at-{}", u8::from(level));
            let pace = pace(context, &name);
            reports.push(walk(&name, &wide_space(), Goal::Stuck(button, level), &pace));
        }
    }
    let lines: Vec<String> =
        reports.iter().map(|report| format!("{}: {}", report.name, report.in_words())).collect();
    Outcome {
        good: reports.iter().all(Report::is_good),
        line: lines.join("; "),
        figures: to_value(reports).unwrap_or_default(),
    }
}

pub(super) fn bystanders(context: &Context) -> Outcome {
    let found = compare_ages(&Space::of_ci(), None, &pace(context, "bystanders"));
    let (states, inputs) = (found.states, found.inputs);
    Outcome {
        good: found.violations == 0,
        line: format!(
            "states {states} inputs {inputs} answers {} different {} {}",
            states * inputs,
            found.violations,
            found.example.as_deref().unwrap_or_default()
        ),
        figures: json!(found),
    }
}

fn wide_space() -> Space {
    let limits = Limits { stale: [6, 5, 4], arming: 5, safe_stop: 2, late: 3 };
    Space::new(limits, 4).with_every_target()
}

fn pace(context: &Context, name: &str) -> Pace {
    Pace {
        checkpoint: Some(context.folder.join(format!("{name}.json"))),
        progress: Some(|name, done, known| progress(&format!("{name}: {done} of {known} states"))),
        ..Pace::default()
    }
}

fn told(report: Report) -> Outcome {
    Outcome {
        good: report.is_good(),
        line: format!("{} depth {}", report.in_words(), report.depth),
        figures: to_value(report).unwrap_or_default(),
    }
}
