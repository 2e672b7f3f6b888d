//! Camera frames: JPEG as it came, in the message that viewers know (`foxglove.CompressedImage`).
//!
//! *What it decides.* How a frame lies in the recording, and what of a JPEG is believed: its size,
//! from its own header. *What it must never do.* Decode or encode pixels: what the camera said is
//! kept byte for byte.
//!
//! Shown by: tests/frames.rs, and below.

use rt_wire::MonoNs;

/// Name of the schema.
pub(crate) const SCHEMA: &str = "foxglove.CompressedImage";
/// Encoding of schema and message.
pub(crate) const ENCODING: &str = "protobuf";
/// A frame larger than this is not recorded.
pub const FRAME_BYTES_MAX: usize = 8 << 20;

/// One frame of the camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its number; MCAP keeps 32 bits of it.
    pub sequence: u64,
    /// When the sensor took it, on the monotonic clock.
    pub mono_ns: MonoNs,
    /// What steps call it.
    pub frame_id: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The picture.
    pub jpeg: Vec<u8>,
}

impl Frame {
    /// A frame whose size is what the JPEG says; `None` if it is no JPEG, or too large to keep.
    #[must_use]
    pub fn new(sequence: u64, mono_ns: MonoNs, frame_id: String, jpeg: Vec<u8>) -> Option<Self> {
        let (width, height) = jpeg_size(&jpeg)?;
        let fits = jpeg.len() <= FRAME_BYTES_MAX;
        fits.then_some(Self { sequence, mono_ns, frame_id, width, height, jpeg })
    }

    /// Appends the message.
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        let mut timestamp = Vec::with_capacity(16);
        put_varint_field(&mut timestamp, 1, self.mono_ns.0 / 1_000_000_000);
        put_varint_field(&mut timestamp, 2, self.mono_ns.0 % 1_000_000_000);
        put_bytes_field(into, 1, &timestamp);
        put_bytes_field(into, 2, &self.jpeg);
        put_bytes_field(into, 3, b"jpeg");
        put_bytes_field(into, 4, self.frame_id.as_bytes());
    }

    /// Back from the message, whose header said `sequence` and `mono_ns`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(sequence: u32, mono_ns: MonoNs, message: &[u8]) -> Result<Self, String> {
        let image = Image::take(message)?;
        image.is_jpeg()?;
        let frame_id = image.frame_id.to_owned();
        let frame = Self::new(u64::from(sequence), mono_ns, frame_id, image.data.to_vec());
        frame.ok_or_else(|| "an image that is no whole JPEG".to_owned())
    }
}

/// A message as it lies there, whatever its picture is.
pub(crate) struct Image<'a> {
    pub(crate) frame_id: &'a str,
    format: &'a str,
    /// The picture.
    pub(crate) data: &'a [u8],
}

impl<'a> Image<'a> {
    /// Its parts.
    ///
    /// # Errors
    /// It is no such message.
    pub(crate) fn take(message: &'a [u8]) -> Result<Self, String> {
        let (mut rest, mut image) = (message, Self { frame_id: "", format: "", data: &[] });
        while !rest.is_empty() {
            let (number, value) = take_field(&mut rest).ok_or("an image that ends in a field")?;
            let text = || std::str::from_utf8(value).map_err(|error| format!("an image: {error}"));
            match number {
                2 => image.data = value,
                3 => image.format = text()?,
                4 => image.frame_id = text()?,
                _ => {}
            }
        }
        Ok(image)
    }

    /// Whether it says that it is one.
    ///
    /// # Errors
    /// What it says instead.
    pub(crate) fn is_jpeg(&self) -> Result<(), String> {
        if self.format == "jpeg" {
            return Ok(());
        }
        Err(format!("an image of format `{}`, expected `jpeg`", self.format))
    }
}

/// Width and height from a JPEG's frame header; `None` if it is none, or does not reach its end.
fn jpeg_size(jpeg: &[u8]) -> Option<(u32, u32)> {
    const END: [u8; 2] = [0xff, 0xd9];
    /// Length, precision, height, width, number of components.
    const FRAME_HEADER_BYTES_MIN: u16 = 8;
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8])?;
    if !jpeg.ends_with(&END) {
        return None;
    }
    loop {
        let ([0xff, marker], after) = rest.split_first_chunk::<2>()? else { return None };
        match marker {
            // Fill bytes before a marker.
            0xff => rest = rest.get(1..)?,
            // Markers that stand alone.
            0x01 | 0xd0..=0xd7 => rest = after,
            // Start of frame, of any kind but the three that are tables.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let [l1, l0, _, h1, h0, w1, w0] = *after.first_chunk::<7>()?;
                // What is shorter does not hold the size: it would be read from what follows.
                if u16::from_be_bytes([l1, l0]) < FRAME_HEADER_BYTES_MIN {
                    return None;
                }
                let size = |high, low| u32::from(u16::from_be_bytes([high, low]));
                let (width, height) = (size(w1, w0), size(h1, h0));
                return (width > 0 && height > 0).then_some((width, height));
            }
            _ => {
                let length = usize::from(u16::from_be_bytes(*after.first_chunk::<2>()?));
                rest = after.get(length.max(2)..)?;
            }
        }
    }
}

