//! One number for everything that a run told: equal runs have equal hashes, all along.
//!
//! Four lanes of a folded multiplication over whole words, because a record of 2 KiB is hashed every
//! cycle.
//! Guards against differences, not against malice. Tests: here.

const LANES: usize = 4;
const START: u64 = 0xcbf2_9ce4_8422_2325;
/// The golden ratio's fraction, as an odd number.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A running hash of records.
#[derive(Clone, Copy, Debug)]
pub struct WordHash([u64; LANES]);

impl Default for WordHash {
    fn default() -> Self {
        let mut lanes = [START; LANES];
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
        self.0.iter().fold(START, |hash, lane| step(hash, *lane))
    }
}

/// Both halves of the product: a multiplication alone carries upwards only.
fn step(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word) * u128::from(FACTOR);
    (product as u64) ^ ((product >> 64) as u64)
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
