//! When an episode begins and when it ends.
//!
//! *What it decides.* The boundary, to the record: which is the first of the next episode and which
//! the last of the one before. A cap waits for the next keyframe, so that what begins there can be
//! replayed from its first cycle; another driver, a person and a full disk do not wait. *What it must
//! never do.* Read a clock or look at a disk: time and facts come in.
//!
//! ```text
//! start   ├─────────────────────────────────────────────────────────▶ every cycle is in an episode
//! arm        Arming ├──── Active, SafeStop ────┤ Disarmed, e-stop, Fault: 1 s more ┤
//! wish    from the record at which it stands to the one at which it does not, or its last step
//! ```
//!
//! Shown by: tests/life.rs, and whole processes in the tests crate, module `episodes`.

use rlds::Closing;
use rt_config::{EpisodeBegins, RldsLogger};
use rt_wire::{Mode, MonoNs, Raw, Source, Telemetry};

/// The recorder began.
pub const START: &str = "start";
/// The car was armed.
pub const ARM: &str = "arm";
/// A person wished it; as a reason, the wish ended.
pub const COMMAND: &str = "command";
/// The wish of a person ended.
pub const AFTER_COMMAND: &str = "after_command";
/// So many steps as were wished.
pub const MAX_STEPS: &str = "max_steps";
/// Somebody else drives.
pub const AUTHORITY: &str = "authority";
/// Keys of the robot file.
pub const MAX_S: &str = "episode_max_s";
/// As above.
pub const MAX_MB: &str = "episode_max_mb";
/// As a beginning: it could not begin before, because the disk refused.
pub const DISK: &str = "disk";
/// A key as well: there is no room, or there is again.
pub const FREE_MIN: &str = "free_min_mb";

/// What is recorded after the car is no longer armed.
const TAIL_NS: u64 = 1_000_000_000;
/// A cap waits for a keyframe no longer than this: there is one each second.
const KEYFRAME_WITHIN_NS: u64 = 2_000_000_000;

/// What the robot file says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeRules {
    /// When an episode begins.
    pub begins: EpisodeBegins,
    /// How long it lasts at most.
    pub max_ns: Option<u64>,
    /// How large it becomes at most.
    pub max_bytes: Option<u64>,
    /// Whether it ends when somebody else drives.
    pub on_authority: bool,
}

impl LifeRules {
    /// Of a robot.
    #[must_use]
    pub fn of(block: &RldsLogger) -> Self {
        let cap = |cap: Option<u32>, unit: u64| {
            cap.filter(|cap| *cap > 0).map(u64::from).map(|cap| cap * unit)
        };
        Self {
            begins: block.episode_begins,
            max_ns: cap(block.episode_max_s, 1_000_000_000),
            max_bytes: cap(block.episode_max_mb, 1_000_000),
            on_authority: block.new_episode_on_authority,
        }
    }
}

/// What is known when a record comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the disk has room for an episode.
    pub has_room: bool,
    /// Bytes of the episode that is being written.
    pub bytes: u64,
    /// Number of the wish that stands.
    pub wish: Option<u64>,
}

/// How an episode ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// In what way.
    pub closing: Closing,
    /// Why, in a word.
    pub reason: &'static str,
}

/// Between two records: the episode ends, another begins, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How the one that is open ends.
    pub ends: Option<End>,
    /// Why the next begins, if one does.
    pub begins: Option<&'static str>,
}

impl Turn {
    fn begin(word: &'static str) -> Self {
        Self { ends: None, begins: Some(word) }
    }

    fn cut(reason: &'static str, begins: Option<&'static str>) -> Self {
        Self { ends: Some(End { closing: Closing::Cut, reason }), begins }
    }

    fn clean(reason: &'static str, begins: Option<&'static str>) -> Self {
        Self { ends: Some(End { closing: Closing::Clean, reason }), begins }
    }
}

