//! How long before a release the sleep should end, so that the loop spins the rest.
//!
//! A sleep ends late by the kernel's wake-up latency; a loop that wakes early by as much and spins
//! until the release acts on time. The lead follows the measured latency: quickly up, slowly down,
//! so that it stays near the high quantiles without paying for the worst stall. It never exceeds the
//! configured window, so that the loop sleeps in every cycle. Shown by the tests below.

use rt_config::{SpinMode, Timing};

/// Room above the measured latency for what happens between waking and the first instruction that
/// counts.
const MARGIN_NS: u64 = 2_000;
/// The part of the distance that the lead moves down in one cycle: about a second at 1 kHz.
const FALL_SHIFT: u32 = 10;
/// The part of the distance that the lead moves up in one cycle.
const RISE_SHIFT: u32 = 2;

/// The spin window of one loop.
#[derive(Clone, Copy, Debug)]
pub struct Spin {
    mode: SpinMode,
    window_ns: u64,
    latency_ns: u64,
}

impl Spin {
    /// The window that the robot file asks for.
    #[must_use]
    pub fn new(timing: &Timing) -> Self {
        let window_ns = u64::from(timing.spin_window_us) * 1000;
        Self { mode: timing.spin_mode, window_ns, latency_ns: window_ns / 2 }
    }

    /// How long before the release the sleep should end, in ns.
    #[must_use]
    pub fn lead_ns(&self) -> u64 {
        match self.mode {
            SpinMode::Off => 0,
            SpinMode::Fixed => self.window_ns,
            SpinMode::Auto => self.latency_ns.saturating_add(MARGIN_NS).min(self.window_ns),
        }
    }

    /// Learns from one sleep that ended `latency_ns` after it should have.
    pub fn observe(&mut self, latency_ns: u64) {
        // A stall longer than the window cannot be hidden; it must not hold the lead up either.
        let latency_ns = latency_ns.min(self.window_ns);
        // One of the two is 0. Saturating, so that no way to panic is left in the loop.
        let rise = latency_ns.saturating_sub(self.latency_ns) >> RISE_SHIFT;
        let fall = self.latency_ns.saturating_sub(latency_ns) >> FALL_SHIFT;
        self.latency_ns = self.latency_ns.saturating_add(rise).saturating_sub(fall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin(mode: SpinMode, window_us: u32) -> Spin {
        Spin::new(&Timing { spin_mode: mode, spin_window_us: window_us, ..Timing::default() })
    }

    #[test]
    fn off_sleeps_until_the_release_and_fixed_wakes_by_the_window() {
        assert_eq!(spin(SpinMode::Off, 200).lead_ns(), 0);
        assert_eq!(spin(SpinMode::Fixed, 200).lead_ns(), 200_000);
    }

    #[test]
    fn auto_covers_nearly_all_wakeups_and_stays_far_below_the_window() {
        let mut spin = spin(SpinMode::Auto, 400);
        let (mut late, cycles) = (0, 20_000_u64);
        for cycle in 0..cycles {
            // 20 to 29 µs, and 60 µs once in 200 cycles.
            let latency = if cycle % 200 == 7 { 60_000 } else { 20_000 + (cycle % 10) * 1000 };
            late += u64::from(cycle > 5000 && latency > spin.lead_ns());
            spin.observe(latency);
        }
        assert!(late * 100 <= cycles, "{late} of {cycles} woke after the release");
        assert!(spin.lead_ns() < 100_000, "lead {} ns", spin.lead_ns());
    }

    #[test]
    fn a_stall_never_pushes_the_lead_over_the_window() {
        let mut spin = spin(SpinMode::Auto, 100);
        for _ in 0..100 {
            spin.observe(50_000_000);
        }
        assert_eq!(spin.lead_ns(), 100_000);
    }
}
