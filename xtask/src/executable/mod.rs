//! An ELF executable as its own symbols, code and relocations tell it: what reaches what.
//!
//! *What it decides.* Which functions there are, where a pointer in its data leads, which name the
//! loader will put into a slot. [`x86`] reads one function's code, [`graph`] follows it.
//! *What it must never do.* Guess: what cannot be told is handed on as such, for a person to judge.
//! Tests: beside each calculation; the planted bugs `symbols-*`.

pub(crate) mod graph;
pub(crate) mod x86;

use object::read::elf::ElfFile64;
use object::{Architecture, Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

/// One function as the symbol table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its first byte.
    pub(crate) start: u64,
    /// The byte after its last.
    pub(crate) end: u64,
    /// As a person would write it, without the hash.
    pub(crate) name: String,
}

/// The section of linker-notes/fast-loop.x in which the loop's code lies.
pub(crate) const LOOP_CODE: &str = ".text.loop";

/// Bytes that stand at an address.
struct Section {
    start: u64,
    bytes: Vec<u8>,
    is_code: bool,
}

/// What the loader writes into a slot before the first instruction runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    /// The address of a name from elsewhere: libc.
    Import(String),
    /// An address in this executable.
    Own(u64),
}

/// One executable.
pub(crate) struct Executable {
    /// In order of their addresses, none twice.
    functions: Vec<Function>,
    sections: Vec<Section>,
    slots: BTreeMap<u64, Slot>,
    /// Where the symbol table says that something begins.
    objects: BTreeSet<u64>,
    /// Where the linker script puts the loop's code, if it is that script's.
    pub(crate) loop_code: Option<Range<u64>>,
    /// Loaded where the system likes: then every pointer in its data is a relocation.
    is_movable: bool,
}

impl Executable {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let wrong = |why: String| format!("{}: {why}", path.display());
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let file: ElfFile64<'_> =
            ElfFile64::parse(&*bytes).map_err(|error| wrong(format!("no 64-bit ELF: {error}")))?;
        if file.architecture() != Architecture::X86_64 {
            let found = file.architecture();
            return Err(wrong(format!("expected code of x86_64, found {found:?}")));
        }
        let executable = Self {
            functions: functions(&file),
            sections: sections(&file).map_err(|error| wrong(error.to_string()))?,
            loop_code: file
                .section_by_name(LOOP_CODE)
                .map(|section| section.address()..section.address().saturating_add(section.size())),
            slots: slots(&file),
            objects: file.symbols().map(|symbol| symbol.address()).collect(),
            is_movable: file.kind() == object::ObjectKind::Dynamic,
        };
        if executable.functions.is_empty() {
            return Err(wrong("no symbol table: it was stripped".to_owned()));
        }
        Ok(executable)
    }

    pub(crate) fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function that has the byte at `address`.
    pub(crate) fn function_at(&self, address: u64) -> Option<&Function> {
        let after = self.functions.partition_point(|function| function.start <= address);
        let function = self.functions.get(after.checked_sub(1)?)?;
        (address < function.end).then_some(function)
    }

    /// The bytes from `start` to before `end`, if one section has them all.
    pub(crate) fn bytes(&self, start: u64, end: u64) -> Option<&[u8]> {
        let section = self.section_at(start)?;
        let from = usize::try_from(start - section.start).ok()?;
        let to = usize::try_from(end.checked_sub(section.start)?).ok()?;
        section.bytes.get(from..to)
    }

    /// The name that the loader puts at `address`.
    pub(crate) fn import_at(&self, address: u64) -> Option<&str> {
        match self.slots.get(&address) {
            Some(Slot::Import(name)) => Some(name),
            _ => None,
        }
    }

    /// The address that stands at `address`, if it is one of this executable.
    pub(crate) fn pointer_at(&self, address: u64) -> Option<u64> {
        match self.slots.get(&address) {
            Some(Slot::Own(target)) => Some(*target),
            Some(Slot::Import(_)) => None,
            // Loaded where it was linked, it needs no relocation: any word may be an address.
            None if !self.is_movable && !self.is_code(address) => {
                let bytes = self.bytes(address, address.checked_add(8)?)?;
                let target = u64::from_le_bytes(bytes.try_into().ok()?);
                self.section_at(target).map(|_| target)
            }
            None => None,
        }
    }

    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.section_at(address).is_some_and(|section| section.is_code)
    }

    pub(crate) fn is_data(&self, address: u64) -> bool {
        self.section_at(address).is_some_and(|section| !section.is_code)
    }

    pub(crate) fn is_movable(&self) -> bool {
        self.is_movable
    }

    /// Where that which begins at `address` ends at the latest: the next thing with a name, the next
    /// that code refers to (`referred`), or the section.
    pub(crate) fn end_of_data(&self, address: u64, referred: &BTreeSet<u64>) -> u64 {
        let Some(section) = self.section_at(address) else { return address };
        let end = section.start.saturating_add(section.bytes.len() as u64);
        let next = |set: &BTreeSet<u64>| set.range(address + 1..).next().copied().unwrap_or(end);
        end.min(next(referred)).min(next(&self.objects))
    }

    fn section_at(&self, address: u64) -> Option<&Section> {
        self.sections.iter().find(|section| {
            address
                .checked_sub(section.start)
                .is_some_and(|offset| offset < section.bytes.len() as u64)
        })
    }
}

