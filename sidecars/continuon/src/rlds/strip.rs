//! A few pictures of many, evenly spread over the whole, without knowing how many will come.
//!
//! *What it decides.* Which are kept. *What it must never do.* Hold more than four times what is
//! wanted, or twice as many bytes as it was told. Shown by: the tests below.

use rlds::Frame;
use rt_wire::MonoNs;

/// A picture that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shot {
    pub(super) sequence: u64,
    pub(super) at: MonoNs,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) jpeg: Vec<u8>,
}

/// Every so-many-th picture; whenever there are too many, every second one of them goes.
#[derive(Clone, Debug)]
pub(super) struct Strip {
    wanted: usize,
    bytes_max: usize,
    every: u64,
    seen: u64,
    bytes: usize,
    shots: Vec<Shot>,
}

impl Strip {
    pub(super) fn new(wanted: usize, bytes_max: usize) -> Self {
        Self { wanted, bytes_max, every: 1, seen: 0, bytes: 0, shots: Vec::new() }
    }

    pub(super) fn push(&mut self, frame: Frame) {
        let is_due = self.seen.is_multiple_of(self.every);
        self.seen = self.seen.saturating_add(1);
        // One that is larger than all may be together would push the others out.
        if self.wanted == 0 || !is_due || frame.jpeg.len() > self.bytes_max {
            return;
        }
        self.bytes += frame.jpeg.len();
        let Frame { sequence, mono_ns, width, height, jpeg, .. } = frame;
        self.shots.push(Shot { sequence, at: mono_ns, width, height, jpeg });
        while self.shots.len() > self.wanted * 4 || self.bytes > self.bytes_max * 2 {
            self.thin();
        }
    }

    /// At most as many as are wanted, of at most so many bytes, the first and the last of those kept
    /// among them.
    pub(super) fn finish(mut self) -> Vec<Shot> {
        let mut wanted = self.wanted.min(self.shots.len());
        loop {
            let chosen = evenly(self.shots.len(), wanted);
            let bytes: usize = chosen
                .iter()
                .filter_map(|at| self.shots.get(*at))
                .map(|shot| shot.jpeg.len())
                .sum();
            if bytes <= self.bytes_max {
                let mut at = 0;
                self.shots.retain(|_| {
                    at += 1;
                    chosen.contains(&(at - 1))
                });
                return self.shots;
            }
            wanted -= 1;
        }
    }

    fn thin(&mut self) {
        self.every = self.every.saturating_mul(2);
        let mut is_odd = true;
        self.shots.retain(|_| {
            is_odd = !is_odd;
            !is_odd
        });
        self.bytes = self.shots.iter().map(|shot| shot.jpeg.len()).sum();
    }
}

/// `wanted` of `count` places, the first and the last among them.
fn evenly(count: usize, wanted: usize) -> Vec<usize> {
    match (count, wanted) {
        (0, _) | (_, 0) => Vec::new(),
        (_, 1) => vec![0],
        _ => (0..wanted).map(|n| n * (count - 1) / (wanted - 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::Strip;
    use rlds::Frame;
    use rt_wire::MonoNs;

    fn frame(n: u64, bytes: usize) -> Frame {
        Frame { sequence: n, mono_ns: MonoNs(n), jpeg: vec![0; bytes], ..Frame::default() }
    }

    #[test]
    fn pictures_are_spread_over_the_whole_however_many_come() {
        for count in [0, 1, 5, 8, 9, 16, 17, 100, 1000, 1023, 5000_u64] {
            let mut strip = Strip::new(8, 1 << 20);
            (0..count).for_each(|n| {
                strip.push(frame(n, 100));
                assert!(strip.shots.len() <= 32);
            });
            assert_eq!(strip.seen, count);
            let shots = strip.finish();
            assert_eq!(shots.len() as u64, count.min(8), "{count}");
            if count > 1 {
                let times: Vec<u64> = shots.iter().map(|shot| shot.sequence).collect();
                let widest = times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or(0);
                assert!(
                    times[0] == 0 && count - times[times.len() - 1] <= 1 + count / 8,
                    "{times:?}"
                );
                assert!(widest <= count / 4 + 1, "{count}: {times:?}");
            }
        }
    }

    #[test]
    fn bytes_are_bounded_and_one_huge_picture_does_not_push_the_others_out() {
        let mut strip = Strip::new(8, 1000);
        for n in 0..100 {
            strip.push(frame(n, if n == 7 { 5000 } else { 300 }));
            assert!(strip.bytes <= 2000);
        }
        let shots = strip.finish();
        assert_eq!(shots.len(), 3);
        assert_eq!(shots[0].sequence, 0);
    }
}
