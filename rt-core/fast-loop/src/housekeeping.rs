//! Housekeeping: everything the loop's process must do that may wait.
//!
//! It serves `segments.sock` and `operator.sock`, reads the loop thread's counters, takes all signals
//! and feeds the watchdog, checks configuration and canaries (`integrity.rs`), forwards the loop's
//! log, and says what the bus thread may not say itself. It must never make the loop wait, never drive a pin, and never judge: what it learns goes to the kernel as a record, and
//! what the kernel decides it reads from telemetry like anybody else. Shown by: the tests below, and
//! the tests crate.

mod integrity;

use crate::bus::BusThread;
use crate::clock;
use crate::counters::{Counters, resident_bytes};
use crate::cycle::Ended;
use crate::gate::{Gate, LastWord};
use crate::inlets::{Offer, Outlets};
use crate::last_words;
use crate::log::Forwarder;
use crate::realtime::Granted;
use crate::say::say;
use crate::sealed_alloc;
use crate::startup::StartError;
use integrity::Integrity;
use nix::sys::signalfd::SignalFd;
use rt_board::Watchdog;
use rt_config::Robot;
use rt_ring::{Read, RingReader, SlotWriter};
use rt_shm::operator::{OperatorReply, Refusal};
use rt_shm::{Mapping, OperatorServer, Pending, Rules, RunLock, SegmentServer, Segments};
use rt_wire::topics::{self, Topic};
use rt_wire::{
    EstopRequest, FaultSet, HEARTBEAT_SOURCES, Health, HealthFlags, Housekeeping,
    HousekeepingFlags, Limits, Mode, MonoNs, OperatorKind, OperatorRequest, Outcome, Raw, Record,
    Sign, Source, Telemetry,
};
use std::thread::JoinHandle;

/// How long one wait for the sockets may last.
const WAIT_MS: u16 = 10;
/// Time between two looks at the counters.
const LOOK_NS: u64 = 100_000_000;
/// Between two checks of the memory that must not change: with the look's own period, a second.
const CHECK_NS: u64 = 1_000_000_000 - LOOK_NS;
/// An operator hears "timeout" if the loop has not answered by then.
const ANSWER_WITHIN_NS: u64 = 1_000_000_000;
/// Attaches of one slot in the life of the process: each keeps a page mapped for the loop.
const ATTACHES_MAX: u32 = 1024;

/// What start-up found out.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Core and priority of the loop thread.
    pub granted: Granted,
    /// Whether memory is locked.
    pub memory_locked: bool,
    /// Whether `/dev/cpu_dma_latency` is held.
    pub dma_latency: bool,
    /// Whether the kernel ends the process at a system call that the loop thread may not make.
    pub filtered: bool,
    /// Whether all mapped memory was in memory before the first cycle.
    pub resident: bool,
    /// The loop thread's counters between seal and first cycle.
    pub before: Counters,
    /// The loop thread.
    pub tid: u32,
    /// This build.
    pub build_id: u64,
    /// When the board's neutral pulses were out.
    pub neutral_at: MonoNs,
}

/// The housekeeping thread's state.
pub struct Housekeeper {
    server: SegmentServer,
    operator: OperatorServer,
    link: Link,
    telemetry: RingReader<'static, Telemetry>,
    health: SlotWriter<'static, Health>,
    log: Forwarder,
    watchdog: Option<Box<dyn Watchdog>>,
    asked: Vec<Asked>,
    operator_sequence: u64,
    estop_sequence: u64,
    word: Housekeeping,
    limits: Limits,
    integrity: Integrity,
    check_at: MonoNs,
    shutdown: bool,
    fed_at_cycle: u64,
}

/// A request that the loop has not answered yet.
struct Asked {
    pending: Pending,
    sequence: u64,
    since: MonoNs,
}

/// What the attach server asks and tells; apart from the servers, so that both can be borrowed.
struct Link {
    outlets: Outlets,
    uids: Uids,
    last: Telemetry,
    attaches: [u32; 32],
}

struct Uids {
    robot: Robot,
    own: u32,
}

