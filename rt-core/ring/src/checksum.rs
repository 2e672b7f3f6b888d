//! The checksum of a slot: is this copy one that was written, whole, under this very sequence?
//!
//! Four lanes take every fourth word each, so that a processor works on four multiplications at a
//! time; about 12 ns for 256 bytes. Every step is a bijection of the word it takes in and of the
//! lane it changes, and so is the folding of each lane: two inputs that differ in one word, in the
//! sequence or in the generation alone can never have the same sum. It guards against accidents and
//! tearing; it is no signature, and a hostile writer can compute it.
//!
//! It must never read shared memory: it judges a private copy. Shown by: the tests below and
//! tests/sweep.rs.

/// Odd, with well-mixed bits (the fractions of √2, √3, √5 and √7, made odd), so that
/// multiplying is a bijection and equal words in two lanes do not cancel.
const MULTIPLIERS: [u64; 4] =
    [0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1];

/// One bijective step: `word` into `lane`. A product's upper bits are its best mixed; they are folded
/// onto the lower ones, so that even a flipped sign bit, which multiplying leaves where it is, takes
/// two flipped bits of the lane's next word to be undone. (A rotation takes one.)
#[inline]
const fn mix(lane: u64, word: u64, multiplier: u64) -> u64 {
    let product = (lane ^ word).wrapping_mul(multiplier);
    product ^ (product >> 32)
}

/// The sum of `words`, bound to the `sequence` and the `generation` that they were written under.
#[inline]
pub(crate) fn checksum(words: &[[u8; 8]], sequence: u64, generation: u64) -> u64 {
    let [m0, m1, m2, m3] = MULTIPLIERS;
    let mut a = mix(m1, sequence, m0);
    let mut b = mix(m2, generation, m1);
    let mut c = m3;
    let mut d = m0;
    let (fours, rest) = words.as_chunks();
    for [w0, w1, w2, w3] in fours {
        a = mix(a, u64::from_ne_bytes(*w0), m0);
        b = mix(b, u64::from_ne_bytes(*w1), m1);
        c = mix(c, u64::from_ne_bytes(*w2), m2);
        d = mix(d, u64::from_ne_bytes(*w3), m3);
    }
    for word in rest {
        // At most three words: one after the other will do.
        a = mix(a, u64::from_ne_bytes(*word), m0);
    }
    // Multiplied once more between any two, or two flipped sign bits would undo each other here.
    let ab = mix(mix(m1, a, m3), b, m0);
    mix(mix(ab, c, m1), d, m2)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    /// Words with some structure, as records have: counters, zeroes, repeated values.
    fn words(count: usize) -> std::vec::Vec<[u8; 8]> {
        (0..count).map(|i| ((i as u64 % 3) * 1_000).to_ne_bytes()).collect()
    }

    #[test]
    fn every_flipped_bit_changes_the_sum() {
        for count in [1, 2, 3, 4, 5, 7, 8, 32] {
            let mut words = words(count);
            let sum = checksum(&words, 6, 9);
            for index in 0..count {
                for bit in 0..64_u32 {
                    let whole = words[index];
                    words[index] = (u64::from_ne_bytes(whole) ^ (1 << bit)).to_ne_bytes();
                    assert_ne!(checksum(&words, 6, 9), sum, "{count} words, {index}, {bit}");
                    words[index] = whole;
                }
            }
        }
    }

    #[test]
    fn sum_is_bound_to_sequence_and_generation() {
        let words = words(32);
        let sum = checksum(&words, 6, 9);
        for bit in 0..64_u32 {
            assert_ne!(checksum(&words, 6 ^ (1 << bit), 9), sum);
            assert_ne!(checksum(&words, 6, 9 ^ (1 << bit)), sum);
        }
    }

    #[test]
    fn words_that_change_places_change_the_sum() {
        let mut words: std::vec::Vec<[u8; 8]> = (1..=9_u64).map(u64::to_ne_bytes).collect();
        let sum = checksum(&words, 1, 1);
        for i in 0..words.len() {
            for j in i + 1..words.len() {
                words.swap(i, j);
                assert_ne!(checksum(&words, 1, 1), sum, "{i} and {j}");
                words.swap(i, j);
            }
        }
    }

    #[test]
    fn two_flipped_bits_change_the_sum() {
        // All pairs of bits of a small record, the case that a sum of lanes gets wrong.
        let mut words = words(11);
        let sum = checksum(&words, 3, 4);
        let flip =
            |words: &mut [[u8; 8]], bit: usize| words[bit / 64][bit % 64 / 8] ^= 1 << (bit % 8);
        let bits = if cfg!(miri) { 70 } else { 11 * 64 };
        for first in 0..bits {
            flip(&mut words, first);
            for second in first + 1..bits {
                flip(&mut words, second);
                assert_ne!(checksum(&words, 3, 4), sum, "bits {first} and {second}");
                flip(&mut words, second);
            }
            flip(&mut words, first);
        }
    }
}
