//! `continuon top`: the topic table, live: who writes, how often, who reads, who lags, who lost.
//!
//! ```text
//! segment   writer's state   measured rate   depth   each reader with its lag and its losses
//! ```
//!
//! Only looks: a rate is how far a sequence moved between two looks, a reader's lag is what its own
//! heartbeat says it has read. Tests: below.

mod table;

use crate::cli::TopArgs;
use crate::exit::{Exit, Failure};
use crate::observe::watch::not_possible;
use crate::output::{print, print_line};
use crate::run_dir::{self, Running};
use crate::signals::EndRequests;
use rt_ring::{Newest, Read};
use rt_shm::{Client, MappedRingReader};
use rt_wire::topics::{self, Kind, Topic};
use rt_wire::{
    HEARTBEAT_SOURCES, Health, HealthFlags, Heartbeat, KernelState, LogFrame, MonoNs, Observation,
    PlantStatus, Record, SOURCES, SimPins, Telemetry,
};
use std::io::IsTerminal;
use std::thread::sleep;
use std::time::{Duration, Instant};
use table::{Look, Row, rows};

/// Between two looks, and so the time over which a rate is measured.
const REFRESH: Duration = Duration::from_millis(500);
/// Cursor home; what was there is overwritten, and the rest cleared.
const HOME: &str = "\x1b[H";
const CLEAR_TO_END: &str = "\x1b[J";
const CLEAR_LINE: &str = "\x1b[K";

/// Runs `continuon top`.
///
/// # Errors
/// No robot runs, or it does not let us read.
pub fn command(args: &TopArgs, json: bool) -> Result<Exit, Failure> {
    let mut ends = EndRequests::take()?;
    let running = run_dir::find(&args.which)?;
    let mut eyes = Eyes::open(&running)?;
    let refreshes = std::io::stdout().is_terminal() && !args.once && !json;
    let mut before = eyes.look();
    if refreshes {
        print("\x1b[2J")?;
    }
    loop {
        sleep(REFRESH);
        let now = eyes.look();
        let table = rows(&before, &now);
        if json {
            print_line(as_json(&running, &now, &table))?;
            return Ok(Exit::Ok);
        }
        let text = table::render(&running.robot, &now, &table);
        if !refreshes {
            print(&text)?;
            return Ok(Exit::Ok);
        }
        show(&text)?;
        if ends.asked() {
            print("\n")?;
            return Ok(Exit::Ok);
        }
        if !eyes.client.is_open() {
            return Err(Failure::no(format!("{}: the fast loop has ended", running.robot)));
        }
        before = now;
    }
}

fn show(text: &str) -> Result<(), Failure> {
    let frame = text.replace('\n', &format!("{CLEAR_LINE}\n"));
    print(&format!("{HOME}{frame}{CLEAR_TO_END}"))
}

fn as_json(running: &Running, now: &Look, table: &[Row]) -> serde_json::Value {
    serde_json::json!({
        "robot": running.robot,
        "run_dir": running.run_dir,
        "replay": now.is_replay,
        "mode": now.mode.map(rt_wire::Mode::name),
        "segments": table,
    })
}

/// What is open for looking.
struct Eyes {
    robot: String,
    client: Client,
    telemetry: MappedRingReader<Telemetry>,
    keyframe: MappedRingReader<KernelState>,
    log: MappedRingReader<LogFrame>,
    latest: Option<Telemetry>,
}

impl Eyes {
    fn open(running: &Running) -> Result<Self, Failure> {
        let mut client = Client::connect(&running.run_dir, &running.robot, topics::CONTINUON)
            .map_err(not_possible)?;
        let telemetry = client.ring_reader(&topics::TELEMETRY).map_err(not_possible)?;
        let keyframe = client.ring_reader_from_oldest(&topics::KEYFRAME).map_err(not_possible)?;
        let log = client.ring_reader_from_oldest(&topics::LOG).map_err(not_possible)?;
        Ok(Self { robot: running.robot.clone(), client, telemetry, keyframe, log, latest: None })
    }

