//! The episodes of a run, one after the other: every record goes into exactly one, or into none
//! because none is due.
//!
//! *What it decides.* Which records an episode is made of: it begins with the last keyframe before
//! its first cycle; one that begins as the car is armed also holds the cycles since that keyframe, so
//! that the arming can be replayed. *What it must never do.* Wait for a file: while one is opened,
//! what comes stays in memory, at most 8 MiB, and after that in the ring.
//!
//! ```text
//! drain ─▶ Life: a turn here? ─▶ queue ─▶ the open episode
//!                                  └ while it is opened (`Keeper`), and no longer
//! ```
//!
//! Shown by: tests/episodes.rs; whole processes in the tests crate, module `episodes`.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rlds::request::RecordRequest;
use rlds::{About, Closing, Frame};
use rt_config::EpisodeBegins;
use rt_wire::{KernelState, LogFrame, MonoNs, Telemetry};
use tracing::{info, warn};

use crate::disk::LiveEpisode;
use crate::drain::Recorder;
use crate::keeper::{Keeper, Known, Tally, Wished};
use crate::life::{COMMAND, End, Facts, Life, LifeRules, START, Turn};
use crate::writer::{Progress, Session};

/// What may wait for a file that is opened; the ring holds four seconds more.
pub const WAITING_BYTES_MAX: usize = 8 << 20;
/// Records kept while nothing is recorded: two seconds at 1 kHz, and a keyframe comes each second.
const AHEAD_RECORDS_MAX: usize = 2048;
/// After a failure to begin, so long until the next try.
const TRY_AGAIN_NS: u64 = 1_000_000_000;
/// Number of the wish that the command line makes.
const OWN_WISH: u64 = 0;

/// The clocks: monotonic time, and ms since 1970 at that instant.
pub type Clocks = fn() -> (MonoNs, i64);

/// What a run is recorded as.
pub struct Recording {
    /// What the robot file says.
    pub rules: LifeRules,
    /// Everything about an episode but its time and why it began.
    pub about: About,
    /// What the command line wishes, for the whole run.
    pub wish: Option<RecordRequest>,
    /// The clocks.
    pub clocks: Clocks,
}

/// What can be lost.
#[derive(Clone, Copy)]
enum Ring {
    Telemetry,
    Keyframes,
    Log,
    Camera,
}

#[expect(clippy::large_enum_variant, reason = "no allocation a record; a queue keeps its memory")]
enum Item {
    Telemetry(u64, Telemetry),
    Keyframe(u64, KernelState),
    Log(u64, LogFrame),
    Frame(Frame),
    Lost(Ring, u64),
    Turn { ends: Option<End>, begins: Option<Next> },
}

/// An episode that is to begin.
struct Next {
    about: Box<About>,
    wish: Option<Arc<Wished>>,
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Frame(frame) => size_of::<Self>() + frame.jpeg.len(),
            _ => size_of::<Self>(),
        }
    }
}

enum Slot {
    Empty,
    Opening,
    Open(Box<LiveEpisode>),
}

/// Records the episodes of a run.
pub struct Episodes {
    life: Life,
    keeper: Keeper,
    recording: Recording,
    /// The wish of the episode that is written, behind the queue.
    written_wish: Option<Arc<Wished>>,
    /// Steps of that wish in the episodes before, where a cap or another driver cut it.
    wish_steps: u64,
    known: Known,
    slot: Slot,
    queue: VecDeque<Item>,
    queue_bytes: usize,
    /// While nothing is recorded: what came since the last keyframe.
    ahead: VecDeque<Item>,
    keyframe: Option<(u64, KernelState)>,
    /// What closed episodes add to the progress.
    base: Progress,
    unrecorded: u64,
    last_sequence: u64,
    failed_at: Option<MonoNs>,
    waiting_since: Option<MonoNs>,
    /// Of the episode that is written.
    bytes: u64,
}

impl Episodes {
    /// Before the first record. `keeper` opens and closes.
    #[must_use]
    pub fn new(recording: Recording, keeper: Keeper) -> Self {
        let known = keeper.known();
        Self {
            life: Life::new(recording.rules),
            keeper,
            recording,
            written_wish: None,
            wish_steps: 0,
            known,
            slot: Slot::Empty,
            queue: VecDeque::new(),
            queue_bytes: 0,
            ahead: VecDeque::new(),
            keyframe: None,
            base: Progress { is_whole: true, ..Progress::default() },
            unrecorded: 0,
            last_sequence: 0,
            failed_at: None,
            waiting_since: None,
            bytes: 0,
        }
    }

