//! A JSON parser that keeps what others throw away.
//!
//! *What it decides.* What is JSON: RFC 8259, and beside it the bare words `NaN` and `Infinity`.
//! *What it must never do.* Panic, recurse deeper than [`DEPTH_MAX`], or take a text that serde_json
//! refuses, those words aside. Shown by: tests below (both read the same, byte for byte).

use super::json::{Json, shown};

/// A step is 5 deep.
const DEPTH_MAX: u32 = 100;
/// Words for what is no number.
const NO_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// Why a text is no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotJson {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in bytes.
    pub(crate) column: usize,
    pub(crate) expected: &'static str,
    pub(crate) found: String,
}

/// The value that `text` is.
pub(crate) fn parse(text: &str) -> Result<Json, NotJson> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let value = parser.value().and_then(|value| {
        parser.skip_blanks();
        if parser.at == text.len() { Ok(value) } else { Err("nothing after the value") }
    });
    value.map_err(|expected| {
        let before = text.as_bytes().get(..parser.at).unwrap_or_default();
        let line_starts = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        NotJson {
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: parser.at - line_starts + 1,
            expected,
            found: match parser.rest().chars().next() {
                Some(character) => shown(&character.to_string()),
                None => "the end".to_owned(),
            },
        }
    })
}

type Parsed<T> = Result<T, &'static str>;