    /// One look at everything. Slots are attached anew each time: a sidecar that was restarted
    /// writes other memory.
    fn look(&mut self) -> Look {
        while let Read::Record { record, .. } = self.telemetry.read() {
            self.latest = Some(record);
        }
        while let Read::Record { .. } | Read::Lapped { .. } = self.keyframe.read() {}
        while let Read::Record { .. } | Read::Lapped { .. } = self.log.read() {}
        let health = self.slot::<Health>(&topics::HEALTH);
        let plant = self.slot::<PlantStatus>(&topics::SIM_STATUS);
        let pins = self.slot::<SimPins>(&topics::SIM_PINS);
        let observation = self.slot::<Observation>(&topics::SIM_OBSERVATION);
        let heartbeats: [Option<(u64, Heartbeat)>; HEARTBEAT_SOURCES.len()] =
            topics::HEARTBEATS.each_ref().map(|topic| self.slot(topic));
        let inbox = self.latest.map(|record| record.inbox);
        let commands: [Option<u64>; SOURCES.len()] =
            std::array::from_fn(|place| inbox.map(|inbox| inbox.commands[place].slot_sequence));
        let sequence = |topic: &Topic| -> Option<u64> {
            match (topic.writer, topic.record) {
                (topics::FAST_LOOP, "telemetry") => Some(self.telemetry.next_sequence() - 1),
                (topics::FAST_LOOP, "kernel-state") => Some(self.keyframe.next_sequence() - 1),
                (topics::FAST_LOOP, "log") => Some(self.log.next_sequence() - 1),
                (topics::FAST_LOOP, "health") => health.map(|(sequence, _)| sequence),
                (topics::PLANT, "status") => plant.map(|(sequence, _)| sequence),
                (writer, "command") => SOURCES
                    .iter()
                    .position(|source| source.name() == writer)
                    .and_then(|place| commands[place]),
                (writer, "heartbeat") => {
                    let place = HEARTBEAT_SOURCES.iter().position(|source| *source == writer)?;
                    heartbeats[place].map(|(sequence, _)| sequence)
                }
                (topics::FAST_LOOP, "pins") => pins.map(|(sequence, _)| sequence),
                (topics::PLANT, "observation") => observation.map(|(sequence, _)| sequence),
                (_, _) => None,
            }
        };
        let topics = topics::all().filter(|topic| !topic.sim_only || plant.is_some());
        Look {
            at: Instant::now(),
            mono_ns: self.latest.map_or(MonoNs(0), |record| record.mono_ns),
            mode: self.latest.and_then(|record| record.outcome.mode.get()),
            newest_telemetry: self.telemetry.next_sequence() - 1,
            loop_pid: health.map(|(_, health)| health.pid),
            is_replay: health.is_some_and(|(_, health)| health.flags.has(HealthFlags::REPLAYED)),
            signs: self.latest.map(|record| record.outcome.signs),
            heartbeats: heartbeats.map(|slot| slot.map(|(_, heartbeat)| heartbeat)),
            segments: topics.map(|topic| (topic, self.name(topic), sequence(topic))).collect(),
        }
    }

    fn slot<T: Record + rt_ring::Record>(&mut self, topic: &Topic) -> Option<(u64, T)> {
        match self.client.slot_reader::<T>(topic).ok()?.read() {
            Newest::New { sequence, record } => Some((sequence, record)),
            Newest::Unchanged | Newest::Torn | Newest::Corrupt | Newest::Never => None,
        }
    }

    fn name(&self, topic: &Topic) -> String {
        let mut name = String::new();
        // Writing to a String does not fail.
        topic.write_name(&self.robot, &mut name).ok();
        name
    }
}

/// As in the segment's name.
fn kind_name(topic: &Topic) -> &'static str {
    match topic.kind {
        Kind::Ring => "ring",
        Kind::Slot => "slot",
    }
}
