//! Lines of a file of any size, in bounded memory.
//!
//! *What it decides.* Where a line ends; one longer than [`LINE_BYTES_MAX`] is read over, counted, and
//! never held. *What it must never do.* Hold more than one line. The last line may lack its newline:
//! the programs before ours wrote it so. Shown by: the tests below.

use std::io::{self, BufRead};

/// The longest line that is believed: a step is a few KiB.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// No further line.
    End,
    /// A line.
    Whole,
    /// A line that is longer than can be believed, of this many bytes; it was read over.
    TooLong {
        /// Without its newline.
        bytes: u64,
    },
}

/// Reads the next line, without its newline, into `line`.
pub(crate) fn next_line(
    input: &mut impl BufRead,
    line: &mut Vec<u8>,
    bytes_max: usize,
) -> io::Result<Line> {
    line.clear();
    let mut bytes = 0_u64;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = memchr::memchr(b'\n', buffer);
        let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        bytes = bytes.saturating_add(part.len() as u64);
        if bytes <= bytes_max as u64 {
            line.extend_from_slice(part);
        }
        let is_at_end_of_file = buffer.is_empty();
        let used = part.len().saturating_add(usize::from(end.is_some()));
        input.consume(used);
        if end.is_none() && !is_at_end_of_file {
            continue;
        }
        return Ok(if bytes > bytes_max as u64 {
            line.clear();
            Line::TooLong { bytes }
        } else if end.is_none() && bytes == 0 {
            Line::End
        } else {
            Line::Whole
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, next_line};
    use std::io::BufReader;

    fn lines_of(text: &[u8], buffer_bytes: usize, bytes_max: usize) -> Vec<(Line, Vec<u8>)> {
        let mut input = BufReader::with_capacity(buffer_bytes, text);
        let (mut line, mut found) = (Vec::new(), Vec::new());
        loop {
            match next_line(&mut input, &mut line, bytes_max).expect("memory never fails") {
                Line::End => return found,
                other => found.push((other, line.clone())),
            }
        }
    }

    #[test]
    fn lines_are_the_same_whatever_the_size_of_the_buffer() {
        for buffer_bytes in 1..12 {
            let found = lines_of(b"one\n\nthree", buffer_bytes, 100);
            let expected = ["one", "", "three"].map(|line| (Line::Whole, line.as_bytes().to_vec()));
            assert_eq!(found, expected, "buffer of {buffer_bytes}");
        }
    }

    #[test]
    fn long_line_is_counted_and_never_held_and_the_next_one_is_read() {
        let found = lines_of(b"1234\n12345\n1", 3, 4);
        let expected = [
            (Line::Whole, b"1234".to_vec()),
            (Line::TooLong { bytes: 5 }, Vec::new()),
            (Line::Whole, b"1".to_vec()),
        ];
        assert_eq!(found, expected);
    }
}
