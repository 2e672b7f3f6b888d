//! The field at a byte of a record, found and named by the record's own layout.
//!
//! It keeps no list of fields: `rt-wire`'s `record!` wrote it. Shown by: tests/replay.rs.

use crate::value::Value;
use core::fmt;
use rt_wire::{Field, Record};

/// A scalar field of a record; its path is what it displays as (`outcome.signs[3]`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FieldAt {
    /// What the path begins with: where the record stands.
    root: &'static str,
    fields: &'static [Field],
    /// A byte inside the field, from the start of the record.
    byte: usize,
}

/// One step down: a field, which of its elements, and the byte inside that element.
struct Step {
    field: &'static Field,
    index: usize,
    byte: usize,
}

impl FieldAt {
    /// The layout's field over `byte`.
    fn step(fields: &'static [Field], byte: usize) -> Option<Step> {
        let field = fields
            .iter()
            .find(|field| byte >= field.offset && byte < field.offset.saturating_add(field.size))?;
        let inside = byte.checked_sub(field.offset)?;
        let element_bytes = field.size.checked_div(field.count)?;
        let index = inside.checked_div(element_bytes)?;
        Some(Step { field, index, byte: inside.checked_rem(element_bytes)? })
    }

    /// Every step from the record down to the scalar.
    fn steps(self) -> impl Iterator<Item = Step> {
        let mut next = Self::step(self.fields, self.byte);
        core::iter::from_fn(move || {
            let step = next.take()?;
            next = Self::step(step.field.fields, step.byte);
            Some(step)
        })
    }

    /// Name of the scalar's type, as in the record's layout.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        self.steps().last().map_or("?", |step| step.field.type_name)
    }

    /// Bytes of the whole scalar: where it begins in the record, and where it ends.
    fn range(self) -> core::ops::Range<usize> {
        let size = |field: &Field| field.size.checked_div(field.count).unwrap_or(1).max(1);
        match self.steps().last() {
            Some(step) => {
                let start = self.byte.saturating_sub(step.byte);
                start..start.saturating_add(size(step.field))
            }
            // No layout leaves a byte out; were one to, the byte would stand for itself.
            None => self.byte..self.byte.saturating_add(1),
        }
    }

    /// The value in `bytes`, a record of this layout.
    fn value(self, bytes: &[u8]) -> Value {
        Value::new(self.type_name(), bytes.get(self.range()).unwrap_or_default())
    }
}

impl fmt::Display for FieldAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root)?;
        for step in self.steps() {
            write!(f, ".{}", step.field.name)?;
            if step.field.count > 1 {
                write!(f, "[{}]", step.index)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for FieldAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A field in which two records differ, with both values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Differing {
    pub(crate) field: FieldAt,
    pub(crate) recorded: Value,
    pub(crate) replayed: Value,
}

/// Every scalar in which the two records differ by any bit, in the order of the layout. Bits count,
/// not values: 0.0 and −0.0 differ, and a NaN is equal to itself.
pub(crate) fn differing<'a, T: Record>(
    root: &'static str,
    recorded: &'a T,
    replayed: &'a T,
) -> impl Iterator<Item = Differing> + 'a {
    let (recorded, replayed) = (recorded.as_bytes(), replayed.as_bytes());
    let mut from = 0;
    core::iter::from_fn(move || {
        let mut pairs = recorded.iter().zip(replayed).skip(from);
        let byte = from.saturating_add(pairs.position(|(one, other)| one != other)?);
        let field = FieldAt { root, fields: T::FIELDS, byte };
        from = field.range().end;
        Some(Differing { field, recorded: field.value(recorded), replayed: field.value(replayed) })
    })
}
