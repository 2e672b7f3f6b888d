//! A made-up executable: its messages are read, kept without it, and no other build's are believed.

use loop_log::{Level, MessageTable, TableError};
use object::write::{Object, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};
use rt_wire::{LogFrame, fnv1a};

/// Number of the message "{=u8} releases missed".
const MISSED: u8 = 0x20;
/// Number of the message "sealed".
const SEALED: u8 = 0x21;

fn symbol(object: &mut Object<'_>, name: String, value: u64, section: SymbolSection) {
    object.add_symbol(Symbol {
        name: name.into_bytes(),
        value,
        size: 1,
        kind: SymbolKind::Data,
        scope: SymbolScope::Linkage,
        weak: false,
        section,
        flags: SymbolFlags::None,
    });
}

/// An executable with two messages; `version` tells builds apart.
fn executable(version: u8) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let table = object.add_section(Vec::new(), b".defmt".to_vec(), SectionKind::ReadOnlyData);
    object.set_section_data(table, vec![0; 64], 1);
    let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    object.set_section_data(text, vec![version; 8], 1);
    for (number, tag, data) in
        [(MISSED, "warn", "{=u8} releases missed"), (SEALED, "info", "sealed")]
    {
        let name = format!(
            r#"{{"package":"fast-loop","tag":"defmt_{tag}","data":"{data}","disambiguator":"{number}","crate_name":"fast_loop"}}"#
        );
        symbol(&mut object, name, number.into(), SymbolSection::Section(table));
    }
    for name in ["_defmt_version_ = 4", "_defmt_encoding_ = raw"] {
        symbol(&mut object, name.to_owned(), 0, SymbolSection::Absolute);
    }
    object.write().expect("an ELF file")
}

fn frame(bytes: &[u8]) -> LogFrame {
    let mut frame =
        LogFrame { bytes: u32::try_from(bytes.len()).expect("short"), ..LogFrame::default() };
    frame.frame[..bytes.len()].copy_from_slice(bytes);
    frame
}

#[test]
fn a_frame_is_its_message_with_its_arguments_and_level() {
    let table = MessageTable::parse(&executable(1)).expect("a table");
    let message = table.message(&frame(&[MISSED, 0, 3])).expect("readable").expect("a message");
    assert_eq!((message.level, message.text.as_str()), (Some(Level::Warn), "3 releases missed"));
    assert_eq!(message.place, None, "it was linked without debug information");
    assert_eq!(table.message(&frame(&[])), Ok(None), "only a count");
}

#[test]
fn what_was_saved_reads_the_same_and_still_names_the_executable_it_is_of() {
    let elf = executable(1);
    let table = MessageTable::parse(&elf).expect("a table");
    assert_eq!(table.build_id(), fnv1a(0, &elf));
    let saved = MessageTable::parse(table.saved()).expect("a table");
    assert_eq!(saved.build_id(), table.build_id());
    for bytes in [&[MISSED, 0, 7][..], &[SEALED, 0]] {
        assert_eq!(saved.message(&frame(bytes)), table.message(&frame(bytes)));
    }
    assert_eq!(saved.saved(), table.saved(), "saving what was saved changes nothing");
}

#[test]
fn bytes_that_are_no_message_of_this_build_are_refused() {
    let table = MessageTable::parse(&executable(1)).expect("a table");
    for bytes in [&[0x7f, 0][..], &[MISSED], &[MISSED, 0], &[MISSED, 0, 1, 2], &[SEALED, 0, 0]] {
        let refused = table.message(&frame(bytes)).expect_err("no message");
        assert!(refused.contains("bytes"), "{refused}");
    }
    // A length that no frame has: every byte is looked at, and none beyond.
    let mut endless = frame(&[SEALED, 0]);
    endless.bytes = u32::MAX;
    assert!(table.message(&endless).is_err());
}

#[test]
fn another_builds_executable_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fast-loop");
    std::fs::write(&path, executable(1)).expect("written");
    let this = fnv1a(0, &executable(1));
    assert!(MessageTable::load(&path, Some(this)).is_ok());
    assert!(MessageTable::load(&path, None).is_ok());
    let other = MessageTable::load(&path, Some(this ^ 1)).err().expect("another build");
    assert!(matches!(other, TableError::OtherBuild { .. }), "{other}");
    assert!(other.to_string().contains(&format!("{this:#018x}")), "{other}");
}

#[test]
fn a_file_without_messages_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = MessageTable::load(&folder.path().join("none"), None).err().expect("not there");
    assert!(matches!(missing, TableError::Io { .. }), "{missing}");
    let mut plain = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let text = plain.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    plain.set_section_data(text, vec![0; 8], 1);
    for (bytes, why) in
        [(plain.write().expect("an ELF file"), ".defmt"), (b"#!/bin/sh".to_vec(), "")]
    {
        let refused = MessageTable::parse(&bytes).err().expect("no table");
        assert!(matches!(refused, TableError::NoTable(_)), "{refused}");
        assert!(refused.to_string().contains(why), "{refused}");
    }
}
