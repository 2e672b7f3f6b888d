//! Once a second: is what nobody may change still what it was at the start?
//!
//! It decides two facts for the kernel: that the configuration in memory lost its checksum
//! (`CONFIG_CORRUPT`), and that a canary of memory which only this process writes has changed
//! (`CANARY_CHANGED`). The canaries are the first lines of the loop's own segments: written once, by
//! their creator, and sealed against all others, so that only a defect or the memory itself can
//! change them. It must never mend, and never forget: memory that was wrong once is wrong until the
//! process is restarted. (The kernel's own copy of the limits is the mirror's, each cycle.) Shown by:
//! the tests of housekeeping.

use rt_config::Robot;
use rt_ring::sync::{AtomicU64, Ordering};
use rt_shm::Segments;
use rt_wire::{HousekeepingFlags, Limits, Record, fnv1a, topics};

/// Words of a segment that its creator writes once: magic, layout hash, record words, depth,
/// generation, and zeros up to the first word that changes (rt-ring's header.rs).
const CANARY_WORDS: usize = 16;

/// What was found at the start, and what has been found since.
#[derive(Debug)]
pub(super) struct Integrity {
    config_hash: u64,
    canaries: Vec<Canary>,
    found: HousekeepingFlags,
}

#[derive(Debug)]
struct Canary {
    segment: String,
    words: &'static [AtomicU64],
    expected: [u64; CANARY_WORDS],
}

impl Integrity {
    /// Takes the checksum of the configuration and the canaries of every segment that the loop
    /// writes on this board. All of them must have been laid out.
    pub(super) fn new(robot: &Robot, limits: &Limits, segments: &Segments) -> Self {
        let canaries = topics::all().filter_map(|topic| {
            // Refused for what another process writes, or nobody on this board.
            let words = segments.words(topic).ok()?.get(..CANARY_WORDS)?;
            Some(Canary { segment: segments.name(topic), words, expected: load(words) })
        });
        Self {
            config_hash: config_hash(robot, limits),
            canaries: canaries.collect(),
            found: HousekeepingFlags::EMPTY,
        }
    }

    /// Looks at everything; a sentence for each fact that is new.
    pub(super) fn check(&mut self, robot: &Robot, limits: &Limits) -> Vec<String> {
        let hash = config_hash(robot, limits);
        let config = (hash != self.config_hash).then(|| {
            format!(
                "configuration in memory: checksum {hash:#018x}, expected {:#018x} as at the start; \
                 the drive is off until the fast loop is restarted (if it happens again, test the \
                 memory)",
                self.config_hash
            )
        });
        let canary = self.canaries.iter().find_map(Canary::changed);
        let mut news = Vec::new();
        for (flag, wrong) in [
            (HousekeepingFlags::CONFIG_CORRUPT, config),
            (HousekeepingFlags::CANARY_CHANGED, canary),
        ] {
            // Told once: what is wrong stays wrong.
            news.extend(wrong.filter(|_| !self.found.has(flag)).inspect(|_| {
                self.found = self.found.with(flag, true);
            }));
        }
        news
    }

    /// What has been found so far, for the kernel.
    pub(super) const fn found(&self) -> HousekeepingFlags {
        self.found
    }
}

impl Canary {
    fn changed(&self) -> Option<String> {
        let found = load(self.words);
        let place = found.iter().zip(&self.expected).position(|(found, was)| found != was)?;
        Some(format!(
            "segment {}: word {place} of its header is {:#018x}, expected {:#018x} as at the start, \
             and only the fast loop can write there; the drive is off until it is restarted",
            self.segment, found[place], self.expected[place]
        ))
    }
}

fn load(words: &[AtomicU64]) -> [u64; CANARY_WORDS] {
    let mut copy = [0; CANARY_WORDS];
    for (copy, word) in copy.iter_mut().zip(words) {
        // ORDER: relaxed: written before the loop thread was started, and never again.
        *copy = word.load(Ordering::Relaxed);
    }
    copy
}

/// Over what is in use: the file's own values (who may attach, who may arm), and the limits.
fn config_hash(robot: &Robot, limits: &Limits) -> u64 {
    let hash = fnv1a(0, robot.file().to_json().as_bytes());
    continued(hash, limits)
}

fn continued<T: Record>(hash: u64, record: &T) -> u64 {
    fnv1a(hash, record.as_bytes())
}
