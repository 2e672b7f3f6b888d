//! Teleop at a loop that it can hear no more, and at one that goes while teleop comes in. The loop's
//! side of the run directory is played here.

use clap::Parser;
use rt_ring::RingWriter;
use rt_ring::sync::{AtomicU64, Ordering};
use rt_shm::{MappedSlotReader, Mapping, Rules, RunDir, SegmentServer, Segments};
use rt_wire::topics::{COMMANDS, HEARTBEATS, TELEMETRY, Topic};
use rt_wire::{Command, CommandFlags, Mode, Raw, Record, Source, Telemetry};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// For a hang, not for a speed.
const HANG: Duration = Duration::from_secs(60);
const TURN_MS: u16 = 5;

/// What teleop has been given, and what it says.
#[derive(Default)]
struct Given {
    has_heartbeat: bool,
    command: Option<MappedSlotReader<Command>>,
    has_gone: bool,
}

impl Given {
    fn said(&self) -> Option<Command> {
        self.command.as_ref().and_then(MappedSlotReader::peek)
    }
}

impl Rules for Given {
    fn uid_may_attach(&self, _process: &str, _uid: u32) -> bool {
        true
    }

    fn may_swap(&self, _topic: &'static Topic) -> bool {
        true
    }

    fn install(&mut self, topic: &'static Topic, mapping: Mapping, _generation: u64) {
        let is = |row: &Topic| (row.writer, row.record) == (topic.writer, topic.record);
        if COMMANDS.iter().any(is) {
            let reader = MappedSlotReader::attach(mapping, Command::LAYOUT_HASH);
            self.command = Some(reader.expect("a command slot"));
        } else if HEARTBEATS.iter().any(is) {
            self.has_heartbeat = true;
        }
    }

    fn detached(&mut self, _process: &str) {
        self.has_gone = true;
    }
}

/// The loop's side, and the memory of its telemetry.
fn serve(run_dir: &Path) -> (SegmentServer, RingWriter<'static, Telemetry>, &'static [AtomicU64]) {
    let lock = RunDir::create(run_dir).expect("a folder").lock().expect("the only loop");
    let segments = Segments::create("sim-donkey", true, false).expect("segments");
    let words = segments.words(&TELEMETRY).expect("the loop writes it");
    let depth = TELEMETRY.depth as usize;
    let ring = RingWriter::create(words, depth, segments.identity(&TELEMETRY)).expect("a ring");
    let server = SegmentServer::bind(&lock, segments).expect("a socket");
    (server, ring, words)
}

/// What the loop tells: a car at rest, or one that teleop drives.
fn told(cycle_index: u64, drives: bool) -> Telemetry {
    let mut told = Telemetry { sequence: cycle_index, cycle_index, ..Telemetry::default() };
    told.mono_ns = sidecar::mono_now();
    told.outcome.mode = Raw::new(if drives { Mode::Active } else { Mode::Disarmed });
    told.outcome.owner = Raw::new(if drives { Source::Teleop } else { Source::None });
    told
}

/// A loop that ends as soon as teleop has its heartbeat, and so before it has its segments.
fn goes_while_teleop_comes_in(run_dir: &Path) -> JoinHandle<()> {
    let (mut server, _ring, _) = serve(run_dir);
    thread::spawn(move || {
        let mut given = Given::default();
        while !given.has_heartbeat {
            server.poll(TURN_MS, &mut given).expect("it serves");
        }
    })
}

/// A loop that teleop drives, and whose ring then becomes rubbish. Ends with teleop's last command,
/// once teleop has gone.
fn becomes_rubbish(run_dir: &Path) -> JoinHandle<Command> {
    let (mut server, mut ring, words) = serve(run_dir);
    thread::spawn(move || {
        let mut given = Given::default();
        let (mut cycle_index, mut drives_since) = (0, None::<u64>);
        loop {
            server.poll(TURN_MS, &mut given).expect("it serves");
            cycle_index += 1;
            ring.publish(&told(cycle_index, drives_since.is_some()));
            let Some(said) = given.said() else { continue };
            let holds = said.flags.has(CommandFlags::DEAD_MAN);
            match drives_since {
                None if holds => drives_since = Some(cycle_index + 1),
                Some(since) if holds && said.answers_cycle >= since => break,
                _ => {}
            }
        }
        // ORDER: rubbish pairs with nothing.
        words.iter().for_each(|word| word.store(u64::MAX, Ordering::Relaxed));
        while !given.has_gone {
            server.poll(TURN_MS, &mut given).expect("it serves");
        }
        given.said().expect("a command")
    })
}

/// Runs teleop, whose script holds the switch, to its end.
fn teleop(run_dir: &Path) -> Result<sidecar::Outcome, sidecar::Failure> {
    let script = run_dir.with_file_name("drive.txt");
    std::fs::write(&script, "0 dead-man on\n").expect("written");
    let (run_dir, script) = (run_dir.to_str().expect("text"), script.to_str().expect("text"));
    let args = ["teleop", "--robot", "sim-donkey", "--run-dir", run_dir, "--script", script];
    let args = teleop::Args::try_parse_from(args).expect("good arguments");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), async {
        tokio::time::timeout(HANG, teleop::drive(args)).await.expect("it ends")
    })
}

#[test]
fn teleop_that_can_hear_no_more_of_its_car_disarms_it_before_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let run_dir = folder.path().join("run");
    let the_loop = becomes_rubbish(&run_dir);
    let failure = teleop(&run_dir).expect_err("it is deaf");
    assert!(failure.to_string().contains("telemetry ring"), "{failure}");
    let last = the_loop.join().expect("no assertion failed");
    assert_eq!(last.flags, CommandFlags::DISARM);
}

#[test]
fn loop_that_goes_while_teleop_comes_in_is_waited_for_like_any_that_has_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let run_dir = folder.path().join("run");
    let first = goes_while_teleop_comes_in(&run_dir);
    let (at, next_dir) = (run_dir.clone(), run_dir);
    let next = thread::spawn(move || {
        first.join().expect("it has served");
        becomes_rubbish(&next_dir).join().expect("no assertion failed")
    });
    // It came in to the next one, which it hears become rubbish.
    let failure = teleop(&at).expect_err("it is deaf");
    assert!(failure.to_string().contains("telemetry ring"), "{failure}");
    drop(next.join());
}
