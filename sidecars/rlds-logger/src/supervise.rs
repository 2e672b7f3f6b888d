//! What the heartbeat says of the recorder, judged from its progress.
//!
//! Pure: time comes in. A recorder that cannot write, loses, has not looked at the ring for a second,
//! or has waited for its disk for a second, is degraded and says so; it only claims to record while
//! every record that belongs to an episode reaches the disk. One that waits for the car to be armed
//! claims it too: the episode begins before the first armed cycle.
//! Shown by: tests/supervise.rs.

use rt_wire::{HeartbeatFlags, MonoNs, SidecarState};
use sidecar::ReportState;

use crate::writer::Progress;

/// A loss is told for this long, and a writer that stands still for this long is told.
const REMEMBERED_NS: u64 = 1_000_000_000;

/// What is remembered from one look to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    lost: u64,
    lost_at: Option<MonoNs>,
}

/// What to say at `now`.
pub fn judge(observed: &mut Observed, progress: &Progress, now: MonoNs) -> ReportState {
    let lost = [progress.lost_disk, progress.unrecorded]
        .into_iter()
        .fold(progress.lost_ring, u64::saturating_add);
    if lost > observed.lost {
        observed.lost = lost;
        observed.lost_at = Some(now);
    }
    let has_just_lost = observed.lost_at.is_some_and(|at| now.since(at) < REMEMBERED_NS);
    let is_stuck = now.since(progress.looked_at) >= REMEMBERED_NS;
    let waits = progress.waiting_since.is_some_and(|since| now.since(since) >= REMEMBERED_NS);
    let is_degraded = !progress.is_whole || has_just_lost || is_stuck || waits;
    ReportState {
        state: if is_degraded { SidecarState::Degraded } else { SidecarState::Running },
        flags: HeartbeatFlags::EMPTY
            .with(HeartbeatFlags::LOG_DEGRADED, is_degraded)
            .with(HeartbeatFlags::RECORDING, progress.is_whole),
        last_sequence_read: progress.last_sequence,
        lost_records: lost,
    }
}