fn functions(file: &ElfFile64<'_>) -> Vec<Function> {
    let named = file.symbols().filter(|symbol| {
        symbol.kind() == SymbolKind::Text && symbol.is_definition() && symbol.size() > 0
    });
    let mut functions: Vec<Function> = named
        .map(|symbol| Function {
            start: symbol.address(),
            end: symbol.address().saturating_add(symbol.size()),
            name: demangled(symbol.name().unwrap_or("?")),
        })
        .collect();
    functions.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
    functions.dedup_by_key(|function| function.start);
    functions
}

/// What is loaded and stands in the file; what begins as zeros holds no pointer before it runs.
fn sections(file: &ElfFile64<'_>) -> object::Result<Vec<Section>> {
    let loaded = file.sections().filter(|section| section.address() > 0 && section.size() > 0);
    loaded
        .map(|section| {
            let bytes = match section.kind() {
                object::SectionKind::UninitializedData | object::SectionKind::UninitializedTls => {
                    vec![0; usize::try_from(section.size()).unwrap_or(0)]
                }
                _ => section.data()?.to_vec(),
            };
            let is_code = section.kind() == object::SectionKind::Text;
            Ok(Section { start: section.address(), bytes, is_code })
        })
        .collect()
}

fn slots(file: &ElfFile64<'_>) -> BTreeMap<u64, Slot> {
    use object::ObjectSymbolTable as _;
    let names = file.dynamic_symbol_table();
    let relocations = file.dynamic_relocations().into_iter().flatten();
    let slot = |relocation: &object::Relocation| match relocation.target() {
        RelocationTarget::Symbol(index) => {
            let symbol = names.as_ref()?.symbol_by_index(index).ok()?;
            Some(if symbol.is_undefined() {
                Slot::Import(demangled(symbol.name().ok()?))
            } else {
                Slot::Own(symbol.address().wrapping_add_signed(relocation.addend()))
            })
        }
        _ => Some(Slot::Own(u64::try_from(relocation.addend()).ok()?)),
    };
    relocations.filter_map(|(at, relocation)| Some((at, slot(&relocation)?))).collect()
}

/// As a person would write it; what is no mangled name stays as it is.
pub(crate) fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

#[cfg(test)]
impl Executable {
    /// An executable of these functions' bytes, and of the slots that the loader fills.
    pub(crate) fn of(code: &[(u64, &str, &[u8])], imports: &[(u64, &str)]) -> Self {
        Self {
            functions: code
                .iter()
                .map(|(start, name, bytes)| Function {
                    start: *start,
                    end: start + bytes.len() as u64,
                    name: (*name).to_owned(),
                })
                .collect(),
            sections: code
                .iter()
                .map(|(start, _, bytes)| Section {
                    start: *start,
                    bytes: bytes.to_vec(),
                    is_code: true,
                })
                .collect(),
            slots: imports
                .iter()
                .map(|(at, name)| (*at, Slot::Import((*name).to_owned())))
                .collect(),
            objects: BTreeSet::new(),
            loop_code: None,
            is_movable: true,
        }
    }

    /// With these bytes as data at `start`.
    pub(crate) fn with_data(mut self, start: u64, bytes: &[u8]) -> Self {
        self.sections.push(Section { start, bytes: bytes.to_vec(), is_code: false });
        self
    }

    /// With a pointer to `target` at `at`.
    pub(crate) fn with_pointer(mut self, at: u64, target: u64) -> Self {
        self.slots.insert(at, Slot::Own(target));
        self
    }
}
