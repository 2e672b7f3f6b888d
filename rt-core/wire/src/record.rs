//! What a record is: fixed size, no padding, no pointer, and a layout hash that two builds compare.
//!
//! `record!` writes the struct, its zerocopy derives (which refuse padding at compile time) and its
//! field table; the hash over names, offsets and sizes stands in the header of each segment, so that
//! a sidecar from another build is refused instead of misread. Shown by: tests/layout.rs.

use core::fmt;
use core::marker::PhantomData;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One field of a record, as the recording's layout description and the layout hash see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name in the source.
    pub name: &'static str,
    /// Bytes from the start of the record.
    pub offset: usize,
    /// Bytes of the whole field (all elements of an array).
    pub size: usize,
    /// Name of the element's type.
    pub type_name: &'static str,
    /// Number of elements; 1 for anything but an array.
    pub count: usize,
    /// Fields of the element, empty for a scalar.
    pub fields: &'static [Field],
}

/// A type that may stand in a record.
pub trait FieldType {
    /// Name of the element's type, the same in every build.
    const TYPE_NAME: &'static str;
    /// Number of elements.
    const COUNT: usize = 1;
    /// Fields of the element, empty for a scalar.
    const TYPE_FIELDS: &'static [Field] = &[];
}

/// A record that crosses a process boundary.
pub trait Record:
    FieldType + FromBytes + IntoBytes + Immutable + KnownLayout + Copy + Default + 'static
{
    /// Name of the record.
    const NAME: &'static str;
    /// The field table.
    const FIELDS: &'static [Field];
    /// Hash over name, field names, offsets, sizes and inner layouts.
    const LAYOUT_HASH: u64;
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a over `bytes`, continued from `hash` (start with 0 for a fresh one).
#[must_use]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "const fn without iterators: the index is bounded by the loop"
)]
pub const fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    let mut hash = if hash == 0 { FNV_OFFSET } else { hash };
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(FNV_PRIME);
        i += 1;
    }
    hash
}

/// Hash of a layout: names, offsets, sizes, counts, types, in order.
#[must_use]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "const fn without iterators: the index is bounded by the loop"
)]
pub const fn layout_hash(name: &str, fields: &[Field]) -> u64 {
    let mut hash = fnv1a(0, name.as_bytes());
    let mut i = 0;
    while i < fields.len() {
        let field = &fields[i];
        hash = fnv1a(hash, field.name.as_bytes());
        hash = fnv1a(hash, &(field.offset as u64).to_le_bytes());
        hash = fnv1a(hash, &(field.size as u64).to_le_bytes());
        hash = fnv1a(hash, &(field.count as u64).to_le_bytes());
        let inner = if field.fields.is_empty() {
            fnv1a(0, field.type_name.as_bytes())
        } else {
            layout_hash(field.type_name, field.fields)
        };
        hash = fnv1a(hash, &inner.to_le_bytes());
        i += 1;
    }
    hash
}

macro_rules! scalar {
    ($($ty:ident),*) => {$(
        impl FieldType for $ty {
            const TYPE_NAME: &'static str = stringify!($ty);
        }
    )*};
}
scalar!(u8, u16, u32, u64, i16, i32, i64, f32, f64);

impl<T: FieldType, const N: usize> FieldType for [T; N] {
    const TYPE_NAME: &'static str = T::TYPE_NAME;
    const COUNT: usize = N;
    const TYPE_FIELDS: &'static [Field] = T::TYPE_FIELDS;
}

/// An enum that travels as a number.
pub trait RawEnum: Copy + 'static {
    /// Name of the enum.
    const ENUM_NAME: &'static str;
    /// The number that travels.
    fn to_raw(self) -> u32;
    /// The value of a number, or `None` if no value has it.
    fn from_raw(raw: u32) -> Option<Self>;
}

/// A number out of shared memory that should be an `E`, and may be anything.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Raw<E> {
    bits: u32,
    kind: PhantomData<E>,
}

impl<E: RawEnum> Raw<E> {
    /// The value as it travels.
    #[must_use]
    pub fn new(value: E) -> Self {
        Self { bits: value.to_raw(), kind: PhantomData }
    }

