//! The `log-keeper` thread: opens the next episode and closes the last one, while the rings are read
//! on; watches the room on the disk and what a person wishes.
//!
//! *What it decides.* Whether there is room for an episode: below `free_min_mb` there is none, and not
//! before 64 MB more are free is there again, so that episodes do not come and go. *What it must never
//! do.* Be waited for: whoever reads the rings keeps what comes meanwhile.
//!
//! ```text
//! log-writer ── open, close ─▶ log-keeper ── the opened episode ─▶ log-writer
//!                                   └── room, wish ─▶ read at each record
//! ```
//!
//! Shown by: tests/episodes.rs.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;
use rlds::request::{self, RecordRequest, Wish};
use rlds::{About, Closing, Summary};
use tracing::{info, warn};

use crate::disk::LiveEpisode;
use crate::rotate::{RotationRules, rotate_and_tell};

/// How often room and wishes are looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// Free beyond `free_min_mb` before an episode begins again.
const MORE_BYTES: u64 = 64_000_000;

/// What a keeper does its work with.
pub struct Means {
    /// Where the episodes are.
    pub episodes_dir: PathBuf,
    /// Opens an episode there.
    pub open: Box<dyn FnMut(About) -> io::Result<LiveEpisode> + Send>,
    /// Bytes that are free there.
    pub free_bytes: Box<dyn FnMut() -> io::Result<u64> + Send>,
    /// Below this no episode begins, and one that is open is closed; 0: no guard.
    pub free_min_bytes: u64,
    /// What may stay.
    pub rotation: RotationRules,
    /// Wall clock, in ms since 1970.
    pub unix_ms: fn() -> i64,
    /// Hears of each closed episode.
    pub told: Box<dyn FnMut(&Summary) + Send>,
}

/// A wish that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wished {
    pub(crate) number: u64,
    pub(crate) request: RecordRequest,
}

/// What both threads know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) has_room: bool,
    pub(crate) wished: Option<Arc<Wished>>,
}

/// What the episodes of a run came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Episodes that were closed.
    pub closed: u64,
    /// The last of them.
    pub last: Option<Summary>,
    /// The last that the disk cut short.
    pub disk_failed: Option<Summary>,
    /// Records that are in no episode, although they should be.
    pub unrecorded: u64,
}

enum Job {
    Open(Box<About>),
    Close(Box<LiveEpisode>, Closing, String),
    /// The wish is fulfilled.
    EndWish,
}

/// The thread, from outside.
pub struct Keeper {
    jobs: Sender<Job>,
    opened: Receiver<io::Result<Box<LiveEpisode>>>,
    known: Arc<Mutex<Known>>,
    thread: JoinHandle<Tally>,
    /// What is said where an episode is due at once and the disk has no room.
    no_room: String,
}

impl Keeper {
    /// Starts it; it has looked at the disk when this returns.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(means: Means) -> io::Result<Self> {
        let (jobs, todo) = mpsc::channel();
        let (opened_to, opened) = mpsc::channel();
        let no_room = format!(
            "less than {} MB (rlds_logger.free_min_mb) are free in {}: make room",
            means.free_min_bytes / 1_000_000,
            means.episodes_dir.display()
        );
        let known = Arc::new(Mutex::new(Known { has_room: true, wished: None }));
        let mut work = Work {
            means,
            opened_to,
            known: Arc::clone(&known),
            wish: None,
            wishes: 0,
            refused: String::new(),
            rotation: None,
            tally: Tally::default(),
        };
        work.look();
        let named = thread::Builder::new().name("log-keeper".to_owned());
        let thread = named.spawn(move || work.until_gone(&todo))?;
        Ok(Self { jobs, opened, known, thread, no_room })
    }

    pub(crate) fn known(&self) -> Known {
        lock(&self.known).clone()
    }

    /// Why nothing can be recorded now.
    pub(crate) fn no_room(&self) -> io::Error {
        io::Error::new(io::ErrorKind::StorageFull, self.no_room.clone())
    }

    pub(crate) fn open(&self, about: Box<About>) {
        self.tell(Job::Open(about));
    }

    pub(crate) fn close(&self, episode: Box<LiveEpisode>, closing: Closing, reason: &str) {
        self.tell(Job::Close(episode, closing, reason.to_owned()));
    }

    pub(crate) fn end_wish(&self) {
        self.tell(Job::EndWish);
    }

    /// The episode that was asked for, once it is there.
    pub(crate) fn opened(&self) -> Option<io::Result<Box<LiveEpisode>>> {
        match self.opened.try_recv() {
            Ok(opened) => Some(opened),
            Err(mpsc::TryRecvError::Empty) => None,
            Err(mpsc::TryRecvError::Disconnected) => Some(Err(died())),
        }
    }

    /// Waits for the episode that was asked for.
    pub(crate) fn wait_opened(&self) -> io::Result<Box<LiveEpisode>> {
        self.opened.recv().unwrap_or_else(|_died| Err(died()))
    }

    /// Ends it, once everything is closed that was to be.
    pub(crate) fn end(self) -> Tally {
        drop(self.jobs);
        self.thread.join().unwrap_or_default()
    }

    fn tell(&self, job: Job) {
        if self.jobs.send(job).is_err() {
            // What was to be opened is told as not opened; what was to be closed a check will close.
            warn!("the log-keeper thread died");
        }
    }
}

