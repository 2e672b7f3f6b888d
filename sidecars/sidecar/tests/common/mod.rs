//! A loop without a loop: a thread that serves a run directory, as housekeeping does.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rt_shm::{MappedSlotReader, Mapping, Rules, RunDir, SegmentServer, Segments};
use rt_wire::topics::{HEARTBEATS, Topic};
use rt_wire::{Heartbeat, Record};
use sidecar::CommonArgs;

/// The robot of every test: one that comes with the program.
pub(crate) const ROBOT: &str = "sim-donkey";

/// The sidecar of every test: one that gives a heartbeat.
pub(crate) const NAME: &str = "rlds-logger";

pub(crate) fn args(run_dir: &Path, attach_timeout_s: u32) -> CommonArgs {
    CommonArgs { robot: ROBOT.to_owned(), run_dir: run_dir.to_owned(), attach_timeout_s }
}

/// Runs `main` as a sidecar would, in one thread.
pub(crate) fn block_on<T>(main: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, main)
}

#[derive(Default)]
struct World {
    refuses: bool,
    heartbeats: Vec<(&'static str, MappedSlotReader<Heartbeat>)>,
}

struct Shared(Arc<Mutex<World>>);

impl Rules for Shared {
    fn uid_may_attach(&self, _process: &str, _uid: u32) -> bool {
        !self.0.lock().unwrap().refuses
    }

    fn may_swap(&self, _topic: &'static Topic) -> bool {
        true
    }

    fn install(&mut self, topic: &'static Topic, mapping: Mapping, _generation: u64) {
        if HEARTBEATS.iter().any(|heartbeat| heartbeat.writer == topic.writer) {
            let reader = MappedSlotReader::attach(mapping, Heartbeat::LAYOUT_HASH).unwrap();
            self.0.lock().unwrap().heartbeats.push((topic.writer, reader));
        }
    }

    fn detached(&mut self, _process: &str) {}
}

pub(crate) struct TestLoop {
    world: Arc<Mutex<World>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl TestLoop {
    pub(crate) fn start(dir: &Path) -> Self {
        let lock = RunDir::create(dir).unwrap().lock().unwrap();
        let segments = Segments::create(ROBOT, true, false).unwrap();
        let mut server = SegmentServer::bind(&lock, segments).unwrap();
        let world = Arc::new(Mutex::new(World::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut rules = Shared(Arc::clone(&world));
        let until = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            // ORDER: a flag alone; `end` joins this thread.
            while !until.load(Ordering::Relaxed) {
                server.poll(5, &mut rules).unwrap();
            }
        });
        Self { world, stop, thread }
    }

    pub(crate) fn refuse_everybody(&self) {
        self.world.lock().unwrap().refuses = true;
    }

    /// Waits for a heartbeat that is as wished.
    pub(crate) async fn heartbeat(
        &self,
        name: &str,
        mut is_wished: impl FnMut(&Heartbeat) -> bool,
    ) -> Heartbeat {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            {
                let world = self.world.lock().unwrap();
                let newest = world.heartbeats.iter().rev().find(|(writer, _)| *writer == name);
                if let Some(beat) = newest.and_then(|(_, slot)| slot.peek())
                    && is_wished(&beat)
                {
                    return beat;
                }
            }
            assert!(Instant::now() < end, "no such heartbeat of {name}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends as a loop does: the socket closes.
    pub(crate) fn end(self) {
        // ORDER: a flag alone; the thread's work is taken over by the join.
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}