fn put_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn put_varint_field(into: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(into, number << 3);
    put_varint(into, value);
}

fn put_bytes_field(into: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(into, number << 3 | 2);
    put_varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A field's number and its bytes; a number's bytes are not of interest.
fn take_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    let key = take_varint(rest)?;
    let bytes = match key & 7 {
        0 => {
            take_varint(rest)?;
            0
        }
        1 => 8,
        2 => usize::try_from(take_varint(rest)?).ok()?,
        5 => 4,
        _ => return None,
    };
    let (value, after) = rest.split_at_checked(bytes)?;
    *rest = after;
    Some((key >> 3, value))
}

/// The `FileDescriptorSet` of the message, as the schema of its channel must be.
pub(crate) fn descriptor_set() -> Vec<u8> {
    const LABEL_OPTIONAL: u64 = 1;
    const TYPE_INT64: u64 = 3;
    const TYPE_INT32: u64 = 5;
    const TYPE_STRING: u64 = 9;
    const TYPE_MESSAGE: u64 = 11;
    const TYPE_BYTES: u64 = 12;
    let field = |name: &str, number: u64, kind: u64, type_name: &str| {
        let mut field = Vec::new();
        put_bytes_field(&mut field, 1, name.as_bytes());
        put_varint_field(&mut field, 3, number);
        put_varint_field(&mut field, 4, LABEL_OPTIONAL);
        put_varint_field(&mut field, 5, kind);
        if !type_name.is_empty() {
            put_bytes_field(&mut field, 6, type_name.as_bytes());
        }
        field
    };
    let file = |name: &str, package: &str, imports: &[&str], message: &str, fields: &[Vec<u8>]| {
        let mut descriptor = Vec::new();
        put_bytes_field(&mut descriptor, 1, message.as_bytes());
        fields.iter().for_each(|field| put_bytes_field(&mut descriptor, 2, field));
        let mut file = Vec::new();
        put_bytes_field(&mut file, 1, name.as_bytes());
        put_bytes_field(&mut file, 2, package.as_bytes());
        imports.iter().for_each(|import| put_bytes_field(&mut file, 3, import.as_bytes()));
        put_bytes_field(&mut file, 4, &descriptor);
        put_bytes_field(&mut file, 12, b"proto3");
        file
    };
    let timestamp = file(
        "google/protobuf/timestamp.proto",
        "google.protobuf",
        &[],
        "Timestamp",
        &[field("seconds", 1, TYPE_INT64, ""), field("nanos", 2, TYPE_INT32, "")],
    );
    let image = file(
        "foxglove/CompressedImage.proto",
        "foxglove",
        &["google/protobuf/timestamp.proto"],
        "CompressedImage",
        &[
            field("timestamp", 1, TYPE_MESSAGE, ".google.protobuf.Timestamp"),
            field("frame_id", 4, TYPE_STRING, ""),
            field("data", 2, TYPE_BYTES, ""),
            field("format", 3, TYPE_STRING, ""),
        ],
    );
    let mut set = Vec::new();
    put_bytes_field(&mut set, 1, &timestamp);
    put_bytes_field(&mut set, 1, &image);
    set
}

#[cfg(test)]
mod tests {
    use super::{Frame, jpeg_size};
    use rt_wire::MonoNs;

    /// The markers of a JPEG of 320 × 240, without a picture.
    fn jpeg() -> Vec<u8> {
        let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2];
        jpeg.extend_from_slice(&[0xff, 0xff, 0xc0, 0, 11, 8, 0, 240, 1, 64, 1, 1, 0x11, 0]);
        jpeg.extend_from_slice(&[0xff, 0xd9]);
        jpeg
    }

    #[test]
    fn size_is_what_the_jpeg_says_and_a_truncated_one_is_none() {
        assert_eq!(jpeg_size(&jpeg()), Some((320, 240)));
        for cut in 0..jpeg().len() {
            assert_eq!(jpeg_size(&jpeg()[..cut]), None, "{cut}");
        }
        assert_eq!(jpeg_size(b"\x89PNG"), None);
    }

    #[test]
    fn frame_header_that_is_too_short_has_no_size() {
        let mut short = jpeg();
        let at = short.windows(2).position(|two| two == [0xff, 0xc0]).expect("a frame header");
        short[at + 3] = 7;
        assert_eq!(jpeg_size(&short), None);
    }

    #[test]
    fn frame_comes_back_and_any_bytes_are_survived() {
        let mono_ns = MonoNs(12_345_678_901_234);
        let frame = Frame::new(7, mono_ns, "frame-7".to_owned(), jpeg()).expect("a JPEG");
        let mut message = Vec::new();
        frame.encode(&mut message);
        assert_eq!(Frame::decode(7, mono_ns, &message).as_ref(), Ok(&frame));
        for cut in 0..message.len() {
            assert_ne!(Frame::decode(7, mono_ns, &message[..cut]).as_ref(), Ok(&frame), "{cut}");
        }
        for at in 0..message.len() {
            let mut garbage = message.clone();
            garbage[at] ^= 0xa5;
            drop(Frame::decode(7, mono_ns, &garbage));
        }
    }
}