/// An episode that is being recorded.
#[derive(Clone, Copy, Debug, Default)]
struct Recording {
    begun_at: Option<MonoNs>,
    /// Who has driven in it.
    driver: Option<Source>,
    /// Since when, and how, the car is no longer armed.
    tail: Option<(MonoNs, &'static str)>,
    /// A cap that is reached, and since when.
    due: Option<(&'static str, MonoNs)>,
}

/// Follows the records of a run.
#[derive(Clone, Debug)]
pub struct Life {
    rules: LifeRules,
    recording: Option<Recording>,
    /// The wish that the episode follows.
    wish: Option<u64>,
    /// The last wish that was fulfilled.
    fulfilled: Option<u64>,
    /// An episode should be open and could not begin, and why, in a word.
    refused: Option<&'static str>,
    /// Nothing more is to be recorded.
    is_over: bool,
    is_armed: bool,
}

impl Life {
    /// Before the first record.
    #[must_use]
    pub fn new(rules: LifeRules) -> Self {
        Self {
            rules,
            recording: None,
            wish: None,
            fulfilled: None,
            refused: None,
            is_over: false,
            is_armed: false,
        }
    }

    /// The first episode is open before the first record, and follows this wish.
    #[must_use]
    pub fn begun(mut self, wish: Option<u64>) -> Self {
        self.recording = Some(Recording::default());
        self.wish = wish;
        self
    }

    /// Whether the record belongs to an episode.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Whether it should, and there is none.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// Whether everything that was asked for is recorded.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The wish that the episode follows.
    #[must_use]
    pub fn wish(&self) -> Option<u64> {
        self.wish
    }

    /// What lies between the record before and this one.
    pub fn before(&mut self, record: &Telemetry, facts: &Facts) -> Option<Turn> {
        let mode = record.outcome.mode;
        self.is_armed = is_armed(mode);
        let wish = facts.wish.filter(|wish| Some(*wish) != self.fulfilled);
        let turn = match self.recording {
            None => self.beginning(facts, wish),
            Some(recording) => self.turning(recording, record, facts, wish),
        };
        if let Some(turn) = turn {
            self.take(turn, wish);
        }
        if let Some(recording) = &mut self.recording {
            recording.see(record, facts, &self.rules, wish.is_some());
        }
        turn
    }

    /// What lies behind a keyframe of `at`: a cap that is reached waits for it.
    pub fn after_keyframe(&mut self) -> Option<Turn> {
        let (reason, _) = self.recording?.due?;
        let turn = Turn::cut(reason, Some(reason));
        self.take(turn, self.wish);
        Some(turn)
    }

    /// The wish is fulfilled, with the record that has just come.
    pub fn fulfil(&mut self) -> Turn {
        self.fulfilled = self.wish;
        let turn = Turn::cut(MAX_STEPS, self.ordinary(AFTER_COMMAND));
        self.take(turn, None);
        turn
    }

    /// As [`fulfil`](Self::fulfil), and nothing more is wanted.
    pub fn fulfil_all(&mut self) -> Turn {
        self.is_over = true;
        self.fulfil()
    }

    /// The episode could not begin.
    pub fn not_begun(&mut self) {
        self.recording = None;
        self.refused = Some(DISK);
    }

    /// How the episode ends where the recorder does, unless something was wrong.
    #[must_use]
    pub fn last_word(&self) -> &'static str {
        self.recording.and_then(|recording| recording.tail).map_or("", |(_, word)| word)
    }

    fn take(&mut self, turn: Turn, wish: Option<u64>) {
        self.recording = turn.begins.map(|_| Recording::default());
        self.wish = wish.filter(|_| turn.begins.is_some());
        let has_no_room =
            turn.begins.is_none() && turn.ends.is_some_and(|end| end.reason == FREE_MIN);
        self.refused = self.due_word(wish).filter(|_| has_no_room).map(|_| FREE_MIN);
    }

    /// Why an episode should be open now, if one should.
    fn due_word(&self, wish: Option<u64>) -> Option<&'static str> {
        if self.is_over {
            return None;
        }
        match (wish, self.rules.begins) {
            (Some(_), _) => Some(COMMAND),
            (None, EpisodeBegins::Start) => Some(START),
            (None, EpisodeBegins::Arm) => self.is_armed.then_some(ARM),
        }
    }

