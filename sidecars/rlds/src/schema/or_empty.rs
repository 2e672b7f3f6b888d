//! Lists that hold exactly `N` numbers, or none where there is nothing to tell.
//!
//! Shown by: tests/schema.rs.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serialize, Serializer};

/// As a list of `N` numbers, or as an empty one.
pub(super) fn serialize<S: Serializer, const N: usize>(
    numbers: &Option<[f32; N]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    numbers.as_ref().map_or(&[][..], |numbers| &numbers[..]).serialize(serializer)
}

/// From a list of `N` numbers, or from an empty one; anything else is refused.
pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<Option<[f32; N]>, D::Error> {
    deserializer.deserialize_seq(Numbers::<N>)
}

struct Numbers<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for Numbers<N> {
    type Value = Option<[f32; N]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} numbers or none")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut numbers = [0.0; N];
        let mut count = 0_usize;
        while let Some(number) = list.next_element()? {
            let Some(place) = numbers.get_mut(count) else {
                return Err(A::Error::invalid_length(count.saturating_add(1), &self));
            };
            *place = number;
            count = count.saturating_add(1);
        }
        match count {
            0 => Ok(None),
            _ if count == N => Ok(Some(numbers)),
            _ => Err(A::Error::invalid_length(count, &self)),
        }
    }
}
