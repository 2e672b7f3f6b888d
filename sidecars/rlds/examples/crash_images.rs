//! Crash images at length: `crash_images IMAGES SEED`, on every core. How far it is goes to stderr, what
//! it came to as one JSON object to stdout.
//!
//! Exit codes: 0, 1 (an image does not hold what it must, or there are too few to show anything), 2.

#[allow(dead_code, reason = "each program uses its part")]
#[path = "../tests/crash/mod.rs"]
mod crash;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

/// A word to whoever waits.
const TELL_EVERY: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (Some(Ok(images)), Some(Ok(seed)), None) = (numbers.next(), numbers.next(), numbers.next())
    else {
        progress("expected the number of images and a seed");
        return ExitCode::from(2);
    };
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let done = Arc::new(AtomicU64::new(0));
    let campaigns: Vec<_> = (0..threads)
        .map(|thread| {
            let share = images / threads + u64::from(thread < images % threads);
            // A drive is some hundred images: the threads' seeds never meet.
            let seed = seed.wrapping_add(thread.wrapping_mul(images));
            let done = Arc::clone(&done);
            thread::spawn(move || crash::campaign(seed, share, &done))
        })
        .collect();
    let (begin, mut told) = (Instant::now(), Instant::now());
    while !campaigns.iter().all(thread::JoinHandle::is_finished) {
        thread::sleep(Duration::from_millis(20));
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            // ORDER: a number to be told.
            let done = done.load(Ordering::Relaxed);
            progress(&format!("{done} of {images} images, {} s", begin.elapsed().as_secs()));
        }
    }
    let (mut all, mut wrong) = (crash::Figures::default(), None);
    for campaign in campaigns {
        match campaign.join() {
            Ok(Ok(figures)) => all.add(figures),
            Ok(Err(what)) => wrong = Some(what),
            Err(_) => wrong = Some("a thread of the campaign panicked".to_owned()),
        }
    }
    if wrong.is_none() && !all.are_of_all_kinds() {
        wrong = Some("too few of some kind to show anything".to_owned());
    }
    tell(&all, seed, wrong.as_deref())
}

fn tell(all: &crash::Figures, seed: u64, wrong: Option<&str>) -> ExitCode {
    let line = match wrong {
        Some(wrong) => format!("{wrong}; seed {seed}"),
        None => format!(
            "{} images: {} whole, {} put in order, {} with nothing yet, {} cut again in the repair; \
             0 of {} acknowledged records lost, 0 made up; seed {seed}",
            all.images, all.whole, all.repaired, all.given_up, all.cut_again, all.acknowledged
        ),
    };
    let figures = json!({
        "seed": seed,
        "images": all.images,
        "whole": all.whole,
        "repaired": all.repaired,
        "given_up": all.given_up,
        "cut_again": all.cut_again,
        "acknowledged": all.acknowledged,
        "wrong": wrong,
    });
    let told = json!({ "good": wrong.is_none(), "line": line, "figures": figures });
    // Whoever has gone has read enough.
    writeln!(std::io::stdout(), "{told}").ok();
    u8::from(wrong.is_some()).into()
}

fn progress(words: &str) {
    writeln!(std::io::stderr(), "crash-images: {words}").ok();
}
