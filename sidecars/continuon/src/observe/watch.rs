//! Our own reader of a running robot: attaches like any sidecar, polls, and keeps what it saw.
//!
//! A thread of its own, because the ring holds only seconds and asking the operator socket may take
//! as long. It only ever reads. A mapping outlives the process that made it, so that the last
//! records before a death are seen too.

use crate::exit::Failure;
use crate::observe::trace::Trace;
use rt_ring::{Newest, Read};
use rt_shm::{Client, MappedRingReader, MappedSlotReader};
use rt_wire::topics::{self, Topic};
use rt_wire::{HEARTBEAT_SOURCES, Health, Heartbeat, MonoNs, PlantStatus, Record, Telemetry};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often we look: a 4 kHz loop fills a ring of 4096 records in a second.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often we ask for a segment that its writer has not brought yet.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// A slower car stands.
pub const STANDING_M_PER_S: f64 = 0.05;

/// What has been seen so far.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Made of the telemetry ring.
    pub trace: Trace,
    /// The simulated car's newest word.
    pub plant: Option<PlantStatus>,
    /// First time after it last left Active that the car was seen to stand.
    pub stood_at: Option<MonoNs>,
    /// Times that a wheel left the track while the loop was Active, as far as our looks tell: what
    /// begins in the last 20 ms may count as after it.
    pub off_track_count_active: u32,
    /// Times in all, at our last look.
    pub off_track_count_seen: u32,
    /// The loop thread's counters.
    pub health: Option<Health>,
    /// In the order of [`HEARTBEAT_SOURCES`].
    pub heartbeats: [Option<Heartbeat>; HEARTBEAT_SOURCES.len()],
    /// What was wrong with a segment; told once.
    pub trouble: Option<String>,
}

