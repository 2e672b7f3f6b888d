//! Prints every topic and the layout of its record: offsets, sizes, types, hash.
//! The snapshot test compares this text with `tests/snapshots/layout.txt`.

fn main() {
    print!("{}", rt_wire_layout::text());
}

#[path = "../tests/support/layout_text.rs"]
mod rt_wire_layout;
