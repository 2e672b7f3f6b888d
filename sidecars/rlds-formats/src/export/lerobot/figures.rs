//! What goes into the statistics of a column.
//!
//! It decides how much of a picture is looked at: every n-th pixel of some pictures, which is the one
//! place where an export decodes any. Shown by: tests/formats/lerobot.rs, tests/readers/lerobot.py.

use super::stats::Stats;
use super::table::Cell;

/// A picture is looked at in every n-th row and column, so that about this many are left.
const PIXELS_ACROSS: usize = 150;

/// Takes a value into the statistics.
#[expect(clippy::cast_precision_loss, reason = "statistics are floats")]
pub(super) fn count(cell: &Cell<'_>, stats: &mut Stats, is_looked_at: bool) -> Result<(), String> {
    match cell {
        Cell::Int(value) => stats.push([*value as f64]),
        Cell::Float(value) => stats.push([f64::from(*value)]),
        Cell::Bool(value) => stats.push([f64::from(u8::from(*value))]),
        Cell::Floats(values) => stats.push(values.iter().map(|value| f64::from(*value))),
        Cell::Double(_) | Cell::Doubles(_) | Cell::Texts(_) | Cell::Text(_) => {}
        Cell::Picture { jpeg, .. } => {
            if !is_looked_at {
                return Ok(());
            }
            look_at(jpeg, stats)?;
        }
    }
    stats.frame();
    Ok(())
}

fn look_at(jpeg: &[u8], stats: &mut Stats) -> Result<(), String> {
    use zune_jpeg::zune_core::bytestream::ZCursor;
    use zune_jpeg::zune_core::colorspace::ColorSpace;
    use zune_jpeg::zune_core::options::DecoderOptions;
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let wrong = |error| format!("observation.media.rgb: a JPEG that cannot be decoded: {error:?}");
    let pixels = decoder.decode().map_err(wrong)?;
    let (width, height) = decoder.dimensions().unwrap_or((1, 1));
    let every = width.max(height).div_ceil(PIXELS_ACROSS * 2).max(1);
    for row in pixels.chunks_exact(width.max(1).saturating_mul(3)).step_by(every) {
        for pixel in row.chunks_exact(3).step_by(every) {
            stats.push(pixel.iter().map(|value| f64::from(*value) / 255.0));
        }
    }
    Ok(())
}
