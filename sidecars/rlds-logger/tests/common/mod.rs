//! Rings in this process, and a loop without a loop: a thread that serves a run directory, as
//! housekeeping does, and the writers of what the loop publishes.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rlds::{About, FileSystem, HostFiles, Storage};
use rt_ring::sync::AtomicU64;
use rt_ring::{Identity, RingReader, RingWriter, SlotWriter, ring_words};
use rt_shm::{MappedSlotReader, Mapping, Rules, RunDir, SegmentServer, Segments};
use rt_wire::topics::{HEALTH, KEYFRAME, LOG, RLDS_LOGGER, TELEMETRY, Topic};
use rt_wire::{
    Health, HealthFlags, Heartbeat, KernelState, LogFrame, Mode, MonoNs, Record, Source, Telemetry,
};

/// The robot of every test: one that comes with the program.
pub(crate) const ROBOT: &str = "sim-donkey";
pub(crate) const BUILD_ID: u64 = 0xb01d;

/// Frames that the log's ring holds in these tests.
pub(crate) const LOG_DEPTH: usize = 8;
const MS: u64 = 1_000_000;
const START: u64 = 5_000 * MS;

pub(crate) fn about() -> About {
    About {
        robot: ROBOT.to_owned(),
        robot_model: "donkeycar".to_owned(),
        environment_id: "sim-twisty".to_owned(),
        frame_convention: "base_link".to_owned(),
        build_id: BUILD_ID,
        start_mono_ns: MonoNs(START),
        start_unix_ms: 1_795_000_000_123,
        kernel: String::new(),
        step_rate_hz: 20,
        ..About::default()
    }
}

/// Cycle `n` (from 1) of a drive at 1 kHz.
pub(crate) fn cycle(n: u64) -> Telemetry {
    let mut record = Telemetry {
        sequence: n,
        cycle_index: n,
        mono_ns: MonoNs(START + (n - 1) * MS),
        ..Telemetry::default()
    };
    record.outcome.mode = Mode::Active.into();
    record.outcome.owner = Source::Pilot.into();
    record.outcome.setpoint.throttle = (n % 100) as f32 / 100.0;
    record
}

pub(crate) fn keyframe(after_cycle: u64) -> KernelState {
    KernelState {
        cycle_index: after_cycle,
        mono_ns: MonoNs(START + after_cycle * MS),
        build_id: BUILD_ID,
        ..KernelState::default()
    }
}

/// Message `n` (from 1) of the loop, as bytes that mean nothing.
pub(crate) fn log_frame(n: u64) -> LogFrame {
    let mut frame = LogFrame {
        sequence: n,
        cycle_index: n,
        mono_ns: MonoNs(START + n * MS),
        bytes: 2,
        ..LogFrame::default()
    };
    frame.frame[0] = 1;
    frame
}

/// The three rings, in this process's memory.
pub(crate) struct Rings {
    telemetry: (Vec<AtomicU64>, usize),
    keyframes: (Vec<AtomicU64>, usize),
    log: (Vec<AtomicU64>, usize),
}

fn identity<T: Record>(generation: u64) -> Identity {
    Identity { layout_hash: T::LAYOUT_HASH, generation }
}

fn words<T: Record>(depth: usize) -> Vec<AtomicU64> {
    (0..ring_words::<T>(depth)).map(|_| AtomicU64::new(0)).collect()
}

impl Rings {
    pub(crate) fn new(telemetry_depth: usize, keyframe_depth: usize) -> Self {
        let rings = Self {
            telemetry: (words::<Telemetry>(telemetry_depth), telemetry_depth),
            keyframes: (words::<KernelState>(keyframe_depth), keyframe_depth),
            log: (words::<LogFrame>(LOG_DEPTH), LOG_DEPTH),
        };
        // So that readers may come before the writers.
        rings.writers();
        rings.log_writer();
        rings
    }

    pub(crate) fn log_writer(&self) -> RingWriter<'_, LogFrame> {
        RingWriter::create(&self.log.0, self.log.1, identity::<LogFrame>(1)).unwrap()
    }

    pub(crate) fn log(&self) -> RingReader<'_, LogFrame> {
        RingReader::attach_from_oldest(&self.log.0, LogFrame::LAYOUT_HASH).unwrap()
    }

    pub(crate) fn writers(&self) -> (RingWriter<'_, Telemetry>, RingWriter<'_, KernelState>) {
        let (telemetry, keyframes) = (&self.telemetry, &self.keyframes);
        (
            RingWriter::create(&telemetry.0, telemetry.1, identity::<Telemetry>(1)).unwrap(),
            RingWriter::create(&keyframes.0, keyframes.1, identity::<KernelState>(1)).unwrap(),
        )
    }

    pub(crate) fn telemetry(&self) -> RingReader<'_, Telemetry> {
        RingReader::attach_from_oldest(&self.telemetry.0, Telemetry::LAYOUT_HASH).unwrap()
    }

    pub(crate) fn keyframes(&self) -> RingReader<'_, KernelState> {
        RingReader::attach_from_oldest(&self.keyframes.0, KernelState::LAYOUT_HASH).unwrap()
    }

    /// As if the loop had been started again in the same memory.
    pub(crate) fn make_telemetry_anew(&self) {
        let (memory, depth) = &self.telemetry;
        RingWriter::<Telemetry>::create(memory, *depth, identity::<Telemetry>(2)).unwrap();
    }
}

type HeartbeatSlot = Arc<Mutex<Option<MappedSlotReader<Heartbeat>>>>;

struct Shared(HeartbeatSlot);

