//! Every `allow` and `expect` of a lint says why.

use super::source::code_only;
use super::{Finding, TextFile, Tree};

pub(crate) fn check(tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let (mut findings, mut count) = (Vec::new(), 0);
    for file in tree.rust() {
        let (attributes, without) = attributes(file);
        count += attributes;
        findings.extend(without);
    }
    Ok((format!("{count} lints are allowed or expected, each with a reason"), findings))
}

fn attributes(file: &TextFile) -> (usize, Vec<Finding>) {
    let code = code_only(&file.text);
    let (mut count, mut findings) = (0, Vec::new());
    for (at, _) in code.match_indices("#[").chain(code.match_indices("#![")) {
        let attribute = &code[at..end_of_attribute(&code, at)];
        let is_about_lints = ["allow(", "expect("].iter().any(|name| {
            attribute.match_indices(name).any(|(place, _)| {
                !attribute[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.')
            })
        });
        if !is_about_lints {
            continue;
        }
        count += 1;
        if !attribute.contains("reason") {
            let line = code[..at].matches('\n').count() + 1;
            findings.push(Finding::new(
                &file.path,
                line,
                "a lint is switched off without `reason = \"…\"`",
            ));
        }
    }
    (count, findings)
}

fn end_of_attribute(code: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    for (place, c) in code[at..].char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth <= 1 => return at + place + 1,
            ']' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::tree;

    #[test]
    fn a_lint_without_a_reason_is_found_by_its_line() {
        let tree = tree(&[(
            "x.rs",
            "#[expect(a, reason = \"b [c]\")]\nfn f() {}\n#[allow(\n  d\n)]\nfn g() {}\n\
             #![cfg_attr(test, allow(e))]\n#[derive(Debug)]\n// #[allow(x)]\nfn h() { r.expect(1) }\n",
        )]);
        let (told, findings) = check(&tree).expect("looks");
        let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [3, 7], "{findings:?}");
        assert!(told.starts_with("3 lints"), "{told}");
    }
}