    /// Opens the first episode and waits for it, where one is due before the first record. Whoever
    /// starts a recorder hears at once that the disk is full; a drive that goes on waits for room.
    ///
    /// # Errors
    /// It cannot be opened, or there is no room for it.
    pub fn begin(mut self) -> io::Result<Self> {
        self.look_at_facts();
        let wish = self.known.wished.as_ref().map(|wished| wished.number);
        let is_due = wish.is_some() || self.recording.rules.begins == EpisodeBegins::Start;
        if is_due && !self.known.has_room {
            return Err(self.keeper.no_room());
        }
        if is_due {
            self.life = self.life.begun(wish);
            let next = self.next(if wish.is_some() { COMMAND } else { START });
            self.keeper.open(next.about);
            self.slot = Slot::Open(self.keeper.wait_opened()?);
            self.written_wish = next.wish;
        }
        Ok(self)
    }

    /// Whether there is room for an episode, as far as is known.
    #[must_use]
    pub fn has_room_on_disk(&self) -> bool {
        self.known.has_room
    }

    /// Whether a wish stands, as far as is known.
    #[must_use]
    pub fn is_wished(&self) -> bool {
        self.known.wished.is_some()
    }

    fn look_at_facts(&mut self) {
        self.known = self.keeper.known();
        if let Some(request) = &self.recording.wish {
            let own = Wished { number: OWN_WISH, request: request.clone() };
            self.known.wished = Some(Arc::new(own));
        }
    }

    /// The episode that `life` has just begun.
    fn next(&self, begun: &'static str) -> Next {
        let (start_mono_ns, start_unix_ms) = (self.recording.clocks)();
        let about = self.recording.about.clone();
        let mut about = About { start_mono_ns, start_unix_ms, begun: begun.to_owned(), ..about };
        let number = self.life.wish();
        let wish = self.known.wished.clone().filter(|wished| Some(wished.number) == number);
        if let Some(wished) = &wish {
            let request = &wished.request;
            about.task = request.task.clone().unwrap_or(about.task);
            about.xr_mode = request.xr_mode.or(about.xr_mode);
            about.control_role = request.control_role.or(about.control_role);
        }
        Next { about: Box::new(about), wish }
    }

    /// What a turn puts among the records.
    fn items_of(&mut self, turn: Turn) -> Vec<Item> {
        if let Some(end) = turn.ends {
            info!("the episode ends: {}", end.reason);
        }
        let begins = turn.begins.map(|begun| self.next(begun));
        let mut items = vec![Item::Turn { ends: turn.ends, begins }];
        if turn.begins.is_some() {
            items.extend(self.keyframe.map(|(sequence, state)| Item::Keyframe(sequence, state)));
            items.extend(self.ahead.drain(..));
        }
        items
    }

    fn turn(&mut self, turn: Turn) {
        for item in self.items_of(turn) {
            self.put(item);
        }
    }

    /// A record, or a turn, behind everything that waits.
    fn put(&mut self, item: Item) {
        if self.queue.is_empty() && !matches!(self.slot, Slot::Opening) {
            self.apply(item);
        } else {
            self.queue_bytes += item.bytes();
            self.queue.push_back(item);
        }
    }

    /// What may be, or may become, part of an episode.
    fn take(&mut self, item: Item) {
        if self.life.is_recording() {
            self.put(item);
        } else if self.life.is_refused() || self.life.is_over() {
            self.ahead.clear();
        } else {
            if self.ahead.len() >= AHEAD_RECORDS_MAX {
                self.ahead.pop_front();
            }
            self.ahead.push_back(item);
        }
    }

