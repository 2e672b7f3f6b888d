//! Which build this is: the first eight bytes of the linker's own build id.
//!
//! The linker hashes what it writes and leaves the hash in the executable (`.note.gnu.build-id`, as
//! `readelf -n` prints it); reading it costs a few hundred bytes, where hashing the executable costs a
//! pass over all of it, symbols included, while the car waits to be armed. It survives `strip`, so a
//! recording names the build whose symbols lie elsewhere. Where a linker left none, the executable is
//! hashed after all. It decides nothing. Shown by: the tests below.

use rt_wire::fnv1a;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;

/// What `e_ident` begins with in a 64-bit little-endian ELF file (elf(5)).
const ELF64_LITTLE: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
const PT_NOTE: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;
const GNU: &[u8] = b"GNU\0";
/// No program header of ours is larger, no file has more of them, and no note segment is longer.
const PROGRAM_HEADER_BYTES: u16 = 56;
const PROGRAM_HEADERS_MAX: u16 = 64;
const NOTES_BYTES_MAX: u64 = 4096;

/// Names the executable of this process; 0 where it cannot be read.
#[must_use]
pub fn build_id() -> u64 {
    File::open("/proc/self/exe").map_or(0, |file| of_linker(&file).unwrap_or_else(|| hashed(file)))
}

/// What the linker left; `None` if there is nothing.
fn of_linker(file: &File) -> Option<u64> {
    find_id(|place, bytes| file.read_exact_at(bytes, place).ok())
}

/// A hash over all of it; 0 where it cannot be read to its end.
fn hashed(mut file: File) -> u64 {
    let hash = || -> io::Result<u64> {
        // In pieces: the whole of it would be locked in memory for good.
        let mut piece = [0_u8; 64 * 1024];
        let mut hash = 0;
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hash),
                bytes => hash = fnv1a(hash, &piece[..bytes]),
            }
        }
    };
    let mut hash = hash;
    hash().unwrap_or(0)
}

/// Looks through the notes of an executable of which `read` fills a buffer from a place.
fn find_id(read: impl Fn(u64, &mut [u8]) -> Option<()>) -> Option<u64> {
    let mut header = [0_u8; 64];
    read(0, &mut header)?;
    if header[..6] != ELF64_LITTLE || half(&header, 54)? != PROGRAM_HEADER_BYTES {
        return None;
    }
    let (first, count) = (long(&header, 32)?, half(&header, 56)?.min(PROGRAM_HEADERS_MAX));
    (0..count).find_map(|place| {
        let mut program = [0_u8; PROGRAM_HEADER_BYTES as usize];
        let at = first.checked_add(u64::from(place) * u64::from(PROGRAM_HEADER_BYTES))?;
        read(at, &mut program)?;
        let bytes = long(&program, 32)?;
        if word(&program, 0)? != PT_NOTE || bytes > NOTES_BYTES_MAX {
            return None;
        }
        let mut notes = vec![0_u8; usize::try_from(bytes).ok()?];
        read(long(&program, 8)?, &mut notes)?;
        id_among(&notes)
    })
}

/// The id among notes, each of which is: length of name, length of content, type, name, content.
fn id_among(mut notes: &[u8]) -> Option<u64> {
    loop {
        let (name, content, kind) = (word(notes, 0)?, word(notes, 4)?, word(notes, 8)?);
        let padded = |length: u32| usize::try_from(length).ok()?.checked_next_multiple_of(4);
        let content_at = padded(name)?.checked_add(12)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..content_at)? == GNU {
            let id = notes.get(content_at..content_at.checked_add(8)?)?;
            return id.try_into().ok().map(u64::from_be_bytes).filter(|_| content >= 8);
        }
        notes = notes.get(content_at.checked_add(padded(content)?)?..)?;
    }
}

fn half(bytes: &[u8], place: usize) -> Option<u16> {
    bytes.get(place..place + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn word(bytes: &[u8], place: usize) -> Option<u32> {
    bytes.get(place..place + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn long(bytes: &[u8], place: usize) -> Option<u64> {
    bytes.get(place..place + 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with two program headers, the second of which has these notes.
    fn elf(notes: &[u8]) -> Vec<u8> {
        let mut file = vec![0_u8; 64 + 2 * 56];
        file[..6].copy_from_slice(&ELF64_LITTLE);
        file[32..40].copy_from_slice(&64_u64.to_le_bytes());
        file[54..56].copy_from_slice(&56_u16.to_le_bytes());
        file[56..58].copy_from_slice(&2_u16.to_le_bytes());
        let place = u64::try_from(file.len()).expect("small");
        let program = &mut file[64 + 56..];
        program[..4].copy_from_slice(&PT_NOTE.to_le_bytes());
        program[8..16].copy_from_slice(&place.to_le_bytes());
        program[32..40].copy_from_slice(&u64::try_from(notes.len()).expect("small").to_le_bytes());
        file.extend_from_slice(notes);
        file
    }

    fn note(kind: u32, name: &[u8], content: &[u8]) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("small").to_le_bytes();
        let mut note = [length(name), length(content), kind.to_le_bytes()].concat();
        for part in [name, content] {
            note.extend_from_slice(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    fn id(file: &[u8]) -> Option<u64> {
        find_id(|place, bytes| {
            let place = usize::try_from(place).ok()?;
            bytes.copy_from_slice(file.get(place..place.checked_add(bytes.len())?)?);
            Some(())
        })
    }

    #[test]
    fn id_is_found_behind_other_notes_and_begins_as_it_is_printed() {
        let twenty: Vec<u8> = (0x10..0x24).collect();
        let abi = note(1, GNU, &[0; 16]);
        let strange = note(NT_GNU_BUILD_ID, b"ELSE!\0", &[9; 5]);
        let file = elf(&[abi, strange, note(NT_GNU_BUILD_ID, GNU, &twenty)].concat());
        assert_eq!(id(&file), Some(0x1011_1213_1415_1617));
    }

    #[test]
    fn file_without_an_id_or_cut_anywhere_has_none_and_ends_nothing() {
        let whole = elf(&note(NT_GNU_BUILD_ID, GNU, &[7; 20]));
        assert!(id(&whole).is_some());
        assert_eq!(id(&elf(&note(1, GNU, &[7; 20]))), None);
        assert_eq!(id(&elf(&note(NT_GNU_BUILD_ID, GNU, &[7; 4]))), None, "too short for ours");
        for length in 0..whole.len() - 13 {
            assert_eq!(id(&whole[..length]), None, "{length}");
        }
        assert_eq!(id(&elf(&[0xff; 64])), None, "lengths beyond the end");
    }

    #[test]
    fn test_program_has_an_id_that_a_copy_shares_and_another_content_does_not() {
        let ours = build_id();
        assert_ne!(ours, 0);
        assert_eq!(ours, build_id());
        let folder = tempfile::tempdir().expect("a folder");
        let hash = |bytes: &[u8]| {
            let path = folder.path().join("x");
            std::fs::write(&path, bytes).expect("written");
            hashed(File::open(&path).expect("there"))
        };
        assert_ne!(hash(b"one build"), hash(b"another"));
    }
}
