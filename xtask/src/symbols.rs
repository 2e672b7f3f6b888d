//! `cargo xtask symbols`: what the loop's thread reaches in the executable that ships.
//!
//! *What it decides.* Whether anything but the loop's own crates and a few named functions of libc
//! can be called between the seal and the end: no allocator, no lock, no `std::io`, no panic.
//! *What it must never do.* Leave an indirect call out: one that nothing accounts for is a no.
//!
//! It begins at `Loop::cycles`, one instance for each board, and follows the machine code of the file
//! itself (`executable/`). Planted bugs: `tests/sabotage/symbols-*.patch`. Tests: below.

use crate::executable::graph::{Node, Reached, reach};
use crate::executable::{Executable, LOOP_CODE};
use crate::workspace::{cargo, succeeds, target_directory};
use crate::{Answer, Problem};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Names from elsewhere that the loop may call, each with its reason.
pub(crate) const ALLOWED: [(&str, &str); 8] = [
    ("clock_nanosleep", "its sleep: the one system call of a cycle"),
    ("clock_gettime", "its clock, read through the vDSO: no system call"),
    ("__errno_location", "where both say that they failed: the address of a thread's own integer"),
    ("memcpy", "copies a record: no lock, no allocation, bounded by the record"),
    ("memmove", "as memcpy"),
    ("memset", "as memcpy"),
    ("memcmp", "as memcpy"),
    ("bcmp", "as memcpy: memcmp that only says equal or not"),
];

/// Crates whose code the loop consists of; all of it is followed. A panic or an allocation in them ends
/// outside them, in `std`, `alloc` or `__rustc`, and so is seen.
const CRATES: [&str; 11] = [
    "fast_loop",
    "rt_board",
    "rt_control",
    "rt_ring",
    "rt_wire",
    "rt_config",
    "ringbuf",
    "nix",
    "libm",
    "defmt",
    "core",
];

/// Functions of `fast_loop`'s log that defmt calls by an unmangled name; followed like all others.
const UNMANGLED: [&str; 4] =
    ["_defmt_acquire", "_defmt_release", "_defmt_write", "_defmt_timestamp"];

/// Profile of what ships.
pub(crate) const PROFILE: &str = "flash";

const EXAMPLES: &str = "\
Examples:
  cargo xtask symbols                          build fast-loop as it ships, and judge it
  cargo xtask symbols target/flash/fast-loop   judge this file as it is
  cargo xtask symbols --json";

/// What is judged.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// An executable that is there already; without it, fast-loop is built.
    file: Option<PathBuf>,
    /// Only build it: what `cargo xtask sabotage` asks before it trusts a no.
    #[arg(long)]
    no_run: bool,
    /// One JSON object on stdout.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Answer {
    let file = match &args.file {
        Some(file) if !file.is_file() => {
            let found = file.display();
            return Err(Problem::Misuse(format!(
                "symbols: expected an executable, found no {found}"
            )));
        }
        Some(file) => file.clone(),
        None => {
            let build = ["build", "--quiet", "-p", "fast-loop", "--profile", PROFILE];
            // As it ships: who plants bugs asks for incremental builds, which cannot be optimised as a whole.
            if !succeeds(cargo().args(build).env("CARGO_INCREMENTAL", "0"))? {
                return Err("the build failed: see above".to_owned().into());
            }
            target_directory()?.join(PROFILE).join("fast-loop")
        }
    };
    if args.no_run {
        return Ok(true);
    }
    let judged = judge(&file)?;
    if args.json {
        println!("{}", judged.as_json(&file));
    } else {
        println!("{}", judged.as_text());
    }
    Ok(judged.wrongs.is_empty())
}

/// What was found in one executable.
#[derive(Debug)]
pub(crate) struct Judged {
    roots: Vec<String>,
    functions: Vec<String>,
    imports: BTreeSet<String>,
    indirect_calls: usize,
    jump_tables: usize,
    placement: Placement,
    /// A sentence for each thing that must not be reached, with the way to it.
    pub(crate) wrongs: Vec<String>,
}

