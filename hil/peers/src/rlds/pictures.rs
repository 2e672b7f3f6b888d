//! Pictures as a camera on the car takes them: road, lines and grass before it, and the noise of a sensor.
//!
//! Made up, and of a real one's size: what counts for a recorder is how many bytes a picture has and
//! that nothing packs them any smaller. The same drive gives the same pictures. Shown by the tests
//! below.

use anyhow::{Context as _, Result};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Pixels across.
pub const WIDTH: u16 = 320;
/// Pixels down.
pub const HEIGHT: u16 = 240;
/// What cameras are usually set to.
const QUALITY: u8 = 85;
/// The row of the horizon.
const HORIZON: usize = 90;
/// Distance of the ground is this over the rows below the horizon.
const DEPTH_M: f32 = 24.0;
/// Pixels of a metre in a distance of one.
const FOCAL: f32 = 260.0;
const ROAD_HALF_M: f32 = 0.6;
const LINE_HALF_M: f32 = 0.03;
const DASH_M: f32 = 0.5;

/// What the camera looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// How far the car has come.
    pub travelled_m: f32,
    /// From the middle of the road.
    pub offset_m: f32,
    /// Of the road, positive to the left.
    pub curvature_per_m: f32,
}

/// Draws and encodes, in the same memory.
pub struct Camera {
    pixels: Vec<u8>,
    noise: u64,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            pixels: vec![0; usize::from(WIDTH) * usize::from(HEIGHT) * 3],
            noise: 0x9e37_79b9_7f4a_7c15,
        }
    }
}

impl Camera {
    /// The next picture, as JPEG.
    ///
    /// # Errors
    /// The encoder refuses.
    pub fn picture(&mut self, view: View) -> Result<Vec<u8>> {
        let mut pixels = std::mem::take(&mut self.pixels);
        for (row, line) in pixels.chunks_exact_mut(usize::from(WIDTH) * 3).enumerate() {
            for (column, pixel) in line.chunks_exact_mut(3).enumerate() {
                let colour = colour_at(view, row, column as f32 - f32::from(WIDTH) / 2.0);
                let noise = self.next_noise();
                for (value, (colour, noise)) in pixel.iter_mut().zip(colour.iter().zip(noise)) {
                    *value = (colour + noise).clamp(0.0, 255.0) as u8;
                }
            }
        }
        self.pixels = pixels;
        let mut jpeg = Vec::with_capacity(32 << 10);
        let mut encoder = Encoder::new(&mut jpeg, QUALITY);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.encode(&self.pixels, WIDTH, HEIGHT, ColorType::Rgb).context("encode a picture")?;
        Ok(jpeg)
    }

    /// Of the three channels, about three levels each.
    fn next_noise(&mut self) -> [f32; 3] {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        let byte =
            |shift: u32| (self.noise >> shift & 7) as f32 + (self.noise >> (shift + 3) & 7) as f32;
        [byte(0) - 7.0, byte(20) - 7.0, byte(40) - 7.0]
    }
}

fn colour_at(view: View, row: usize, from_middle: f32) -> [f32; 3] {
    let Some(below) = row.checked_sub(HORIZON).filter(|below| *below > 0) else {
        // A sky that pales towards the horizon.
        let height = row as f32 / HORIZON as f32;
        return [120.0 + 80.0 * height, 160.0 + 60.0 * height, 225.0];
    };
    let ahead_m = DEPTH_M / below as f32;
    let along_m = view.travelled_m + ahead_m;
    let across_m = from_middle * ahead_m / FOCAL + view.offset_m
        - view.curvature_per_m * ahead_m * ahead_m / 2.0;
    let is_line = |at_m: f32| (across_m - at_m).abs() < LINE_HALF_M;
    let is_dash = cell(along_m / DASH_M).is_multiple_of(2);
    if is_line(ROAD_HALF_M) || is_line(-ROAD_HALF_M) || (is_line(0.0) && is_dash) {
        return [225.0, 222.0, 205.0];
    }
    // What lies on the ground moves with it: grains of asphalt, tufts of grass.
    let grain =
        |size_m: f32, depth: f32| depth * (grain_at(along_m / size_m, across_m / size_m) - 0.5);
    if across_m.abs() < ROAD_HALF_M {
        let grey = 88.0 + grain(0.02, 24.0);
        [grey, grey, grey + 4.0]
    } else {
        let light = grain(0.05, 50.0);
        [70.0 + light, 120.0 + light, 52.0 + light / 2.0]
    }
}

/// The number of the cell that `place` is in. (`floor` is a call where the processor may be an old one.)
fn cell(place: f32) -> u64 {
    (place + 65_536.0) as u64
}

/// From 0 to 1, the same for the same spot.
fn grain_at(along: f32, across: f32) -> f32 {
    let mut hash = cell(along).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ cell(across).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (hash >> 40) as f32 / (1_u64 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::{Camera, View};

    #[test]
    fn the_same_drive_gives_the_same_pictures_and_another_view_another() {
        let far = View { travelled_m: 1.0, ..View::default() };
        let pictures = |views: [View; 2]| {
            let mut camera = Camera::default();
            views.map(|view| camera.picture(view).expect("a picture"))
        };
        let drive = pictures([View::default(), far]);
        assert_eq!(drive, pictures([View::default(), far]));
        assert_ne!(drive[0], drive[1]);
    }

    #[test]
    fn a_picture_is_as_large_as_a_cameras() {
        let jpeg = Camera::default().picture(View::default()).expect("a picture");
        assert!((8_000..40_000).contains(&jpeg.len()), "{}", jpeg.len());
    }
}
