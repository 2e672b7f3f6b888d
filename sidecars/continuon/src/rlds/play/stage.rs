//! What sidecars attach to: the rings of a loop that is none, and its door.
//!
//! *What it decides.* Who may come in: processes of our own user. *What it must never do.* Take a
//! command slot, be asked to arm or stop (there is no operator.sock), or say that it is a car: its
//! health has REPLAYED from the first word on. Tests: tests/rlds_play.rs.

use crate::exit::Failure;
use crate::observe::watch::not_possible;
use rt_config::Robot;
use rt_ring::{RingWriter, SlotWriter};
use rt_shm::{Mapping, Rules, RunDir, RunLock, SegmentServer, Segments};
use rt_wire::topics::{COMMANDS, HEALTH, KEYFRAME, LOG, TELEMETRY, Topic};
use rt_wire::{Health, HealthFlags, KernelState, LogFrame, MonoNs, Record, Telemetry};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two words about health, as a loop's housekeeping has it.
const HEALTH_EVERY: Duration = Duration::from_millis(100);
/// How long a record may wait for its time without a look at the door.
const SERVE_EVERY: Duration = Duration::from_millis(2);

/// Rings, health and the door.
pub(super) struct Stage {
    server: SegmentServer,
    door: Door,
    lock: RunLock,
    telemetry: RingWriter<'static, Telemetry>,
    keyframes: RingWriter<'static, KernelState>,
    log: RingWriter<'static, LogFrame>,
    health: SlotWriter<'static, Health>,
    build_id: u64,
    flags: HealthFlags,
    health_at: Instant,
    served_at: Instant,
}

/// Who has come, and what was refused.
struct Door {
    own_uid: u32,
    come: RefCell<BTreeSet<String>>,
    commands_refused: Cell<u64>,
    refused: RefCell<BTreeSet<&'static str>>,
    /// Of these, who has not been told of.
    news: RefCell<Vec<&'static str>>,
}

impl Rules for Door {
    fn uid_may_attach(&self, process: &str, uid: u32) -> bool {
        let may = uid == self.own_uid || uid == 0;
        if may {
            self.come.borrow_mut().insert(process.to_owned());
        }
        may
    }

    fn may_swap(&self, topic: &'static Topic) -> bool {
        let is_command = topic.record == COMMANDS[0].record;
        if is_command {
            self.commands_refused.set(self.commands_refused.get() + 1);
            if self.refused.borrow_mut().insert(topic.writer) {
                self.news.borrow_mut().push(topic.writer);
            }
        }
        !is_command
    }

    /// A heartbeat: nobody here judges it.
    fn install(&mut self, _topic: &'static Topic, _mapping: Mapping, _generation: u64) {}

    fn detached(&mut self, _process: &str) {}
}

impl Stage {
    /// Takes the folder and opens the door.
    ///
    /// # Errors
    /// A loop, or another replay, serves the folder; or there is no memory.
    pub(super) fn open(run_dir: &Path, robot: &Robot, build_id: u64) -> Result<Self, Failure> {
        let lock = RunDir::create(run_dir).and_then(|dir| dir.lock()).map_err(not_possible)?;
        // Nothing here is hurried: memory that is not locked does.
        let segments = Segments::create(robot.name(), false, false).map_err(not_possible)?;
        let telemetry = ring(&segments, &TELEMETRY)?;
        let keyframes = ring(&segments, &KEYFRAME)?;
        let log = ring(&segments, &LOG)?;
        let words = segments.words(&HEALTH).map_err(not_possible)?;
        let health = SlotWriter::create(words, segments.identity(&HEALTH)).map_err(laid_out)?;
        let own_uid = nix::unistd::geteuid().as_raw();
        let now = Instant::now();
        let mut stage = Self {
            server: SegmentServer::bind(&lock, segments).map_err(not_possible)?,
            door: Door {
                own_uid,
                come: RefCell::default(),
                commands_refused: Cell::new(0),
                refused: RefCell::default(),
                news: RefCell::default(),
            },
            lock,
            telemetry,
            keyframes,
            log,
            health,
            build_id,
            flags: HealthFlags::REPLAYED,
            health_at: now,
            served_at: now,
        };
        // Before anybody can look.
        stage.tell_health();
        Ok(stage)
    }

    /// Puts the messages of the loop's log where its readers look for them.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn link_log_table(&self, table: &Path) -> Result<(), Failure> {
        self.lock.link_program(table).map_err(not_possible)
    }

    /// Whether a process of this name has come.
    pub(super) fn has_come(&self, process: &str) -> bool {
        self.door.come.borrow().contains(process)
    }

    /// What has happened at the door since it was asked last, in sentences.
    pub(super) fn news(&self) -> Vec<String> {
        let refused = self.door.news.take().into_iter();
        let told =
            |writer| format!("{writer} asked for its command slot: refused, nothing drives here");
        refused.map(told).collect()
    }

    /// How often somebody asked for a command slot.
    pub(super) fn commands_refused(&self) -> u64 {
        self.door.commands_refused.get()
    }

    /// Waits so long at most for somebody at the door.
    ///
    /// # Errors
    /// The kernel refuses to wait.
    pub(super) fn serve(&mut self, wait: Duration) -> Result<(), Failure> {
        let wait_ms = u16::try_from(wait.as_millis()).unwrap_or(u16::MAX);
        self.server.poll(wait_ms, &mut self.door).map_err(not_possible)?;
        self.served_at = Instant::now();
        if self.served_at.saturating_duration_since(self.health_at) >= HEALTH_EVERY {
            self.tell_health();
        }
        Ok(())
    }

    /// Serves while a record waits for its time, which is `left` from now, and no longer.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub(super) fn serve_until(&mut self, left: Duration) -> Result<(), Failure> {
        if left >= SERVE_EVERY {
            // A wait for the door counts whole milliseconds, and may take one more.
            return self.serve((left - Duration::from_millis(1)).min(Duration::from_millis(10)));
        }
        if self.served_at.elapsed() >= SERVE_EVERY {
            self.serve(Duration::ZERO)?;
        }
        sleep(left);
        Ok(())
    }

    pub(super) fn telemetry(&mut self, record: &Telemetry) {
        self.telemetry.publish(record);
    }

    pub(super) fn keyframe(&mut self, state: &KernelState) {
        self.keyframes.publish(state);
    }

    pub(super) fn log_frame(&mut self, frame: &LogFrame) {
        self.log.publish(frame);
    }

    /// The last word: nothing more will come.
    pub(super) fn end(&mut self) {
        self.flags |= HealthFlags::ENDED;
        self.tell_health();
    }

    fn tell_health(&mut self) {
        self.health_at = Instant::now();
        self.health.write(&Health {
            mono_ns: now_mono(),
            cycles: self.telemetry.published(),
            build_id: self.build_id,
            pid: std::process::id(),
            cpu: u32::MAX,
            flags: self.flags,
            ..Health::default()
        });
    }
}

fn ring<T: Record + rt_ring::Record>(
    segments: &Segments,
    topic: &Topic,
) -> Result<RingWriter<'static, T>, Failure> {
    let words = segments.words(topic).map_err(not_possible)?;
    let depth = usize::try_from(topic.depth).unwrap_or(0);
    RingWriter::create(words, depth, segments.identity(topic)).map_err(laid_out)
}

fn laid_out(error: rt_ring::AttachError) -> Failure {
    Failure::not_possible(error.to_string())
}

fn now_mono() -> MonoNs {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    let now = now.map(Duration::from).unwrap_or_default();
    MonoNs(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