impl Rules for Shared {
    fn uid_may_attach(&self, _process: &str, _uid: u32) -> bool {
        true
    }

    fn may_swap(&self, _topic: &'static Topic) -> bool {
        true
    }

    fn install(&mut self, topic: &'static Topic, mapping: Mapping, _generation: u64) {
        if topic.writer == RLDS_LOGGER {
            let reader = MappedSlotReader::attach(mapping, Heartbeat::LAYOUT_HASH).unwrap();
            *self.0.lock().unwrap() = Some(reader);
        }
    }

    fn detached(&mut self, _process: &str) {}
}

pub(crate) struct TestLoop {
    pub(crate) telemetry: RingWriter<'static, Telemetry>,
    pub(crate) keyframes: RingWriter<'static, KernelState>,
    pub(crate) log: RingWriter<'static, LogFrame>,
    health: Mutex<SlotWriter<'static, Health>>,
    heartbeat: HeartbeatSlot,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl TestLoop {
    pub(crate) fn start(dir: &Path) -> Self {
        let lock = RunDir::create(dir).unwrap().lock().unwrap();
        let segments = Segments::create(ROBOT, true, false).unwrap();
        let words = |topic| segments.words(topic).unwrap();
        let id = |topic| segments.identity(topic);
        let depth = |topic: &Topic| topic.depth as usize;
        let ring = RingWriter::create(words(&TELEMETRY), depth(&TELEMETRY), id(&TELEMETRY));
        let keyframes = RingWriter::create(words(&KEYFRAME), depth(&KEYFRAME), id(&KEYFRAME));
        let log = RingWriter::create(words(&LOG), depth(&LOG), id(&LOG));
        let mut health = SlotWriter::create(words(&HEALTH), id(&HEALTH)).unwrap();
        health.write(&Health { build_id: BUILD_ID, ..Health::default() });
        let mut server = SegmentServer::bind(&lock, segments).unwrap();
        let heartbeat = HeartbeatSlot::default();
        let stop = Arc::new(AtomicBool::new(false));
        let mut rules = Shared(Arc::clone(&heartbeat));
        let until = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            // ORDER: a flag alone; `end` joins this thread.
            while !until.load(Ordering::Relaxed) {
                server.poll(5, &mut rules).unwrap();
            }
        });
        Self {
            telemetry: ring.unwrap(),
            keyframes: keyframes.unwrap(),
            log: log.unwrap(),
            health: Mutex::new(health),
            heartbeat,
            stop,
            thread,
        }
    }

    /// It is no loop: an episode is played.
    pub(crate) fn say_replayed(&self) {
        let flags = HealthFlags::REPLAYED;
        let replayed = Health { build_id: BUILD_ID, flags, ..Health::default() };
        self.health.lock().unwrap().write(&replayed);
    }

    /// The loop's last word.
    pub(crate) fn say_ended(&self) {
        let ended = Health { build_id: BUILD_ID, flags: HealthFlags::ENDED, ..Health::default() };
        self.health.lock().unwrap().write(&ended);
    }

    /// Waits for a heartbeat of the logger that is as wished.
    pub(crate) fn wait_for_heartbeat(
        &self,
        mut is_wished: impl FnMut(&Heartbeat) -> bool,
    ) -> Heartbeat {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let beat = self.heartbeat.lock().unwrap().as_ref().and_then(MappedSlotReader::peek);
            if let Some(beat) = beat.filter(&mut is_wished) {
                return beat;
            }
            assert!(Instant::now() < end, "no such heartbeat: {beat:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends as a loop that is killed does: the socket closes.
    pub(crate) fn end(self) {
        // ORDER: a flag alone; the thread's work is taken over by the join.
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

/// This machine's files, but the recording goes to a disk in memory that refuses every byte beyond
/// its size and waits at each sync as it is told.
#[derive(Clone)]
pub(crate) struct TestDisk {
    pub(crate) bytes: Arc<Mutex<usize>>,
    pub(crate) bytes_max: usize,
    /// What a sync waits for, and what it says.
    pub(crate) at_sync: Arc<dyn Fn() -> io::Result<()> + Send + Sync>,
}

impl TestDisk {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: Arc::default(), bytes_max, at_sync: Arc::new(|| Ok(())) }
    }
}

pub(crate) enum OnDisk {
    Test(TestDisk),
    Host(File),
}

impl FileSystem for TestDisk {
    type File = OnDisk;
    type Reader = File;

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        HostFiles.make_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<OnDisk> {
        if path.extension().is_some_and(|extension| extension == "mcap") {
            Ok(OnDisk::Test(self.clone()))
        } else {
            HostFiles.create(path).map(OnDisk::Host)
        }
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        HostFiles.open(path)
    }

    fn lock(&self, reader: &File) -> io::Result<bool> {
        HostFiles.lock(reader)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        HostFiles.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        HostFiles.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        HostFiles.sync_dir(path)
    }
}

impl Write for OnDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Test(disk) => {
                let mut used = disk.bytes.lock().unwrap();
                let taken = bytes.len().min(disk.bytes_max - *used);
                if taken == 0 && !bytes.is_empty() {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                *used += taken;
                Ok(taken)
            }
            Self::Host(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for OnDisk {
    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        match self {
            Self::Test(disk) => *disk.bytes.lock().unwrap() = usize::try_from(bytes).unwrap(),
            Self::Host(file) => file.truncate(bytes)?,
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        match self {
            Self::Test(disk) => (disk.at_sync)(),
            Self::Host(file) => Storage::sync(file),
        }
    }
}
