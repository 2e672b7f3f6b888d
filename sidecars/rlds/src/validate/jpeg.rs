//! Is it a whole JPEG, and how large is the picture? From its first and its last bytes.
//!
//! It decodes nothing: markers up to the frame header, and the end marker. Shown by: tests below.

/// The frame header stands within this, thumbnails and colour profiles before it included.
pub(crate) const HEAD_BYTES: u64 = 256 << 10;
/// Cameras fill up their last block behind the end marker.
pub(crate) const TAIL_BYTES: u64 = 4096;

/// Length, precision, height, width, number of components.
const FRAME_HEADER_BYTES_MIN: usize = 8;
const START: [u8; 2] = [0xff, 0xd8];
const END: [u8; 2] = [0xff, 0xd9];

/// Width and height.
pub(crate) fn size(head: &[u8], tail: &[u8]) -> Result<(u16, u16), &'static str> {
    if !head.starts_with(&START) {
        return Err("it does not begin as a JPEG");
    }
    let end = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    if !tail.get(..end).unwrap_or_default().ends_with(&END) {
        return Err("it has no end: it was cut off");
    }
    let mut at = START.len();
    loop {
        // Fill bytes before a marker, and markers that stand alone.
        let skipped = match head.get(at..at.saturating_add(2)) {
            Some([0xff, 0xff]) => 1,
            Some([0xff, 0x01 | 0xd0..=0xd7]) => 2,
            _ => 0,
        };
        at = at.saturating_add(skipped);
        if skipped > 0 {
            continue;
        }
        let Some([0xff, marker, high, low]) = head.get(at..at.saturating_add(4)) else {
            return Err("its headers are broken");
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        // SOF0 to SOF15, but for the three numbers among them that are other segments.
        if matches!(*marker, 0xc0..=0xcf) && !matches!(*marker, 0xc4 | 0xc8 | 0xcc) {
            let body = head.get(at.saturating_add(5)..at.saturating_add(9));
            let (Some([h1, h0, w1, w0]), FRAME_HEADER_BYTES_MIN..) = (body, length) else {
                return Err("its headers are broken");
            };
            return Ok((u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0])));
        }
        if *marker == 0xda || length < 2 {
            return Err("it has no frame header");
        }
        at = at.saturating_add(2).saturating_add(length);
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    /// SOI, an APP0 of 4 bytes, SOF0 of 3 x 2 pixels, EOI.
    const PICTURE: [u8; 20] =
        [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 8, 8, 0, 2, 0, 3, 0, 0xff, 0xd9];

    #[test]
    fn frame_header_that_is_too_short_has_no_size() {
        let mut short = PICTURE;
        short[11] = 7;
        assert!(size(&short, &short).is_err());
    }

    #[test]
    fn size_is_read_past_other_segments_and_padding_behind_the_end_is_fine() {
        assert_eq!(size(&PICTURE, &PICTURE), Ok((3, 2)));
        let padded = [&PICTURE[..], &[0; 7]].concat();
        assert_eq!(size(&padded, &padded), Ok((3, 2)));
    }

    #[test]
    fn fill_bytes_and_markers_that_stand_alone_are_read_over() {
        let filled = [&PICTURE[..8], &[0xff, 0xff, 0xff, 0x01, 0xff], &PICTURE[8..]].concat();
        assert_eq!(size(&filled, &filled), Ok((3, 2)));
    }

    #[test]
    fn every_picture_that_was_cut_off_is_found() {
        for length in 0..PICTURE.len() {
            let cut = &PICTURE[..length];
            assert!(size(cut, cut).is_err(), "{length} bytes");
        }
    }
}
