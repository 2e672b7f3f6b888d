//! `cargo xtask tidy`: what reviews forget, as a test that takes less than three seconds.
//!
//! Each check is one module that looks at the tree as git sees it and names what it finds by file and
//! line. It must never change anything. Tests: beside each check.

mod dependencies;
mod files;
mod lint_reasons;
mod loop_symbols;
mod places;
mod sabotage_patches;
mod sidecars;
mod source;
mod topics;
mod unsafe_code;
mod words;

use crate::Answer;
use crate::workspace;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// Something that is not tidy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// File from the root.
    file: String,
    /// Line, from 1; 0 for the whole file.
    line: usize,
    /// What is wrong and how to mend it.
    what: String,
}

impl Finding {
    fn new(file: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, what: what.into() }
    }
}

/// A text file of the tree.
#[derive(Clone, Debug)]
pub(crate) struct TextFile {
    /// Path from the root, with slashes.
    path: String,
    text: String,
}

/// The tree, read once for all checks.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Every file that git has or would take.
    files: Vec<PathBuf>,
    /// Those that are text.
    texts: Vec<TextFile>,
}

impl Tree {
    fn read() -> Result<Self, String> {
        let files = workspace::files()?;
        let root = workspace::root();
        let texts = files
            .iter()
            .filter_map(|file| {
                let text = String::from_utf8(fs::read(root.join(file)).ok()?).ok()?;
                Some(TextFile { path: file.to_string_lossy().into_owned(), text })
            })
            .collect();
        Ok(Self { files, texts })
    }

    fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.texts.iter().filter(|file| file.path.ends_with(".rs"))
    }

    fn text(&self, path: &str) -> Option<&TextFile> {
        self.texts.iter().find(|file| file.path == path)
    }
}

/// What a check found wrong, and what it looked at.
struct Checked {
    name: &'static str,
    looked_at: String,
    findings: Vec<Finding>,
}

type Check = fn(&Tree) -> Result<(String, Vec<Finding>), String>;

const CHECKS: [(&str, Check); 10] = [
    ("dependencies", dependencies::check),
    ("unsafe", unsafe_code::check),
    ("topics", topics::check),
    ("lint-reasons", lint_reasons::check),
    ("words", words::check),
    ("files", files::check),
    ("places", places::check),
    ("sidecars", sidecars::check),
    ("sabotage", sabotage_patches::check),
    ("loop-symbols", loop_symbols::check),
];

pub(crate) fn run(json_wanted: bool) -> Answer {
    let tree = Tree::read()?;
    let mut all = Vec::new();
    for (name, check) in CHECKS {
        let (looked_at, findings) = check(&tree)?;
        all.push(Checked { name, looked_at, findings });
    }
    let tidy = all.iter().all(|checked| checked.findings.is_empty());
    if json_wanted {
        println!("{}", as_json(&all, tidy));
        return Ok(tidy);
    }
    for checked in &all {
        let verdict = if checked.findings.is_empty() { "ok" } else { "FAIL" };
        println!("{verdict:4}  {:13} {}", checked.name, checked.looked_at);
        for finding in &checked.findings {
            let line = if finding.line > 0 { format!(":{}", finding.line) } else { String::new() };
            println!("      {}{line}: {}", finding.file, finding.what);
        }
    }
    Ok(tidy)
}

fn as_json(all: &[Checked], tidy: bool) -> Value {
    let checks: Vec<Value> = all
        .iter()
        .map(|checked| {
            let findings: Vec<Value> = checked
                .findings
                .iter()
                .map(|finding| json!({"file": finding.file, "line": finding.line, "what": finding.what}))
                .collect();
            json!({"name": checked.name, "looked_at": checked.looked_at, "findings": findings})
        })
        .collect();
    json!({"tidy": tidy, "checks": checks})
}

#[cfg(test)]
mod tests {
    use super::{CHECKS, TextFile, Tree};

    /// A tree of these files.
    pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
        Tree {
            files: files.iter().map(|(path, _)| path.into()).collect(),
            texts: files
                .iter()
                .map(|(path, text)| TextFile { path: (*path).to_owned(), text: (*text).to_owned() })
                .collect(),
        }
    }

    #[test]
    fn this_workspace_is_tidy() {
        let tree = Tree::read().expect("git lists the files");
        for (name, check) in CHECKS {
            let (_, findings) = check(&tree).expect("the check can look");
            assert!(findings.is_empty(), "{name}: {findings:#?}");
        }
    }
}
