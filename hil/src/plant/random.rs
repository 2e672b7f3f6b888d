//! Noise that a seed fixes: PCG32 (XSH-RR, M. E. O'Neill 2014) and normal numbers from it.
//!
//! Each sensor has a stream of its own, so that cutting one sensor never changes what another one
//! reads. Not for secrets. Tests: here.

/// A PCG32 generator.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
    increment: u64,
    spare: Option<f64>,
}

impl Random {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self { state: 0, increment: (stream << 1) | 1, spare: None };
        random.next_u32();
        random.state = random.state.wrapping_add(seed);
        random.next_u32();
        random
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(self.increment);
        let mixed = (((old >> 18) ^ old) >> 27) as u32;
        mixed.rotate_right((old >> 59) as u32)
    }

    /// Uniform in the open interval (0, 1).
    fn unit(&mut self) -> f64 {
        (f64::from(self.next_u32()) + 0.5) / 4_294_967_296.0
    }

    /// Normal with mean 0 and the given standard deviation (polar method: no sine needed).
    pub(crate) fn normal(&mut self, sigma: f64) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare * sigma;
        }
        loop {
            let u = 2.0 * self.unit() - 1.0;
            let v = 2.0 * self.unit() - 1.0;
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                let factor = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(v * factor);
                return u * factor * sigma;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn pcg32_gives_the_published_sequence() {
        // The demonstration of the reference implementation: seed 42, stream 54.
        let mut random = Random::new(42, 54);
        let drawn: Vec<u32> = (0..6).map(|_| random.next_u32()).collect();
        assert_eq!(
            drawn,
            [0xa15c_02b7, 0x7b47_f409, 0xba1d_3330, 0x83d2_f293, 0xbfa4_784b, 0xcbed_606e]
        );
    }

    #[test]
    fn normal_numbers_have_the_asked_mean_and_spread() {
        let mut random = Random::new(7, 1);
        let drawn: Vec<f64> = (0..20_000).map(|_| random.normal(2.0)).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.06, "mean {mean}");
        assert!((variance - 4.0).abs() < 0.2, "variance {variance}");
    }
}
