//! Last words of a thread that may not speak: into memory, and housekeeping says them.
//!
//! A thread inside its filter (`filter.rs`) may not write, and may not abort: the kernel would end the
//! process at the first call, and nobody would learn why. So it leaves its words here and sleeps; the
//! pump is silent from that cycle on, which is the stop. Housekeeping looks every few milliseconds,
//! says the words and ends the process. If it does not, the thread ends the process itself, by a call
//! that its filter forbids. It never mends anything and nobody comes back from it. Shown by: the tests
//! below, and `tests/filter.rs` of the tests crate.

use crate::clock;
use crate::filter;
use crate::say::say;
use rt_ring::sync::{AtomicU32, AtomicU64, Ordering};
use std::fmt::{self, Write as _};

/// Longest last words, in bytes; what is longer is cut.
const BYTES: usize = 512;
const WORDS: usize = BYTES / 8;
/// Housekeeping has said them by then, or never will.
const SAID_WITHIN_NS: u64 = 1_000_000_000;

const SILENT: u32 = 0;
const SPEAKING: u32 = 1;
const SPOKEN: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(SILENT);
static TEXT: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

/// Leaves the words, and sleeps until the process ends. Allocates nothing; of several threads the
/// first is heard.
#[cold]
pub fn leave(words: fmt::Arguments<'_>) -> ! {
    // ORDER: relaxed: only who wins it writes, and the store below publishes.
    if STATE.compare_exchange(SILENT, SPEAKING, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        let mut text = Text::default();
        // What does not fit is cut.
        text.write_fmt(words).ok();
        for (word, bytes) in TEXT.iter().zip(text.bytes.chunks_exact(8)) {
            let bytes = bytes.try_into().unwrap_or([0; 8]);
            // ORDER: relaxed: published by the next store.
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        // ORDER: pairs with the load in left.
        STATE.store(SPOKEN, Ordering::Release);
    }
    let give_up_at = clock::now().plus(SAID_WITHIN_NS);
    while clock::now() < give_up_at {
        clock::sleep_until(give_up_at);
    }
    // Inside a filter this is SIGSYS, else SIGABRT: the process ends.
    std::process::abort()
}

/// The words that a thread has left.
#[must_use]
pub fn left() -> Option<String> {
    // ORDER: pairs with the store in leave.
    if STATE.load(Ordering::Acquire) != SPOKEN {
        return None;
    }
    // ORDER: relaxed: stored before the state was.
    let bytes = TEXT.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes());
    let bytes: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Says what a thread has left, if one has, and ends the process as it would have.
pub fn obey() {
    if let Some(words) = left() {
        say(words);
        std::process::abort();
    }
}

/// A panic anywhere ends the process from now on, and with it the heartbeat pin: that is a stop. Where
/// the thread may speak the hook before this one does.
pub fn end_at_a_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if filter::is_inside() {
            let thread = std::thread::current();
            leave(format_args!("thread '{}' {info}", thread.name().unwrap_or("without a name")));
        }
        print(info);
        std::process::abort();
    }));
}

/// Text of a fixed length; zeros after its end.
struct Text {
    bytes: [u8; BYTES],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; BYTES], length: 0 }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = &mut self.bytes[self.length..];
        let fits = more.floor_char_boundary(room.len().min(more.len()));
        room[..fits].copy_from_slice(&more.as_bytes()[..fits]);
        self.length += fits;
        if fits == more.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_do_not_fit_are_cut_between_two_letters() {
        let mut text = Text::default();
        let long = "µ".repeat(BYTES);
        assert!(write!(text, "a{long}").is_err());
        let told = std::str::from_utf8(&text.bytes[..text.length]).expect("whole letters");
        assert_eq!(told, format!("a{}", "µ".repeat((BYTES - 1) / 2)));
    }

    #[test]
    fn words_that_fit_are_whole() {
        let mut text = Text::default();
        write!(text, "{} of {}", 3, 4).expect("it fits");
        assert_eq!(&text.bytes[..text.length], b"3 of 4");
        assert_eq!(text.bytes[text.length], 0);
    }
}
