//! Thrift's compact form, looked over before a library believes it.
//!
//! *What it decides.* Whether the bytes are one structure: every text and list lies within them, and
//! none is deeper than [`DEPTH_MAX`]. *What it must never do.* Take memory: it only walks, and tells
//! the whole numbers that it meets. Shown by: tests below, and the fuzz target import_lerobot.

/// A Parquet file's own structures are six deep.
const DEPTH_MAX: usize = 16;

/// What the walk meets, with the numbers of the fields that lead there.
pub(super) enum Met {
    /// A whole number.
    Number(i64),
    /// The end of a structure.
    End,
}

/// Who hears of it, and may refuse.
type Told<'a> = dyn FnMut(&[i16], Met) -> Result<(), String> + 'a;

/// Walks over the structure that `bytes` begin with; returns how long it is.
///
/// # Errors
/// In words, if it is none, or `told` refuses what it hears.
pub(super) fn walk(bytes: &[u8], told: &mut Told<'_>) -> Result<usize, String> {
    let mut walk = Walk { bytes, at: 0, place: Vec::new(), told };
    walk.structure()?;
    Ok(walk.at)
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    place: Vec<i16>,
    told: &'a mut Told<'a>,
}

impl Walk<'_> {
    fn structure(&mut self) -> Result<(), String> {
        if self.place.len() == DEPTH_MAX {
            return Err(format!("structures more than {DEPTH_MAX} deep"));
        }
        let mut field = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return (self.told)(&self.place, Met::End);
            }
            field = match head >> 4 {
                0 => i16::try_from(self.number()?).map_err(|_wide| "a field without a number")?,
                step => field.checked_add(i16::from(step)).ok_or("a field without a number")?,
            };
            self.place.push(field);
            match head & 0x0f {
                // A truth value stands in the head itself.
                1 | 2 => {}
                kind => self.value(kind)?,
            }
            self.place.pop();
        }
    }

    fn value(&mut self, kind: u8) -> Result<(), String> {
        match kind {
            1..=3 => self.byte().map(drop),
            4..=6 => {
                let number = self.number()?;
                (self.told)(&self.place, Met::Number(number))
            }
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    few => u64::from(few),
                };
                self.values(count, &[head & 0x0f])
            }
            11 => match self.varint()? {
                0 => Ok(()),
                count => {
                    let kinds = self.byte()?;
                    self.values(count, &[kinds >> 4, kinds & 0x0f])
                }
            },
            12 => self.structure(),
            other => Err(format!("a value of kind {other}")),
        }
    }

    /// So many values, or pairs of them.
    fn values(&mut self, count: u64, kinds: &[u8]) -> Result<(), String> {
        // Each takes a byte at least.
        if count > self.bytes.len().saturating_sub(self.at) as u64 {
            return Err(format!("a list of {count} beyond the end"));
        }
        for _ in 0..count {
            kinds.iter().try_for_each(|kind| self.value(*kind))?;
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, String> {
        let byte = self.bytes.get(self.at).copied().ok_or("the end in mid-structure")?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), String> {
        let left = self.bytes.len().saturating_sub(self.at);
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= left);
        self.at = self.at.saturating_add(bytes.ok_or("a text beyond the end")?);
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number of more than 64 bits".to_owned())
    }

    /// A number with its sign in the last bit.
    fn number(&mut self) -> Result<i64, String> {
        let value = self.varint()?;
        #[expect(clippy::cast_possible_wrap, reason = "half of it, and one bit, fit")]
        let (half, sign) = ((value >> 1) as i64, (value & 1) as i64);
        Ok(half ^ -sign)
    }
}

#[cfg(test)]
mod tests {
    use super::{Met, walk};

    /// Fields 1: 150, 2: true, 3: "ab", 5: [7, -1], 6: { 1: -2 }, 7: {}, 8: 1.0, and the end.
    const WHOLE: &[u8] = &[
        0x15, 0xac, 0x02, 0x11, 0x18, 2, b'a', b'b', 0x29, 0x25, 14, 1, 0x1c, 0x15, 3, 0, 0x1b, 0,
        0x17, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0,
    ];

    fn numbers(bytes: &[u8]) -> Result<Vec<(Vec<i16>, i64)>, String> {
        let mut numbers = Vec::new();
        let length = walk(bytes, &mut |place, met| {
            if let Met::Number(number) = met {
                numbers.push((place.to_vec(), number));
            }
            Ok(())
        })?;
        assert_eq!(length, bytes.len());
        Ok(numbers)
    }

    #[test]
    fn whole_numbers_are_told_with_their_place() {
        let expected = [(vec![1], 150), (vec![5], 7), (vec![5], -1), (vec![6, 1], -2)];
        assert_eq!(numbers(WHOLE).as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn what_is_cut_off_deep_or_reaches_beyond_the_end_is_refused() {
        for length in 0..WHOLE.len() {
            assert!(numbers(&WHOLE[..length]).is_err(), "{length} bytes");
        }
        assert!(numbers(&[0x1c; 100]).is_err_and(|what| what.contains("deep")));
        let long = [0x18, 0xff, 0xff, 0xff, 0x7f, 0];
        assert!(numbers(&long).is_err_and(|what| what.contains("beyond the end")));
        let many = [0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f, 0];
        assert!(numbers(&many).is_err_and(|what| what.contains("beyond the end")));
    }
}
