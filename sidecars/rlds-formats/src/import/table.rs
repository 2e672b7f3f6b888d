//! Rows of a Parquet file.
//!
//! *What it decides.* What is read: flat columns, lists of values (one inside another as one), and the
//! leaves of groups as `group.leaf`. *What it must never do.* End the process, whatever the file says:
//! the library's own reader of rows does so where a schema is not what it expects. So sizes are looked
//! over before the library sees them (sizes.rs), and columns are read one by one, [`BATCH`] rows at a
//! time. Shown by: tests/formats/foreign_tables.rs, tests/formats/import.rs, the fuzz target
//! import_lerobot.

use super::sizes::{check_pages, check_schema};
use parquet::basic::ConvertedType;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::sync::Arc;

/// Rows of a column that are held at once: pictures may be among them.
const BATCH: usize = 32;

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Number(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Self>),
}

/// In a few words, as `step_metadata` has it.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::List(list) => {
                for (index, cell) in list.iter().enumerate() {
                    write!(f, "{}{cell}", if index == 0 { "[" } else { ", " })?;
                }
                f.write_str(if list.is_empty() { "[]" } else { "]" })
            }
        }
    }
}

/// Names and values.
pub(super) type Row = Vec<(Arc<str>, Cell)>;

/// A file that is being read.
pub(super) struct Table {
    reader: SerializedFileReader<File>,
    file: File,
    wanted: fn(&str) -> bool,
    next_group: usize,
    columns: Vec<Column>,
}

impl Table {
    /// Reads `file`, the columns whose names are `wanted`.
    ///
    /// # Errors
    /// In words, what it is instead.
    pub(super) fn of(file: File, wanted: fn(&str) -> bool) -> Result<Self, String> {
        check_schema(&file)?;
        let again = file.try_clone().map_err(|error| error.to_string())?;
        let reader = SerializedFileReader::new(again).map_err(in_words)?;
        Ok(Self { reader, file, wanted, next_group: 0, columns: Vec::new() })
    }

    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub(super) fn next(&mut self) -> Result<Option<Row>, String> {
        loop {
            let mut row = Vec::with_capacity(self.columns.len());
            for column in &mut self.columns {
                if let Some(cell) = column.next().map_err(in_words)? {
                    row.push((Arc::clone(&column.name), cell));
                }
            }
            if !row.is_empty() && row.len() < self.columns.len() {
                return Err("columns of different lengths".to_owned());
            }
            if !row.is_empty() {
                return Ok(Some(row));
            }
            if self.next_group >= self.reader.num_row_groups() {
                return Ok(None);
            }
            self.open_group()?;
        }
    }

    fn open_group(&mut self) -> Result<(), String> {
        let group = self.reader.get_row_group(self.next_group).map_err(in_words)?;
        self.next_group = self.next_group.saturating_add(1);
        self.columns.clear();
        for (index, chunk) in group.metadata().columns().iter().enumerate() {
            let shape = Shape::of(chunk);
            if !(self.wanted)(&shape.name) {
                continue;
            }
            if self.columns.iter().any(|column| *column.name == *shape.name) {
                return Err(format!("two columns called {}", shape.name));
            }
            check_pages(&self.file, chunk, shape.is_list)
                .map_err(|what| format!("column {}: {what}", shape.name))?;
            let reader = group.get_column_reader(index).map_err(in_words)?;
            self.columns.push(Column::new(shape, reader));
        }
        Ok(())
    }
}

fn in_words(error: ParquetError) -> String {
    error.to_string()
}

/// What the values of a column are.
struct Shape {
    name: String,
    max_level: i16,
    is_list: bool,
    is_text: bool,
    is_unsigned: bool,
}

