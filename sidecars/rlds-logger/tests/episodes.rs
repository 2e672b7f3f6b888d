//! Several episodes of one run: every record lies in exactly one of them, each begins with the last
//! keyframe before it, and the rings are read on while a file is opened.

mod common;

use common::{Rings, about, cycle, keyframe};
use rlds::request::{RecordRequest, Wish, look};
use rlds::{About, Closing, Entry, EpisodeNote, RecordingReader};
use rlds_logger::life::LifeRules;
use rlds_logger::{
    Drain, Episodes, Keeper, Means, Progress, Recording, RotationRules, Session, Tally,
    open_episode,
};
use rt_config::EpisodeBegins;
use rt_ring::{RingReader, RingWriter};
use rt_wire::{KernelState, LogFrame, Mode, MonoNs, Source, Telemetry};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const START_UNIX_MS: i64 = 1_795_000_000_123;

fn clocks() -> (MonoNs, i64) {
    (MonoNs(0), START_UNIX_MS)
}

fn rules(begins: EpisodeBegins) -> LifeRules {
    LifeRules { begins, max_ns: None, max_bytes: None, on_authority: false }
}

fn means(dir: &Path) -> Means {
    let folder = dir.to_owned();
    Means {
        episodes_dir: dir.to_owned(),
        open: Box::new(move |about: About| open_episode(&folder, about, b"{}", || MonoNs(0))),
        free_bytes: Box::new(|| Ok(u64::MAX)),
        free_min_bytes: 0,
        rotation: RotationRules::default(),
        unix_ms: || START_UNIX_MS,
        told: Box::new(|_| {}),
    }
}

type Readers<'a> =
    Drain<RingReader<'a, Telemetry>, RingReader<'a, KernelState>, RingReader<'a, LogFrame>>;

/// A recorder in this thread, a loop beside it, and a keyframe after each `keyframe_every` cycles.
struct Run<'a> {
    telemetry: RingWriter<'a, Telemetry>,
    keyframes: RingWriter<'a, KernelState>,
    drain: Readers<'a>,
    episodes: Episodes,
    n: u64,
    keyframe_every: u64,
}

impl<'a> Run<'a> {
    fn begin(
        rings: &'a Rings,
        rules: LifeRules,
        wish: Option<RecordRequest>,
        means: Means,
    ) -> Self {
        let (telemetry, keyframes) = rings.writers();
        let about = About { task: "drive a lap".to_owned(), ..about() };
        let recording = Recording { rules, about, wish, clocks };
        let keeper = Keeper::start(means).unwrap();
        Self {
            telemetry,
            keyframes,
            drain: Drain::new(rings.telemetry(), rings.keyframes(), rings.log()),
            episodes: Episodes::new(recording, keeper).begin().unwrap(),
            n: 0,
            keyframe_every: 1000,
        }
    }

    /// The loop publishes, and the recorder looks after each ten cycles.
    fn cycles(&mut self, count: u64, mode: Mode, owner: Source) -> &mut Self {
        for _ in 0..count {
            self.n += 1;
            let mut record = cycle(self.n);
            record.outcome.mode = mode.into();
            record.outcome.owner = owner.into();
            self.telemetry.publish(&record);
            if self.n.is_multiple_of(self.keyframe_every) {
                self.keyframes.publish(&keyframe(self.n));
            }
            if self.n.is_multiple_of(10) {
                self.look();
            }
        }
        self.look();
        self
    }

    fn look(&mut self) {
        self.drain.drain(&mut self.episodes, u32::MAX);
        self.episodes.flush_if_due(cycle(self.n).mono_ns);
    }

    fn progress(&self) -> Progress {
        self.episodes.progress(MonoNs(0))
    }

    /// Looks until it is so; what the recorder waits for comes from another thread.
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}: {:?}", self.progress());
            std::thread::sleep(Duration::from_millis(2));
            self.look();
        }
    }

    fn end(mut self) -> Tally {
        self.drain.finish(&mut self.episodes);
        self.episodes.end(Closing::Clean, "")
    }
}

/// An episode as it lies on the disk.
struct Found {
    path: PathBuf,
    note: EpisodeNote,
    /// Cycle of the keyframe that it begins with.
    begins_after: Option<u64>,
    sequences: Vec<u64>,
}

