//! Just enough of JPEG to know a picture's size and that it is whole.
//!
//! It decodes nothing: pictures are carried as they are. Shown by: the tests below, tests/formats/bad_input.rs.

/// Size of a picture that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JpegSize {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 3 for colour, 1 for grey.
    pub components: u8,
}

const START: [u8; 2] = [0xff, 0xd8];
const END: [u8; 2] = [0xff, 0xd9];
const START_OF_SCAN: u8 = 0xda;

/// The size of the picture in `bytes`.
///
/// # Errors
/// In words: it is no JPEG, or not a whole one.
pub fn size(bytes: &[u8]) -> Result<JpegSize, String> {
    if bytes.is_empty() {
        return Err("expected a JPEG, found 0 bytes".to_owned());
    }
    let mut rest = bytes.strip_prefix(&START).ok_or_else(|| {
        let first = bytes.get(..bytes.len().min(4)).unwrap_or_default();
        format!("expected a JPEG, found bytes that begin with {first:02x?}")
    })?;
    let mut found = None;
    loop {
        let (marker, after) = next_marker(rest).ok_or_else(truncated)?;
        let length = after.first_chunk::<2>().map(|two| usize::from(u16::from_be_bytes(*two)));
        let segment = length.and_then(|length| after.get(2..length)).ok_or_else(truncated)?;
        if is_start_of_frame(marker) {
            // The first counts, as for everybody else who reads it.
            let frame = frame_size(segment).ok_or_else(no_size)?;
            found.get_or_insert(frame);
        }
        if marker == START_OF_SCAN {
            break;
        }
        rest = after.get(segment.len().saturating_add(2)..).unwrap_or_default();
    }
    // Some cameras pad with zeros.
    let padding = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let whole = bytes.get(..bytes.len().saturating_sub(padding)).unwrap_or_default();
    if !whole.ends_with(&END) {
        return Err(truncated());
    }
    found.filter(|size| size.width > 0 && size.height > 0).ok_or_else(no_size)
}

fn no_size() -> String {
    "expected a JPEG with its size, found none".to_owned()
}

fn truncated() -> String {
    "expected a whole JPEG, found one that is truncated".to_owned()
}

/// The next marker and what follows it.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let rest = bytes.strip_prefix(&[0xff])?;
    let fill = rest.iter().take_while(|byte| **byte == 0xff).count();
    rest.get(fill..)?.split_first().map(|(marker, after)| (*marker, after))
}

fn is_start_of_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

fn frame_size(segment: &[u8]) -> Option<JpegSize> {
    let [_precision, h1, h0, w1, w0, components, ..] = *segment else {
        return None;
    };
    Some(JpegSize {
        width: u32::from(u16::from_be_bytes([w1, w0])),
        height: u32::from(u16::from_be_bytes([h1, h0])),
        components,
    })
}

#[cfg(test)]
mod tests {
    use super::{JpegSize, size};

    fn picture() -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels = [10, 200, 30].repeat(24 * 16);
        jpeg_encoder::Encoder::new(&mut bytes, 80)
            .encode(&pixels, 24, 16, jpeg_encoder::ColorType::Rgb)
            .expect("memory never fails");
        bytes
    }

    #[test]
    fn size_of_a_whole_picture_is_told() {
        assert_eq!(size(&picture()), Ok(JpegSize { width: 24, height: 16, components: 3 }));
        let padded = [picture(), vec![0; 7]].concat();
        assert_eq!(size(&padded).map(|size| size.width), Ok(24));
    }

    #[test]
    fn first_frame_header_counts_and_a_short_one_is_none() {
        let whole = picture();
        let at = whole.windows(2).position(|two| two == [0xff, 0xc0]).expect("a frame header");
        let header = &whole[at..at + 19];
        let mut second = header.to_vec();
        second[8] = 99;
        let two = [&whole[..at + 19], &second, &whole[at + 19..]].concat();
        assert_eq!(size(&two).map(|size| size.width), Ok(24));
        let short = [&whole[..at], &[0xff, 0xc0, 0, 7, 8, 0, 1, 0, 1], &whole[at + 19..]].concat();
        assert!(size(&short).is_err_and(|what| what.contains("its size")));
    }

    #[test]
    fn picture_cut_anywhere_is_no_picture() {
        let whole = picture();
        for length in 0..whole.len() {
            assert!(size(&whole[..length]).is_err(), "cut after {length} bytes");
        }
        assert!(size(b"PNG?").is_err());
    }
}
