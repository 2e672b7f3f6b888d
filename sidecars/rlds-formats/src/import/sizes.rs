//! What a Parquet file says of its own sizes, looked over before the library believes it.
//!
//! *What it decides.* How large a page, its dictionary, a list and a schema may be. The library takes as
//! much memory as they say, whatever there is. *What it must never do.* Read what lies in the pages.
//! Shown by: tests below, the fuzz target import_lerobot.

use super::thrift::{Met, walk};
use parquet::file::metadata::ColumnChunkMetaData;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A page, unpacked. A picture is not larger.
const PAGE_BYTES_MAX: i64 = 64 << 20;
/// Values of a page of lists: each row may hold any number of them.
const PAGE_VALUES_MAX: i64 = 4 << 20;
/// What a page says of itself; smallest and largest value may be in it.
const HEADER_BYTES: usize = 4 << 10;
const HEADER_BYTES_MAX: usize = 1 << 20;
/// What the file says of itself.
const FOOTER_BYTES_MAX: u64 = 16 << 20;
/// Groups inside each other, and members of one.
const SCHEMA_DEPTH_MAX: usize = 16;
const SCHEMA_WIDTH_MAX: i64 = 1 << 16;

/// Whether the file's schema is of a size that can be meant.
pub(super) fn check_schema(file: &File) -> Result<(), String> {
    const SCHEMA: i16 = 2;
    const CHILDREN: i16 = 5;
    const TAIL: u64 = 8;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let mut tail = [0; 4];
    let tail_at = length.checked_sub(TAIL).ok_or("a file of less than 8 bytes")?;
    file.read_exact_at(&mut tail, tail_at).map_err(|error| error.to_string())?;
    let bytes = u64::from(u32::from_le_bytes(tail));
    let at = tail_at.checked_sub(bytes).ok_or("a footer longer than the file")?;
    if bytes > FOOTER_BYTES_MAX {
        return Err(format!("a footer of {bytes} bytes"));
    }
    let mut footer = vec![0; usize::try_from(bytes).unwrap_or_default()];
    file.read_exact_at(&mut footer, at).map_err(|error| error.to_string())?;
    // Members that are still to come of each group that is open.
    let (mut open, mut children) = (Vec::new(), 0);
    walk(&footer, &mut |place, met| {
        match (place, met) {
            ([SCHEMA, CHILDREN], Met::Number(number)) => children = number,
            ([SCHEMA], Met::End) => {
                if let Some(left) = open.last_mut() {
                    *left -= 1;
                }
                match std::mem::take(&mut children) {
                    0 => {}
                    members @ 1..=SCHEMA_WIDTH_MAX => open.push(members),
                    other => return Err(format!("a group of {other} members")),
                }
                if open.len() > SCHEMA_DEPTH_MAX {
                    return Err(format!("groups more than {SCHEMA_DEPTH_MAX} deep"));
                }
                while open.last() == Some(&0) {
                    open.pop();
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(())
}

/// Whether the pages of a column are of sizes that can be meant.
pub(super) fn check_pages(
    file: &File,
    chunk: &ColumnChunkMetaData,
    is_list: bool,
) -> Result<(), String> {
    let at = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let (at, bytes) = (u64::try_from(at), u64::try_from(chunk.compressed_size()));
    let (Ok(mut at), Ok(mut left)) = (at, bytes) else {
        return Err("a place before the file's beginning".to_owned());
    };
    let mut header = Vec::new();
    while left > 0 {
        let mut looked_at = |bytes: usize| {
            header.resize(usize::try_from(left).unwrap_or(usize::MAX).min(bytes), 0);
            let read = file.read_at(&mut header, at).map_err(|error| error.to_string())?;
            check_page(header.get(..read).unwrap_or_default(), is_list)
        };
        // Nearly every header is short.
        let page = looked_at(HEADER_BYTES).or_else(|_short| looked_at(HEADER_BYTES_MAX));
        let (header_bytes, packed) = page?;
        let whole = (header_bytes as u64).saturating_add(packed);
        left = left.checked_sub(whole).ok_or("a page beyond its column's end")?;
        at = at.saturating_add(whole);
    }
    Ok(())
}

/// Bytes of a page's header, and of the page as it lies there.
fn check_page(bytes: &[u8], is_list: bool) -> Result<(usize, u64), String> {
    const PLAIN_BYTES: &[i16] = &[2];
    const PACKED_BYTES: &[i16] = &[3];
    const VALUES: [&[i16]; 2] = [&[5, 1], &[8, 1]];
    const DICTIONARY_VALUES: &[i16] = &[7, 1];
    const LEVELS_BYTES: [&[i16]; 2] = [&[8, 5], &[8, 6]];
    let (mut plain, mut packed, mut values, mut dictionary, mut levels) = (0, 0, 0, 0, 0);
    let length = walk(bytes, &mut |place, met| {
        let Met::Number(number) = met else { return Ok(()) };
        match place {
            PLAIN_BYTES => plain = number,
            PACKED_BYTES => packed = number,
            DICTIONARY_VALUES => dictionary = number,
            place if VALUES.contains(&place) => values = number,
            place if LEVELS_BYTES.contains(&place) => levels = number.max(levels),
            _ => {}
        }
        Ok(())
    })?;
    let packed_bytes = u64::try_from(packed).map_err(|_below| "a page of less than no bytes")?;
    if !(0..=PAGE_BYTES_MAX).contains(&plain) {
        return Err(format!("a page of {plain} bytes, expected at most {PAGE_BYTES_MAX}"));
    }
    // Each value of a dictionary takes a byte at least, and levels lie in the page.
    if dictionary > plain || levels > plain {
        return Err(format!("more values than a page of {plain} bytes can hold"));
    }
    if is_list && values > PAGE_VALUES_MAX {
        return Err(format!("a page of {values} values, expected at most {PAGE_VALUES_MAX}"));
    }
    Ok((length, packed_bytes))
}

#[cfg(test)]
mod tests {
    use super::check_page;

    /// A header of these fields, each a whole number, in the order of their numbers.
    fn header(plain: u32, outer: u8, fields: &[(u8, u32)]) -> Vec<u8> {
        fn number(into: &mut Vec<u8>, value: u32) {
            let mut value = u64::from(value) << 1;
            while value >= 0x80 {
                into.push(value as u8 | 0x80);
                value >>= 7;
            }
            into.push(value as u8);
        }
        let mut bytes = vec![0x15, 0];
        for value in [plain, 100] {
            bytes.push(0x15);
            number(&mut bytes, value);
        }
        bytes.push((outer - 3) << 4 | 12);
        let mut last = 0;
        for (field, value) in fields {
            bytes.push((field - last) << 4 | 5);
            number(&mut bytes, *value);
            last = *field;
        }
        bytes.extend_from_slice(&[0, 0]);
        bytes
    }

    #[test]
    fn page_that_asks_for_more_than_it_can_hold_is_refused() {
        let data = header(1000, 5, &[(1, 20)]);
        assert_eq!(check_page(&data, true), Ok((data.len(), 100)));
        let refused = |header: Vec<u8>| check_page(&header, true).expect_err("refused");
        assert!(refused(header(1 << 30, 5, &[(1, 20)])).contains("a page of 1073741824 bytes"));
        assert!(refused(header(1000, 5, &[(1, 1 << 30)])).contains("1073741824 values"));
        assert!(refused(header(1000, 7, &[(1, 1001)])).contains("more values than"));
        assert!(refused(header(1000, 8, &[(1, 1), (5, 1001)])).contains("more values than"));
        assert!(refused(header(1000, 8, &[(1, 1), (6, 1001)])).contains("more values than"));
    }
}