fn found(dir: &Path) -> Vec<Found> {
    let read = |path: PathBuf| {
        let note = std::fs::read(path.join("episode.json")).unwrap();
        let note = serde_json::from_slice(&note).unwrap();
        let (mut begins_after, mut sequences) = (None, Vec::new());
        for entry in RecordingReader::open(&rlds::recording_path(&path)).unwrap() {
            match entry.unwrap() {
                Entry::Keyframe(state) if sequences.is_empty() => {
                    begins_after = Some(state.cycle_index);
                }
                Entry::Telemetry(record) => sequences.push(record.sequence),
                _ => {}
            }
        }
        Found { path, note, begins_after, sequences }
    };
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<Found> = entries.filter(|path| path.is_dir()).map(read).collect();
    all.sort_by_key(|found| found.sequences.first().copied());
    all
}

/// How often each sequence lies in the episodes.
fn times(found: &[Found]) -> BTreeMap<u64, u32> {
    let mut times = BTreeMap::new();
    for sequence in found.iter().flat_map(|found| &found.sequences) {
        *times.entry(*sequence).or_default() += 1;
    }
    times
}

fn once_each(from: u64, to: u64) -> BTreeMap<u64, u32> {
    (from..=to).map(|sequence| (sequence, 1)).collect()
}

fn words(found: &[Found]) -> Vec<(&str, &str)> {
    found.iter().map(|found| (found.note.begun.as_str(), found.note.reason.as_str())).collect()
}

#[test]
fn every_record_lies_in_exactly_one_episode_and_each_begins_with_the_keyframe_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let capped = LifeRules { max_ns: Some(1_500_000_000), ..rules(EpisodeBegins::Start) };
    let mut run = Run::begin(&rings, capped, None, means(dir.path()));
    run.cycles(9_700, Mode::Active, Source::Pilot);
    let progress = run.progress();
    let tally = run.end();
    let found = found(dir.path());
    assert_eq!(times(&found), once_each(1, 9_700));
    assert_eq!((progress.lost_ring, tally.unrecorded, tally.closed), (0, 0, 5));
    // Two seconds each: the cap at 1.5 s waits for the keyframe.
    let begins: Vec<_> = found.iter().map(|found| found.begins_after).collect();
    assert_eq!(begins, [None, Some(2000), Some(4000), Some(6000), Some(8000)]);
    for found in &found[1..] {
        assert_eq!(found.sequences[0], found.begins_after.unwrap() + 1, "it can be replayed");
    }
    assert_eq!(
        words(&found)[..2],
        [("start", "episode_max_s"), ("episode_max_s", "episode_max_s")]
    );
    assert_eq!(found[0].note.closing, Closing::Cut);
    assert_eq!(found[4].note.closing, Closing::Clean);
    for found in &found {
        assert!(rlds::fsck::check(&found.path).unwrap().is_whole(), "{}", found.path.display());
        let steps = std::fs::read_to_string(found.path.join("steps/000000.jsonl")).unwrap();
        let told = |line: &str| line.contains(r#""language_instruction":"drive a lap""#);
        assert_eq!(steps.lines().map(told).filter(|told| *told).count(), 1);
        assert!(steps.lines().next().is_some_and(told), "in step 0 of each");
    }
}

#[test]
fn metadata_says_why_each_episode_began_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let by_driver = LifeRules { on_authority: true, ..rules(EpisodeBegins::Start) };
    let mut run = Run::begin(&rings, by_driver, None, means(dir.path()));
    run.cycles(1234, Mode::Active, Source::Pilot).cycles(1000, Mode::Active, Source::Teleop);
    run.end();
    let found = found(dir.path());
    assert_eq!(times(&found), once_each(1, 2234));
    assert_eq!(words(&found), [("start", "authority"), ("authority", "")]);
    assert_eq!((found[1].sequences[0], found[1].begins_after), (1235, Some(1000)));
    let metadata =
        |found: &Found| std::fs::read_to_string(found.path.join("metadata.json")).unwrap();
    for tag in ["continuon.begun:start", "continuon.ended:authority", "continuon.closing:cut"] {
        assert!(metadata(&found[0]).contains(tag), "{tag}: {}", metadata(&found[0]));
    }
    assert!(metadata(&found[1]).contains("continuon.begun:authority"));
}

#[test]
fn armed_episode_holds_the_cycles_since_the_keyframe_before_it_and_a_second_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let mut run = Run::begin(&rings, rules(EpisodeBegins::Arm), None, means(dir.path()));
    run.cycles(3400, Mode::Disarmed, Source::None);
    assert!(run.progress().is_whole, "ready to record");
    run.cycles(2000, Mode::Active, Source::Pilot).cycles(4000, Mode::Disarmed, Source::None);
    run.cycles(2000, Mode::Active, Source::Pilot).cycles(100, Mode::EStopLatched, Source::None);
    let tally = run.end();
    let found = found(dir.path());
    // Armed with 3401 and 9401; disarmed with 5401, and a second more.
    let held: Vec<_> = found
        .iter()
        .map(|found| (found.begins_after, found.sequences[0], found.sequences.len()))
        .collect();
    assert_eq!(held, [(Some(3000), 3001, 3400), (Some(9000), 9001, 2500)]);
    assert_eq!(words(&found), [("arm", "disarmed"), ("arm", "estop")]);
    assert!(found.iter().all(|found| found.note.closing == Closing::Clean));
    assert_eq!((tally.unrecorded, tally.closed), (0, 2), "what is not to be recorded is not lost");
}