    fn apply(&mut self, item: Item) {
        let Slot::Open(episode) = &mut self.slot else {
            match item {
                Item::Turn { begins, .. } => self.begin_next(begins),
                // Its episode could not begin, or has as many steps as were wished.
                Item::Telemetry(..) if self.failed_at.is_some() => self.unrecorded += 1,
                _ => {}
            }
            return;
        };
        match item {
            Item::Telemetry(sequence, record) => {
                episode.telemetry(sequence, &record);
                let made = self.wish_steps.saturating_add(episode.steps_made());
                let steps_max = self.written_wish.as_ref().and_then(|wish| wish.request.max_steps);
                if steps_max.is_some_and(|steps_max| made >= steps_max) {
                    self.fulfil();
                }
            }
            Item::Keyframe(sequence, state) => episode.keyframe(sequence, &state),
            Item::Log(sequence, frame) => episode.log_frame(sequence, &frame),
            Item::Frame(frame) => episode.frame(&frame),
            Item::Lost(Ring::Telemetry, lost) => episode.telemetry_lapped(lost),
            Item::Lost(Ring::Keyframes, lost) => episode.keyframes_lapped(lost),
            Item::Lost(Ring::Log, lost) => episode.log_lapped(lost),
            Item::Lost(Ring::Camera, lost) => episode.frames_lost(lost),
            Item::Turn { ends, begins } => {
                let Slot::Open(episode) = std::mem::replace(&mut self.slot, Slot::Empty) else {
                    return;
                };
                self.wish_steps = self.wish_steps.saturating_add(episode.steps_made());
                // The next is opened first: it is what somebody waits for.
                self.begin_next(begins);
                let end = ends.unwrap_or(End { closing: Closing::Cut, reason: "" });
                self.close(episode, end.closing, end.reason);
            }
        }
    }

    fn begin_next(&mut self, next: Option<Next>) {
        let Some(next) = next else {
            return;
        };
        let number = |wish: &Option<Arc<Wished>>| wish.as_ref().map(|wish| wish.number);
        if number(&next.wish) != number(&self.written_wish) {
            self.wish_steps = 0;
        }
        self.keeper.open(next.about);
        self.written_wish = next.wish;
        self.slot = Slot::Opening;
        self.waiting_since = Some((self.recording.clocks)().0);
    }

    fn close(&mut self, episode: Box<LiveEpisode>, closing: Closing, reason: &str) {
        let progress = Session::progress(&*episode, MonoNs(0));
        self.base.lost_ring = self.base.lost_ring.saturating_add(progress.lost_ring);
        self.base.lost_disk = self.base.lost_disk.saturating_add(progress.lost_disk);
        self.base.stored = self.base.stored.saturating_add(progress.stored);
        self.keeper.close(episode, closing, reason);
    }

    /// The written episode has as many steps as were wished.
    fn fulfil(&mut self) {
        let Some(wish) = self.written_wish.take() else {
            return;
        };
        let is_own = wish.number == OWN_WISH;
        if !is_own {
            self.keeper.end_wish();
        }
        if self.life.wish() != Some(wish.number) {
            // It was withdrawn meanwhile, and its end waits in the queue.
            return;
        }
        // What was to go on with it, decided while a file was opened, does not.
        let goes_on = |item: &Item| match item {
            Item::Turn { begins: Some(next), .. } => {
                next.wish.as_ref().is_some_and(|next| next.number == wish.number)
            }
            _ => false,
        };
        self.queue.retain(|item| !goes_on(item));
        self.queue_bytes = self.queue.iter().map(Item::bytes).sum();
        let turn = if is_own { self.life.fulfil_all() } else { self.life.fulfil() };
        // What waits came after this record.
        for item in self.items_of(turn).into_iter().rev() {
            self.queue_bytes += item.bytes();
            self.queue.push_front(item);
        }
        self.settle();
    }

    /// What waits goes into its episode, as far as that is open and has room.
    fn settle(&mut self) {
        loop {
            self.look_at_opened();
            let has_room = match &self.slot {
                Slot::Opening => false,
                // Where nothing is kept any more, what comes is only counted.
                Slot::Open(episode) => episode.has_room() || !episode.standing().is_kept,
                Slot::Empty => true,
            };
            if !has_room {
                return;
            }
            let Some(item) = self.queue.pop_front() else {
                return;
            };
            self.queue_bytes = self.queue_bytes.saturating_sub(item.bytes());
            self.apply(item);
        }
    }

    fn look_at_opened(&mut self) {
        if matches!(self.slot, Slot::Opening)
            && let Some(opened) = self.keeper.opened()
        {
            self.take_opened(opened);
        }
    }

    fn take_opened(&mut self, opened: io::Result<Box<LiveEpisode>>) {
        self.waiting_since = None;
        match opened {
            Ok(episode) => {
                info!("recording into {}", episode.path().display());
                self.slot = Slot::Open(episode);
                self.failed_at = None;
            }
            Err(error) => {
                warn!("no episode: {error}");
                self.slot = Slot::Empty;
                self.failed_at = Some((self.recording.clocks)().0);
                if !self.queue.iter().any(|item| matches!(item, Item::Turn { .. })) {
                    self.life.not_begun();
                }
            }
        }
    }

