//! JSON with positions: which line and column each key and value of a file stands at.
//!
//! serde tells types but not where a value stood once the text is parsed; people need the line.
//! Decides only what is JSON (RFC 8259: no comments, no trailing commas, no doubled keys), never
//! what a key means. The letters of a string and the digits of a number are left to `serde_json`.
//! Never panics and never recurses deeper than [`DEPTH_MAX`]. Tests: below, and tests/any_json.rs
//! against `serde_json` itself.

use serde_json::Value;
use std::collections::BTreeMap;

/// No robot file nests deeper than 4; a file of brackets must not exhaust the stack.
const DEPTH_MAX: usize = 32;

/// A place in the text, both counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value and where it begins.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Object(Vec<Member>),
    List(Vec<Node>),
    /// Null, a boolean, a number or a string.
    Scalar(Value),
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_at: Position,
    pub(crate) node: Node,
}

impl Node {
    /// The member of an object.
    pub(crate) fn member(&self, key: &str) -> Option<&Member> {
        match &self.value {
            Content::Object(members) => members.iter().find(|member| member.key == key),
            Content::List(_) | Content::Scalar(_) => None,
        }
    }

    /// Where the value of a dotted key stands, or the innermost object around it if it is not
    /// written.
    pub(crate) fn position_of(&self, dotted: &str) -> Position {
        let mut node = self;
        for key in dotted.split('.') {
            match node.member(key) {
                Some(member) => node = &member.node,
                None => break,
            }
        }
        node.at
    }
}