impl Rules for Link {
    fn uid_may_attach(&self, process: &str, uid: u32) -> bool {
        let file = self.uids.robot.file();
        // The operator's command reads only; whoever may arm may also look.
        let looks = process == topics::CONTINUON;
        let may_look = looks && (uid == 0 || file.operators.uids.contains(&uid));
        may_look || uid == file.uids.of(process).unwrap_or(self.uids.own)
    }

    fn may_swap(&self, topic: &'static Topic) -> bool {
        let owner = self.last.outcome.owner.get().unwrap_or(Source::None);
        let owns = topic.record == topics::COMMANDS[0].record && owner.name() == topic.writer;
        let count = place(topic).and_then(|place| self.attaches.get(place));
        !owns && count.is_some_and(|count| *count < ATTACHES_MAX)
    }

    fn install(&mut self, topic: &'static Topic, mapping: Mapping, _generation: u64) {
        let Some(count) = place(topic).and_then(|place| self.attaches.get_mut(place)) else {
            return;
        };
        *count += 1;
        let offer = Offer { topic, words: mapping.into_static(), generation: *count };
        if self.outlets.offer(offer).is_err() {
            say(format_args!("the loop takes no more attaches; {} is not read", topic.writer));
        }
    }

    fn detached(&mut self, process: &str) {
        say(format_args!("{process} detached"));
    }
}

fn place(topic: &Topic) -> Option<usize> {
    topics::all().position(|other| (other.writer, other.record) == (topic.writer, topic.record))
}

impl Housekeeper {
    /// Binds both sockets.
    ///
    /// # Errors
    /// Another loop serves the directory, or a socket cannot be had.
    pub fn open(
        robot: &Robot,
        segments: Segments,
        lock: &RunLock,
        outlets: Outlets,
        log: Forwarder,
        watchdog: Option<Box<dyn Watchdog>>,
    ) -> Result<Self, StartError> {
        let telemetry =
            RingReader::attach(segments.words(&topics::TELEMETRY)?, Telemetry::LAYOUT_HASH)?;
        let health = SlotWriter::create(
            segments.words(&topics::HEALTH)?,
            segments.identity(&topics::HEALTH),
        )?;
        let operator = OperatorServer::bind(lock, &robot.file().operators.uids)?;
        let limits = robot.limits();
        let integrity = Integrity::new(robot, &limits, &segments);
        let own = nix::unistd::geteuid().as_raw();
        Ok(Self {
            server: SegmentServer::bind(lock, segments)?,
            operator,
            link: Link {
                outlets,
                uids: Uids { robot: robot.clone(), own },
                last: Telemetry::default(),
                attaches: [0; 32],
            },
            telemetry,
            health,
            log,
            watchdog,
            asked: Vec::new(),
            operator_sequence: 0,
            estop_sequence: 0,
            word: Housekeeping::default(),
            limits,
            integrity,
            check_at: MonoNs(0),
            shutdown: false,
            fed_at_cycle: 0,
        })
    }

    /// Runs until the loop thread has ended; ends the process where a thread has left its last words.
    ///
    /// # Errors
    /// The system refuses to wait for signals or sockets.
    pub fn run(
        &mut self,
        facts: &Facts,
        signals: &SignalFd,
        gate: &Gate,
        loop_thread: &JoinHandle<()>,
        mut bus: Option<&mut BusThread>,
    ) -> Result<(), StartError> {
        let refused = |what, error: nix::Error| StartError::System { what, why: error.to_string() };
        let mut look_at = MonoNs(0);
        while gate.ended().is_none() && !loop_thread.is_finished() {
            last_words::obey();
            rt_shm::wait(&self.server, &self.operator, WAIT_MS)?;
            self.server.poll(0, &mut self.link)?;
            self.take_requests()?;
            if let Some(signal) =
                signals.read_signal().map_err(|error| refused("signals", error))?
            {
                say(format_args!("signal {}: controlled stop, then exit", signal.ssi_signo));
                self.shut_down(facts);
            }
            self.follow();
            self.log.forward();
            let now = clock::now();
            if now >= look_at {
                look_at = now.plus(LOOK_NS);
                self.check_memory(now);
                self.tell_loop(facts);
                self.feed_watchdog();
                for news in bus.iter_mut().flat_map(|bus| bus.news()) {
                    say(news);
                }
            }
        }
        Ok(())
    }

