//! Every field, enum value and call of the two protobuf packages against the contract, both ways.
//!
//! The table `contract.tsv` was taken from the contract by hand; the descriptors are compiled from
//! the .proto files.

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use rlds::proto::{DESCRIPTORS, RLDS_DESCRIPTORS, STEP_MESSAGE};
use std::collections::{BTreeMap, BTreeSet};

/// Message, field, number, type, label.
type Row = (String, String, String, String, String);

fn contract() -> Vec<(Row, String)> {
    let rows = include_str!("contract.tsv").lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|line| {
        let columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let [message, field, number, kind, label, whose] = columns.try_into().expect(line);
        ((message, field, number, kind, label), whose)
    })
    .collect()
}

fn compiled() -> BTreeSet<Row> {
    let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    set.file.iter().flat_map(rows_of_file).collect()
}

fn rows_of_file(file: &FileDescriptorProto) -> Vec<Row> {
    let mut rows = Vec::new();
    let package = file.package();
    for message in &file.message_type {
        let name = format!("{package}.{}", message.name());
        rows.extend(message.field.iter().map(|field| row_of_field(&name, message, field)));
    }
    for kinds in &file.enum_type {
        let name = format!("{package}.{}", kinds.name());
        rows.extend(kinds.value.iter().map(|value| {
            let number = value.number().to_string();
            (name.clone(), value.name().to_owned(), number, "enum".into(), "-".into())
        }));
    }
    for service in &file.service {
        let name = format!("{package}.{}", service.name());
        rows.extend(service.method.iter().map(|call| {
            let short = |path: &str| path.trim_start_matches(&format!(".{package}.")).to_owned();
            let kind = format!("{} -> {}", short(call.input_type()), short(call.output_type()));
            assert!(!call.client_streaming(), "{}", call.name());
            let label = if call.server_streaming() { "stream" } else { "-" };
            (name.clone(), call.name().to_owned(), "0".into(), kind, label.into())
        }));
    }
    rows
}

fn row_of_field(name: &str, message: &DescriptorProto, field: &FieldDescriptorProto) -> Row {
    let type_name = field.type_name().trim_start_matches('.').to_owned();
    let is_map = message.nested_type.iter().any(|nested| {
        nested.options.as_ref().is_some_and(|options| options.map_entry())
            && type_name == format!("{name}.{}", nested.name())
    });
    let kind = match field.r#type() {
        _ if is_map => "map<string,string>".to_owned(),
        Type::String => "string".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Float => "float".to_owned(),
        Type::Double => "double".to_owned(),
        Type::Int32 => "int32".to_owned(),
        Type::Int64 => "int64".to_owned(),
        Type::Uint64 => "uint64".to_owned(),
        Type::Message | Type::Enum => type_name,
        other => format!("{other:?}"),
    };
    let label = match (field.label(), field.oneof_index) {
        _ if is_map => "-".to_owned(),
        (Label::Repeated, _) => "repeated".to_owned(),
        (_, Some(_)) if field.proto3_optional() => "optional".to_owned(),
        (_, Some(index)) => message.oneof_decl[usize::try_from(index).unwrap()].name().to_owned(),
        (_, None) => "-".to_owned(),
    };
    (name.to_owned(), field.name().to_owned(), field.number().to_string(), kind, label)
}

#[test]
fn every_number_of_the_contract_is_compiled_and_nothing_else_is() {
    let contract: BTreeSet<Row> = contract().into_iter().map(|(row, _)| row).collect();
    let compiled = compiled();
    let missing: Vec<_> = contract.difference(&compiled).collect();
    let strange: Vec<_> = compiled.difference(&contract).collect();
    assert!(
        missing.is_empty() && strange.is_empty(),
        "only in the contract: {missing:#?}\nonly in the .proto: {strange:#?}"
    );
}

#[test]
fn our_own_numbers_are_free_ones_from_20_on() {
    let mut theirs: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for ((message, _, number, ..), _) in contract().iter().filter(|(_, whose)| whose == "contract")
    {
        theirs.entry(message.clone()).or_default().insert(number.parse().unwrap());
    }
    let ours: Vec<_> = contract().into_iter().filter(|(_, whose)| whose == "ours").collect();
    assert!(ours.iter().any(|((_, field, number, ..), _)| field == "drive" && number == "20"));
    for ((message, field, number, ..), _) in ours {
        let number: i64 = number.parse().unwrap();
        // A message of our own has no numbers of theirs to keep clear of.
        if let Some(theirs) = theirs.get(&message) {
            assert!(number >= 20 && !theirs.contains(&number), "{message}.{field} = {number}");
        }
    }
}

#[test]
fn what_a_recording_carries_is_whole_and_names_the_step() {
    let set = FileDescriptorSet::decode(RLDS_DESCRIPTORS).unwrap();
    let [file] = &set.file[..] else { panic!("{} files", set.file.len()) };
    assert!(file.dependency.is_empty(), "{:?}", file.dependency);
    let names: Vec<String> =
        file.message_type.iter().map(|m| format!("{}.{}", file.package(), m.name())).collect();
    assert!(names.iter().any(|name| name == STEP_MESSAGE), "{names:?}");
}
