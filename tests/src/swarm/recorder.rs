//! The logger and the disk behind it: full, failing, or silent for seconds.
//!
//! Decides what became of the records, as the log-writer of sidecars/rlds-logger would find out; what
//! the heartbeat then says is that process's own judgement, the shipped one. It must never reach the
//! loop but by that heartbeat. Records are only counted here: what a disk keeps of them is proved in
//! sidecars/rlds/tests. Tests: here, tests/swarm.rs.

use super::faults::{FaultClass, Faults};
use rlds_logger::{Observed, Progress, judge};
use rt_wire::{Heartbeat, MonoNs, topics};

/// Pause between two looks at the writer.
const LOOK_NS: u64 = 50_000_000;
/// Records that wait in memory before they go to the disk.
const CHUNK_NS: u64 = rlds::CHUNK_NS_MAX;

/// The logger.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    /// Since when the disk has refused what it was given, in this life of the logger.
    pub(super) refused_since: Option<u64>,
    /// Since when the disk has not answered.
    pub(super) silent_since: Option<u64>,
    /// The last instant at which anything was wrong, or its life began.
    pub(super) well_since: u64,
    /// What the wall clock said when the episode began, for its name and its date.
    pub(super) began_wall_ns: i64,
    observed: Observed,
    progress: Progress,
    /// Records in the ring that nobody has read.
    unread: u64,
    /// Records in memory, not yet given to the disk.
    chunk: u64,
    flush_at: u64,
    look_at: u64,
    newest: Heartbeat,
}

impl Recorder {
    /// A logger that begins an episode.
    #[must_use]
    pub(super) fn new(now_ns: u64, wall_ns: i64) -> Self {
        let progress =
            Progress { looked_at: MonoNs(now_ns), is_whole: true, ..Progress::default() };
        Self {
            refused_since: None,
            silent_since: None,
            well_since: now_ns,
            began_wall_ns: wall_ns,
            observed: Observed::default(),
            progress,
            unread: 0,
            chunk: 0,
            flush_at: now_ns + CHUNK_NS,
            look_at: now_ns,
            newest: Heartbeat::default(),
        }
    }

    /// The loop publishes a record, and the logger lives on.
    pub(super) fn cycle(&mut self, now_ns: u64, wall_ns: i64, faults: &Faults) {
        let ended = |class| faults.ended.has(class);
        let room_made = ended(FaultClass::DiskFull) || ended(FaultClass::DiskFails);
        if room_made || ended(FaultClass::LoggerDead) {
            // An episode that the disk cut short stays so: somebody starts the logger anew.
            *self = Self::new(now_ns, wall_ns);
        }
        self.unread += 1;
        let is = |class| faults.is(class);
        let refuses = is(FaultClass::DiskFull) || is(FaultClass::DiskFails);
        if is(FaultClass::DiskStalls) {
            self.silent_since.get_or_insert(now_ns);
            // Whether it will refuse nobody knows before it answers.
            self.refused_since = self.refused_since.filter(|_| !self.progress.is_whole);
        } else {
            self.silent_since = None;
            if refuses {
                self.refused_since.get_or_insert(now_ns);
            }
        }
        if self.silent_since.or(self.refused_since).is_some() {
            self.well_since = now_ns;
        }
        if now_ns >= self.look_at {
            self.look_at = now_ns + LOOK_NS;
            self.write(now_ns);
            let said = judge(&mut self.observed, &self.progress, MonoNs(now_ns));
            self.newest = said.heartbeat(0, MonoNs(now_ns), 0);
        }
    }

    /// What the heartbeat says beside being one.
    #[must_use]
    pub(super) const fn says(&self) -> &Heartbeat {
        &self.newest
    }

    /// The log-writer drains the ring, and gives the disk a chunk when it is due.
    fn write(&mut self, now_ns: u64) {
        let due = now_ns >= self.flush_at;
        if due && self.silent_since.is_some() {
            // It hangs in a write, and the ring fills up.
            return;
        }
        let room = u64::from(topics::TELEMETRY.depth);
        let lost = self.unread.saturating_sub(room);
        if lost > 0 {
            self.well_since = now_ns;
        }
        self.progress.lost_ring += lost;
        self.progress.last_sequence += self.unread;
        self.chunk += self.unread - lost;
        self.unread = 0;
        if due {
            self.flush_at = now_ns + CHUNK_NS;
            self.progress.is_whole &= self.refused_since.is_none();
            if !self.progress.is_whole {
                self.progress.lost_disk += self.chunk;
            }
            self.chunk = 0;
        }
        self.progress.looked_at = MonoNs(now_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, Recorder};
    use crate::swarm::{Classes, FaultClass};
    use rt_wire::HeartbeatFlags;

    const MS: u64 = 1_000_000;

    /// What it says after each of these times, in ms, while a class strikes from 1 s to 6 s.
    fn says(class: FaultClass, at_ms: &[u64]) -> Vec<(bool, bool, bool)> {
        let mut faults = Faults::new(1, Classes::default(), 1.0, 0);
        let mut recorder = Recorder::new(MS, 0);
        let mut said = Vec::new();
        for ms in 1..=9000 {
            faults.ended = Classes::default();
            match ms {
                1000 => faults.on = Classes::default().with(class),
                6000 => (faults.ended, faults.on) = (faults.on, Classes::default()),
                _ => {}
            }
            recorder.cycle(ms * MS, 0, &faults);
            if at_ms.contains(&ms) {
                let heartbeat = recorder.says();
                said.push((
                    heartbeat.flags.has(HeartbeatFlags::LOG_DEGRADED),
                    heartbeat.flags.has(HeartbeatFlags::RECORDING),
                    heartbeat.lost_records > 0,
                ));
            }
        }
        said
    }

    #[test]
    fn a_disk_that_refuses_ends_the_recording_until_the_logger_is_started_anew() {
        for class in [FaultClass::DiskFull, FaultClass::DiskFails] {
            let said = says(class, &[900, 1300, 5900, 6100]);
            let (well, cut) = ((false, true, false), (true, false, true));
            assert_eq!(said, [well, cut, cut, well], "{class:?}");
        }
    }

    #[test]
    fn a_disk_that_stalls_is_told_after_a_second_and_what_the_ring_lost_when_it_is_back() {
        let said = says(FaultClass::DiskStalls, &[1900, 2400, 5900, 6200, 7300]);
        let (well, stuck) = ((false, true, false), (true, true, false));
        assert_eq!(said, [well, stuck, stuck, (true, true, true), (false, true, true)]);
    }
}
