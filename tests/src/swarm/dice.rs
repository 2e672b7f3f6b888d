//! All that is random, from one seed.
//!
//! Each part of the world throws dice of its own stream, and each fault class's schedule has one too:
//! without one class the others strike when they did, and a part that the class does not touch throws
//! what it threw. This is what makes shrinking work. It must never ask the computer for randomness.
//! Tests: here.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Dice(Pcg64Mcg);

impl Dice {
    /// The dice of `stream` in the run of `seed`.
    #[must_use]
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        // An odd factor keeps streams of neighbouring seeds apart.
        let mixed =
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
        Self(Pcg64Mcg::seed_from_u64(mixed))
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with the given probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `lo..=hi`.
    pub(super) fn between(&mut self, lo: u64, hi: u64) -> u64 {
        let span = u128::from(hi.saturating_sub(lo)) + 1;
        lo + ((u128::from(self.bits()) * span) >> 64) as u64
    }

    /// Uniform in `lo..=hi` milliseconds, as nanoseconds.
    pub(super) fn between_ms(&mut self, lo: u64, hi: u64) -> u64 {
        self.between(lo * 1_000_000, hi * 1_000_000)
    }

    /// The wait for something that happens every `mean_ns` on average, at random.
    pub(super) fn wait_ns(&mut self, mean_ns: f64) -> u64 {
        (-libm::log(1.0 - self.unit()) * mean_ns) as u64
    }

    /// One of several.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.between(0, of.len() as u64 - 1) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn streams_and_seeds_differ_and_repeat() {
        let throw = |seed, stream| Dice::new(seed, stream).bits();
        assert_eq!(throw(1, 2), throw(1, 2));
        assert_ne!(throw(1, 2), throw(2, 1));
        assert_ne!(throw(1, 2), throw(1, 3));
    }

    #[test]
    fn ranges_reach_both_ends_and_waits_have_their_mean() {
        let mut dice = Dice::new(7, 0);
        let seen = (0..1000).fold(0_u32, |seen, _| seen | 1 << dice.between(3, 6));
        assert_eq!(seen, 0b111_1000);
        let mean = (0..20_000).map(|_| dice.wait_ns(1e6) as f64).sum::<f64>() / 20_000.0;
        assert!((mean - 1e6).abs() < 3e4, "mean {mean}");
    }
}