/// Judges the loop of one executable.
pub(crate) fn judge(file: &Path) -> Result<Judged, String> {
    let executable = Executable::read(file)?;
    let roots: Vec<u64> = executable
        .functions()
        .iter()
        .filter(|function| is_root(&function.name))
        .map(|function| function.start)
        .collect();
    if roots.is_empty() {
        return Err(format!(
            "{}: expected a function `Loop::cycles`, found none: it must not be inlined",
            file.display()
        ));
    }
    let is_foreign = |node: &Node| why_not(&executable, node).is_some();
    let reached = reach(&executable, &roots, is_foreign);
    Ok(Judged::of(&executable, &roots, &reached))
}

/// `Loop<B>::cycles`, as either way of mangling writes it.
fn is_root(name: &str) -> bool {
    name.trim_start_matches('<').starts_with("fast_loop::cycle::Loop<")
        && name.ends_with("::cycles")
}

/// Why a node must not be reached.
fn why_not(executable: &Executable, node: &Node) -> Option<String> {
    match node {
        Node::Import(name) if is_allowed(name) => None,
        Node::Import(name) => Some(format!("`{name}` of a library is not in the list")),
        // A stub before a slot: what it jumps to is judged.
        Node::Unnamed(_) => None,
        Node::Function(start) => {
            let name = &executable.function_at(*start)?.name;
            let known = is_allowed(name)
                || CRATES.contains(&crate_of(name))
                || UNMANGLED.contains(&name.as_str());
            (!known).then(|| format!("`{name}` is none of the loop's"))
        }
    }
}

fn is_allowed(name: &str) -> bool {
    ALLOWED.iter().any(|(allowed, _)| *allowed == name)
}

/// The crate that a function is of: the first name of its path, or of the type it is a method of.
fn crate_of(name: &str) -> &str {
    let path = name.trim_start_matches(|c: char| "<&*( ".contains(c));
    let path = path.strip_prefix("mut ").unwrap_or(path);
    let path = path.strip_prefix("dyn ").unwrap_or(path);
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    &path[..end]
}

impl Judged {
    fn of(executable: &Executable, roots: &[u64], reached: &Reached) -> Self {
        let name = |start: &u64| match executable.function_at(*start) {
            Some(function) => function.name.clone(),
            None => format!("code at {start:#x}"),
        };
        let in_words = |node: &Node| match node {
            Node::Function(start) | Node::Unnamed(start) => name(start),
            Node::Import(import) => import.clone(),
        };
        let way = |node: &Node| {
            let steps: Vec<String> = reached.path(node).iter().map(in_words).collect();
            steps.join("\n           → ")
        };
        let mut judged = Self {
            roots: roots.iter().map(name).collect(),
            functions: Vec::new(),
            imports: BTreeSet::new(),
            indirect_calls: 0,
            jump_tables: 0,
            placement: Placement::of(executable, reached),
            wrongs: Vec::new(),
        };
        judged.wrongs.extend(judged.placement.outside.iter().map(|start| {
            let way = way(&Node::Function(*start));
            format!("`{}` lies outside {LOOP_CODE}; reached by\n             {way}", name(start))
        }));
        for node in reached.nodes() {
            if let Some(why) = why_not(executable, node) {
                judged.wrongs.push(format!("{why}; reached by\n             {}", way(node)));
            } else if let Node::Import(import) = node {
                judged.imports.insert(import.clone());
            }
        }
        for (start, looked) in &reached.looked {
            judged.functions.push(name(start));
            judged.indirect_calls += looked.indirect_calls;
            judged.jump_tables += looked.jump_tables;
            judged.wrongs.extend(looked.open.iter().map(|at| {
                let way = way(&Node::Function(*start));
                format!(
                    "the indirect call at {at:#x} may lead anywhere; reached by\n             {way}"
                )
            }));
        }
        judged
    }

