//! Waiting for a loop that is not there yet: how long. Which refusals are worth it, rt-shm knows.
//!
//! It never sleeps and reads no clock: it says how long to pause. Shown by: tests/pure.rs.

use std::time::Duration;

use rt_shm::ShmError;

/// The first pause.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// A loop that starts is noticed within this time.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// How long a sidecar goes on asking: pauses double from 20 ms to 500 ms until the time is used up.
#[derive(Clone, Debug)]
pub struct Patience {
    left: Duration,
    pause: Duration,
}

impl Patience {
    /// Patience for `limit` in all.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { left: limit, pause: PAUSE_MIN }
    }

    /// How long to pause before the next try; `None` once patience is at its end, or if trying again
    /// cannot help.
    pub fn after(&mut self, error: &ShmError) -> Option<Duration> {
        if !error.can_pass() || self.left.is_zero() {
            return None;
        }
        let pause = self.pause.min(self.left);
        self.left = self.left.saturating_sub(pause);
        self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
        Some(pause)
    }
}