struct Parser<'a> {
    text: &'a str,
    /// Byte that is looked at; always between two characters.
    at: usize,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        self.at - from
    }

    fn skip_blanks(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// Takes `word` if it comes next.
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.rest().starts_with(word);
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    fn value(&mut self) -> Parsed<Json> {
        self.skip_blanks();
        for word in NO_NUMBERS {
            if self.take(word) {
                return Ok(Json::NoNumber(word.to_owned()));
            }
        }
        match self.peek() {
            Some(b'{') => self.nested(Self::block),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take("true") => Ok(Json::Bool(true)),
            _ if self.take("false") => Ok(Json::Bool(false)),
            _ if self.take("null") => Ok(Json::Null),
            _ => Err("a value"),
        }
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Parsed<Json>) -> Parsed<Json> {
        if self.depth == DEPTH_MAX {
            return Err("no more than 100 blocks inside each other");
        }
        self.depth += 1;
        self.at += 1;
        let value = inner(self);
        self.depth -= 1;
        value
    }

    fn block(&mut self) -> Parsed<Json> {
        let mut keys = Vec::new();
        self.skip_blanks();
        if self.take("}") {
            return Ok(Json::Block(keys));
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'"') {
                return Err("a key in quotes");
            }
            let key = self.string()?;
            self.skip_blanks();
            if !self.take(":") {
                return Err("`:`");
            }
            keys.push((key, self.value()?));
            self.skip_blanks();
            if self.take("}") {
                return Ok(Json::Block(keys));
            }
            if !self.take(",") {
                return Err("`,` or `}`");
            }
        }
    }

    fn list(&mut self) -> Parsed<Json> {
        let mut values = Vec::new();
        self.skip_blanks();
        if self.take("]") {
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value()?);
            self.skip_blanks();
            if self.take("]") {
                return Ok(Json::List(values));
            }
            if !self.take(",") {
                return Err("`,` or `]`");
            }
        }
    }

    fn number(&mut self) -> Parsed<Json> {
        let from = self.at;
        self.take("-");
        let has_leading_zero = self.peek() == Some(b'0');
        let digits = self.skip_while(|byte| byte.is_ascii_digit());
        if digits == 0 || (has_leading_zero && digits > 1) {
            return Err("a number");
        }
        let mut is_whole = true;
        if self.take(".") {
            is_whole = false;
            if self.skip_while(|byte| byte.is_ascii_digit()) == 0 {
                return Err("a digit");
            }
        }
        if self.take("e") || self.take("E") {
            is_whole = false;
            if !self.take("+") {
                self.take("-");
            }
            if self.skip_while(|byte| byte.is_ascii_digit()) == 0 {
                return Err("a digit");
            }
        }
        let text = self.text.get(from..self.at).unwrap_or_default();
        if is_whole && let Ok(whole) = text.parse() {
            return Ok(Json::Int(whole));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Json::Float(number)),
            // The grammar is right: only its size can be wrong.
            _ => Ok(Json::NoNumber(text.chars().take(24).collect())),
        }
    }

    fn string(&mut self) -> Parsed<String> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let from = self.at;
            self.skip_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f));
            string.push_str(self.text.get(from..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escaped()?);
                }
                _ => return Err("`\"` at the end of a text"),
            }
        }
    }

    fn escaped(&mut self) -> Parsed<char> {
        let escape = self.peek().ok_or("an escape")?;
        let character = match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err("an escape"),
        };
        self.at += 1;
        Ok(character)
    }

    /// `\uXXXX`, or two of them for a character beyond the first 65 536.
    fn unicode(&mut self) -> Parsed<char> {
        let first = self.hex()?;
        let code = match first {
            0xd800..=0xdbff if self.take("\\") => match self.hex()? {
                second @ 0xdc00..=0xdfff => 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                _ => return Err("the second half of a character"),
            },
            _ => first,
        };
        char::from_u32(code).ok_or("a character")
    }

    /// `uXXXX`.
    fn hex(&mut self) -> Parsed<u32> {
        if !self.take("u") {
            return Err("the second half of a character");
        }
        let digits = self.text.get(self.at..self.at + 4).ok_or("four digits")?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("four digits");
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_digits| "four digits")
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::Json;
    use super::parse;
    use serde_json::Value;

    /// Every kind of value, escape and number.
    const SAMPLE: &str = r#" {"a": [1, -2.5e+3, 0, 0.5, 1E2, true, false, null, {}, []],
        "é\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00": "x", "": {"deep": [[["y"]]]}} "#;

    /// As serde_json has it, for a text in which no key is there twice.
    fn same(ours: &Json, theirs: &Value) -> bool {
        match (ours, theirs) {
            (Json::Null, Value::Null) => true,
            (Json::Bool(a), Value::Bool(b)) => a == b,
            (Json::Int(_) | Json::Float(_), Value::Number(b)) => {
                ours.as_number().map(f64::to_bits) == b.as_f64().map(f64::to_bits)
            }
            (Json::Text(a), Value::String(b)) => a == b,
            (Json::List(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Json::Block(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| same(a, b)))
            }
            _ => false,
        }
    }

    #[test]
    fn we_and_serde_json_read_the_same() {
        let theirs: Value = serde_json::from_str(SAMPLE).expect("JSON");
        let ours = parse(SAMPLE).expect("JSON");
        assert!(same(&ours, &theirs), "{ours:?}");
    }

    #[test]
    fn we_and_serde_json_refuse_the_same_whatever_is_put_where() {
        let pieces = [
            "", "\"", "{", "}", "[", "]", ",", ":", "0", "01", "-", ".", "e", "1e5", "true", "nul",
            "\\", "\\u", "\\ud800", "\\u12", "\n", "\u{1}", "é", " ",
        ];
        let mut count = 0;
        for (at, _) in SAMPLE.char_indices() {
            for (piece, cut) in pieces.iter().flat_map(|piece| [(piece, 0), (piece, 1), (piece, 9)])
            {
                let rest =
                    SAMPLE[at..].char_indices().nth(cut).map_or("", |(n, _)| &SAMPLE[at + n..]);
                let text = format!("{}{piece}{rest}", &SAMPLE[..at]);
                let theirs = serde_json::from_str::<Value>(&text).is_ok();
                assert_eq!(parse(&text).is_ok(), theirs, "{text}");
                count += 1;
            }
        }
        assert!(count > 9000, "{count}");
    }

    #[test]
    fn key_that_is_there_twice_is_kept_twice_and_no_number_is_named() {
        let value = parse(r#"{"a": NaN, "a": [1, -Infinity, 1e999], "NaN \" NaN": "NaN"}"#);
        let no_number = |word: &str| Json::NoNumber(word.to_owned());
        let list = Json::List(vec![Json::Int(1), no_number("-Infinity"), no_number("1e999")]);
        let expected = Json::Block(vec![
            ("a".to_owned(), no_number("NaN")),
            ("a".to_owned(), list),
            ("NaN \" NaN".to_owned(), Json::Text("NaN".to_owned())),
        ]);
        assert_eq!(value, Ok(expected));
    }

    #[test]
    fn what_is_no_json_says_where_and_what_was_expected() {
        let wrong = parse("{\"a\":\n 1;").expect_err("no comma");
        assert_eq!((wrong.line, wrong.column), (2, 3));
        assert_eq!((wrong.expected, wrong.found.as_str()), ("`,` or `}`", "`;`"));
        let deep = parse(&"[".repeat(100_000)).expect_err("too deep");
        assert_eq!(
            (deep.column, deep.expected),
            (101, "no more than 100 blocks inside each other")
        );
    }
}
