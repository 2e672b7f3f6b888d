//! `tf.train.Example`: a map from names to lists of bytes, floats or integers.
//!
//! *What it decides.* How such a map lies in protobuf's wire format. It is written straight into a
//! buffer, in the order in which features are added, because a tree of maps and vectors would cost
//! more than everything else; it is read with prost, which knows all that others may write. *What it
//! must never do.* Panic on what it reads.
//!
//! Shown by: tests/formats/example.rs, and tests/readers/ with TensorFlow.

use std::collections::BTreeMap;
use zerocopy::IntoBytes;

/// The message as TensorFlow declares it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Example {
    /// All features.
    #[prost(message, optional, tag = "1")]
    pub features: Option<Features>,
}

/// Features by name.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Features {
    /// By name.
    #[prost(btree_map = "string, message", tag = "1")]
    pub feature: BTreeMap<String, Feature>,
}

/// One feature.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Feature {
    /// Its values; absent where it has none.
    #[prost(oneof = "Kind", tags = "1, 2, 3")]
    pub kind: Option<Kind>,
}

/// The three kinds of lists.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Kind {
    /// Texts, pictures, anything.
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    /// Floats.
    #[prost(message, tag = "2")]
    Floats(FloatList),
    /// Integers and booleans.
    #[prost(message, tag = "3")]
    Ints(Int64List),
}

/// Texts, pictures, anything.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BytesList {
    /// In order.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub value: Vec<Vec<u8>>,
}

/// Floats.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FloatList {
    /// In order.
    #[prost(float, repeated, tag = "1")]
    pub value: Vec<f32>,
}

/// Integers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Int64List {
    /// In order.
    #[prost(int64, repeated, tag = "1")]
    pub value: Vec<i64>,
}

impl Example {
    /// The feature of this name, if it has values.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.features.as_ref()?.feature.get(name)?.kind.as_ref()
    }

    /// The one value of a list of bytes.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.kind(name)? {
            Kind::Bytes(list) => list.value.first().map(Vec::as_slice),
            Kind::Floats(_) | Kind::Ints(_) => None,
        }
    }

    /// All values of a list of floats; empty where there is none.
    #[must_use]
    pub fn floats(&self, name: &str) -> &[f32] {
        match self.kind(name) {
            Some(Kind::Floats(list)) => &list.value,
            Some(Kind::Bytes(_) | Kind::Ints(_)) | None => &[],
        }
    }

    /// All values of a list of integers; empty where there is none.
    #[must_use]
    pub fn ints(&self, name: &str) -> &[i64] {
        match self.kind(name) {
            Some(Kind::Ints(list)) => &list.value,
            Some(Kind::Bytes(_) | Kind::Floats(_)) | None => &[],
        }
    }
}

/// Field numbers of [`Kind`], which are those of its three lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    Bytes = 1,
    Floats = 2,
    Ints = 3,
}

/// Wire type of everything with a length before it.
const LENGTH_DELIMITED: u8 = 2;
const FIELD_1: u8 = 1 << 3 | LENGTH_DELIMITED;
const FIELD_2: u8 = 2 << 3 | LENGTH_DELIMITED;

/// Puts together one Example after the other, in the same memory.
#[derive(Default)]
pub struct ExampleEncoder {
    body: Vec<u8>,
    head: Vec<u8>,
}

impl ExampleEncoder {
    /// With nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the next Example.
    pub fn clear(&mut self) {
        self.body.clear();
    }

    /// A feature with one value.
    pub fn bytes(&mut self, name: &str, value: &[u8]) {
        let list_bytes = delimited_bytes(value.len());
        put_feature_head(&mut self.body, name, ListKind::Bytes, list_bytes);
        put_delimited(&mut self.body, FIELD_1, value);
    }

    /// A feature with floats.
    pub fn floats(&mut self, name: &str, values: &[f32]) {
        let packed_bytes = size_of_val(values);
        put_feature_head(&mut self.body, name, ListKind::Floats, packed_list_bytes(packed_bytes));
        if packed_bytes > 0 {
            self.body.push(FIELD_1);
            put_varint(&mut self.body, packed_bytes as u64);
            put_floats(&mut self.body, values);
        }
    }

    /// A feature with one integer.
    pub fn int(&mut self, name: &str, value: i64) {
        let bytes = varint_bytes(value.cast_unsigned());
        put_feature_head(&mut self.body, name, ListKind::Ints, packed_list_bytes(bytes));
        self.body.push(FIELD_1);
        put_varint(&mut self.body, bytes as u64);
        put_varint(&mut self.body, value.cast_unsigned());
    }

    /// The Example in two pieces that belong one after the other.
    pub fn parts(&mut self) -> [&[u8]; 2] {
        self.head.clear();
        self.head.push(FIELD_1);
        put_varint(&mut self.head, self.body.len() as u64);
        [&self.head, &self.body]
    }

    /// The Example in one piece.
    pub fn to_vec(&mut self) -> Vec<u8> {
        self.parts().concat()
    }
}

/// What stands before the values of a feature whose list has `list_bytes` bytes.
pub(crate) fn put_feature_head(into: &mut Vec<u8>, name: &str, kind: ListKind, list_bytes: usize) {
    let feature_bytes = delimited_bytes(list_bytes);
    let entry_bytes = delimited_bytes(name.len()).saturating_add(delimited_bytes(feature_bytes));
    into.push(FIELD_1);
    put_varint(into, entry_bytes as u64);
    put_delimited(into, FIELD_1, name.as_bytes());
    into.push(FIELD_2);
    put_varint(into, feature_bytes as u64);
    into.push((kind as u8) << 3 | LENGTH_DELIMITED);
    put_varint(into, list_bytes as u64);
}

/// What stands before the packed values of a list.
pub(crate) fn put_packed_head(into: &mut Vec<u8>, packed_bytes: usize) {
    into.push(FIELD_1);
    put_varint(into, packed_bytes as u64);
}

/// What stands before all features of an Example.
pub(crate) fn put_example_head(into: &mut Vec<u8>, features_bytes: u64) {
    into.push(FIELD_1);
    put_varint(into, features_bytes);
}

/// One value of a list of bytes.
pub(crate) fn put_bytes_value(into: &mut Vec<u8>, value: &[u8]) {
    put_delimited(into, FIELD_1, value);
}

/// Bytes of a list whose packed values have `packed_bytes`; an empty list has none.
pub(crate) fn packed_list_bytes(packed_bytes: usize) -> usize {
    if packed_bytes == 0 { 0 } else { delimited_bytes(packed_bytes) }
}

/// The values themselves: on most machines as they lie in memory.
pub(crate) fn put_floats(into: &mut Vec<u8>, values: &[f32]) {
    if cfg!(target_endian = "little") {
        into.extend_from_slice(values.as_bytes());
    } else {
        values.iter().for_each(|value| into.extend_from_slice(&value.to_le_bytes()));
    }
}

pub(crate) fn put_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn put_delimited(into: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    into.push(tag);
    put_varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

/// Bytes of a field with its tag and its length.
fn delimited_bytes(content_bytes: usize) -> usize {
    1_usize.saturating_add(varint_bytes(content_bytes as u64)).saturating_add(content_bytes)
}

fn varint_bytes(value: u64) -> usize {
    // Seven bits a byte, and zero takes one.
    (64 - (value | 1).leading_zeros()).div_ceil(7) as usize
}
