//! The way from the entry to a name, out of the relocations that the linker was asked to keep.
//!
//! A relocation in a function names what is called there, on every architecture alike. What was
//! inlined has no symbol of its own any more; the debug information still says which source line the
//! call came from, through which functions.

use crate::executable::demangled;
use object::{File, Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

/// Where a program begins.
const ENTRY: &str = "_start";

/// One call: from where in which function, to whom.
struct Call {
    at: u64,
    from: String,
    to: String,
}

/// The shortest way from the entry of `file` to `symbol`; empty where no call leads there. Source
/// files of `tree` are named from its root.
pub(super) fn to(file: &Path, symbol: &str, tree: &Path) -> Result<Vec<String>, String> {
    let wrong = |why: String| format!("{}: {why}", file.display());
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let parsed = File::parse(&*bytes).map_err(|error| wrong(error.to_string()))?;
    let lines = addr2line::Loader::new(file)
        .map_err(|error| wrong(format!("debug information: {error}")))?;
    let calls = calls(&parsed);
    let way = shortest(&calls, symbol);
    let steps = way.iter().map(|call| {
        let source = source(&lines, call.at, tree);
        format!("{}{source}", demangled(&call.from))
    });
    let mut path: Vec<String> = steps.collect();
    if !path.is_empty() {
        path.push(symbol.to_owned());
    }
    Ok(path)
}

/// The functions that `file` holds.
pub(super) fn functions(file: &Path) -> Result<Vec<String>, String> {
    let wrong = |why: String| format!("{}: {why}", file.display());
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let parsed = File::parse(&*bytes).map_err(|error| wrong(error.to_string()))?;
    let code = parsed.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
    Ok(code.filter_map(|symbol| symbol.name().ok().map(demangled)).collect())
}

/// Every reference from code to code, or to a name.
fn calls(file: &File<'_>) -> Vec<Call> {
    // Arm marks a function of its shorter instructions by an odd address.
    let is_arm = file.architecture() == object::Architecture::Arm;
    let even = |address: u64| if is_arm { address & !1 } else { address };
    let functions: BTreeMap<u64, (u64, String)> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .map(|symbol| {
            let name = symbol.name().unwrap_or("?").to_owned();
            (even(symbol.address()), (symbol.size(), name))
        })
        .collect();
    let function_at = |address: u64| {
        let (start, (size, name)) = functions.range(..=address).next_back()?;
        (address < start.saturating_add(*size)).then(|| name.clone())
    };
    let code = file.sections().filter(|section| section.kind() == object::SectionKind::Text);
    let relocations = code.flat_map(|section| section.relocations().collect::<Vec<_>>());
    // An x86 instruction counts from its own end: the field's, where nothing follows it.
    let is_x86 = file.architecture() == object::Architecture::X86_64;
    let counts_from_end = |relocation: &object::Relocation| {
        is_x86 && relocation.kind() != object::RelocationKind::Absolute
    };
    let call = |at: u64, relocation: &object::Relocation| {
        let RelocationTarget::Symbol(index) = relocation.target() else { return None };
        let symbol = file.symbol_by_index(index).ok()?;
        let to = if symbol.kind() == SymbolKind::Section {
            let target = symbol.address().wrapping_add_signed(relocation.addend());
            function_at(target.wrapping_add(if counts_from_end(relocation) { 4 } else { 0 }))?
        } else {
            symbol.name().ok()?.to_owned()
        };
        Some(Call { at, from: function_at(at)?, to })
    };
    relocations.filter_map(|(at, relocation)| call(at, &relocation)).collect()
}

fn shortest<'a>(calls: &'a [Call], symbol: &str) -> Vec<&'a Call> {
    let mut by: BTreeMap<&str, &Call> = BTreeMap::new();
    let mut todo = VecDeque::from([ENTRY]);
    while let Some(function) = todo.pop_front() {
        for call in calls.iter().filter(|call| call.from == function) {
            if call.to != ENTRY && !by.contains_key(call.to.as_str()) {
                by.insert(&call.to, call);
                todo.push_back(&call.to);
            }
        }
    }
    let mut path = Vec::new();
    let mut at = symbol;
    while let Some(call) = by.get(at) {
        path.push(*call);
        at = &call.from;
    }
    path.reverse();
    path
}

/// The source line of a call, and the functions that were inlined around it.
fn source(lines: &addr2line::Loader, at: u64, tree: &Path) -> String {
    let Ok(mut frames) = lines.find_frames(at) else { return String::new() };
    let mut told = Vec::new();
    while let Ok(Some(frame)) = frames.next() {
        let name = frame.function.and_then(|name| name.raw_name().ok().map(|raw| demangled(&raw)));
        let Some(location) = frame.location else { continue };
        let (Some(file), Some(line)) = (location.file, location.line) else { continue };
        let file = Path::new(file);
        let Ok(file) = file.strip_prefix(tree) else { continue };
        told.push(format!("{} at {}:{line}", name.unwrap_or_default(), file.display()));
    }
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", in ")) }
}

#[cfg(test)]
mod tests {
    use super::{Call, shortest};

    #[test]
    fn the_shortest_way_is_told_and_none_where_there_is_none() {
        let call = |from: &str, to: &str| Call { at: 0, from: from.to_owned(), to: to.to_owned() };
        let calls = [
            call("_start", "a"),
            call("a", "b"),
            call("b", "x"),
            call("_start", "c"),
            call("c", "x"),
            call("c", "_start"),
            call("nobody", "y"),
        ];
        let names = |symbol| -> Vec<&str> {
            shortest(&calls, symbol).iter().map(|call| call.from.as_str()).collect()
        };
        assert_eq!(names("x"), ["_start", "c"]);
        assert!(names("y").is_empty());
    }
}
