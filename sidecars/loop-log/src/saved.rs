//! A message table without its executable: `.defmt` with its symbols, and one section of our own.
//!
//! A relocatable ELF file, so that any defmt decoder takes it; a symbol keeps the address that it had
//! in the executable, for that is its message's number.

use crate::table::Place;
use object::write::{Object, Symbol, SymbolSection};
use object::{
    BinaryFormat, Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind, SymbolFlags,
    SymbolKind, SymbolScope,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Section of the messages.
const TABLE: &str = ".defmt";
/// Section of what DWARF and the whole executable told.
const PLACES: &str = ".continuon.places";

/// What the executable told beside its messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) build_id: u64,
    pub(crate) places: BTreeMap<u64, Place>,
}

impl Saved {
    /// What was saved in `elf`; `None` if it is an executable as it was linked.
    pub(crate) fn read(elf: &[u8]) -> Result<Option<Self>, String> {
        let file = object::File::parse(elf).map_err(|error| error.to_string())?;
        let Some(section) = file.section_by_name(PLACES) else {
            return Ok(None);
        };
        let text = section.data().map_err(|error| error.to_string())?;
        serde_json::from_slice(text).map(Some).map_err(|error| format!("{PLACES}: {error}"))
    }
}

/// The small ELF file.
pub(crate) fn write(elf: &[u8], saved: &Saved) -> Result<Vec<u8>, String> {
    let words = |error: object::Error| error.to_string();
    let file = object::File::parse(elf).map_err(words)?;
    let table = file.section_by_name(TABLE).ok_or_else(|| format!("no section `{TABLE}`"))?;

    let mut object = Object::new(BinaryFormat::Elf, file.architecture(), file.endianness());
    let kept = object.add_section(Vec::new(), TABLE.into(), SectionKind::ReadOnlyData);
    // From address 0 on, wherever the linker let the section begin: offset and address are the same.
    let begin = usize::try_from(table.address()).map_err(|error| error.to_string())?;
    let mut data = vec![0; begin];
    data.extend_from_slice(table.data().map_err(words)?);
    object.set_section_data(kept, data, 16);
    for symbol in file.symbols() {
        let name = symbol.name_bytes().map_err(words)?;
        let is_message = symbol.section_index() == Some(table.index())
            && !name.is_empty()
            && !name.starts_with(b"$");
        let is_about = name.starts_with(b"_defmt_version_ = ")
            || name.starts_with(b"\"_defmt_version_ = ")
            || name.starts_with(b"_defmt_encoding_ = ");
        if is_message || is_about {
            object.add_symbol(Symbol {
                name: name.to_vec(),
                value: if is_message { symbol.address() } else { 0 },
                size: symbol.size(),
                kind: SymbolKind::Data,
                scope: SymbolScope::Linkage,
                weak: false,
                section: if is_message {
                    SymbolSection::Section(kept)
                } else {
                    SymbolSection::Absolute
                },
                flags: SymbolFlags::None,
            });
        }
    }
    let places = object.add_section(Vec::new(), PLACES.into(), SectionKind::Note);
    let text = serde_json::to_vec(saved).map_err(|error| error.to_string())?;
    object.set_section_data(places, text, 1);
    object.write().map_err(|error| error.to_string())
}
