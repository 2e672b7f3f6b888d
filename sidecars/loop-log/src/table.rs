//! The message table of one executable.
//!
//! Messages are symbols of its `.defmt` section, and a message's number is its symbol's address; file
//! and line come from the DWARF entries of the same symbols. Decoding is defmt-decoder's.

use crate::saved::{self, Saved};
use object::Object as _;
use rt_wire::{LogFrame, fnv1a};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every step of something.
    Trace,
    /// For who looks for a defect.
    Debug,
    /// What happened, as it should.
    Info,
    /// What should not happen, and stopped nothing or stopped the car in a controlled way.
    Warn,
    /// What cut the drive, or must not be.
    Error,
}

impl Level {
    /// Every level, least first.
    pub const ALL: [Self; 5] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The name on a command line and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Where in the source a message stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// File, from the workspace on.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Module path.
    pub module: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A frame in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How much it matters; `None` for a message that has no level.
    pub level: Option<Level>,
    /// What it says.
    pub text: String,
    /// Where it stands; `None` where the executable's debug information was stripped.
    pub place: Option<Place>,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be read.
    #[error("{path}: {why}")]
    Io {
        /// The file.
        path: String,
        /// What the file system says.
        why: std::io::Error,
    },
    /// It is another build than the one whose frames are to be read.
    #[error(
        "{path}: build {found:#018x}, expected {expected:#018x} as the fast loop says: name that build's executable"
    )]
    OtherBuild {
        /// The file.
        path: String,
        /// Build of the file.
        found: u64,
        /// Build that is wanted.
        expected: u64,
    },
    /// It is no executable with a message table.
    #[error("no message table: {0}")]
    NoTable(String),
}

/// Names a build as the loop does: the first eight bytes of the linker's id, or a hash over all of it.
fn build_id(elf: &[u8]) -> u64 {
    let file = object::File::parse(elf).ok();
    let id = file.as_ref().and_then(|file| file.build_id().ok().flatten());
    let first = id.and_then(|id| id.first_chunk::<8>().copied());
    first.map_or_else(|| fnv1a(0, elf), u64::from_be_bytes)
}

/// Messages by number.
pub struct MessageTable {
    table: defmt_decoder::Table,
    places: BTreeMap<u64, Place>,
    build_id: u64,
    saved: Vec<u8>,
}

impl MessageTable {
    /// Reads the table of the executable at `path`, or one that was [saved](Self::saved) there, and
    /// checks that it is the build that is `wanted`.
    ///
    /// # Errors
    /// [`TableError`]: no such file, no table, or another build's.
    pub fn load(path: &Path, wanted: Option<u64>) -> Result<Self, TableError> {
        let name = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|why| TableError::Io { path: name.clone(), why })?;
        let table =
            Self::parse(&bytes).map_err(|error| TableError::NoTable(format!("{name}: {error}")))?;
        match wanted {
            Some(expected) if expected != table.build_id => {
                Err(TableError::OtherBuild { path: name, found: table.build_id, expected })
            }
            _ => Ok(table),
        }
    }

    /// Reads a table from the bytes of an executable, or from what [`saved`](Self::saved) gave.
    ///
    /// # Errors
    /// [`TableError::NoTable`].
    pub fn parse(elf: &[u8]) -> Result<Self, TableError> {
        let no_table = |why: String| TableError::NoTable(why);
        let table = defmt_decoder::Table::parse(elf)
            .map_err(|error| no_table(error.to_string()))?
            .ok_or_else(|| no_table("no section `.defmt`".to_owned()))?;
        let kept = Saved::read(elf).map_err(no_table)?;
        let Saved { build_id, places } = match kept {
            Some(kept) => kept,
            None => Saved { build_id: build_id(elf), places: places(elf, &table)? },
        };
        let saved =
            saved::write(elf, &Saved { build_id, places: places.clone() }).map_err(no_table)?;
        Ok(Self { table, places, build_id, saved })
    }

    /// The table alone, as a small ELF file that any defmt decoder loads, with the places and the
    /// build in a section of their own.
    #[must_use]
    pub fn saved(&self) -> &[u8] {
        &self.saved
    }

    /// The build whose frames it reads, as the loop itself names it (decision 018).
    #[must_use]
    pub const fn build_id(&self) -> u64 {
        self.build_id
    }

    /// Messages whose file and line are known.
    #[must_use]
    pub fn places_known(&self) -> usize {
        self.places.len()
    }

    /// A frame in words; `None` for a record that only tells of losses.
    ///
    /// # Errors
    /// A sentence, where the bytes are no frame of this build.
    pub fn message(&self, record: &LogFrame) -> Result<Option<Message>, String> {
        let bytes = record.as_frame();
        if bytes.is_empty() {
            return Ok(None);
        }
        let (frame, used) = self.table.decode(bytes).map_err(|error| {
            format!(
                "{} bytes that are no message of build {:#018x}: {error}",
                bytes.len(),
                self.build_id
            )
        })?;
        if used != bytes.len() {
            return Err(format!("{} bytes, of which the message takes {used}", bytes.len()));
        }
        Ok(Some(Message {
            level: frame.level().and_then(|level| {
                Level::ALL.into_iter().find(|known| known.name() == level.as_str())
            }),
            text: frame.display_message().to_string(),
            place: self.places.get(&frame.index()).cloned(),
        }))
    }
}

fn places(elf: &[u8], table: &defmt_decoder::Table) -> Result<BTreeMap<u64, Place>, TableError> {
    let found = table.get_locations(elf).map_err(|error| TableError::NoTable(error.to_string()))?;
    let place = |location: defmt_decoder::Location| Place {
        file: in_workspace(&location.file),
        line: location.line,
        module: location.module,
    };
    Ok(found.into_iter().map(|(index, location)| (index, place(location))).collect())
}

/// A file as a reader of the source knows it: the machine that built it is nobody's business.
fn in_workspace(file: &Path) -> String {
    let text = file.to_string_lossy();
    text.rfind("rt-core/").and_then(|at| text.get(at..)).unwrap_or(&text).to_owned()
}