#[test]
fn car_that_is_never_armed_leaves_no_episode() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let mut run = Run::begin(&rings, rules(EpisodeBegins::Arm), None, means(dir.path()));
    run.cycles(5000, Mode::Disarmed, Source::None);
    assert_eq!(run.end().closed, 0);
    assert!(found(dir.path()).is_empty());
}

/// A door before each opening but the first.
#[derive(Default)]
struct Door {
    is_open: Mutex<bool>,
    changed: Condvar,
}

impl Door {
    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

fn behind(door: &Arc<Door>, mut means: Means) -> Means {
    let (mut open, door, mut count) = (means.open, Arc::clone(door), 0);
    means.open = Box::new(move |about| {
        count += 1;
        if count > 1 {
            let is_open = door.is_open.lock().unwrap();
            drop(door.changed.wait_while(is_open, |is_open| !*is_open).unwrap());
        }
        open(about)
    });
    means
}

#[test]
fn rings_are_read_on_while_the_next_file_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let door = Arc::new(Door::default());
    let means = behind(&door, means(dir.path()));
    let capped = LifeRules { max_ns: Some(1_500_000_000), ..rules(EpisodeBegins::Start) };
    let mut run = Run::begin(&rings, capped, None, means);
    // The second file is asked for after cycle 2000; two turns more come before it is there.
    run.cycles(4_900, Mode::Active, Source::Pilot);
    assert!(run.progress().waiting_since.is_some(), "the heartbeat can tell");
    door.open();
    run.cycles(100, Mode::Active, Source::Pilot);
    assert_eq!(run.progress().lost_ring, 0);
    run.end();
    let found = found(dir.path());
    assert_eq!(times(&found), once_each(1, 5_000));
    let begins: Vec<_> = found.iter().map(|found| found.begins_after).collect();
    assert_eq!(begins, [None, Some(2000), Some(4000)]);
}

#[test]
fn file_that_cannot_be_opened_costs_what_comes_meanwhile_and_it_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let mut means = means(dir.path());
    let (mut open, mut count) = (means.open, 0);
    means.open = Box::new(move |about| {
        count += 1;
        if count == 2 { Err(io::ErrorKind::StorageFull.into()) } else { open(about) }
    });
    let capped = LifeRules { max_ns: Some(1_500_000_000), ..rules(EpisodeBegins::Start) };
    let mut run = Run::begin(&rings, capped, None, means);
    run.cycles(2_500, Mode::Active, Source::Pilot);
    run.until("it is told", |run| !run.progress().is_whole);
    run.cycles(500, Mode::Active, Source::Pilot);
    let tally = run.end();
    let recorded = times(&found(dir.path()));
    assert_eq!(recorded, once_each(1, 2_000));
    assert_eq!(tally.unrecorded, 1_000);
}

#[test]
fn full_disk_closes_the_episode_with_its_reason_and_it_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let mut means = means(dir.path());
    let asked = Arc::clone(&free);
    means.free_min_bytes = 256_000_000;
    // ORDER: a number alone.
    means.free_bytes = Box::new(move || Ok(asked.load(Ordering::Relaxed)));
    let mut run = Run::begin(&rings, rules(EpisodeBegins::Start), None, means);
    run.cycles(1_500, Mode::Active, Source::Pilot);
    assert!(run.progress().is_whole);
    // ORDER: a number alone.
    free.store(255_999_999, Ordering::Relaxed);
    run.until("the guard sees it", |run| !run.progress().is_whole);
    run.cycles(1_000, Mode::Active, Source::Pilot);
    assert_eq!(run.progress().unrecorded, 1_000);
    // More than the least, and not yet enough to begin again.
    // ORDER: a number alone.
    free.store(256_000_001, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(300));
    run.cycles(100, Mode::Active, Source::Pilot);
    assert_eq!(run.progress().unrecorded, 1_100);
    // ORDER: a number alone.
    free.store(400_000_000, Ordering::Relaxed);
    run.until("there is room", |run| run.episodes.has_room_on_disk());
    run.cycles(1_000, Mode::Active, Source::Pilot);
    assert!(run.progress().is_whole);
    let tally = run.end();
    let found = found(dir.path());
    assert_eq!(words(&found), [("start", "free_min_mb"), ("free_min_mb", "")]);
    assert_eq!(found[0].note.closing, Closing::Cut);
    let sequences: Vec<_> = found.iter().map(|found| found.sequences.clone()).collect();
    assert_eq!(sequences, [(1..=1_500).collect::<Vec<_>>(), (2_601..=3_600).collect()]);
    assert_eq!((found[1].begins_after, tally.unrecorded), (Some(2_000), 1_100));
}

