//! Who may attach, when memory may be swapped, when the watchdog is fed, and that memory which changed
//! is told.

use super::integrity::Integrity;
use super::{ATTACHES_MAX, Facts, Housekeeper, Link, Uids, causes, place};
use crate::counters::Counters;
use crate::gate::LastWord;
use crate::inlets;
use crate::log;
use crate::realtime::Granted;
use rt_board::{DriveError, Watchdog};
use rt_config::Robot;
use rt_ring::sync::{AtomicU64, Ordering};
use rt_ring::{Read, RingReader, RingWriter, SlotWriter};
use rt_shm::{Rules, RunDir, Segments};
use rt_wire::topics::{self, COMMANDS, HEARTBEATS, Topic};
use rt_wire::{
    Fault, FaultSet, HousekeepingFlags, KernelState, Limits, LogFrame, Mode, MonoNs, Outcome, Raw,
    Record, Sign, SimPins, Source, Telemetry,
};
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
fn what_ended_the_last_drive_is_no_reason_against_the_next_but_what_latched_an_estop_is() {
    let (before, now) = (FaultSet::of(Fault::DisarmRequested), FaultSet::of(Fault::BatteryLow));
    for mode in Mode::ALL {
        let mode = *mode;
        let latched = matches!(mode, Mode::EStopLatched | Mode::Fault);
        let outcome = Outcome {
            mode: Raw::new(mode),
            causes: now,
            latched_causes: before | now,
            ..Outcome::default()
        };
        let expected = if latched { before | now } else { now };
        assert_eq!(causes(&outcome), expected, "{}", mode.name());
    }
}

/// The segments that the loop writes, laid out as at its start.
fn segments(robot: &Robot) -> Segments {
    fn ring<T: Record>(segments: &Segments, topic: &Topic) {
        let words = segments.words(topic).expect("ours");
        RingWriter::<T>::create(words, topic.depth as usize, segments.identity(topic))
            .expect("large enough");
    }
    let segments = Segments::create(robot.name(), true, false).expect("memory");
    ring::<Telemetry>(&segments, &topics::TELEMETRY);
    ring::<KernelState>(&segments, &topics::KEYFRAME);
    let (pins, identity) =
        (segments.words(&topics::SIM_PINS).expect("ours"), segments.identity(&topics::SIM_PINS));
    SlotWriter::<SimPins>::create(pins, identity).expect("large enough");
    segments
}

/// The memory of each segment that the loop writes.
fn written(segments: &Segments) -> Vec<(&'static Topic, &'static [AtomicU64])> {
    topics::all().filter_map(|topic| Some((topic, segments.words(topic).ok()?))).collect()
}

fn robot() -> Robot {
    Robot::resolve("sim-donkey").expect("a built-in robot")
}

/// Housekeeping of a loop that does not run.
fn housekeeper(segments: Segments, watchdog: Option<Box<dyn Watchdog>>) -> Housekeeper {
    with_a_log(segments, watchdog).0
}

/// The same, with the end of its log that the loop would have.
fn with_a_log(
    segments: Segments,
    watchdog: Option<Box<dyn Watchdog>>,
) -> (Housekeeper, log::FrameWriter) {
    let dir = tempfile::tempdir().expect("a folder");
    let lock = RunDir::create(dir.path()).expect("a run directory").lock().expect("free");
    let words = segments.words(&topics::LOG).expect("ours");
    let depth = topics::LOG.depth as usize;
    let ring = RingWriter::create(words, depth, segments.identity(&topics::LOG));
    let (frames, log) = log::link(1, ring.expect("large enough")).expect("laid out");
    let opened = Housekeeper::open(&robot(), segments, &lock, inlets::link().0, log, watchdog);
    (opened.expect("opens"), frames)
}

#[test]
fn what_the_loop_logged_last_is_told_before_its_end_is() {
    let segments = segments(&robot());
    let words = segments.words(&topics::LOG).expect("ours");
    let (mut housekeeper, frames) = with_a_log(segments, None);
    let mut told =
        RingReader::<LogFrame>::attach_from_oldest(words, LogFrame::LAYOUT_HASH).expect("laid out");
    frames.install();
    defmt::info!("the last word");
    assert!(matches!(told.read(), Read::Empty));
    housekeeper.close(&facts(), LastWord { cycles: 0, safe: true });
    assert!(matches!(told.read(), Read::Record { sequence: 1, .. }));
}

