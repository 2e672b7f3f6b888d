//! Who may attach, when memory may be swapped, and when the watchdog is fed.

use super::{ATTACHES_MAX, Housekeeper, Link, Uids, place};
use crate::inlets;
use rt_board::{DriveError, Watchdog};
use rt_config::Robot;
use rt_shm::{Rules, RunDir, Segments};
use rt_wire::topics::{self, COMMANDS, HEARTBEATS};
use rt_wire::{Raw, Sign, Source, Telemetry};
use std::sync::{Arc, Mutex};

const OURS: u32 = 1000;
const STRANGER: u32 = 4711;
/// As in pi5-donkey.json.
const TELEOP: u32 = 6101;
const PILOT: u32 = 6103;

fn link() -> Link {
    let robot = Robot::resolve("pi5-donkey").expect("a built-in robot");
    Link {
        outlets: inlets::link().0,
        uids: Uids { robot, own: OURS },
        last: Telemetry::default(),
        attaches: [0; 32],
    }
}

#[test]
fn a_process_attaches_as_the_user_that_the_robot_file_gives_it_and_as_no_other() {
    let link = link();
    assert!(link.uid_may_attach(topics::PILOT, PILOT));
    for uid in [0, OURS, TELEOP, STRANGER] {
        assert!(!link.uid_may_attach(topics::PILOT, uid), "uid {uid} as pilot");
    }
    // What the file gives to nobody is our own user's.
    assert!(link.uid_may_attach(topics::PLANT, OURS));
    for uid in [0, PILOT, STRANGER] {
        assert!(!link.uid_may_attach(topics::PLANT, uid), "uid {uid} as plant");
    }
    // The operator's command only looks: root may, too.
    assert!(link.uid_may_attach(topics::CONTINUON, 0));
    assert!(link.uid_may_attach(topics::CONTINUON, OURS));
    assert!(!link.uid_may_attach(topics::CONTINUON, STRANGER));
}

#[test]
fn memory_of_the_owner_is_not_swapped_and_that_of_all_others_is() {
    let mut link = link();
    assert!(COMMANDS.iter().chain(&HEARTBEATS).all(|topic| link.may_swap(topic)), "nobody owns");
    link.last.outcome.owner = Raw::new(Source::Pilot);
    for topic in &COMMANDS {
        assert_eq!(link.may_swap(topic), topic.writer != topics::PILOT, "{}", topic.writer);
    }
    // A heartbeat drives nothing: the owner's may come back.
    assert!(HEARTBEATS.iter().all(|topic| link.may_swap(topic)));
}

#[test]
fn a_peer_that_attaches_without_end_is_refused_before_memory_runs_out() {
    let mut link = link();
    let pilot = place(&COMMANDS[2]).expect("in the table");
    link.attaches[pilot] = ATTACHES_MAX;
    assert!(!link.may_swap(&COMMANDS[2]));
    assert!(link.may_swap(&COMMANDS[1]), "the others may");
}

/// Counts how often it was fed.
struct Counted(Arc<Mutex<u32>>);

impl Watchdog for Counted {
    fn feed(&mut self) -> Result<(), DriveError> {
        *self.0.lock().expect("whole") += 1;
        Ok(())
    }
}

#[test]
fn watchdog_is_fed_only_while_cycles_advance_and_required_heartbeats_are_on_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let lock = RunDir::create(dir.path()).expect("a run directory").lock().expect("free");
    let robot = Robot::resolve("sim-donkey").expect("a built-in robot");
    let segments = Segments::create(robot.name(), true, false).expect("memory");
    rt_ring::RingWriter::<Telemetry>::create(
        segments.words(&topics::TELEMETRY).expect("ours"),
        topics::TELEMETRY.depth as usize,
        segments.identity(&topics::TELEMETRY),
    )
    .expect("large enough");
    let fed = Arc::new(Mutex::new(0));
    let watchdog = Box::new(Counted(Arc::clone(&fed)));
    let outlets = inlets::link().0;
    let mut housekeeper =
        Housekeeper::open(&robot, segments, &lock, outlets, Some(watchdog)).expect("opens");
    let mut look = |cycle_index: u64, required: u32, sign: Sign| {
        housekeeper.required = required;
        housekeeper.link.last.cycle_index = cycle_index;
        housekeeper.link.last.outcome.signs[2] = Raw::new(sign);
        housekeeper.feed_watchdog();
        *fed.lock().expect("whole")
    };
    assert_eq!(look(5, 0, Sign::Lost), 1, "a heartbeat that nobody requires counts for nothing");
    assert_eq!(look(5, 0, Sign::OnTime), 1, "the loop stands still");
    assert_eq!(look(6, 0, Sign::OnTime), 2);
    assert_eq!(look(7, 1 << 2, Sign::Late), 2, "required, and late");
    assert_eq!(look(8, 1 << 2, Sign::Lost), 2);
    assert_eq!(look(9, 1 << 2, Sign::OnTime), 3);
}