    /// Tells the loop to stop the car and to end.
    pub fn shut_down(&mut self, facts: &Facts) {
        self.shutdown = true;
        self.tell_loop(facts);
    }

    /// The last look at everything, after the loop thread has ended.
    pub fn close(&mut self, facts: &Facts, word: LastWord) -> Ended {
        self.follow();
        // Before the last word: whoever waits for it finds the whole log.
        self.log.forward();
        let counters = counted(facts);
        self.write_health(facts, counters, HealthFlags::ENDED);
        Ended { counters, cycles: word.cycles, safe: word.safe }
    }

    /// E-stops first and at once; everything else one a cycle.
    fn take_requests(&mut self) -> Result<(), StartError> {
        self.operator.poll(0)?;
        while let Some(pending) = self.operator.take() {
            let now = clock::now();
            let sequence = if pending.kind == OperatorKind::Estop {
                self.estop_sequence += 1;
                let request = EstopRequest {
                    sequence: self.estop_sequence,
                    mono_ns: now,
                    uid: pending.uid,
                    reserved: 0,
                };
                self.link.outlets.estop(&request);
                self.estop_sequence
            } else {
                self.operator_sequence += 1;
                let request = OperatorRequest {
                    sequence: self.operator_sequence,
                    mono_ns: now,
                    kind: Raw::new(pending.kind),
                    uid: pending.uid,
                };
                if self.link.outlets.request(request).is_err() {
                    self.answer(&pending, Refusal::Timeout);
                    continue;
                }
                self.operator_sequence
            };
            self.asked.push(Asked { pending, sequence, since: now });
        }
        Ok(())
    }

    /// Reads what the loop told since the last look, and answers who waits for it.
    fn follow(&mut self) {
        loop {
            match self.telemetry.read() {
                Read::Record { record, .. } => {
                    self.link.last = record;
                    self.answer_from(&record);
                }
                // Housekeeping wants the newest only: what it lost does not matter to it.
                Read::Lapped { .. } => {}
                Read::Empty | Read::Corrupt => break,
            }
        }
        let now = clock::now();
        let (late, waiting): (Vec<_>, Vec<_>) =
            self.asked.drain(..).partition(|asked| now.since(asked.since) > ANSWER_WITHIN_NS);
        self.asked = waiting;
        for asked in late {
            self.answer(&asked.pending, Refusal::Timeout);
        }
    }

    fn answer_from(&mut self, record: &Telemetry) {
        let inbox = &record.inbox;
        let (answered, waiting): (Vec<_>, Vec<_>) = self.asked.drain(..).partition(|asked| {
            if asked.pending.kind == OperatorKind::Estop {
                inbox.estop.sequence >= asked.sequence
            } else {
                inbox.operator.sequence >= asked.sequence
            }
        });
        self.asked = waiting;
        for asked in answered {
            let refusal = judge(asked.pending.kind, record);
            self.answer(&asked.pending, refusal);
        }
    }

    fn answer(&mut self, pending: &Pending, refusal: Refusal) {
        let outcome = &self.link.last.outcome;
        let reply = OperatorReply {
            accepted: refusal == Refusal::None,
            mode: outcome.mode,
            causes: causes(outcome),
            interlocks: outcome.interlocks,
            refusal,
        };
        self.operator.answer(pending.token, &reply);
    }

    /// Once a second: what nobody may change, and a sentence where somebody did.
    fn check_memory(&mut self, now: MonoNs) {
        if now >= self.check_at {
            self.check_at = now.plus(CHECK_NS);
            for news in self.integrity.check(&self.link.uids.robot, &self.limits) {
                say(news);
            }
        }
    }