    fn beginning(&mut self, facts: &Facts, wish: Option<u64>) -> Option<Turn> {
        let word = self.due_word(wish);
        if word.is_none() || !facts.has_room {
            self.refused = word.map(|_| self.refused.unwrap_or(FREE_MIN));
            return None;
        }
        self.refused.or(word).map(Turn::begin)
    }

    /// What is recorded when no wish stands any more.
    fn ordinary(&self, begun: &'static str) -> Option<&'static str> {
        self.due_word(None).map(|word| if word == START { begun } else { word })
    }

    fn turning(
        &self,
        recording: Recording,
        record: &Telemetry,
        facts: &Facts,
        wish: Option<u64>,
    ) -> Option<Turn> {
        if !facts.has_room {
            return Some(Turn::cut(FREE_MIN, None));
        }
        if wish != self.wish {
            let begins = if wish.is_some() { Some(COMMAND) } else { self.ordinary(AFTER_COMMAND) };
            return Some(Turn::cut(COMMAND, begins));
        }
        let at = record.mono_ns;
        if let Some((since, word)) = recording.tail {
            if self.is_armed {
                return Some(Turn::clean(word, Some(ARM)));
            }
            if at.since(since) >= TAIL_NS {
                return Some(Turn::clean(word, None));
            }
        }
        let driver = driver(record.outcome.owner);
        if self.rules.on_authority
            && let Some((before, now)) = recording.driver.zip(driver)
            && before != now
        {
            return Some(Turn::cut(AUTHORITY, Some(AUTHORITY)));
        }
        let (reason, since) = recording.due?;
        (at.since(since) >= KEYFRAME_WITHIN_NS).then(|| Turn::cut(reason, Some(reason)))
    }
}

impl Recording {
    fn see(&mut self, record: &Telemetry, facts: &Facts, rules: &LifeRules, is_wished: bool) {
        let at = record.mono_ns;
        let begun_at = *self.begun_at.get_or_insert(at);
        self.driver = driver(record.outcome.owner).or(self.driver);
        let ends_with_arming = rules.begins == EpisodeBegins::Arm && !is_wished;
        if ends_with_arming && self.tail.is_none() && !is_armed(record.outcome.mode) {
            self.tail = Some((at, end_of(record.outcome.mode)));
        }
        if self.due.is_none() && self.tail.is_none() {
            let is_long = rules.max_ns.is_some_and(|max_ns| at.since(begun_at) >= max_ns);
            let is_large = rules.max_bytes.is_some_and(|max_bytes| facts.bytes >= max_bytes);
            self.due = match (is_long, is_large) {
                (true, _) => Some((MAX_S, at)),
                (false, true) => Some((MAX_MB, at)),
                (false, false) => None,
            };
        }
    }
}

/// Arming until SafeStop is over: the car may move.
fn is_armed(mode: Raw<Mode>) -> bool {
    matches!(mode.get(), Some(Mode::Arming | Mode::Active | Mode::SafeStop))
}

/// Why a car is no longer armed.
fn end_of(mode: Raw<Mode>) -> &'static str {
    match mode.get() {
        Some(Mode::EStopLatched) => "estop",
        Some(Mode::Fault) => "fault",
        Some(
            Mode::Boot
            | Mode::SelfTest
            | Mode::Disarmed
            | Mode::Arming
            | Mode::Active
            | Mode::SafeStop,
        )
        | None => "disarmed",
    }
}

/// Who drives; nobody is no other driver.
fn driver(owner: Raw<Source>) -> Option<Source> {
    owner.get().filter(|source| *source != Source::None)
}
