//! Unfinished work carries a name, so that somebody answers for it.

use super::{Finding, Tree};

/// In two parts, so that this file is tidy itself.
const WORDS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

pub(crate) fn check(tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let mut findings = Vec::new();
    for file in &tree.texts {
        for (index, line) in file.text.lines().enumerate() {
            if WORDS.iter().any(|word| lacks_a_name(line, word)) {
                let what = format!("unfinished without a name: expected `{}(name): …`", WORDS[0]);
                findings.push(Finding::new(&file.path, index + 1, what));
            }
        }
    }
    Ok((format!("{} texts, nothing left unfinished without a name", tree.texts.len()), findings))
}

fn lacks_a_name(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_word = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &line[at + word.len()..];
        let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let named = rest
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .is_some_and(|(name, _)| !name.trim().is_empty());
        is_word && ends && !named
    })
}

#[cfg(test)]
mod tests {
    use super::{WORDS, lacks_a_name};

    #[test]
    fn unfinished_work_needs_a_name_in_brackets() {
        for word in WORDS {
            assert!(lacks_a_name(&format!("// {word}: later"), word));
            assert!(lacks_a_name(&format!("// {word}(): later"), word));
            assert!(!lacks_a_name(&format!("// {word}(ada): later"), word));
            assert!(!lacks_a_name(&format!("{word}_LIST"), word));
        }
    }
}