    fn facts(&self) -> Facts {
        let now = || (self.recording.clocks)().0;
        let may_try = self.failed_at.is_none_or(|at| now().since(at) >= TRY_AGAIN_NS);
        Facts {
            has_room: self.known.has_room && (may_try || self.life.is_recording()),
            bytes: self.bytes,
            wish: self.known.wished.as_ref().map(|wished| wished.number),
        }
    }
}

impl Recorder for Episodes {
    fn has_room(&self) -> bool {
        match &self.slot {
            Slot::Open(episode) if self.queue.is_empty() => episode.has_room(),
            Slot::Open(_) | Slot::Opening | Slot::Empty => self.queue_bytes < WAITING_BYTES_MAX,
        }
    }

    fn telemetry(&mut self, sequence: u64, record: &Telemetry) {
        self.last_sequence = sequence;
        if let Some(turn) = self.life.before(record, &self.facts()) {
            self.turn(turn);
        }
        if self.life.is_refused() {
            self.unrecorded = self.unrecorded.saturating_add(1);
        }
        self.take(Item::Telemetry(sequence, *record));
    }

    fn keyframe(&mut self, sequence: u64, state: &KernelState) {
        self.keyframe = Some((sequence, *state));
        if !self.life.is_recording() {
            self.ahead.clear();
            return;
        }
        self.put(Item::Keyframe(sequence, *state));
        if let Some(turn) = self.life.after_keyframe() {
            self.turn(turn);
        }
    }

    fn log_frame(&mut self, sequence: u64, frame: &LogFrame) {
        self.take(Item::Log(sequence, *frame));
    }

    fn frame(&mut self, frame: &Frame) {
        self.take(Item::Frame(frame.clone()));
    }

    fn telemetry_lapped(&mut self, lost: u64) {
        if !self.life.is_recording() {
            self.base.lost_ring = self.base.lost_ring.saturating_add(lost);
            // What came before it does not lead up to anything any more.
            self.ahead.clear();
            return;
        }
        self.put(Item::Lost(Ring::Telemetry, lost));
    }

    fn keyframes_lapped(&mut self, lost: u64) {
        self.take(Item::Lost(Ring::Keyframes, lost));
    }

    fn log_lapped(&mut self, lost: u64) {
        self.take(Item::Lost(Ring::Log, lost));
    }

    fn frames_lost(&mut self, lost: u64) {
        self.take(Item::Lost(Ring::Camera, lost));
    }
}

impl Session for Episodes {
    type Ended = Tally;

    fn flush_if_due(&mut self, now: MonoNs) {
        self.look_at_facts();
        self.settle();
        if let Slot::Open(episode) = &mut self.slot {
            episode.flush_if_due(now);
            self.bytes = if self.queue.is_empty() { episode.standing().bytes } else { 0 };
        }
    }

    fn progress(&self, looked_at: MonoNs) -> Progress {
        let open = match &self.slot {
            Slot::Open(episode) => Session::progress(&**episode, looked_at),
            Slot::Empty | Slot::Opening => Progress { is_whole: true, ..Progress::default() },
        };
        let is_unable = self.life.is_refused() || !self.known.has_room;
        Progress {
            looked_at,
            last_sequence: self.last_sequence,
            lost_ring: self.base.lost_ring.saturating_add(open.lost_ring),
            lost_disk: self.base.lost_disk.saturating_add(open.lost_disk),
            is_whole: open.is_whole && !is_unable,
            waiting_since: open.waiting_since.or(self.waiting_since),
            stored: self.base.stored.saturating_add(open.stored),
            unrecorded: self.unrecorded,
            is_over: self.life.is_over(),
        }
    }

    fn end(mut self, closing: Closing, reason: &str) -> Tally {
        self.settle();
        while !self.queue.is_empty() || matches!(self.slot, Slot::Opening) {
            if matches!(self.slot, Slot::Opening) {
                let opened = self.keeper.wait_opened();
                self.take_opened(opened);
            } else {
                // An episode whose disk is far behind.
                std::thread::sleep(Duration::from_millis(5));
            }
            self.settle();
        }
        if let Slot::Open(episode) = std::mem::replace(&mut self.slot, Slot::Empty) {
            let is_clean = closing == Closing::Clean && reason.is_empty();
            let reason = if is_clean { self.life.last_word() } else { reason };
            self.close(episode, closing, reason);
        }
        Tally { unrecorded: self.unrecorded, ..self.keeper.end() }
    }
}