    /// One line, and a line for each name from elsewhere.
    pub(crate) fn as_text(&self) -> String {
        let mut lines = vec![format!(
            "{}: {} functions of the loop's crates; {} indirect calls and {} jump tables, each accounted for",
            self.roots.join(", "),
            self.functions.len(),
            self.indirect_calls,
            self.jump_tables,
        )];
        for (name, reason) in ALLOWED {
            let used = if self.imports.contains(name) { "calls " } else { "unused" };
            lines.push(format!("      {used}  {name:17} {reason}"));
        }
        lines.push(format!("      {}", self.placement.in_words()));
        let wrongs = self.wrongs.iter().map(|wrong| format!("      NO  {wrong}"));
        lines.extend(wrongs);
        if self.wrongs.is_empty() {
            lines.push("      no allocator, no lock, no std::io, no panic reachable".to_owned());
        }
        lines.join("\n")
    }

    fn as_json(&self, file: &Path) -> Value {
        let allowed: Vec<Value> = ALLOWED
            .iter()
            .map(|(name, reason)| {
                json!({"name": name, "reason": reason, "reached": self.imports.contains(*name)})
            })
            .collect();
        json!({
            "file": file.display().to_string(),
            "roots": self.roots,
            "functions": self.functions,
            "allowed": allowed,
            "indirect_calls_accounted_for": self.indirect_calls,
            "jump_tables": self.jump_tables,
            "placement": {
                "section_bytes": self.placement.section.as_ref().map(|at| at.end - at.start),
                "bytes": self.placement.bytes,
                "pages": self.placement.pages,
                "outside": self.placement.outside.len(),
            },
            "wrong": self.wrongs,
        })
    }
}

/// Where the code lies that the loop reaches.
#[derive(Debug)]
struct Placement {
    section: Option<Range<u64>>,
    /// Bytes of the functions reached, and the pages on which they lie.
    bytes: u64,
    pages: usize,
    /// Functions that lie elsewhere.
    outside: Vec<u64>,
}

impl Placement {
    const PAGE_BYTES: u64 = 4096;

    fn of(executable: &Executable, reached: &Reached) -> Self {
        let section = executable.loop_code.clone();
        let functions = reached.looked.keys().filter_map(|start| executable.function_at(*start));
        let (mut bytes, mut pages, mut outside) = (0, BTreeSet::new(), Vec::new());
        for function in functions {
            bytes += function.end - function.start;
            let last = function.end.saturating_sub(1).max(function.start);
            pages.extend(function.start / Self::PAGE_BYTES..=last / Self::PAGE_BYTES);
            let is_inside = section
                .as_ref()
                .is_some_and(|at| at.start <= function.start && function.end <= at.end);
            if !is_inside {
                outside.push(function.start);
            }
        }
        Self { section, bytes, pages: pages.len(), outside }
    }

    fn in_words(&self) -> String {
        let lies = format!("{} bytes of code on {} pages", self.bytes, self.pages);
        match &self.section {
            Some(at) => format!(
                "{lies}, of the {} that {LOOP_CODE} begins at {:#x}",
                (at.end - at.start) / Self::PAGE_BYTES,
                at.start
            ),
            None => format!("{lies}; there is no {LOOP_CODE}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{crate_of, is_root, judge};
    use std::path::Path;

    #[test]
    fn a_function_belongs_to_the_crate_that_its_path_or_its_type_begins_with() {
        for (name, of) in [
            ("rt_control::machine::next_owner", "rt_control"),
            ("<rt_board::sim::SimBoard as rt_board::Board>::read", "rt_board"),
            ("<&mut std::io::Stderr as core::fmt::Write>::write_str", "std"),
            ("<alloc::vec::Vec<T> as core::ops::Drop>::drop", "alloc"),
            ("__rustc::__rust_alloc", "__rustc"),
            ("malloc", "malloc"),
        ] {
            assert_eq!(crate_of(name), of, "{name}");
        }
    }

    #[test]
    fn the_root_is_the_loop_of_any_board_in_both_manglings() {
        assert!(is_root("fast_loop::cycle::Loop<B>::cycles"));
        assert!(is_root("<fast_loop::cycle::Loop<rt_board::sim::SimBoard>>::cycles"));
        assert!(!is_root("fast_loop::cycle::Loop<B>::run"));
        assert!(!is_root("other::cycles"));
    }

    #[test]
    fn what_is_no_executable_is_refused_by_name() {
        let error = judge(Path::new(file!())).expect_err("this is Rust source");
        assert!(error.contains("symbols.rs"), "{error}");
    }
}
