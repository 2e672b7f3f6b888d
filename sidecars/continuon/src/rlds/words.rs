//! Text of a recording on its way to a person: whatever stands in it, the terminal stays as it is.
//!
//! It decides which characters may pass. Shown by: the test below.

/// Without control characters, which could move the cursor or recolour what follows.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn escapes_never_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\r\n\u{9b}c ü"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c ü");
    }
}
