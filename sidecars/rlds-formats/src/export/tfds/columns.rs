//! An episode as one Example, column by column, without holding it.
//!
//! *What it decides.* The order of columns. RLDS keeps a whole episode in one record, each feature
//! with the values of all its steps in a row; so the values wait in files without a name until the
//! episode is known to its end. *What it must never do.* Hold more than a few pieces of a column in
//! memory.
//!
//! Shown by: tests/formats/tfds.rs (its memory too).

use crate::example::{
    ListKind, packed_list_bytes, put_bytes_value, put_example_head, put_feature_head, put_floats,
    put_packed_head, put_varint,
};
use crate::framing::RecordWriter;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Of a column, in memory.
const PIECE_BYTES: usize = 1 << 17;

/// The values of one feature.
struct Column {
    name: String,
    kind: ListKind,
    piece: Vec<u8>,
    file: Option<File>,
    bytes: u64,
}

impl Column {
    fn spill(&mut self, directory: &Path) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(directory)?),
        };
        file.write_all(&self.piece)?;
        self.piece.clear();
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.piece.clear();
        self.bytes = 0;
        if let Some(file) = &mut self.file {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
        }
        Ok(())
    }

    /// What stands before its values; they are one packed value for numbers.
    fn head(&self, into: &mut Vec<u8>) -> io::Result<()> {
        let bytes = usize::try_from(self.bytes).map_err(io::Error::other)?;
        match self.kind {
            ListKind::Bytes => put_feature_head(into, &self.name, self.kind, bytes),
            ListKind::Floats | ListKind::Ints => {
                put_feature_head(into, &self.name, self.kind, packed_list_bytes(bytes));
                if bytes > 0 {
                    put_packed_head(into, bytes);
                }
            }
        }
        Ok(())
    }
}

/// All columns of an episode.
pub(super) struct Columns {
    directory: PathBuf,
    columns: Vec<Column>,
    next: usize,
    scratch: Vec<u8>,
}

impl Columns {
    /// Columns that spill into files in `directory`.
    pub(super) fn new(directory: &Path, columns: Vec<(String, ListKind)>) -> Self {
        let column = |(name, kind)| Column { name, kind, piece: Vec::new(), file: None, bytes: 0 };
        Self {
            directory: directory.to_owned(),
            columns: columns.into_iter().map(column).collect(),
            next: 0,
            scratch: Vec::new(),
        }
    }

    /// Begins a new episode.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.next = 0;
        self.columns.iter_mut().try_for_each(Column::clear)
    }

    /// Bytes of all values.
    pub(super) fn bytes(&self) -> u64 {
        self.columns.iter().map(|column| column.bytes).sum()
    }

    /// Goes back to the first column.
    pub(super) fn first(&mut self) {
        self.next = 0;
    }

    /// The next value of the next column.
    pub(super) fn put_bytes(&mut self, value: &[u8]) -> io::Result<()> {
        self.put(ListKind::Bytes, |into| put_bytes_value(into, value))
    }

    /// The next numbers of the next column.
    pub(super) fn put_floats(&mut self, values: &[f32]) -> io::Result<()> {
        self.put(ListKind::Floats, |into| put_floats(into, values))
    }

    /// The next number of the next column.
    pub(super) fn put_int(&mut self, value: i64) -> io::Result<()> {
        self.put(ListKind::Ints, |into| put_varint(into, value.cast_unsigned()))
    }

    fn put(&mut self, kind: ListKind, encode: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let column =
            self.columns.get_mut(self.next).filter(|column| column.kind == kind).ok_or_else(
                || io::Error::other(format!("column {}: not of {kind:?}", self.next)),
            )?;
        self.next = self.next.saturating_add(1);
        let before = column.piece.len();
        encode(&mut column.piece);
        let bytes = column.piece.len().saturating_sub(before) as u64;
        column.bytes = column.bytes.saturating_add(bytes);
        if column.piece.len() >= PIECE_BYTES {
            column.spill(&self.directory)?;
        }
        Ok(())
    }

    /// Writes all columns as one record.
    pub(super) fn write_to<W: Write>(&mut self, writer: &mut RecordWriter<W>) -> io::Result<()> {
        let mut heads = Vec::with_capacity(self.columns.len());
        let mut features_bytes = 0_u64;
        for column in &self.columns {
            let mut head = Vec::new();
            column.head(&mut head)?;
            features_bytes =
                features_bytes.saturating_add(column.bytes).saturating_add(head.len() as u64);
            heads.push(head);
        }
        let mut first = Vec::new();
        put_example_head(&mut first, features_bytes);
        let mut record = writer.begin(features_bytes.saturating_add(first.len() as u64))?;
        record.write(&first)?;
        self.scratch.resize(PIECE_BYTES, 0);
        for (column, head) in self.columns.iter_mut().zip(&heads) {
            record.write(head)?;
            if let Some(file) = &mut column.file {
                file.seek(SeekFrom::Start(0))?;
                loop {
                    let read = file.read(&mut self.scratch)?;
                    if read == 0 {
                        break;
                    }
                    record.write(self.scratch.get(..read).unwrap_or_default())?;
                }
            }
            record.write(&column.piece)?;
        }
        record.end()
    }
}
