//! LZ4 frames: small enough at a price that a recorder on a small board can pay.
//!
//! *What it decides.* A checksum stands behind each block, so that a flipped bit shows even where
//! the same bytes would come out. *What it must never do.* Unpack more than was declared: a bomb is
//! refused when the first byte too many comes out of it.

use std::io::{self, Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

/// The name of the compression in MCAP.
pub(crate) const NAME: &str = "lz4";

/// Appends `plain`, packed.
pub(crate) fn pack(plain: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
    // Whoever unpacks a frame first clears room for two blocks and the window before them: with the
    // largest blocks that is eight times what a chunk holds.
    let info = FrameInfo::new()
        .block_size(BlockSize::Max64KB)
        .block_mode(BlockMode::Linked)
        .block_checksums(true);
    let mut encoder = FrameEncoder::with_frame_info(info, into);
    encoder.write_all(plain)?;
    encoder.finish().map(|_| ()).map_err(io::Error::from)
}

/// Unpacks `packed` in place of what is in `into`: exactly `plain_bytes`, and nothing behind.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn unpack(packed: &[u8], plain_bytes: usize, into: &mut Vec<u8>) -> Result<(), String> {
    into.clear();
    let mut decoder = FrameDecoder::new(packed);
    let found = decoder
        .by_ref()
        .take((plain_bytes as u64).saturating_add(1))
        .read_to_end(into)
        .map_err(|error| format!("not to be unpacked: {error}"))?;
    if found > plain_bytes {
        return Err(format!("it unpacks to more than the {plain_bytes} bytes that it declares"));
    }
    if found < plain_bytes {
        return Err(format!("it unpacks to {found} bytes, expected {plain_bytes}"));
    }
    if !decoder.get_ref().is_empty() {
        return Err(format!("{} bytes lie behind its end", decoder.get_ref().len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        pack(plain, &mut packed).expect("packed");
        packed
    }

    #[test]
    fn what_is_packed_comes_back_and_a_bomb_does_not_go_off() {
        let mut plain = Vec::new();
        let zeros = vec![0; 8 << 20];
        let bomb = packed(&zeros);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        unpack(&bomb, zeros.len(), &mut plain).expect("all of it was declared");
        assert_eq!(plain, zeros);
        for declared in [0, 1, 1000, zeros.len() - 1] {
            let mut plain = Vec::new();
            let refused = unpack(&bomb, declared, &mut plain).expect_err("more than declared");
            assert!(refused.contains("more than"), "{refused}");
            assert!(plain.len() <= declared + 1, "{}", plain.len());
        }
        unpack(&bomb, zeros.len() + 1, &mut plain).expect_err("less than declared");
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_noticed() {
        let plain: Vec<u8> = (0..600_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let whole = packed(&plain);
        let mut into = Vec::new();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unpack(&flipped, plain.len(), &mut into).is_err(), "bit {bit}");
        }
    }
}
