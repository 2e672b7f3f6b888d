//! What stands in a repaired recording where something was taken out of it.
//!
//! It decides nothing: it says how many chunks are missing here and why, so that nobody takes the
//! place for whole, and nobody for newly damaged. Shown by: tests/fsck.rs.

use crate::container::put;

/// Name of the metadata record.
pub(crate) const NAME: &str = "continuon.lost";
const NEXT: &str = "next_chunk";

/// Appends the mark: before chunk `next` something is missing, because of what was `found`.
pub(crate) fn put(into: &mut Vec<u8>, next: u64, found: &str) {
    let next = next.to_string();
    let crc = crc(&next, found);
    put::metadata(into, NAME, [("crc", crc.as_str()), ("found", found), (NEXT, next.as_str())]);
}

/// The chunk that follows; `None` if the mark does not hold together.
pub(crate) fn next_chunk(pairs: &[(&str, &str)]) -> Option<u64> {
    match pairs {
        [("crc", told), ("found", found), (NEXT, next)] => {
            (*told == crc(next, found)).then(|| next.parse().ok())?
        }
        _ => None,
    }
}

/// What was found in its place.
pub(crate) fn found<'a>(pairs: &[(&str, &'a str)]) -> &'a str {
    pairs.iter().find(|(key, _)| *key == "found").map_or("", |(_, found)| found)
}

fn crc(next: &str, found: &str) -> String {
    format!("{:#010x}", crc32fast::hash(format!("{next}:{found}").as_bytes()))
}