/// The text is not JSON, or a number does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotJson {
    pub(crate) at: Position,
    /// Dotted path of the key whose value was being read; may be empty.
    pub(crate) key: String,
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// Reads one JSON value and nothing after it.
pub(crate) fn parse(text: &str) -> Result<Node, NotJson> {
    let start = Position { line: 1, column: 1 };
    let mut reader = Reader { text, offset: 0, here: start, path: Vec::new() };
    let node = reader.value(0)?;
    reader.skip_space();
    if reader.peek().is_some() {
        return Err(reader.wrong("the end of the file"));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    /// Always on a character boundary.
    offset: usize,
    /// Line and column of `offset`.
    here: Position,
    path: Vec<String>,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Node, NotJson> {
        self.skip_space();
        let at = self.here;
        if depth > DEPTH_MAX {
            return Err(self.wrong(&format!("at most {DEPTH_MAX} levels of nesting")));
        }
        let value = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Content::Scalar(Value::String(self.string("a text in quotes")?)),
            _ => Content::Scalar(self.word()?),
        };
        Ok(Node { at, value })
    }

    fn object(&mut self, depth: usize) -> Result<Content, NotJson> {
        self.bump();
        let mut members = Vec::new();
        let mut lines = BTreeMap::new();
        self.skip_space();
        if self.eat('}') {
            return Ok(Content::Object(members));
        }
        loop {
            self.skip_space();
            let key_at = self.here;
            let key = self.string("a key in quotes")?;
            self.path.push(key.clone());
            if let Some(first) = lines.insert(key.clone(), key_at.line) {
                let found = format!("it again (first on line {first})");
                return Err(self.wrong_at(key_at, "each key once", found));
            }
            self.skip_space();
            if !self.eat(':') {
                return Err(self.wrong("`:`"));
            }
            let node = self.value(depth + 1)?;
            self.path.pop();
            members.push(Member { key, key_at, node });
            self.skip_space();
            if self.eat('}') {
                return Ok(Content::Object(members));
            }
            if !self.eat(',') {
                return Err(self.wrong("`,` or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Content, NotJson> {
        self.bump();
        let mut nodes = Vec::new();
        self.skip_space();
        if self.eat(']') {
            return Ok(Content::List(nodes));
        }
        loop {
            self.path.push(nodes.len().to_string());
            nodes.push(self.value(depth + 1)?);
            self.path.pop();
            self.skip_space();
            if self.eat(']') {
                return Ok(Content::List(nodes));
            }
            if !self.eat(',') {
                return Err(self.wrong("`,` or `]`"));
            }
        }
    }

    fn string(&mut self, expected: &str) -> Result<String, NotJson> {
        let at = self.here;
        let begin = self.offset;
        if !self.eat('"') {
            return Err(self.wrong(expected));
        }
        loop {
            match self.bump() {
                Some('"') => break,
                Some('\\') => {
                    self.bump();
                }
                Some('\n') | None => {
                    return Err(self.wrong_at(at, expected, "a text without its end".to_owned()));
                }
                Some(_) => {}
            }
        }
        let literal = &self.text[begin..self.offset];
        serde_json::from_str(literal).ok().ok_or_else(|| {
            self.wrong_at(
                at,
                expected,
                format!("{literal}, with a wrong escape or control character"),
            )
        })
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Value, NotJson> {
        let word = self.word_ahead();
        // Asked first: built with `arbitrary_precision`, as some program's library may want it for all,
        // serde_json takes a number of any size.
        if word.parse::<f64>().is_ok_and(f64::is_infinite)
            && word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        {
            let found = format!("`{word}`");
            return Err(self.wrong_at(self.here, "a number that fits 64 bits", found));
        }
        let value: Option<Value> = serde_json::from_str(word).ok();
        if let Some(value) = value {
            self.advance(word.len());
            return Ok(value);
        }
        Err(self
            .wrong("a value (a number, a text in quotes, true, false, null, an object, a list)"))
    }

    /// All up to the next space, comma or bracket.
    fn word_ahead(&self) -> &'a str {
        let rest = &self.text[self.offset..];
        let ends = |c: char| c.is_whitespace() || ",:]}[{\"".contains(c);
        &rest[..rest.find(ends).unwrap_or(rest.len())]
    }

    fn peek(&self) -> Option<char> {
        self.text[self.offset..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.advance(next.len_utf8());
        Some(next)
    }

    fn advance(&mut self, bytes: usize) {
        let end = self.offset + bytes;
        for passed in self.text[self.offset..end].chars() {
            if passed == '\n' {
                self.here = Position { line: self.here.line + 1, column: 1 };
            } else {
                self.here.column += 1;
            }
        }
        self.offset = end;
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.advance(wanted.len_utf8());
        }
        is_there
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.offset..];
        let after = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.advance(rest.len() - after.len());
    }

    fn wrong(&self, expected: &str) -> NotJson {
        let word: String = self.word_ahead().chars().take(40).collect();
        let found = match self.peek() {
            None => "the end of the file".to_owned(),
            Some(next) if word.is_empty() => format!("`{next}`"),
            Some(_) => format!("`{word}`"),
        };
        self.wrong_at(self.here, expected, found)
    }

    fn wrong_at(&self, at: Position, expected: &str, found: String) -> NotJson {
        NotJson { at, key: self.path.join("."), expected: expected.to_owned(), found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_value_knows_its_line_and_column() {
        let node = parse("{\n  \"a\": {\"µ\": 1, \"b\": [true]}\n}").expect("valid");
        assert_eq!(node.at, Position { line: 1, column: 1 });
        assert_eq!(node.position_of("a"), Position { line: 2, column: 8 });
        assert_eq!(node.position_of("a.b"), Position { line: 2, column: 22 });
        assert_eq!(node.position_of("a.missing"), Position { line: 2, column: 8 });
    }

    #[test]
    fn a_wrong_value_is_told_with_its_key() {
        let nan = parse("{\"timing\": {\n\"period_us\": NaN}}").expect_err("NaN is not JSON");
        assert_eq!((nan.at.line, nan.key.as_str()), (2, "timing.period_us"));
        assert_eq!(nan.found, "`NaN`");
        let huge = parse("{\"a\": 1e999}").expect_err("does not fit");
        assert_eq!((huge.key.as_str(), huge.found.as_str()), ("a", "`1e999`"));
    }

    #[test]
    fn a_doubled_key_is_refused() {
        let error = parse("{\"a\": 1,\n \"a\": 2}").expect_err("doubled");
        assert_eq!(error.at, Position { line: 2, column: 2 });
        assert!(error.found.contains("line 1"));
    }

    #[test]
    fn brackets_without_end_do_not_exhaust_the_stack() {
        assert!(parse(&"[".repeat(1_000_000)).is_err());
    }

    /// The same value without its positions.
    fn plain(node: &Node) -> Value {
        match &node.value {
            Content::Scalar(value) => value.clone(),
            Content::List(nodes) => nodes.iter().map(plain).collect(),
            Content::Object(members) => {
                members.iter().map(|member| (member.key.clone(), plain(&member.node))).collect()
            }
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Halves of an integer print and read back exactly, in any build of serde_json.
            any::<i32>().prop_map(|i| Value::from(f64::from(i) / 2.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_json_value_reads_as_serde_json_reads_it(value in any_value()) {
            for text in [value.to_string(), format!("{value:#}")] {
                let node = parse(&text);
                prop_assert_eq!(node.as_ref().map(plain).ok(), serde_json::from_str(&text).ok());
            }
        }

        #[test]
        fn nothing_is_read_that_serde_json_refuses(
            text in r#"[\[\]{},:"\\ \n0-9eE+.tfanu-]{0,24}"#
        ) {
            if let Ok(node) = parse(&text) {
                prop_assert_eq!(Some(plain(&node)), serde_json::from_str::<Value>(&text).ok());
            }
        }
    }
}
