//! The sign of life: what stands in it, and the task that gives it ten times a second.
//!
//! It tells; it never judges. A slot that is gone (the loop ended) is no error here: the next
//! attach brings a new one. Shown by: tests/pure.rs, tests/sidecar.rs.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rt_shm::MappedSlotWriter;
use rt_wire::{HEARTBEAT_SOURCES, Heartbeat, HeartbeatFlags, MonoNs, SidecarState};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::mono_now;

/// Time between two signs of life; the kernel calls 200 ms of silence late.
const HEARTBEAT_PERIOD: Duration = Duration::from_millis(100);

/// What a sidecar says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportState {
    /// What it does.
    pub state: SidecarState,
    /// What it lacks.
    pub flags: HeartbeatFlags,
    /// Newest telemetry sequence it has read.
    pub last_sequence_read: u64,
    /// Records it has lost since it attached.
    pub lost_records: u64,
}

impl Default for ReportState {
    fn default() -> Self {
        Self {
            state: SidecarState::Starting,
            flags: HeartbeatFlags::EMPTY,
            last_sequence_read: 0,
            lost_records: 0,
        }
    }
}

impl ReportState {
    /// The record to be written as number `sequence` at `now`.
    #[must_use]
    pub fn heartbeat(&self, sequence: u64, now: MonoNs, pid: u32) -> Heartbeat {
        Heartbeat {
            sequence,
            mono_ns: now,
            last_sequence_read: self.last_sequence_read,
            lost_records: self.lost_records,
            state: self.state.into(),
            flags: self.flags,
            pid,
            reserved: 0,
        }
    }
}

/// Where a sidecar's own parts, also in other threads, put what the heartbeat says.
#[derive(Clone, Debug, Default)]
pub struct Report(Arc<Mutex<ReportState>>);

impl Report {
    /// Changes what is said from the next heartbeat on.
    pub fn set(&self, change: impl FnOnce(&mut ReportState)) {
        // Plain numbers: a thread that panicked over them left them whole.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is said.
    #[must_use]
    pub fn get(&self) -> ReportState {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Place of `name` among the heartbeats; `None` for a process that gives none.
pub(crate) fn heartbeat_index(name: &str) -> Option<usize> {
    HEARTBEAT_SOURCES.iter().position(|source| *source == name)
}

type Slot = Rc<RefCell<Option<MappedSlotWriter<Heartbeat>>>>;

/// The heartbeat of this process. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Heart {
    slot: Slot,
    report: Report,
    task: JoinHandle<()>,
}

impl Heart {
    /// Begins to beat; without a slot it beats into the air.
    pub(crate) fn start(report: Report) -> Self {
        let slot = Slot::default();
        let task = tokio::task::spawn_local(beat_on(Rc::clone(&slot), report.clone()));
        Self { slot, report, task }
    }

    /// Beats into this slot from now on, at once for the first time.
    pub(crate) fn attach(&self, slot: MappedSlotWriter<Heartbeat>) {
        *self.slot.borrow_mut() = Some(slot);
        self.beat();
    }

    /// The loop has gone; its slot with it.
    pub(crate) fn detach(&self) {
        *self.slot.borrow_mut() = None;
    }

    /// One more sign of life, out of turn: for a last word.
    pub(crate) fn beat(&self) {
        beat_once(&self.slot, &self.report);
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn beat_on(slot: Slot, report: Report) {
    let mut ticks = interval(HEARTBEAT_PERIOD);
    // After a stall one sign of life is enough.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        beat_once(&slot, &report);
    }
}

fn beat_once(slot: &Slot, report: &Report) {
    if let Some(slot) = slot.borrow_mut().as_mut() {
        let sequence = slot.sequence().saturating_add(1);
        slot.write(&report.get().heartbeat(sequence, mono_now(), std::process::id()));
    }
}