impl Shape {
    fn of(chunk: &ColumnChunkMetaData) -> Self {
        let column = chunk.column_descr();
        let parts = column.path().parts();
        let is_list = column.max_rep_level() > 0;
        // A list is a group with a repeated group in it: `name.list.element`.
        let named = match parts.len() {
            length if is_list && length > 2 => parts.get(..length.saturating_sub(2)),
            2 if is_list => parts.get(..1),
            _ => Some(parts),
        };
        let kind = column.converted_type();
        Self {
            name: named.unwrap_or(parts).join("."),
            max_level: column.max_def_level(),
            is_list,
            is_text: matches!(
                kind,
                ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM
            ),
            is_unsigned: matches!(
                kind,
                ConvertedType::UINT_8
                    | ConvertedType::UINT_16
                    | ConvertedType::UINT_32
                    | ConvertedType::UINT_64
            ),
        }
    }

    fn int32(&self, value: i32) -> Cell {
        let unsigned = i64::from(value.cast_unsigned());
        Cell::Int(if self.is_unsigned { unsigned } else { i64::from(value) })
    }

    fn int64(&self, value: i64) -> Cell {
        #[expect(clippy::cast_precision_loss, reason = "beyond what a whole number holds")]
        match i64::try_from(value.cast_unsigned()) {
            Err(_) if self.is_unsigned => Cell::Number(value.cast_unsigned() as f64),
            _ => Cell::Int(value),
        }
    }

    fn bytes(&self, value: &ByteArray) -> Cell {
        match std::str::from_utf8(value.data()) {
            Ok(text) if self.is_text => Cell::Text(text.to_owned()),
            _ => Cell::Bytes(value.data().to_vec()),
        }
    }
}

/// A column of the group that is being read.
struct Column {
    name: Arc<str>,
    shape: Shape,
    reader: ColumnReader,
    /// Whole rows.
    cells: VecDeque<Cell>,
}

impl Column {
    fn new(shape: Shape, reader: ColumnReader) -> Self {
        Self { name: Arc::from(&*shape.name), shape, reader, cells: VecDeque::new() }
    }

    fn next(&mut self) -> Result<Option<Cell>, ParquetError> {
        if self.cells.is_empty() {
            self.read()?;
        }
        Ok(self.cells.pop_front())
    }

    fn read(&mut self) -> Result<(), ParquetError> {
        let (shape, cells) = (&self.shape, &mut self.cells);
        match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => {
                read(reader, shape, cells, |value| Cell::Bool(*value))
            }
            ColumnReader::Int32ColumnReader(reader) => {
                read(reader, shape, cells, |value| shape.int32(*value))
            }
            ColumnReader::Int64ColumnReader(reader) => {
                read(reader, shape, cells, |value| shape.int64(*value))
            }
            ColumnReader::Int96ColumnReader(reader) => {
                read(reader, shape, cells, |value| Cell::Int(value.to_nanos()))
            }
            ColumnReader::FloatColumnReader(reader) => {
                read(reader, shape, cells, |value| Cell::Number(f64::from(*value)))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                read(reader, shape, cells, |value| Cell::Number(*value))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                read(reader, shape, cells, |value| shape.bytes(value))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                read(reader, shape, cells, |value| shape.bytes(value))
            }
        }
    }
}

/// The next rows of a column. Levels say which values are there, and where a row's list begins.
fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    shape: &Shape,
    cells: &mut VecDeque<Cell>,
    cell: impl Fn(&T::T) -> Cell,
) -> Result<(), ParquetError> {
    let (mut depths, mut repeats, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let (rows, _, levels) =
        reader.read_records(BATCH, Some(&mut depths), Some(&mut repeats), &mut values)?;
    let mut values = values.iter();
    let is_there = |at: usize| {
        shape.max_level == 0 || depths.get(at).is_some_and(|depth| *depth == shape.max_level)
    };
    if !shape.is_list {
        for at in 0..rows {
            let value = if is_there(at) { values.next() } else { None };
            cells.push_back(value.map_or(Cell::Null, &cell));
        }
        return Ok(());
    }
    for at in 0..levels {
        if repeats.get(at).is_none_or(|repeat| *repeat == 0) {
            cells.push_back(Cell::List(Vec::new()));
        }
        let value = if is_there(at) { values.next() } else { None };
        if let (Some(value), Some(Cell::List(list))) = (value, cells.back_mut()) {
            list.push(cell(value));
        }
    }
    Ok(())
}