fn died() -> io::Error {
    io::Error::other("the log-keeper thread died")
}

fn lock(known: &Mutex<Known>) -> std::sync::MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that are free for us where `folder` is, or will be.
///
/// # Errors
/// What the file system says.
pub(crate) fn free_bytes(folder: &std::path::Path) -> io::Result<u64> {
    let there = folder.ancestors().find(|part| part.exists());
    let there = there.unwrap_or_else(|| std::path::Path::new("."));
    let found = statvfs(there)?;
    Ok(found.blocks_available().saturating_mul(found.fragment_size()))
}

/// The thread, from inside.
struct Work {
    means: Means,
    opened_to: Sender<io::Result<Box<LiveEpisode>>>,
    known: Arc<Mutex<Known>>,
    /// The wish that stands, by its file.
    wish: Option<String>,
    wishes: u64,
    /// What was said last of a wish that cannot be read.
    refused: String,
    rotation: Option<JoinHandle<()>>,
    tally: Tally,
}

impl Work {
    fn until_gone(mut self, todo: &Receiver<Job>) -> Tally {
        let mut looked_at = Instant::now();
        loop {
            match todo.recv_timeout(LOOK_PERIOD) {
                Ok(Job::Open(about)) => {
                    let opened = (self.means.open)(*about).map(Box::new);
                    if self.opened_to.send(opened).is_err() {
                        // Whoever asked is gone: the next start closes it.
                        return self.tally;
                    }
                }
                Ok(Job::Close(episode, closing, reason)) => {
                    self.closed(episode.finish(closing, &reason));
                }
                Ok(Job::EndWish) => {
                    if let Err(error) = request::end(&self.means.episodes_dir) {
                        warn!("{}: {error}", request::REQUEST);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.tally,
            }
            if looked_at.elapsed() >= LOOK_PERIOD {
                self.look();
                looked_at = Instant::now();
            }
        }
    }

    fn closed(&mut self, summary: Summary) {
        (self.means.told)(&summary);
        self.tally.closed += 1;
        if summary.note.closing == Closing::DiskFailed {
            self.tally.disk_failed = Some(summary.clone());
        }
        self.tally.last = Some(summary);
        self.rotate();
    }

    /// Deleting gigabytes takes a while: in a thread of its own, one at a time, waited for by nobody.
    fn rotate(&mut self) {
        if self.rotation.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        let (folder, rules) = (self.means.episodes_dir.clone(), self.means.rotation);
        let now_ms = (self.means.unix_ms)();
        let named = thread::Builder::new().name("log-rotation".to_owned());
        match named.spawn(move || rotate_and_tell(&folder, rules, now_ms)) {
            Ok(thread) => self.rotation = Some(thread),
            Err(error) => warn!("old episodes stay: no thread: {error}"),
        }
    }

    fn look(&mut self) {
        let had_room = lock(&self.known).has_room;
        let has_room = self.has_room(had_room);
        if had_room != has_room {
            let mb = self.means.free_min_bytes / 1_000_000;
            match has_room {
                true => info!("there is room again"),
                false => warn!(
                    "less than {mb} MB (free_min_mb) are free in {}: nothing is recorded until there \
                     is room",
                    self.means.episodes_dir.display()
                ),
            }
        }
        let wished = self.wished();
        let mut known = lock(&self.known);
        known.has_room = has_room;
        if let Some(wished) = wished {
            known.wished = wished;
        }
    }

    fn has_room(&mut self, had_room: bool) -> bool {
        let least = match (self.means.free_min_bytes, had_room) {
            (0, _) => return true,
            (least, true) => least,
            (least, false) => least.saturating_add(MORE_BYTES),
        };
        match (self.means.free_bytes)() {
            Ok(free) => free >= least,
            Err(error) => {
                // Whoever cannot be asked has not refused: a write will tell.
                warn!("{}: {error}", self.means.episodes_dir.display());
                true
            }
        }
    }

    /// What is wished, if that has changed.
    fn wished(&mut self) -> Option<Option<Arc<Wished>>> {
        match request::look(&self.means.episodes_dir) {
            Ok(Wish::None) => self.wish.take().map(|_| None),
            Ok(Wish::Standing { id, .. }) if self.wish.as_ref() == Some(&id) => None,
            Ok(Wish::Standing { id, request }) => {
                self.wish = Some(id);
                self.wishes += 1;
                Some(Some(Arc::new(Wished { number: self.wishes, request })))
            }
            Ok(Wish::Unreadable(words)) => self.refuse(words),
            Err(error) => self.refuse(format!("{}: {error}", request::REQUEST)),
        }
    }

    fn refuse(&mut self, words: String) -> Option<Option<Arc<Wished>>> {
        if self.refused != words {
            warn!("{words}");
            self.refused = words;
        }
        self.wish.take().map(|_| None)
    }
}
