//! What a function reaches, whatever path it takes: its calls, the functions whose address it takes,
//! and those that the data it refers to points at (a table of methods is such data).
//!
//! Where one piece of data ends and the next begins the file does not say; it is taken to end where
//! the next one begins that any code or symbol names. Tests: below.

use super::Executable;
use super::x86::{self, Looked};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A place in the executable, or a name from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    /// A function, by its first byte.
    Function(u64),
    /// A name that the loader resolves.
    Import(String),
    /// Code without a symbol.
    Unnamed(u64),
}

/// What was reached, and from where it was reached first.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    from: BTreeMap<Node, Option<Node>>,
    /// What each function's code says.
    pub(crate) looked: BTreeMap<u64, Looked>,
}

impl Reached {
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.from.keys()
    }

    /// The shortest way from a root to `node`, both ends included.
    pub(crate) fn path(&self, node: &Node) -> Vec<Node> {
        let mut path = vec![node.clone()];
        while let Some(Some(from)) = path.last().and_then(|last| self.from.get(last)) {
            path.push(from.clone());
        }
        path.reverse();
        path
    }
}

/// Everything that the functions at `roots` reach. Where `ends_at` says so, a node is reached but not
/// gone beyond.
pub(crate) fn reach(
    executable: &Executable,
    roots: &[u64],
    ends_at: impl Fn(&Node) -> bool,
) -> Reached {
    let referred = referred(executable);
    let mut reached = Reached::default();
    let mut todo: VecDeque<Node> = roots.iter().copied().map(Node::Function).collect();
    reached.from.extend(todo.iter().cloned().map(|root| (root, None)));
    while let Some(node) = todo.pop_front() {
        if ends_at(&node) {
            continue;
        }
        let looked = look(executable, &node);
        for next in nexts(executable, &looked, &referred) {
            if !reached.from.contains_key(&next) {
                reached.from.insert(next.clone(), Some(node.clone()));
                todo.push_back(next);
            }
        }
        if let Node::Function(start) | Node::Unnamed(start) = node {
            reached.looked.insert(start, looked);
        }
    }
    reached
}

/// Longest stub between a call and the slot that it jumps by: what a linker writes for one name.
const STUB_BYTES: u64 = 16;

fn look(executable: &Executable, node: &Node) -> Looked {
    match node {
        Node::Function(start) => executable
            .function_at(*start)
            .map(|function| x86::look(executable, function))
            .unwrap_or_default(),
        Node::Unnamed(start) => {
            let name = String::new();
            let stub = super::Function { start: *start, end: start + STUB_BYTES, name };
            x86::look(executable, &stub)
        }
        Node::Import(_) => Looked::default(),
    }
}

fn nexts(executable: &Executable, looked: &Looked, referred: &BTreeSet<u64>) -> BTreeSet<Node> {
    let at = |address: u64| match executable.function_at(address) {
        Some(function) => Node::Function(function.start),
        None => Node::Unnamed(address),
    };
    let mut nexts: BTreeSet<Node> = looked.code.iter().copied().map(at).collect();
    nexts.extend(looked.imports.iter().cloned().map(Node::Import));
    let mut todo: Vec<u64> = looked.data.iter().copied().collect();
    let mut seen = BTreeSet::new();
    while let Some(data) = todo.pop() {
        if !seen.insert(data) {
            continue;
        }
        let end = executable.end_of_data(data, referred);
        for word in (data.next_multiple_of(8)..end).step_by(8) {
            match (executable.import_at(word), executable.pointer_at(word)) {
                (Some(name), _) => {
                    nexts.insert(Node::Import(name.to_owned()));
                }
                (None, Some(target)) if executable.is_code(target) => {
                    nexts.insert(at(target));
                }
                (None, Some(target)) => todo.push(target),
                (None, None) => {}
            }
        }
    }
    nexts
}

/// Every piece of data that any code of the executable names.
fn referred(executable: &Executable) -> BTreeSet<u64> {
    let functions = executable.functions().iter();
    functions.flat_map(|function| x86::data_of(executable, function)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Node, reach};
    use crate::executable::Executable;

    const RET: u8 = 0xc3;

    /// `lea rax, [rip+to]; ret` at `at`.
    fn takes(at: u64, to: u64) -> Vec<u8> {
        let distance = i32::try_from(to - (at + 7)).expect("near");
        [&[0x48, 0x8d, 0x05][..], &distance.to_le_bytes(), &[RET]].concat()
    }

    fn calls(at: u64, to: u64) -> Vec<u8> {
        let distance = i32::try_from(to - (at + 5)).expect("near");
        [&[0xe8][..], &distance.to_le_bytes(), &[RET]].concat()
    }

    #[test]
    fn what_a_table_of_methods_names_is_reached_through_whoever_refers_to_it() {
        let (root, method) = (takes(0x1000, 0x5000), [RET]);
        let executable =
            Executable::of(&[(0x1000, "root", &root), (0x2000, "method", &method)], &[])
                .with_data(0x5000, &[0; 16])
                .with_pointer(0x5008, 0x2000);
        let reached = reach(&executable, &[0x1000], |_| false);
        assert_eq!(
            reached.path(&Node::Function(0x2000)),
            [Node::Function(0x1000), Node::Function(0x2000)]
        );
    }

    #[test]
    fn the_path_to_what_is_found_names_each_step_and_ends_where_it_is_told_to() {
        let (root, middle, end) = (calls(0x1000, 0x2000), calls(0x2000, 0x3000), [RET]);
        let executable = Executable::of(
            &[(0x1000, "root", &root), (0x2000, "middle", &middle), (0x3000, "end", &end)],
            &[],
        );
        let reached = reach(&executable, &[0x1000], |_| false);
        let path = [0x1000, 0x2000, 0x3000].map(Node::Function);
        assert_eq!(reached.path(&Node::Function(0x3000)), path);
        let stopped = reach(&executable, &[0x1000], |node| *node == Node::Function(0x2000));
        assert_eq!(stopped.nodes().count(), 2);
    }
}