    /// What only housekeeping knows, for the kernel; and the counters, for people.
    fn tell_loop(&mut self, facts: &Facts) {
        let counters = counted(facts);
        self.word = Housekeeping {
            sequence: self.word.sequence + 1,
            mono_ns: clock::now(),
            minor_faults: counters.minor_faults,
            major_faults: counters.major_faults,
            flags: HousekeepingFlags::SEALED
                .with(HousekeepingFlags::REALTIME, facts.granted.priority.is_some())
                .with(HousekeepingFlags::MEMORY_LOCKED, facts.memory_locked)
                .with(HousekeepingFlags::SHUTDOWN, self.shutdown)
                | self.integrity.found(),
            reserved: 0,
        };
        self.link.outlets.housekeeping(&self.word);
        self.write_health(facts, counters, HealthFlags::EMPTY);
    }

    fn write_health(&mut self, facts: &Facts, counters: Counters, more: HealthFlags) {
        let granted = &facts.granted;
        let flags = more
            .with(HealthFlags::FIFO, granted.priority.is_some())
            .with(HealthFlags::MEMORY_LOCKED, facts.memory_locked)
            .with(HealthFlags::SEALED, true)
            .with(HealthFlags::FILTERED, facts.filtered)
            .with(HealthFlags::PINNED, granted.cpu.is_some())
            .with(HealthFlags::DMA_LATENCY, facts.dma_latency)
            .with(HealthFlags::ISOLATED, granted.isolated)
            .with(HealthFlags::PREFAULTED, facts.resident);
        self.health.write(&Health {
            mono_ns: clock::now(),
            cycles: self.link.last.sequence,
            allocations: sealed_alloc::breaches(),
            minor_faults: counters.minor_faults,
            major_faults: counters.major_faults,
            voluntary_switches: counters.voluntary_switches,
            involuntary_switches: counters.involuntary_switches,
            resident_bytes: resident_bytes(),
            build_id: facts.build_id,
            neutral_at: facts.neutral_at,
            loop_tid: facts.tid,
            pid: std::process::id(),
            priority: granted.priority.map_or(0, u32::from),
            cpu: granted.cpu.unwrap_or(u32::MAX),
            flags,
            reserved: 0,
        });
    }

    /// Fed only while the cycle index advances and every required heartbeat is on time.
    fn feed_watchdog(&mut self) {
        let Some(watchdog) = &mut self.watchdog else {
            return;
        };
        let last = &self.link.last;
        let alive = (0..HEARTBEAT_SOURCES.len())
            .filter(|place| self.limits.heartbeats_required >> place & 1 != 0)
            .all(|place| last.outcome.signs[place].get() == Some(Sign::OnTime));
        if last.cycle_index > self.fed_at_cycle && alive {
            self.fed_at_cycle = last.cycle_index;
            if let Err(error) = watchdog.feed() {
                say(format_args!("watchdog: {error}"));
            }
        }
    }
}

/// The loop thread's counters since its seal.
fn counted(facts: &Facts) -> Counters {
    Counters::of_thread(facts.tid).unwrap_or(facts.before).since(facts.before)
}

/// What a person who asked is told: the causes of this cycle; where the mode itself is latched also
/// those that latched it, which may be gone. (What ended the last drive forbids no other.)
fn causes(outcome: &Outcome) -> FaultSet {
    match outcome.mode.get() {
        Some(Mode::EStopLatched | Mode::Fault) | None => outcome.causes | outcome.latched_causes,
        Some(_) => outcome.causes,
    }
}

/// Whether the cycle that took a request did what was asked.
fn judge(kind: OperatorKind, record: &Telemetry) -> Refusal {
    let outcome = &record.outcome;
    let done = match kind {
        OperatorKind::None | OperatorKind::Disarm => true,
        OperatorKind::Arm => outcome.mode == Raw::new(Mode::Arming),
        OperatorKind::Reset => outcome.mode == Raw::new(Mode::SelfTest),
        OperatorKind::Estop => {
            outcome.mode == Raw::new(Mode::EStopLatched) || outcome.mode == Raw::new(Mode::Fault)
        }
    };
    match (done, kind) {
        (true, _) => Refusal::None,
        (false, OperatorKind::Arm) => Refusal::Interlocked,
        (false, _) => Refusal::WrongMode,
    }
}

#[cfg(test)]
mod tests;
