//! The `log-writer` thread: drains the rings at its own pace until it is told why to end.
//!
//! *What it decides.* The pace (5 ms), that a ring is left alone while the disk is far behind, and
//! that the end waits until the ring is empty. *What it must never do.* Touch the disk, or share
//! anything with the main thread but a few numbers. Shown by: tests/drain.rs, tests/disk.rs,
//! tests/process.rs.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rlds::{Closing, Commit, EpisodeWriter, Summary};
use rt_wire::{KernelState, LogFrame, MonoNs, Telemetry};
use tokio::sync::oneshot;
use tracing::debug;

use crate::drain::{Drain, Drained, FrameSource, Recorder, Source};

/// Pause between two looks at the ring: five records at 1 kHz, of the 4096 that it holds.
const POLL_PERIOD: Duration = Duration::from_millis(5);
/// Records moved before progress is told: about as many as the ring holds.
const BATCH_RECORDS: u32 = 4096;
/// Batches moved after the end was said. A loop that still runs publishes far more slowly than this
/// drains, so that the ring runs empty long before; the limit makes it sure.
const LAST_BATCHES_MAX: u32 = 64;

/// Why to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Told to.
    Told,
    /// The loop ended on purpose.
    LoopEnded,
    /// The loop's socket closed without a word.
    LoopGone,
}

impl Ended {
    fn closing(self) -> (Closing, &'static str) {
        match self {
            Self::Told | Self::LoopEnded => (Closing::Clean, ""),
            Self::LoopGone => (Closing::LoopLost, "the fast loop went without saying that it ends"),
        }
    }
}

/// How far the writer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When it last found the ring empty or moved a batch.
    pub looked_at: MonoNs,
    /// Ring sequence of the newest record read.
    pub last_sequence: u64,
    /// Records that the ring overwrote.
    pub lost_ring: u64,
    /// Records that the disk refused.
    pub lost_disk: u64,
    /// Whether the disk has taken everything so far.
    pub is_whole: bool,
    /// When the oldest was handed over that the disk does not have yet; `None` if nothing waits.
    pub waiting_since: Option<MonoNs>,
    /// Telemetry records that the disk has.
    pub stored: u64,
    /// Records that are in no episode, although they should: none could begin.
    pub unrecorded: u64,
    /// Whether everything that was asked for is recorded.
    pub is_over: bool,
}

/// What records, until it is told how it ends.
pub trait Session: Recorder {
    /// What it came to.
    type Ended;
    /// Hands over what is old by `now`, also when nothing more comes.
    fn flush_if_due(&mut self, now: MonoNs);
    /// How far it is; the ring was last looked at at `looked_at`.
    fn progress(&self, looked_at: MonoNs) -> Progress;
    /// Ends it.
    fn end(self, closing: Closing, reason: &str) -> Self::Ended;
}

impl<C: Commit> Session for EpisodeWriter<C> {
    type Ended = Summary;

    fn flush_if_due(&mut self, now: MonoNs) {
        EpisodeWriter::flush_if_due(self, now);
    }

    fn progress(&self, looked_at: MonoNs) -> Progress {
        let note = self.note();
        let standing = self.standing();
        Progress {
            looked_at,
            last_sequence: note.last_sequence,
            lost_ring: note.telemetry_lost_ring,
            lost_disk: note.telemetry_lost_disk,
            is_whole: standing.is_whole,
            waiting_since: standing.waiting_since,
            stored: standing.stored.telemetry,
            unrecorded: 0,
            is_over: false,
        }
    }

    fn end(self, closing: Closing, reason: &str) -> Summary {
        self.finish(closing, reason)
    }
}

/// Records until `end` says why to end (or its sender is gone), then until the ring is empty, and
/// closes the episode. `tell` hears of the progress after each look; `now` is the clock.
pub fn record_until<S: Session>(
    mut drain: Drain<
        impl Source<Telemetry>,
        impl Source<KernelState>,
        impl Source<LogFrame>,
        impl FrameSource,
    >,
    mut session: S,
    end: &Receiver<Ended>,
    now: impl Fn() -> MonoNs,
    mut tell: impl FnMut(Progress),
) -> S::Ended {
    const BROKEN: (Closing, &str) =
        (Closing::LoopLost, "the telemetry ring broke off: it was made anew or damaged");
    let mut closing = loop {
        // What is left in the ring meanwhile is counted by the ring, once it is overwritten.
        let drained = match session.has_room() {
            true => drain.drain(&mut session, BATCH_RECORDS),
            false => Drained::Empty,
        };
        session.flush_if_due(now());
        tell(session.progress(now()));
        match drained {
            Drained::More => continue,
            Drained::Broken => break BROKEN,
            Drained::Empty => {}
        }
        match end.recv_timeout(POLL_PERIOD) {
            Ok(ended) => break ended.closing(),
            Err(RecvTimeoutError::Disconnected) => break Ended::Told.closing(),
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    for _ in 0..LAST_BATCHES_MAX {
        match drain.drain(&mut session, BATCH_RECORDS) {
            Drained::More => {}
            Drained::Empty => break,
            Drained::Broken => {
                closing = BROKEN;
                break;
            }
        }
    }
    drain.finish(&mut session);
    let (closing, reason) = closing;
    session.end(closing, reason)
}

/// The thread, from outside.
pub struct LogWriter<E = Summary> {
    end: Sender<Ended>,
    progress: Arc<Mutex<Progress>>,
    summary: oneshot::Receiver<E>,
}

impl<E: Send + 'static> LogWriter<E> {
    /// Starts it.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        drain: Drain<
            impl Source<Telemetry> + Send + 'static,
            impl Source<KernelState> + Send + 'static,
            impl Source<LogFrame> + Send + 'static,
            impl FrameSource + Send + 'static,
        >,
        session: impl Session<Ended = E> + Send + 'static,
    ) -> io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let (done, summary) = oneshot::channel();
        let first =
            Progress { looked_at: sidecar::mono_now(), is_whole: true, ..Progress::default() };
        let progress = Arc::new(Mutex::new(first));
        let told = Arc::clone(&progress);
        let tell = move |progress| {
            *told.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        };
        thread::Builder::new().name("log-writer".to_owned()).spawn(move || {
            let summary = record_until(drain, session, &ended, sidecar::mono_now, tell);
            // Nobody listens only if main has gone; then the files speak for themselves.
            drop(done.send(summary));
        })?;
        Ok(Self { end, progress, summary })
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells it why to end. It drains the ring first: ask [`ended`](Self::ended) when it has.
    pub fn end(&self, why: Ended) {
        if self.end.send(why).is_err() {
            debug!("the log-writer has ended already");
        }
    }

    /// Waits for the closed episode; `None` if the thread died. Safe to use in `select!`.
    pub async fn ended(&mut self) -> Option<E> {
        (&mut self.summary).await.ok()
    }
}
