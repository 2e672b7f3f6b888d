//! A picture made small, for people who look at it in a terminal.
//!
//! *What it decides.* Which colour a square of the picture has: the mean of its pixels. *What it must
//! never do.* Believe a size that no camera of ours has: decoding takes memory. Shown by: the tests
//! below.

use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Pixels of a side that are decoded: 48 MiB of colours at most.
const SIDE_MAX: usize = 4096;

/// Red, green, blue.
pub type Colour = [u8; 3];

/// A small picture: rows of colours.
pub type Thumbnail = Vec<Vec<Colour>>;

/// The picture in `jpeg`, no larger than `columns` × `rows` squares, in its own proportions.
///
/// # Errors
/// In words: it cannot be decoded, or is larger than is believed.
pub fn thumbnail(jpeg: &[u8], columns: usize, rows: usize) -> Result<Thumbnail, String> {
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(SIDE_MAX)
        .set_max_height(SIDE_MAX);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let wrong = |error| format!("a JPEG that cannot be decoded: {error:?}");
    let pixels = decoder.decode().map_err(wrong)?;
    let (width, height) = decoder.dimensions().unwrap_or((0, 0));
    if width == 0 || height == 0 || pixels.len() < width.saturating_mul(height).saturating_mul(3) {
        return Err("a JPEG without pixels".to_owned());
    }
    let (columns, rows) = fitted(width, height, columns, rows);
    let square = |row: usize, column: usize| {
        let (top, bottom) = part(row, rows, height);
        let (left, right) = part(column, columns, width);
        mean(&pixels, width, (top, bottom), (left, right))
    };
    Ok((0..rows).map(|row| (0..columns).map(|column| square(row, column)).collect()).collect())
}

/// The largest size within both limits that has the picture's proportions, and at least one square.
fn fitted(width: usize, height: usize, columns: usize, rows: usize) -> (usize, usize) {
    let by_width = (columns, (columns * height / width).max(1));
    let by_height = ((rows * width / height).max(1), rows);
    let (columns, rows) = if by_width.1 <= rows { by_width } else { by_height };
    (columns.clamp(1, width), rows.clamp(1, height))
}

/// Which of `of` pixels belong to the part `index` of `parts`.
fn part(index: usize, parts: usize, of: usize) -> (usize, usize) {
    (index * of / parts, ((index + 1) * of / parts).max(index * of / parts + 1))
}

fn mean(
    pixels: &[u8],
    width: usize,
    (top, bottom): (usize, usize),
    (left, right): (usize, usize),
) -> Colour {
    let mut sums = [0_u64; 3];
    let mut count = 0_u64;
    for row in top..bottom {
        let line = pixels.get((row * width + left) * 3..(row * width + right) * 3);
        for pixel in line.unwrap_or_default().chunks_exact(3) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(*value);
            }
            count += 1;
        }
    }
    sums.map(|sum| u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::thumbnail;

    /// Left half red, right half blue.
    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels: Vec<u8> = (0..height)
            .flat_map(|_| 0..width)
            .flat_map(|x| if x < width / 2 { [250, 10, 10] } else { [10, 10, 250] })
            .collect();
        jpeg_encoder::Encoder::new(&mut bytes, 95)
            .encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb)
            .expect("memory never fails");
        bytes
    }

    #[test]
    fn a_small_picture_has_the_proportions_and_the_colours_of_the_large_one() {
        let small = thumbnail(&jpeg(160, 80), 20, 20).expect("decoded");
        assert_eq!((small[0].len(), small.len()), (20, 10));
        let is_red = |[r, g, b]: [u8; 3]| r > 200 && g < 60 && b < 60;
        let is_blue = |[r, g, b]: [u8; 3]| r < 60 && g < 60 && b > 200;
        assert!(small.iter().all(|row| is_red(row[0]) && is_red(row[8])), "{small:?}");
        assert!(small.iter().all(|row| is_blue(row[11]) && is_blue(row[19])), "{small:?}");
        let tall = thumbnail(&jpeg(16, 64), 100, 8).expect("decoded");
        assert_eq!((tall[0].len(), tall.len()), (2, 8));
        assert_eq!(thumbnail(&jpeg(16, 16), 100, 100).expect("decoded").len(), 16, "never larger");
    }

    #[test]
    fn what_is_no_picture_is_said_and_never_a_panic() {
        let whole = jpeg(64, 48);
        for length in 0..whole.len() {
            // Cut in its pixels it may still be shown as far as it goes.
            thumbnail(&whole[..length], 10, 10).ok();
        }
        assert!(thumbnail(b"", 10, 10).is_err());
        assert!(thumbnail(&whole[..40], 10, 10).is_err());
        let mut huge = whole;
        let at = huge.windows(2).position(|two| two == [0xff, 0xc0]).expect("a frame header");
        huge[at + 5..at + 9].copy_from_slice(&[0xff; 4]);
        assert!(thumbnail(&huge, 10, 10).is_err());
    }
}