/// The running reader.
#[derive(Debug)]
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Attaches to the robot that is served in `run_dir`.
    ///
    /// # Errors
    /// Nobody serves there, or serves another robot or another build.
    pub fn start(run_dir: &Path, robot: &str, period_ns: u64) -> Result<Self, Failure> {
        let mut client =
            Client::connect(run_dir, robot, topics::CONTINUON).map_err(not_possible)?;
        let telemetry = client
            .ring_reader_from_oldest::<Telemetry>(&topics::TELEMETRY)
            .map_err(not_possible)?;
        let seen = Arc::new(Mutex::new(Seen {
            trace: Trace::new(period_ns),
            plant: None,
            stood_at: None,
            off_track_count_active: 0,
            off_track_count_seen: 0,
            health: None,
            heartbeats: [None; HEARTBEAT_SOURCES.len()],
            trouble: None,
        }));
        let end = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            client,
            telemetry,
            plant: Lazy::new(&topics::SIM_STATUS),
            health: Lazy::new(&topics::HEALTH),
            heartbeats: topics::HEARTBEATS.each_ref().map(Lazy::new),
        };
        let (seen_too, end_too) = (Arc::clone(&seen), Arc::clone(&end));
        let thread = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || reader.run(&seen_too, &end_too))
            .map_err(|error| Failure::not_possible(format!("cannot start a thread: {error}")))?;
        Ok(Self { seen, end, thread: Some(thread) })
    }

    /// What has been seen; keep it only for a moment.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Reads what is still there, and ends.
    pub fn finish(&mut self) {
        // ORDER: pairs with Reader::run; the thread is joined, so that all it wrote is seen.
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic of the reader has printed itself; what was seen before it still stands.
            drop(thread.join());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.finish();
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A segment that cannot be had, in the words of rt-shm.
pub fn not_possible(error: rt_shm::ShmError) -> Failure {
    Failure::not_possible(error.to_string())
}

struct Reader {
    client: Client,
    telemetry: MappedRingReader<Telemetry>,
    plant: Lazy<PlantStatus>,
    health: Lazy<Health>,
    heartbeats: [Lazy<Heartbeat>; HEARTBEAT_SOURCES.len()],
}

impl Reader {
    fn run(mut self, seen: &Mutex<Seen>, end: &AtomicBool) {
        let mut asked_at = None::<Instant>;
        loop {
            // ORDER: pairs with Watch::finish; the last look comes after the wish to end.
            let last_look = end.load(Ordering::Acquire);
            if asked_at.is_none_or(|at| at.elapsed() >= ASK_EVERY) {
                self.attach();
                asked_at = Some(Instant::now());
            }
            self.look(&mut lock(seen));
            if last_look {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    fn attach(&mut self) {
        self.plant.attach(&mut self.client);
        self.health.attach(&mut self.client);
        for heartbeat in &mut self.heartbeats {
            heartbeat.attach(&mut self.client);
        }
    }

    fn look(&mut self, seen: &mut Seen) {
        loop {
            match self.telemetry.read() {
                Read::Record { record, .. } => seen.trace.add(&record),
                Read::Lapped { lost } => seen.trace.lost += lost,
                Read::Empty => break,
                Read::Corrupt => {
                    let words =
                        "the telemetry ring is corrupt: something wrote where only the loop may";
                    seen.trouble.get_or_insert_with(|| words.to_owned());
                    break;
                }
            }
        }
        self.health.newest(&mut seen.health);
        for (heartbeat, place) in self.heartbeats.iter_mut().zip(&mut seen.heartbeats) {
            heartbeat.newest(place);
        }
        self.plant.newest(&mut seen.plant);
        seen.follow_plant();
    }
}

impl Seen {
    /// What the plant's newest word means, now that telemetry up to the same moment is read.
    fn follow_plant(&mut self) {
        let Some(plant) = &self.plant else { return };
        let left_at = self.trace.departure.map(|departure| departure.change.at);
        let since_last_look = plant.off_track_count.saturating_sub(self.off_track_count_seen);
        self.off_track_count_seen = plant.off_track_count;
        if left_at.is_none_or(|left_at| plant.mono_ns < left_at) {
            self.off_track_count_active += since_last_look;
            self.stood_at = None;
        } else if self.stood_at.is_none() && plant.speed_m_per_s.abs() < STANDING_M_PER_S {
            self.stood_at = Some(plant.mono_ns);
        }
    }
}

/// A slot whose writer may come later. One that comes back with new memory is not followed: no
/// process of a run does.
struct Lazy<T> {
    topic: &'static Topic,
    reader: Option<MappedSlotReader<T>>,
}

impl<T: Record + rt_ring::Record> Lazy<T> {
    fn new(topic: &'static Topic) -> Self {
        Self { topic, reader: None }
    }

    fn attach(&mut self, client: &mut Client) {
        if self.reader.is_none() {
            // Nobody writes it yet, or the loop has ended: asked again, or never needed.
            self.reader = client.slot_reader::<T>(self.topic).ok();
        }
    }

    fn newest(&mut self, place: &mut Option<T>) {
        if let Some(Newest::New { record, .. }) = self.reader.as_mut().map(MappedSlotReader::read) {
            *place = Some(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Seen, Trace};
    use rt_wire::{HEARTBEAT_SOURCES, Mode, MonoNs, PlantStatus, Telemetry};

    const MS: u64 = 1_000_000;

    fn change(at_ms: u64, from: Mode, to: Mode) -> Telemetry {
        let mut record = Telemetry { mono_ns: MonoNs(at_ms * MS), ..Telemetry::default() };
        record.outcome.previous_mode = from.into();
        record.outcome.mode = to.into();
        record
    }

    #[test]
    fn excursions_count_until_active_ends_and_standing_counts_from_there() {
        let mut seen = Seen {
            trace: Trace::new(MS),
            plant: None,
            stood_at: None,
            off_track_count_active: 0,
            off_track_count_seen: 0,
            health: None,
            heartbeats: [None; HEARTBEAT_SOURCES.len()],
            trouble: None,
        };
        let see = |seen: &mut Seen, at_ms: u64, speed_m_per_s, off_track_count| {
            let mono_ns = MonoNs(at_ms * MS);
            let status =
                PlantStatus { mono_ns, speed_m_per_s, off_track_count, ..PlantStatus::default() };
            seen.plant = Some(status);
            seen.follow_plant();
        };
        seen.trace.add(&change(100, Mode::Arming, Mode::Active));
        see(&mut seen, 110, 0.0, 0);
        assert_eq!(seen.stood_at, None, "it has not driven off yet");
        see(&mut seen, 500, 2.0, 1);
        seen.trace.add(&change(1000, Mode::Active, Mode::SafeStop));
        see(&mut seen, 990, 2.0, 2);
        see(&mut seen, 1010, 1.5, 3);
        see(&mut seen, 1800, 0.0, 3);
        see(&mut seen, 1900, 0.0, 3);
        assert_eq!(seen.off_track_count_active, 2);
        assert_eq!(seen.stood_at, Some(MonoNs(1800 * MS)));

        // Armed again: what rolled off meanwhile is not the new drive's.
        seen.trace.add(&change(3000, Mode::Arming, Mode::Active));
        see(&mut seen, 3010, 1.0, 3);
        assert_eq!((seen.off_track_count_active, seen.stood_at), (2, None));
        see(&mut seen, 3500, 1.0, 4);
        seen.trace.add(&change(4000, Mode::Active, Mode::SafeStop));
        see(&mut seen, 4500, 0.0, 4);
        assert_eq!(seen.off_track_count_active, 3);
        assert_eq!(seen.stood_at, Some(MonoNs(4500 * MS)));
    }
}