#[test]
fn watchdog_is_fed_only_while_cycles_advance_and_required_heartbeats_are_on_time() {
    let fed = Arc::new(Mutex::new(0));
    let watchdog = Box::new(Counted(Arc::clone(&fed)));
    let mut housekeeper = housekeeper(segments(&robot()), Some(watchdog));
    let mut look = |cycle_index: u64, required: u32, sign: Sign| {
        housekeeper.limits.heartbeats_required = required;
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

/// What the loop is told in the look at `now`.
fn told(housekeeper: &mut Housekeeper, now: MonoNs) -> HousekeepingFlags {
    housekeeper.check_memory(now);
    housekeeper.tell_loop(&facts());
    housekeeper.word.flags
}

fn facts() -> Facts {
    Facts {
        granted: Granted::default(),
        memory_locked: false,
        dma_latency: false,
        filtered: false,
        resident: false,
        before: Counters::default(),
        tid: 0,
        build_id: 7,
        neutral_at: START,
    }
}

const SECOND: u64 = 1_000_000_000;
/// When the process was started.
const START: MonoNs = MonoNs(10 * SECOND);

#[test]
fn memory_that_nobody_changed_is_told_as_whole_for_ever() {
    let segments = segments(&robot());
    let written = written(&segments);
    let mut housekeeper = housekeeper(segments, None);
    // A ring and a slot that are in use: whatever changes there is no canary.
    for (_, words) in &written {
        for word in &words[16..] {
            word.store(0x5a5a, Ordering::Relaxed);
        }
    }
    for second in 0..100 {
        let flags = told(&mut housekeeper, START.plus(second * SECOND));
        assert!(!flags.has(HousekeepingFlags::CONFIG_CORRUPT));
        assert!(!flags.has(HousekeepingFlags::CANARY_CHANGED));
    }
}

#[test]
fn flipped_bit_in_the_limits_is_told_within_a_second_and_then_for_ever() {
    let mut housekeeper = housekeeper(segments(&robot()), None);
    assert!(!told(&mut housekeeper, START).has(HousekeepingFlags::CONFIG_CORRUPT));
    housekeeper.limits.heartbeats_required ^= 1 << 4;
    let later = START.plus(SECOND);
    assert!(told(&mut housekeeper, later).has(HousekeepingFlags::CONFIG_CORRUPT));
    // It flips back: memory that was wrong once is not believed again.
    housekeeper.limits.heartbeats_required ^= 1 << 4;
    assert!(told(&mut housekeeper, later.plus(SECOND)).has(HousekeepingFlags::CONFIG_CORRUPT));
}

#[test]
fn changed_canary_is_told_within_a_second_and_then_for_ever() {
    let segments = segments(&robot());
    let words = segments.words(&topics::HEALTH).expect("ours");
    let mut housekeeper = housekeeper(segments, None);
    assert!(!told(&mut housekeeper, START).has(HousekeepingFlags::CANARY_CHANGED));
    words[4].fetch_xor(1, Ordering::Relaxed);
    let later = START.plus(SECOND);
    assert!(told(&mut housekeeper, later).has(HousekeepingFlags::CANARY_CHANGED));
    words[4].fetch_xor(1, Ordering::Relaxed);
    assert!(told(&mut housekeeper, later.plus(SECOND)).has(HousekeepingFlags::CANARY_CHANGED));
}

#[test]
fn every_flipped_bit_of_the_limits_changes_the_checksum_and_is_said_once() {
    let robot = robot();
    let segments = segments(&robot);
    let limits = robot.limits();
    for bit in 0..size_of::<Limits>() * 8 {
        let mut integrity = Integrity::new(&robot, &limits, &segments);
        assert_eq!(integrity.check(&robot, &limits), Vec::<String>::new());
        let news = integrity.check(&robot, &flipped(&limits, bit));
        assert!(news.concat().starts_with("configuration in memory: checksum 0x"), "bit {bit}");
        assert_eq!(integrity.check(&robot, &flipped(&limits, bit)), Vec::<String>::new());
        assert_eq!(integrity.found(), HousekeepingFlags::CONFIG_CORRUPT);
    }
}

#[test]
fn user_who_may_arm_is_part_of_the_checksum() {
    let robot = robot();
    let segments = segments(&robot);
    let mut integrity = Integrity::new(&robot, &robot.limits(), &segments);
    let other = robot.edited(|file| file.operators.uids.push(STRANGER)).expect("a valid robot");
    assert_eq!(other.limits(), robot.limits());
    assert_eq!(integrity.check(&other, &robot.limits()).len(), 1);
}

#[test]
fn every_flipped_bit_of_every_header_is_said_once_with_its_segment() {
    let robot = robot();
    let segments = segments(&robot);
    let limits = robot.limits();
    let written = written(&segments);
    for topic in [&topics::TELEMETRY, &topics::KEYFRAME, &topics::HEALTH, &topics::SIM_PINS] {
        assert!(written.iter().any(|(other, _)| other.record == topic.record), "{}", topic.record);
    }
    for (topic, words) in written {
        for (place, word) in words[..16].iter().enumerate() {
            for bit in 0..64 {
                let mut integrity = Integrity::new(&robot, &limits, &segments);
                word.fetch_xor(1 << bit, Ordering::Relaxed);
                let news = integrity.check(&robot, &limits).concat();
                let expected = format!("segment {}: word {place} of", segments.name(topic));
                assert!(news.starts_with(&expected), "bit {bit} of {expected}: {news}");
                assert!(integrity.check(&robot, &limits).is_empty());
                assert_eq!(integrity.found(), HousekeepingFlags::CANARY_CHANGED);
                word.fetch_xor(1 << bit, Ordering::Relaxed);
            }
        }
    }
}

/// A copy of a record with one bit changed.
fn flipped<T: Record>(record: &T, bit: usize) -> T {
    let mut copy = *record;
    copy.as_mut_bytes()[bit / 8] ^= 1 << (bit % 8);
    copy
}
