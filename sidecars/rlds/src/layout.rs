//! The layout of a record as JSON: what stands in the recording's schema, so that a reader without
//! our source can take the bytes apart.
//!
//! It decides nothing: the field table of `rt-wire` does. Shown by: tests/recording.rs.

use rt_wire::{Field, Record};
use serde::{Deserialize, Serialize};

/// Schema encoding of a record's layout.
pub(crate) const SCHEMA_ENCODING: &str = "continuon-layout";
/// Message encoding of raw wire bytes.
pub(crate) const MESSAGE_ENCODING: &str = "continuon-wire";

#[derive(Serialize)]
struct LayoutOut {
    record: &'static str,
    bytes: usize,
    byte_order: &'static str,
    layout_hash: String,
    fields: Vec<FieldOut>,
}

#[derive(Serialize)]
struct FieldOut {
    name: &'static str,
    offset: usize,
    size: usize,
    #[serde(rename = "type")]
    type_name: &'static str,
    count: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldOut>,
}

impl From<&Field> for FieldOut {
    fn from(field: &Field) -> Self {
        Self {
            name: field.name,
            offset: field.offset,
            size: field.size,
            type_name: field.type_name,
            count: field.count,
            fields: field.fields.iter().map(Self::from).collect(),
        }
    }
}

/// The layout of `T` as JSON text.
pub(crate) fn layout_json<T: Record>() -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&LayoutOut {
        record: T::NAME,
        bytes: size_of::<T>(),
        byte_order: if cfg!(target_endian = "little") { "little" } else { "big" },
        layout_hash: hash_text(T::LAYOUT_HASH),
        fields: T::FIELDS.iter().map(FieldOut::from).collect(),
    })
}

/// A layout hash as people and files see it.
pub(crate) fn hash_text(hash: u64) -> String {
    format!("{hash:#018x}")
}

/// What a reader checks before it believes a single byte.
#[derive(Deserialize)]
pub(crate) struct LayoutIn {
    pub(crate) bytes: u64,
    pub(crate) byte_order: String,
    pub(crate) layout_hash: String,
}
