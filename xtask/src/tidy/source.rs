//! Rust source without what is not code: comments, texts and characters become blanks.
//!
//! A small scanner, not a parser: it knows just enough to say where code stops and text begins.
//! Lines and columns stay where they were.

/// The source with every comment, text and character literal blanked, newlines kept.
pub(crate) fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_text(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        for c in &chars[at..end] {
            out.push(if *c == '\n' { '\n' } else { ' ' });
        }
        at = end;
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn end_of_text(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, |c| c == '\n'),
        '/' if next == Some('*') => end_of_block_comment(chars, at),
        '"' => end_of_string(chars, at + 1),
        'r' if !joins(chars, at) => end_of_raw_string(chars, at).unwrap_or(at),
        '\'' => end_of_char(chars, at),
        _ => at,
    }
}

fn find(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|c| wanted(*c)).map_or(chars.len(), |n| from + n)
}

/// Whether the character before belongs to the same word.
fn joins(chars: &[char], at: usize) -> bool {
    // `br"…"` is a raw text too.
    let before = if at > 0 { chars[at - 1] } else { ' ' };
    (before.is_alphanumeric() || before == '_') && before != 'b'
}

fn end_of_block_comment(chars: &[char], at: usize) -> usize {
    let (mut depth, mut place) = (0_usize, at);
    while place < chars.len() {
        match (chars[place], chars.get(place + 1)) {
            ('/', Some('*')) => (depth, place) = (depth + 1, place + 2),
            ('*', Some('/')) => (depth, place) = (depth - 1, place + 2),
            _ => place += 1,
        }
        if depth == 0 {
            break;
        }
    }
    place.min(chars.len())
}

fn end_of_string(chars: &[char], from: usize) -> usize {
    let mut place = from;
    while place < chars.len() {
        match chars[place] {
            '\\' => place += 2,
            '"' => return place + 1,
            _ => place += 1,
        }
    }
    chars.len()
}

fn end_of_raw_string(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let mut place = open + 1;
    while place < chars.len() {
        let closes = chars[place] == '"'
            && chars.len() > place + hashes
            && chars[place + 1..=place + hashes].iter().all(|c| *c == '#');
        if closes {
            return Some(place + 1 + hashes);
        }
        place += 1;
    }
    Some(chars.len())
}

/// A lifetime looks like a character without its end.
fn end_of_char(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), Some(_)) => {
            find(chars, at + 3, |c| c == '\'').saturating_add(1).min(chars.len())
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// Lines (from 1) of the code on which `word` stands as a word of its own.
pub(crate) fn lines_with_word(code: &str, word: &str) -> Vec<usize> {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.lines()
        .enumerate()
        .filter(|(_, line)| {
            line.match_indices(word).any(|(at, _)| {
                !is_part(line[..at].chars().next_back())
                    && !is_part(line[at + word.len()..].chars().next())
            })
        })
        .map(|(index, _)| index + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{code_only, lines_with_word};

    #[test]
    fn comments_texts_and_characters_are_no_code_and_lines_stay() {
        let source = "a // unsafe\nk /* unsafe /* in */ unsafe */ c\n\"unsafe \\\" unsafe\" d\n\
                      r#\"unsafe \" unsafe\"# e\n'\\'' f 'u' g\nbr\"unsafe\" h\n";
        let code = code_only(source);
        assert_eq!(lines_with_word(&code, "unsafe"), Vec::<usize>::new(), "{code}");
        for word in ["a", "k", "c", "d", "e", "f", "g", "h"] {
            assert_eq!(lines_with_word(&code, word).len(), 1, "{word} in {code}");
        }
        assert_eq!(code.lines().count(), source.lines().count());
    }

    #[test]
    fn a_lifetime_begins_no_text_and_a_word_is_a_word_of_its_own() {
        let code = code_only("fn f<'a>(x: &'a str) -> &'a str { unsafe { x } }\nunsafe_code\n");
        assert_eq!(lines_with_word(&code, "unsafe"), [1]);
        assert_eq!(lines_with_word("for_unsafe unsafe", "unsafe"), [1]);
    }
}
