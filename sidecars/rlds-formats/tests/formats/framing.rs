//! TFRecord framing: the published form, every damage found at the right record.

use proptest::prelude::*;
use rlds_formats::framing::{FramingError, RecordReader, RecordWriter, masked};
use std::io::{self, Read};

fn written(records: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = RecordWriter::new(Vec::new());
    for record in records {
        writer.write(record).expect("memory never fails");
    }
    assert_eq!(writer.records(), records.len() as u64);
    let bytes = writer.bytes();
    let file = writer.finish().expect("memory never fails");
    assert_eq!(bytes, file.len() as u64);
    file
}

fn read(file: &[u8], limit: u64) -> Result<Vec<Vec<u8>>, FramingError> {
    let mut reader = RecordReader::new(file, limit);
    let (mut all, mut record) = (Vec::new(), Vec::new());
    while reader.read(&mut record)? {
        all.push(record.clone());
    }
    Ok(all)
}

#[test]
fn frame_is_the_published_one() {
    // Length 5, its masked CRC-32C, the data, its masked CRC-32C: bytes that TensorFlow writes.
    let expected = [
        0x05, 0, 0, 0, 0, 0, 0, 0, 0xea, 0xb2, 0x04, 0x3e, b'h', b'e', b'l', b'l', b'o', 0xbb,
        0x1f, 0x1c, 0x19,
    ];
    let file = written(&[b"hello".to_vec()]);
    assert_eq!(file.len(), expected.len());
    assert_eq!(file, expected, "{file:02x?}");
    assert_eq!(masked(0), 0xa282_ead8);
}

#[test]
fn every_flipped_bit_is_found_at_its_record() {
    let records = [b"first".to_vec(), Vec::new(), b"and the third".to_vec()];
    let file = written(&records);
    let mut begins = vec![0_usize];
    for record in &records {
        begins.push(begins.last().expect("one") + record.len() + 16);
    }
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let expected = begins.iter().filter(|begin| **begin <= bit / 8).count() - 1;
        let mut reader = RecordReader::new(damaged.as_slice(), 1 << 20);
        let (mut whole, mut record) = (0, Vec::new());
        let error = loop {
            match reader.read(&mut record) {
                Ok(true) => {
                    assert_eq!(record, records[whole], "bit {bit}");
                    whole += 1;
                }
                Ok(false) => panic!("bit {bit}: nothing was found"),
                Err(error) => break error,
            }
        };
        assert_eq!(whole, expected, "bit {bit}: {error}");
        let FramingError::Crc { record, at_byte, .. } = error else {
            panic!("bit {bit}: {error}");
        };
        assert_eq!((record as usize, at_byte as usize), (expected, begins[expected]), "bit {bit}");
    }
}

#[test]
fn file_that_ends_anywhere_else_than_between_records_is_truncated() {
    let file = written(&[b"one".to_vec(), b"two".to_vec()]);
    for length in 0..file.len() {
        let found = read(&file[..length], 1 << 20);
        match length {
            0 => assert_eq!(found.expect("nothing").len(), 0),
            19 => assert_eq!(found.expect("one record").len(), 1),
            _ => {
                assert!(matches!(found, Err(FramingError::Truncated { .. })), "{length}: {found:?}")
            }
        }
    }
}

#[test]
fn length_takes_no_memory_before_its_bytes_are_there() {
    // A length of 2^40 with a right checksum: refused by the limit, or truncated, never allocated.
    let length = (1_u64 << 40).to_le_bytes();
    let mut file = length.to_vec();
    file.extend(masked(crc32c::crc32c(&length)).to_le_bytes());
    file.extend(b"short");
    let error = read(&file, 1 << 20).expect_err("too long");
    assert!(matches!(error, FramingError::TooLong { record: 0, at_byte: 0, .. }), "{error}");
    let error = read(&file, u64::MAX).expect_err("not there");
    assert!(matches!(error, FramingError::Truncated { found: 17, .. }), "{error}");
}

#[test]
fn record_in_pieces_must_keep_to_what_was_announced() {
    let mut writer = RecordWriter::new(Vec::new());
    let mut record = writer.begin(3).expect("memory");
    record.write(b"ab").expect("fits");
    assert!(record.end().is_err(), "a byte is missing");
    let mut record = writer.begin(1).expect("memory");
    assert!(record.write(b"ab").is_err(), "a byte too many");
}

/// Hands out a byte at a time.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (Some((first, rest)), Some(place)) = (self.0.split_first(), into.first_mut()) else {
            return Ok(0);
        };
        *place = *first;
        self.0 = rest;
        Ok(1)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..20)) {
        let file = written(&records);
        prop_assert_eq!(&read(&file, 1 << 20).unwrap(), &records);
        let mut reader = RecordReader::new(Slow(&file), 1 << 20);
        let mut record = Vec::new();
        for expected in &records {
            prop_assert!(reader.read(&mut record).unwrap());
            prop_assert_eq!(&record, expected);
        }
        prop_assert!(!reader.read(&mut record).unwrap());
    }

    #[test]
    fn whatever_is_read_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes, 1 << 16).ok();
    }
}