    /// Any number at all, as a peer might write it.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self { bits, kind: PhantomData }
    }

    /// The number itself.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.bits
    }

    /// The checked conversion: `None` if the number means nothing.
    #[must_use]
    pub fn get(self) -> Option<E> {
        E::from_raw(self.bits)
    }
}

impl<E> Clone for Raw<E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Raw<E> {}
impl<E> PartialEq for Raw<E> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}
impl<E> Eq for Raw<E> {}
impl<E> Default for Raw<E> {
    fn default() -> Self {
        Self { bits: 0, kind: PhantomData }
    }
}
impl<E: RawEnum + fmt::Debug> fmt::Debug for Raw<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => value.fmt(f),
            None => write!(f, "{}?{:#x}", E::ENUM_NAME, self.bits),
        }
    }
}
impl<E: RawEnum> From<E> for Raw<E> {
    fn from(value: E) -> Self {
        Self::new(value)
    }
}
impl<E: RawEnum> FieldType for Raw<E> {
    const TYPE_NAME: &'static str = E::ENUM_NAME;
}

/// Declares a record: `repr(C)`, no padding, field table, layout hash.
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident : $ty:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(C)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        // A record that nobody wrote: what fresh memory holds. (A derive knows no array over 32.)
        impl Default for $name {
            fn default() -> Self {
                zerocopy::FromZeros::new_zeroed()
            }
        }

        impl $crate::FieldType for $name {
            const TYPE_NAME: &'static str = stringify!($name);
            const TYPE_FIELDS: &'static [$crate::Field] = <Self as $crate::Record>::FIELDS;
        }

        impl $crate::Record for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [$crate::Field] = &[$(
                $crate::Field {
                    name: stringify!($field),
                    offset: core::mem::offset_of!($name, $field),
                    size: core::mem::size_of::<$ty>(),
                    type_name: <$ty as $crate::FieldType>::TYPE_NAME,
                    count: <$ty as $crate::FieldType>::COUNT,
                    fields: <$ty as $crate::FieldType>::TYPE_FIELDS,
                },
            )*];
            const LAYOUT_HASH: u64 = $crate::layout_hash(stringify!($name), Self::FIELDS);
        }

        // A ring and a slot move whole words; what is no whole word may only stand in another record.
        const _: () = assert!(core::mem::size_of::<$name>() % 8 == 0 || core::mem::align_of::<$name>() < 8);
    };
}

/// Declares an enum that travels as a `u32` through [`Raw`].
macro_rules! raw_enum {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $value:literal, $text:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum $name {
            $($(#[$variant_meta])* $variant = $value,)*
        }

        impl $name {
            /// Every value, in order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name used in reports, logs and JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl $crate::RawEnum for $name {
            const ENUM_NAME: &'static str = stringify!($name);
            fn to_raw(self) -> u32 {
                self as u32
            }
            fn from_raw(raw: u32) -> Option<Self> {
                match raw { $($value => Some(Self::$variant),)* _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

/// Declares a set of bits that may come from anywhere: unknown bits are kept and mean nothing. It
/// has 32 bits, or as many as the type after its name.
macro_rules! bit_set {
    ($(#[$meta:meta])* pub struct $name:ident { $($bits:tt)* }) => {
        bit_set! { $(#[$meta])* pub struct $name: u32 { $($bits)* } }
    };
    ($(#[$meta:meta])* pub struct $name:ident: $word:ident {
        $($(#[$bit_meta:meta])* $bit:ident = $shift:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, Hash,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name(pub $word);

        impl $name {
            $($(#[$bit_meta])* pub const $bit: Self = Self(1 << $shift);)*
            /// No bit set.
            pub const EMPTY: Self = Self(0);

            /// Whether every bit of `other` is set.
            #[must_use]
            pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// This set with the bits of `other` added where `on` holds.
            #[must_use]
            pub const fn with(self, other: Self, on: bool) -> Self {
                if on { Self(self.0 | other.0) } else { self }
            }

            /// Whether no bit is set.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Name of each set bit that has one.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                [$((stringify!($bit), Self::$bit),)*]
                    .into_iter()
                    .filter(move |(_, bit)| self.has(*bit))
                    .map(|(name, _)| name)
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl core::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_list().entries(self.names()).finish()
            }
        }

        impl $crate::FieldType for $name {
            const TYPE_NAME: &'static str = stringify!($name);
        }
    };
}
