//! A video without an encoder: the camera's JPEG pictures, as they are, in an MP4 (Motion JPEG).
//!
//! *What it decides.* The boxes around the pictures: one track, one picture each 1 / fps s, each of
//! which a reader can begin at. Pictures come first and the tables last, so that of each picture only
//! its length is held. *What it must never do.* Decode a picture or make it worse.
//!
//! Sources: ISO/IEC 14496-12 (boxes), ISO/IEC 14496-14 (`mp4v`, `esds`); object type 0x6C is "Visual
//! ISO/IEC 10918-1 (JPEG)" of the MP4 registration authority. Shown by: tests/formats/lerobot_video.rs;
//! FFmpeg's view of it, by PyAV, in tests/readers/lerobot.py.

use crate::jpeg::JpegSize;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

/// JPEG, in the registration authority's table of object types.
const OBJECT_TYPE_JPEG: u8 = 0x6c;
/// A visual stream, in ISO/IEC 14496-1; the lowest bit is reserved and set.
const VISUAL_STREAM: u8 = 0x04 << 2 | 1;
/// No rotation, as the three rows of a matrix of fixed-point numbers.
const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
/// "und": nobody speaks.
const NO_LANGUAGE: u16 = 0x55c4;
/// 72 dots an inch, which readers pass over.
const RESOLUTION: u32 = 72 << 16;

/// An MP4 file that is being written.
pub(super) struct Video {
    file: BufWriter<File>,
    size: JpegSize,
    frames_per_s: u32,
    /// Of `mdat`, whose length is written last.
    mdat_at: u64,
    lengths: Vec<u32>,
    bytes: u64,
}

impl Video {
    /// A video of pictures of this size.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn create(file: File, size: JpegSize, frames_per_s: u32) -> io::Result<Self> {
        let mut file = BufWriter::new(file);
        let head = boxed(*b"ftyp", &[b"isom", &512_u32.to_be_bytes(), b"isomiso2mp41"]);
        file.write_all(&head)?;
        let mdat_at = head.len() as u64;
        // A length of 1 says that the true one, of 64 bits, follows the name.
        file.write_all(&[0, 0, 0, 1])?;
        file.write_all(b"mdat")?;
        file.write_all(&[0; 8])?;
        Ok(Self { file, size, frames_per_s, mdat_at, lengths: Vec::new(), bytes: 0 })
    }

    /// Appends a picture.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn push(&mut self, jpeg: &[u8]) -> io::Result<()> {
        let length = u32::try_from(jpeg.len()).map_err(io::Error::other)?;
        self.file.write_all(jpeg)?;
        self.lengths.push(length);
        self.bytes = self.bytes.saturating_add(u64::from(length));
        Ok(())
    }

    /// Pictures so far.
    pub(super) fn frames(&self) -> u64 {
        self.lengths.len() as u64
    }

    /// Bytes of the pictures so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes the tables.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let tables = self.movie()?;
        self.file.write_all(&tables)?;
        self.file.seek(SeekFrom::Start(self.mdat_at + 8))?;
        self.file.write_all(&(self.bytes + 16).to_be_bytes())?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    fn movie(&self) -> io::Result<Vec<u8>> {
        // Time is counted in pictures: picture n is at n / fps s to the bit.
        let frames = u32::try_from(self.lengths.len()).map_err(io::Error::other)?;
        let clock = words(&[0, 0, self.frames_per_s, frames]);
        let matrix = words(&UPRIGHT);
        let mvhd = full(
            *b"mvhd",
            0,
            // Played at its own speed and full loudness; the next track would be the second.
            &[&clock, &words(&[0x1_0000, 0x0100_0000, 0, 0]), &matrix, &[0; 24], &words(&[2])],
        );
        let (width, height) = (self.size.width << 16, self.size.height << 16);
        let tkhd = full(
            *b"tkhd",
            // Enabled, and shown.
            3,
            &[&words(&[0, 0, 1, 0, frames, 0, 0, 0, 0]), &matrix, &words(&[width, height])],
        );
        let mdhd = full(*b"mdhd", 0, &[&clock, &NO_LANGUAGE.to_be_bytes(), &[0; 2]]);
        let hdlr = full(*b"hdlr", 0, &[&[0; 4], b"vide", &[0; 12], b"camera\0"]);
        let vmhd = full(*b"vmhd", 1, &[&[0; 8]]);
        // The pictures lie in this file.
        let dref = full(*b"dref", 0, &[&words(&[1]), &full(*b"url ", 1, &[])]);
        let minf = boxed(*b"minf", &[&vmhd, &boxed(*b"dinf", &[&dref]), &self.samples(frames)?]);
        let mdia = boxed(*b"mdia", &[&mdhd, &hdlr, &minf]);
        Ok(boxed(*b"moov", &[&mvhd, &boxed(*b"trak", &[&tkhd, &mdia])]))
    }

    /// Where each picture lies. Without a table of those that can be begun at, all can.
    fn samples(&self, frames: u32) -> io::Result<Vec<u8>> {
        let pixels = |count: u32| u16::try_from(count).map_err(io::Error::other);
        let config = [
            &[0x04, 13, OBJECT_TYPE_JPEG, VISUAL_STREAM][..],
            // Sizes and rates are not told.
            &[0; 11],
        ]
        .concat();
        let stream = [&[0x03, 21, 0, 1, 0][..], &config, &[0x06, 1, 0x02]].concat();
        let entry = boxed(
            *b"mp4v",
            &[
                &[0; 6],
                &1_u16.to_be_bytes(),
                &[0; 16],
                &pixels(self.size.width)?.to_be_bytes(),
                &pixels(self.size.height)?.to_be_bytes(),
                &words(&[RESOLUTION, RESOLUTION, 0]),
                &1_u16.to_be_bytes(),
                &[0; 32],
                // 24 bits a pixel, and no table of colours.
                &[0, 24, 0xff, 0xff],
                &full(*b"esds", 0, &[&stream]),
            ],
        );
        let stsd = full(*b"stsd", 0, &[&words(&[1]), &entry]);
        let stts = full(*b"stts", 0, &[&words(&[1, frames, 1])]);
        let stsc = full(*b"stsc", 0, &[&words(&[1, 1, frames, 1])]);
        let stsz = full(*b"stsz", 0, &[&words(&[0, frames]), &words(&self.lengths)]);
        let first_at = self.mdat_at + 16;
        let co64 = full(*b"co64", 0, &[&words(&[1]), &first_at.to_be_bytes()]);
        Ok(boxed(*b"stbl", &[&stsd, &stts, &stsc, &stsz, &co64]))
    }
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// A box: its length, its name, what is in it.
fn boxed(name: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let inside: usize = parts.iter().map(|part| part.len()).sum();
    // Tables of two billion pictures would not fit, and nobody has them.
    let length = u32::try_from(inside + 8).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(inside + 8);
    bytes.extend(length.to_be_bytes());
    bytes.extend(name);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// A box with a version, 0, and flags.
fn full(name: [u8; 4], flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    let head = flags.to_be_bytes();
    boxed(name, &[&[&head[..]], parts].concat())
}
