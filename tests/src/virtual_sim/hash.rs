//! One number for everything that a run told: equal runs have equal hashes, all along.
//!
//! Four lanes of FNV-1a's step over whole words, because a record of 2 KiB is hashed every cycle.
//! Guards against differences, not against malice. Tests: here.

const LANES: usize = 4;
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A running hash of records.
#[derive(Clone, Copy, Debug)]
pub struct WordHash([u64; LANES]);

impl Default for WordHash {
    fn default() -> Self {
        let mut lanes = [OFFSET; LANES];
        for (lane, salt) in lanes.iter_mut().zip(1_u64..) {
            *lane = step(*lane, salt);
        }
        Self(lanes)
    }
}

impl WordHash {
    /// Takes a record in; a rest that is no whole word counts as one, filled with zeros.
    pub fn add(&mut self, bytes: &[u8]) {
        let mut blocks = bytes.chunks_exact(8 * LANES);
        for block in &mut blocks {
            for (lane, word) in self.0.iter_mut().zip(block.chunks_exact(8)) {
                *lane = step(*lane, word_of(word));
            }
        }
        for (lane, word) in self.0.iter_mut().zip(blocks.remainder().chunks(8)) {
            *lane = step(*lane, word_of(word));
        }
    }

    /// The hash of all that was added.
    #[must_use]
    pub fn finish(&self) -> u64 {
        self.0.iter().fold(OFFSET, |hash, lane| step(hash, *lane))
    }
}

/// Rotated, so that high bits reach low ones too: a multiplication carries upwards only.
fn step(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(PRIME).rotate_left(29)
}

fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::WordHash;

    #[test]
    fn every_single_bit_of_a_record_changes_the_hash() {
        let hash = |bytes: &[u8]| {
            let mut hash = WordHash::default();
            hash.add(bytes);
            hash.add(&[7; 40]);
            hash.finish()
        };
        let plain: Vec<u8> = (0..101).collect();
        let mut seen = vec![hash(&plain)];
        for bit in 0..plain.len() * 8 {
            let mut flipped = plain.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            seen.push(hash(&flipped));
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn order_of_records_matters() {
        let (mut one, mut other) = (WordHash::default(), WordHash::default());
        for (a, b) in [([1; 64], [2; 64]), ([2; 64], [1; 64])] {
            one.add(&a);
            other.add(&b);
        }
        assert_ne!(one.finish(), other.finish());
    }
}
