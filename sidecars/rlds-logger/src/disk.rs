//! The `log-disk` thread: what was recorded goes to the disk while the rings are read on.
//!
//! *What it decides.* How much may wait in memory for a disk that stalls, and that everything which
//! waits shares one `fdatasync`. *What it must never do.* Make whoever reads the ring wait: once the
//! room is used up, the ring is left alone and counts what it overwrites.
//!
//! ```text
//! log-writer ── portions, at most 16 MiB ─▶ log-disk: write, fdatasync ─▶ they count as stored
//! ```
//!
//! Sixteen MiB are minutes of telemetry, and half a minute with a camera: a card that stalls for five
//! seconds costs nothing. Shown by: tests/disk.rs.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rlds::{Commit, Committer, Ending, FileSystem, HostFiles, Portion, Standing, Summary};
use rt_wire::MonoNs;

/// What may wait for the disk.
pub const QUEUE_BYTES_MAX: usize = 16 << 20;

enum Job {
    Commit(Portion),
    Finish(Option<Portion>, Ending),
}

/// What both threads know.
#[derive(Default)]
struct Shared {
    standing: Standing,
    queued_bytes: usize,
}

/// Commits in a thread of its own.
pub struct DiskThread {
    jobs: Sender<Job>,
    shared: Arc<Mutex<Shared>>,
    room_bytes: usize,
    now: fn() -> MonoNs,
    thread: JoinHandle<Option<Summary>>,
}

impl DiskThread {
    /// Starts it; `room_bytes` may wait, by the clock `now`.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start<F>(
        committer: Committer<F>,
        room_bytes: usize,
        now: fn() -> MonoNs,
    ) -> io::Result<Self>
    where
        F: FileSystem + Send + 'static,
        F::File: Send,
    {
        let (jobs, todo) = mpsc::channel();
        let standing = committer.standing();
        let shared = Arc::new(Mutex::new(Shared { standing, ..Shared::default() }));
        let told = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("log-disk".to_owned())
            .spawn(move || serve(committer, &todo, &told, now))?;
        Ok(Self { jobs, shared, room_bytes, now, thread })
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    // Numbers only: whoever died holding it left them whole.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve<F: FileSystem>(
    mut committer: Committer<F>,
    todo: &Receiver<Job>,
    told: &Mutex<Shared>,
    now: fn() -> MonoNs,
) -> Option<Summary> {
    while let Ok(first) = todo.recv() {
        let (mut group, mut bytes, mut finish) = (Vec::new(), 0, None);
        for job in std::iter::once(first).chain(todo.try_iter()) {
            match job {
                Job::Commit(portion) => {
                    bytes += portion.bytes();
                    group.push(portion);
                }
                Job::Finish(last, ending) => finish = Some((last, ending)),
            }
        }
        committer.commit_all(group);
        let mut shared = lock(told);
        shared.queued_bytes = shared.queued_bytes.saturating_sub(bytes);
        let waiting_since = (shared.queued_bytes > 0).then(now);
        shared.standing = Standing { waiting_since, ..committer.standing() };
        drop(shared);
        if let Some((last, ending)) = finish {
            return Some(committer.finish(last, ending));
        }
    }
    None
}

impl Commit for DiskThread {
    fn has_room(&self) -> bool {
        self.shared().queued_bytes < self.room_bytes
    }

    fn commit(&mut self, portion: Portion) {
        let mut shared = self.shared();
        shared.queued_bytes += portion.bytes();
        shared.standing.waiting_since.get_or_insert((self.now)());
        drop(shared);
        if self.jobs.send(Job::Commit(portion)).is_err() {
            // The thread died: nothing reaches the disk any more.
            let mut shared = self.shared();
            shared.standing.is_kept = false;
            shared.standing.is_whole = false;
        }
    }

    fn standing(&self) -> Standing {
        self.shared().standing.clone()
    }

    fn finish(self, last: Option<Portion>, ending: Ending) -> Summary {
        let standing = self.standing();
        // Were the thread dead, it could not say what became of the episode.
        let unclosed = ending.clone();
        let is_told = self.jobs.send(Job::Finish(last, ending)).is_ok();
        let summary = if is_told { self.thread.join().ok().flatten() } else { None };
        summary.unwrap_or_else(|| unclosed.unclosed(&standing))
    }
}

/// An episode that is written by a thread of its own.
pub type LiveEpisode = rlds::EpisodeWriter<DiskThread>;

/// Opens an episode and starts its thread.
///
/// # Errors
/// What the file system says, or that the system gives no thread.
pub fn open_episode<'a>(
    episodes_dir: &std::path::Path,
    about: rlds::About,
    attached: impl Into<rlds::Attached<'a>>,
    now: fn() -> MonoNs,
) -> io::Result<LiveEpisode> {
    let episode = rlds::EpisodeWriter::<Committer<HostFiles>>::create(episodes_dir, about, attached)?;
    episode.try_map_commit(|committer| DiskThread::start(committer, QUEUE_BYTES_MAX, now))
}
