//! Which bytes are which key. Tests: below.
//!
//! Knows plain characters, the arrows in their old forms (`ESC [ A`, `ESC O A`) and in that of the
//! Kitty keyboard protocol (`ESC [ 1 ; 1 : 3 A`, where 3 is a release). What it does not know it
//! passes over, whole: half of an unknown sequence must never be taken for a key. But for the space:
//! it is an e-stop, no sequence that a keyboard sends has one, and so it is always a key.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A plain character; Ctrl-D is `'\u{4}'`.
    Char(char),
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Escape.
    Escape,
}

/// What was done to it. A terminal that tells no more calls a repeat a press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Pressed, or repeated by a terminal that does not say so.
    Press,
    /// Still held.
    Repeat,
    /// Let go.
    Release,
}

/// One thing that a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// To which key.
    pub key: Key,
    /// What.
    pub act: Act,
}

/// A longer sequence is none.
const SEQUENCE_BYTES_MAX: usize = 32;
const ESCAPE: u8 = 0x1b;

/// Bytes become keys, however they are cut into pieces.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// A sequence that has begun with an escape and is not over.
    begun: Vec<u8>,
}

impl Decoder {
    /// The keys that these bytes complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<KeyEvent> {
        bytes.iter().filter_map(|byte| self.byte(*byte)).collect()
    }

    /// Whether a sequence has begun and is not over.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Nothing came after what has begun: a lone escape was the key, and the rest is nothing.
    pub fn time_is_up(&mut self) -> Vec<KeyEvent> {
        let lone = self.begun == [ESCAPE];
        self.begun.clear();
        if lone { vec![press(Key::Escape)] } else { Vec::new() }
    }

    fn byte(&mut self, byte: u8) -> Option<KeyEvent> {
        match self.begun.as_slice() {
            [] if byte == ESCAPE => {
                self.begun.push(byte);
                None
            }
            [] if byte.is_ascii() => Some(press(Key::Char(char::from(byte)))),
            // Part of a character that is no key of ours.
            [] => None,
            [ESCAPE] if byte == b'[' || byte == b'O' => {
                self.begun.push(byte);
                None
            }
            [ESCAPE] => {
                // Escape, then another key; or Alt and that key, which is taken for the same.
                self.begun.clear();
                if byte == ESCAPE {
                    self.begun.push(byte);
                    return Some(press(Key::Escape));
                }
                byte.is_ascii().then(|| press(Key::Char(char::from(byte))))
            }
            _ if byte == b' ' => {
                self.begun.clear();
                Some(press(Key::Char(' ')))
            }
            _ if (0x40..=0x7e).contains(&byte) => {
                let parameters = self.begun.split_off(2);
                self.begun.clear();
                sequence(&parameters, byte)
            }
            begun if byte == ESCAPE || begun.len() >= SEQUENCE_BYTES_MAX => {
                self.begun.clear();
                if byte == ESCAPE {
                    self.begun.push(byte);
                }
                None
            }
            _ => {
                self.begun.push(byte);
                None
            }
        }
    }
}

fn press(key: Key) -> KeyEvent {
    KeyEvent { key, act: Act::Press }
}

/// `parameters` are `number ; modifiers : act`; all of it may be missing.
fn sequence(parameters: &[u8], end: u8) -> Option<KeyEvent> {
    let text = std::str::from_utf8(parameters).ok()?;
    let mut parts = text.split(';');
    let number = parts.next().and_then(|part| part.split(':').next()?.parse::<u32>().ok());
    let key = match end {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'u' => match char::from_u32(number?)? {
            '\u{1b}' => Key::Escape,
            character => Key::Char(character),
        },
        _ => return None,
    };
    let act = match parts.next().and_then(|part| part.split(':').nth(1)) {
        None | Some("1") => Act::Press,
        Some("2") => Act::Repeat,
        Some("3") => Act::Release,
        Some(_) => return None,
    };
    Some(KeyEvent { key, act })
}

#[cfg(test)]
mod tests {
    use super::{Act, Decoder, Key, KeyEvent, SEQUENCE_BYTES_MAX};

    fn keys(bytes: &[u8]) -> Vec<KeyEvent> {
        let mut decoder = Decoder::default();
        let mut events = decoder.feed(bytes);
        events.extend(decoder.time_is_up());
        events
    }

    fn key(key: Key, act: Act) -> KeyEvent {
        KeyEvent { key, act }
    }

    #[test]
    fn arrows_are_known_in_all_three_ways_of_saying_them() {
        for (bytes, expected) in [
            (&b"\x1b[A"[..], key(Key::Up, Act::Press)),
            (b"\x1bOB", key(Key::Down, Act::Press)),
            (b"\x1b[1;5C", key(Key::Right, Act::Press)),
            (b"\x1b[1;1:1D", key(Key::Left, Act::Press)),
            (b"\x1b[1;1:2A", key(Key::Up, Act::Repeat)),
            (b"\x1b[1;1:3A", key(Key::Up, Act::Release)),
            (b"\x1b[32;1:3u", key(Key::Char(' '), Act::Release)),
            (b"\x1b[97u", key(Key::Char('a'), Act::Press)),
        ] {
            assert_eq!(keys(bytes), [expected], "{bytes:?}");
        }
    }

    #[test]
    fn a_sequence_in_pieces_is_the_same_key_and_a_lone_escape_is_one_too() {
        let mut decoder = Decoder::default();
        assert!(decoder.feed(b"\x1b").is_empty() && decoder.is_waiting());
        assert!(decoder.feed(b"[").is_empty());
        assert_eq!(
            decoder.feed(b"A "),
            [key(Key::Up, Act::Press), key(Key::Char(' '), Act::Press)]
        );
        assert_eq!(keys(b"\x1b"), [key(Key::Escape, Act::Press)]);
    }

    #[test]
    fn space_after_anything_at_all_is_still_heard() {
        // The e-stop: whatever stood in front of it, and however shortly.
        for before in [
            &b""[..],
            b"\x1b",
            b"\x1b[",
            b"\x1bO",
            b"\x1b[1;1:9",
            b"\x1b[200~",
            b"\xc3\xa4",
            b"\xff\xfe",
            b"\x1b[111111",
        ] {
            let mut decoder = Decoder::default();
            decoder.feed(before);
            assert_eq!(decoder.feed(b" "), [key(Key::Char(' '), Act::Press)], "{before:?}");
            decoder.feed(before);
            decoder.time_is_up();
            assert!(!decoder.is_waiting(), "{before:?}");
            assert_eq!(decoder.feed(b" "), [key(Key::Char(' '), Act::Press)], "{before:?}");
        }
    }

    #[test]
    fn unknown_sequences_are_passed_over_whole_and_endless_ones_end() {
        assert!(keys(b"\x1b[3~").is_empty());
        assert!(keys(b"\x1b[?1;2c").is_empty());
        assert!(keys(b"\x1b[1;1:7A").is_empty());
        let mut endless = b"\x1b[".to_vec();
        endless.extend(std::iter::repeat_n(b'1', SEQUENCE_BYTES_MAX + 10));
        let mut decoder = Decoder::default();
        decoder.feed(&endless);
        assert!(decoder.begun.len() <= SEQUENCE_BYTES_MAX);
    }
}