#[test]
fn wish_of_the_command_line_is_recorded_with_exactly_so_many_steps_and_then_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let wish = RecordRequest {
        task: Some("park".to_owned()),
        xr_mode: Some(rlds::schema::XrMode::Trainer),
        control_role: Some(rlds::schema::ControlRole::HumanDevXr),
        max_steps: Some(30),
    };
    // Disarmed, and the robot file says arm: a person wishes it all the same.
    let mut run = Run::begin(&rings, rules(EpisodeBegins::Arm), Some(wish), means(dir.path()));
    run.cycles(3_000, Mode::Disarmed, Source::None);
    assert!(run.progress().is_over);
    run.end();
    let found = found(dir.path());
    assert_eq!(words(&found), [("command", "max_steps")]);
    assert_eq!(found[0].note.steps, 30);
    let metadata = std::fs::read_to_string(found[0].path.join("metadata.json")).unwrap();
    assert!(metadata.contains(r#""xr_mode": "trainer""#), "{metadata}");
    assert!(metadata.contains("continuon.xr_mode:trainer"), "{metadata}");
    assert!(metadata.contains(r#""control_role": "human_dev_xr""#), "{metadata}");
    let steps = std::fs::read_to_string(found[0].path.join("steps/000000.jsonl")).unwrap();
    assert!(steps.lines().next().unwrap().contains(r#""language_instruction":"park""#));
    assert!(rlds::fsck::check(&found[0].path).unwrap().is_whole());
}

#[test]
fn steps_of_a_wish_are_counted_on_where_a_cap_cuts_it() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let wish = RecordRequest { max_steps: Some(50), ..RecordRequest::default() };
    let capped = LifeRules { max_ns: Some(1_500_000_000), ..rules(EpisodeBegins::Start) };
    let door = Arc::new(Door::default());
    let mut run = Run::begin(&rings, capped, Some(wish), behind(&door, means(dir.path())));
    // The second file is there only after a third one was due.
    run.cycles(4_500, Mode::Active, Source::Pilot);
    door.open();
    run.end();
    let found = found(dir.path());
    assert_eq!(words(&found), [("command", "episode_max_s"), ("episode_max_s", "max_steps")]);
    assert_eq!(found[0].note.steps + found[1].note.steps, 50);
}

#[test]
fn wish_among_the_episodes_is_cut_out_of_the_run_to_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let rings = Rings::new(64, 8);
    let mut run = Run::begin(&rings, rules(EpisodeBegins::Start), None, means(dir.path()));
    run.cycles(1_200, Mode::Active, Source::Pilot);
    let wish = RecordRequest { task: Some("a bend".to_owned()), ..RecordRequest::default() };
    let posted = wish.post(dir.path()).unwrap();
    run.until("the wish is seen", |run| run.episodes.is_wished());
    run.cycles(2_000, Mode::Active, Source::Pilot);
    drop(posted);
    run.until("its end is seen", |run| !run.episodes.is_wished());
    run.cycles(500, Mode::Active, Source::Pilot);
    let limited = RecordRequest { max_steps: Some(5), ..RecordRequest::default() };
    let posted = limited.post(dir.path()).unwrap();
    run.until("the wish is seen", |run| run.episodes.is_wished());
    run.cycles(1_000, Mode::Active, Source::Pilot);
    run.until("the recorder ends it", |_| posted.has_ended());
    assert_eq!(look(dir.path()).unwrap(), Wish::None);
    run.end();
    let found = found(dir.path());
    assert_eq!(times(&found), once_each(1, 4_700));
    let expected = [
        ("start", "command"),
        ("command", "command"),
        ("after_command", "command"),
        ("command", "max_steps"),
        ("after_command", ""),
    ];
    assert_eq!(words(&found), expected);
    assert_eq!(found[1].sequences, (1_201..=3_200).collect::<Vec<_>>());
    assert_eq!(found[3].note.steps, 5);
    let first = |found: &Found| {
        let steps = std::fs::read_to_string(found.path.join("steps/000000.jsonl")).unwrap();
        steps.lines().next().unwrap().to_owned()
    };
    assert!(first(&found[1]).contains("a bend") && !first(&found[2]).contains("a bend"));
}
