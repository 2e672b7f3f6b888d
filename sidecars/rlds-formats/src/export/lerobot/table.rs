//! A Parquet file, filled row by row and written in groups of rows.
//!
//! *What it decides.* How lists and pictures lie in Parquet's columns: three levels for a list, as
//! other writers have it. *What it must never do.* Hold more than a group of rows.
//!
//! Shown by: tests/formats/lerobot.rs, tests/readers/lerobot.py.

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::sync::Arc;

/// What a column is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Float,
    Double,
    Bool,
    Text,
    /// A list of floats.
    Floats,
    /// A list of doubles.
    Doubles,
    /// Doubles as channel × 1 × 1.
    DoublesNested,
    /// A list of texts.
    Texts,
    /// Bytes and a path, as `datasets` keeps a picture.
    Picture,
}

/// A value of a row.
pub(super) enum Cell<'a> {
    Int(i64),
    Float(f32),
    Double(f64),
    Bool(bool),
    Text(&'a str),
    Floats(&'a [f32]),
    Doubles(&'a [f64]),
    Texts(&'a [String]),
    Picture { jpeg: &'a [u8], path: &'a str },
}

impl Kind {
    fn schema(&self, name: &str) -> String {
        let list = |element: &str| {
            format!(
                "optional group {name} (LIST) {{ repeated group list {{ optional {element} element; }} }}"
            )
        };
        match self {
            Self::Int => format!("optional int64 {name};"),
            Self::Float => format!("optional float {name};"),
            Self::Double => format!("optional double {name};"),
            Self::Bool => format!("optional boolean {name};"),
            Self::Text => format!("optional binary {name} (UTF8);"),
            Self::Floats => list("float"),
            Self::Doubles => list("double"),
            Self::Texts => format!(
                "optional group {name} (LIST) {{ repeated group list {{ optional binary element (UTF8); }} }}"
            ),
            Self::DoublesNested => {
                let inner = "repeated group list { optional group element (LIST) { repeated group \
                             list { optional double element; } } }";
                format!(
                    "optional group {name} (LIST) {{ repeated group list {{ optional group element \
                     (LIST) {{ {inner} }} }} }}"
                )
            }
            Self::Picture => {
                format!(
                    "optional group {name} {{ optional binary bytes; optional binary path (UTF8); }}"
                )
            }
        }
    }

    /// Definition level of a value that is there.
    fn level(&self) -> i16 {
        match self {
            Self::Int | Self::Float | Self::Double | Self::Bool | Self::Text => 1,
            Self::Picture => 2,
            Self::Floats | Self::Doubles | Self::Texts => 3,
            Self::DoublesNested => 7,
        }
    }
}

/// The values of one of Parquet's columns.
#[derive(Default)]
struct Leaf {
    ints: Vec<i64>,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    bools: Vec<bool>,
    bytes: Vec<ByteArray>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

impl Leaf {
    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A Parquet file that is being written.
pub(super) struct Table {
    writer: SerializedFileWriter<File>,
    kinds: Vec<Kind>,
    leaves: Vec<Leaf>,
    group_bytes: usize,
    next: (usize, usize),
}

/// A group of rows is not much larger in memory.
const GROUP_BYTES: usize = 24 << 20;

impl Table {
    /// A file with these columns; `notes` stand in its footer.
    pub(super) fn create(
        file: File,
        columns: &[(String, Kind)],
        notes: &[(&str, String)],
    ) -> Result<Self> {
        let fields: Vec<String> = columns.iter().map(|(name, kind)| kind.schema(name)).collect();
        let schema = parse_message_type(&format!("message schema {{ {} }}", fields.join(" ")))?;
        let notes =
            notes.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_enabled(false)
            .set_key_value_metadata(Some(notes.collect()))
            .set_created_by(concat!("continuon ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
        let kinds: Vec<Kind> = columns.iter().map(|(_, kind)| kind.clone()).collect();
        let leaf_count = kinds.iter().map(|kind| if *kind == Kind::Picture { 2 } else { 1 }).sum();
        let leaves = (0..leaf_count).map(|_: usize| Leaf::default()).collect();
        Ok(Self { writer, kinds, leaves, group_bytes: 0, next: (0, 0) })
    }

    /// Bytes that are in the file or on their way.
    pub(super) fn bytes(&self) -> u64 {
        (self.writer.bytes_written().saturating_add(self.group_bytes)) as u64
    }

    /// The value of the next column; after the last one the row is whole.
    pub(super) fn put(&mut self, cell: &Cell<'_>) -> Result<()> {
        let (column, leaf) = self.next;
        let level = self.kinds.get(column).map_or(0, Kind::level);
        let used = if matches!(cell, Cell::Picture { .. }) { 2 } else { 1 };
        let leaves = self.leaves.get_mut(leaf..leaf.saturating_add(used)).unwrap_or_default();
        let bytes = match (leaves, cell) {
            ([leaf], Cell::Int(value)) => one(leaf, level, |leaf| leaf.ints.push(*value), 8),
            ([leaf], Cell::Float(value)) => one(leaf, level, |leaf| leaf.floats.push(*value), 4),
            ([leaf], Cell::Double(value)) => one(leaf, level, |leaf| leaf.doubles.push(*value), 8),
            ([leaf], Cell::Bool(value)) => one(leaf, level, |leaf| leaf.bools.push(*value), 1),
            ([leaf], Cell::Text(value)) => {
                one(leaf, level, |leaf| leaf.bytes.push((*value).into()), value.len())
            }
            ([bytes, name], Cell::Picture { jpeg, path }) => {
                let picture = ByteArray::from(jpeg.to_vec());
                one(bytes, level, |leaf| leaf.bytes.push(picture), jpeg.len()).saturating_add(one(
                    name,
                    level,
                    |leaf| leaf.bytes.push((*path).into()),
                    16,
                ))
            }
            ([leaf], Cell::Floats(values)) => {
                leaf.floats.extend_from_slice(values);
                list(leaf, level, values.len(), 4)
            }
            ([leaf], Cell::Doubles(values)) => {
                leaf.doubles.extend_from_slice(values);
                list(leaf, level, values.len(), 8)
            }
            ([leaf], Cell::Texts(values)) => {
                leaf.bytes.extend(values.iter().map(|value| value.as_str().into()));
                list(leaf, level, values.len(), 32)
            }
            _ => return Err(ParquetError::General("a row with too many values".to_owned())),
        };
        self.group_bytes = self.group_bytes.saturating_add(bytes);
        self.next = (column.saturating_add(1), leaf.saturating_add(used));
        if self.next.0 == self.kinds.len() {
            self.next = (0, 0);
            if self.group_bytes >= GROUP_BYTES {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Writes the rows so far as a group.
    pub(super) fn end_group(&mut self) -> Result<()> {
        if self.group_bytes == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let kinds = self.kinds.iter().flat_map(|kind| match kind {
            Kind::Picture => vec![kind, kind],
            _ => vec![kind],
        });
        for (kind, leaf) in kinds.zip(&mut self.leaves) {
            let Some(mut column) = group.next_column()? else {
                break;
            };
            let definitions = Some(leaf.definitions.as_slice());
            let repetitions = Some(leaf.repetitions.as_slice());
            match kind {
                Kind::Int => column.typed::<Int64Type>().write_batch(&leaf.ints, definitions, None),
                Kind::Float => {
                    column.typed::<FloatType>().write_batch(&leaf.floats, definitions, None)
                }
                Kind::Double => {
                    column.typed::<DoubleType>().write_batch(&leaf.doubles, definitions, None)
                }
                Kind::Bool => {
                    column.typed::<BoolType>().write_batch(&leaf.bools, definitions, None)
                }
                Kind::Text | Kind::Picture => {
                    column.typed::<ByteArrayType>().write_batch(&leaf.bytes, definitions, None)
                }
                Kind::Floats => {
                    column.typed::<FloatType>().write_batch(&leaf.floats, definitions, repetitions)
                }
                Kind::Doubles | Kind::DoublesNested => column.typed::<DoubleType>().write_batch(
                    &leaf.doubles,
                    definitions,
                    repetitions,
                ),
                Kind::Texts => column.typed::<ByteArrayType>().write_batch(
                    &leaf.bytes,
                    definitions,
                    repetitions,
                ),
            }?;
            column.close()?;
            leaf.clear();
        }
        group.close()?;
        self.group_bytes = 0;
        Ok(())
    }

    /// Writes what is left and the footer.
    pub(super) fn finish(mut self) -> Result<()> {
        self.end_group()?;
        self.writer.close().map(|_metadata| ())
    }
}

fn one(leaf: &mut Leaf, level: i16, push: impl FnOnce(&mut Leaf), bytes: usize) -> usize {
    push(leaf);
    leaf.definitions.push(level);
    bytes.saturating_add(2)
}

/// Levels of a list; an empty one is there, and has nothing in it.
fn list(leaf: &mut Leaf, level: i16, count: usize, value_bytes: usize) -> usize {
    if count == 0 {
        leaf.definitions.push(1);
        leaf.repetitions.push(0);
    }
    for index in 0..count {
        leaf.definitions.push(level);
        leaf.repetitions.push(i16::from(index > 0));
    }
    count.max(1).saturating_mul(value_bytes.saturating_add(4))
}
