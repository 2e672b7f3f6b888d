//! The layout of every topic as text, for the snapshot and for people.

use rt_wire::{Field, topics};
use std::collections::BTreeMap;
use std::fmt::Write as _;

fn fields(out: &mut String, fields: &[Field], indent: usize) {
    for field in fields {
        let count = if field.count > 1 { format!("[{}]", field.count) } else { String::new() };
        writeln!(
            out,
            "{:indent$}{:>5} {:>5}  {}: {}{count}",
            "", field.offset, field.size, field.name, field.type_name,
        )
        .expect("a String takes any text");
    }
}

/// Topics first, then each record once.
pub(crate) fn text() -> String {
    let mut out =
        String::from("# writer record kind creator rate_hz depth logged sim bytes hash\n");
    let mut types: BTreeMap<&str, (&[Field], usize, u64)> = BTreeMap::new();
    fn collect<'a>(into: &mut BTreeMap<&'a str, (&'a [Field], usize, u64)>, list: &'a [Field]) {
        for field in list {
            if !field.fields.is_empty() {
                let bytes = field.size / field.count;
                let hash = rt_wire::layout_hash(field.type_name, field.fields);
                into.insert(field.type_name, (field.fields, bytes, hash));
                collect(into, field.fields);
            }
        }
    }
    for topic in topics::all() {
        writeln!(
            out,
            "{} {} {} {} {} {} {} {} {} {:#018x}",
            topic.writer,
            topic.record,
            topic.kind.name(),
            topic.creator,
            topic.rate_hz,
            topic.depth,
            topic.logged,
            topic.sim_only,
            topic.record_bytes,
            topic.layout_hash,
        )
        .expect("a String takes any text");
        types.insert(topic.type_name, (topic.fields, topic.record_bytes, topic.layout_hash));
        collect(&mut types, topic.fields);
    }
    for (name, (list, bytes, hash)) in types {
        writeln!(out, "\n{name} {bytes} bytes {hash:#018x}").expect("a String takes any text");
        fields(&mut out, list, 2);
    }
    out
}
