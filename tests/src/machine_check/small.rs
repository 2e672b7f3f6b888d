//! Every reachable state with every input under small limits: quick enough to run with each planted
//! bug. One walk serves all tests of a run.

use super::walk::Walk;
use super::{AGES, Button, Goal, INVARIANTS, PROPERTIES, Pace, Report, Space, compare_ages, walk};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

fn report() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| walk("small", &Space::small(), Goal::Reachable, &Pace::default()))
}

/// Fails if this invariant or property is broken, and says how.
pub(super) fn assert_kept(name: &str) {
    assert_holds(name, report());
}

fn assert_holds(name: &str, report: &Report) {
    if let Some(broken) = report.broken.iter().find(|broken| broken.name == name) {
        panic!("{name} is broken in {} pairs, such as {}", broken.count, broken.example);
    }
}

mod exhaustive_small {
    use super::{
        AGES, Button, Goal, Pace, Space, assert_holds, assert_kept, compare_ages, report, walk,
    };
    use rt_wire::Mode;

    #[test]
    fn state_space_is_closed() {
        assert_kept("state_space_is_closed");
    }

    #[test]
    fn no_edge_outside_the_table() {
        assert_kept("no_edge_outside_the_table");
    }

    #[test]
    fn no_motion_without_a_self_test() {
        assert_kept("no_motion_without_a_self_test");
    }

    #[test]
    fn bystanders_change_nothing() {
        assert_kept("bystanders_change_nothing");
    }

    #[test]
    fn bystanders_ages_change_nothing() {
        let found = compare_ages(&Space::small(), Some(&report().numbers), &Pace::default());
        assert_eq!(found.violations, 0, "{}: {:?}", AGES.0, found.example);
        assert_eq!(found.states, report().states);
    }

    #[test]
    fn stuck_button_never_fires() {
        for button in [Button::Reset, Button::Arm] {
            for level in [false, true] {
                let goal = Goal::Stuck(button, level);
                let report = walk("stuck", &Space::small(), goal, &Pace::default());
                assert_holds("stuck_button_never_fires", &report);
                // A latch that cannot be entered, or a car that cannot be disarmed, shows nothing.
                let needed = if button == Button::Arm { Mode::Disarmed } else { Mode::Active };
                assert!(report.modes.contains(&needed.name()), "{goal:?}: {:?}", report.modes);
                assert!(report.modes.contains(&Mode::EStopLatched.name()), "{goal:?}");
            }
        }
    }

    #[test]
    fn every_mode_is_reached_and_every_input_is_tried() {
        // A walk that never got anywhere would find nothing wrong.
        assert_eq!(report().modes.len(), Mode::ALL.len(), "{:?}", report().modes);
        assert_eq!(report().inputs, 49_152);
        assert_eq!(report().transitions, (report().states * report().inputs) as u64);
    }
}

#[test]
fn every_invariant_and_property_has_a_planted_bug_that_it_catches() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sabotage");
    let invariants = INVARIANTS.iter().map(|invariant| (invariant.name, invariant.caught));
    let mut patches = BTreeMap::new();
    for (name, caught) in invariants.chain(PROPERTIES).chain([AGES]) {
        let path = folder.join(format!("{caught}.patch"));
        let patch = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{name}: {}: {error}", path.display()));
        let oracles: Vec<_> =
            patch.lines().filter_map(|line| line.strip_prefix("Oracle: ")).collect();
        let expected = format!("exhaustive_small::{name}");
        assert!(
            oracles.iter().all(|oracle| oracle.ends_with(&expected)) && oracles.len() == 1,
            "{}: expected an oracle that ends with {expected}, found {oracles:?}",
            path.display()
        );
        assert_eq!(patches.insert(caught, name), None, "{caught} is planted for {name} too");
    }
    assert_eq!(INVARIANTS.len(), 37);
    for (number, invariant) in (1..).zip(INVARIANTS) {
        assert!(invariant.name.starts_with(&format!("i{number:02}_")), "{}", invariant.name);
    }
}

#[test]
fn killed_walk_goes_on_from_its_checkpoint() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("walk.json");
    let space = Space::small();
    let goal = Goal::Stuck(Button::Arm, false);
    let whole = walk("whole", &space, goal, &Pace::default());
    let mut killed = Walk::begin(&space, goal, None);
    for _ in 0..3 {
        killed.advance(&Pace::default());
    }
    killed.keep(&file);
    let left = killed.left();
    assert!(left < whole.states);
    assert_eq!(Walk::begin(&space, goal, Some(&file)).left(), left);
    let pace = Pace { checkpoint: Some(file.clone()), ..Pace::default() };
    let resumed = walk("resumed", &space, goal, &pace);
    assert_eq!((resumed.states, resumed.transitions), (whole.states, whole.transitions));
    assert_eq!((resumed.numbers, resumed.depth), (whole.numbers, whole.depth));
    assert!(!file.exists());
}
